"""Handlers of users, jobs and labels (docs/wire.md#user-endpoints)."""

from __future__ import annotations

from typing import Any, Final

from picsellia_async._wire.platform_requests import UpdateLabelRequest
from picsellia_async.emulator.context import Call, Refusal, forbidden
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.query import paging as listing
from picsellia_async.emulator.store.state import State

Json = dict[str, Any]

_OLD_STATUSES: Final = {"SUCCEEDED": "SUCCESS", "KILLED": "TERMINATED"}
"""Words of older jobs for the states of newer ones, where they differ."""


def list_users(state: State, call: Call) -> Json:
    """List the users of an organization, or the one of a name."""
    organization = state.organization(call)
    name = call.query.text("username")
    found = state.store.documents.list("user", organization_id=organization["id"])
    return listing.simple(call, [user for user in found if name in (None, user["username"])], views.user, "users")


def find_job(state: State, call: Call) -> Json:
    """Find a job by id."""
    return views.plain(state.find(call, "job", "id", call.query.required("id")))


def get_job(state: State, call: Call) -> Json:
    """Return a job."""
    return views.plain(state.in_path(call, "job"))


def get_old_job(state: State, call: Call) -> Json:
    """Return a job in the words of older jobs."""
    job = state.in_path(call, "job")
    return {**views.plain(job), "status": _OLD_STATUSES.get(job["status"], job["status"])}


def get_label(state: State, call: Call) -> Json:
    """Return a label."""
    return views.label(state.in_path(call, "label"))


def update_label(state: State, call: Call, body: UpdateLabelRequest) -> None:  # noqa: ARG001 - read, then refused
    """Refuse: every label here is a deployment's, and those cannot be changed."""
    raise _fixed(state, call)


def delete_label(state: State, call: Call) -> None:
    """Refuse, as `update_label` does."""
    raise _fixed(state, call)


def _fixed(state: State, call: Call) -> Refusal:
    label = state.in_path(call, "label")
    return forbidden(f"the label {label['name']!r} belongs to a deployment and cannot be changed")  # assumed: 403
