"""Being watched: httpx's `trace` extension, and how those who instrument httpx (OpenTelemetry, say) see our calls."""

from __future__ import annotations

import contextlib
import importlib
import socket
import ssl
import types
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

import httpx

Respond = Callable[..., Awaitable[tuple[int, list[tuple[bytes, bytes]], httpx.AsyncByteStream, dict[str, Any]]]]
"""`FastTransport.respond`."""


def is_wrapped(function: Any) -> bool:
    """Tell whether somebody has put something around a function of httpx's."""
    return type(function) is not types.FunctionType or hasattr(function, "__wrapped__")


_PLAIN: Final = (httpx.AsyncHTTPTransport.handle_async_request, httpx.AsyncClient.send)
"""The functions of httpx's around which watchers put something, as they were when this was imported."""
_WAS_PLAIN: Final = not any(map(is_wrapped, _PLAIN))


def httpx_is_traced() -> bool:
    """Tell whether httpx's own transport was instrumented for the whole process, as OpenTelemetry does. Asked before every request."""
    transport = httpx.AsyncHTTPTransport.handle_async_request
    return not (_WAS_PLAIN and transport is _PLAIN[0]) and is_wrapped(transport)


def httpx_is_watched() -> bool:
    """Tell whether httpx's transport or its client was instrumented for the whole process. Asked before every call."""
    transport, client = httpx.AsyncHTTPTransport.handle_async_request, httpx.AsyncClient.send
    if _WAS_PLAIN and transport is _PLAIN[0] and client is _PLAIN[1]:
        return False  # two comparisons, where looking at both would be four calls
    return is_wrapped(transport) or is_wrapped(client)


class TracedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport with our engine in place of httpcore's pool.

    OpenTelemetry wraps `httpx.AsyncHTTPTransport.handle_async_request` on the class. This class inherits it, wrapped or
    not; tests/transport/test_observability.py notices if httpx ever changes what lies below it.
    """

    def __init__(self, respond: Respond) -> None:
        self._pool = _Engine(respond)  # type: ignore[assignment]


class _Engine:
    """What httpx's transport calls a pool."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request of httpcore's."""
        url = request.url
        status, headers, stream, extensions = await self._respond(
            request.method,
            (url.scheme, url.host, url.port),
            url.target,
            request.headers,
            request.stream,
            request.extensions,
        )
        httpcore = importlib.import_module("httpcore")  # only where somebody watches: 30 ms that others need not pay
        return httpcore.Response(status, headers=headers, content=stream, extensions=extensions)


Trace = Callable[[str, dict[str, Any]], Any]
"""Called with an event's name and its facts; returns an awaitable."""


def traced_request(
    method: bytes,
    place: tuple[bytes, bytes, int | None],
    target: bytes,
    headers: list[tuple[bytes, bytes]],
    extensions: dict[str, Any],
) -> Any:
    """Return the request of httpcore's that the events about a request carry."""
    httpcore = importlib.import_module("httpcore")  # see `_Engine`
    scheme, host, port = place
    url = httpcore.URL(scheme=scheme, host=host, port=port, target=target)
    return httpcore.Request(method, url, headers=headers, extensions=extensions)


class NetworkStream:
    """httpcore's stream of a connection, as far as it makes sense while a parser reads it: facts."""

    def __init__(self, sock: socket.socket, ssl_object: ssl.SSLObject | None = None) -> None:
        self._sock = sock
        self._ssl_object = ssl_object

    def get_extra_info(self, info: str) -> Any:
        """Return `ssl_object`, `socket`, `client_addr` or `server_addr`; None for anything else."""
        if info == "ssl_object":
            return self._ssl_object
        if info == "socket":
            return self._sock
        with contextlib.suppress(OSError):
            if info == "client_addr":
                return self._sock.getsockname()
            if info == "server_addr":
                return self._sock.getpeername()
        return None


class traced:  # noqa: N801 - used like a function
    """Report the start and the end of a step to httpx's `trace` callback, under httpcore's event names."""

    def __init__(self, trace: Trace | None, name: str, info: dict[str, Any]) -> None:
        self._trace = trace
        self._name = name
        self._info = info
        self.return_value: Any = None

    async def __aenter__(self) -> Self:
        """Report the start."""
        if self._trace is not None:
            await self._trace(f"{self._name}.started", self._info)
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        """Report the end."""
        if self._trace is None:
            return
        if error is None:
            await self._trace(f"{self._name}.complete", {"return_value": self.return_value})
        elif isinstance(error, Exception):
            await self._trace(f"{self._name}.failed", {"exception": error})
