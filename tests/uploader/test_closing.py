"""Closing: in time whatever happens, and every frame accounted for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import anyio
import pytest

from picsellia_async._delivery.outcomes import Dropped, Health, Rejected
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import (
    ClosedError,
    RateLimitError,
)
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame
from ..support.virtual_time import VirtualLoop
from .service import Service, down, frames, uploader

pytestmark = pytest.mark.anyio

PATIENT = RetryPolicy(backoff_initial=100.0, backoff_max=1000.0, jitter=0.0)
"""Waits that are longer than any closing."""


async def test_closing_against_a_dead_service_is_bounded() -> None:
    """`close_timeout=2` against a service that never answers returns within 2.5 seconds and lists what is undelivered."""
    service = Service(hold=asyncio.Event())
    loop = asyncio.get_running_loop()
    async with uploader(service, close_timeout=2.0, concurrency=4) as up:
        for frame in frames(10):
            await up.submit(frame)
        started = loop.time()
    assert 2.0 <= loop.time() - started <= 2.5
    report = up.report
    assert (report.accepted, report.dropped, len(report.undelivered), report.is_balanced) == (10, 10, 10, True)
    assert report.dropped_by_reason == {"closed": 10}
    assert [outcome.may_be_stored for outcome in report.undelivered].count(True) == 4  # type: ignore[union-attr]


async def test_closing_is_bounded_though_send_ignores_cancellation() -> None:
    """A `send` that swallows its cancellation is left to itself; its late answer changes no number."""
    loop = asyncio.get_running_loop()

    async def stubborn(frame: Frame, request: bytes) -> dict[str, Any]:
        for _ in range(3):
            try:
                await asyncio.sleep(5.0)
            except asyncio.CancelledError:
                continue
        return {"id": 1}

    async with Uploader(stubborn, close_timeout=1.0) as up:
        receipt = await up.submit(make_frame(0))
        started = loop.time()
    assert loop.time() - started <= 1.5
    assert isinstance(receipt.outcome, Dropped)
    await asyncio.sleep(20.0)
    assert (up.report.delivered, up.report.dropped, up.report.is_balanced) == (0, 1, True)


async def test_frames_submitted_right_before_closing_arrive() -> None:
    """1,500 frames and an immediate close: 1,500 arrive."""
    service = Service()
    async with uploader(service) as up:
        for frame in frames(1500):
            await up.submit(frame)
    assert (up.report.delivered, len(set(service.stored))) == (1500, 1500)


async def test_closing_during_a_long_retry_after_wakes_at_once() -> None:
    """A pause of 60 seconds that the service asked for is longer than closing may take, so closing does not wait at all."""
    service = Service(script=lambda frame, attempt: RateLimitError("later", 429, "POST", "x", retry_after=60.0))
    loop = asyncio.get_running_loop()
    async with uploader(service, close_timeout=30.0) as up:
        await up.submit(make_frame(0))
        await asyncio.sleep(1.0)
        assert up.statistics().health is Health.THROTTLED
        started = loop.time()
    assert loop.time() - started <= 0.5
    assert up.report.dropped == 1
    assert service.attempts.total() == 1, "nobody sends before the time, not even at closing"


async def test_closing_ends_own_pauses_and_delivers() -> None:
    """A frame that waits for its next attempt is attempted at once when closing begins."""
    service = Service(script=lambda frame, attempt: down() if attempt <= 4 else None)
    loop = asyncio.get_running_loop()
    policy = RetryPolicy(backoff_initial=10.0, backoff_max=100.0)
    async with uploader(service, retry=policy) as up:
        receipt = await up.submit(make_frame(0))
        await asyncio.sleep(45.0)
        assert service.attempts.total() == 3
        started = loop.time()
        closing = asyncio.create_task(up.aclose())
        await asyncio.sleep(0.1)
        assert service.attempts.total() == 4
        await closing
    assert loop.time() - started <= 30.5
    assert receipt.outcome is not None


@pytest.mark.parametrize("back_after", [0.0, 0.3, 2.0, 4.6, 6.5, 7.0, 17.4, 20.0, 28.9])
@pytest.mark.parametrize("count", [1, 40])
async def test_closing_delivers_to_a_service_that_is_back_a_second_before_its_end(
    back_after: float, count: int
) -> None:
    """Down for a minute before, and back at any time up to a second before `close_timeout`: everything is delivered."""
    loop = asyncio.get_running_loop()
    back_at = loop.time() + 60.0 + back_after
    service = Service(script=lambda frame, attempt: down() if loop.time() < back_at else None)
    async with uploader(service, close_timeout=max(1.0 + back_after, 1.1)) as up:
        for frame in frames(count):
            await up.submit(frame)
        await asyncio.sleep(60.0)
    assert (up.report.delivered, up.report.dropped) == (count, 0)
    closing = [at for at, _ in service.arrivals if back_at - back_after <= at < back_at]
    assert len(closing) <= 2 + 3 * back_after, "it is probed, not hammered"


@pytest.mark.parametrize("back_after", [0.0, 3.0, 14.0, 28.9])
@pytest.mark.parametrize("bound", [2, 3, 8, 200])
async def test_closing_spreads_bounded_attempts_over_its_time(back_after: float, bound: int) -> None:
    """Waits of minutes, and `max_attempts`: whenever the service is back, up to a second before the end, the frame is delivered."""
    loop = asyncio.get_running_loop()
    back_at = loop.time() + 5.0 + back_after
    service = Service(script=lambda frame, attempt: down() if loop.time() < back_at else None)
    async with uploader(service, close_timeout=30.0, max_attempts=bound, retry=PATIENT) as up:
        await up.submit(make_frame(0))
        await asyncio.sleep(5.0)
    assert (up.report.delivered, up.report.retries < bound) == (1, True)


async def test_closing_makes_no_more_attempts_than_asked_for() -> None:
    """The service stays down: the frame is rejected with its last attempt, a second before the end."""
    service = Service(script=lambda frame, attempt: down())
    loop = asyncio.get_running_loop()
    async with uploader(service, close_timeout=8.0, max_attempts=3, retry=PATIENT) as up:
        receipt = await up.submit(make_frame(0))
        begun = loop.time()
    assert isinstance(receipt.outcome, Rejected)
    assert [round(at - begun) for at, _ in service.arrivals] == [0, 4, 7]


async def test_producers_and_flushes_do_not_deadlock() -> None:
    """64 producers that flush all the time, and everything ends."""
    service = Service()
    async with uploader(service, max_pending_frames=20) as up:

        async def produce(producer: int) -> None:
            for number in range(10):
                await up.submit(make_frame(producer * 100 + number))
                await up.flush()

        await asyncio.gather(*(produce(producer) for producer in range(64)))
    assert (up.report.delivered, up.report.is_balanced) == (640, True)


async def test_flush_waits_for_what_was_accepted_before() -> None:
    """Frames that come after the call do not keep it waiting."""
    service = Service(seconds=1.0)
    async with uploader(service, concurrency=1) as up:
        for frame in frames(3):
            await up.submit(frame)
        flushing = asyncio.create_task(up.flush())
        await asyncio.sleep(0)
        for number in range(3, 30):
            await up.submit(make_frame(number))
        assert await flushing == 0
        assert len(service.stored) == 3


async def test_cancelling_the_surrounding_task_settles_everything() -> None:
    """A cancelled block closes as any other: what can be delivered is, the account balances, and the cancellation goes on."""
    service = Service(seconds=0.2)
    up = uploader(service, concurrency=2)

    async def application() -> None:
        async with up:
            for frame in frames(10):
                await up.submit(frame)
            await asyncio.sleep(100)

    task = asyncio.create_task(application())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (up.report.delivered, up.report.is_balanced) == (10, True)


async def test_of_a_block_that_a_cancellation_ended_the_next_one_ends_the_flush() -> None:
    """Ctrl-C ends the block; once more ends the delivery, and not at the third time."""
    service = Service(hold=asyncio.Event())
    up = uploader(service, close_timeout=60.0)
    submitted = asyncio.Event()

    async def block() -> None:
        async with up:
            await up.submit(make_frame(1))
            submitted.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await submitted.wait()
    task.cancel()
    while "closing" not in repr(up):  # noqa: ASYNC110 - closing tells nobody that it began
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 30)
    assert (up.report.dropped, up.report.is_balanced) == (1, True)


async def test_another_loop_is_refused_and_does_not_hang() -> None:
    """Futures of the uploader's loop never wake a task of another one."""
    async with uploader(Service()) as up:
        await up.submit(make_frame(1))

        async def elsewhere() -> None:
            for call in (up.flush, up.aclose):
                with pytest.raises(ClosedError, match="belongs to another event loop"):
                    await call()

        await asyncio.to_thread(asyncio.run, elsewhere())
    assert up.report.is_complete


