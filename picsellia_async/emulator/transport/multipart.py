"""Multipart forms: the one of predictions (docs/wire.md#predict-form) and the one that object storages take."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from picsellia_async.emulator.refusal import bad_request


class _Parser(MultiPartParser):
    """Keeps files in memory: the body is there already."""

    spool_max_size = 2**31


@contextlib.asynccontextmanager
async def parsed(content: bytes, content_type: str) -> AsyncIterator[FormData]:
    """Yield the parts of a multipart/form-data body; its files are closed at the end.

    Raises:
        Refusal: 400, it is none.
    """
    if not content_type.startswith("multipart/form-data"):
        raise bad_request("a multipart/form-data body is expected")

    async def stream() -> AsyncIterator[bytes]:
        yield content

    parser = _Parser(Headers({"content-type": content_type}), stream(), max_part_size=2**20)  # type: ignore[arg-type]
    try:
        form = await parser.parse()
    except (MultiPartException, LookupError, ValueError) as exc:
        raise bad_request("the multipart body cannot be read", str(exc)) from None
    try:
        yield form
    finally:
        await form.close()
