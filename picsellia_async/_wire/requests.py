"""Bodies and queries of the calls as attrs classes, in the order in which the wire carries their fields (docs/wire.md#monitor-request, docs/wire.md#predict-request).

Optional fields default to `UNSET`, which is left out; an explicit None travels as null. Rules that tie fields together are
validators here, so that they hold in the client and in the emulator alike.
"""

# ruff: noqa: RUF009 - `required`, `optional` and `nullable` return attrs fields, not values

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode
from uuid import UUID

import attrs
import orjson

from picsellia_async._wire.body import ChunkedBody, splice
from picsellia_async._wire.converter import CONVERTER, JsonObject
from picsellia_async._wire.fields import any_text, optional, required
from picsellia_async._wire.unset import UNSET, Unset
from picsellia_async.config import IMAGE_BYTES_MAX
from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import ConfigurationError
from picsellia_async.monitor_options import MonitorOptions
from picsellia_async.predictions import PredictionFormat
from picsellia_async.validation import boolean, epoch_seconds, json_object, real_number, text, texts, whole_number

Body: TypeAlias = bytes | ChunkedBody
"""What the transport sends."""

Query: TypeAlias = Iterable[tuple[str, Any]]
"""Pairs in order; None and `UNSET` are left out, lists are repeated."""

PLACE_DEPTH: Final = 5
"""How deep in a value a message says where something has no JSON form."""


def encode_query(query: Query) -> str:
    """Encode a query as the vendor's SDK does: form encoding, `True`/`False`, repeated keys, dicts as compact JSON (docs/wire.md#encoding)."""
    pairs: list[tuple[str, str]] = []
    for key, value in query:
        if value is None or value is UNSET:
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(key, _query_text(item, key)) for item in values]
    return urlencode(pairs)


def _query_text(value: Any, name: str) -> str:
    if isinstance(value, dict):
        return dump_json(value, name).decode()
    return str(value)


