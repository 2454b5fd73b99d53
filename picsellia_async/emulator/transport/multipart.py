"""Multipart forms: the one of predictions (docs/wire.md#predict-form) and the one that object storages take."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import attrs
import orjson
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from picsellia_async.emulator.context import Call, bad_request, unprocessable

_TEXTS = frozenset({"tags", "monitor", "postprocess", "source", "upload_dir", "metadata", "custom_metadata"})


@attrs.frozen(kw_only=True)
class Form:
    """The form of a prediction."""

    media: bytes = attrs.field(repr=False)
    """The image."""
    filename: str
    """Its name."""
    tags: list[str]
    """Names of data tags."""
    monitor: bool
    """Whether the prediction is also monitored."""
    postprocess: bool
    """Undocumented. assumed: without effect."""
    source: str | None
    """Name of the data source."""
    upload_dir: str | None
    """Prefix of the object name."""
    metadata: dict[str, Any] | None
    """Known keys."""
    custom_metadata: dict[str, Any] | None
    """Free keys."""


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
    except (MultiPartException, KeyError) as exc:
        raise bad_request("the multipart body cannot be read", str(exc)) from None
    try:
        yield form
    finally:
        await form.close()


async def read_form(call: Call, *, is_loose: bool) -> Form:
    """Return the form of a prediction.

    Raises:
        Refusal: 400, 422.
    """
    async with parsed(call.content, call.content_type) as form:
        media = form.get("media")
        if not isinstance(media, UploadFile):
            raise unprocessable("the file part media is missing")
        unknown = sorted(set(form) - _TEXTS - {"media"})
        if unknown and not is_loose:
            raise unprocessable("unknown parts in the form", unknown)
        return Form(
            media=await media.read(),
            filename=media.filename or "image",
            tags=[str(tag) for tag in form.getlist("tags")],
            monitor=_boolean(form, "monitor"),
            postprocess=_boolean(form, "postprocess"),
            source=_text(form, "source"),
            upload_dir=_text(form, "upload_dir"),
            metadata=_json(form, "metadata"),
            custom_metadata=_json(form, "custom_metadata"),
        )


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    return value if isinstance(value, str) and value else None


def _boolean(form: FormData, name: str) -> bool:
    value = _text(form, name)
    if value is None or value.lower() not in ("true", "false"):
        raise unprocessable(f"{name} must be True or False, got {value!r}")
    return value.lower() == "true"


def _json(form: FormData, name: str) -> dict[str, Any] | None:
    value = _text(form, name)
    if value is None:
        return None
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise unprocessable(f"{name} must be a JSON object, got {value!r}")
    return found
