"""`Filter`: which predictions the pages show. It is read from the query of a URL and written back to it, so that a view can be shared.

Theory of operation. What columns tell is looked for by the database, what stands in the JSON of a prediction by Python. Either may have
to go through all rows, and the database lives on the thread of the event loop; so `search` walks the key in windows, lets others have
their turn between two of them, and looks into predictions in a thread. No answer waits for a count of everything.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Self, TypeAlias
from urllib.parse import urlencode

import attrs
import orjson

from picsellia_async.emulator.dashboard.difference import differs
from picsellia_async.emulator.dashboard.pages import moment
from picsellia_async.emulator.query.paging import Where
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.refusal import unprocessable
from picsellia_async.emulator.store.rows import PredictionRow
from picsellia_async.emulator.store.table import Table

_WINDOW: Final = 1000
_READ_WINDOW: Final = 200
"""Keys that are looked at before others have their turn: by the database alone, and with the predictions read."""

Labels: TypeAlias = Mapping[str, Mapping[str, str]]
"""Name by the text of the class index, by model version."""


@attrs.frozen(kw_only=True)
class Filter:
    """Conditions that all have to hold; those that are None are not asked."""

    deployment: str | None = None
    """Id."""
    source: str | None = None
    """Name."""
    tag: str | None = None
    """Name, as it was sent."""
    name: str | None = None
    """A part of the file name, in any case."""
    since: float | None = None
    until: float | None = None
    """Epoch seconds of the prediction, the end excluded."""
    label: str | None = None
    """Name of a class: at least one shape has it, and the score asked for."""
    score_min: float | None = None
    score_max: float | None = None
    """Both included."""
    differs: bool = False
    """Whether the shadow model saw other things than the champion."""

    @classmethod
    def of(cls, query: Parameters) -> Self:
        """Read the filter of a URL.

        Raises:
            Refusal: 422, a value cannot be what its name says.
        """
        texts = {name: query.text(name) for name in ("deployment", "source", "tag", "name")}
        return cls(
            **texts,
            label=query.text("class"),
            since=_moment(query, "from"),
            until=_moment(query, "to"),
            score_min=query.number("min_score"),
            score_max=query.number("max_score"),
            differs=query.boolean("differs") or False,
        )

    def pairs(self) -> dict[str, str]:
        """Return names and values of the URL."""
        values = {
            "deployment": self.deployment, "source": self.source, "tag": self.tag, "name": self.name, "class": self.label,
            "from": None if self.since is None else _text(self.since), "to": None if self.until is None else _text(self.until),
            "min_score": None if self.score_min is None else str(self.score_min),
            "max_score": None if self.score_max is None else str(self.score_max),
            "differs": "1" if self.differs else None,
        }  # fmt: skip
        return {name: value for name, value in values.items() if value is not None}

    def query(self, **more: object) -> str:
        """Return the query of a URL, with its question mark; empty where nothing is asked."""
        pairs = self.pairs() | {name: str(value) for name, value in more.items()}
        return f"?{urlencode(pairs)}" if pairs else ""

    def where(self) -> Where:
        """Return what the database can tell."""
        found = Where()
        for column, value in (("deployment_id = ?", self.deployment), ("source = ?", self.source)):
            if value is not None:
                found.add(column, value)
        if self.tag is not None:
            found.add("exists (select 1 from json_each(cast(tags as text)) where value = ?)", self.tag)
        if self.name is not None:
            found.add("instr(lower(filename), lower(?))", self.name)
        if self.since is not None:
            found.add("timestamp >= ?", self.since)
        if self.until is not None:
            found.add("timestamp < ?", self.until)
        if self.differs:
            found.add("shadow_raw is not null")
        return found

    def matches(self, labels: Labels) -> Callable[[PredictionRow], bool] | None:
        """Return what only the prediction itself can tell; None where nothing of that kind is asked."""
        tests: list[Callable[[PredictionRow], bool]] = []
        if self.label is not None or self.score_min is not None or self.score_max is not None:
            tests.append(lambda row: self._has_shape(row, labels))
        if self.differs:
            tests.append(lambda row: has_differing_shadow(row, labels))
        return (lambda row: all(test(row) for test in tests)) if tests else None

    def _has_shape(self, row: PredictionRow, labels: Labels) -> bool:
        raw = row.prediction()
        classes = raw.get("detection_classes") or ()
        scores = raw.get("detection_scores") or (None,) * len(classes)
        names, _ = names_of(row, labels)
        low, high = self.score_min, self.score_max
        return any(
            (self.label is None or name_of(index, names) == self.label)
            and (low is None or (score is not None and score >= low))
            and (high is None or (score is not None and score <= high))
            for index, score in zip(classes, scores, strict=False)
        )


def has_differing_shadow(row: PredictionRow, labels: Labels) -> bool:
    """Whether a prediction has a shadow that saw other things."""
    if row.shadow_raw is None:
        return False
    names, shadow_names = names_of(row, labels)
    return differs(
        row.prediction(),
        orjson.loads(row.shadow_raw),
        partial(name_of, names=names),
        partial(name_of, names=shadow_names),
    )


def names_of(row: PredictionRow, labels: Labels) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the label maps of champion and shadow; a shadow of no known model is read with the champion's."""
    names = labels.get(row.model_version_id or "", {})
    return names, labels.get(row.shadow_model_version_id or "", names)


