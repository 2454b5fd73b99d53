"""One HTTP exchange through an `AsyncClient` of httpx's or httpx2's: the caller's own, or ours over any transport.

Used for everything but the hot calls: it follows redirects and decodes compressed answers.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import attrs
import httpx

from picsellia_async._http.failures import failure
from picsellia_async._http.httpx_family import AsyncHttpClient, family_of
from picsellia_async._http.messages import Unpacking, too_large, unpack
from picsellia_async._http.retry import left_of
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async._wire.exchange import ANSWER_BYTES_MAX, ERROR_BYTES_MAX, REASON, Answer, Origin, Sink
from picsellia_async._wire.secret import SecretBytes
from picsellia_async.config import ATTEMPT_BYTES_PER_SECOND, Timeouts
from picsellia_async.errors import ConnectionConfigurationError

REDIRECTS_MAX: Final = 5
"""Redirects followed in one call."""

SAME_METHOD_STATUSES: Final = frozenset({307, 308})
"""Redirects after which the same request is sent again, method and body included."""


class _ChunkedStream:
    """A body in slices that can be sent again after a 401, which an async generator cannot."""

    def __init__(self, body: ChunkedBody) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._body:
            yield piece


@functools.cache
def _address(url: type[Any]) -> type[Any]:
    """Return httpx's class of addresses, or httpx2's, such that one shows no query.

    Both write each address to their log, and the query of a presigned one is a key.
    """

    class Address(url):  # type: ignore[misc]
        """An address that shows no query."""

        def __str__(self) -> str:
            return str(super().__str__()).partition("?")[0]

        __repr__ = __str__

        @property
        def raw_path(self) -> bytes:
            """Path and query, as they are sent."""
            return SecretBytes(super().raw_path)

    return Address


@attrs.define(eq=False)
class HttpxEngine:
    """The exchange of `FastTransport`, made with an httpx client instead."""

    client: AsyncHttpClient
    """Sends the requests."""
    is_ours: bool = False
    """Whether client and transport are ours; those of a caller (a mock, say) may look at the text of an address that is no key."""

    async def exchange(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: bytes,
        body: bytes | ChunkedBody | None,
        timeouts: Timeouts,
        answer_max: int = ANSWER_BYTES_MAX,
        sink: Sink | None = None,
        *,
        redirects: bool = True,
    ) -> Answer:
        """Send one request and read the whole answer.

        Args:
            origin: Where to.
            method: Verb in capitals.
            target: Path and query, encoded.
            headers: Rendered lines, as for `FastTransport.exchange`.
            body: What is sent.
            timeouts: Seconds for each phase.
            answer_max: Bytes of body, unpacked, that an answer may have.
            sink: Takes the body of a success; None: it becomes part of the answer.
            redirects: Whether redirects are followed, where `_may_follow` allows it; else the answer is the redirect.

        Raises:
            httpx.RequestError: No answer arrived.
            DecodeError: The body is larger than `answer_max`, or not packed as its Content-Encoding says.
        """
        request = self._build(origin, method, target, headers, body, timeouts)
        started, left = time.monotonic(), timeouts
        for _ in range(REDIRECTS_MAX):
            self._hide_query(request, target)
            response, content = await self._send(request, body, left, answer_max, sink)
            following = response.next_request
            if not redirects or following is None or not _may_follow(request, response.status_code, following):
                break
            request, left = following, left_of(timeouts, started)
        head = [(k.lower(), v) for k, v in response.headers.raw]
        if not content and response.is_error:
            head.append((REASON, response.extensions.get("reason_phrase", b"")))
        return Answer(response.status_code, head, content)

    def _hide_query(self, request: httpx.Request, target: bytes) -> None:
        if self.is_ours or isinstance(target, SecretBytes):
            request.url = _address(family_of(self.client).URL)(request.url)

    async def _send(
        self,
        request: httpx.Request,
        body: bytes | ChunkedBody | None,
        timeouts: Timeouts,
        answer_max: int,
        sink: Sink | None,
    ) -> tuple[httpx.Response, bytes]:
        """Send a request and read the answer, within the limit of an attempt.

        The limit runs from the first byte of the request, which only the trace tells: a caller who waits for a connection is not late.
        """
        limit = timeouts.attempt
        if limit is not None and body is not None:
            limit += (len(body) if isinstance(body, bytes) else body.content_length) / ATTEMPT_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(None) as clock:

                def start() -> None:
                    if limit is not None and clock.when() is None:
                        clock.reschedule(asyncio.get_running_loop().time() + limit)

                async def trace(name: str, _: object) -> None:
                    if name.endswith(".send_request_headers.started"):
                        start()

                request.extensions = {**request.extensions, "trace": trace}
                response = await self.client.send(request, auth=None, follow_redirects=False, stream=True)
                start()  # where the transport knows no trace
                try:
                    return response, await _read(response, answer_max, sink, clock)
                finally:
                    await response.aclose()
        except TimeoutError:
            if not clock.expired():
                raise
            message = "the exchange is too slow: it was not over within the limit of an attempt"
            raise failure(httpx.ReadTimeout, message, request_sent=True) from None
        except (OverflowError, ExceptionGroup) as error:
            if not _is_overflow(error):
                raise
            message = "the proxy that the HTTP client or its transport was given has no port from 0 to 65535"
            raise ConnectionConfigurationError(message) from None

    def _build(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: bytes,
        body: bytes | ChunkedBody | None,
        timeouts: Timeouts,
    ) -> httpx.Request:
        pairs: list[tuple[bytes, bytes]] = []
        for line in map(SecretBytes, headers.split(b"\r\n")):
            name, separator, value = line.partition(b": ")
            if separator:
                pairs.append((name, SecretBytes(value)))
        pairs.append((b"accept-encoding", b"gzip, deflate"))
        if isinstance(body, ChunkedBody):
            pairs.append((b"content-length", b"%d" % body.content_length))
        family: Any = family_of(self.client)  # httpx, unless the caller's client is another's
        url = family.URL(f"{origin}{target.decode('ascii')}")
        request: httpx.Request = self.client.build_request(
            method.decode("ascii"),
            url,
            headers=pairs,
            content=_ChunkedStream(body) if isinstance(body, ChunkedBody) else body,
            timeout=family.Timeout(timeouts.read, connect=timeouts.connect, write=timeouts.write, pool=timeouts.pool),
        )
        # A client's own `params` would break signed addresses, its `authorization` is for other hosts than these.
        request.url = url
        if all(name.lower() != b"authorization" for name, _ in pairs):
            request.headers.pop("authorization", None)
        return request


def _is_overflow(error: Exception) -> bool:
    """Tell whether all that was raised is of a port too large for a socket: anyio raises it within a group, for each address."""
    return (isinstance(error, OverflowError) and "port" in str(error)) or (
        isinstance(error, ExceptionGroup) and all(map(_is_overflow, error.exceptions))
    )


async def _read(response: httpx.Response, answer_max: int, sink: Sink | None, clock: asyncio.Timeout) -> bytes:
    """Read the body: of a success all of it, else as much as anybody wants to see. What comes puts the clock back.

    Raises:
        httpx.RequestError: It broke off.
        DecodeError: The body of a success is larger than `answer_max`, or not packed as its Content-Encoding says.
    """
    request = response.request
    url = str(request.url.copy_with(query=None, userinfo=b""))
    if sink is not None and response.is_success:
        await sink.begin()
        unpacking = Unpacking(response.status_code, response.headers.raw, request.method, url)
        size = 0
        async for raw in _raw_pieces(response, clock):
            for piece in unpacking.feed(raw):
                size += len(piece)
                if size > answer_max:
                    raise too_large(answer_max, response.status_code, request.method, url)
                await sink.write(piece)
        unpacking.end()
        return b""
    if response.is_stream_consumed:  # a hook of the client has read it, or it never was on a network
        return response.content
    pieces: list[bytes] = []
    size = 0
    async for piece in _raw_pieces(response, clock):
        pieces.append(piece)
        size += len(piece)
        if size > ERROR_BYTES_MAX and not response.is_success:
            break
        if size > answer_max:
            raise too_large(answer_max, response.status_code, request.method, url)
    content = b"".join(pieces)
    if "content-encoding" not in response.headers:
        return content
    return await unpack(response.status_code, response.headers.raw, content, request.method, url, answer_max)


async def _raw_pieces(response: httpx.Response, clock: asyncio.Timeout) -> AsyncIterator[bytes]:
    """Yield the body as it comes, still packed; each piece puts the clock back."""
    if response.is_stream_consumed:  # a hook of the client has read it: all that is left is what it unpacked
        response.headers.pop("content-encoding", None)
        yield response.content
        return
    async for piece in response.aiter_raw():
        yield piece
        if (end := clock.when()) is not None:
            clock.reschedule(end + len(piece) / ATTEMPT_BYTES_PER_SECOND)


def _may_follow(request: httpx.Request, status: int, following: httpx.Request) -> bool:
    """Tell whether a redirect may be followed: never away from scheme, host and port.

    Else image and token would go to whom the answer names, or in clear. (From http to https of a host the session moves all
    calls, see `HttpSession.exchange`.)
    """
    if not may_repeat(request.method.encode(), status):
        return False
    old, new = request.url, following.url
    return (old.scheme, old.host, old.port) == (new.scheme, new.host, new.port)


def may_repeat(method: bytes, status: int) -> bool:
    """Tell whether a redirect asks for the same request elsewhere: each of a read, of a write 307 and 308 alone.

    Behind a 302 to a login page, a GET would be taken for the write's success.
    """
    return status in SAME_METHOD_STATUSES or method in {b"GET", b"HEAD"}
