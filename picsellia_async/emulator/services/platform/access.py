"""Handlers of users, jobs and labels (docs/wire.md#user-endpoints)."""

from __future__ import annotations

from typing import Final

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import UpdateLabelRequest
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import paging
from picsellia_async.emulator.refusal import Refusal, forbidden
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import find, in_path, list_of_organization

_OLD_STATUSES: Final = {"SUCCEEDED": "SUCCESS", "KILLED": "TERMINATED"}
"""Words of older jobs for the states of newer ones, where they differ."""


def list_users(state: State, call: Call) -> JsonObject:
    """List the users of an organization, or the one of a name."""
    name = call.query.text("username")
    found = list_of_organization(state, call, "user")
    return paging.simple(call.query, [user for user in found if name in (None, user["username"])], views.user, "users")


def find_job(state: State, call: Call) -> JsonObject:
    """Find a job by id."""
    return views.plain(find(state, call, "job", "id", call.query.required("id")))


def get_job(state: State, call: Call) -> JsonObject:
    """Return a job."""
    return views.plain(in_path(state, call, "job"))


def get_old_job(state: State, call: Call) -> JsonObject:
    """Return a job in the words of older jobs."""
    job = in_path(state, call, "job")
    return {**views.plain(job), "status": _OLD_STATUSES.get(job["status"], job["status"])}


def get_label(state: State, call: Call) -> JsonObject:
    """Return a label."""
    return views.label(in_path(state, call, "label"))


def update_label(state: State, call: Call, body: UpdateLabelRequest) -> None:  # noqa: ARG001 - read, then refused
    """Refuse: every label here is a deployment's, and those cannot be changed."""
    raise _fixed(state, call)


def delete_label(state: State, call: Call) -> None:
    """Refuse, as `update_label` does."""
    raise _fixed(state, call)


def _fixed(state: State, call: Call) -> Refusal:
    label = in_path(state, call, "label")
    return forbidden(f"the label {label['name']!r} belongs to a deployment and cannot be changed")  # assumed: 403
