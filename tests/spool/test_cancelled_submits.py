"""Submits that are cancelled, or overtaken by closing, while their frames are on their way to disk: in the account, or not on disk."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picsellia_async._delivery.outcomes import Delivered, UploadReport
from picsellia_async._delivery.spool.spool import Spool
from picsellia_async._delivery.spool.store import Store
from picsellia_async.errors import BadRequestError, ClosedError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame
from ..uploader.service import Service, down, frames, uploader

uvloop = pytest.importorskip("uvloop")
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
CANCELLED = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans()), min_size=1, max_size=24)
"""Of each submit: steps of the loop before the next one, whether the disk gets a moment, and whether it is cancelled then."""


async def run_twice(directory: Path, plan: list[tuple[int, bool, bool]], *, is_up: bool) -> None:
    """Submit, cancel, and close while commits are under way; then look what the next uploader finds."""
    service = Service(seconds=0.0, script=lambda _frame, _attempt: None if is_up else down())
    async with uploader(service, spool=directory, close_timeout=0.1) as up:
        tasks = [asyncio.ensure_future(up.submit(frame)) for frame in frames(len(plan))]
        for task, (steps, waits, is_cancelled) in zip(tasks, plan, strict=True):
            for _ in range(steps):
                await asyncio.sleep(0)
            if waits:
                await asyncio.sleep(0.001)
            if is_cancelled:
                task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    report = up.report
    taken = [one for one in results if not isinstance(one, BaseException)]
    refused = [one for one in results if isinstance(one, ClosedError)]
    assert report.is_balanced
    assert report.refused <= len(refused)  # those that came when it was closed are not counted
    assert len(taken) == report.accepted
    assert report.accepted == report.delivered + report.spooled
    next_service = Service()
    async with uploader(next_service, spool=directory) as following:
        await following.flush(30)
    assert following.report.recovered == report.spooled
    assert len({*service.stored, *next_service.stored}) == report.accepted


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
@given(plan=CANCELLED, is_up=st.booleans())
@settings(max_examples=25, deadline=None)
def test_what_is_on_disk_is_in_the_account(
    loop_factory: Callable[[], Any], plan: list[tuple[int, bool, bool]], is_up: bool
) -> None:
    """Each frame whose submit returned is accepted and has its one outcome; no other one is on disk for the next run to send."""
    with tempfile.TemporaryDirectory() as directory, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run_twice(Path(directory) / "spool", plan, is_up=is_up))


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_a_frame_submitted_again_behind_a_time_out_is_stored_once(
    loop_factory: Callable[[], Any], plan: list[tuple[int, int]]
) -> None:
    """The same frame, while its first commit is under way or has just ended, also by several at a time of which some are cancelled."""

    async def submit(up: Uploader, frame: Frame, steps: int, others: int) -> None:
        tasks = [asyncio.ensure_future(up.submit(frame)) for _ in range(others + 1)]
        for task in tasks:
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
        again = await up.submit(frame)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) or one.frame_id == again.frame_id for one in results)
        assert isinstance(await asyncio.wait_for(again, 60), Delivered)

    async def main(directory: Path) -> None:
        service = Service(seconds=0.2)  # so that each is under way still when it comes again
        async with uploader(service, spool=directory, close_timeout=30.0) as up:
            await asyncio.gather(
                *(submit(up, *one) for one in zip(frames(len(plan)), *zip(*plan, strict=True), strict=True))
            )
        assert sorted(service.stored) == [frame.filename for frame in frames(len(plan))]
        assert (up.report.accepted, up.report.delivered, up.report.is_balanced) == (len(plan), len(plan), True)

    with tempfile.TemporaryDirectory() as directory, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main(Path(directory) / "spool"))


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_a_frame_submitted_again_does_not_overtake_those_of_its_commit(
    loop_factory: Callable[[], Any], tmp_path: Path
) -> None:
    """One commit holds them all; the last one comes again in each step of the loop, also between its end and their waking."""
    service, batch = Service(), frames(10, source="gate")

    async def main() -> None:
        async with uploader(service, spool=tmp_path / "spool", ordered_by="source") as up:
            tasks = [asyncio.ensure_future(up.submit(frame)) for frame in batch]
            again = []
            while not all(task.done() for task in tasks):
                again.append(asyncio.ensure_future(up.submit(batch[-1])))
                await asyncio.sleep(0)
            await asyncio.gather(*tasks, *again)
            assert await up.flush(60) == 0

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert service.stored == [frame.filename for frame in batch]


@pytest.mark.parametrize("is_cancelled", [True, False])
@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_a_commit_that_closing_does_not_wait_for_is_taken_back(
    loop_factory: Callable[[], Any], is_cancelled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk hangs while the frame is written: refused, or cancelled, it is not there when the directory is free again."""
    commit, hangs, is_there = Store.commit, threading.Event(), threading.Event()

    def slow_commit(store: Store, *args: Any) -> Any:
        is_there.set()
        assert hangs.wait(60)
        return commit(store, *args)

    async def main() -> UploadReport:
        async with uploader(Service(), spool=tmp_path / "spool", close_timeout=0.1) as up:
            monkeypatch.setattr(Store, "commit", slow_commit)
            task = asyncio.ensure_future(up.submit(frames(1)[0]))
            await asyncio.to_thread(is_there.wait, 60)
            if is_cancelled:
                task.cancel()
        hangs.set()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError if is_cancelled else ClosedError)
        (thread,) = [one for one in threading.enumerate() if one.name == "picsellia-spool"] or [threading.Thread()]
        if thread.ident is not None:
            await asyncio.to_thread(thread.join, 60)
        async with uploader(Service(), spool=tmp_path / "spool") as following:
            assert following.report.recovered == 0
        return up.report

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        report = runner.run(main())
    assert (report.accepted, report.spooled, report.is_balanced) == (0, 0, True)


def test_a_submit_cancelled_while_dead_letters_are_deleted_leaves_their_room_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are deleted whoever waits: what they took must not count for ever."""
    drop, begun = Spool.drop_rejected, asyncio.Event()

    async def noted(spool: Spool, min_bytes: int) -> tuple[int, int]:
        begun.set()
        return await drop(spool, min_bytes)

    async def main() -> None:
        bad = BadRequestError("no", 422, "POST", "http://x")
        service = Service(script=lambda frame, _: bad if frame.filename < "frame-000030" else None)
        async with uploader(service, spool=tmp_path / "spool", max_spool_bytes=50_000) as up:
            for frame in frames(30):
                await up.submit(frame)
            await up.flush()
            monkeypatch.setattr(Spool, "drop_rejected", noted)
            task = asyncio.ensure_future(up.submit(make_frame(30, size=20_000)))
            await begun.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await up.submit(make_frame(31, size=45_000))
            assert await up.flush(30) == 0
        assert (up.report.rejected, up.report.delivered, up.report.is_balanced) == (30, 1, True)

    asyncio.run(asyncio.wait_for(main(), 60))
