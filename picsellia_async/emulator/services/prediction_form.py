"""`PredictionForm`: the multipart form that serving predicts on (docs/wire.md#predict-form)."""

from __future__ import annotations

from typing import Any, Final

import attrs
from starlette.datastructures import FormData, UploadFile

from picsellia_async.emulator.query.parameters import json_object
from picsellia_async.emulator.refusal import unprocessable
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.transport import multipart

_TEXTS: Final = frozenset(
    {"tags", "tag", "monitor", "postprocess", "source", "upload_dir", "metadata", "custom_metadata"}
)


@attrs.frozen(kw_only=True)
class PredictionForm:
    """The form of a prediction."""

    media: bytes = attrs.field(repr=False)
    """The image."""
    filename: str
    tags: list[str]
    """Names of data tags."""
    monitor: bool
    """Whether the prediction is also monitored; true where it is left out."""
    postprocess: bool
    """Undocumented; true where it is left out. assumed: without effect."""
    source: str | None
    """Name of the data source."""
    upload_dir: str | None
    """Prefix of the object name."""
    metadata: dict[str, Any] | None
    """Keys that the platform knows, as `metadata` of `monitor`."""
    custom_metadata: dict[str, Any] | None
    """Keys of your own, with any JSON values."""


async def read_form(call: Call, *, is_loose: bool) -> PredictionForm:
    """Return the form of a prediction.

    Raises:
        Refusal: 400, 422.
    """
    async with multipart.parsed(call.content, call.content_type) as form:
        media = form.get("media")
        if not isinstance(media, UploadFile):
            raise unprocessable("the file part media is missing")
        unknown = sorted(set(form) - _TEXTS - {"media"})
        if unknown and not is_loose:
            raise unprocessable("unknown parts in the form", unknown)
        return PredictionForm(
            media=await media.read(),
            filename=media.filename or "image",
            tags=[str(tag) for name in ("tags", "tag") for tag in form.getlist(name)],
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
    if value is None:
        return True  # left out by older versions, and by the documentation of predicting without the SDK
    if value.lower() not in ("true", "false"):
        raise unprocessable(f"{name} must be True or False, got {value!r}")
    return value.lower() == "true"


def _json(form: FormData, name: str) -> dict[str, Any] | None:
    value = _text(form, name)
    if value is None:
        return None
    found = json_object(value)
    if found is None:
        raise unprocessable(f"{name} must be a JSON object, got {value!r}")
    return found
