"""Messages on a connection: requests on their way out, responses on their way in. No pool logic, no parsing."""

from __future__ import annotations

import contextlib
import functools
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Iterator
from typing import Any, Final

import anyio.to_thread
import httpx

from picsellia_async._http.connection import Connection
from picsellia_async._http.failures import failure
from picsellia_async._http.instrumentation import NetworkStream, Trace, traced
from picsellia_async._http.pool import Pool
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async._wire.exchange import DEFAULT_PORTS, ERROR_BYTES_MAX, REASON, Answer, Origin
from picsellia_async._wire.redaction import shown_reason
from picsellia_async._wire.secret import SecretBytes
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


def render(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, int | None, bool, bool]:
    """Return the head of a request, its Content-Length if there is one, whether the body is chunked, and whether no other request follows.

    Raises:
        httpx.LocalProtocolError: It cannot be said in HTTP/1.1.
    """
    lines: bytes = SecretBytes(b"".join([b"%b: %b\r\n" % header for header in headers]))
    single = lines.count(b"\n") == len(headers)  # else a value holds a whole line, as well-formed as the others
    if not single or not _HEADER_LINES.fullmatch(lines) or not _TARGET.fullmatch(target) or not method.isalpha():
        raise failure(httpx.LocalProtocolError, "method, target or a header holds a character that HTTP forbids")
    if method == b"CONNECT":
        raise failure(httpx.LocalProtocolError, "CONNECT is not supported")
    length: int | None = None
    chunked = last = False
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
        elif lower == b"connection":
            last = last or b"close" in [word.strip() for word in value.lower().split(b",")]
    if chunked and length is not None:  # httpx adds a length to a header of its user's; both would be two readings
        kept = [header for header in headers if header[0].lower() != b"content-length"]
        lines = SecretBytes(b"".join([b"%b: %b\r\n" % header for header in kept]))
    return (
        SecretBytes(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, lines)),
        None if chunked else length or 0,
        chunked,
        last,
    )


# -- sending ------------------------------------------------------------------------------------------------------


def joined(head: bytes, body: bytes | ChunkedBody) -> bytes:
    """Return a whole request."""
    return b"".join((head, body) if isinstance(body, bytes) else (head, *body.slices()))


def pieces(head: bytes, body: bytes | ChunkedBody) -> Iterator[bytes]:
    """Yield a whole request in pieces."""
    if isinstance(body, bytes):
        yield head
        view = memoryview(body)
        for start in range(0, len(view), WRITE_BYTES):
            yield view[start : start + WRITE_BYTES]  # type: ignore[misc]  # whatever can be written will do
    else:
        slices = iter(body.slices())
        yield b"".join((head, next(slices, b"")))
        yield from slices


def send_request(
    connection: Connection, head: bytes, body: bytes | AsyncIterable[bytes], length: int | None, *, chunked: bool
) -> Awaitable[None] | None:
    """Send a request of httpx's, whose body is in memory or comes from an asynchronous iterable.

    Returns:
        What sends it when it is awaited; None: it is sent, as most are.

    Raises:
        httpx.LocalProtocolError: Content-Length says something else.
    """
    if not isinstance(body, bytes):
        return _send_stream(connection, head, body, length, chunked=chunked)
    if chunked:
        return _send_stream(connection, head, _once(body), None, chunked=True)
    if length != len(body):
        raise failure(httpx.LocalProtocolError, f"Content-Length says {length}, the body has {len(body)} bytes")
    if length > JOIN_BYTES:
        return connection.send_pieces(pieces(head, body))
    connection.send(joined(head, body))
    return None


