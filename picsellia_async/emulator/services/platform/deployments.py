"""Handlers of deployments themselves (docs/wire.md#organization-endpoints, docs/wire.md#deployment-endpoints): find, list, create, change, delete; models, labels, connector, users."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from picsellia_async._wire.platform_requests import (
    AddUserRequest,
    CreateDeploymentRequest,
    DeployModelVersionRequest,
    ModelVersionRequest,
    UpdateDeploymentRequest,
)
from picsellia_async.emulator import seed
from picsellia_async.emulator.context import Call, bad_request, conflict, known, not_found
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.query import paging as listing
from picsellia_async.emulator.store.state import State
from picsellia_async.emulator.store.store import Document

Json = dict[str, Any]


def find_deployment(state: State, call: Call) -> Json:
    """Find a deployment by name or id."""
    organization = state.organization(call)
    key, value = call.query.one_of("name", "id")
    found = state.store.documents.find("deployment", organization_id=organization["id"], **{key: value})
    if found is None:
        raise not_found("deployment", value)
    return views.deployment(state, call, found)


def list_deployments(state: State, call: Call) -> Json:
    """List the deployments of an organization."""
    organization = state.organization(call)
    found = state.store.documents.list("deployment", organization_id=organization["id"])
    return listing.simple(call, found, lambda document: views.deployment(state, call, document))


def create_deployment(state: State, call: Call, body: CreateDeploymentRequest) -> Json:
    """Deploy a model version."""
    state.organization(call)
    shadow = known(body.shadow_model_version_id)
    return _create(
        state,
        call,
        str(body.model_version_id),
        name=known(body.name),
        min_threshold=known(body.min_threshold),
        datalake_id=known(body.target_datalake_id),
        shadow_model_version_id=None if shadow is None else str(shadow),
        is_serving=not known(body.disable_serving),
    )


def deploy_model_version(state: State, call: Call, body: DeployModelVersionRequest) -> Json:
    """Deploy the model version of the path."""
    return _create(
        state,
        call,
        call.id("model_version_id", "model version"),
        name=known(body.name),
        min_threshold=known(body.min_threshold),
        datalake_id=known(body.target_datalake_id),
    )


def _create(
    state: State,
    call: Call,
    model_version_id: str,
    *,
    name: str | None,
    min_threshold: float | None,
    datalake_id: UUID | None,
    shadow_model_version_id: str | None = None,
    is_serving: bool = True,
) -> Json:
    model_version = state.document(call, "model_version", model_version_id)
    if shadow_model_version_id is not None:
        _check_type(state.document(call, "model_version", shadow_model_version_id), model_version["type"])
    datalake = _datalake(state, call, datalake_id)
    deployment = state.store.documents.add(
        "deployment", name=_free_name(state, call, name or _invented_name(state, model_version)),
        organization_id=call.organization_id, type=model_version["type"], model_version_id=model_version["id"],
        shadow_model_version_id=shadow_model_version_id, target_datalake_id=datalake["id"],
        min_threshold=min_threshold or 0.0, sample_rate=1.0, is_serving=is_serving, tag_ids=[], created_at=state.clock(),
        feedback_loop=None, training_data=None, continuous_training=None, continuous_deployment=None,
    )  # fmt: skip
    seed.add_labels(state.store, deployment, model_version["labels"] or {})
    facts = {"resource": "deployment", "resource_id": deployment["id"], "user_id": call.user["id"]}
    state.store.documents.add("access", **facts, role="ADMIN")
    return views.deployment(state, call, deployment)


def _invented_name(state: State, model_version: Document) -> str:
    model = state.store.documents.get("model", model_version["model_id"])
    return f"{model['name']}-{model_version['version']}-{state.new_id()[:8]}"


def _free_name(state: State, call: Call, name: str, own_id: str = "") -> str:
    found = state.store.documents.find("deployment", organization_id=call.organization_id, name=name)
    if found is not None and found["id"] != own_id:
        raise conflict(f"there is a deployment called {name!r} already")
    return name


def _datalake(state: State, call: Call, id_: UUID | None) -> Document:
    if id_ is not None:
        return state.document(call, "datalake", str(id_))
    return state.store.documents.list("datalake", organization_id=call.organization_id)[0]


def _check_type(model_version: Document, type_: str) -> Document:
    if model_version["type"] != type_:
        raise bad_request(f"the model version is of type {model_version['type']}, the deployment of type {type_}")
    return model_version


def get_deployment(state: State, call: Call) -> Json:
    """Return a deployment."""
    return views.deployment(state, call, state.in_path(call, "deployment"))


def update_deployment(state: State, call: Call, body: UpdateDeploymentRequest) -> Json:
    """Change what is given; the rest stays."""
    deployment = state.in_path(call, "deployment")
    changes: Json = {
        "name": known(body.name), "min_threshold": known(body.min_threshold), "sample_rate": known(body.sample_rate),
    }  # fmt: skip
    if changes["name"] is not None:
        _free_name(state, call, changes["name"], deployment["id"])
    if (datalake_id := known(body.target_datalake_id)) is not None:
        changes["target_datalake_id"] = _datalake(state, call, datalake_id)["id"]
    deployment.update({key: value for key, value in changes.items() if value is not None})
    state.store.documents.save("deployment", deployment)
    return views.deployment(state, call, deployment)


def delete_deployment(state: State, call: Call) -> None:
    """Delete a deployment with its predicted assets; its data stay. assumed: `force_delete` changes nothing."""
    deployment = state.in_path(call, "deployment")
    call.query.boolean("force_delete")
    documents = state.store.documents
    for campaign in documents.list("campaign", deployment_id=deployment["id"]):
        state.store.assignments.delete("campaign_id = ?", campaign["id"])
        documents.remove("step", [step["id"] for step in documents.list("step", campaign_id=campaign["id"])])
        documents.remove("campaign", [campaign["id"]])
    state.store.predictions.delete("deployment_id = ?", deployment["id"])
    documents.remove("label", [label["id"] for label in documents.list("label", deployment_id=deployment["id"])])
    documents.remove("access", [access["id"] for access in documents.list("access", resource_id=deployment["id"])])
    documents.remove("deployment", [deployment["id"]])


def set_model(state: State, call: Call, body: ModelVersionRequest) -> Json:
    """Make a model version the champion. assumed: it has to be of the deployment's type."""
    deployment = state.in_path(call, "deployment")
    model_version = state.document(call, "model_version", str(body.model_version_id))
    put_champion(state, deployment, _check_type(model_version, deployment["type"]))
    return views.deployment(state, call, deployment)


