"""`Frame`: one image with what a model said about it, ready to be monitored. A value; nothing here does I/O."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from picsellia_async.config import IMAGE_BYTES_MAX
from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import ConfigurationError, ContentTypeUnknown, shown
from picsellia_async.predictions import PredictionFormat, as_prediction
from picsellia_async.validation import boolean, epoch_seconds, json_object, real_number, text, texts, whole_number
from picsellia_async.validation import uuid as as_uuid

T = TypeVar("T")

EXTENSIONS: Final = {
    ".jpg": SupportedContentType.JPEG,
    ".jpeg": SupportedContentType.JPEG,
    ".png": SupportedContentType.PNG,
}
"""Content type of a file name's extension, in lower case."""

_SIGNATURES: Final = ((b"\xff\xd8\xff", SupportedContentType.JPEG), (b"\x89PNG", SupportedContentType.PNG))


def _image(value: Any) -> bytes | Path:
    """Return a path, or bytes that nobody else can change: a camera's buffer may be refilled while the frame waits."""
    if type(value) is bytes:
        image = value
    elif isinstance(value, os.PathLike):
        path = os.fspath(value)
        return Path(path if isinstance(path, str) else os.fsdecode(path))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        image = bytes(value)
    else:
        raise ConfigurationError(
            f"Frame.image must be bytes, bytearray, memoryview or Path, got {type(value).__name__}"
        )
    if not 0 < len(image) <= IMAGE_BYTES_MAX:
        raise ConfigurationError(f"Frame.image must have 1 to {IMAGE_BYTES_MAX} bytes, got {len(image)}")
    return image


def _optional(value: Any, convert: Callable[[Any, str], T], name: str) -> T | None:
    return None if value is None else convert(value, f"Frame.{name}")


def _width(value: Any) -> int:
    return whole_number(value, "Frame.width", 1)


def _height(value: Any) -> int:
    return whole_number(value, "Frame.height", 1)


def _latency(value: Any) -> float:
    return real_number(value, "Frame.latency", 0.0)


def _prediction(value: Any) -> PredictionFormat:
    return as_prediction(value, "Frame.prediction")


def _source(value: Any) -> str | None:
    return _optional(value, text, "source")


def _tags(value: Any) -> list[str] | None:
    return _optional(value, texts, "tags")


def _timestamp(value: Any) -> float | None:
    return _optional(value, epoch_seconds, "timestamp")


def _metadata(value: Any) -> dict[str, Any] | None:
    return _optional(value, json_object, "metadata")


def _custom_metadata(value: Any) -> dict[str, Any] | None:
    return _optional(value, json_object, "custom_metadata")


def _upload_dir(value: Any) -> str | None:
    return _optional(value, text, "upload_dir")


def _sample(value: Any) -> bool | None:
    return _optional(value, boolean, "sample")


def _custom_metrics(value: Any) -> dict[str, Any] | None:
    return _optional(value, json_object, "custom_metrics")


def _shadow_latency(value: Any) -> float | None:
    return None if value is None else real_number(value, "Frame.shadow_latency", 0.0)


def _shadow_prediction(value: Any) -> PredictionFormat | None:
    return _optional(value, as_prediction, "shadow_prediction")


def _id(value: Any) -> uuid.UUID:
    return as_uuid(value, "Frame.id")


def _content_type(frame: Frame) -> SupportedContentType:
    """Tell the content type: what was given, the extension of the file name, the first bytes of the image."""
    if frame.content_type is not None:
        try:
            return SupportedContentType.of(frame.content_type)
        except ConfigurationError:
            raise ContentTypeUnknown(
                f"Frame.content_type must be image/jpeg or image/png, got {shown(frame.content_type)}"
            ) from None
    found = EXTENSIONS.get("." + frame.filename.rpartition(".")[2].lower())
    if found is not None:
        return found
    if isinstance(frame.image, bytes):
        for signature, content_type in _SIGNATURES:
            if frame.image.startswith(signature):
                return content_type
    raise ContentTypeUnknown(
        f"cannot tell the content type of {frame.filename!r}: give content_type=, image/jpeg or image/png"
    )


