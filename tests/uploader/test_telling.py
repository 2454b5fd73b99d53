"""Callbacks, progress and statistics."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
import threading
from pathlib import Path

import pytest

from picsellia_async._delivery.ladder import Ladder
from picsellia_async._delivery.outcomes import Outcome

from ..support.frames import make_frame
from .service import Service, frames, uploader

pytestmark = pytest.mark.anyio


async def test_callbacks_that_raise_break_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in `on_outcome` or `progress` is logged and counted; everything else goes on."""

    def broken(_: object) -> None:
        raise RuntimeError("callback")

    async with uploader(Service(), on_outcome=broken, progress=broken) as up:
        for frame in frames(20):
            await up.submit(frame)
        await up.flush()
    assert (up.report.delivered, up.report.is_balanced) == (20, True)
    assert up.statistics().callback_errors > 20
    assert "callback" in caplog.text


async def test_a_callback_that_looks_at_a_cancelled_future_cancels_nothing() -> None:
    """What it raises is its own; every frame has its outcome and the account balances."""
    cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    async with uploader(Service(), on_outcome=lambda _: cancelled.result()) as up:
        for frame in frames(20):
            await up.submit(frame)
        assert await up.flush() == 0
    assert (up.report.delivered, up.report.is_balanced) == (20, True)
    assert up.statistics().callback_errors == 20


async def test_each_line_says_which_uploader_it_is_about(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Two in one process write the same words; a formatter has deployment, host and spool."""
    for name in ("a", "b"):
        service = Service(hold=asyncio.Event())
        async with uploader(service, owner={"deployment_id": name}, close_timeout=0.05, spool=tmp_path / name) as up:
            await up.submit(make_frame())
    told = [(record.deployment_id, record.spool) for record in caplog.records if hasattr(record, "pending")]
    assert told
    assert set(told) == {(name, str(tmp_path / name)) for name in ("a", "b")}


async def test_two_uploaders_of_one_deployment_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    """Their lines begin with their numbers from then on, and have them as values; one that was always alone has no such words."""
    owner = {"deployment_id": "a"}
    first, second = (uploader(Service(hold=asyncio.Event()), owner=owner, close_timeout=0.05) for _ in range(2))
    async with first, second:
        for up in (first, second, second):
            await up.submit(make_frame())
    told = [record for record in caplog.records if "closed with" in record.getMessage()]
    (inner, outer) = told
    assert inner.uploader == outer.uploader + 1
    assert inner.getMessage().startswith(f"uploader {inner.uploader} of deployment a: an uploader closed with 2 frames")
    assert outer.getMessage().startswith(f"uploader {outer.uploader} of deployment a: an uploader closed with 1 frame")
    caplog.clear()
    async with uploader(Service(hold=asyncio.Event()), owner=owner, close_timeout=0.05) as alone:
        await alone.submit(make_frame())
    assert any(record.getMessage().startswith("an uploader closed with 1 frame") for record in caplog.records)


def test_uploaders_of_many_threads_come_and_go_while_lines_are_written() -> None:
    """Which of them are open is known to all threads; nobody's opening or closing ends by that."""
    errors: list[BaseException] = []

    async def come_and_go() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(20):
                await stack.enter_async_context(uploader(Service(), close_timeout=1))
            for _ in range(20):
                async with uploader(Service(), close_timeout=1):
                    pass

    def work() -> None:
        try:
            asyncio.run(come_and_go())
        except BaseException as error:  # noqa: BLE001 - whatever it is
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert errors == []


async def test_callbacks_see_every_outcome_and_may_submit() -> None:
    """`on_outcome` is called once per frame, also for frames submitted from within it."""
    seen: list[Outcome] = []
    tasks = []

    def again(outcome: Outcome) -> None:
        seen.append(outcome)
        if len(seen) < 5:
            tasks.append(asyncio.ensure_future(up.submit(make_frame(len(seen)))))

    async with uploader(Service(), on_outcome=again) as up:
        await up.submit(make_frame(0))
        for _ in range(20):
            await up.flush()
            await asyncio.sleep(0.01)
    assert len(seen) == up.report.accepted == 5


async def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    """`progress` gets snapshots at most five times a second, and the final one."""
    calls: list[tuple[float, int]] = []
    loop = asyncio.get_running_loop()
    async with uploader(
        Service(seconds=0.1), concurrency=1, progress=lambda s: calls.append((loop.time(), s.delivered))
    ) as up:
        for frame in frames(30):
            await up.submit(frame)
        await up.flush()
    assert calls[-1][1] == 30
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(calls[:-1])]
    assert len(calls) >= 10
    assert min(gaps) >= 0.19


async def test_statistics_show_what_goes_on() -> None:
    """A snapshot tells where the frames are."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, concurrency=2) as up:
        for frame in frames(5):
            await up.submit(frame)
        await asyncio.sleep(0.001)
        s = up.statistics()
        assert (s.accepted, s.pending_frames, s.in_flight, s.queued, s.concurrency) == (5, 5, 2, 3, 2)
        assert s.pending_bytes == 5 * (1000 + 1024)
        assert "5 accepted, 5 pending, 2 in flight" in repr(up)
        service.hold.set()
        assert await up.flush() == 0
        assert up.statistics().round_trip > 0


async def test_what_one_of_several_does_by_itself_is_told_with_its_number(caplog: pytest.LogCaptureFixture) -> None:
    """A pause, hours in which nothing may be sent, images encoded smaller: each line says which uploader, and its record too."""
    allowed = True
    owner = {"deployment_id": "a"}
    async with uploader(Service(), owner=owner), uploader(Service(), owner=owner, allowed=lambda: allowed) as up:
        up.pause()
        up.resume()
        allowed = False
        await up.submit(make_frame())
        await up.flush(timeout=5)
        allowed = True
        await up.flush()
        ladder = Ladder([(85, 64)], up._reporter.tell)
        ladder.look(0.0, 1000, 0, lambda: 60.0, is_closed=False)
    told = [
        record for record in caplog.records if "deployment_id" not in vars(record) and record.name == "picsellia_async"
    ]
    assert not [record.message for record in told if record.levelno >= logging.INFO]
    texts = [
        "is paused",
        "sends again",
        "sending is not allowed now",
        "sending is allowed again",
        "encoded smaller until the backlog",
    ]
    for text in texts:
        (line,) = (record for record in caplog.records if text in record.message)
        assert line.message.startswith(f"uploader {up._reporter._number} of deployment a: ")
        assert line.uploader == up._reporter._number  # type: ignore[attr-defined]  # of `extra=`
