"""Handlers of a deployment's pipelines (docs/wire.md#deployment-endpoints): feedback loop, training data, continuous training and deployment."""

from __future__ import annotations

from typing import Final

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.endpoint import Pipeline
from picsellia_async._wire.platform_requests import (
    ContinuousDeploymentRequest,
    ContinuousTrainingRequest,
    DatasetVersionRequest,
    EmptyRequest,
    IdsRequest,
    ToggleRequest,
)
from picsellia_async._wire.unset import UNSET, or_none
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import paging
from picsellia_async.emulator.refusal import Refusal, bad_request, conflict, not_found, unprocessable
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import in_path
from picsellia_async.emulator.store.documents import Document

_FIELDS: Final = {
    Pipeline.FEEDBACK_LOOP.value: "feedback_loop",
    Pipeline.CONTINUOUS_TRAINING.value: "continuous_training",
    Pipeline.CONTINUOUS_DEPLOYMENT.value: "continuous_deployment",
}


def _pipeline(call: Call, deployment: Document, *, with_datasets: bool = False) -> JsonObject:
    """Return the pipeline that the path names.

    Raises:
        Refusal: 404, there is no such pipeline; 400, it is not set up.
    """
    name = call.path["pipeline"]
    field = _FIELDS.get(name)
    if field is None or (with_datasets and field == "continuous_deployment"):
        raise not_found("pipeline", name)
    return _set_up(deployment, field)


def _set_up(deployment: Document, field: str) -> JsonObject:
    pipeline: JsonObject | None = deployment[field]
    if pipeline is None:
        raise bad_request(f"the {field.replace('_', ' ')} of this deployment is not set up")  # assumed
    return pipeline


def _dataset_version(state: State, call: Call, deployment: Document, body: DatasetVersionRequest) -> Document:
    found = state.document(call, "dataset_version", str(body.dataset_version_id))
    if found["type"] not in (deployment["type"], "NOT_CONFIGURED"):
        raise bad_request(
            f"the dataset version is of type {found['type']}, the deployment of type {deployment['type']}"
        )
    return found


def toggle_pipeline(state: State, call: Call, body: ToggleRequest) -> None:
    """Switch a pipeline on or off."""
    deployment = in_path(state, call, "deployment")
    _pipeline(call, deployment)["active"] = body.active
    state.store.documents.save("deployment", deployment)


def attach_dataset_version(state: State, call: Call, body: DatasetVersionRequest) -> None:
    """Attach a dataset version to the feedback loop, or under an alias to continuous training."""
    deployment = in_path(state, call, "deployment")
    pipeline = _pipeline(call, deployment, with_datasets=True)
    dataset_version = _dataset_version(state, call, deployment, body)
    is_training = call.path["pipeline"] == Pipeline.CONTINUOUS_TRAINING.value
    if is_training == (body.name is UNSET):
        raise unprocessable(
            "name, the alias of the dataset version, belongs to continuous training and must be given there"
        )
    attached: list[JsonObject] = pipeline["datasets"]
    if any(entry["dataset_version_id"] == dataset_version["id"] for entry in attached):
        raise conflict("this dataset version is attached already")
    if any(entry["name"] == body.name for entry in attached):
        raise conflict(f"another dataset version is attached as {body.name!r} already")
    attached.append({"id": state.new_id(), "dataset_version_id": dataset_version["id"], "name": or_none(body.name)})
    state.store.documents.save("deployment", deployment)


def detach_dataset_versions(state: State, call: Call, body: IdsRequest) -> None:
    """Detach dataset versions, named by their own ids; all of them or none."""
    deployment = in_path(state, call, "deployment")
    pipeline = _pipeline(call, deployment, with_datasets=True)
    ids = {str(id_) for id_ in body.ids}
    missing = ids - {entry["dataset_version_id"] for entry in pipeline["datasets"]}
    if missing or not ids:
        raise Refusal(404, "the dataset version is not attached", sorted(missing))
    pipeline["datasets"] = [entry for entry in pipeline["datasets"] if entry["dataset_version_id"] not in ids]
    state.store.documents.save("deployment", deployment)


def list_feedback_loop_datasets(state: State, call: Call) -> JsonObject:
    """List the dataset versions of the feedback loop; none where it is not set up."""
    deployment = in_path(state, call, "deployment")
    attached: list[JsonObject] = (deployment["feedback_loop"] or {}).get("datasets", [])

    def show(entry: JsonObject) -> JsonObject:
        found = state.store.documents.get("dataset_version", entry["dataset_version_id"])
        return {"id": entry["id"], "dataset_version": views.dataset_version(state, found)}

    return paging.simple(call.query, attached, show)


def setup_feedback_loop(state: State, call: Call, body: EmptyRequest) -> None:  # noqa: ARG001 - `{}`
    """Set up the feedback loop and switch it on. assumed: a second time it begins anew, without datasets."""
    deployment = in_path(state, call, "deployment")
    deployment["feedback_loop"] = {"active": True, "datasets": []}
    state.store.documents.save("deployment", deployment)


def set_training_data(state: State, call: Call, body: DatasetVersionRequest) -> None:
    """Name the reference that drift is measured against; another one takes its place."""
    deployment = in_path(state, call, "deployment")
    dataset_version = _dataset_version(state, call, deployment, body)
    deployment["training_data"] = {"dataset_version_id": dataset_version["id"], "set_at": state.clock()}
    state.store.documents.save("deployment", deployment)


def check_training_data(state: State, call: Call) -> JsonObject:
    """Tell how far the metrics of the training data are. assumed: the words, and that they take no time."""
    deployment = in_path(state, call, "deployment")
    return {"status": "NOT_CONFIGURED" if deployment["training_data"] is None else "SUCCEEDED"}


def disable_training_data(state: State, call: Call) -> None:
    """Forget the reference. Without one there is nothing to do."""
    deployment = in_path(state, call, "deployment")
    deployment["training_data"] = None
    state.store.documents.save("deployment", deployment)


def setup_continuous_training(state: State, call: Call, body: ContinuousTrainingRequest) -> None:
    """Set up continuous training and switch it on. assumed: a second time it begins anew, without datasets."""
    deployment = in_path(state, call, "deployment")
    project = state.document(call, "project", str(body.project_id))
    trigger = or_none(body.trigger)
    deployment["continuous_training"] = {
        "active": True,
        "project_id": project["id"],
        "trigger": None if trigger is None else trigger.value,
        "threshold": or_none(body.threshold),
        "training_type": body.training_type.value,
        "experiment_parameters": body.experiment_parameters,
        "datasets": [],
        "reviews": 0,
    }
    state.store.documents.save("deployment", deployment)


def setup_continuous_deployment(state: State, call: Call, body: ContinuousDeploymentRequest) -> None:
    """Say what happens to newly trained model versions, and switch it on."""
    deployment = in_path(state, call, "deployment")
    deployment["continuous_deployment"] = {"active": True, "policy": body.policy.value}
    state.store.documents.save("deployment", deployment)
