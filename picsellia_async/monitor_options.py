"""`MonitorOptions`: what is said about one image when it is monitored. Checked once, when it is made; nothing here does I/O."""

from __future__ import annotations

import datetime
import functools
import math
import posixpath
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypedDict

import attrs

from picsellia_async._error_text import name_repr
from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import ConfigurationError, ContentTypeUnknown, PredictionMismatchError, shown
from picsellia_async.predictions import PredictionFormat, as_prediction
from picsellia_async.validation import (
    boolean,
    copied_object,
    epoch_seconds,
    file_name,
    seconds,
    text,
    texts,
    whole_number,
)

EXTENSIONS: Final = {
    ".jpg": SupportedContentType.JPEG,
    ".jpeg": SupportedContentType.JPEG,
    ".jpe": SupportedContentType.JPEG,
    ".jfif": SupportedContentType.JPEG,
    ".png": SupportedContentType.PNG,
}
"""Content type of a file name's extension, in lower case."""
OTHER_TYPES: Final = {
    ".webp": "WebP", ".gif": "GIF", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".heic": "HEIC", ".heif": "HEIC", ".avif": "AVIF",
}  # fmt: skip
"""What images are that the service does not take, by the extension of their names."""
_MIME_TYPES: Final = {text: member for member in SupportedContentType for text in (member.value, member.value.lower())}


def content_type_of_name(filename: str) -> SupportedContentType | None:
    """Return the content type that the extension of a file name says, in any case; None where it says none."""
    if filename.endswith(".jpg") and len(filename) > len(".jpg"):
        return SupportedContentType.JPEG  # the usual case
    stem, dot, extension = filename.rpartition(".")
    return EXTENSIONS.get(dot + extension.lower()) if stem else None


def content_type_of(value: SupportedContentType | str | None, filename: str | None = None) -> SupportedContentType:
    """Return the content type that was given, else the one of the file name's extension.

    Args:
        value: A member, its name (`jpeg`), its MIME type (`image/jpeg`) in any case, or None.
        filename: Name whose extension decides where no type was given: `.jpg`, `.jpeg`, `.jpe`, `.jfif` or `.png` in any case.
            None: the type must be given.

    Raises:
        ContentTypeUnknown: Neither says JPEG or PNG; the monitoring host takes nothing else.
    """
    if type(value) is SupportedContentType:
        return value
    if type(value) is str and value in _MIME_TYPES:
        return _MIME_TYPES[value]  # the usual case
    if value is not None or filename is None:
        try:
            return SupportedContentType.of(value)  # type: ignore[arg-type]  # what is no content type is refused here
        except ConfigurationError:
            raise ContentTypeUnknown(f"content_type must be image/jpeg or image/png, got {shown(value)}") from None
    found = content_type_of_name(filename)
    if found is None:
        other = OTHER_TYPES.get(posixpath.splitext(filename)[1].lower())
        if other is not None:
            raise ContentTypeUnknown(
                f"{name_repr(filename)} is {other} by its name, and the service takes JPEG and PNG: encode it as one of these, or say "
                "its content type where the name alone is wrong"
            )
        raise ContentTypeUnknown(
            f"cannot tell the content type of {name_repr(filename)}: give content_type=, image/jpeg or image/png"
        )
    return found


def object_file_name(object_name: str) -> str:
    """Return the name that a stored image gets on the platform: the last part of its name in the storage."""
    name = text(object_name, "object_name")
    return posixpath.basename(name) or name


def timestamp_of(value: float | datetime.datetime | None) -> float | None:
    """Return the epoch seconds of a timestamp; None stays None."""
    if value is None or (type(value) is float and math.isfinite(value)):
        return value
    return epoch_seconds(value, "timestamp")


_OPTIONAL: Final[dict[str, Callable[[Any, str], Any]]] = {
    "source": functools.partial(text, empty=True),
    "tags": texts,
    "metadata": copied_object,
    "custom_metadata": copied_object,
    "upload_dir": functools.partial(text, empty=True),
    "sample": boolean,
    "custom_metrics": copied_object,
    "shadow_latency": seconds,
    "shadow_prediction": as_prediction,
}
"""What makes of a value that was given the one that is kept, or refuses it."""
_optional_of: Final[Callable[[Any], tuple[Any, ...]]] = attrgetter(*_OPTIONAL)


def _has_optional(options: MonitorOptions) -> bool:
    """Whether anything was given of `_OPTIONAL`: the frames of a camera have a timestamp at most.

    Its names are spelled out: this is asked for every frame, and a loop over them takes ten times as long.
    """
    return (
        options.source is not None
        or options.tags is not None
        or options.metadata is not None
        or options.custom_metadata is not None
        or options.upload_dir is not None
        or options.sample is not None
        or options.custom_metrics is not None
        or options.shadow_latency is not None
        or options.shadow_prediction is not None
    )


