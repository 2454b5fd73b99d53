"""Requests on their way out: rendered heads, and bodies sent in the shape they have. No pool, no answers."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from typing import Final

import httpx

from picsellia_async._http.connection import Connection
from picsellia_async._http.failures import failure
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async._wire.exchange import Origin

JOIN_BYTES: Final = 1 << 18
"""Bodies up to this size are copied behind the head and written at once; docs/performance.md has the measurement."""

SLICE_BYTES: Final = 1 << 18
"""Larger bodies are written in slices of this size."""

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""The schemes there are, with their ports."""

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
        for start in range(0, len(view), SLICE_BYTES):
            yield view[start : start + SLICE_BYTES]  # type: ignore[misc]  # whatever can be written will do
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
    for start in range(0, len(view), SLICE_BYTES):
        part = view[start : start + SLICE_BYTES]
        connection.write(b"".join((b"%x\r\n" % len(part), part, b"\r\n")) if chunked else bytes(part))
        await connection.drain()
