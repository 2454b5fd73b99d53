"""What a review causes: its shapes are checked, its task moves on, feedback loop and continuous training count it.

The wire knows no way to submit a review, only to add one. assumed: with an active feedback loop a review is submitted at once, without
one it stays REVIEWED; trainings take no time and always succeed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import ReviewRequest
from picsellia_async._wire.unset import UNSET
from picsellia_async.emulator.domain import campaigns, views
from picsellia_async.emulator.domain.caller import Caller
from picsellia_async.emulator.domain.champion import put_champion
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.refusal import bad_request, not_found, unprocessable
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import PredictionRow
from picsellia_async.errors import ConfigurationError
from picsellia_async.validation import sequence, whole_number


def _number(value: Any, name: str) -> int:
    return whole_number(value, name, rounded=True)


def _point(value: Any, name: str) -> list[int]:
    found = [_number(v, name) for v in sequence(value, name)]
    if len(found) != 2:
        raise ConfigurationError(f"{name} must have two values (x, y), got {len(found)}")
    return found


def _points(value: Any, name: str) -> list[list[int]]:
    return [_point(point, name) for point in sequence(value, name)]


_SHAPES: Final[dict[str, tuple[str, dict[str, Callable[[Any, str], Any]]]]] = {
    "rectangles": ("OBJECT_DETECTION", dict.fromkeys(("x", "y", "w", "h"), _number)),
    "polygons": ("SEGMENTATION", {"polygon": _points}),
    "classifications": ("CLASSIFICATION", {}),
    "lines": ("LINE", {"line": _points}),
    "points": ("POINT", {"point": _point}),
}
"""Kinds of shapes: type of the deployments that take them, and how their fields are read."""


def read(state: State, caller: Caller, deployment: Document, body: ReviewRequest) -> JsonObject:
    """Return the review that a request describes.

    Raises:
        Refusal: 400, shapes that do not belong to the deployment's type; 404, an unknown label; 422, broken shapes.
    """
    review: JsonObject = {
        "id": state.new_id(),
        "reviewer": views.user(caller.user),
        "created_at": views.iso(state.clock()),
    }
    for kind, (type_, fields) in _SHAPES.items():
        shapes: Any = getattr(body, kind)
        if shapes is UNSET:
            continue
        if deployment["type"] != type_:
            raise bad_request(f"{kind} do not belong to a deployment of type {deployment['type']}")
        review[kind] = [_shape(state, deployment, shape, fields, f"{kind}[{i}]") for i, shape in enumerate(shapes)]
    return review


def _shape(
    state: State, deployment: Document, shape: JsonObject, fields: dict[str, Callable[[Any, str], Any]], name: str
) -> JsonObject:
    wrong = set(shape) ^ {*fields, "label_id"}
    if wrong:
        raise unprocessable(f"{name} must have the fields {', '.join([*fields, 'label_id'])}", sorted(wrong))
    label = state.store.documents.peek("label", str(shape["label_id"]))
    if label is None or label["deployment_id"] != deployment["id"]:
        raise not_found("label of this deployment", shape["label_id"])
    try:
        read_fields = {field: read_field(shape[field], f"{name}.{field}") for field, read_field in fields.items()}
    except ConfigurationError as exc:
        raise unprocessable(exc.message) from None
    return {"id": state.new_id(), **read_fields, "label": {"id": label["id"], "name": label["name"]}}


def apply(state: State, deployment: Document, row: PredictionRow, review: JsonObject) -> None:
    """Store a review and do what follows from it: the task, the feedback loop, continuous training."""
    loop: JsonObject | None = deployment["feedback_loop"]
    is_submitted = loop is not None and loop["active"]
    status = "SUBMITTED" if is_submitted else "REVIEWED"
    state.store.predictions.update(row.id, status=status, reviews=orjson.dumps([review]))
    campaigns.advance(state, row)
    if loop is not None and is_submitted:
        for entry in loop["datasets"]:
            facts = {"dataset_version_id": entry["dataset_version_id"], "data_id": row.data_id}
            if not state.store.documents.find("asset", **facts):
                organization_id = deployment["organization_id"]
                state.store.documents.add("asset", organization_id=organization_id, tag_ids=[], **facts)
        _count(state, deployment)


def _count(state: State, deployment: Document) -> None:
    """Count a submitted review and train where there are enough."""
    training: JsonObject | None = deployment["continuous_training"]
    if training is None or not training["active"]:
        return
    training["reviews"] += 1
    state.store.documents.save("deployment", deployment)
    threshold = training["threshold"]
    if training["trigger"] == "FEEDBACK_LOOP" and threshold and training["reviews"] >= threshold:
        training["reviews"] = 0
        _train(state, deployment, training)


def _train(state: State, deployment: Document, training: JsonObject) -> None:
    documents = state.store.documents
    organization_id = deployment["organization_id"]
    champion = documents.get("model_version", deployment["model_version_id"])
    versions = documents.list("model_version", model_id=champion["model_id"])
    number = max(version["version"] for version in versions) + 1
    experiment = documents.add(
        "experiment", organization_id=organization_id, name=f"continuous-training-{number}", status="SUCCESS",
        project_id=training["project_id"], deployment_id=deployment["id"],
    )  # fmt: skip
    documents.add(
        "log", organization_id=organization_id, experiment_id=experiment["id"], name="parameters", type="TABLE",
        data=training["experiment_parameters"],
    )  # fmt: skip
    trained = documents.add(
        "model_version",
        **{
            **champion, "id": state.new_id(), "name": f"v{number}", "version": number, "tag_ids": [],
            "experiment_id": experiment["id"], "parameters": training["experiment_parameters"],
            "trained_with": [
                {"name": entry["name"], "version_id": entry["dataset_version_id"]} for entry in training["datasets"]
            ],
        },
    )  # fmt: skip
    _deploy(state, deployment, trained)


def _deploy(state: State, deployment: Document, model_version: Document) -> None:
    policy: JsonObject | None = deployment["continuous_deployment"]
    if policy is None or not policy["active"]:
        return
    if policy["policy"] == "DEPLOY_CHAMPION":
        put_champion(state, deployment, model_version)
    elif policy["policy"] == "DEPLOY_SHADOW":
        deployment["shadow_model_version_id"] = model_version["id"]
        state.store.documents.save("deployment", deployment)
