"""Handlers of the monitoring host (docs/wire.md#monitoring-endpoints). Sign-in is in `sign_in`."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.oracle_requests import MonitorRequest, MonitorShadowRequest
from picsellia_async._wire.unset import UNSET, or_none
from picsellia_async.emulator.domain import objects, predictions, statistics
from picsellia_async.emulator.domain.pictures import Picture, decode
from picsellia_async.emulator.domain.predictions import Observation, check_prediction
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query.paging import Where
from picsellia_async.emulator.refusal import bad_request, unprocessable
from picsellia_async.emulator.services.call import Call, Change
from picsellia_async.emulator.services.lookups import in_path
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import PredictionRow


def retrieve_information(state: State, call: Call) -> JsonObject:
    """Tell what monitoring knows about a deployment. assumed: the shape."""
    deployment = in_path(state, call, "deployment")
    count = state.store.predictions.count("deployment_id = ?", deployment["id"])
    reference = deployment["training_data"]
    return {
        "id": deployment["id"],
        "deployment_id": deployment["id"],
        "name": deployment["name"],
        "type": deployment["type"],
        "model_id": deployment["model_version_id"],
        "shadow_model_id": deployment["shadow_model_version_id"],
        "sample_rate": deployment["sample_rate"],
        "predictions_count": count,
        "training_data": reference["dataset_version_id"] if reference else None,
    }


async def monitor(state: State, call: Call, body: MonitorRequest) -> Change:
    """Take one prediction and its image; answered with 201."""
    deployment = in_path(state, call, "deployment")
    check_prediction(deployment, body.raw_predictions, "raw_predictions", is_loose=state.options.loose)
    if body.shadow_raw_predictions is not UNSET:
        check_prediction(
            deployment, body.shadow_raw_predictions, "shadow_raw_predictions", is_loose=state.options.loose
        )
    observation = observe(body)
    if body.image is not UNSET and body.cloud_image is UNSET:
        observation.picture = await decode(body.image)
        call.images.append(observation.picture.sha256)
        check_picture(state, observation.picture)
        if predictions.may_be_kept(deployment, observation.sample):
            picture = observation.picture
            observation.content = await call.stage(state.store.blobs, picture.sha256, picture.content)
    elif body.cloud_image is not UNSET and body.image is UNSET:
        observation.object_name = objects.name_of_cloud_image(state, deployment, body.cloud_image)
    else:
        raise unprocessable("exactly one of image and cloud_image must be given")

    def change() -> JsonObject:
        deployment = in_path(state, call, "deployment")
        row = predictions.record(state, deployment, observation)
        return receipt(row.id, row.asset_id, deployment, body, row.timestamp)

    return change


def check_picture(state: State, picture: Picture) -> None:
    """Refuse an empty image, and with `strict_images` what is neither JPEG nor PNG.

    Raises:
        Refusal: 400.
    """
    if not picture.content:
        raise bad_request("the image is empty")
    if not picture.signature and state.options.strict_images:
        raise bad_request("the image is neither JPEG nor PNG")


def observe(body: MonitorRequest) -> Observation:
    """Return what a monitoring request says, apart from its image."""
    return Observation(
        filename=body.filename,
        content_type=body.content_type.value,
        width=body.width,
        height=body.height,
        latency=body.latency,
        raw=body.raw_predictions,
        source=or_none(body.source),
        tags=or_none(body.tags) or [],
        metadata=or_none(body.metadata),
        custom_metadata=or_none(body.custom_metadata),
        timestamp=or_none(body.timestamp),
        upload_dir=or_none(body.upload_dir) or "",
        shadow_raw=or_none(body.shadow_raw_predictions),
        shadow_latency=or_none(body.shadow_latency),
        sample=or_none(body.sample),
        custom_metrics=or_none(body.custom_metrics),
    )


def receipt(id_: str, asset_id: str | None, deployment: Document, body: MonitorRequest, timestamp: float) -> JsonObject:
    """Return the answer to a monitored prediction. assumed: everything but `id` (docs/wire.md#unknowns)."""
    return {
        "id": id_,
        "deployment_id": deployment["id"],
        "filename": body.filename,
        "timestamp": timestamp,
        "latency": body.latency,
        "height": body.height,
        "width": body.width,
        "content_type": body.content_type.value,
        "model_id": deployment["model_version_id"],
        "is_sampled": asset_id is not None,
        "raw_predictions": body.raw_predictions,
    }


def monitor_shadow(state: State, call: Call, body: MonitorShadowRequest) -> JsonObject:
    """Add the shadow model's prediction to one that was monitored; answered with 201.

    Raises:
        Refusal: 409, it has one already.
    """
    row = _prediction(state, call)
    deployment = state.document(call, "deployment", row.deployment_id)
    raw = body.shadow_raw_predictions
    check_prediction(deployment, raw, "shadow_raw_predictions", is_loose=state.options.loose)
    predictions.add_shadow(state, row, raw, body.shadow_latency, deployment["shadow_model_version_id"])
    return {"id": row.id, "deployment_id": row.deployment_id}


def _prediction(state: State, call: Call) -> PredictionRow:
    """Return the prediction of the path; the JWT has to be for its deployment."""
    return state.prediction(call, call.id("prediction_id", "prediction"))


def get_prediction_stats(state: State, call: Call) -> JsonObject:
    """Compute statistics prediction by prediction. assumed: the shapes."""
    return _statistics(state, call, statistics.SINGLE)


def get_aggregated_stats(state: State, call: Call) -> JsonObject:
    """Compute statistics over all chosen predictions. assumed: the shapes, and that they are never outdated."""
    return _statistics(state, call, statistics.AGGREGATED)


def _statistics(state: State, call: Call, services: Mapping[str, statistics.Service]) -> JsonObject:
    deployment = in_path(state, call, "deployment")
    service = call.query.required("service")
    if service not in services:
        raise unprocessable(f"service must be one of {', '.join(services)} here, got {service!r}")
    return services[service](statistics.Sample.of(state, deployment, _chosen(state, call, deployment)))


def _chosen(state: State, call: Call, deployment: Document) -> list[PredictionRow]:
    where = Where()
    where.add("deployment_id = ?", deployment["id"])
    since = call.query.number("since")
    for sql, value in (
        ("model_version_id = ?", call.query.uuid("model_id")),
        ("timestamp >= ?", call.query.number("from_timestamp")),
        ("timestamp <= ?", call.query.number("to_timestamp")),
        ("timestamp >= ?", None if since is None else state.clock() - since),
    ):
        if value is not None:
            where.add(sql, value)
    if includes := call.query.texts("includes"):
        where.add_any_of("id", includes)
    excludes, tags = set(call.query.texts("excludes")), set(call.query.texts("tags"))
    rows = state.store.predictions.select(where.text(), *where.values)
    return [row for row in rows if row.id not in excludes and (not tags or tags & set(orjson.loads(row.tags)))]
