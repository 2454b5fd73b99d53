"""One HTTP exchange through an `httpx.AsyncClient`: the caller's own, or ours over any httpx transport.

Used for everything but the hot calls: it follows redirects and decodes compressed answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import attrs
import httpx

from picsellia_async._wire.body import ChunkedBody
from picsellia_async._wire.exchange import Answer, Origin
from picsellia_async.config import Timeouts

REDIRECTS_MAX: Final = 5
"""Redirects followed in one call."""


class _ChunkedStream(httpx.AsyncByteStream):
    """A body in slices that can be sent again after a 401, which an async generator cannot (STYLE D9)."""

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
        """
        request = self._build(origin, method, target, headers, body, timeouts)
        for _ in range(REDIRECTS_MAX):
            response = await self.client.send(request, auth=None, follow_redirects=False)
            following = response.next_request
            if following is None or not _may_follow(request, following):
                break
            request = following
        return Answer(response.status_code, [(k.lower(), v) for k, v in response.headers.raw], response.content)

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
        return self.client.build_request(
            method.decode("ascii"),
            f"{origin}{target.decode('ascii')}",
            headers=pairs,
            content=_ChunkedStream(body) if isinstance(body, ChunkedBody) else body,
            timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, write=timeouts.write, pool=timeouts.pool),
        )


def _may_follow(request: httpx.Request, following: httpx.Request) -> bool:
    if request.method == "GET":
        return True
    return request.url.host == following.url.host and request.url.port == following.url.port
