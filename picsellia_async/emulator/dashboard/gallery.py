"""The first page: a grid of what arrived, newest first, in pages by key, for the filter of the URL."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import attrs

from picsellia_async.emulator.dashboard.drawn_prediction import Tile, tile
from picsellia_async.emulator.dashboard.filters import Filter, Labels, search
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.refusal import unprocessable
from picsellia_async.emulator.store.rows import PredictionRow
from picsellia_async.emulator.transport.journal import Journal

PAGE: Final = 48
"""Pictures of one page of the grid; divided by 2, 3, 4 and 6, the number of columns."""
_CHOICES: Final = 200
"""Names that a field of the filter offers."""


@attrs.frozen
class Look:
    """What the pages need to know beside the predictions: read on the event loop, used in a thread."""

    labels: Labels
    """Label maps."""
    deployments: dict[str, str]
    """Names by id."""

    @classmethod
    def at(cls, state: State) -> Look:
        """Return what is there now, as copies."""
        documents = state.store.documents
        return cls(
            {one["id"]: dict(one["labels"]) for one in documents.list("model_version")},
            {one["id"]: one["name"] for one in documents.list("deployment")},
        )

    def tiles(self, rows: list[PredictionRow], wanted: Filter) -> list[Tile]:
        """Return the tiles of some predictions."""
        return [tile(row, self.labels, self.deployments, wanted) for row in rows]


async def context(state: State, query: Parameters) -> dict[str, Any]:
    """Return what the page shows.

    Raises:
        Refusal: 422, the filter cannot be read.
    """
    wanted, before = Filter.of(query), query.integer("before")
    check_known(query)
    look = Look.at(state)
    rows = await search(state.store.predictions, wanted, look.labels, PAGE + 1, before=before)
    shown = rows[:PAGE]
    return {
        "here": "",
        "tiles": await asyncio.to_thread(look.tiles, shown, wanted),
        "filter": wanted,
        "values": wanted.pairs(),
        "is_first": before is None,
        "newest": wanted.query(),
        "older": wanted.query(before=shown[-1].seq) if len(rows) > PAGE else None,
        "choices": _choices(state, look),
        "deployments": [
            (one, state.store.predictions.count("deployment_id = ?", one["id"]), Filter(deployment=one["id"]).query())
            for one in state.store.documents.list("deployment")
        ],
    }


def check_known(query: Parameters) -> None:
    """Refuse names that the page does not know: a filter with a slip in it would show everything.

    Raises:
        Refusal: 422.
    """
    if unknown := query.unknown():
        raise unprocessable("unknown names in the query", unknown)


def counters(state: State, journal: Journal, faults: int) -> dict[str, Any]:
    """Return the numbers at the head of every page."""
    return {
        "predictions": state.store.predictions.count(), "requests": journal.total, "failed": journal.failures, "faults": faults,
    }  # fmt: skip


def _choices(state: State, look: Look) -> dict[str, Any]:
    documents = state.store.documents
    names = {
        "source": {one["name"] for one in documents.list("datasource")},
        "tag": {one["name"] for one in documents.list("tag", target_type="DATA")},
        "class": {name for labels in look.labels.values() for name in labels.values()},
    }
    return {"deployment": look.deployments, **{field: sorted(found)[:_CHOICES] for field, found in names.items()}}
