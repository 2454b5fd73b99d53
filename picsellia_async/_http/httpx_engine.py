"""One HTTP exchange through an `httpx.AsyncClient`: the caller's own, or ours over any httpx transport.

Used for everything but the hot calls: it follows redirects and decodes compressed answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import attrs
import httpx

from picsellia_async._http.parser import ERROR_BYTES_MAX
from picsellia_async._http.response import unpack
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async._wire.exchange import Answer, Origin
from picsellia_async.config import Timeouts

REDIRECTS_MAX: Final = 5
"""Redirects followed in one call."""


class _ChunkedStream(httpx.AsyncByteStream):
    """A body in slices that can be sent again after a 401, which an async generator cannot."""

    def __init__(self, body: ChunkedBody) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._body:
            yield piece


@attrs.define(eq=False)
class ClientExchange:
    """The exchange of `FastTransport`, made with an httpx client instead."""

    client: httpx.AsyncClient
    """Sends the requests."""

    async def exchange(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: bytes,
        body: bytes | ChunkedBody | None,
        timeouts: Timeouts,
    ) -> Answer:
        """Send one request and read the whole answer. Redirects are followed where nothing can leak.

        Within the origin any redirect is followed; to another one only that of a GET, and without the credential, which
        httpx takes off.

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
            if following is None or not _may_follow(request, following):
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
        url = httpx.URL(f"{origin}{target.decode('ascii')}")
        request = self.client.build_request(
            method.decode("ascii"),
            url,
            headers=pairs,
            content=_ChunkedStream(body) if isinstance(body, ChunkedBody) else body,
            timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, write=timeouts.write, pool=timeouts.pool),
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


def _may_follow(request: httpx.Request, following: httpx.Request) -> bool:
    if request.method == "GET":
        return True
    return request.url.host == following.url.host and request.url.port == following.url.port
