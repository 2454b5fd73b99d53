"""The page of one prediction: its image with all shapes, the shadow's beside it, what was said of it, its request, its review."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
import orjson

from picsellia_async.emulator.dashboard.drawn_prediction import Picture, coordinates, path_of, picture
from picsellia_async.emulator.dashboard.filters import Filter, names_of, search
from picsellia_async.emulator.dashboard.gallery import Look, check_known
from picsellia_async.emulator.dashboard.overlay import SHAPES_MAX, Shape, shapes_of
from picsellia_async.emulator.dashboard.pages import moment
from picsellia_async.emulator.dashboard.reviewing import Reviewing, reviewing
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.store.rows import PredictionRow
from picsellia_async.emulator.transport.journal import Entry, Journal

_ENDPOINTS: Final = frozenset({"monitor", "predict", "predict_cloud_image"})
"""Endpoints whose requests make predictions."""


@attrs.frozen(kw_only=True)
class Side:
    """One model's prediction."""

    title: str
    name: str
    """Part of the keys that join a shape with its row in the table."""
    picture: Picture
    shapes: list[tuple[Shape, str]]
    """Those that are drawn, with their coordinates as a text."""
    count: int
    """All of them."""
    is_whole: bool
    """Whether they are classes of the whole image."""
    latency: float | None


async def context(state: State, journal: Journal, row: PredictionRow, query: Parameters) -> dict[str, Any]:
    """Return what the page shows.

    Args:
        state: Where the prediction is.
        journal: Where its request is.
        row: The prediction.
        query: The filter of the grid that led here, by which the neighbours are found.

    Raises:
        Refusal: 422, the filter cannot be read.
    """
    wanted = Filter.of(query)
    check_known(query)
    look = Look.at(state)
    seq = row.seq or 0
    newer = await search(state.store.predictions, wanted, look.labels, 1, after=seq, is_upward=True)
    older = await search(state.store.predictions, wanted, look.labels, 1, before=seq)
    names, shadow_names = names_of(row, look.labels)
    champion = _side("Champion", "champion", row, row.prediction(), names, row.latency)
    sides = [champion]
    if row.shadow_raw is not None:
        sides.append(_side("Shadow", "shadow", row, orjson.loads(row.shadow_raw), shadow_names, row.shadow_latency))
    review: Reviewing = reviewing(state, row)
    return {
        "here": "prediction",
        "row": row,
        "sides": sides,
        "query": wanted.query(),
        "newer": _href(newer, wanted),
        "older": _href(older, wanted),
        "facts": _facts(state, row, look),
        "requests": requests_of(journal, row),
        "review": review,
    }


def requests_of(journal: Journal, row: PredictionRow) -> list[Entry]:
    """Return the requests that may have brought a prediction: those with its image, under way when it was written down.

    It is one, unless the same image was sent at the same time; none where the journal has forgotten it, or nobody sent it.
    """
    return [
        entry
        for entry in journal
        if entry.endpoint in _ENDPOINTS
        and row.deployment_id in entry.path
        and (row.sha256 in entry.images or not (row.sha256 or entry.images))
        and entry.at <= row.received_at <= entry.at + entry.seconds
    ]


def _href(rows: list[PredictionRow], wanted: Filter) -> str | None:
    return f"{path_of(rows[0])}{wanted.query()}" if rows else None


def _side(
    title: str, name: str, row: PredictionRow, raw: dict[str, Any], labels: Mapping[str, str], latency: float | None
) -> Side:
    shapes = shapes_of(raw, labels)
    return Side(
        title=title,
        name=name,
        picture=picture(row, shapes, name=name),
        shapes=[(one, coordinates(one)) for one in shapes[:SHAPES_MAX]],
        count=len(shapes),
        is_whole=bool(shapes) and all(one.geometry is None for one in shapes),
        latency=latency,
    )


def _facts(state: State, row: PredictionRow, look: Look) -> list[tuple[str, Any]]:
    return [
        ("deployment", look.deployments.get(row.deployment_id, row.deployment_id)),
        ("source", row.source),
        ("tags", ", ".join(orjson.loads(row.tags)) or "none"),
        ("predicted at", f"{moment(row.timestamp):%Y-%m-%d %H:%M:%S.%f} UTC"),
        ("received at", f"{moment(row.received_at):%Y-%m-%d %H:%M:%S.%f} UTC"),
        ("latency", f"{row.latency:g} s"),
        ("size, as stated", f"{row.width} x {row.height} pixels"),
        ("content type, as stated", row.content_type),
        ("image", f"{row.signature or 'neither JPEG nor PNG, or never seen'}, {row.size} bytes"),
        ("SHA-256", row.sha256 or "not known"),
        ("prediction id", row.id),
        ("predicted asset id", row.asset_id or "left out by the sample rate"),
        *_metadata(state, row),
    ]


def _metadata(state: State, row: PredictionRow) -> Iterable[tuple[str, Any]]:
    data = state.store.data.select("id = ?", row.data_id, limit=1) if row.data_id else []
    for name, value in attrs.asdict(data[0]).items() if data else ():
        if name in {"metadata", "custom_metadata"}:
            yield name.replace("_", " "), value.decode()
    yield "custom metrics", row.custom_metrics.decode()
