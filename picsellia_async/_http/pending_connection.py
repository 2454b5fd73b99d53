"""A connection that is being opened outlives the caller who asked for it; only the pool stops it. The opening is `connector`'s."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import httpx

from picsellia_async._http import connector
from picsellia_async._http.connection import Connection
from picsellia_async._http.failures import failure
from picsellia_async._http.instrumentation import NetworkStream, Trace, traced
from picsellia_async._http.resolver import Resolver
from picsellia_async._wire.exchange import Origin

GRACE_SECONDS: Final = 2.0
"""Time in which a connection may still be finished whose caller has left. Most handshakes need less, and a host that
hangs must not keep a slot for the whole connect timeout of a caller who is gone."""


class Waiter:
    """A caller that waits for a connection."""

    __slots__ = ("connect", "future", "opening", "origin", "timer", "trace")

    def __init__(
        self, origin: Origin, connect: float | None, trace: Trace | None, future: asyncio.Future[Connection]
    ) -> None:
        self.origin = origin
        self.connect = connect
        """Seconds that opening a connection for it may take."""
        self.trace = trace
        self.future = future
        self.opening: Opening | None = None
        """The connection that is being opened for it; None while it is in the queue."""
        self.timer: asyncio.TimerHandle | None = None
        """Ends its stay in the queue."""

    def stop_timer(self) -> None:
        """Leave the queue in time."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Opening:
    """A slot whose connection is being opened, by a task that only the pool stops."""

    __slots__ = (
        "_deadline",
        "_loop",
        "_timer",
        "_uninterrupted",
        "connect",
        "origin",
        "stopped",
        "task",
        "trace",
        "waiter",
    )

    def __init__(self, waiter: Waiter, deadline: float | None, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = waiter.origin
        self.trace = waiter.trace
        self.connect = waiter.connect
        """Seconds that it may take."""
        self.waiter: Waiter | None = waiter
        """Who gets the connection or the error; None once that caller has left."""
        self.task: asyncio.Task[Connection] | None = None
        self.stopped = False
        """The time is up, or the pool wants the slot."""
        self._loop = loop
        self._uninterrupted = False
        self._deadline = deadline
        self._timer = None if deadline is None else loop.call_at(deadline, self.stop)

    def go_on_alone(self) -> None:
        """Note that the caller has left."""
        self.waiter = None
        latest = self._loop.time() + GRACE_SECONDS
        if self.task is not None and (self._deadline is None or latest < self._deadline):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(latest, self.stop)

    def stop(self) -> None:
        """Cancel the task, now or after the step that must not be interrupted."""
        self.stopped = True
        if self.task is not None and not self._uninterrupted:
            self.task.cancel()

    @contextlib.contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Hold back `stop` until the end of the block."""
        self._uninterrupted = True
        try:
            yield
        finally:
            self._uninterrupted = False
        if self.stopped:
            raise asyncio.CancelledError

    def explain(self, error: BaseException | None) -> Exception:
        """Turn the end of an opening into httpx's words; without an error it was cancelled."""
        place = f"{self.origin.host}:{self.origin.port}"
        if self.stopped:
            return failure(httpx.ConnectTimeout, f"no connection to {place} in time")
        if not isinstance(error, Exception):  # somebody cancelled every task of the loop, or pressed Ctrl-C
            return failure(httpx.ConnectError, f"the connection to {place} was given up")
        if not isinstance(error, OSError):  # what a trace callback raised
            return error
        # TimeoutError (the kernel's), ssl.SSLError and socket.gaierror are among them.
        kind = httpx.ConnectTimeout if isinstance(error, TimeoutError) else httpx.ConnectError
        explained = failure(kind, f"cannot connect to {place}: {error}")
        explained.__cause__ = error
        return explained

    def end(self) -> None:
        """Let go of the task; its error refers to its frame, and that to us."""
        self.task = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def attach(loop: asyncio.AbstractEventLoop, protocol: asyncio.BufferedProtocol, sock: socket.socket) -> None:
    """Hand the socket to the event loop. Takes one turn of the loop, in which nothing of ours cancels it.

    From here on the loop owns the socket, even if this fails. asyncio then closes our socket object. uvloop closes
    the descriptor beneath it: closing it again would hit whatever has got the same number meanwhile.
    """
    try:
        await loop.create_connection(lambda: protocol, sock=sock)
    except BaseException:
        if not isinstance(loop, asyncio.BaseEventLoop):
            sock.detach()
            protocol.connection_lost(None)  # uvloop does not call it, even where it has called `connection_made`
        raise


async def open_socket(opening: Opening, resolver: Resolver, loop: asyncio.AbstractEventLoop) -> socket.socket:
    """Open a TCP connection, as the trace shall see it."""
    origin = opening.origin
    sock: socket.socket | None = None
    facts = {
        "host": origin.host,
        "port": origin.port,
        "local_address": None,
        "timeout": opening.connect,
        "socket_options": None,
    }
    try:
        async with traced(opening.trace, "connection.connect_tcp", facts) as step:
            sock = await connector.open_socket(origin, resolver, loop)
            step.return_value = NetworkStream(sock)
    except BaseException:
        if sock is not None:  # the callback of the trace raised, or was cancelled
            sock.close()
        raise
    return sock
