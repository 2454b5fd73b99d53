"""Bodies for the monitoring host, in the order in which the wire carries their fields (docs/wire.md#monitor-request).

Optional fields default to `UNSET`, which is left out. Rules that tie fields together are validators here, so that they hold in the
client and in the emulator alike.
"""

# ruff: noqa: RUF009 - `required`, `optional` and `nullable` return attrs fields, not values

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

import attrs

from picsellia_async._wire.bodies import Body, splice
from picsellia_async._wire.common_requests import CloudImage
from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.encoding import encode_body
from picsellia_async._wire.fields import any_text, optional, required
from picsellia_async._wire.unset import UNSET, Unset
from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import ConfigurationError
from picsellia_async.monitor_options import MonitorOptions
from picsellia_async.predictions import PredictionFormat
from picsellia_async.validation import (
    boolean,
    dump_json,
    epoch_seconds,
    json_object,
    real_number,
    text,
    texts,
    whole_number,
)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MonitorRequest:
    """One prediction for the monitoring host (docs/wire.md#monitor-request). Empty values are sent, only what was not given is left out."""

    filename: str = required(text, "filename")
    """Name of the image on the platform."""
    content_type: SupportedContentType
    """Upper-case on the wire."""
    height: int = required(whole_number, "height", 1)
    """Pixels."""
    width: int = required(whole_number, "width", 1)
    """Pixels."""
    raw_predictions: JsonObject = required(json_object, "raw_predictions")
    """Prediction in its wire form."""
    latency: float = required(real_number, "latency", 0.0)
    """Inference time of the model, in seconds."""
    source: str | Unset = optional(any_text, "source")
    """Name of the data source."""
    tags: list[str] | Unset = optional(texts, "tags")
    """Names of data tags."""
    metadata: JsonObject | Unset = optional(json_object, "metadata")
    """Known keys: docs/wire.md#data-shape."""
    custom_metadata: JsonObject | Unset = optional(json_object, "custom_metadata")
    """Keys of your own, with any JSON values."""
    timestamp: float | Unset = optional(epoch_seconds, "timestamp")
    """Epoch seconds; the service uses its own clock otherwise."""
    upload_dir: str | Unset = optional(any_text, "upload_dir")
    """Prefix of the object name; private storage only."""
    shadow_latency: float | Unset = optional(real_number, "shadow_latency", 0.0)
    """Inference time of the shadow model, in seconds."""
    shadow_raw_predictions: JsonObject | Unset = optional(json_object, "shadow_raw_predictions")
    """Prediction of the shadow model in its wire form."""
    sample: bool | Unset = optional(boolean, "sample")
    """True: always keep the image; False: never, only count it; left out: the deployment's sample rate decides."""
    custom_metrics: JsonObject | Unset = optional(json_object, "custom_metrics")
    """Kept on the predicted asset."""
    image: str | Unset = UNSET
    """Base64 of the image. The client splices it into the bytes (`monitor_body`)."""
    cloud_image: CloudImage | Unset = UNSET
    """Takes the place of `image`."""

    def __attrs_post_init__(self) -> None:
        """Refuse half of a shadow prediction: the service would drop a latency without prediction in silence."""
        if (self.shadow_raw_predictions is UNSET) != (self.shadow_latency is UNSET):
            raise ConfigurationError("shadow_prediction and shadow_latency must be given together")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MonitorShadowRequest:
    """A prediction of the shadow model, added to a stored one (docs/wire.md#monitoring-endpoints)."""

    shadow_raw_predictions: JsonObject = required(json_object, "shadow_prediction")
    """Prediction in its wire form."""
    shadow_latency: float = required(real_number, "shadow_latency", 0.0)
    """Inference time of the shadow model, in seconds."""


def raw_predictions(prediction: PredictionFormat) -> dict[str, Any]:
    """Return a prediction as the wire carries it: classes, texts (null when not given), then the fields of the format."""
    names = _wire_fields(type(prediction))  # type: ignore[arg-type]  # classes are hashable
    return {name: getattr(prediction, name) for name in names}


@functools.cache
def _wire_fields(kind: type[PredictionFormat]) -> tuple[str, ...]:
    """Return the fields of a format as the wire carries them: once per format, since every frame has one."""
    return ("detection_classes", "detection_texts", *kind.shape_fields)


_OPTIONAL_FIELDS: Final = tuple(
    field.name
    for field in attrs.fields(MonitorRequest)
    if field.default is UNSET and field.name not in {"image", "cloud_image"}
)
_read_optional: Final[Callable[[MonitorOptions], tuple[Any, ...]]] = attrgetter(
    *("shadow_prediction" if name == "shadow_raw_predictions" else name for name in _OPTIONAL_FIELDS)
)


def monitor_metadata(options: MonitorOptions, custom_metadata: JsonObject | None = None) -> bytes:
    """Return the JSON of a `MonitorRequest` without its image. The options were checked when they were made; nothing is checked again.

    Args:
        options: What is sent.
        custom_metadata: Sent in place of that of the options; None: that of the options.

    Raises:
        ConfigurationError: Metadata that has no JSON form.
    """
    fields = {
        "filename": options.filename,
        "content_type": options.content_type,
        "height": options.height,
        "width": options.width,
        "raw_predictions": raw_predictions(options.prediction),
        "latency": options.latency,
    }
    if custom_metadata is not None or options.has_optional:
        fields |= _optional_fields(options, custom_metadata)
    elif options.timestamp is not None:
        fields["timestamp"] = options.timestamp
    return dump_json(fields)


def _optional_fields(options: MonitorOptions, custom_metadata: JsonObject | None) -> dict[str, Any]:
    """Return what was given of the fields that may be left out, in the order of the wire."""
    fields = dict(zip(_OPTIONAL_FIELDS, _read_optional(options), strict=True))
    if custom_metadata is not None:
        fields["custom_metadata"] = custom_metadata
    if options.shadow_prediction is not None:
        fields["shadow_raw_predictions"] = raw_predictions(options.shadow_prediction)
    return {name: value for name, value in fields.items() if value is not None}


def monitor_body(metadata: bytes, image: memoryview | CloudImage) -> Body:
    """Return the body: what `monitor_metadata` made, and the image last, its base64 as bytes.

    Args:
        metadata: Everything but the image.
        image: The raw image, or where it lies.
    """
    if isinstance(image, CloudImage):
        return b'%b,"cloud_image":%b}' % (metadata[:-1], encode_body(image))
    return splice(metadata, b"image", image)
