"""Responses on their way in: whole answers, bodies that are still coming, and what is known of their connection."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx

from picsellia_async._http.connection import Connection
from picsellia_async._http.parser import ERROR_BYTES_MAX
from picsellia_async._http.pool import Pool
from picsellia_async._http.trace import Trace, traced
from picsellia_async._wire.exchange import Answer
from picsellia_async.errors import DecodeError

PACKED_BYTES: Final = 1 << 12
"""Bytes of an error's packed body that are unpacked at once: 4 MB of it at most, the way gzip packs."""


def answer_of(connection: Connection, method: bytes, target: bytes) -> Answer:
    """Take a complete response from a connection.

    Raises:
        DecodeError: The body of a success is not packed as its Content-Encoding says.
    """
    response = connection.response
    headers = [(name.lower(), value) for name, value in response.headers]
    content = response.take()
    for name, _ in headers:
        if name == b"content-encoding":  # unasked for, yet allowed
            url = f"{connection.origin}{target.partition(b'?')[0].decode('ascii')}"
            content = unpack(response.status, headers, content, method.decode("ascii"), url)
            break
    return Answer(response.status, headers, content)


def unpack(status: int, headers: list[tuple[bytes, bytes]], content: bytes, method: str, url: str) -> bytes:
    """Undo the content coding of a body. That of an error is read as far as it can be, and as far as anybody reads it.

    Raises:
        DecodeError: The body of a success is not packed as its Content-Encoding says.
    """
    good = status < 300
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in httpx.Response(status, headers=headers, stream=_Packed(content, whole=good)).iter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > ERROR_BYTES_MAX and not good:
                break
    except httpx.DecodingError as error:
        if good:
            problem = "the body is not packed as its Content-Encoding says"
            raise DecodeError(problem, status, method, url, (str(error),)) from None
        return b"".join(pieces) or content
    return b"".join(pieces)


class _Packed(httpx.SyncByteStream):
    """A packed body, whole or in pieces that cannot grow out of all bounds."""

    def __init__(self, content: bytes, *, whole: bool) -> None:
        self._content = content
        self._step = max(len(content), 1) if whole else PACKED_BYTES

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), self._step):
            yield self._content[start : start + self._step]


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
