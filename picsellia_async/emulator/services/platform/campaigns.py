"""Handlers of review campaigns and their steps (docs/wire.md#predicted-asset-endpoints)."""

from __future__ import annotations

from typing import Final

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import (
    AddStepRequest,
    Assignee,
    CreateCampaignRequest,
    DeleteStepRequest,
    UpdateCampaignRequest,
    UpdateStepRequest,
)
from picsellia_async._wire.unset import UNSET, Unset, or_none
from picsellia_async.emulator.domain import campaigns, views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import paging
from picsellia_async.emulator.refusal import bad_request, conflict
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import in_path, list_of_organization
from picsellia_async.emulator.store.documents import Document

_TEXTS: Final = ("description", "instructions_text", "end_date", "auto_add_new_assets", "auto_close_on_completion")


def create_campaign(state: State, call: Call, body: CreateCampaignRequest) -> JsonObject:
    """Begin the review campaign of a deployment; there is one at most (docs/wire.md#limits)."""
    deployment = in_path(state, call, "deployment")
    if state.store.documents.find("campaign", deployment_id=deployment["id"]):
        raise conflict("this deployment has a review campaign already")
    campaign = state.store.documents.add(
        "campaign", organization_id=call.organization_id, deployment_id=deployment["id"],
        **{name: getattr(body, name) for name in _TEXTS},
        instructions_object_name=_instructions(state, deployment, or_none(body.instructions_object_name)),
        default_entry_step_id=None, is_closed=False, created_at=views.iso(state.clock()),
    )  # fmt: skip
    return views.plain(campaign)


def _instructions(state: State, deployment: Document, object_name: str | None) -> str | None:
    if object_name is None:
        return None
    connector_id = state.store.documents.get("organization", deployment["organization_id"])["default_connector_id"]
    if not state.store.objects.count("id = ?", f"{connector_id}/{object_name}"):
        raise bad_request(f"no object {object_name} in the storage")  # assumed: it has to be uploaded before
    return object_name


def list_campaigns(state: State, call: Call) -> JsonObject:
    """List the review campaigns of an organization, the open or the closed ones where `is_closed` is given."""
    is_closed = call.query.boolean("is_closed")
    found = list_of_organization(state, call, "campaign")
    shown = [campaign for campaign in found if is_closed in (None, campaign["is_closed"])]
    return paging.simple(call.query, shown, views.plain)


def get_campaign(state: State, call: Call) -> JsonObject:
    """Return a review campaign."""
    return views.plain(in_path(state, call, "campaign"))


def update_campaign(state: State, call: Call, body: UpdateCampaignRequest) -> JsonObject:
    """Change what is given; the rest stays."""
    campaign = in_path(state, call, "campaign")
    changes: JsonObject = {name: or_none(getattr(body, name)) for name in _TEXTS}
    deployment = state.document(call, "deployment", campaign["deployment_id"])
    changes["instructions_object_name"] = _instructions(state, deployment, or_none(body.instructions_object_name))
    if (step_id := or_none(body.default_entry_step_id)) is not None:
        changes["default_entry_step_id"] = _step_of(state, call, campaign, str(step_id))["id"]
    campaign.update({name: value for name, value in changes.items() if value is not None})
    state.store.documents.save("campaign", campaign)
    return views.plain(campaign)


def _step_of(state: State, call: Call, campaign: Document, step_id: str) -> Document:
    step = state.document(call, "step", step_id)
    if step["campaign_id"] != campaign["id"]:
        raise bad_request("the step belongs to another campaign")
    return step


def delete_campaign(state: State, call: Call) -> None:
    """Delete a review campaign with its steps and tasks; reviews stay."""
    campaign = in_path(state, call, "campaign")
    state.store.assignments.delete("campaign_id = ?", campaign["id"])
    state.store.documents.remove("step", [step["id"] for step in campaigns.steps_of(state, campaign)])
    state.store.documents.remove("campaign", [campaign["id"]])


def close_campaign(state: State, call: Call) -> JsonObject:
    """Close a review campaign. Closing twice is fine."""
    return _set_closed(state, call, is_closed=True)


def reopen_campaign(state: State, call: Call) -> JsonObject:
    """Open a review campaign again. Opening twice is fine."""
    return _set_closed(state, call, is_closed=False)


def _set_closed(state: State, call: Call, *, is_closed: bool) -> JsonObject:
    campaign = in_path(state, call, "campaign")
    campaign["is_closed"] = is_closed
    state.store.documents.save("campaign", campaign)
    return views.plain(campaign)


def add_campaign_step(state: State, call: Call, body: AddStepRequest) -> JsonObject:
    """Add a step; without an order it comes last."""
    campaign = in_path(state, call, "campaign")
    steps = campaigns.steps_of(state, campaign)
    if any(step["name"] == body.name for step in steps):
        raise conflict(f"there is a step called {body.name!r} already")
    last = steps[-1]["order"] + 1 if steps else 0
    step = state.store.documents.add(
        "step", organization_id=call.organization_id, campaign_id=campaign["id"], name=body.name, type=body.type.value,
        description=body.description, order=last if body.order is None else body.order, sample_rate=body.sample_rate,
        assignees=_assignees(state, call, body.assignees) or [],
    )  # fmt: skip
    return views.plain(step)


def _assignees(state: State, call: Call, assignees: list[Assignee] | Unset) -> list[JsonObject] | None:
    if assignees is UNSET:
        return None
    users = [state.document(call, "user", str(entry.user_id)) for entry in assignees]
    return [{"user_id": user["id"], "weight": entry.weight} for user, entry in zip(users, assignees, strict=True)]


def list_campaign_steps(state: State, call: Call) -> JsonObject:
    """List the steps of a campaign in their order."""
    return paging.simple(call.query, campaigns.steps_of(state, in_path(state, call, "campaign")), views.plain)


def get_campaign_step(state: State, call: Call) -> JsonObject:
    """Return a step."""
    return views.plain(in_path(state, call, "step"))


def update_campaign_step(state: State, call: Call, body: UpdateStepRequest) -> JsonObject:
    """Change what is given; the rest stays."""
    step = in_path(state, call, "step")
    changes: JsonObject = {
        "name": or_none(body.name), "sample_rate": or_none(body.sample_rate), "assignees": _assignees(state, call, body.assignees),
    }  # fmt: skip
    step.update({name: value for name, value in changes.items() if value is not None})
    state.store.documents.save("step", step)
    return views.plain(step)


def delete_campaign_step(state: State, call: Call, body: DeleteStepRequest) -> None:
    """Delete a step; its open tasks go to another step of the campaign."""
    step = in_path(state, call, "step")
    campaign = state.document(call, "campaign", step["campaign_id"])
    destination = _step_of(state, call, campaign, str(body.destination_step_id_for_pending_assignments))
    if destination["id"] == step["id"]:
        raise bad_request("the tasks of a deleted step must go to another step")
    for row in state.store.assignments.select("step_id = ?", step["id"]):
        state.store.assignments.update(row.id, step_id=destination["id"])
    if campaign["default_entry_step_id"] == step["id"]:
        campaign["default_entry_step_id"] = None
        state.store.documents.save("campaign", campaign)
    state.store.documents.remove("step", [step["id"]])


def redistribute_assignments(state: State, call: Call) -> None:
    """Hand the open tasks of a step out to its assignees anew."""
    campaigns.redistribute(state, in_path(state, call, "step"))
