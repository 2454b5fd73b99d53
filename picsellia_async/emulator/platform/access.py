"""Handlers of users, jobs and labels (WIRE.md 8.10)."""

from __future__ import annotations

from typing import Any, Final

from picsellia_async._wire.platform_requests import UpdateLabelRequest
from picsellia_async.emulator import listing, views
from picsellia_async.emulator.call import Call, conflict, known
from picsellia_async.emulator.state import State

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


def update_label(state: State, call: Call, body: UpdateLabelRequest) -> Json:
    """Change what is given. assumed: the service may refuse this for labels of deployments."""
    label = state.in_path(call, "label")
    name = known(body.name)
    if name is not None:
        other = state.store.documents.find("label", deployment_id=label["deployment_id"], name=name)
        if other is not None and other["id"] != label["id"]:
            raise conflict(f"there is a label called {name!r} already")
        label["name"] = name
    if (group_id := known(body.group_id)) is not None:
        label["group_id"] = str(group_id)
    state.store.documents.save("label", label)
    return views.label(label)


def delete_label(state: State, call: Call) -> None:
    """Delete a label; predictions of its class keep their index."""
    state.store.documents.remove("label", [state.in_path(call, "label")["id"]])