async def ask_traced(
    connection: Connection,
    head: bytes,
    body: bytes | AsyncIterable[bytes],
    length: int | None,
    trace: Trace,
    info: dict[str, Any],
    *,
    chunked: bool,
) -> None:
    """Send a request and wait for the head of the response, and tell httpx's trace of each step.

    Raises:
        httpx.LocalProtocolError: As `send_request`.
        httpx.TransportError: The head will not come.
    """
    async with traced(trace, "http11.send_request_headers", info):
        pass  # the head goes out together with the body
    async with traced(trace, "http11.send_request_body", info):
        if (rest := send_request(connection, head, body, length, chunked=chunked)) is not None:
            await rest
    async with traced(trace, "http11.receive_response_headers", info) as step:
        while not connection.response.head_seen:
            await connection.more()
        step.return_value = head_of(connection)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _send_stream(
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
"""Bytes of a packed body that are unpacked at once, and up to which all of it is unpacked on the event loop. The way gzip packs,
4 MB come out at most: some milliseconds."""


CODINGS: Final = frozenset({"", "gzip", "x-gzip", "deflate"})
"""Content codings that are unpacked; the empty one is none. Others pack so densely that a few bytes stand for gigabytes, or need
libraries that may be missing."""

_ANY_WRAPPER: Final = 32
"""zlib's flag that takes gzip's header and its own."""

_HEAD_BYTES: Final = 2
"""Length of zlib's own header (RFC 1950): a method, and flags that make both divisible by 31."""


def answer_of(connection: Connection, method: bytes, target: bytes, answer_max: int) -> tuple[Answer, bool]:
    """Take a complete response from a connection; tell whether its body is packed.

    Raises:
        DecodeError: The body of a success is larger than `answer_max`.
    """
    response = connection.response
    headers = []
    is_packed = False
    for given, value in response.headers:
        name = given.lower()
        headers.append((name, value))
        if name == b"content-encoding":  # unasked for, yet allowed
            is_packed = True
    content = response.take()
    if response.too_large and response.status < 300:
        raise too_large(answer_max, response.status, method.decode("ascii"), _url(connection.origin, target))
    if not content and response.status >= 300:
        headers.append((REASON, response.reason))
    return Answer(response.status, headers, content), is_packed


async def unpacked(answer: Answer, method: bytes, origin: Origin, target: bytes, answer_max: int) -> Answer:
    """Return an answer with its body unpacked; see `unpack`."""
    url = _url(origin, target)
    content = await unpack(answer.status, answer.headers, answer.content, method.decode("ascii"), url, answer_max)
    return Answer(answer.status, answer.headers, content)


def _url(origin: Origin, target: bytes) -> str:
    return f"{origin}{target.partition(b'?')[0].decode('ascii')}"


def too_large(answer_max: int, status: int, method: str, url: str) -> DecodeError:
    """Make the error for an answer beyond its limit."""
    return DecodeError(f"the answer is larger than {answer_max / 2**20:g} MiB, unpacked", status, method, url)


async def unpack(
    status: int, headers: list[tuple[bytes, bytes]], content: bytes, method: str, url: str, answer_max: int
) -> bytes:
    """Undo the content coding of a body, in a thread if it is large. Of an error's, as much as can be and as anybody reads.

    Raises:
        DecodeError: The body of a success is not packed as its Content-Encoding says, or is larger than `answer_max`. It is
            measured while it is unpacked: kilobytes may stand for gigabytes.
    """
    if len(content) <= PACKED_BYTES:
        return _unpack(status, headers, content, method, url, answer_max)
    return await anyio.to_thread.run_sync(_unpack, status, headers, content, method, url, answer_max)


def _unpack(
    status: int, headers: list[tuple[bytes, bytes]], content: bytes, method: str, url: str, answer_max: int
) -> bytes:
    good = status < 300
    pieces: list[bytes] = []
    size = 0
    try:
        unpacking = Unpacking(status, headers, method, url)
        for piece in unpacking.feed(content):
            pieces.append(piece)
            size += len(piece)
            if good and size > answer_max:
                raise too_large(answer_max, status, method, url)
            if not good and size > ERROR_BYTES_MAX:
                break
        else:
            unpacking.end()
    except DecodeError:
        if good:
            raise
        return b"".join(pieces) or content
    return b"".join(pieces)


def _coding(headers: list[tuple[bytes, bytes]]) -> str:
    """Return how a body is packed. More than one coding is none that we know: each multiplies what comes out."""
    values = [value.decode("latin-1") for name, value in headers if name.lower() == b"content-encoding"]
    codings = [coding.strip().lower() for coding in ",".join(values).split(",")]
    return ", ".join(coding for coding in codings if coding not in {"", "identity"})


class Unpacking:
    """Undoes the content coding of a body as it comes, in pieces of bounded size."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], method: str, url: str) -> None:
        """Begin.

        Raises:
            DecodeError: The coding is none of `CODINGS`.
        """
        self._place = status, method, url
        coding = _coding(headers)
        if coding not in CODINGS:
            raise self._error(f"the body is packed as {coding!r}, which was not asked for")
        self._inflater: Any = zlib.decompressobj(zlib.MAX_WBITS | _ANY_WRAPPER) if coding else None
        self._may_be_bare = coding == "deflate"
        self._head = b""

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Yield what the next bytes stand for.

        Raises:
            DecodeError: They are not packed as it was said.
        """
        if self._inflater is None:
            yield packed
            return
        for start in range(0, len(packed), PACKED_BYTES):
            if piece := self._inflate(packed[start : start + PACKED_BYTES]):
                yield piece

    def _inflate(self, packed: bytes) -> bytes:
        if len(self._head) < _HEAD_BYTES:
            self._head = packed = self._head + packed
            if len(packed) < _HEAD_BYTES:
                return b""
            # "deflate" is meant to have zlib's wrapper; some send it bare.
            if self._may_be_bare and (packed[0] & 15 != zlib.DEFLATED or int.from_bytes(packed[:2], "big") % 31):
                self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            piece: bytes = self._inflater.decompress(packed)
        except zlib.error as error:
            raise self._error("the body is not packed as its Content-Encoding says", str(error)) from None
        if self._inflater.unused_data:
            raise self._error("the body goes on beyond its packed content")
        return piece

    def end(self) -> None:
        """Check that all of it came.

        Raises:
            DecodeError: Something is missing.
        """
        if self._head and not self._inflater.eof:
            raise self._error("the packed body is cut short")

    def _error(self, problem: str, *problems: str) -> DecodeError:
        return DecodeError(problem, *self._place, problems)


class ResponseStream(httpx.AsyncByteStream):
    """A body that is still on its way. Closing it early drops the connection."""

    def __init__(self, connection: Connection, pool: Pool, trace: Trace | None, info: dict[str, Any]) -> None:
        self._connection: Connection | None = connection
        self._pool = pool
        self._trace = trace
        self._info = info

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            httpx.TransportError: It broke off.
        """
        try:
            async with traced(self._trace, "http11.receive_response_body", self._info):
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


def head_of(connection: Connection) -> tuple[bytes, int, bytes, list[tuple[bytes, bytes]]]:
    """Return version, status, reason and headers of a response, as the trace tells them."""
    response = connection.response
    return response.http_version(), response.status, response.reason, response.headers


def respond_with(
    connection: Connection, pool: Pool, trace: Trace | None, info: dict[str, Any]
) -> tuple[httpx.AsyncByteStream, dict[str, Any]]:
    """Return body and extensions of a response: its body at once if all of it came with the head, else a stream."""
    extensions = {
        "http_version": connection.response.http_version(),
        "reason_phrase": shown_reason(connection.response.reason),  # httpx logs it
        "network_stream": NetworkStream(connection.sock, None if connection.tls is None else connection.tls.ssl_object),
    }
    if connection.response.complete and trace is None:
        stream: httpx.AsyncByteStream = httpx.ByteStream(connection.response.take())
    else:
        stream = ResponseStream(connection, pool, trace, info)
    return stream, extensions
