"""`Uploader.from_thread`: what other threads hand over to an uploader in an event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs
import pytest

from picsellia_async import (
    ClosedError,
    ConfigurationError,
    Delivered,
    Dropped,
    Frame,
    FrameTooLargeError,
    PicselliaError,
    Rejected,
    Spooled,
    SyncReceipt,
    UploaderFromThread,
    UploaderFullError,
)

from ..spool.makers import StalledService
from ..support.frames import make_frame
from ..support.pipelines import until
from ..uploader.service import Service, frames, uploader

pytestmark = pytest.mark.anyio


class Submitting:
    """A thread that submits frames one after the other."""

    def __init__(self, door: UploaderFromThread, given: Iterable[Frame]) -> None:
        self.receipts: list[SyncReceipt] = []
        self.error: BaseException | None = None
        self.door, self.given = door, given
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            for frame in self.given:
                self.receipts.append(self.door.submit(frame))
        except PicselliaError as error:
            self.error = error

    @property
    def waits(self) -> bool:
        """Whether the thread stands in a `wait`, and so in `submit`."""
        frame = sys._current_frames().get(self.thread.ident or 0)
        return frame is not None and frame.f_code.co_name == "wait"

    async def ended(self) -> None:
        await asyncio.to_thread(self.thread.join)


async def test_many_threads_submit_and_each_frame_is_delivered_once() -> None:
    """Eight threads with a hundred frames each: every frame is sent once, every receipt has its outcome, the account is theirs."""
    service = Service(seconds=0.0)
    async with uploader(service, max_pending_frames=50) as running:
        door = running.from_thread()
        threads = [Submitting(door, frames(100, source=f"t{number}")) for number in range(8)]
        for one in threads:
            await one.ended()
        assert await asyncio.to_thread(door.flush) == 0
    receipts = [receipt for one in threads for receipt in one.receipts]
    assert len(receipts) == 800
    assert all(isinstance(receipt.result(0), Delivered) for receipt in receipts)
    assert set(Counter(service.stored).values()) == {8}  # the names are the same in each thread
    assert door.report.accepted == door.report.delivered == 800


async def test_the_frames_of_a_thread_are_taken_in_their_order() -> None:
    """With one request at a time the service gets them as the thread handed them over."""
    service = Service(seconds=0.0)
    given = frames(150)
    async with uploader(service, concurrency=1) as running:
        await Submitting(running.from_thread(), given).ended()
    assert service.stored == [frame.filename for frame in given]


async def test_submit_waits_while_uploader_and_buffer_are_full() -> None:
    """Four frames in the uploader and at most four in the buffer: the next one waits for room, and then all are delivered."""
    service = Service(seconds=0.0, hold=asyncio.Event())
    async with uploader(service, max_pending_frames=4) as running:
        one = Submitting(running.from_thread(), frames(30))
        await until(lambda: running.statistics().accepted == 4 and len(one.receipts) > 4)
        await asyncio.sleep(0.05)
        assert len(one.receipts) <= 8
        assert running.statistics().accepted == 4
        service.hold.set()
        await one.ended()
        assert len(one.receipts) == 30
    assert running.report.delivered == 30


async def test_a_full_uploader_raises_in_the_thread() -> None:
    """`when_full="raise"`: `submit` raises what the loop says, and it is counted."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=2, when_full="raise") as running:
        one = Submitting(running.from_thread(), frames(5))
        await one.ended()
        assert (type(one.error), len(one.receipts)) == (UploaderFullError, 2)
        assert running.statistics().refused == 1
        service.hold.set()


@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest"])
async def test_a_full_uploader_drops_and_the_thread_goes_on(when_full: str) -> None:
    """With a policy that drops, no thread waits for the service; the receipts tell what was dropped."""
    service = Service(seconds=0.0, hold=asyncio.Event())
    async with uploader(service, max_pending_frames=4, concurrency=1, when_full=when_full) as running:
        one = Submitting(running.from_thread(), frames(40))
        await one.ended()
        await until(lambda: running.statistics().accepted == 40)
        service.hold.set()
    kinds = Counter(type(receipt.result(0)).__name__ for receipt in one.receipts)
    assert kinds == {"Delivered": 4, "Dropped": 36}
    assert running.report.is_balanced


async def test_a_frame_that_the_uploader_refuses_is_rejected_in_its_receipt() -> None:
    """The thread has gone on: the error is in the outcome, and in the report."""
    async with uploader(Service(seconds=0.0), max_pending_bytes=4000) as running:
        one = Submitting(running.from_thread(), [make_frame(1, size=5000), make_frame(2)])
        await one.ended()
    refused, stored = (receipt.result(0) for receipt in one.receipts)
    assert isinstance(refused, Rejected)
    assert isinstance(refused.error, FrameTooLargeError)
    assert isinstance(stored, Delivered)
    assert (running.report.accepted, running.report.rejected) == (2, 1)


