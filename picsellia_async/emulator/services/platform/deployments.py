"""Handlers of deployments themselves (docs/wire.md#organization-endpoints, docs/wire.md#deployment-endpoints): find, list, create, change, delete; models, labels, connector, users."""

from __future__ import annotations

from uuid import UUID

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import (
    AddUserRequest,
    CreateDeploymentRequest,
    DeployModelVersionRequest,
    ModelVersionRequest,
    UpdateDeploymentRequest,
)
from picsellia_async._wire.unset import or_none
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.domain.champion import add_labels, put_champion
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import paging
from picsellia_async.emulator.refusal import bad_request, conflict, not_found
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import in_path, list_of_organization, organization_in_path
from picsellia_async.emulator.store.documents import Document


def find_deployment(state: State, call: Call) -> JsonObject:
    """Find a deployment by name or id."""
    organization = organization_in_path(state, call)
    key, value = call.query.one_of("name", "id")
    found = state.store.documents.find("deployment", organization_id=organization["id"], **{key: value})
    if found is None:
        raise not_found("deployment", value)
    return views.deployment(state, call, found)


def list_deployments(state: State, call: Call) -> JsonObject:
    """List the deployments of an organization."""
    found = list_of_organization(state, call, "deployment")
    return paging.simple(call.query, found, lambda document: views.deployment(state, call, document))


def create_deployment(state: State, call: Call, body: CreateDeploymentRequest) -> JsonObject:
    """Deploy a model version."""
    organization_in_path(state, call)
    shadow = or_none(body.shadow_model_version_id)
    return _create(
        state,
        call,
        str(body.model_version_id),
        name=or_none(body.name),
        min_threshold=or_none(body.min_threshold),
        datalake_id=or_none(body.target_datalake_id),
        shadow_model_version_id=None if shadow is None else str(shadow),
        is_serving=not or_none(body.disable_serving),
    )


def deploy_model_version(state: State, call: Call, body: DeployModelVersionRequest) -> JsonObject:
    """Deploy the model version of the path."""
    return _create(
        state,
        call,
        call.id("model_version_id", "model version"),
        name=or_none(body.name),
        min_threshold=or_none(body.min_threshold),
        datalake_id=or_none(body.target_datalake_id),
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
) -> JsonObject:
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
    add_labels(state.store, deployment, model_version["labels"] or {})
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


def get_deployment(state: State, call: Call) -> JsonObject:
    """Return a deployment."""
    return views.deployment(state, call, in_path(state, call, "deployment"))


def update_deployment(state: State, call: Call, body: UpdateDeploymentRequest) -> JsonObject:
    """Change what is given; the rest stays."""
    deployment = in_path(state, call, "deployment")
    changes: JsonObject = {
        "name": or_none(body.name), "min_threshold": or_none(body.min_threshold), "sample_rate": or_none(body.sample_rate),
    }  # fmt: skip
    if changes["name"] is not None:
        _free_name(state, call, changes["name"], deployment["id"])
    if (datalake_id := or_none(body.target_datalake_id)) is not None:
        changes["target_datalake_id"] = _datalake(state, call, datalake_id)["id"]
    deployment.update({key: value for key, value in changes.items() if value is not None})
    state.store.documents.save("deployment", deployment)
    return views.deployment(state, call, deployment)


def delete_deployment(state: State, call: Call) -> None:
    """Delete a deployment with its predicted assets; its data stay. assumed: `force_delete` changes nothing."""
    deployment = in_path(state, call, "deployment")
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


def set_model(state: State, call: Call, body: ModelVersionRequest) -> JsonObject:
    """Make a model version the champion. assumed: it has to be of the deployment's type."""
    deployment = in_path(state, call, "deployment")
    model_version = state.document(call, "model_version", str(body.model_version_id))
    put_champion(state, deployment, _check_type(model_version, deployment["type"]))
    return views.deployment(state, call, deployment)


def set_shadow_model(state: State, call: Call, body: ModelVersionRequest) -> JsonObject:
    """Let a model version run beside the champion."""
    deployment = in_path(state, call, "deployment")
    model_version = state.document(call, "model_version", str(body.model_version_id))
    deployment["shadow_model_version_id"] = _check_type(model_version, deployment["type"])["id"]
    state.store.documents.save("deployment", deployment)
    return views.deployment(state, call, deployment)


def list_deployment_labels(state: State, call: Call) -> JsonObject:
    """List the labels that reviews of the deployment use."""
    deployment = in_path(state, call, "deployment")
    labels = state.store.documents.list("label", deployment_id=deployment["id"])
    return paging.simple(call.query, labels, views.label)


def get_deployment_connector(state: State, call: Call) -> JsonObject:
    """Return the storage of the target datalake."""
    return views.plain(state.connector_of(in_path(state, call, "deployment")))


def list_deployment_users(state: State, call: Call) -> JsonObject:
    """List who may work on the deployment, and so review its predictions."""
    deployment = in_path(state, call, "deployment")
    access = state.store.documents.list("access", resource="deployment", resource_id=deployment["id"])
    users = [state.store.documents.get("user", entry["user_id"]) for entry in access]
    return paging.simple(call.query, users, views.user, "users")


def add_deployment_user(state: State, call: Call, body: AddUserRequest) -> JsonObject:
    """Let a user of the organization work on the deployment; one who may already gets the role (assumed)."""
    deployment = in_path(state, call, "deployment")
    user = state.document(call, "user", str(body.user_id))
    facts = {"resource": "deployment", "resource_id": deployment["id"], "user_id": user["id"]}
    access = state.store.documents.find("access", **facts) or state.store.documents.add("access", **facts, role="USER")
    access["role"] = or_none(body.role) or access["role"]
    state.store.documents.save("access", access)
    return views.user(user)
