"""How a prediction becomes data and predicted asset: sampling, sources, tags, duplicates. Monitoring and serving share it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Final

import attrs
import orjson

from picsellia_async.emulator.domain import campaigns, objects
from picsellia_async.emulator.domain.pictures import Picture
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.refusal import bad_request, conflict, unprocessable
from picsellia_async.emulator.store.blobs import Content
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import DataRow, PredictionRow
from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions import PREDICTION_FORMATS

DEFAULT_SOURCE: Final = "serving"
"""Data source of what was sent without one (docs/wire.md#monitor-fields)."""


@attrs.define(kw_only=True)
class Observation:
    """One prediction as it came in, from monitoring or serving. Width and height are pixels, latencies are seconds."""

    filename: str
    """Name of the image."""
    content_type: str
    """`IMAGE/JPEG` or `IMAGE/PNG`."""
    width: int
    height: int
    latency: float
    raw: dict[str, Any]
    """Prediction in its wire form."""
    source: str | None = None
    """Name of the data source."""
    tags: list[str] = attrs.field(factory=list)
    """Names of data tags."""
    metadata: dict[str, Any] | None = None
    """Keys that the platform knows, as `metadata` of `monitor`."""
    custom_metadata: dict[str, Any] | None = None
    """Keys of your own, with any JSON values."""
    timestamp: float | None = None
    """Epoch seconds; None: now."""
    upload_dir: str = ""
    """Prefix of the object name."""
    shadow_raw: dict[str, Any] | None = None
    """Prediction of the shadow model."""
    shadow_latency: float | None = None
    sample: bool | None = None
    """True: keep the image; False: do not; None: the sample rate decides."""
    custom_metrics: dict[str, Any] | None = None
    """Kept on the predicted asset."""
    picture: Picture | None = None
    """The image, where its bytes came along."""
    content: Content | None = None
    """Its bytes on their way to the storage."""
    object_name: str | None = None
    """The image, where it lies in the storage already."""
    is_served: bool = False
    """Whether the serving host made it."""


def check_prediction(deployment: Document, raw: dict[str, Any], name: str, *, is_loose: bool = False) -> None:
    """Refuse a prediction that does not fit the deployment's type. assumed: 400 for another type's, 422 for a broken one.

    Raises:
        Refusal: 400, 422.
    """
    format_ = PREDICTION_FORMATS.get(InferenceType(deployment["type"]))
    if format_ is None:
        raise bad_request(f"a deployment of type {deployment['type']} takes no predictions")
    fields = ("detection_classes", "detection_texts", *format_.shape_fields)
    missing = [field for field in ("detection_classes", *format_.shape_fields) if field not in raw]
    unknown = [] if is_loose else [field for field in raw if field not in fields]
    if missing or unknown:
        what = [f"{field} is missing" for field in missing] + [f"{field} does not belong to it" for field in unknown]
        raise bad_request(f"{name} is no prediction for a deployment of type {deployment['type']}", what)
    given: dict[str, Any] = {field: raw.get(field) for field in fields}
    try:
        format_(**given)
    except ConfigurationError as exc:
        raise unprocessable(f"{name}: {exc}") from None


def record(state: State, deployment: Document, seen: Observation) -> PredictionRow:
    """Write down a prediction, with data and predicted asset unless it is sampled out.

    Raises:
        Refusal: 409, this cloud image was processed by this deployment before.
    """
    now = state.clock()
    is_kept = is_sampled(state, deployment, seen.sample)
    row = PredictionRow(
        id=state.new_id(),
        deployment_id=deployment["id"],
        asset_id=None,
        data_id=None,
        filename=seen.filename,
        object_name=seen.object_name or "",
        content_type=seen.content_type,
        width=seen.width,
        height=seen.height,
        latency=seen.latency,
        timestamp=now if seen.timestamp is None else seen.timestamp,
        raw=orjson.dumps(seen.raw),
        source=seen.source or DEFAULT_SOURCE,
        tags=orjson.dumps(seen.tags),
        model_version_id=deployment["model_version_id"],
        shadow_raw=None if seen.shadow_raw is None else orjson.dumps(seen.shadow_raw),
        shadow_latency=seen.shadow_latency,
        shadow_model_version_id=deployment["shadow_model_version_id"],
        custom_metrics=orjson.dumps(seen.custom_metrics),
        received_at=now,
        visible_at=now + state.options.visibility_delay,
        is_served=int(seen.is_served),
    )
    if seen.picture is not None:
        row.sha256, row.size = seen.picture.sha256, len(seen.picture.content)
        row.signature = seen.picture.signature
    if is_kept:
        data = _data(state, deployment, seen, row)
        row.asset_id, row.data_id, row.object_name = state.new_id(), data.id, data.object_name
    state.store.predictions.insert(row)
    if is_kept:
        campaigns.add_new_asset(state, row)
    return row


def add_shadow(
    state: State, row: PredictionRow, raw: dict[str, Any], latency: float | None, model_version_id: str | None
) -> None:
    """Add the shadow model's prediction to one that has none.

    Raises:
        Refusal: 409, it has one.
    """
    if row.shadow_raw is not None:
        raise conflict("this prediction has already been shadow processed")
    changes = {"shadow_raw": orjson.dumps(raw), "shadow_latency": latency, "shadow_model_version_id": model_version_id}
    state.store.predictions.update(row.id, **changes)


def may_be_kept(deployment: Document, sample: bool | None) -> bool:
    """Whether `is_sampled` may say so: whether it is worth while to bring the image to the disk before."""
    return deployment["sample_rate"] > 0.0 if sample is None else sample


def is_sampled(state: State, deployment: Document, sample: bool | None) -> bool:
    """Whether the platform gets the image: `sample` where it is given, else a draw by the sample rate (docs/wire.md#monitor-fields)."""
    if sample is not None:
        return sample
    rate: float = deployment["sample_rate"]
    return rate >= 1.0 or state.draw() < rate


def _data(state: State, deployment: Document, seen: Observation, row: PredictionRow) -> DataRow:
    datalake = state.store.documents.get("datalake", deployment["target_datalake_id"])
    if seen.object_name is not None:
        return _known_data(state, deployment, datalake, seen, seen.object_name)
    # As the service does: a fresh name every time, so the same bytes sent twice become two data (docs/wire.md#idempotency).
    suffix = PurePosixPath(seen.filename).suffix or f".{seen.content_type.rpartition('/')[2].lower()}"
    object_name = f"{seen.upload_dir.strip('/') or datalake['id']}/{state.new_id()}{suffix}"
    data = _new_data(state, datalake, seen, object_name)
    if seen.picture is not None:
        data.sha256, data.size = row.sha256, row.size
        content = seen.content or Content(row.sha256, seen.picture.content)
        objects.store_object(state, datalake["connector_id"], object_name, content, data.content_type, is_new=True)
    return state.store.data.insert(data)


def _known_data(state: State, deployment: Document, datalake: Document, seen: Observation, object_name: str) -> DataRow:
    """Return the data of a cloud image; it is made where there is none yet."""
    found = state.store.data.select("datalake_id = ? and object_name = ?", datalake["id"], object_name, limit=1)
    if not found:
        data = _new_data(state, datalake, seen, object_name)
        stored = objects.find_object(state, datalake["connector_id"], object_name)
        if stored is not None:
            data.sha256, data.size = stored.sha256, stored.size
        return state.store.data.insert(data)
    data = found[0]
    # assumed: connector and object name are what makes a duplicate; the documentation contradicts itself (docs/wire.md#idempotency)
    if state.store.predictions.count("deployment_id = ? and data_id = ?", deployment["id"], data.id):
        raise conflict(f"{object_name} has already been processed by this deployment")
    if seen.tags:
        ids = [*orjson.loads(data.tag_ids), *state.data_tags(datalake, seen.tags)]
        data.tag_ids = orjson.dumps(list(dict.fromkeys(ids)))
        state.store.data.update(data.id, tag_ids=data.tag_ids)
    return data


def _new_data(state: State, datalake: Document, seen: Observation, object_name: str) -> DataRow:
    return DataRow(
        id=state.new_id(),
        datalake_id=datalake["id"],
        object_name=object_name,
        filename=seen.filename,
        content_type=seen.content_type.lower(),
        width=seen.width,
        height=seen.height,
        metadata=orjson.dumps(seen.metadata),
        custom_metadata=orjson.dumps(seen.custom_metadata),
        source_id=state.source(datalake["organization_id"], seen.source or DEFAULT_SOURCE)["id"],
        tag_ids=orjson.dumps(state.data_tags(datalake, seen.tags)),
        created_at=state.clock(),
    )
