"""Messages on a connection: requests on their way out, responses on their way in. No pool logic, no parsing."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from typing import Any, Final

import httpx

from picsellia_async._http.connection import Connection
from picsellia_async._http.failures import failure
from picsellia_async._http.instrumentation import Trace, traced
from picsellia_async._http.parser import ERROR_BYTES_MAX
from picsellia_async._http.pool import Pool
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async._wire.exchange import DEFAULT_PORTS, Answer, Origin
from picsellia_async.errors import DecodeError

JOIN_BYTES: Final = 1 << 18
"""Bodies up to this size are copied behind the head and written at once; docs/performance.md has the measurement."""

WRITE_BYTES: Final = 1 << 18
"""Larger bodies are written in slices of this size."""

_HEADER_LINES: Final = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\r\n\0]*\r\n)*")
_TARGET: Final = re.compile(rb"[^\x00-\x20\x7f]+")


@functools.lru_cache(maxsize=256)
def find_origin(scheme: bytes, host: bytes, port: int | None) -> Origin:
    """Return the origin of a URL's parts.

    Raises:
        httpx.UnsupportedProtocol: Neither http nor https.
    """
    name = scheme.decode("ascii")
    if name not in DEFAULT_PORTS:
        raise failure(httpx.UnsupportedProtocol, f"unsupported protocol {name!r}: http and https only")
    return Origin(name, host.decode("ascii"), DEFAULT_PORTS[name] if port is None else port)


def render(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, int | None, bool]:
    """Return the head of a request, its Content-Length if it has one, and whether its body is chunked.

    Raises:
        httpx.LocalProtocolError: It cannot be said in HTTP/1.1.
    """
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    single = lines.count(b"\n") == len(headers)  # else a value holds a whole line, as well-formed as the others
    if not single or not _HEADER_LINES.fullmatch(lines) or not _TARGET.fullmatch(target) or not method.isalpha():
        raise failure(httpx.LocalProtocolError, "method, target or a header holds a character that HTTP forbids")
    if method == b"CONNECT":
        raise failure(httpx.LocalProtocolError, "CONNECT is not supported")
    length: int | None = None
    chunked = False
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-length":
            if not value.isdigit() or length not in (None, int(value)):
                raise failure(httpx.LocalProtocolError, "Content-Length is not a number, or there are two of them")
            length = int(value)
        elif lower == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                raise failure(httpx.LocalProtocolError, "the one Transfer-Encoding for requests is chunked")
            chunked = True
    if chunked and length is not None:  # httpx adds a length to a header of its user's; both would be two readings
        lines = b"".join([b"%b: %b\r\n" % header for header in headers if header[0].lower() != b"content-length"])
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, lines), None if chunked else length or 0, chunked


# -- sending ------------------------------------------------------------------------------------------------------


async def send_body(connection: Connection, head: bytes, size: int, body: bytes | ChunkedBody) -> None:
    """Send a request whose body is at hand, or can be made piece by piece."""
    if size <= JOIN_BYTES:
        connection.send(b"".join((head, body) if isinstance(body, bytes) else (head, *body)))
    else:
        await connection.send_pieces(_pieces(head, body))


def _pieces(head: bytes, body: bytes | ChunkedBody) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield head
        view = memoryview(body)
        for start in range(0, len(view), WRITE_BYTES):
            yield view[start : start + WRITE_BYTES]  # type: ignore[misc]  # whatever can be written will do
    else:
        slices = iter(body)
        yield head + next(slices, b"")
        yield from slices


async def send_content(
    connection: Connection, head: bytes, content: bytes, length: int | None, *, chunked: bool
) -> None:
    """Send a request of httpx's whose body is in memory.

    Raises:
        httpx.LocalProtocolError: Content-Length says something else.
    """
    if chunked:
        await send_stream(connection, head, _once(content), None, chunked=True)
    elif length != len(content):
        raise failure(httpx.LocalProtocolError, f"Content-Length says {length}, the body has {len(content)} bytes")
    else:
        await send_body(connection, head, len(content), content)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def send_stream(
    connection: Connection, head: bytes, stream: AsyncIterable[bytes], length: int | None, *, chunked: bool
) -> None:
    """Send a request whose body comes from an asynchronous iterable, as fast as the peer takes it.

    Raises:
        httpx.LocalProtocolError: Content-Length says something else.
    """
    pieces = aiter(stream)
    connection.write(head)
    total = 0
    try:
        async for piece in pieces:
            total += len(piece)
            if length is not None and total > length:
                raise failure(httpx.LocalProtocolError, f"the body is longer than its Content-Length, {length}")
            if piece:
                await _send_piece(connection, piece, chunked=chunked)
            if connection.answered:
                connection.give_up()
                return
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()  # now, not when the garbage collector comes by
    if length is not None and total < length:
        raise failure(httpx.LocalProtocolError, f"the body has {total} bytes, its Content-Length is {length}")
    if chunked:
        connection.write(b"0\r\n\r\n")
    connection.end()


async def _send_piece(connection: Connection, piece: bytes, *, chunked: bool) -> None:
    view = memoryview(piece)
    for start in range(0, len(view), WRITE_BYTES):
        part = view[start : start + WRITE_BYTES]
        connection.write(b"".join((b"%x\r\n" % len(part), part, b"\r\n")) if chunked else bytes(part))
        await connection.drain()


# -- receiving ----------------------------------------------------------------------------------------------------

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
