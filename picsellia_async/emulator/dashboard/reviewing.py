"""Reviews made on a page: what is right of a prediction becomes a review of the API, made by the handler of the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs
import orjson

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import ReviewRequest
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.refusal import conflict, not_found, unprocessable
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.platform.predicted_assets import add_review
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import PredictionRow

_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "rectangles": ("x", "y", "w", "h"), "polygons": ("polygon",), "classifications": (), "lines": ("line",), "points": ("point",),
}  # fmt: skip
"""Kinds of shapes that a review can have (docs/wire.md#predicted-asset-endpoints), and their fields beside the label."""


@attrs.frozen(kw_only=True)
class Reviewing:
    """What a page says of the review of one prediction."""

    status: str
    review: JsonObject | None = None
    """The review that there is."""
    obstacle: str = ""
    """Why there can be none; empty where there can."""
    without_label: frozenset[int] = frozenset()
    """Shapes that no review can have: their class is no label of the deployment."""


def reviewing(state: State, row: PredictionRow) -> Reviewing:
    """Return whether a prediction can be reviewed, or how it was."""
    reviews = orjson.loads(row.reviews)
    if reviews:
        return Reviewing(status=row.status, review=reviews[-1])
    if row.asset_id is None:
        return Reviewing(
            status=row.status, obstacle="the sample rate left it out, so the platform has no asset to review"
        )
    kind, shapes = _shapes(state, row)
    if kind not in _FIELDS:
        return Reviewing(status=row.status, obstacle=f"the API has no reviews with {kind}")
    without = frozenset(index for index, shape in enumerate(shapes) if shape["label"]["id"] is None)
    return Reviewing(status=row.status, without_label=without)


def review(state: State, row: PredictionRow, right: Iterable[int], origin: str) -> JsonObject:
    """Review a prediction in the name of the first user of its organization, as `POST .../reviews` does.

    Args:
        state: Where it is.
        row: The prediction.
        right: Numbers of the champion's shapes that are right; without any, the review says that nothing is there.
        origin: As for `Caller`.

    Returns:
        The review, as the API answers it.

    Raises:
        Refusal: 409, it was reviewed before or cannot be; 404, 422, a shape is not there or has no label.
    """
    found = reviewing(state, row)
    if found.obstacle:
        raise conflict(found.obstacle)
    kind, shapes = _shapes(state, row)
    chosen = sorted(set(right))
    if missing := [index for index in chosen if not 0 <= index < len(shapes)]:
        raise unprocessable("the prediction has no such shapes", missing)
    if nameless := sorted(found.without_label & set(chosen)):
        raise unprocessable("the classes of these shapes are no labels of the deployment", nameless)
    fields = _FIELDS.get(kind, ())
    entries = [
        {**{field: shapes[index][field] for field in fields}, "label_id": shapes[index]["label"]["id"]}
        for index in chosen
    ]
    body = ReviewRequest(**({kind: entries} if entries else {}))
    call = Call(
        user=_reviewer(state, row), origin=origin, path={"predicted_asset_id": row.asset_id or ""}, query=Parameters([])
    )
    with state.store.transaction():
        return add_review(state, call, body)


def _shapes(state: State, row: PredictionRow) -> tuple[str, list[JsonObject]]:
    labels = {found["index"]: found for found in state.store.documents.list("label", deployment_id=row.deployment_id)}
    type_ = state.store.documents.get("deployment", row.deployment_id)["type"]
    [(kind, shapes)] = views.shapes(row.prediction(), labels, type_).items()
    return kind, shapes


def _reviewer(state: State, row: PredictionRow) -> Document:
    deployment: Any = state.store.documents.get("deployment", row.deployment_id)
    users = state.store.documents.list("user", organization_id=deployment["organization_id"])
    user = next((user for user in users if user["api_token"]), None)
    if user is None:
        raise not_found("user who could review")
    return user
