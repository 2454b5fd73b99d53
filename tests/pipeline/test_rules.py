"""The rules of `keep=`, fed by hand: what they keep, at which times, and how they are put together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picsellia_async import ConfigurationError, DetectionPredictionFormat
from picsellia_async.pipeline import (
    Candidate,
    Rule,
    around,
    changed,
    classes,
    cooldown,
    every,
    quota,
    sample,
    scores,
)
from picsellia_async.pipeline._rule import as_rules, check_class_names

from ..support.pipelines import make_image

TIMES = st.lists(st.floats(0, 200, allow_nan=False), min_size=1, max_size=60).map(sorted)
SOURCES = st.lists(st.sampled_from("ab"), min_size=60, max_size=60)


def seen(time: float, source: str = "cam", found: Iterable[tuple[int, float]] = (), **fields: Any) -> Candidate:
    """Return a frame that shows classes with scores."""
    shapes = list(found)
    prediction = DetectionPredictionFormat([c for c, _ in shapes], [[1, 2, 3, 4]] * len(shapes), [s for _, s in shapes])
    return Candidate(image=make_image(source), prediction=prediction, source=source, time=time, **fields)


def kept(rule: Any, candidates: Iterable[Candidate]) -> tuple[list[Candidate], dict[Candidate, tuple[str, ...]]]:
    """Feed everything as the pipeline does; return what was kept, and for the others the rule. Each gets one decision."""
    whole = as_rules(rule)
    found: list[Candidate] = []
    others: dict[Candidate, tuple[str, ...]] = {}

    def settle(decisions: Any) -> None:
        for decision in decisions:
            assert decision.candidate not in found
            assert decision.candidate not in others
            if decision.is_kept:
                found.append(decision.candidate)
            else:
                others[decision.candidate] = decision.rules
            whole.settle(decision.candidate, is_kept=decision.is_kept)

    given_candidates = list(candidates)
    for candidate in given_candidates:
        settle(whole.feed(candidate))
    settle(whole.flush())
    assert len(found) + len(others) == len(given_candidates)
    return found, others


def times(rule: Any, candidates: Iterable[Candidate]) -> list[float]:
    """Return when the frames that were kept came."""
    return [candidate.time for candidate in kept(rule, candidates)[0]]


def test_nothing_is_asked_for_everything_is_kept() -> None:
    """Without a rule all frames are sent."""
    assert times(None, [seen(1), seen(2)]) == [1, 2]


@settings(max_examples=40)
@given(TIMES, SOURCES, st.floats(0.5, 50))
def test_every_keeps_one_of_each_cell_of_its_grid(when: list[float], sources: list[str], seconds: float) -> None:
    """Of each source the first frame, and never more than the grid has cells."""
    found = kept(every(seconds), [seen(time, source) for time, source in zip(when, sources, strict=False)])[0]
    for source in "ab":
        mine = [one.time for one in found if one.source == source]
        given_times = [time for time, other in zip(when, sources, strict=False) if other == source]
        assert mine[:1] == given_times[:1]
        assert len(mine) <= 1 + ((given_times[-1] - given_times[0]) / seconds if given_times else 0) + 1e-6


def test_every_keeps_its_rate_where_frames_come_late() -> None:
    """The grid does not move with them: ten seconds of frames at 0.3 s are ten frames a second apart, not eight."""
    assert len(times(every(1.0), [seen(n * 0.3) for n in range(34)])) == 10


@settings(max_examples=40)
@given(TIMES, SOURCES, st.integers(1, 5), st.integers(1, 8), st.sampled_from(["all", "source"]))
def test_a_quota_holds_in_every_window(when: list[float], sources: list[str], minute: int, hour: int, per: Any) -> None:
    """No 60 seconds, wherever they begin, have more than `per_minute`; and none is refused while there is room."""
    candidates = [seen(time, source) for time, source in zip(when, sources, strict=False)]
    found, others = kept(quota(per_minute=minute, per_hour=hour, per=per), candidates)
    for group in [found] if per == "all" else [[c for c in found if c.source == s] for s in "ab"]:
        for first in group:
            assert sum(0 <= one.time - first.time < 60 for one in group) <= minute
        assert len(group) <= hour
    for refused in others:
        before = [one for one in found if candidates.index(one) < candidates.index(refused)]
        if per == "all":
            recent = sum(refused.time - one.time < 60 for one in before)
            assert recent >= minute or len(before) >= hour


@settings(max_examples=40)
@given(TIMES, st.floats(0.5, 50))
def test_a_cooldown_keeps_frames_apart(when: list[float], seconds: float) -> None:
    """Two frames of a source that were kept are at least so many seconds apart."""
    found = times(cooldown(seconds), [seen(time) for time in when])
    assert all(after >= before + seconds for before, after in itertools.pairwise(found))
    assert found[0] == when[0]


def test_a_cooldown_of_classes() -> None:
    """A class that was not kept for so long keeps the frame, which then counts for all that it shows."""
    rule = cooldown(10, per="class")
    frames = [
        seen(0, found=[(1, 0.5)]), seen(1, found=[(1, 0.5)]), seen(2, found=[(1, 0.5), (2, 0.5)]), seen(3),
        seen(11, found=[(1, 0.5)]), seen(12, found=[(1, 0.5)]), seen(12, "other", found=[(1, 0.5)]),
    ]  # fmt: skip
    assert times(rule, frames) == [0, 2, 12, 12]


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), max_size=6), st.floats(0, 0.5), st.floats(0.51, 1))
def test_scores_in_a_range(found: list[float], above: float, below: float) -> None:
    """One shape in the range is enough; the lower bound belongs to it."""
    frame = seen(0, found=[(0, score) for score in found])
    assert bool(times(scores(above=above, below=below), [frame])) == any(above <= score < below for score in found)
    assert bool(times(scores(below=below), [frame])) == any(score < below for score in found)
    assert bool(times(scores(above=above), [frame])) == any(score >= above for score in found)


def test_classes_by_index_and_by_name() -> None:
    """One shape of the class is enough; without anything that tells names, asking by name is an error of that frame."""
    frame = seen(0, found=[(3, 0.5)], labels=("dog",))
    assert times(classes(["dog", "cat"]), [frame]) == times(classes(3), [frame]) == [0]
    assert times(classes("cat"), [frame]) == times(classes([2]), [frame]) == []
    (decision,) = classes("dog").feed(seen(0, found=[(3, 0.5)]))
    assert isinstance(decision.error, ConfigurationError)
    assert not decision.is_kept
    assert times(classes("dog"), [seen(0)]) == []


def picture(level: int, moved: int = 0) -> Any:
    """Return a small picture with so many places that differ."""
    made = np.full((64, 64), level, np.uint8)
    made.flat[:moved] = 255 - level
    return made


@pytest.mark.parametrize("name", ["dgo", "zebra"])
def test_a_class_that_there_is_not_is_refused(name: str) -> None:
    """However the rule is put together, with names that there are; indexes are not looked up."""
    whole = as_rules([every(1) | around(classes(["person", name, 9]))])
    with pytest.raises(ConfigurationError, match=f"asks for '{name}'.*'dog'"):
        check_class_names(whole, ["person", "dog"])
    check_class_names(whole, ["person", "dog", name])


def test_an_index_that_there_is_not_is_refused() -> None:
    """Where the indexes are known, however the rule is put together."""
    whole = as_rules([every(1) | around(classes(["dog", 9]))])
    with pytest.raises(ConfigurationError, match=r"asks for 9, .*there are 0, 3"):
        check_class_names(whole, ["dog", "person"], [3, 0])
    check_class_names(whole, ["dog", "person"], [9, 0])


def test_changed_compares_with_the_last_frame_kept() -> None:
    """Noise is no change; what differs in as much of the picture as asked for is one, also over many small steps."""
    rule = changed(0.05)
    assert rule.needs_picture
    frames = [seen(n, picture=picture(100, moved)) for n, moved in enumerate([0, 0, 50, 150, 210, 210, 0])]
    assert times(rule, frames) == [0, 4, 6]
    assert times(changed(), [seen(0, picture=picture(100)), seen(1, picture=picture(112))]) == [0]
    assert times(changed(), [seen(0, picture=picture(250)), seen(1, picture=picture(2))]) == [0, 1], (
        "bytes do not wrap round"
    )
    assert times(changed(), [seen(0, "a", picture=picture(9)), seen(1, "b", picture=picture(9))]) == [0, 1]


@settings(max_examples=40)
@given(st.floats(0, 1), st.integers(0, 99))
def test_a_sample_is_the_same_for_the_same_seed(share: float, seed: int) -> None:
    """It depends on nothing else; 0 keeps none, 1 keeps all."""
    frames = [seen(n) for n in range(50)]
    assert times(sample(share, seed=seed), frames) == times(sample(share, seed=seed), frames)
    assert times(sample(0), frames) == []
    assert len(times(sample(1), frames)) == 50


def event(at: set[float]) -> Any:
    """Return a rule that is an event at these times."""
    return lambda candidate: candidate.time in at


@settings(max_examples=40)
@given(st.sets(st.integers(0, 100), max_size=4), st.integers(0, 9), st.integers(0, 9))
def test_around_keeps_what_is_near_an_event(events: set[int], before: int, after: int) -> None:
    """Exactly the frames from `before` seconds before to `after` seconds after any event, in their order."""
    found = times(
        around(event({float(e) for e in events}), before=before, after=after), [seen(float(n)) for n in range(101)]
    )
    assert found == [n for n in range(101) if any(e - before <= n <= e + after for e in events)]


def test_around_holds_back_a_bounded_number_of_frames_per_source() -> None:
    """The oldest are not kept; an event of one source is none of another."""
    rule = around(event({100.0}), before=1000, after=0, max_frames=3)
    frames = [seen(float(n), source) for n in range(100) for source in "ab"]
    found = kept(rule, [*frames, seen(100.0, "a")])[0]
    assert [(one.time, one.source) for one in found] == [(97, "a"), (98, "a"), (99, "a"), (100, "a")]


def test_rules_in_a_list_ask_one_after_the_other() -> None:
    """What a quota behind `around` refuses is not kept, and counted under its name; frames are let go one by one."""
    found, others = kept(
        [around(event({9.0}), before=5, after=0), quota(per_minute=3)], [seen(float(n)) for n in range(12)]
    )
    assert [one.time for one in found] == [4, 5, 6]
    assert sorted(others.values()) == [("around",)] * 6 + [("quota",)] * 3


def test_a_rule_counts_only_what_all_keep() -> None:
    """A frame that a later rule refuses does not use up the grid or the quota, and nothing counts as its duplicate."""
    unsure = [seen(float(n), found=[(0, 0.3 if n % 5 == 4 else 0.9)]) for n in range(20)]
    assert times([every(10), scores(below=0.5)], unsure) == [4, 14]
    assert times([quota(per_minute=2), scores(below=0.5)], unsure) == [4, 9]
    moving = [seen(n, picture=picture(100, 400 * (n >= 1)), found=[(0, 0.3 if n == 2 else 0.9)]) for n in range(4)]
    assert times([changed(), scores(below=0.5)], moving) == [2]
    assert times(scores(below=0.5) & every(10), unsure) == [4, 14]


def test_one_of_several_is_enough() -> None:
    """`a | b` keeps what one keeps; a rule that said no does not count it."""
    frames = [seen(float(n), found=[(0, 0.3 if n == 7 else 0.9)]) for n in range(21)]
    assert times(every(10) | scores(below=0.5), frames) == [0, 7, 10, 20]
    assert times(quota(per_minute=2) | scores(below=0.5), frames) == [0, 1, 7]
    both = quota(per_minute=2) | event({3.0})
    assert times(both, [seen(float(n)) for n in range(9)]) == [0, 1, 3]
    assert both.name == "quota | <lambda>"


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["every", "around", "quota", "own"]), min_size=1, max_size=4), st.data())
def test_every_frame_gets_one_decision_however_rules_are_put_together(names: list[str], data: st.DataObject) -> None:
    """Held back or not, in lists and alternatives of any shape; `kept` asserts it."""
    make = {
        "every": lambda: every(7), "around": lambda: around(event({30.0, 60.0}), before=9, after=3, max_frames=4),
        "quota": lambda: quota(per_minute=5), "own": lambda: as_rules(event({float(n) for n in range(0, 90, 4)})),
    }  # fmt: skip
    whole: Rule = make[names[0]]()
    for name in names[1:]:
        other = make[name]()
        whole = whole | other if data.draw(st.booleans()) else whole & other
    found, others = kept(whole, [seen(float(n)) for n in range(90)])
    assert len(found) + len(others) == 90


def test_around_in_an_alternative() -> None:
    """What one rule keeps at once is not sent again when the event comes."""
    rule = every(4) | around(event({10.0}), before=3, after=0)
    found = kept(rule, [seen(float(n)) for n in range(14)])[0]
    assert sorted(one.time for one in found) == [0, 4, 7, 8, 9, 10, 12]


def test_bad_arguments_of_rules_are_refused() -> None:
    """When the rule is made, with the argument's name."""
    for make, arguments, options, message in (
        (every, [0], {}, "seconds must be more than 0"),
        (quota, [], {}, "quota needs"),
        (quota, [], {"per_minute": 0}, "per_minute"),
        (quota, [], {"per_minute": 1, "per": "camera"}, "per"),
        (changed, [2], {}, "share"),
        (scores, [], {}, "below= or above="),
        (scores, [], {"below": 0.2, "above": 0.5}, "no score"),
        (classes, [[]], {}, "names or indexes"),
        (classes, [[1.5]], {}, "names or indexes"),
        (cooldown, [1], {"per": "all"}, "per"),
        (sample, [1.5], {}, "share"),
        (around, [3], {}, "rules or functions"),
        (around, [around(every(1))], {}, "holds frames back"),
        (around, [every(1)], {"max_frames": 0}, "max_frames"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            make(*arguments, **options)