def dump_json(value: Any, name: str = "") -> bytes:
    """Return compact JSON; NaN becomes null, UUIDs and dates text, as on the vendor's side (docs/wire.md#headers).

    Args:
        value: What is written.
        name: Argument that it was given for; by default its keys are the names of arguments.

    Raises:
        ConfigurationError: Something in it has no JSON form.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as exc:
        place, why = _unwritable(value, name, exc)
        raise ConfigurationError(f"{place} cannot be written as JSON: {why}") from exc


def _unwritable(value: Any, name: str, why: TypeError) -> tuple[str, TypeError]:
    """Return where in a value something has no JSON form, and why; not deeper than `PLACE_DEPTH`, since it may hold itself."""
    for _ in range(PLACE_DEPTH):
        pairs = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
        )
        for key, item in pairs:
            try:
                orjson.dumps(item, option=orjson.OPT_SERIALIZE_NUMPY)
            except TypeError as exc:
                value, why = item, exc
                name = f"{name}[{key!r}]" if name else str(key)
                break
        else:
            break
    return name or "the request", why


def encode_body(request: Any) -> bytes:
    """Return the JSON bytes of a request class, in the order of its fields, or of a list; `UNSET` fields are left out.

    Raises:
        ConfigurationError: A value has no JSON form.
    """
    fields = CONVERTER.unstructure(request)
    if isinstance(fields, list):
        return dump_json(fields)
    # cattrs puts fields without a default first, the wire does not.
    ordered = {name: fields[name] for name in attrs.fields_dict(type(request)) if name in fields}
    return dump_json(ordered)


def image_view(image: Any, name: str = "raw_image") -> memoryview:
    """Return a flat view of the bytes of an encoded image, without copying them.

    Raises:
        ConfigurationError: No bytes-like object, empty, not contiguous, or above `IMAGE_BYTES_MAX`.
    """
    if not isinstance(image, (bytes, bytearray, memoryview)):
        raise ConfigurationError(f"{name} must be bytes, bytearray or memoryview, got {type(image).__name__}")
    view = memoryview(image)
    if not view.contiguous:
        raise ConfigurationError(f"{name} must be contiguous in memory")
    view = view.cast("B") if view.format != "B" or view.ndim != 1 else view
    if not 0 < view.nbytes <= IMAGE_BYTES_MAX:
        raise ConfigurationError(f"{name} must have 1 to {IMAGE_BYTES_MAX} bytes, got {view.nbytes}")
    return view


def raw_predictions(prediction: PredictionFormat) -> dict[str, Any]:
    """Return a prediction as the wire carries it: classes, texts (null when not given), then the fields of the format."""
    names = ("detection_classes", "detection_texts", *prediction.shape_fields)
    return {name: getattr(prediction, name) for name in names}


@attrs.frozen(kw_only=True, eq=False, repr=False)
class LoginRequest:
    """Sign-in at the monitoring or serving host (docs/wire.md#sign-in)."""

    api_token: str = attrs.field(repr=False)
    """Token of the user."""
    deployment_id: UUID
    """Deployment that the JWT is for."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CloudImage:
    """An image that already lies in the object storage (docs/wire.md#monitor-request, `cloud_image`)."""

    connector_id: UUID
    """Storage connector."""
    client_type: str
    """Kind of storage, verbatim as the platform says it."""
    bucket_name: str
    """Bucket."""
    object_name: str
    """Name in the bucket."""


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
    """Free keys."""
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


_READERS: Final[dict[str, Callable[[MonitorOptions], Any]]] = {
    "raw_predictions": lambda options: raw_predictions(options.prediction),
    "shadow_raw_predictions": lambda options: (
        None if options.shadow_prediction is None else raw_predictions(options.shadow_prediction)
    ),
}
"""How fields of `MonitorRequest` are read that no option is named after."""

_MONITOR_FIELDS: Final = tuple(
    (name, _READERS.get(name) or attrgetter(name))
    for name in attrs.fields_dict(MonitorRequest)
    if name not in {"image", "cloud_image"}
)


def monitor_metadata(options: MonitorOptions) -> bytes:
    """Return the JSON of a `MonitorRequest` without its image. The options were checked when they were made; nothing is checked again.

    Raises:
        ConfigurationError: Metadata that has no JSON form.
    """
    fields = {name: value for name, read in _MONITOR_FIELDS if (value := read(options)) is not None}
    return dump_json(fields)


def monitor_body(metadata: bytes, image: memoryview | CloudImage) -> Body:
    """Return the body: what `monitor_metadata` made, and the image last, its base64 as bytes.

    Args:
        metadata: Everything but the image.
        image: The raw image, or where it lies.
    """
    if isinstance(image, CloudImage):
        return b'%b,"cloud_image":%b}' % (metadata[:-1], encode_body(image))
    return splice(metadata, b"image", image)


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
    metadata: JsonObject | Unset = optional(json_object, "metadata")
    """Known keys: docs/wire.md#data-shape."""
    custom_metadata: JsonObject | Unset = optional(json_object, "custom_metadata")
    """Free keys."""


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
    metadata: JsonObject | Unset = optional(json_object, "metadata")
    """Known keys: docs/wire.md#data-shape."""
    custom_metadata: JsonObject | Unset = optional(json_object, "custom_metadata")
    """Free keys."""
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


def multipart_body(
    form: Iterable[tuple[str, str]], file_field: str, filename: str, content: memoryview, boundary: str | None = None
) -> tuple[bytes, str]:
    """Return a multipart/form-data body and its Content-Type.

    httpx's encoder adds a Content-Type to file parts, which the vendor's requests do not have (docs/wire.md#predict-form).

    Args:
        form: Text parts in order.
        file_field: Name of the file part, which comes last.
        filename: File name, as UTF-8.
        content: The file.
        boundary: Text between the parts; random by default.
    """
    boundary = boundary or secrets.token_hex(16)
    opening = f"--{boundary}\r\n"
    head = "".join(
        f'{opening}Content-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n' for name, value in form
    )
    head += f'{opening}Content-Disposition: form-data; name="{file_field}"; filename="{_quoted(filename)}"\r\n\r\n'
    body = b"".join((head.encode(), content, f"\r\n--{boundary}--\r\n".encode()))
    return body, f"multipart/form-data; boundary={boundary}"


def _quoted(value: str) -> str:
    """Escape what would end the quoted text, as browsers do (HTML, "multipart/form-data encoding algorithm")."""
    return value.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
