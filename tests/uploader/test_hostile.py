"""What a hostile user does to an uploader: re-entrance, cancellation at every step, generators left in the middle. A virtual clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from picsellia_async._delivery.outcomes import Delivered, Outcome
from picsellia_async.errors import ClosedError, TransportError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame

pytestmark = pytest.mark.anyio


async def send(frame: Frame, request: bytes) -> dict[str, Any]:
    """Store a frame in ten milliseconds."""
    await asyncio.sleep(0.01)
    return {"id": frame.filename}


async def test_closing_from_within_a_callback_ends_in_order() -> None:
    """`on_outcome` may start closing and flushing; everything still ends, and each frame has one outcome."""
    tasks: list[asyncio.Task[Any]] = []
    seen: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        seen.append(outcome)
        tasks.append(asyncio.ensure_future(up.flush()))
        if len(seen) == 3:
            tasks.append(asyncio.ensure_future(up.aclose()))

    up = Uploader(send, on_outcome=note, concurrency=2)
    async with up:
        for number in range(10):
            await up.submit(make_frame(number))
        await asyncio.sleep(1.0)
        assert up.is_closed
    await asyncio.gather(*tasks)
    assert (len(seen), up.report.delivered, up.report.is_balanced) == (10, 10, True)


@pytest.mark.parametrize("steps", range(12))
async def test_a_submit_cancelled_at_any_step_is_all_or_nothing(steps: int) -> None:
    """After any number of turns of the loop, a cancelled submit was accepted and is delivered, or left nothing."""
    async with Uploader(send, concurrency=1, max_pending_frames=2) as up:
        tasks = [asyncio.create_task(up.submit(make_frame(number))) for number in range(6)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks[1::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert await up.flush() == 0
        assert up.statistics().pending_bytes == 0
    accepted = [result for result in results if not isinstance(result, BaseException)]
    assert up.report.accepted == up.report.delivered == len(accepted)
    assert [isinstance(await receipt, Delivered) for receipt in accepted] == [True] * len(accepted)


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.015, 0.5])
async def test_closing_cancelled_in_every_state_balances(moment: float) -> None:
    """Several tasks close at once and one is cancelled: all return after the same end, with a balanced account."""
    async with Uploader(send, concurrency=1, close_timeout=1.0) as up:
        for number in range(20):
            await up.submit(make_frame(number))
        closers = [asyncio.create_task(up.aclose()) for _ in range(3)]
        await asyncio.sleep(moment)
        closers[1].cancel()
        results = await asyncio.gather(*closers, return_exceptions=True)
        assert up.is_closed
    assert results[0] is results[2] is None
    assert (up.report.accepted, up.report.is_balanced) == (20, True)


async def test_a_receipt_awaited_by_many_and_cancelled_by_one() -> None:
    """One waiter's cancellation is its own."""
    async with Uploader(send) as up:
        receipt = await up.submit(make_frame(0))

        async def wait() -> Outcome:
            return await receipt

        waiters = [asyncio.create_task(wait()) for _ in range(5)]
        await asyncio.sleep(0)
        waiters[2].cancel()
        results = await asyncio.gather(*waiters, return_exceptions=True)
    assert [isinstance(result, Delivered) for result in results] == [True, True, False, True, True]
    assert isinstance(results[2], asyncio.CancelledError)


async def test_a_stream_left_in_the_middle_closes_the_callers_generator() -> None:
    """Leaving the loop early ends the feeding; the async generator given in is closed, and what was submitted is delivered."""
    ended: list[str] = []

    async def source() -> Any:
        try:
            for number in range(1000):
                yield make_frame(number)
        finally:
            ended.append("closed")

    async with Uploader(send, max_pending_frames=5) as up:
        stream = up.stream(source())
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]
        assert ended == ["closed"]
    assert up.report.is_complete
    assert up.report.accepted < 100


async def test_a_stream_ends_with_the_uploader() -> None:
    """Closing while a stream runs: its outcomes come, then ClosedError, and nothing hangs."""

    async def endless() -> Any:
        number = 0
        while True:
            yield make_frame(number)
            number += 1
            await asyncio.sleep(0.01)

    seen: list[Outcome] = []
    async with Uploader(send) as up:

        async def read() -> None:
            async for outcome in up.stream(endless()):
                seen.append(outcome)

        reading = asyncio.create_task(read())
        await asyncio.sleep(1.0)
    with pytest.raises(ClosedError):
        await reading
    assert len(seen) == up.report.accepted == up.report.delivered > 50


async def test_ten_thousand_sources_each_get_their_turn() -> None:
    """With as many sources as frames order of arrival is kept; with one hog, nobody waits behind it."""
    order: list[str] = []

    async def note(frame: Frame, request: bytes) -> dict[str, Any]:
        order.append(frame.source or "")
        await asyncio.sleep(0)
        return {}

    async with Uploader(note, concurrency=1) as up:
        for number in range(1000):
            await up.submit(make_frame(number, source="hog"))
        for number in range(10_000):
            await up.submit(make_frame(number, source=f"cam-{number}"))
    assert up.report.delivered == 11_000
    last_camera = max(index for index, name in enumerate(order) if name != "hog")
    assert order[: last_camera + 1].count("hog") <= 1000
    assert [name for name in order if name != "hog"] == [f"cam-{number}" for number in range(10_000)]


async def test_a_source_that_fails_holds_up_nobody_else_in_order() -> None:
    """With `ordered_by`, one camera whose frames always fail keeps its own line only."""

    async def picky(frame: Frame, request: bytes) -> dict[str, Any]:
        await asyncio.sleep(0.01)
        if frame.source == "bad":
            raise TransportError("cut", "POST", "http://x", request_sent=True)
        return {}

    async with Uploader(picky, ordered_by="source", concurrency=4, close_timeout=1.0) as up:
        for number in range(40):
            await up.submit(make_frame(number, source="bad" if number % 4 == 0 else f"cam-{number % 4}"))
        await asyncio.sleep(60.0)
        assert up.statistics().delivered == 30
    assert (up.report.delivered, up.report.dropped, up.report.is_balanced) == (30, 10, True)


async def test_an_uploader_of_one_loop_is_refused_in_another() -> None:
    """A second loop that submits gets a ClosedError that says why."""
    async with Uploader(send) as up:

        def elsewhere() -> None:
            with pytest.raises(ClosedError, match="another event loop"):
                asyncio.run(up.submit(make_frame(1)))

        await asyncio.to_thread(elsewhere)
    assert up.report.accepted == 0