async def test_an_anyio_scope_that_is_cancelled_closes_in_order() -> None:
    """A cancelled anyio scope, which cancels again and again, counts as one cancellation."""
    service = Service(seconds=0.2)
    up = uploader(service)
    with anyio.move_on_after(0.1):
        async with up:
            for frame in frames(5):
                await up.submit(frame)
            await anyio.sleep(100)
    assert (up.report.delivered, up.report.is_balanced) == (5, True)


async def test_an_error_in_the_block_still_closes() -> None:
    """The block's own exception comes through, after the frames were delivered."""
    up = uploader(Service())
    with pytest.raises(ZeroDivisionError):
        async with up:
            await up.submit(make_frame(0))
            raise ZeroDivisionError
    assert up.report.delivered == 1


async def test_use_outside_of_its_life_is_one_typed_error() -> None:
    """Before opening, after closing, and opened twice: ClosedError with the way out; closing twice is fine."""
    up = uploader(Service())
    with pytest.raises(ClosedError, match="async with"):
        await up.submit(make_frame(0))
    async with up:
        with pytest.raises(ClosedError, match="once"):
            await up.__aenter__()
    await up.aclose()
    with pytest.raises(ClosedError, match="closed"):
        await up.submit(make_frame(0))
    unopened = uploader(Service())
    await unopened.aclose()
    assert unopened.is_closed
    assert unopened.report.is_balanced


