"""The listening socket and uvicorn on it, inside the running event loop. Nothing here knows what is served."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Final, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from picsellia_async.emulator.transport.fault_register import Faults
from picsellia_async.emulator.transport.faulty_protocol import faulty_protocol

_BACKLOG: Final = 2048
_GRACE: Final = 1.0
"""Seconds that requests under way get when the emulator stops."""

_TICK: Final = 0.005
"""Seconds between two looks at the connections that are still open then."""


def bracketed(host: str) -> str:
    """Return a host as URLs have it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def listen(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket.

    Raises:
        OSError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named, which `socket.create_server` does not do;
    # with it on, every answer would wait for a delayed acknowledgement, 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _quiet_at_the_end(application: Any) -> Any:
    """Return an application whose requests `Server.stop` can cancel: uvicorn would show each with a traceback, as an error of ours."""

    async def quiet(scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await application(scope, receive, send)

    return quiet


class Server(uvicorn.Server):
    """uvicorn inside the running event loop: it touches no signal handlers, and what fails is raised."""

    @classmethod
    async def start_on(
        cls, listener: socket.socket, application: Any, faults: Faults, keep_alive: float, tls: tuple[str, str] | None
    ) -> Self:
        """Serve an application on a bound socket.

        Args:
            listener: The socket.
            application: ASGI application.
            faults: What goes wrong on the connections.
            keep_alive: Seconds after which an idle connection is closed.
            tls: Files of certificate and key; None serves plain HTTP.
        """
        certfile, keyfile = tls or (None, None)
        config = uvicorn.Config(
            _quiet_at_the_end(application), http=faulty_protocol(faults), ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, timeout_keep_alive=keep_alive,  # type: ignore[arg-type] # fractions work as well
            ssl_certfile=certfile, ssl_keyfile=keyfile, backlog=_BACKLOG,
        )  # fmt: skip
        config.load()
        server = cls(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        server._ticking = asyncio.create_task(server.main_loop(), name="picsellia-emulator")
        return server

    _ticking: asyncio.Task[None]

    async def stop(self) -> None:
        """Close the connections: idle ones at once, busy ones when they are done or a second is over."""
        # The ticking ends first: it would go on to renew the Date header and look at limits of connections that are gone.
        # uvicorn's own `shutdown` sleeps a tenth of a second even when nothing is open, which every test would pay.
        self._ticking.cancel()
        await asyncio.wait([self._ticking])
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        waited = 0.0
        while self._is_busy and waited < _GRACE:
            await asyncio.sleep(_TICK)
            waited += _TICK
        # What is still open had its second: an answer that never ends, or a client that never reads.
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        if tasks := list(self.server_state.tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def close_idle_connections(self) -> int:
        """Close the connections without a request under way, without a word to the client; return how many."""
        connections = (c for c in self.server_state.connections if isinstance(c, HttpToolsProtocol))
        # Listed before the first is closed: `shutdown` takes a connection out of the set that is walked.
        idle = [c for c in connections if c.cycle is None or c.cycle.response_complete]
        for connection in idle:
            connection.shutdown()
        return len(idle)

    @property
    def _is_busy(self) -> bool:
        return bool(self.server_state.connections or self.server_state.tasks)