def put_champion(state: State, deployment: Document, model_version: Document) -> None:
    """Make a model version the champion; labels that it brings are added."""
    deployment["model_version_id"] = model_version["id"]
    state.store.documents.save("deployment", deployment)
    names = {label["name"] for label in state.store.documents.list("label", deployment_id=deployment["id"])}
    labels: dict[str, str] = model_version["labels"] or {}
    seed.add_labels(state.store, deployment, {key: name for key, name in labels.items() if name not in names})


def set_shadow_model(state: State, call: Call, body: ModelVersionRequest) -> Json:
    """Let a model version run beside the champion."""
    deployment = state.in_path(call, "deployment")
    model_version = state.document(call, "model_version", str(body.model_version_id))
    deployment["shadow_model_version_id"] = _check_type(model_version, deployment["type"])["id"]
    state.store.documents.save("deployment", deployment)
    return views.deployment(state, call, deployment)


def list_deployment_labels(state: State, call: Call) -> Json:
    """List the labels that reviews of the deployment use."""
    deployment = state.in_path(call, "deployment")
    labels = state.store.documents.list("label", deployment_id=deployment["id"])
    return listing.simple(call, labels, views.label)


def get_deployment_connector(state: State, call: Call) -> Json:
    """Return the storage of the target datalake."""
    return views.plain(state.connector_of(state.in_path(call, "deployment")))


def list_deployment_users(state: State, call: Call) -> Json:
    """List who may work on the deployment, and so review its predictions."""
    deployment = state.in_path(call, "deployment")
    access = state.store.documents.list("access", resource="deployment", resource_id=deployment["id"])
    users = [state.store.documents.get("user", entry["user_id"]) for entry in access]
    return listing.simple(call, users, views.user, "users")


def add_deployment_user(state: State, call: Call, body: AddUserRequest) -> Json:
    """Let a user of the organization work on the deployment; one who may already gets the role (assumed)."""
    deployment = state.in_path(call, "deployment")
    user = state.document(call, "user", str(body.user_id))
    facts = {"resource": "deployment", "resource_id": deployment["id"], "user_id": user["id"]}
    access = state.store.documents.find("access", **facts) or state.store.documents.add("access", **facts, role="USER")
    access["role"] = known(body.role) or access["role"]
    state.store.documents.save("access", access)
    return views.user(user)