def name_of(index: Any, names: Mapping[str, str]) -> str:
    """Return the name of a class; what the label map lacks is called by its number."""
    return names.get(str(index), f"class {index}")


async def search(
    table: Table[PredictionRow],
    wanted: Filter,
    labels: Labels,
    limit: int,
    *,
    before: int | None = None,
    after: int | None = None,
    is_upward: bool = False,
) -> list[PredictionRow]:
    """Return predictions in the order of arrival, newest first.

    Args:
        table: Where they are.
        wanted: Which ones.
        labels: Label maps.
        limit: How many at most.
        before: Only those that came before this key; None: up to the newest.
        after: Only those that came after this key; None: down to the oldest.
        is_upward: Oldest first.
    """
    first, last = table.ends()
    first = first if after is None else max(first, after + 1)
    last = last if before is None else min(last, before - 1)
    where, matches = wanted.where(), wanted.matches(labels)
    condition = f"seq between ? and ? and {where.text()}"
    window = _WINDOW if matches is None else _READ_WINDOW
    order = "seq" if is_upward else "seq desc"
    found: list[PredictionRow] = []
    while first <= last:
        low, high = (first, min(last, first + window - 1)) if is_upward else (max(first, last - window + 1), last)
        # Without a further test the database may stop as soon as the page is full.
        most = limit - len(found) if matches is None else -1
        rows = list(table.iterate(condition, low, high, *where.values, order=order, limit=most))
        if matches is not None:
            # Comparing hundreds of shapes takes a while, and other requests go on.
            rows = await asyncio.to_thread(_matching, rows, matches, limit - len(found))
        found += rows
        if len(found) >= limit:
            return found
        first, last = (high + 1, last) if is_upward else (first, low - 1)
        await asyncio.sleep(0)
    return found


def _matching(rows: list[PredictionRow], matches: Callable[[PredictionRow], bool], limit: int) -> list[PredictionRow]:
    return list(itertools.islice(filter(matches, rows), limit))


def _moment(query: Parameters, name: str) -> float | None:
    """Read a date and time of ISO 8601; without a zone it is UTC."""
    text = query.text(name)
    if text is None:
        return None
    try:
        value = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise unprocessable(f"{name} must be a date and time as 2026-11-29T09:30, got {text[:50]!r}") from None
    return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()


def _text(seconds: float) -> str:
    """Write a time as forms of a page do: UTC, without its zone, and seconds only where there are some."""
    value = moment(seconds).replace(tzinfo=None)
    return value.isoformat(timespec="auto" if value.second or value.microsecond else "minutes")