async def test_submits_that_wait_are_sent_away_by_closing() -> None:
    """Whoever waits for room when closing begins gets ClosedError, and the frame was not accepted."""
    service = Service(seconds=5.0)
    async with uploader(service, max_pending_frames=1) as up:
        await up.submit(make_frame(0))
        waiting = asyncio.create_task(up.submit(make_frame(1)))
        await asyncio.sleep(0)
    with pytest.raises(ClosedError):
        await waiting
    assert (up.report.accepted, up.report.delivered) == (1, 1)


@pytest.mark.parametrize("bounds", [{"max_pending_frames": 4}, {"max_spool_bytes": 5_000}], ids=["memory", "spool"])
async def test_submits_that_wait_when_it_closes_are_counted(
    tmp_path: Path, disk: None, bounds: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    """They are refused, in the report, the statistics and the closing line; what is cancelled, or comes later, is not."""
    options: dict[str, Any] = {"spool": tmp_path} if "max_spool_bytes" in bounds else {}
    service = Service(hold=asyncio.Event())
    async with uploader(service, close_timeout=5.0, **bounds, **options) as up:
        asked = [asyncio.create_task(up.submit(frame)) for frame in frames(30)]
        left = asyncio.create_task(asyncio.wait_for(up.submit(make_frame(1000)), 0.5))
        await asyncio.sleep(1.0)
    with pytest.raises(TimeoutError):
        await left
    with pytest.raises(ClosedError):
        await up.submit(make_frame(1001))
    refused = sum(isinstance(task.exception(), ClosedError) for task in asked)
    report = up.report
    assert (report.accepted + refused, report.accepted < 10) == (30, True)
    assert (report.refused, up.statistics().refused) == (refused, refused)
    closing = caplog.messages[-1]
    assert closing.startswith("an uploader closed with 30 frames not delivered: ")
    assert f"{refused} not taken" in closing


async def test_a_frame_of_a_stream_that_waits_when_it_closes_is_counted() -> None:
    """It was taken from the iterable, and is in no outcome: it is refused, and the loop over the outcomes ends by a ClosedError."""
    async with uploader(Service(hold=asyncio.Event()), close_timeout=1.0, max_pending_frames=4) as up:
        given = iter(frames(30))

        async def read() -> None:
            async for _ in up.stream(given):
                pass

        reading = asyncio.create_task(read())
        while up.statistics().accepted < 4:  # noqa: ASYNC110 - a stream tells nobody what it has submitted
            await asyncio.sleep(0.01)
        await asyncio.sleep(1.0)
    with pytest.raises(ClosedError):
        await reading
    assert (up.report.accepted, up.report.dropped, up.report.refused) == (4, 4, 1)


def test_leaving_without_closing_tells_the_count(caplog: pytest.LogCaptureFixture) -> None:
    """An uploader that is dropped with frames in it says how many, as a warning and in the log."""

    async def leave() -> Uploader:
        up = uploader(Service(script=lambda frame, attempt: down()))
        await up.__aenter__()
        for frame in frames(3):
            await up.submit(frame)
        await asyncio.sleep(100.0)
        return up

    loop = VirtualLoop()
    up = loop.run_until_complete(leave())
    loop.close()
    left = [up]
    del up
    with pytest.warns(ResourceWarning, match="3 frames have no outcome"):
        left.clear()
    assert "3 frames have no outcome" in caplog.text
