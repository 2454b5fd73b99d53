"""A transport that shows each exchange to somebody, and lets through only what changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import httpx

from picsellia_async._http.transport import FastTransport
from picsellia_async.errors import ConfigurationError

SIGN_INS: Final = frozenset({"/api/auth/login", "/api/login"})
JWT_DOTS: Final = 2
READING: Final = frozenset({"GET", "HEAD", "XGET"})


@attrs.frozen(repr=False)
class Exchange:
    """A request and its whole answer; without a repr, since both hold the account's data."""

    method: str
    path: str
    query: list[tuple[str, str]]
    is_jwt: bool
    """Whether it was signed by a JWT, and not by the api token."""
    status: int
    content_type: str
    """Without parameters."""
    content: bytes
    """Unpacked."""


class RecordingTransport(httpx.AsyncBaseTransport):
    """The fast transport, beside which each answer is shown. Nothing but reading and sign-in leaves it."""

    def __init__(self, show: Callable[[Exchange], object]) -> None:
        """Store whom to show; nothing is opened."""
        self._transport = FastTransport()
        self._show = show

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, show its answer, and return it as it came.

        Raises:
            ConfigurationError: It may change something. Nothing was sent.
        """
        if request.method not in READING and request.url.path not in SIGN_INS:
            raise ConfigurationError(f"recording only reads, and this is {request.method} {request.url.path}")
        answer = await self._transport.handle_async_request(request)
        try:
            content = b"".join([part async for part in answer.aiter_raw()])
        finally:
            await answer.aclose()
        unpacked = httpx.Response(answer.status_code, headers=answer.headers, content=content)
        self._show(
            Exchange(
                method=request.method,
                path=request.url.path,
                query=request.url.params.multi_items(),
                is_jwt=request.headers.get("authorization", "").count(".") == JWT_DOTS,
                status=answer.status_code,
                content_type=answer.headers.get("content-type", "").partition(";")[0].strip().lower(),
                content=unpacked.content,
            )
        )
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(content), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()
