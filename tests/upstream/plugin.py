"""A pytest plugin: httpx's and httpcore's own asynchronous tests run over `FastTransport`.

`nox -s upstream` fetches their source distributions, and runs their tests with this plugin. Where a client or a pool would make its
own transport, it gets ours. What is expected to fail is in `table.py`, with the reason; a test of the table that passes is an
error as well.
"""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import httpx
import pytest

from picsellia_async import FastTransport

from .table import EXPECTED

TLS_RECORD = 0x16


class Pool(httpcore.AsyncConnectionPool):
    """httpcore's pool as its tests see it, over our transport. A scripted network backend becomes a server on this machine."""

    def __init__(
        self,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int | None = 10,
        max_keepalive_connections: int | None = None,
        keepalive_expiry: float | None = None,
        network_backend: Any = None,
        **others: Any,
    ) -> None:
        if others.get("http1", True) is not True or any(value for name, value in others.items() if name != "http1"):
            raise NotImplementedError(f"not offered by our transport: {', '.join(others)}")
        self._transport = FastTransport(
            max_connections=max_connections,
            max_connections_per_host=max_connections,
            max_keepalive_connections=max_keepalive_connections,
            keepalive_expiry=keepalive_expiry,
            ssl_context=ssl_context,
        )
        self._backend = network_backend
        self._servers: dict[Any, asyncio.Server] = {}

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request; httpx's errors become httpcore's, as in httpx it is the other way round."""
        url = request.url
        place = (url.scheme, url.host, url.port)
        if self._backend is not None and url.scheme in {b"http", b"https"}:
            place = (b"http", b"127.0.0.1", await self._port(place))
        try:
            status, headers, stream, extensions = await self._transport.respond(
                request.method, place, url.target, request.headers, request.stream, request.extensions
            )
        except httpx.TransportError as error:
            raise getattr(httpcore, type(error).__name__)(str(error)) from error
        return httpcore.Response(status, headers=headers, content=_Body(stream), extensions=extensions)

    async def _port(self, place: tuple[bytes, bytes, int | None]) -> int:
        if place not in self._servers:
            self._servers[place] = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._servers[place].sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each request with the next of the scripted answers, and then say nothing."""
        pieces: list[bytes] = list(self._backend._buffer)
        starts = [number for number, piece in enumerate(pieces) if piece.startswith(b"HTTP/") or not piece]
        try:
            for start, end in itertools.pairwise([*starts, len(pieces)]):
                if not pieces[start]:
                    break
                head = await reader.readuntil(b"\r\n\r\n")
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.partition(b":")[2]))
                writer.write(b"".join(pieces[start:end]))
            if pieces and pieces[-1]:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def aclose(self) -> None:
        """Close the transport, and the servers."""
        await self._transport.aclose()
        for server in self._servers.values():
            server.close()

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Body:
    """The body of a response, its errors as httpcore's."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                yield piece
        except httpx.TransportError as error:
            raise getattr(httpcore, type(error).__name__)(str(error)) from error

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._stream.aclose()


def _init_transport(_client: httpx.AsyncClient, verify: Any = True, **options: Any) -> httpx.AsyncBaseTransport:
    transport: httpx.AsyncBaseTransport | None = options.pop("transport", None)
    if transport is not None or options.get("http2") or options.get("cert"):
        return transport or httpx.AsyncHTTPTransport(verify=verify, **options)
    limits = options["limits"]
    return FastTransport(
        max_connections=limits.max_connections,
        max_connections_per_host=limits.max_connections,
        max_keepalive_connections=limits.max_keepalive_connections,
        keepalive_expiry=limits.keepalive_expiry,
        ssl_context=verify if isinstance(verify, ssl.SSLContext) else httpx.create_ssl_context(verify=verify),
    )


def pytest_configure(config: pytest.Config) -> None:
    """Put our transport in."""
    config.addinivalue_line("markers", "trio: runs on trio, and is left out")
    config.addinivalue_line("markers", "network: needs the internet, and is left out")
    if (config.rootpath / "httpcore").is_dir():
        httpcore.AsyncConnectionPool = Pool  # type: ignore[misc]
    else:
        httpx.AsyncClient._init_transport = _init_transport  # type: ignore[assignment,method-assign]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not asynchronous on asyncio, and mark what the table names."""
    kept, left_out = [], []
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        backend = params.get("anyio_backend")
        (kept if "asyncio" in (backend, *(backend or ())[:1]) else left_out).append(item)
    for item in kept:
        for pattern, reason in EXPECTED.items():
            if fnmatch.fnmatch(item.nodeid, f"tests/{pattern}*"):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)
