"""The pages of numbers: each source with its last picture, and volume, latency, labels, scores and drift of what a filter chooses."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

import attrs

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.dashboard.charts import bins, columns
from picsellia_async.emulator.dashboard.drawn_prediction import Tile, tile
from picsellia_async.emulator.dashboard.filters import Filter, search
from picsellia_async.emulator.dashboard.gallery import Look, check_known
from picsellia_async.emulator.dashboard.overlay import shapes_of
from picsellia_async.emulator.dashboard.pages import moment
from picsellia_async.emulator.domain import statistics
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.store.rows import PredictionRow

SOURCES_MAX: Final = 60
"""Sources of one page: those with the newest pictures."""
_RECENT: Final = 100
"""Latest pictures of a source that its numbers are of."""
_MINUTE: Final = 60.0
SAMPLE: Final = 2000
"""Latest predictions that statistics are of."""
_TIMES: Final = 40
_SCORES: Final = 20
"""Columns of the charts."""
_LABELS: Final = 30
"""Classes that are listed, the most frequent first."""


@attrs.frozen(kw_only=True)
class Source:
    """One camera, or whatever sends."""

    name: str
    query: str
    """Of the grid of its pictures."""
    count: int
    tile: Tile
    """Its last picture."""
    rate: float
    """Pictures a second, of the last minute; with many, of the latest ones."""
    latency: float
    """Seconds, the median of the latest pictures."""
    age: float
    """Seconds since its last picture arrived."""


async def sources(state: State, query: Parameters) -> dict[str, Any]:
    """Return what the page of sources shows.

    Raises:
        Refusal: 422, the query has names that it does not know.
    """
    check_known(query)
    groups = sorted(state.store.predictions.groups("source"), key=lambda group: -group[1])
    look = Look.at(state)
    found = []
    for name, _, count in groups[:SOURCES_MAX]:
        rows = state.store.predictions.select("source = ?", name, order="seq desc", limit=_RECENT)
        if rows:  # others may have deleted them meanwhile
            found.append(_source(rows, count, state.clock(), look))
        await asyncio.sleep(0)  # others have their turn in between
    return {"here": "sources", "sources": found, "more": max(0, len(groups) - SOURCES_MAX)}


def _source(rows: list[PredictionRow], count: int, now: float, look: Look) -> Source:
    newest, wanted = rows[0], Filter(source=rows[0].source)
    times = [row.received_at for row in rows if row.received_at > now - _MINUTE]
    span = max(times) - min(times) if len(times) == _RECENT else 0.0
    return Source(
        name=newest.source,
        query=wanted.query(),
        count=count,
        tile=tile(newest, look.labels, look.deployments, wanted),
        rate=(len(times) - 1) / span if span else len(times) / _MINUTE,
        latency=statistics.quantile(sorted(row.latency for row in rows), 0.5),
        age=max(0.0, now - newest.received_at),
    )


async def charts(state: State, query: Parameters) -> dict[str, Any]:
    """Return what the page of statistics shows: of the latest predictions that the filter chooses.

    Raises:
        Refusal: 422, the filter cannot be read.
    """
    wanted = Filter.of(query)
    check_known(query)
    look = Look.at(state)
    rows = (await search(state.store.predictions, wanted, look.labels, SAMPLE))[::-1]
    samples = [
        (one["name"], statistics.Sample.of(state, one, own))
        for one in state.store.documents.list("deployment")
        if (own := [row for row in rows if row.deployment_id == one["id"]])
    ]
    return {
        "here": "statistics",
        "values": wanted.pairs(),
        "query": wanted.query(),
        "count": len(rows),
        "most": SAMPLE,
        **await asyncio.to_thread(_computed, rows, look, samples),
    }


def _computed(rows: list[PredictionRow], look: Look, samples: list[tuple[str, statistics.Sample]]) -> dict[str, Any]:
    times = [row.timestamp for row in rows]
    scores: list[float] = []
    names: Counter[str] = Counter()
    for row in rows:
        for shape in shapes_of(row.prediction(), look.labels.get(row.model_version_id or "", {})):
            names[shape.name] += 1
            if shape.score is not None:
                scores.append(shape.score)
    return {
        **_over_time(rows, times),
        "labels": names.most_common(_LABELS),
        "label_top": max(names.values(), default=1),
        "classes": len(names),
        "scores": _scores(scores),
        "drifts": [(name, statistics.drift(sample)) for name, sample in samples],
    }


def _over_time(rows: list[PredictionRow], times: list[float]) -> JsonObject:
    if not rows:
        return {"volume": "", "latency": "", "span": None}
    low, high = min(times), max(times)
    found = bins(times, low, high, _TIMES)
    at = [f"{moment(low + (high - low) * place / _TIMES):%Y-%m-%d %H:%M:%S} UTC" for place in range(_TIMES)]
    latencies = [
        statistics.quantile(sorted(rows[i].latency for i in places), 0.95) if places else 0.0 for places in found
    ]
    volume = [float(len(places)) for places in found]
    return {
        "volume": columns(
            volume, [f"{when}: {one:.0f}" for when, one in zip(at, volume, strict=True)], "predictions over time"
        ),
        "latency": columns(
            latencies, [f"{when}: {one:.4g} s" for when, one in zip(at, latencies, strict=True)], "latency over time"
        ),
        "span": (low, high, max(volume), max(latencies)),
    }


def _scores(scores: list[float]) -> JsonObject:
    found = [float(len(places)) for places in bins(scores, 0.0, 1.0, _SCORES)]
    titles = [f"{place / _SCORES:.2f} to {(place + 1) / _SCORES:.2f}: {one:.0f}" for place, one in enumerate(found)]
    return {
        "chart": columns(found, titles, "scores"),
        "count": len(scores),
        "distribution": statistics.distribution(scores),
    }
