"""Handlers of deployments themselves (WIRE.md 8.1, 8.2): find, list, create, change, delete; models, labels, connector."""

from __future__ import annotations

from typing import Any

from picsellia_async.emulator import listing, views
from picsellia_async.emulator.call import Call, not_found
from picsellia_async.emulator.state import State

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


def get_deployment(state: State, call: Call) -> Json:
    """Return a deployment."""
    return views.deployment(state, call, state.in_path(call, "deployment"))
