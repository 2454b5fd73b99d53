"""Bounds hold: of the disk over restarts, of memory, of descriptors, of the time that the loop is held."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from picsellia_async._delivery.outcomes import Dropped, DropReason, Outcome, Rejected
from picsellia_async._delivery.spool import codec
from picsellia_async._delivery.spool.record import Record
from picsellia_async._delivery.spool.results import Committed
from picsellia_async._delivery.spool.store import SEGMENT_BYTES, Store
from picsellia_async.errors import BadRequestError, FrameTooLargeError, UploaderFullError

from ..support.frames import make_frame
from .makers import Service, StalledService, fill, uploader
from .stores import opened, peek

pytestmark = pytest.mark.anyio


async def test_a_refused_frame_becomes_a_dead_letter(tmp_path: Path) -> None:
    """What the service refuses is not sent again, but stays in the file with the reason until its room is needed."""
    service = Service(is_up=False, error=BadRequestError("bad box", 400, "POST", "http://x"))
    async with uploader(service, tmp_path, close_timeout=5.0, max_spool_bytes=10_000) as up:
        assert isinstance(await (await up.submit(make_frame(1, 3000))), Rejected)
        numbers = up.statistics()
        assert (numbers.spool_frames, numbers.spool_bytes > 3000) == (0, True), "its bytes count, and it does not"
    (letter,) = peek(tmp_path)[1]
    assert "bad box" in letter.reason
    service.error = None
    async with uploader(service, tmp_path, max_spool_bytes=10_000, when_full="raise") as up:
        assert up.report.recovered == 0
        assert up.statistics().spool_bytes > 3000
        await up.submit(make_frame(2, 2000))
        await up.submit(make_frame(3, 2000))
        assert up.statistics().spool_bytes > 3000 + 2 * 2000
        await up.submit(make_frame(4, 2000))
        assert 3 * 2000 < up.statistics().spool_bytes < 10_000, "the dead letter made room"
    assert (up.report.accepted, up.report.spooled) == (3, 3)
    assert peek(tmp_path)[1] == []


async def test_the_size_limit_holds_over_restarts(tmp_path: Path) -> None:
    """What lies in the spool counts against the limit of the next run, for every policy."""
    await fill(tmp_path, 4, 2000, max_spool_bytes=12_000)
    async with uploader(Service(is_up=False), tmp_path, max_spool_bytes=12_000, when_full="raise") as up:
        assert 10_000 <= up.statistics().spool_bytes <= 12_000
        with pytest.raises(UploaderFullError):
            await up.submit(make_frame(9, 2000))
        with pytest.raises(FrameTooLargeError):
            await up.submit(make_frame(9, 20_000))
    async with uploader(Service(is_up=False), tmp_path, max_spool_bytes=12_000, when_full="drop_newest") as up:
        assert isinstance((await up.submit(make_frame(9, 2000))).outcome, Dropped)
    service = Service(is_up=False)
    async with uploader(service, tmp_path, max_spool_bytes=12_000, when_full="drop_oldest") as up:
        while up.statistics().queued + up.statistics().waiting < 4:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        receipt = await up.submit(make_frame(9, 2000))
        assert up.report.dropped == 1
    assert up.report.is_balanced
    service.is_up = True
    async with uploader(service, tmp_path, max_spool_bytes=12_000) as up:
        waiting = [asyncio.create_task(up.submit(make_frame(number, 2000))) for number in range(20, 40)]
        await asyncio.gather(*waiting)
        await up.flush()
    assert up.report.is_complete
    assert receipt.outcome is not None


async def test_drop_oldest_keeps_the_newest_while_frames_are_read_back(tmp_path: Path) -> None:
    """A full spool whose frames are being read back at this moment gives up its oldest frame, never the one that comes."""
    await fill(tmp_path, 4, 2000, max_spool_bytes=12_000)
    service = Service(is_up=False)
    async with uploader(service, tmp_path, max_spool_bytes=12_000, when_full="drop_oldest", concurrency=1) as up:
        receipts = [await up.submit(make_frame(9 + number, 2000)) for number in range(3)]
        assert [receipt.outcome for receipt in receipts] == [None] * 3
        assert up.statistics().dropped_by_reason == {DropReason.FULL_OLDEST: 3}
    assert up.report.is_balanced
    assert up.report.spooled == 4


async def test_drop_oldest_reaches_what_is_on_disk_only(tmp_path: Path) -> None:
    """Where all that is in memory is under way, the oldest frame on disk gives way to the one that comes."""
    await fill(tmp_path, 4, 2000, max_spool_bytes=12_000)
    service = StalledService()
    outcomes: list[Outcome] = []
    options = {"max_spool_bytes": 12_000, "max_pending_bytes": 8192, "concurrency": 2, "when_full": "drop_oldest"}
    async with uploader(service, tmp_path, on_outcome=outcomes.append, **options) as up:
        await service.begun.wait()
        receipt = await up.submit(make_frame(9, 2000))
        assert receipt.outcome is None
        (dropped,) = outcomes
        assert isinstance(dropped, Dropped)
        assert (dropped.reason, dropped.frame.filename) == (DropReason.FULL_OLDEST, "frame-000002.jpg")
        assert up.statistics().in_flight == 2
        service.go.set()
        assert await up.flush(timeout=300) == 0
    assert service.stored == [f"frame-{number:06d}.jpg" for number in (0, 1, 3, 9)]


async def test_drop_oldest_drops_the_newest_while_the_disk_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the oldest frames cannot be read, `submit` still ends, with the new frame dropped and counted."""
    await fill(tmp_path, 4, 2000, max_spool_bytes=12_000)
    monkeypatch.setattr("picsellia_async._delivery.spool.queue._TRY_AGAIN_SECONDS", 0.01)

    def unreadable(*_: object) -> None:
        raise OSError(errno.EIO, "disk I/O error")

    monkeypatch.setattr(Store, "claim", unreadable)
    async with uploader(Service(is_up=False), tmp_path, max_spool_bytes=12_000, when_full="drop_oldest") as up:
        outcome = (await up.submit(make_frame(9, 2000))).outcome
    assert isinstance(outcome, Dropped)
    assert outcome.reason is DropReason.FULL_NEWEST
    assert up.report.is_balanced
    assert up.report.spooled == 4


