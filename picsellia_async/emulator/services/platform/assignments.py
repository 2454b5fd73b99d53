"""Handlers of the tasks of review campaigns (docs/wire.md#predicted-asset-endpoints): taking assets in, listing, handing over, counting."""

from __future__ import annotations

from typing import Final

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import EmptyRequest, ReassignRequest
from picsellia_async.emulator.domain import campaigns, views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import paging
from picsellia_async.emulator.query.paging import Paged, Where, has_custom_metadata
from picsellia_async.emulator.refusal import bad_request, unprocessable
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import in_path
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import AssignmentRow
from picsellia_async.enums import AssignmentStatus

_COLUMNS: Final = {"id": "id", "status": "status", "created_at": "seq"}


def _obstacle(state: State, campaign: Document) -> str | None:
    if campaign["is_closed"]:
        return "the campaign is closed"
    if campaigns.entry_step(state, campaign) is None:
        return "the campaign has no step"
    if not campaigns.unsynced(state, campaign):
        return "every asset has a task already"
    return None


def check_assignments_sync(state: State, call: Call) -> JsonObject:
    """Tell whether there are assets to take in, and if not, why."""
    campaign = in_path(state, call, "campaign")
    reason = _obstacle(state, campaign)
    count = len(campaigns.unsynced(state, campaign))
    return {"is_sync_available": reason is None, "reason": reason, "unsynced_item_count": count}


def sync_assignments(state: State, call: Call, body: EmptyRequest) -> JsonObject:  # noqa: ARG001 - `{}`
    """Make tasks of all assets that have none; the job is done when it is answered."""
    campaign = in_path(state, call, "campaign")
    reason = _obstacle(state, campaign)
    step = campaigns.entry_step(state, campaign)
    if reason is not None or step is None:
        raise bad_request(f"nothing can be taken in: {reason}")
    campaigns.add_tasks(state, campaign, step, campaigns.unsynced(state, campaign))
    return {"campaign": views.plain(campaign), "job": views.plain(state.finished_job(call.organization_id))}


def list_assignments(state: State, call: Call) -> JsonObject:
    """List the tasks of a campaign."""
    campaign = in_path(state, call, "campaign")
    paging.check_listed_kinds(call.query)
    where = Where()
    where.add("campaign_id = ?", campaign["id"])
    status = call.query.text("status")
    if status is not None:
        if status not in AssignmentStatus.__members__:
            raise unprocessable(f"status must be one of {', '.join(AssignmentStatus.__members__)}, got {status!r}")
        where.add("status = ?", status)
    if (step_id := call.query.uuid("step_id")) is not None:
        where.add("step_id = ?", step_id)
    _restrict_to_user(call, where)

    def show(rows: list[AssignmentRow]) -> list[JsonObject]:
        return views.assignments(state, call, rows)

    wanted = has_custom_metadata(call.query.json("custom_metadata"), "data.custom_metadata")
    page = Paged(table=state.store.assignments, where=where, show=show, columns=_COLUMNS, matches=wanted)
    return page.page(call.query)


def _restrict_to_user(call: Call, where: Where) -> None:
    if call.query.text("user_id") == "unassigned":
        where.add("user_id is null")
    elif (user_id := call.query.uuid("user_id")) is not None:
        where.add("user_id = ?", user_id)


def reassign_assignments(state: State, call: Call, body: ReassignRequest) -> JsonObject:
    """Give tasks to a user, or to nobody; ids that are no tasks of the campaign are left out of the answer (assumed)."""
    campaign = in_path(state, call, "campaign")
    user_id = None if body.user_id is None else state.document(call, "user", str(body.user_id))["id"]
    where = Where()
    where.add("campaign_id = ?", campaign["id"])
    where.add_any_of("id", [str(id_) for id_ in body.assignment_ids])
    rows = state.store.assignments.select(where.text(), *where.values)
    for row in rows:
        state.store.assignments.update(row.id, user_id=user_id)
    return {"processed_ids": [row.id for row in rows]}


def get_assignment(state: State, call: Call) -> JsonObject:
    """Return a task."""
    row = state.store.assignments.get(call.id("assignment_id", "assignment"), "assignment")
    state.document(call, "campaign", row.campaign_id)
    return views.assignments(state, call, [row])[0]


def count_campaign_issues(state: State, call: Call) -> list[JsonObject]:
    """Count the issues by reviewer. assumed: the wire has no way to raise one, so there are none."""
    campaign = in_path(state, call, "campaign")
    users, steps = call.query.texts("user_ids"), call.query.texts("step_ids")
    rows = state.store.assignments.select("campaign_id = ?", campaign["id"])
    found = dict.fromkeys(row.user_id for row in rows if not steps or row.step_id in steps)
    return [{"user_id": user, "opened": 0, "closed": 0} for user in found if not users or user in users]
