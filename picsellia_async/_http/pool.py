"""The pool: who may open a connection, who waits, which idle one is used next. It knows neither requests nor answers.

Theory of operation
-------------------
There are `max_connections` slots over all origins. A slot belongs to an *opening* (a task of the pool that connects) or
to a *connection*, from before its socket exists until the socket is closed. A caller never holds a slot. Whoever leaves,
by whatever error or cancellation, aborts at most a connection, and the slot comes back with the socket. So no slot can be
lost, and there are never more sockets than slots.

A connection is opened by a task that no caller can cancel. The caller waits for its result. If the caller leaves first,
the task goes on for at most `GRACE_SECONDS`, and the connection goes to the head of the queue or becomes idle: a storm
of cancellations wastes no handshake. The task, not a callback of the event loop, says when its slot is free again:
uvloop closes a transport whose `create_connection` is cancelled at the wrong moment without calling `connection_lost`.

One origin has `max_per_origin` of the slots at most. So a host that hangs, whose callers keep their connections until a timeout,
cannot take the slots that the healthy ones need.

Who finds neither an idle connection nor a slot that its origin may have waits in a queue. Next is who came first among
those whose origin is below its share. While such a one waits, nothing is idle and no slot is free: a connection that comes
back goes to the next one if that wants the same origin, else it is closed and its slot goes to the next one. A waiter
that was given a connection and is cancelled before it wakes hands it on.

A peer that closes its connections right after its answers, without saying so, is found out (`early_closes`), and its
connections serve one request each.

A pool lives in one event loop. When that loop shuts down (`asyncio.run` closes asynchronous generators), the pool
closes its connections with it; a transport that is used again gets a new pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import ssl
from collections.abc import AsyncGenerator, Callable
from typing import Final

import attrs
import httpx

from picsellia_async._http import connector
from picsellia_async._http.caller_queue import CallerQueue
from picsellia_async._http.connection import Connection
from picsellia_async._http.early_closes import EARLY_SECONDS, closed_unanswered
from picsellia_async._http.failures import failure
from picsellia_async._http.idle_connections import IdleConnections
from picsellia_async._http.instrumentation import NetworkStream, Trace, traced
from picsellia_async._http.pending_connection import Opening, Waiter, attach, open_socket
from picsellia_async._http.resolver import Resolver
from picsellia_async._http.tls import TlsLayer
from picsellia_async._log_line import logger
from picsellia_async._wire.exchange import Origin
from picsellia_async.errors import ClosedError

READ_BYTES: Final = 1 << 16
"""Size of the buffer into which all connections of a pool read."""

CLOSE_SECONDS: Final = 5.0
"""Longest wait of `aclose` for sockets that are being closed. It takes one turn of the loop where nothing is wrong."""

_abandoned: list[Connection | Opening] = []
"""What belongs to another process (after a fork) or to a closed loop. Its transports and tasks must not run any code, not
even that of their destructors, which would warn of sockets that nobody can close properly any more."""


@attrs.frozen
class PoolCounts:
    """How the slots of a pool are used at one moment."""

    connections: int = 0
    """Open connections, busy and idle."""
    openings: int = 0
    """Connections that are being opened: name lookup, TCP and TLS. They have a slot already."""
    idle: int = 0
    """Connections that wait for a request."""
    queued: int = 0
    """Callers that wait for a slot."""

    @property
    def slots(self) -> int:
        """Slots in use."""
        return self.connections + self.openings


class Pool:
    """Connections of one transport in one event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        max_connections: float,
        max_per_origin: float,
        max_keepalive: float,
        keepalive_expiry: float | None,
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        self.loop = loop
        self._max_connections = max_connections
        self._max_per_origin = max_per_origin
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        self._context_lock = asyncio.Lock()
        self._resolver = Resolver(loop)
        self._sessions: dict[Origin, ssl.SSLSession] = {}
        self._connections: set[Connection] = set()
        self._openings: set[Opening] = set()
        self.idle = IdleConnections(loop, limit=max_keepalive, expiry=keepalive_expiry)
        self._used: dict[Origin, int] = {}
        """Slots that each origin has; none is not in it."""
        self._queue = CallerQueue()
        self._view = memoryview(bytearray(READ_BYTES))
        self._close_hook: AsyncGenerator[None] | None = None
        self._emptied: asyncio.Future[None] | None = None
        self.closed = False

    # -- taking and giving back -----------------------------------------------------------------------------------

    async def acquire(
        self, origin: Origin, connect: float | None, wait: float | None, trace: Trace | None = None
    ) -> Connection:
        """Return a connection to an origin: an idle one, a new one, or the next that comes free.

        Args:
            origin: Where to.
            connect: Seconds for name lookup, TCP and TLS together; None for no limit.
            wait: Seconds in the queue; None for no limit.
            trace: httpx's trace callback.

        Raises:
            httpx.PoolTimeout: The queue was too slow.
            httpx.ConnectTimeout: The peer was too slow.
            httpx.ConnectError: The peer cannot be reached or trusted.
            ClosedError: The pool was closed.
        """
        while True:
            if self.closed:
                raise ClosedError("the transport is closed")
            connection = self.idle.take(origin)
            if connection is not None:
                return connection
            connection = await self._wait(Waiter(origin, connect, trace, self.loop.create_future()), wait)
            if self.closed:  # between being given the connection and waking up; it is no fault of the peer's
                connection.abort()
                raise ClosedError("the transport was closed during this call")
            # One that served before may have ended between being handed over and our waking up: then there is another. A new
            # one that has ended is the caller's to see, or a peer that closes at once would keep us here for ever.
            if not connection.reused or connection.is_reusable():
                return connection

    def counts(self) -> PoolCounts:
        """Return how the slots are used now."""
        return PoolCounts(len(self._connections), len(self._openings), self.idle.count, self._queue.size)

    def counts_by_origin(self) -> dict[Origin, tuple[int, int]]:
        """Return the connections of each origin that are busy, and those that are idle. Another thread may ask."""
        found: dict[Origin, tuple[int, int]] = {}
        for connection in list(self._connections):
            busy, idle = found.get(connection.origin, (0, 0))
            found[connection.origin] = (busy + 1, idle) if connection.busy else (busy, idle + 1)
        return found

    def release(self, connection: Connection) -> None:
        """Take a connection back after its exchange, whatever became of it."""
        served_before = connection.reused
        if not connection.finish() or self.closed:
            if not connection.gone:
                connection.abort()
            if served_before and closed_unanswered(connection):
                self.idle.note_end(connection, connection.written_at)
            return
        if connection.tls is not None:
            self._keep_session(connection)
        if self.idle.early_closes.ends:
            if served_before:
                self.idle.early_closes.trust(connection.origin)
            elif self.idle.early_closes.distrusts(connection.origin):
                self._watch(connection)
                return
        self._place(connection)

    def _watch(self, connection: Connection) -> None:
        """See whether the peer closes a connection that has answered; close it ourselves if another one is watched."""
        if self.idle.early_closes.watch(connection):
            self.loop.call_later(EARLY_SECONDS, self._end_watch, connection)
        else:
            connection.close()

    def _end_watch(self, connection: Connection) -> None:
        """Use a connection again that has outlived the watch, and those that come after it.

        Also where its origin is trusted meanwhile, since another connection served a second request: nobody else has it.
        """
        if not self.closed and connection.is_reusable():
            self.idle.early_closes.trust(connection.origin)
            self._place(connection)

    def _slot_free(self) -> bool:
        return len(self._connections) + len(self._openings) < self._max_connections

    def _below_share(self, origin: Origin) -> bool:
        return self._used.get(origin, 0) < self._max_per_origin

    async def _wait(self, waiter: Waiter, seconds: float | None) -> Connection:
        """Wait for a connection: one opened for this caller where a slot is free, else the next that comes free."""
        below_share = self._below_share(waiter.origin)
        if below_share and self._slot_free():
            self._start_opening(waiter)
        else:
            self._queue.add(waiter)
            if seconds is not None:
                waiter.timer = self.loop.call_later(seconds, self._time_out, waiter)
            if below_share:
                self._make_room(waiter.origin)
        try:
            return await waiter.future
        except BaseException:  # CancelledError, and GeneratorExit where somebody throws the coroutine away
            self._leave(waiter)
            raise
        finally:
            waiter.stop_timer()
            del waiter  # an error in its future refers to this frame, and through it to the request

    def _leave(self, waiter: Waiter) -> None:
        """Forget a caller that goes without a connection; hand on what it was given and did not wake up for."""
        self._queue.discard(waiter)
        if waiter.opening is not None:
            waiter.opening.go_on_alone()
        future = waiter.future
        if not future.cancel() and not future.cancelled() and future.exception() is None:
            connection = future.result()  # given in the very turn of the loop in which the caller was cancelled
            if self.closed:
                connection.abort()
            elif not connection.gone:
                self._place(connection)

    def _make_room(self, origin: Origin) -> None:
        """Free a slot for somebody who has just come into the queue, if one is held for nobody."""
        if self.idle.evict():
            return
        for opening in self._openings:
            # One to the same origin will be ours when it is finished.
            if opening.waiter is None and opening.origin != origin and not opening.stopped:
                opening.stop()
                return

    def _place(self, connection: Connection) -> None:
        """Give a connection to who is next, if that one can use it or its slot; else it is idle."""
        if self._queue.size:
            origin = connection.origin
            waiter = self._queue.first(lambda other: other == origin or self._below_share(other))
            if waiter is not None:
                if waiter.origin == origin:
                    connection.idle_since = self.loop.time()
                    self._queue.discard(waiter)
                    waiter.future.set_result(connection)
                else:
                    connection.close()  # `lost` gives the slot to who is next
                return
        self.idle.keep(connection)

    def _time_out(self, waiter: Waiter) -> None:
        if not waiter.future.done():
            self._queue.discard(waiter)
            waiter.future.set_exception(failure(httpx.PoolTimeout, "no connection came free in time"))

    def _grant(self) -> None:
        """Give free slots to those who are next."""
        while self._queue.size and self._slot_free():
            waiter = self._queue.pop(self._below_share)
            if waiter is None:
                return
            waiter.stop_timer()
            self._start_opening(waiter)
        # Who waited for its origin's share may be next now, while connections to others are idle.
        if self.idle.count and self._queue.size and self._queue.first(self._below_share) is not None:
            self.idle.evict()

    # -- opening --------------------------------------------------------------------------------------------------

    def _start_opening(self, waiter: Waiter) -> None:
        deadline = None if waiter.connect is None else self.loop.time() + waiter.connect
        opening = waiter.opening = Opening(waiter, deadline, self.loop)
        self._openings.add(opening)  # before the task exists: an eager one runs at once
        self._used[waiter.origin] = self._used.get(waiter.origin, 0) + 1
        opening.task = self.loop.create_task(
            self._connect(opening), name=f"picsellia_async: connect to {waiter.origin}"
        )
        # Not at the end of the coroutine: one whose task is cancelled before its first step never runs at all.
        opening.task.add_done_callback(functools.partial(self._opened, opening))

    def _opened(self, opening: Opening, task: asyncio.Task[Connection]) -> None:
        """Give a connection away that was opened, or say why there is none.

        The loop calls us one turn after the end of the task: by then the socket of one that failed is closed.
        """
        self._openings.discard(opening)
        opening.end()
        waiter, opening.waiter = opening.waiter, None
        if waiter is not None and waiter.future.done():
            waiter = None
        error: BaseException | None = None
        connection: Connection | None = None
        if not task.cancelled() and (error := task.exception()) is None:
            connection = task.result()
            if connection.gone:
                connection, error = None, ConnectionResetError("the peer closed the connection at once")
        if connection is not None:
            self._connections.add(connection)  # the slot is the connection's now, until `lost`
            if not self.closed:
                if waiter is None:
                    self._place(connection)
                else:
                    waiter.future.set_result(connection)
                return
            connection.abort()
        if waiter is not None:
            waiter.future.set_exception(
                ClosedError("the transport was closed while a connection was opened")
                if self.closed
                else opening.explain(error)
            )
        if connection is None:
            self._free_slot(opening.origin)

    async def _connect(self, opening: Opening) -> Connection:
        """Open a connection, as a task that no caller cancels."""
        await self._close_with_loop()
        origin = opening.origin
        context = await self._tls_context() if origin.scheme == "https" else None
        sock = await open_socket(opening, self._resolver, self.loop)
        connection = Connection(origin, sock, self, self._view, self.loop)
        layer = None
        if context is not None:
            layer = TlsLayer(connection, context, self._view, session=self._sessions.get(origin))
            connection.tls = layer
        try:
            with opening.uninterrupted():
                await attach(self.loop, layer or connection, sock)
            if layer is not None:
                facts = {"ssl_context": context, "server_hostname": origin.host, "timeout": opening.connect}
                async with traced(opening.trace, "connection.start_tls", facts) as step:
                    await layer.handshake()
                    step.return_value = NetworkStream(sock, layer.ssl_object)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            async with self._context_lock:  # a burst of first calls would else build one each
                if self._context is None:
                    self._context = await connector.build_context(self._make_context, self.loop)
        return self._context

    def _keep_session(self, connection: Connection) -> None:
        """Remember the session once: TLS 1.3 sends it after the handshake, so it is there with the first response."""
        layer = connection.tls
        if not layer.session_kept:
            layer.session_kept = True
            if layer.ssl_object.session is not None:
                self._sessions[connection.origin] = layer.ssl_object.session

    # -- the end --------------------------------------------------------------------------------------------------

    def lost(self, connection: Connection) -> None:
        """Free the slot of a connection whose socket is being closed."""
        if connection not in self._connections:  # it is being opened; its opening has the slot
            return
        self._connections.discard(connection)
        if not connection.busy and not self.idle.lose(connection) and self.idle.early_closes.watches(connection):
            self._end_of_watched(connection)
        self._free_slot(connection.origin)

    def _end_of_watched(self, connection: Connection) -> None:
        if self.idle.early_closes.ended_watched(connection) and not self.closed:
            logger.warning(
                "%s closes connections right after its answers without saying so: each call opens its own until it stops",
                connection.origin,
            )

    def _free_slot(self, origin: Origin) -> None:
        """Let others have a slot whose socket is closed."""
        left = self._used.pop(origin, 1) - 1
        if left:
            self._used[origin] = left
        self._grant()
        if self._emptied is not None and not self._connections and not self._openings and not self._emptied.done():
            self._emptied.set_result(None)

    def shut(self) -> None:
        """Refuse new callers, fail those who wait, and close every connection, busy or not."""
        self.closed = True
        for waiter in self._queue.clear():
            if not waiter.future.done():
                waiter.future.set_exception(
                    ClosedError("the transport was closed while this call waited for a connection")
                )
        for opening in self._openings:
            opening.stop()
        for connection in list(self._connections):
            if connection.busy:
                connection.fail(ClosedError, "the transport was closed during this call")
            else:
                connection.close()
        self.idle.clear()

    async def aclose(self) -> None:
        """Shut, and wait until the sockets are closed, for `CLOSE_SECONDS` at most."""
        self.shut()
        if self._connections or self._openings:
            if self._emptied is None:
                self._emptied = self.loop.create_future()
            await asyncio.wait([self._emptied], timeout=CLOSE_SECONDS)
        if self._close_hook is not None:
            hook, self._close_hook = self._close_hook, None
            await hook.aclose()

    def forget_close_hook(self) -> None:
        """Note that the generator that closes this pool is running already."""
        self._close_hook = None

    async def _close_with_loop(self) -> None:
        """Have the event loop close this pool before it ends."""
        if self._close_hook is None:
            self._close_hook = _close_at_loop_end(self)
            await anext(self._close_hook)

    def forget(self, *, forked: bool) -> None:
        """Let go of every connection, without touching a loop that is gone or belongs to another process.

        Args:
            forked: This process is the child; sockets and the loop's selector are shared with the parent.
        """
        self.closed = True
        if not forked and not self.loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it was closed just now
                self.loop.call_soon_threadsafe(self.shut)
            return
        self._queue.clear()
        self.idle.clear()
        for connection in self._connections:
            connection.gone = True
            # Our copy of the descriptor, without a close_notify, which would reach the parent's peer. `sock.close()` would
            # not do: uvloop holds a reference that keeps the descriptor open.
            if (descriptor := connection.sock.detach()) != -1:
                os.close(descriptor)
        _abandoned.extend(self._connections)
        _abandoned.extend(self._openings)
        self._used.clear()
        self._connections.clear()
        self._openings.clear()


async def _close_at_loop_end(pool: Pool) -> AsyncGenerator[None]:
    """Close a pool when its loop shuts down: `asyncio.run` ends every asynchronous generator begun in its loop."""
    try:
        yield
    finally:
        if not pool.closed:
            pool.forget_close_hook()
            await pool.aclose()
