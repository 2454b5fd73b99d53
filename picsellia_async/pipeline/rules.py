"""The rules for `keep=`: how often, how many, what changed, how sure the model was, which classes, around events.

All times are seconds of the pipeline's clock, also for files that are read faster than they were filmed.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, TypeAlias, get_args

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.pipeline._candidate import Candidate, Decision
from picsellia_async.pipeline._rule import Keep, Rule, as_rule
from picsellia_async.validation import choice, real_number, whole_number

CHANGED_LEVELS: Final = 16
"""Levels of gray, of 256, by which a place must differ to count as changed: more than noise and compression do."""

Scope: TypeAlias = Literal["all", "source"]
"""Whether a bound holds for all sources together, or for each."""


def every(seconds: float) -> Rule:
    """Keep one frame of each source per so many seconds, on a grid that begins with its first frame.

    Args:
        seconds: More than 0. Where frames come late, two may be closer together; `cooldown` keeps them apart.
    """
    return _Grid(_positive(seconds, "seconds"))


def quota(
    *, per_minute: int | None = None, per_hour: int | None = None, per_day: int | None = None, per: Scope = "all"
) -> Rule:
    """Keep so many frames in any minute, hour or day at most; the windows slide.

    Args:
        per_minute: Frames in any 60 seconds.
        per_hour: Frames in any hour.
        per_day: Frames in any 24 hours. The time of each is remembered: 8 bytes.
        per: "all": of all sources together; "source": of each.
    """
    windows = [
        (whole_number(count, name, 1), seconds)
        for name, count, seconds in (
            ("per_minute", per_minute, 60.0), ("per_hour", per_hour, 3600.0), ("per_day", per_day, 86400.0),
        )
        if count is not None
    ]  # fmt: skip
    if not windows:
        raise ConfigurationError("quota needs per_minute=, per_hour= or per_day=")
    choice(per, "per", get_args(Scope))
    return _Quota(windows, per)


def changed(threshold: float = 0.01) -> Rule:
    """Keep a frame that differs from the last one kept of its source: near-duplicates go.

    Pictures are compared as 64 x 64 gray ones, made off the event loop. The first frame of a source is kept.

    Args:
        threshold: Share of the picture that must differ by more than 16 of 256 levels of gray; more than 0, at most 1.
    """
    share = _positive(threshold, "threshold")
    if share > 1:
        raise ConfigurationError(f"threshold must be a share of the picture, at most 1, got {shown(threshold)}")
    return _Changed(share)


def scores(*, below: float | None = None, above: float | None = None) -> Rule:
    """Keep a frame with a shape whose score is in a range: `scores(above=0.2, below=0.5)` for those the model was unsure of.

    Args:
        below: The score is less than this.
        above: The score is this or more.
    """
    if below is None and above is None:
        raise ConfigurationError("scores needs below= or above=")
    low = -math.inf if above is None else real_number(above, "above")
    high = math.inf if below is None else real_number(below, "below")
    if low >= high:
        raise ConfigurationError(f"no score is {shown(above)} or more and below {shown(below)}")
    return _Scores(low, high)


def classes(names: str | int | Iterable[str | int]) -> Rule:
    """Keep a frame that shows one of these classes.

    Args:
        names: Names of classes, or indexes of the label map. Names need a prediction that knows them (made with `names=` or
            `label_map=`, or by a framework that tells) or the pipeline's `label_map=`; without, the frame counts as failed. A pipeline
            with a `label_map=` refuses names that neither it nor its `names=` has, and indexes that it has not.
    """
    wanted = {names} if isinstance(names, (str, int)) else set(names)
    if not wanted or not all(isinstance(one, (str, int)) and not isinstance(one, bool) for one in wanted):
        raise ConfigurationError(f"classes takes names or indexes of classes, got {shown(names)}")
    return _Classes(frozenset(wanted))


def cooldown(seconds: float, *, per: Literal["source", "class"] = "source") -> Rule:
    """Keep no frame for so many seconds after one was kept.

    Args:
        seconds: More than 0.
        per: "source": of the same source. "class": of the same source and class; a frame is kept if it shows a class that has not
            been kept for so long, and then counts for all it shows. One that shows nothing is not kept.
    """
    choice(per, "per", ("source", "class"))
    return _Cooldown(_positive(seconds, "seconds"), per)


def sample(share: float, *, seed: int = 0) -> Rule:
    """Keep a random share of the frames.

    Args:
        share: 0 to 1.
        seed: The same seed and frames give the same choice.
    """
    if not 0 <= real_number(share, "share") <= 1:
        raise ConfigurationError(f"share must be 0 to 1, got {shown(share)}")
    return _Sample(share, whole_number(seed, "seed"))


def around(event: Keep, *, before: float = 5.0, after: float = 5.0, max_frames: int = 64) -> Rule:
    """Keep the frames around events, of the source that had the event.

    Frames wait in memory, encoded, until they are too old to be before an event. Rules behind this one in a list decide on them when
    they are let go.

    Args:
        event: A rule or function: a frame that it keeps is an event, and kept. It may not hold frames back itself.
        before: Seconds before the event.
        after: Seconds after it.
        max_frames: Frames of a source that wait at most; the oldest are not kept then.
    """
    rule = as_rule(event)
    if rule.holds_back:
        raise ConfigurationError(f"an event must be decided at once: {rule!r} holds frames back")
    return _Around(
        rule,
        real_number(before, "before", 0.0),
        real_number(after, "after", 0.0),
        whole_number(max_frames, "max_frames", 1),
    )


def _positive(value: Any, name: str) -> float:
    number = real_number(value, name)
    if number <= 0:
        raise ConfigurationError(f"{name} must be more than 0, got {shown(value)}")
    return number


class _Grid(Rule):
    name = "every"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[str, float] = {}

    def allows(self, candidate: Candidate) -> bool:
        return candidate.time >= self._due.get(candidate.source, -math.inf)

    def kept(self, candidate: Candidate) -> None:
        due = self._due.get(candidate.source, candidate.time)
        due += self._seconds * max(0, math.floor((candidate.time - due) / self._seconds))
        while due <= candidate.time:  # floats: the division may fall short
            due += self._seconds
        self._due[candidate.source] = due


class _Quota(Rule):
    name = "quota"

    def __init__(self, windows: list[tuple[int, float]], per: str) -> None:
        self._windows = windows
        self._per = per
        self._times: dict[str, list[deque[float]]] = {}

    def _deques(self, candidate: Candidate) -> list[deque[float]]:
        key = candidate.source if self._per == "source" else ""
        return self._times.setdefault(key, [deque(maxlen=count) for count, _ in self._windows])

    def allows(self, candidate: Candidate) -> bool:
        return all(
            len(times) < count or candidate.time - times[0] >= seconds
            for times, (count, seconds) in zip(self._deques(candidate), self._windows, strict=True)
        )

    def kept(self, candidate: Candidate) -> None:
        for times in self._deques(candidate):
            times.append(candidate.time)


class _Changed(Rule):
    name = "changed"
    needs_picture = True

    def __init__(self, share: float) -> None:
        self._share = share
        self._last: dict[str, Any] = {}

    def allows(self, candidate: Candidate) -> bool:
        before = self._last.get(candidate.source)
        if before is None:
            return True
        # Of bytes the difference would wrap round.
        difference = abs(candidate.picture.astype("int16") - before)
        return bool((difference > CHANGED_LEVELS).mean() >= self._share)

    def kept(self, candidate: Candidate) -> None:
        self._last[candidate.source] = candidate.picture.astype("int16")


class _Scores(Rule):
    name = "scores"

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def allows(self, candidate: Candidate) -> bool:
        found: Iterable[float] = getattr(candidate.prediction, "detection_scores", ())
        return any(self._low <= score < self._high for score in found)


class _Classes(Rule):
    name = "classes"

    def __init__(self, wanted: frozenset[str | int]) -> None:
        self.classes = wanted
        self._needs_names = any(isinstance(one, str) for one in wanted)

    def allows(self, candidate: Candidate) -> bool:
        indexes, labels = candidate.prediction.detection_classes, candidate.labels
        if labels is None and self._needs_names and indexes:
            raise ConfigurationError(
                "classes are asked for by name, and nothing tells the names: give the pipeline "
                "label_map=await deployment.label_map()"
            )
        return not self.classes.isdisjoint(indexes) or not self.classes.isdisjoint(labels or ())


class _Cooldown(Rule):
    name = "cooldown"

    def __init__(self, seconds: float, per: str) -> None:
        self._seconds = seconds
        self._per = per
        self._until: dict[tuple[str, int], float] = {}

    def _keys(self, candidate: Candidate) -> list[tuple[str, int]]:
        if self._per == "source":
            return [(candidate.source, -1)]
        return [(candidate.source, index) for index in dict.fromkeys(candidate.prediction.detection_classes)]

    def allows(self, candidate: Candidate) -> bool:
        return any(candidate.time >= self._until.get(key, -math.inf) for key in self._keys(candidate))

    def kept(self, candidate: Candidate) -> None:
        self._until |= dict.fromkeys(self._keys(candidate), candidate.time + self._seconds)


class _Sample(Rule):
    name = "sample"

    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._random = random.Random(seed)  # noqa: S311 - a choice, no secret

    def allows(self, candidate: Candidate) -> bool:  # noqa: ARG002 - any frame
        return self._random.random() < self._share


class _Around(Rule):
    name = "around"
    holds_back = True

    def __init__(self, event: Rule, before: float, after: float, max_frames: int) -> None:
        self._event = event
        self.needs_picture = event.needs_picture
        self.classes = event.classes
        self._before, self._after, self._max_frames = before, after, max_frames
        self._rings: dict[str, deque[Candidate]] = {}
        self._until: dict[str, float] = {}

    def feed(self, candidate: Candidate) -> Iterator[Decision]:
        ring = self._rings.setdefault(candidate.source, deque())
        while ring and ring[0].time < candidate.time - self._before:
            yield self._decision(ring.popleft(), is_kept=False)
        (event,) = self._event.feed(candidate)
        self._event.settle(candidate, is_kept=event.is_kept)
        if event.error is not None:
            yield Decision(candidate, False, event.rules, event.error)
        elif event.is_kept:
            self._until[candidate.source] = candidate.time + self._after
            while ring:
                yield self._decision(ring.popleft(), is_kept=True)
            yield self._decision(candidate, is_kept=True)
        elif candidate.time <= self._until.get(candidate.source, -math.inf):
            yield self._decision(candidate, is_kept=True)
        else:
            ring.append(candidate)
            if len(ring) > self._max_frames:
                yield self._decision(ring.popleft(), is_kept=False)

    def _decision(self, candidate: Candidate, *, is_kept: bool) -> Decision:
        return Decision(candidate, is_kept, (self.name,))

    def flush(self) -> Iterator[Decision]:
        for ring in self._rings.values():
            while ring:
                yield self._decision(ring.popleft(), is_kept=False)
