"""Handlers of the first calls of a client: ping and organizations (docs/wire.md#connecting)."""

from __future__ import annotations

from typing import Final

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.refusal import not_found
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import organization_in_path

SDK_VERSION: Final = "6.37.0"
"""Version of the vendor's SDK that the emulator was made for; an older one warns its user."""


def ping(_state: State, call: Call) -> JsonObject:
    """Tell whose token it is, and which version of the vendor's SDK the emulator speaks."""
    return {
        "sdk_version": SDK_VERSION,
        "default_organization": call.organization_id,
        "username": call.user["username"],
    }


def find_organization(state: State, call: Call) -> JsonObject:
    """Find an organization of the user by name."""
    name = call.query.required("name")
    organization = state.store.documents.find("organization", name=name)
    if organization is None or organization["id"] != call.organization_id:
        # assumed: what one may not see does not exist
        raise not_found("organization", name)
    return organization


def get_organization(state: State, call: Call) -> JsonObject:
    """Return an organization of the user."""
    return organization_in_path(state, call)
