"""How the platform shows things: JSON shapes of docs/wire.md#shapes, made from documents and rows.

What the vendor's SDK does not read is our own invention (docs/emulator-assumptions.md).
"""

from __future__ import annotations

import datetime
from typing import Final

import orjson

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.domain import objects
from picsellia_async.emulator.domain.caller import Caller
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import AssignmentRow, DataRow, PredictionRow

_INTERNAL: Final = frozenset({"organization_id", "api_token", "tag_ids"})


def iso(epoch: float) -> str:
    """Return an epoch time as ISO text in UTC."""
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC).isoformat()


def plain(document: Document) -> JsonObject:
    """Return a document without what is only the emulator's concern."""
    return {key: value for key, value in document.items() if key not in _INTERNAL}


def with_tags(state: State, document: Document) -> JsonObject:
    """Return a dataset or a model: the document, with its tags."""
    return {**plain(document), "tags": tags(state, document["tag_ids"])}


def user(document: Document) -> JsonObject:
    """Return a user."""
    return {"id": document["id"], "username": document["username"]}


def label(document: Document) -> JsonObject:
    """Return a label."""
    return {"id": document["id"], "name": document["name"], "group_id": document["group_id"]}


def tags(state: State, ids: list[str]) -> list[JsonObject]:
    """Return the tags of these ids; deleted ones are left out."""
    found = (state.store.documents.peek("tag", id_) for id_ in ids)
    return [tag(document) for document in found if document]


def tag(document: Document) -> JsonObject:
    """Return a tag."""
    return {"id": document["id"], "name": document["name"], "target_type": document["target_type"]}


def deployment(state: State, caller: Caller, document: Document) -> JsonObject:
    """Return a deployment (docs/wire.md#deployment-shape)."""
    campaign = state.store.documents.find("campaign", deployment_id=document["id"])
    return {
        "id": document["id"],
        "name": document["name"],
        "type": document["type"],
        "oracle_host": caller.origin,
        "serving_host": caller.origin if document["is_serving"] else None,
        "review_campaign_id": campaign["id"] if campaign else None,
        "tags": tags(state, document["tag_ids"]),
        "model_version_id": document["model_version_id"],
        "shadow_model_version_id": document["shadow_model_version_id"],
        "target_datalake_id": document["target_datalake_id"],
        "min_threshold": document["min_threshold"],
        "sample_rate": document["sample_rate"],
    }


def model_version(state: State, document: Document) -> JsonObject:
    """Return a model version (docs/wire.md#model-version-shape)."""
    origin = state.store.documents.get("model", document["model_id"])
    return {
        **{key: document[key] for key in ("id", "name", "version", "type", "framework", "labels")},
        "origin": plain(origin),
        "origin_id": origin["id"],
        "origin_name": origin["name"],
        "tags": tags(state, document["tag_ids"]),
    }


def dataset_version(state: State, document: Document) -> JsonObject:
    """Return a dataset version (docs/wire.md#dataset-version-shape)."""
    origin = state.store.documents.get("dataset", document["dataset_id"])
    return {
        **{key: document[key] for key in ("id", "version", "type", "annotation_campaign_id")},
        "origin_id": origin["id"],
        "origin_name": origin["name"],
        "tags": tags(state, document["tag_ids"]),
    }


def data_by_id(state: State, ids: list[str]) -> dict[str, DataRow]:
    """Return some data by their ids, fetched at once."""
    rows = state.store.data.select("id in (select value from json_each(?))", orjson.dumps(ids).decode()) if ids else []
    return {row.id: row for row in rows}


def data(state: State, caller: Caller, row: DataRow) -> JsonObject:
    """Return a data (docs/wire.md#data-shape)."""
    source = state.store.documents.peek("datasource", row.source_id)
    datalake = state.store.documents.get("datalake", row.datalake_id)
    return {
        "id": row.id,
        "datalake_id": row.datalake_id,
        "object_name": row.object_name,
        "filename": row.filename,
        "type": row.type,
        "content_type": row.content_type,
        "upload_status": row.upload_status,
        "presigned_url": objects.presigned_url(state, caller, datalake["connector_id"], row.object_name),
        "metadata": orjson.loads(row.metadata),
        "custom_metadata": orjson.loads(row.custom_metadata),
        "meta": {"width": row.width, "height": row.height},
        "tags": tags(state, orjson.loads(row.tag_ids)),
        "data_source": {"id": source["id"], "name": source["name"]} if source else None,
        "created_at": iso(row.created_at),
    }


def predicted_assets(state: State, caller: Caller, rows: list[PredictionRow]) -> list[JsonObject]:
    """Return predicted assets as lists show them."""
    found = data_by_id(state, [row.data_id or "" for row in rows])
    return [_predicted_asset(state, caller, row, found[row.data_id or ""]) for row in rows]


