"""Handlers of models, their versions, and the experiments behind them (docs/wire.md#model-endpoints)."""

from __future__ import annotations

from typing import Any

from picsellia_async.emulator.context import Call, not_found
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.query import paging as listing
from picsellia_async.emulator.store.state import State
from picsellia_async.emulator.store.store import Document

Json = dict[str, Any]


def _show(state: State, document: Document) -> Json:
    return {**views.plain(document), "tags": views.tags(state, document["tag_ids"])}


def find_model(state: State, call: Call) -> Json:
    """Find a model by name or id."""
    return _show(state, state.find(call, "model", *call.query.one_of("name", "id")))


def list_models(state: State, call: Call) -> Json:
    """List the models of an organization."""
    organization = state.organization(call)
    found = state.store.documents.list("model", organization_id=organization["id"])
    return listing.simple(call, found, lambda document: _show(state, document))


def get_model(state: State, call: Call) -> Json:
    """Return a model."""
    return _show(state, state.in_path(call, "model"))


def find_version_of_model(state: State, call: Call) -> Json:
    """Find a version of a model by name or number. assumed: `latest` is the highest number unless one is called so."""
    model = state.in_path(call, "model")
    key, value = call.query.one_of("name", "version")
    versions = state.store.documents.list("model_version", model_id=model["id"])
    if key == "version":
        number = call.query.integer("version")
        matching = [version for version in versions if version["version"] == number]
    else:
        matching = [version for version in versions if version["name"] == value]
        if not matching and value == "latest" and versions:
            matching = [max(versions, key=lambda version: int(version["version"]))]
    if not matching:
        raise not_found(f"version of the model {model['name']}", value)
    return views.model_version(state, matching[0])


def list_model_versions(state: State, call: Call) -> Json:
    """List the versions of a model."""
    model = state.in_path(call, "model")
    found = state.store.documents.list("model_version", model_id=model["id"])
    return listing.simple(call, found, lambda document: views.model_version(state, document))


def find_model_version(state: State, call: Call) -> Json:
    """Find a model version by id."""
    return views.model_version(state, state.find(call, "model_version", "id", call.query.required("id")))


def get_model_version(state: State, call: Call) -> Json:
    """Return a model version."""
    return views.model_version(state, state.in_path(call, "model_version"))


def get_model_context(state: State, call: Call) -> Json:
    """Return what a model version was made from."""
    return _context(state.in_path(call, "model_version"))


def get_context(state: State, call: Call) -> Json:
    """Return a context by its own id. assumed: it is that of the model version."""
    return _context(state.in_path(call, "model_version", "context_id"))


def _context(model_version: Document) -> Json:
    return {
        "id": model_version["id"],
        "experiment_id": model_version["experiment_id"],
        "datas": [{**data, "repartition": {}} for data in model_version["trained_with"]],
        "parameters": model_version["parameters"],
    }


def get_public_model_context(state: State, call: Call) -> Json:
    """Return what a model version was made from. assumed: as for members."""
    return get_model_context(state, call)


def _experiment(document: Document) -> Json:
    return {key: document[key] for key in ("id", "name", "project_id", "status")}


def find_experiment(state: State, call: Call) -> Json:
    """Find an experiment by id."""
    return _experiment(state.find(call, "experiment", "id", call.query.required("id")))


def get_experiment(state: State, call: Call) -> Json:
    """Return an experiment."""
    return _experiment(state.in_path(call, "experiment"))


def find_experiment_log(state: State, call: Call) -> Json:
    """Find a log of an experiment by name."""
    experiment = state.in_path(call, "experiment")
    name = call.query.required("name")
    found = state.store.documents.find("log", experiment_id=experiment["id"], name=name)
    if found is None:
        raise not_found("log", name)
    return {key: found[key] for key in ("id", "name", "type", "data")}
