"""Handlers of models, their versions, and the experiments behind them (docs/wire.md#model-endpoints)."""

from __future__ import annotations

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import paging
from picsellia_async.emulator.refusal import not_found
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import find, in_path, list_of_organization
from picsellia_async.emulator.store.documents import Document


def find_model(state: State, call: Call) -> JsonObject:
    """Find a model by name or id."""
    return views.with_tags(state, find(state, call, "model", *call.query.one_of("name", "id")))


def list_models(state: State, call: Call) -> JsonObject:
    """List the models of an organization."""
    found = list_of_organization(state, call, "model")
    return paging.simple(call.query, found, lambda document: views.with_tags(state, document))


def get_model(state: State, call: Call) -> JsonObject:
    """Return a model."""
    return views.with_tags(state, in_path(state, call, "model"))


def find_version_of_model(state: State, call: Call) -> JsonObject:
    """Find a version of a model by name or number. assumed: `latest` is the highest number unless one is called so."""
    model = in_path(state, call, "model")
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


def list_model_versions(state: State, call: Call) -> JsonObject:
    """List the versions of a model."""
    model = in_path(state, call, "model")
    found = state.store.documents.list("model_version", model_id=model["id"])
    return paging.simple(call.query, found, lambda document: views.model_version(state, document))


def find_model_version(state: State, call: Call) -> JsonObject:
    """Find a model version by id."""
    return views.model_version(state, find(state, call, "model_version", "id", call.query.required("id")))


def get_model_version(state: State, call: Call) -> JsonObject:
    """Return a model version."""
    return views.model_version(state, in_path(state, call, "model_version"))


def get_model_context(state: State, call: Call) -> JsonObject:
    """Return what a model version was made from."""
    return _context(in_path(state, call, "model_version"))


def get_context(state: State, call: Call) -> JsonObject:
    """Return a context by its own id. assumed: it is that of the model version."""
    return _context(in_path(state, call, "model_version", "context_id"))


def _context(model_version: Document) -> JsonObject:
    return {
        "id": model_version["id"],
        "experiment_id": model_version["experiment_id"],
        "datas": [{**data, "repartition": {}} for data in model_version["trained_with"]],
        "parameters": model_version["parameters"],
    }


def get_public_model_context(state: State, call: Call) -> JsonObject:
    """Return what a model version was made from. assumed: as for members."""
    return get_model_context(state, call)


def _experiment(document: Document) -> JsonObject:
    return {key: document[key] for key in ("id", "name", "project_id", "status")}


def find_experiment(state: State, call: Call) -> JsonObject:
    """Find an experiment by id."""
    return _experiment(find(state, call, "experiment", "id", call.query.required("id")))


def get_experiment(state: State, call: Call) -> JsonObject:
    """Return an experiment."""
    return _experiment(in_path(state, call, "experiment"))


def find_experiment_log(state: State, call: Call) -> JsonObject:
    """Find a log of an experiment by name."""
    experiment = in_path(state, call, "experiment")
    name = call.query.required("name")
    found = state.store.documents.find("log", experiment_id=experiment["id"], name=name)
    if found is None:
        raise not_found("log", name)
    return {key: found[key] for key in ("id", "name", "type", "data")}
