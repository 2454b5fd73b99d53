"""Bounds in frames and bytes, and the queue of those who wait for room."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._delivery.flow_control import FlowControl
from picsellia_async.errors import ClosedError

pytestmark = pytest.mark.anyio


def test_frames_and_bytes_are_both_bounds() -> None:
    """Whichever bound is reached first keeps the next one out."""
    room = FlowControl(100, max_frames=2)
    assert room.try_reserve(60)
    assert not room.try_reserve(41)
    assert room.try_reserve(40)
    room.release(60)
    assert room.try_reserve(1)
    assert not room.try_reserve(1)
    assert not room.can_ever_fit(101)


async def test_a_large_one_is_not_starved_by_small_ones() -> None:
    """Small frames behind a waiting large one wait with it, though they would fit."""
    room = FlowControl(100)
    order: list[str] = []

    async def enter(name: str, size: int) -> None:
        await room.reserve(size)
        order.append(name)

    assert room.try_reserve(50)
    tasks = [asyncio.create_task(enter("large", 90))]
    await asyncio.sleep(0)
    assert not room.try_reserve(10)
    tasks.append(asyncio.create_task(enter("small", 10)))
    await asyncio.sleep(0)
    room.release(50)
    await asyncio.gather(*tasks)
    assert order == ["large", "small"]
    assert (room.used_bytes, room.used_frames, room.waiting) == (100, 2, 0)


async def test_who_leaves_the_queue_lets_the_next_in() -> None:
    """Cancelling a wait, or one that was granted and not taken up yet, serves who stands behind."""
    room = FlowControl(100)
    room.try_reserve(50)
    first, second = (asyncio.create_task(room.reserve(size)) for size in (90, 40))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    await second
    assert room.used_bytes == 90
    third = asyncio.create_task(room.reserve(60))
    await asyncio.sleep(0)
    room.release(40)
    room.release(50)
    third.cancel()  # the room is granted, and its task has not run since
    await asyncio.wait([third])
    assert (third.cancelled(), room.used_bytes, room.used_frames) == (True, 0, 0)


async def test_closing_ends_every_wait() -> None:
    """Whoever waits gets the error that closing names, and takes no room."""
    room = FlowControl(100)
    room.try_reserve(100)
    waits = [asyncio.create_task(room.reserve(size)) for size in (90, 40)]
    await asyncio.sleep(0)
    room.close(lambda: ClosedError("closed"))
    results = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(result) for result in results] == [ClosedError, ClosedError]
    assert (room.used_bytes, room.waiting) == (100, 0)


async def test_low_water_is_told() -> None:
    """`wait_below` returns once both bounds are held to that share, and at once where they are."""
    room = FlowControl(100, max_frames=4)
    await room.wait_below(0.5)
    for size in (60, 1, 1, 1):
        room.try_reserve(size)
    waiting = asyncio.create_task(room.wait_below(0.5))
    await asyncio.sleep(0)
    room.release(60)
    await asyncio.sleep(0)
    assert not waiting.done()
    room.release(1)
    await waiting


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["enter", "release", "cancel"])), max_size=80))
def test_no_order_of_events_breaks_the_bounds(steps: list[tuple[int, str]]) -> None:
    """Whatever happens, the bounds hold, room is given in the order of arrival, and everything can be given back."""

    async def run() -> None:
        room = FlowControl(100, max_frames=5)
        held: list[int] = []
        granted: list[int] = []
        tasks: list[asyncio.Task[None]] = []

        async def enter(number: int, size: int) -> None:
            await room.reserve(size)
            granted.append(number)
            held.append(size)

        for number, (size, action) in enumerate(steps):
            if action == "release" and held:
                room.release(held.pop())
            elif action == "cancel" and tasks:
                tasks.pop().cancel()
            else:
                tasks.append(asyncio.create_task(enter(number, size)))
            for _ in range(3):
                await asyncio.sleep(0)
            assert room.used_bytes == sum(held) <= 100
            assert room.used_frames == len(held) <= 5
        assert granted == sorted(granted)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for size in held:
            room.release(size)
        assert (room.used_bytes, room.used_frames, room.waiting) == (0, 0, 0)

    asyncio.run(run())