class MonitorDetails(TypedDict, total=False):
    """What may be left out of `MonitorOptions`, for a checker of the calls that take it as keyword arguments; described there."""

    source: str | None
    tags: list[str] | None
    timestamp: float | datetime.datetime | None
    metadata: dict[str, Any] | None
    custom_metadata: dict[str, Any] | None
    upload_dir: str | None
    sample: bool | None
    custom_metrics: dict[str, Any] | None
    shadow_latency: float | None
    shadow_prediction: PredictionFormat | None


@attrs.frozen(kw_only=True, eq=False)
class MonitorOptions:
    """What is said about one image: the options of `monitor`, `monitor_bytes` and the like, and of `Frame`, which adds the image.

    Numbers of numpy are taken for their values. Dicts and lists are copied: changing yours afterwards changes nothing here.

    Attributes:
        filename: Name of the image on the platform; folders in it with `/`. Refused: control characters, `..`, an end that names no
            file, more than 255 bytes between two slashes or 1,024 in all.
        width: Width of the image in pixels, at least 1; trusted, the image is not opened.
        height: Height of the image in pixels, at least 1.
        latency: Inference time of the model, 0 or more. The vendor states no unit; its dashboards read as seconds.
        prediction: What the model said; of the deployment's type. The vendor's own prediction objects are accepted.
        content_type: `image/jpeg` or `image/png`. None: told by the extension of `filename`.
        source: Name of the data source (a camera, say) of the created data; None: the service takes "serving".
        tags: Names of data tags.
        timestamp: When the prediction was made: epoch seconds, or an aware datetime. None: the service takes the time of
            arrival.
        metadata: For the created data. Keys: docs/wire.md#data-shape. Sent even when empty.
        custom_metadata: Free keys for the created data.
        upload_dir: Prefix of the object name; private object storage only.
        sample: True: the platform always keeps the image; False: never, it only counts; None: the deployment's sample rate
            decides.
        custom_metrics: Free keys, kept on the predicted asset.
        shadow_latency: Inference time of the shadow model, as `latency`; goes together with `shadow_prediction`.
        shadow_prediction: What the shadow model said; of the deployment's type.
        has_optional: Whether anything was given from `source` on, the timestamp aside. Not given, but found.

    Raises:
        ConfigurationError: A value is of the wrong kind or out of range; the message names option and value.
        PredictionMismatchError: Only one of `shadow_prediction` and `shadow_latency` was given.
        ContentTypeUnknown: Neither `content_type` nor the file name says JPEG or PNG.
    """

    filename: str
    width: int
    height: int
    latency: float
    prediction: PredictionFormat = attrs.field(repr=False)
    content_type: SupportedContentType | str | None = None
    source: str | None = attrs.field(default=None, repr=name_repr)
    tags: list[str] | None = attrs.field(default=None, repr=False)
    timestamp: float | None = attrs.field(default=None, converter=timestamp_of)
    metadata: dict[str, Any] | None = attrs.field(default=None, repr=False)
    custom_metadata: dict[str, Any] | None = attrs.field(default=None, repr=False)
    upload_dir: str | None = attrs.field(default=None, repr=False)
    sample: bool | None = attrs.field(default=None, repr=False)
    custom_metrics: dict[str, Any] | None = attrs.field(default=None, repr=False)
    shadow_latency: float | None = attrs.field(default=None, repr=False)
    shadow_prediction: PredictionFormat | None = attrs.field(default=None, repr=False)
    has_optional: bool = attrs.field(default=False, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Read or refuse what was given, and settle the content type.

        Here and not in a converter per field: this runs for every frame, and each call costs half a microsecond while a core sends
        images, since its caches are cold. What is usual is known at a glance.
        """
        file_name(self.filename, "filename")
        if type(self.width) is not int or self.width <= 0:
            object.__setattr__(self, "width", whole_number(self.width, "width", 1))
        if type(self.height) is not int or self.height <= 0:
            object.__setattr__(self, "height", whole_number(self.height, "height", 1))
        if type(self.latency) is not float or not 0.0 <= self.latency < math.inf:
            object.__setattr__(self, "latency", seconds(self.latency, "latency"))
        if not isinstance(self.prediction, PredictionFormat):
            object.__setattr__(self, "prediction", as_prediction(self.prediction, "prediction"))
        if _has_optional(self):
            object.__setattr__(self, "has_optional", True)
            self._take_optional()
        if type(self.content_type) is not SupportedContentType:
            object.__setattr__(self, "content_type", content_type_of(self.content_type, self.filename))

    def _take_optional(self) -> None:
        """Read or refuse what was given of what may be left out."""
        for name, given in zip(_OPTIONAL, _optional_of(self), strict=True):
            if given is not None:
                object.__setattr__(self, name, _OPTIONAL[name](given, name))
        # The service would drop a latency without prediction in silence.
        if (self.shadow_latency is None) != (self.shadow_prediction is None):
            raise PredictionMismatchError("shadow_prediction and shadow_latency must be given together")
