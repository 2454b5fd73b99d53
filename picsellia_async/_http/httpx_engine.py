"""One HTTP exchange through an `AsyncClient` of httpx's or httpx2's: the caller's own, or ours over any transport.

Used for everything but the hot calls: it follows redirects and decodes compressed answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import attrs
import httpx

from picsellia_async._http.httpx_family import AsyncHttpClient, family_of
from picsellia_async._http.messages import unpack
from picsellia_async._http.parser import ERROR_BYTES_MAX
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async._wire.exchange import Answer, Origin
from picsellia_async.config import Timeouts

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


@attrs.define(eq=False)
class HttpxEngine:
    """The exchange of `FastTransport`, made with an httpx client instead."""

    client: AsyncHttpClient
    """Sends the requests."""

    async def exchange(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: bytes,
        body: bytes | ChunkedBody | None,
        timeouts: Timeouts,
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
            redirects: Whether redirects are followed, where `_may_follow` allows it; else the answer is the redirect.

        Raises:
            httpx.RequestError: No answer arrived.
            DecodeError: The body is not packed as its Content-Encoding says.
        """
        request = self._build(origin, method, target, headers, body, timeouts)
        for _ in range(REDIRECTS_MAX):
            response = await self.client.send(request, auth=None, follow_redirects=False, stream=True)
            try:
                content = await _read(response)
            finally:
                await response.aclose()
            following = response.next_request
            if not redirects or following is None or not _may_follow(request, response.status_code, following):
                break
            request = following
        return Answer(response.status_code, [(k.lower(), v) for k, v in response.headers.raw], content)

    def _build(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: bytes,
        body: bytes | ChunkedBody | None,
        timeouts: Timeouts,
    ) -> httpx.Request:
        lines = [line.split(b": ", 1) for line in headers.split(b"\r\n") if line]
        pairs = [(name, value) for name, value in lines]
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


async def _read(response: httpx.Response) -> bytes:
    """Read the body: of a success all of it, else as much as anybody wants to see.

    Raises:
        httpx.RequestError: It broke off.
        DecodeError: The body of a success is not packed as its Content-Encoding says.
    """
    if response.is_stream_consumed:  # a hook of the client has read it, or it never was on a network
        return response.content
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_raw():
        pieces.append(piece)
        size += len(piece)
        if size > ERROR_BYTES_MAX and not response.is_success:
            break
    content = b"".join(pieces)
    if "content-encoding" not in response.headers:
        return content
    request = response.request
    url = str(request.url.copy_with(query=None, userinfo=b""))
    return unpack(response.status_code, response.headers.raw, content, request.method, url)


def _may_follow(request: httpx.Request, status: int, following: httpx.Request) -> bool:
    """Tell whether a redirect may be followed: never away from scheme, host and port, except from http to https.

    Else image and token would go to whom the answer names, or in clear. A write is followed only where the redirect keeps
    its method and body (307, 308): behind a 302 to a login page, a GET would be taken for its success.
    """
    if status not in SAME_METHOD_STATUSES and request.method not in {"GET", "HEAD"}:
        return False
    old, new = request.url, following.url
    if old.host != new.host:
        return False
    return (old.scheme, old.port) == (new.scheme, new.port) or (old.scheme, new.scheme) == ("http", "https")
