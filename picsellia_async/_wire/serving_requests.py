"""Bodies for the serving host, in the order in which the wire carries their fields (docs/wire.md#predict-request)."""

# ruff: noqa: RUF009 - `required`, `optional` and `nullable` return attrs fields, not values

from __future__ import annotations

import json
from uuid import UUID

import attrs
import orjson

from picsellia_async._wire.common_requests import CloudImage
from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.fields import any_text, optional, required
from picsellia_async._wire.unset import UNSET, Unset
from picsellia_async.validation import boolean, dump_json, finite_object


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PredictRequest:
    """One image for the serving host (docs/wire.md#predict-request). Empty values are left out here, as opposed to monitoring."""

    tags: list[str] = attrs.field(factory=list)
    """Names of data tags."""
    monitor: bool = required(boolean, "monitor")
    """Whether the result also goes to monitoring and the platform."""
    postprocess: bool = required(boolean, "postprocess")
    """Undocumented by the vendor; passed on."""
    source: str | Unset = UNSET
    """Name of the data source."""
    upload_dir: str | Unset = optional(any_text, "upload_dir")
    """Prefix of the object name; private storage only."""
    metadata: JsonObject | Unset = optional(finite_object, "metadata")
    """Known keys: docs/wire.md#data-shape."""
    custom_metadata: JsonObject | Unset = optional(finite_object, "custom_metadata")
    """Keys of your own, with any JSON values."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PredictCloudImageRequest:
    """One stored image for the serving host (docs/wire.md#predict-json). Tags always travel."""

    tags: list[str]
    """Names of data tags; may be empty."""
    monitor: bool = required(boolean, "monitor")
    """Whether the result also goes to monitoring and the platform."""
    postprocess: bool = required(boolean, "postprocess")
    """Undocumented by the vendor; passed on."""
    source: str | Unset = UNSET
    """Name of the data source."""
    metadata: JsonObject | Unset = optional(finite_object, "metadata")
    """Known keys: docs/wire.md#data-shape."""
    custom_metadata: JsonObject | Unset = optional(finite_object, "custom_metadata")
    """Keys of your own, with any JSON values."""
    cloud_image: CloudImage
    """Where the image lies."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PredictShadowRequest:
    """A stored image for the shadow model (docs/wire.md#serving-endpoints)."""

    prediction_id: UUID
    """Identifier at the monitoring host."""
    monitor: bool = required(boolean, "monitor")
    """Whether the result also goes to monitoring and the platform."""
    cloud_image: CloudImage
    """Where the image lies."""


def predict_form(request: PredictRequest) -> list[tuple[str, str]]:
    """Return the text parts of the multipart form, in order (docs/wire.md#predict-form); dicts as ASCII JSON with spaces, as the vendor's."""
    parts = [("tags", tag) for tag in request.tags]
    parts += [("monitor", str(request.monitor)), ("postprocess", str(request.postprocess))]
    for name in ("source", "upload_dir"):
        if value := getattr(request, name):
            parts.append((name, value))
    for name in ("metadata", "custom_metadata"):
        if value := getattr(request, name):
            # By way of our own JSON, so that dates, ids, numpy numbers and NaN travel here as they do in a JSON body.
            parts.append((name, json.dumps(orjson.loads(dump_json(value, name)))))
    return parts
