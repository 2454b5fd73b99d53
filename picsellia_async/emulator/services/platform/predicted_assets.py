"""Handlers of predicted assets (docs/wire.md#predicted-asset-endpoints): find, list, show, delete, review."""

from __future__ import annotations

from typing import Final

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import ReviewRequest
from picsellia_async.emulator.domain import reviews, views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import paging
from picsellia_async.emulator.query.paging import Paged, Where, has_custom_metadata
from picsellia_async.emulator.refusal import Refusal, bad_request, not_found, unprocessable
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import in_path

_COLUMNS: Final = {
    "id": "asset_id",
    "created_at": "received_at",
    "filename": "filename",
    "data.filename": "filename",
    "object_name": "object_name",
    "data.object_name": "object_name",
    "oracle_prediction_id": "id",
    "timestamp": "timestamp",
    "latency": "latency",
    "status": "status",
    "source": "source",
}
"""What predicted assets can be ordered by. assumed."""

_KEYS: Final = {
    "id": "asset_id", "oracle_prediction_id": "id", "object_name": "object_name", "filename": "filename", "data_id": "data_id",
}  # fmt: skip


def _visible(state: State, deployment_id: str) -> Where:
    where = Where()
    where.add("deployment_id = ? and asset_id is not null", deployment_id)
    if state.options.visibility_delay:
        where.add("visible_at <= ?", state.clock())
    return where


def find_predicted_asset(state: State, call: Call) -> JsonObject:
    """Find the one predicted asset that has all the given properties."""
    deployment = in_path(state, call, "deployment")
    where = _visible(state, deployment["id"])
    asked = 0
    for name, column in _KEYS.items():
        is_id = name.endswith("id")
        value = call.query.uuid(name) if is_id else call.query.text(name)
        if value is not None:
            asked += 1
            where.add(f"{column} = ?", value)
    if not asked:
        raise unprocessable(f"at least one of {', '.join(_KEYS)} must be in the query")
    rows = state.store.predictions.select(where.text(), *where.values, limit=2)
    if not rows:
        raise not_found("predicted asset", "with these properties")
    if len(rows) > 1:
        raise bad_request("more than one predicted asset has these properties")  # assumed: 400
    return views.predicted_asset(state, call, rows[0])


def list_predicted_assets(state: State, call: Call) -> JsonObject:
    """List the predicted assets of a deployment."""
    deployment = in_path(state, call, "deployment")
    paging.check_listed_kinds(call.query)
    where = _visible(state, deployment["id"])
    _restrict_to_assignments(call, where)
    metadata = call.query.json("custom_metadata")
    where.add_custom_metadata(metadata, "(select custom_metadata from data where data.id = data_id)")
    page = Paged(
        table=state.store.predictions,
        where=where,
        show=lambda rows: views.predicted_assets(state, call, rows),
        columns=_COLUMNS,
        matches=has_custom_metadata(metadata, "data.custom_metadata"),
    )
    return page.page(call.query)


def _restrict_to_assignments(call: Call, where: Where) -> None:
    conditions, values = [], []
    for name, column in (
        ("assignment_status", "status"), ("assignment_step_id", "step_id"), ("assignment_user_id", "user_id"),
    ):  # fmt: skip
        value = call.query.text(name)
        if value == "unassigned" and column == "user_id":
            conditions.append("user_id is null")
        elif value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if conditions:
        where.add(f"asset_id in (select asset_id from assignment where {' and '.join(conditions)})", *values)  # noqa: S608


def get_predicted_asset(state: State, call: Call) -> JsonObject:
    """Return a predicted asset with its predictions and reviews."""
    row = state.predicted_asset(call, call.id("predicted_asset_id", "predicted asset"))
    return views.predicted_asset(state, call, row)


def delete_predicted_asset(state: State, call: Call) -> None:
    """Delete a predicted asset; its data stays, and what monitoring counted too."""
    row = state.predicted_asset(call, call.id("predicted_asset_id", "predicted asset"))
    state.store.predictions.update(row.id, asset_id=None, data_id=None)
    state.store.assignments.delete("asset_id = ?", row.asset_id)


def add_review(state: State, call: Call, body: ReviewRequest) -> JsonObject:
    """Review a predicted asset; a review is final.

    Raises:
        Refusal: 409, it was reviewed before; 400, 404, 422, the shapes cannot be used.
    """
    row = state.predicted_asset(call, call.id("predicted_asset_id", "predicted asset"))
    deployment = state.document(call, "deployment", row.deployment_id)
    if row.status != "TO_REVIEW":
        raise Refusal(409, "this predicted asset was reviewed before")  # assumed: 409
    review = reviews.read(state, call, deployment, body)
    reviews.apply(state, deployment, row, review)
    return review