def open_files() -> int:
    """Return how many file descriptors this process has open; 0 where the system does not tell."""
    path = Path("/proc/self/fd")
    return len(list(path.iterdir())) if path.exists() else 0


async def test_fifty_thousand_spooled_frames_take_neither_memory_nor_files(tmp_path: Path) -> None:
    """A spool of 50,000 frames opens, and holds few of its frames and few open files."""
    with opened(tmp_path, SEGMENT_BYTES) as filled:
        for start in range(0, 50_000, 5000):
            records = []
            for number in range(start, start + 5000):
                frame = make_frame(number, 1200)
                records.append(Record(number + 1, frame.id.bytes, codec.encode(frame), frame.image))  # type: ignore[arg-type]
            filled.store.commit(records)
    service = Service(is_up=False)
    up = uploader(service, tmp_path, max_pending_bytes=2 * 2**20)
    handles = open_files()
    await up.__aenter__()
    assert up.statistics().spool_frames == 50_000
    await asyncio.sleep(0.1)
    assert up.statistics().pending_bytes <= 2 * 2**20
    assert open_files() - handles <= 8
    await up.aclose()
    assert up.report.spooled == 50_000


async def test_the_loop_is_not_blocked_by_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk is held up, the loop goes on, submits wait, and everything arrives afterwards."""
    service = Service()
    begun, go, released = threading.Event(), threading.Event(), []
    commit = Store.commit

    def held_up(*arguments: Any) -> Committed:
        begun.set()
        released.append(go.wait(60))
        return commit(*arguments)

    monkeypatch.setattr(Store, "commit", held_up)
    async with uploader(service, tmp_path, max_pending_bytes=200_000) as up:
        submits = [asyncio.create_task(up.submit(make_frame(number, 50_000))) for number in range(20)]
        while not begun.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.005)
        for _ in range(100):
            await asyncio.sleep(0.001)
        assert not any(task.done() for task in submits)
        go.set()
        await asyncio.gather(*submits)
    assert all(released), "a loop that the disk blocks never comes to release it"
    assert up.report.delivered == 20


@pytest.mark.parametrize("durability", ["commit", "interval"])
@pytest.mark.parametrize(
    "bound", [{"max_pending_bytes": 40_000}, {"max_pending_frames": 1}, {"max_pending_frames": 3}], ids=str
)
async def test_memory_keeps_no_frame_from_the_disk(tmp_path: Path, durability: str, bound: dict[str, int]) -> None:
    """Through an outage frames of more than half of the memory are accepted, and memory stays within one frame of its bound."""
    service = Service(is_up=False)
    async with uploader(service, tmp_path, durability=durability, commit_interval=0.01, **bound) as up:
        async with asyncio.timeout(300):
            for number in range(12):
                await up.submit(make_frame(number, 25_000))
                assert up.statistics().pending_bytes <= bound.get("max_pending_bytes", 100_000) + 30_000
    assert (up.report.spooled, up.report.is_balanced) == (12, True)
    again = Service()
    async with uploader(again, tmp_path, **bound) as up:
        assert await up.flush(timeout=300) == 0
    assert len(set(again.stored)) == len(again.stored) == 12
