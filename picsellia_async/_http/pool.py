"""The pool: who may open a connection, who waits, which idle one is used next. It knows neither requests nor answers.

Theory of operation
-------------------
There are `max_connections` slots over all origins. A slot belongs to an *attempt* (a connection being opened) or to a
*connection*, from before its socket exists until `connection_lost` says that the socket is closed. A caller who leaves,
by whatever error or cancellation, never touches the count of slots: it aborts its connection, and the slot comes back
with the socket. So no slot can be lost, and there are never more sockets than slots.

Who finds neither an idle connection nor a free slot waits in line (first in, first out, over all origins). While
somebody waits, nothing is idle and no slot is free: a connection that comes back goes to the head of the line if that
one wants the same origin, else it is closed and its slot goes to the head of the line. A waiter that was given
something and is cancelled before it wakes hands it on.

Idle connections are a stack per origin: the one used last is the least likely to have been closed by the peer, and
those that a burst left over grow old and expire. One timer per pool closes them. It does not keep the loop running.

A pool lives in one event loop. When that loop shuts down (`asyncio.run` closes asynchronous generators), the pool
closes its connections with it; a transport that is used again gets a new pool.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx

from picsellia_async._http import connector, tcp
from picsellia_async._http.connection import Connection
from picsellia_async._http.failures import failure
from picsellia_async._http.tls import TlsLayer
from picsellia_async._http.trace import Trace, traced
from picsellia_async._wire.exchange import Origin
from picsellia_async.errors import ClosedError

READ_BYTES: Final = 1 << 16
"""Size of the buffer into which all connections of a pool read."""

UNCHECKED_IDLE_SECONDS: Final = 0.01
"""Idle time after which the socket is asked whether the peer has closed it, before it is used again (about 2 us)."""

_graveyard: list[Connection] = []
"""Connections of another process (after a fork) or of a closed loop. Their transports must not run any code, not even
that of their destructors, which would warn of sockets that nobody can close properly any more."""


class Pool:
    """Connections of one transport in one event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        max_connections: float,
        max_keepalive: float,
        keepalive_expiry: float | None,
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        self.loop = loop
        self._max_connections = max_connections
        self._max_keepalive = max_keepalive
        self._expiry = keepalive_expiry
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        self._context_lock = asyncio.Lock()
        self._sessions: dict[Origin, ssl.SSLSession] = {}
        self._connections: set[Connection] = set()
        self._attempts: set[_Attempt] = set()
        self._idle: dict[Origin, list[Connection]] = {}
        self._idle_count = 0
        self._waiters: collections.OrderedDict[asyncio.Future[Connection | _Attempt], Origin] = (
            collections.OrderedDict()
        )
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._view = memoryview(bytearray(READ_BYTES))
        self._farewell: AsyncIterator[None] | None = None
        self._emptied: asyncio.Future[None] | None = None
        self.closed = False

    # -- taking and giving back -----------------------------------------------------------------------------------

    def take(self, origin: Origin) -> Connection | None:
        """Return the idle connection used last, or None. Never waits."""
        stack = self._idle.get(origin)
        while stack:
            connection = stack.pop()
            self._idle_count -= 1
            if connection.gone:
                continue
            if self.loop.time() - connection.idle_since > UNCHECKED_IDLE_SECONDS and tcp.readable(connection.sock):
                connection.abort()
                continue
            return connection
        return None

    async def acquire(
        self, origin: Origin, connect: float | None, wait: float | None, trace: Trace | None = None
    ) -> Connection:
        """Return a connection to an origin: an idle one, a new one, or the next that comes free.

        Args:
            origin: Where to.
            connect: Seconds for name lookup, TCP and TLS together; None for no limit.
            wait: Seconds in line; None for no limit.
            trace: httpx's trace callback.

        Raises:
            httpx.PoolTimeout: The line was too slow.
            httpx.ConnectTimeout: The peer was too slow.
            httpx.ConnectError: The peer cannot be reached or trusted.
            ClosedError: The pool was closed.
        """
        while True:
            if self.closed:
                raise ClosedError("the transport is closed")
            connection = self.take(origin)
            if connection is not None:
                return connection
            got = self._attempt() if self._slot_free() else await self._wait_in_line(origin, wait)
            if isinstance(got, _Attempt):
                return await self._open(origin, got, connect, trace)
            if not got.gone:  # else it was lost between being handed over and our waking up
                return got

    def release(self, connection: Connection) -> None:
        """Take a connection back after its exchange, whatever became of it."""
        if not connection.finish() or self.closed:
            if not connection.gone:
                connection.abort()
            return
        if connection.tls is not None:
            self._keep_session(connection)
        self._place(connection)

    def _keep(self, connection: Connection) -> None:
        now = connection.idle_since = self.loop.time()
        if self._idle_count >= self._max_keepalive and not self._evict():
            connection.close()
            return
        stack = self._idle.get(connection.origin)
        if stack is None:
            stack = self._idle[connection.origin] = []
        stack.append(connection)
        self._idle_count += 1
        if self._sweep_timer is None and self._expiry is not None:
            self._sweep_timer = self.loop.call_at(now + self._expiry, self._sweep, self._expiry)

    def _slot_free(self) -> bool:
        return len(self._connections) + len(self._attempts) < self._max_connections

    def _attempt(self) -> _Attempt:
        attempt = _Attempt()
        self._attempts.add(attempt)
        return attempt

    async def _wait_in_line(self, origin: Origin, seconds: float | None) -> Connection | _Attempt:
        """Return a connection, or the right to open one."""
        waiter: asyncio.Future[Connection | _Attempt] = self.loop.create_future()
        self._waiters[waiter] = origin
        self._evict()
        timer = None if seconds is None else self.loop.call_later(seconds, self._give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._waiters.pop(waiter, None)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._return(waiter.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()
            del waiter  # a PoolTimeout in it refers to this frame, and through it to the request

    def _return(self, got: Connection | _Attempt) -> None:
        """Hand on what a waiter was given that was cancelled before it woke."""
        if isinstance(got, _Attempt):
            self._attempts.discard(got)
            self._grant()
        elif self.closed:
            got.abort()
        elif not got.gone:
            self._place(got)

    def _place(self, connection: Connection) -> None:
        """Give a connection to the head of the line; without a line it is idle."""
        while self._waiters:
            waiter, origin = next(iter(self._waiters.items()))
            if not waiter.done() and origin != connection.origin:
                connection.close()  # `lost` gives the slot to the head of the line
                return
            del self._waiters[waiter]
            if not waiter.done():  # else it was cancelled, and has not woken yet
                waiter.set_result(connection)
                return
        self._keep(connection)

    def _give_up(self, waiter: asyncio.Future[Connection | _Attempt]) -> None:
        if not waiter.done():
            self._waiters.pop(waiter, None)
            waiter.set_exception(failure(httpx.PoolTimeout, "no connection came free in time"))

    def _grant(self) -> None:
        """Give free slots to the head of the line."""
        while self._waiters and self._slot_free():
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_result(self._attempt())

    def _evict(self) -> bool:
        """Close the connection that has been idle longest; tell whether there was one."""
        stacks = [stack for stack in self._idle.values() if stack]
        if not stacks:
            return False
        oldest = min(stacks, key=lambda stack: stack[0].idle_since).pop(0)
        self._idle_count -= 1
        if not oldest.gone:
            oldest.close()
        return True

    def _sweep(self, expiry: float) -> None:
        """Close what has been idle too long, and come back when the next one will be."""
        self._sweep_timer = None
        limit = self.loop.time() - expiry + 0.001
        for origin, stack in list(self._idle.items()):
            while stack and (stack[0].gone or stack[0].idle_since <= limit):
                self._idle_count -= 1
                stack.pop(0).close()
            if not stack:
                del self._idle[origin]
        oldest = min((stack[0].idle_since for stack in self._idle.values()), default=None)
        if oldest is not None:
            self._sweep_timer = self.loop.call_at(oldest + expiry, self._sweep, expiry)

    # -- opening --------------------------------------------------------------------------------------------------

    async def _open(self, origin: Origin, attempt: _Attempt, seconds: float | None, trace: Trace | None) -> Connection:
        try:
            await self._see_the_loop_off()
            async with asyncio.timeout(seconds) as attempt.scope:
                return await self._connect(origin, attempt, trace)
        except OSError as error:  # TimeoutError, ssl.SSLError and socket.gaierror are among them
            if self.closed:
                raise ClosedError("the transport was closed while a connection was opened") from None
            if isinstance(error, TimeoutError):
                raise failure(httpx.ConnectTimeout, f"no connection to {origin.host}:{origin.port} in time") from error
            raise failure(httpx.ConnectError, f"cannot connect to {origin.host}:{origin.port}: {error}") from error
        finally:
            if attempt in self._attempts:  # it came to nothing, no socket is left
                self._attempts.discard(attempt)
                self._grant()

    async def _connect(self, origin: Origin, attempt: _Attempt, trace: Trace | None) -> Connection:
        context = await self._tls_context() if origin.scheme == "https" else None
        sock = await self._open_socket(origin, trace)
        connection = Connection(origin, sock, self, self._view, self.loop)
        layer = None
        if context is not None:
            layer = TlsLayer(connection, context, self._view, session=self._sessions.get(origin))
            connection.tls = layer
        self._attempts.discard(attempt)
        self._connections.add(connection)
        try:
            await self.loop.create_connection(lambda: layer or connection, sock=sock)
            if layer is not None:
                async with traced(trace, "connection.start_tls", {"server_hostname": origin.host}):
                    await layer.handshake()
            if self.closed:
                raise TimeoutError
        except BaseException:
            connection.abort()
            self.loop.call_soon(connection.bury)
            raise
        return connection

    async def _open_socket(self, origin: Origin, trace: Trace | None) -> socket.socket:
        sock: socket.socket | None = None
        try:
            async with traced(trace, "connection.connect_tcp", {"host": origin.host, "port": origin.port}):
                sock = await connector.open_socket(origin, self.loop)
        except BaseException:
            if sock is not None:  # the callback of the trace raised, or was cancelled
                sock.close()
            raise
        return sock

    async def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            async with self._context_lock:
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
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        if not connection.busy:
            stack = self._idle.get(connection.origin)
            if stack is not None and connection in stack:
                stack.remove(connection)
                self._idle_count -= 1
        self._grant()
        if self._emptied is not None and not self._connections and not self._emptied.done():
            self._emptied.set_result(None)

    def shut(self) -> None:
        """Refuse new callers, send away those who wait, and close every connection, busy or not."""
        self.closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        while self._waiters:
            waiter, _ = self._waiters.popitem()
            if not waiter.done():
                waiter.set_exception(ClosedError("the transport was closed while this call waited for a connection"))
        for attempt in self._attempts:
            attempt.stop(self.loop)
        for connection in list(self._connections):
            if connection.busy:
                connection.fail(ClosedError, "the transport was closed during this call")
            else:
                connection.close()
        self._idle.clear()

    async def aclose(self) -> None:
        """Shut, and wait until the sockets are closed."""
        self.shut()
        if self._connections:
            if self._emptied is None:
                self._emptied = self.loop.create_future()
            await asyncio.shield(self._emptied)
        if self._farewell is not None:
            farewell, self._farewell = self._farewell, None
            await farewell.aclose()  # type: ignore[attr-defined]

    def forget_farewell(self) -> None:
        """Note that the generator that closes this pool is running already."""
        self._farewell = None

    async def _see_the_loop_off(self) -> None:
        if self._farewell is None:
            self._farewell = _close_with_loop(self)
            await anext(self._farewell)

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
        self._waiters.clear()
        self._idle.clear()
        for connection in self._connections:
            connection.gone = True
            connection.sock.close()  # our copy of it; no goodbye, which would reach the parent's peer
        _graveyard.extend(self._connections)
        self._connections.clear()


class _Attempt:
    """A slot whose connection is being opened."""

    __slots__ = ("scope",)

    def __init__(self) -> None:
        self.scope: asyncio.Timeout | None = None

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make it time out at once."""
        if self.scope is not None:
            with contextlib.suppress(RuntimeError):  # it has just ended
                self.scope.reschedule(loop.time())


async def _close_with_loop(pool: Pool) -> AsyncIterator[None]:
    """Close a pool when its loop shuts down: `asyncio.run` ends every asynchronous generator begun in its loop."""
    try:
        yield
    finally:
        if not pool.closed:
            pool.forget_farewell()
            await pool.aclose()
