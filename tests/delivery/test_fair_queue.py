"""Whose turn it is: fair between sources, ordered within."""

from __future__ import annotations

import attrs

from picsellia_async._delivery.fair_queue import FairQueue


@attrs.define(eq=False)
class Thing:
    source: str
    seq: int


def fill(queue: FairQueue[Thing], sources: str) -> list[Thing]:
    things = [Thing(source, seq) for seq, source in enumerate(sources)]
    for thing in things:
        queue.push(thing)
    return things


def names(queue: FairQueue[Thing]) -> str:
    taken = ""
    while (thing := queue.pop()) is not None:
        taken += f"{thing.source}{thing.seq} "
    return taken.strip()


def test_sources_take_turns() -> None:
    """A source with many items does not keep the others waiting."""
    queue: FairQueue[Thing] = FairQueue()
    fill(queue, "aaaabc")
    assert len(queue) == 6
    assert names(queue) == "a0 b4 c5 a1 a2 a3"
    assert not queue.turn


def test_order_keeps_one_item_of_a_source_out() -> None:
    """With order, the next item of a source follows only after the end of the one before."""
    queue: FairQueue[Thing] = FairQueue(keeps_order=True)
    fill(queue, "aab")
    assert names(queue) == "a0 b2"
    queue.release("b")
    assert queue.pop() is None
    queue.push(Thing("b", 3))
    queue.push(Thing("a", 4))
    queue.release("a")
    assert names(queue) == "b3 a1"
    queue.release("c")


def test_put_back_comes_first() -> None:
    """An item put back is the next one, with and without order."""
    for keeps_order in (False, True):
        queue: FairQueue[Thing] = FairQueue(keeps_order=keeps_order)
        fill(queue, "aabb")
        first = queue.pop()
        assert first is not None
        queue.put_back(first)
        assert queue.pop() is first
        last = Thing("z", 9)
        queue.put_back(last)
        assert queue.pop() is last
        assert len(queue) == 3


def test_the_oldest_of_all_is_found() -> None:
    """`pop_oldest` takes by arrival, not by turn, and leaves the turns intact."""
    queue: FairQueue[Thing] = FairQueue()
    fill(queue, "abab")
    assert queue.pop().seq == 0  # type: ignore[union-attr]
    assert [queue.pop_oldest().seq for _ in range(2)] == [1, 2]  # type: ignore[union-attr]
    assert names(queue) == "b3"
    assert queue.pop_oldest() is None


def test_the_oldest_is_found_while_its_source_is_out() -> None:
    """With order, the items behind the one that is out may be dropped too."""
    queue: FairQueue[Thing] = FairQueue(keeps_order=True)
    fill(queue, "aa")
    queue.pop()
    assert queue.pop_oldest().seq == 1  # type: ignore[union-attr]
    queue.release("a")
    assert queue.pop() is None


def test_a_certain_item_is_taken_out() -> None:
    """`remove` takes an item that is queued, says where it is not, and leaves the turns intact."""
    queue: FairQueue[Thing] = FairQueue()
    things = fill(queue, "abca")
    assert queue.remove(things[1])
    assert not queue.remove(things[1])
    assert queue.remove(things[0])
    assert names(queue) == "a3 c2"