@attrs.frozen(kw_only=True)
class Frame:
    """One prediction and its image, for the uploader. Checked when made; two frames are equal if their ids are.

    Raises:
        ConfigurationError: A value is of the wrong kind or out of range; the message names field and value.
        ContentTypeUnknown: Neither `content_type`, the file name nor the image itself says JPEG or PNG.
    """

    image: bytes | Path = attrs.field(converter=_image, eq=False, repr=False)
    """Encoded JPEG or PNG of 1 byte to 100 MiB, or the file it is in, which is read when the frame is sent (with a spool: when
    it is submitted). A bytearray or memoryview is copied, so that the buffer may be used again."""
    filename: str = attrs.field(default="", eq=False)
    """Name of the image on the platform; by default that of the file. Unique names let `deduplicate` do its work."""
    width: int = attrs.field(converter=_width, eq=False)
    """Width of the image in pixels."""
    height: int = attrs.field(converter=_height, eq=False)
    """Height of the image in pixels."""
    latency: float = attrs.field(converter=_latency, eq=False)
    """Inference time of the model in seconds."""
    prediction: PredictionFormat = attrs.field(converter=_prediction, eq=False, repr=False)
    """What the model said; of the deployment's type. The vendor's own objects are accepted."""
    content_type: SupportedContentType | str | None = attrs.field(default=None, eq=False)
    """`image/jpeg` or `image/png`. None: told by the extension of `filename`, else by the first bytes of the image."""
    source: str | None = attrs.field(default=None, eq=False, converter=_source)
    """Name of the camera or other source. The uploader is fair between sources, and can keep their order."""
    tags: list[str] | None = attrs.field(default=None, eq=False, repr=False, converter=_tags)
    """Names of data tags."""
    timestamp: float | None = attrs.field(factory=time.time, eq=False, converter=_timestamp)
    """When the prediction was made: epoch seconds or an aware datetime; by default when the frame was made, since it may be
    delivered much later. None leaves it to the service, which takes the time of arrival."""
    metadata: dict[str, Any] | None = attrs.field(default=None, eq=False, repr=False, converter=_metadata)
    """For the created data; keys known to the platform."""
    custom_metadata: dict[str, Any] | None = attrs.field(default=None, eq=False, repr=False, converter=_custom_metadata)
    """For the created data; free keys."""
    upload_dir: str | None = attrs.field(default=None, eq=False, repr=False, converter=_upload_dir)
    """Prefix of the object name; private object storage only."""
    sample: bool | None = attrs.field(default=None, eq=False, repr=False, converter=_sample)
    """True: the platform always keeps the image; False: never, it only counts; None: the deployment's sample rate decides."""
    custom_metrics: dict[str, Any] | None = attrs.field(default=None, eq=False, repr=False, converter=_custom_metrics)
    """Kept on the predicted asset."""
    shadow_latency: float | None = attrs.field(default=None, eq=False, repr=False, converter=_shadow_latency)
    """Inference time of the shadow model in seconds; goes together with `shadow_prediction`."""
    shadow_prediction: PredictionFormat | None = attrs.field(
        default=None, eq=False, repr=False, converter=_shadow_prediction
    )
    """What the shadow model said; of the deployment's type."""
    id: uuid.UUID = attrs.field(factory=uuid.uuid4, converter=_id)
    """Identity for the uploader: submitting a frame whose id is still on its way does not send it twice. Not sent."""

    def __attrs_post_init__(self) -> None:
        """Fill in the file name, and refuse what only shows when fields are seen together."""
        if not self.filename and isinstance(self.image, Path):
            object.__setattr__(self, "filename", self.image.name)
        text(self.filename, "Frame.filename")
        if (self.shadow_latency is None) != (self.shadow_prediction is None):
            raise ConfigurationError("Frame.shadow_prediction and Frame.shadow_latency must be given together")
        object.__setattr__(self, "content_type", _content_type(self))
