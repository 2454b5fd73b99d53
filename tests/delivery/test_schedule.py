"""Whose turn it is: fair between sources, ordered within."""

from __future__ import annotations

import attrs

from picsellia_async._delivery.fair_queue import Schedule


@attrs.define(eq=False)
class Thing:
    source: str
    seq: int


def fill(schedule: Schedule[Thing], sources: str) -> list[Thing]:
    things = [Thing(source, seq) for seq, source in enumerate(sources)]
    for thing in things:
        schedule.push(thing)
    return things


def names(schedule: Schedule[Thing]) -> str:
    taken = ""
    while (thing := schedule.pop()) is not None:
        taken += f"{thing.source}{thing.seq} "
    return taken.strip()


def test_sources_take_turns() -> None:
    """A source with many items does not keep the others waiting."""
    schedule: Schedule[Thing] = Schedule()
    fill(schedule, "aaaabc")
    assert len(schedule) == 6
    assert names(schedule) == "a0 b4 c5 a1 a2 a3"
    assert not schedule.has_ready


def test_order_keeps_one_item_of_a_source_out() -> None:
    """With order, the next item of a source follows only after the end of the one before."""
    schedule: Schedule[Thing] = Schedule(keeps_order=True)
    fill(schedule, "aab")
    assert names(schedule) == "a0 b2"
    schedule.release("b")
    assert schedule.pop() is None
    schedule.push(Thing("b", 3))
    schedule.push(Thing("a", 4))
    schedule.release("a")
    assert names(schedule) == "b3 a1"
    schedule.release("c")


def test_put_back_comes_first() -> None:
    """An item put back is the next one, with and without order."""
    for keeps_order in (False, True):
        schedule: Schedule[Thing] = Schedule(keeps_order=keeps_order)
        fill(schedule, "aabb")
        first = schedule.pop()
        assert first is not None
        schedule.put_back(first)
        assert schedule.pop() is first
        last = Thing("z", 9)
        schedule.put_back(last)
        assert schedule.pop() is last
        assert len(schedule) == 3


def test_the_oldest_of_all_is_found() -> None:
    """`pop_oldest` takes by arrival, not by turn, and leaves the turns intact."""
    schedule: Schedule[Thing] = Schedule()
    fill(schedule, "abab")
    assert schedule.pop().seq == 0  # type: ignore[union-attr]
    assert [schedule.pop_oldest().seq for _ in range(2)] == [1, 2]  # type: ignore[union-attr]
    assert names(schedule) == "b3"
    assert schedule.pop_oldest() is None


def test_the_oldest_is_found_while_its_source_is_out() -> None:
    """With order, the items behind the one that is out may be dropped too."""
    schedule: Schedule[Thing] = Schedule(keeps_order=True)
    fill(schedule, "aa")
    schedule.pop()
    assert schedule.pop_oldest().seq == 1  # type: ignore[union-attr]
    schedule.release("a")
    assert schedule.pop() is None