def predicted_asset(state: State, caller: Caller, row: PredictionRow) -> JsonObject:
    """Return a predicted asset with predictions and reviews (docs/wire.md#predicted-asset-shape)."""
    shown = _predicted_asset(state, caller, row, state.store.data.get(row.data_id or "", "data"))
    return {**shown, "predictions": predictions(state, row), "reviews": orjson.loads(row.reviews)}


def _predicted_asset(state: State, caller: Caller, row: PredictionRow, data_row: DataRow) -> JsonObject:
    return {
        "id": row.asset_id,
        "oracle_prediction_id": row.id,
        "deployment_id": row.deployment_id,
        "data": data(state, caller, data_row),
        "status": row.status,
        "source": row.source,
        "latency": row.latency,
        "timestamp": row.timestamp,
        "custom_metrics": orjson.loads(row.custom_metrics),
        "created_at": iso(row.received_at),
    }


def predictions(state: State, row: PredictionRow) -> list[JsonObject]:
    """Return the champion's prediction and the shadow model's, if there is one."""
    labels = {found["index"]: found for found in state.store.documents.list("label", deployment_id=row.deployment_id)}
    type_: str = state.store.documents.get("deployment", row.deployment_id)["type"]
    common = {"timestamp": row.timestamp, "status": row.status}
    found = [
        {
            "id": row.id, "is_shadow": False, "model_version_id": row.model_version_id, "latency": row.latency, **common,
            **shapes(row.prediction(), labels, type_),
        }
    ]  # fmt: skip
    if row.shadow_raw is not None:
        shadow = orjson.loads(row.shadow_raw)
        found.append(
            {
                "id": row.id, "is_shadow": True, "model_version_id": row.shadow_model_version_id,
                "latency": row.shadow_latency, **common, **shapes(shadow, labels, type_),
            }
        )  # fmt: skip
    return found


_SHAPES: Final = {
    "SEGMENTATION": ("detection_masks", "polygon", "polygons"),
    "MASK": ("detection_masks", "mask", "masks"),
    "LINE": ("lines", "line", "lines"),
    "POINT": ("points", "point", "points"),
    "KEYPOINT": ("keypoints", "keypoints", "keypoints"),
}
"""Field of a prediction whose entries are shown as they are, and what one and all of them are called, by type of the deployment."""


def shapes(raw: JsonObject, labels: dict[int, Document], type_: str) -> JsonObject:
    """Return a prediction as shapes with labels (docs/wire.md#review-shapes): boxes become x, y, w, h."""
    texts = raw.get("detection_texts") or [None] * len(raw["detection_classes"])
    common = [
        {"label": _label(index, labels), "confidence": score, "text": text}
        for index, score, text in zip(raw["detection_classes"], raw["detection_scores"], texts, strict=False)
    ]
    if type_ == "OBJECT_DETECTION":
        boxes = [
            {"x": left, "y": top, "w": right - left, "h": bottom - top}
            for top, left, bottom, right in raw.get("detection_boxes", ())
        ]
        return {"rectangles": _joined(boxes, common)}
    if type_ not in _SHAPES:
        return {"classifications": common}
    field, shape, name = _SHAPES[type_]
    return {name: _joined([{shape: value} for value in raw.get(field, ())], common)}


def _label(index: int, labels: dict[int, Document]) -> JsonObject:
    known = labels.get(index)
    # assumed: a class outside the label map keeps its index as name
    return {"id": known["id"], "name": known["name"]} if known else {"id": None, "name": str(index)}


def _joined(shapes_: list[JsonObject], common: list[JsonObject]) -> list[JsonObject]:
    return [{**shape, **rest} for shape, rest in zip(shapes_, common, strict=False)]


def assignments(state: State, caller: Caller, rows: list[AssignmentRow]) -> list[JsonObject]:
    """Return tasks of a review campaign (docs/wire.md#predicted-asset-endpoints)."""
    ids = [row.asset_id for row in rows]
    found = (
        state.store.predictions.select("asset_id in (select value from json_each(?))", orjson.dumps(ids).decode())
        if ids
        else []
    )
    data_ids = {row.asset_id: row.data_id or "" for row in found}
    data_rows = data_by_id(state, list(data_ids.values()))
    return [
        {
            "id": row.id,
            "asset_id": row.asset_id,
            "assigned_user_id": row.user_id,
            "step_id": row.step_id,
            "status": row.status,
            "data": data(state, caller, data_rows[data_ids[row.asset_id]]),
        }
        for row in rows
    ]
