"""Responses on their way in: whole answers, bodies that are still coming, and what is known of their connection."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from picsellia_async._http.connection import Connection
from picsellia_async._http.pool import Pool
from picsellia_async._http.trace import Trace, traced
from picsellia_async._wire.exchange import Answer


def answer_of(connection: Connection) -> Answer:
    """Take a complete response from a connection."""
    response = connection.response
    headers = [(name.lower(), value) for name, value in response.headers]
    content = response.take()
    for name, _ in headers:
        if name == b"content-encoding":  # unasked for, yet allowed
            content = httpx.Response(response.status, headers=headers, content=content).content
            break
    return Answer(response.status, headers, content)


class ResponseStream(httpx.AsyncByteStream):
    """A body that is still on its way. Closing it early drops the connection."""

    def __init__(self, connection: Connection, pool: Pool, trace: Trace | None) -> None:
        self._connection: Connection | None = connection
        self._pool = pool
        self._trace = trace

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            httpx.TransportError: It broke off.
        """
        try:
            async with traced(self._trace, "http11.receive_response_body", {}):
                while self._connection is not None and (piece := await self._connection.receive_piece()):
                    yield piece
        finally:
            self._release()

    async def aclose(self) -> None:
        """Give the connection back, or drop it if a part of the body was not read."""
        try:
            async with traced(self._trace, "http11.response_closed", {}):
                self._release()
        finally:
            self._release()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection)

    def __del__(self) -> None:
        """Give the slot back where a response was dropped without being closed."""
        if self._connection is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._pool.loop.call_soon_threadsafe(self._pool.release, self._connection)


class NetworkStream:
    """httpx's `network_stream` extension, as far as it makes sense while a parser reads the connection: facts."""

    def __init__(self, connection: Connection) -> None:
        self._sock = connection.sock
        self._ssl_object = None if connection.tls is None else connection.tls.ssl_object

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


def respond_with(
    connection: Connection, pool: Pool, trace: Trace | None
) -> tuple[httpx.AsyncByteStream, dict[str, Any]]:
    """Return body and extensions of a response: its body at once if all of it came with the head, else a stream."""
    extensions = {
        "http_version": connection.response.http_version(),
        "reason_phrase": connection.response.reason,
        "network_stream": NetworkStream(connection),
    }
    if connection.response.complete:
        stream: httpx.AsyncByteStream = httpx.ByteStream(connection.response.take())
    else:
        stream = ResponseStream(connection, pool, trace)
    return stream, extensions