async def test_with_a_spool_submit_returns_once_the_frame_is_on_disk(tmp_path: Any) -> None:
    """`durability="commit"`: the record is there when `submit` returns; threads share commits, and errors are raised in them."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, spool=tmp_path, concurrency=1, max_pending_bytes=200_000) as running:
        door = running.from_thread()
        threads = [Submitting(door, [make_frame(number)]) for number in range(6)]
        threads.append(Submitting(door, [make_frame(9, size=300_000)]))
        for one in threads:
            await one.ended()
        assert running.statistics().spool_frames == 6
        assert isinstance(threads[-1].error, FrameTooLargeError)
        service.hold.set()
    assert running.report.delivered == 6
    assert all(isinstance(one.receipts[0].result(0), Delivered) for one in threads[:-1])


async def test_closing_while_threads_submit_accounts_for_every_receipt() -> None:
    """Threads submit until they are told that it is closed: as many receipts as frames accepted, each with its outcome."""
    service = Service(seconds=0.0)
    running = uploader(service, max_pending_frames=20)
    async with running:
        threads = [Submitting(running.from_thread(), map(make_frame, itertools.count())) for _ in range(4)]
        await until(lambda: len(service.stored) > 100)
    for one in threads:
        await one.ended()
        assert isinstance(one.error, ClosedError)
    receipts = [receipt for one in threads for receipt in one.receipts]
    assert all(receipt.done() for receipt in receipts)
    report = running.report
    assert report.accepted == len(receipts)
    assert report.delivered == len(service.stored) == len(receipts)


async def test_closing_in_an_outage_drops_what_is_in_the_buffer_too() -> None:
    """The service never answers: closing ends by its deadline, and frames of the buffer are dropped and counted as the others."""
    service = Service(hold=asyncio.Event())
    running = uploader(service, max_pending_frames=3, close_timeout=0.05)
    async with running:
        one = Submitting(running.from_thread(), frames(100))
        await until(lambda: running.statistics().accepted == 3 and len(one.receipts) > 3)
    await one.ended()
    assert isinstance(one.error, ClosedError)
    assert all(isinstance(receipt.result(0), Dropped) for receipt in one.receipts)
    assert running.report.accepted == running.report.dropped == len(one.receipts) <= 6


@pytest.mark.parametrize("durability", ["interval", "commit"])
async def test_closing_takes_what_is_in_the_buffer_to_the_spool(tmp_path: Any, durability: str) -> None:
    """Nothing may be sent and closing has no time: with a spool no frame that a thread handed over is dropped for it."""
    options: dict[str, Any] = {"spool": tmp_path, "durability": durability, "close_timeout": 0.0}
    running = uploader(Service(), **options)
    async with running:
        running.pause()
        threads = [Submitting(running.from_thread(), map(make_frame, itertools.count())) for _ in range(4)]
        await until(lambda: running.statistics().accepted > 50)
    for one in threads:
        await one.ended()
        assert isinstance(one.error, ClosedError)
    receipts = [receipt for one in threads for receipt in one.receipts]
    assert {type(receipt.result(0)) for receipt in receipts} == {Spooled}
    assert running.report.accepted == running.report.spooled == len(receipts)


async def test_a_loop_that_ends_without_closing_leaves_no_thread_waiting() -> None:
    """Nobody closes the uploader: waiting threads get a ClosedError when its loop ends."""
    found: list[Submitting] = []

    async def forgetful() -> None:
        running = await uploader(Service(), max_pending_frames=2).__aenter__()
        running.pause()
        found.append(Submitting(running.from_thread(), frames(100)))
        await until(lambda: running.statistics().accepted == 2)
        running._watch.detach()  # it tells so, which is the subject of another test

    await asyncio.to_thread(asyncio.run, forgetful())
    await found[0].ended()
    assert isinstance(found[0].error, ClosedError)
    with pytest.raises(ClosedError):
        await asyncio.to_thread(found[0].door.submit, make_frame())


async def test_flush_tells_what_has_no_outcome_in_time() -> None:
    """Frames in the buffer count, and `statistics` works from any thread."""
    service = Service(seconds=0.0, hold=asyncio.Event())
    async with uploader(service, max_pending_frames=2) as running:
        door = running.from_thread()
        one = Submitting(door, frames(4))
        await one.ended()
        assert await asyncio.to_thread(door.flush, 0.01) == 4
        assert (await asyncio.to_thread(door.statistics)).pending_frames == 2
        service.hold.set()
        assert await asyncio.to_thread(door.flush) == 0


async def test_pause_and_resume_from_a_thread() -> None:
    """They are those of the uploader, and are done when they return."""
    async with uploader(Service(seconds=0.0)) as running:
        door = running.from_thread()
        await asyncio.to_thread(door.pause)
        assert running.statistics().is_paused
        await asyncio.to_thread(door.resume)
        assert not running.statistics().is_paused


async def test_a_call_in_the_thread_of_the_loop_is_refused() -> None:
    """It would wait for itself: said at once, and no coroutine is left."""
    async with uploader(Service(hold=asyncio.Event()), close_timeout=0.0) as running:
        door = running.from_thread()
        for call in (lambda: door.submit(make_frame()), door.flush, door.pause):
            with pytest.raises(ConfigurationError, match="event loop"):
                call()
        one = Submitting(door, [make_frame()])
        await one.ended()
        with pytest.raises(ConfigurationError, match="event loop"):
            one.receipts[0].result()


async def test_a_receipt_is_a_future_that_cannot_be_cancelled() -> None:
    """`concurrent.futures.wait`, `add_done_callback` and a time-out work; `cancel` says no."""
    service = Service(seconds=0.0, hold=asyncio.Event())
    called: list[SyncReceipt] = []
    async with uploader(service) as running:
        frame = make_frame()
        one = Submitting(running.from_thread(), [frame])
        await one.ended()
        receipt = one.receipts[0]
        receipt.add_done_callback(called.append)
        assert (receipt.cancel(), receipt.outcome, receipt.frame_id) == (False, None, frame.id)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(receipt.result, 0.001)
        service.hold.set()
        done, _ = await asyncio.to_thread(concurrent.futures.wait, [receipt])
    assert done == {receipt} == set(called)
    assert receipt.outcome is receipt.result()


async def test_only_frames_are_taken_and_only_by_an_open_uploader() -> None:
    """What is no frame is refused in its thread; `from_thread` before opening and after closing is a ClosedError."""
    running = uploader(Service())
    with pytest.raises(ClosedError):
        running.from_thread()
    async with running:
        with pytest.raises(ConfigurationError, match="Frame"):
            await asyncio.to_thread(running.from_thread().submit, b"image")
    with pytest.raises(ClosedError):
        running.from_thread()


async def test_refusals_are_counted_as_those_in_the_loop() -> None:
    """An id that another picture has on its way: told in the thread, and in the numbers."""
    service = StalledService()
    async with uploader(service, when_full="raise") as running:
        first = make_frame(1)
        await running.submit(first)
        door = running.from_thread()
        with pytest.raises(ConfigurationError, match="that of another frame"):
            await asyncio.to_thread(door.submit, attrs.evolve(make_frame(2), id=first.id))
        assert running.statistics().refused == 1
        service.go.set()


@pytest.mark.parametrize("has_spool", [False, True], ids=["buffered", "asked"])
async def test_threads_that_wait_in_submit_when_it_closes_are_counted(tmp_path: Any, has_spool: bool) -> None:
    """Ten threads with a frame each, and room for a few: those that get a ClosedError are refused, the others' frames have their outcome."""
    options: dict[str, Any] = {"spool": tmp_path, "max_spool_bytes": 5_000} if has_spool else {"max_pending_frames": 2}
    async with uploader(Service(hold=asyncio.Event()), close_timeout=0.2, **options) as running:
        door = running.from_thread()
        threads = [Submitting(door, [make_frame(one)]) for one in range(10)]
        await until(lambda: all(one.waits or one.receipts for one in threads))
    for one in threads:
        await one.ended()
    refused = sum(isinstance(one.error, ClosedError) for one in threads)
    taken = sum(len(one.receipts) for one in threads)
    assert refused > 5
    assert (running.report.accepted, running.report.refused) == (taken, refused)


@pytest.mark.parametrize("waits_in_a_thread", [False, True])
@pytest.mark.parametrize("close_timeout", [0.0, 0.05])
async def test_submits_in_the_loop_that_wait_beside_threads_are_counted(
    close_timeout: float, waits_in_a_thread: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where closing has no time, or it runs out on a thread's frame: they are in the report and the closing line."""
    options: dict[str, Any] = {"close_timeout": close_timeout, "max_pending_frames": 2}
    async with uploader(Service(hold=asyncio.Event()), **options) as running:
        door = running.from_thread()
        first = [await running.submit(frame) for frame in frames(2)]
        threads = [Submitting(door, [make_frame(100)])] if waits_in_a_thread else []
        for one in threads:
            await one.ended()
        asked = [asyncio.create_task(running.submit(make_frame(one))) for one in range(10, 15)]
        await asyncio.sleep(0)
    report, closing = running.report, caplog.messages[-1]
    await asyncio.wait(asked)
    assert [type(task.exception()) for task in asked] == [ClosedError] * 5
    assert (report.accepted, report.dropped, report.refused) == (len(first) + len(threads),) * 2 + (5,)
    assert "5 not taken" in closing
    assert running.report == report
