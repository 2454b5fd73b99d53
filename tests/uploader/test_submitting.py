"""Submitting: acceptance, receipts, room, the same frame twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import attrs
import pytest

from picsellia_async._delivery.outcomes import Delivered, Dropped, DropReason, Rejected
from picsellia_async.errors import (
    ClosedError,
    ConfigurationError,
    FrameTooLargeError,
    TransportError,
    UploaderFullError,
)
from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat

from ..support.frames import make_frame
from .service import Service, down, frames, uploader

pytestmark = pytest.mark.anyio


async def test_frames_arrive_and_receipts_tell() -> None:
    """Every frame is delivered once, its receipt gives the service's answer, and the report balances."""
    service = Service()
    async with uploader(service, concurrency=4) as up:
        receipts = [await up.submit(frame) for frame in frames(50)]
        outcomes = [await receipt for receipt in receipts]
        assert await receipts[0] is outcomes[0]
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert [outcome.receipt["id"] for outcome in outcomes] == [outcome.frame.filename for outcome in outcomes]
    assert (service.busiest, sorted(service.stored)) == (4, sorted(set(service.stored)))
    report = up.report
    assert (report.accepted, report.delivered, report.bytes) == (50, 50, 50 * 1000)
    assert report.is_balanced
    assert report.is_complete
    assert up.is_closed


async def test_an_idle_uploader_has_no_tasks() -> None:
    """Workers end when there is nothing to send, and come back with the next frame."""
    service = Service()
    async with uploader(service) as up:
        before = len(asyncio.all_tasks())
        await (await up.submit(make_frame(1)))
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == before
        assert isinstance(await (await up.submit(make_frame(2))), Delivered)


async def test_a_full_uploader_waits_or_raises_with_sizes() -> None:
    """With "wait" a full uploader just takes its time; with "raise" it says how much is held and what was wanted."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_bytes=5000, when_full="raise") as up:
        for frame in frames(2, size=1400):
            await up.submit(frame)
        with pytest.raises(UploaderFullError) as caught:
            await up.submit(make_frame(9, size=1400))
        error = caught.value
        assert (error.frame_bytes, error.pending_bytes, error.max_bytes, error.pending_frames) == (2424, 4848, 5000, 2)
        assert up.statistics().refused == 1
        service.hold.set()
    assert (up.report.accepted, up.report.delivered, up.report.refused) == (2, 2, 1)
    service = Service()
    async with uploader(service, max_pending_bytes=5000, concurrency=2) as up:
        for frame in frames(100, size=1400):
            await up.submit(frame)
            assert up.statistics().pending_bytes <= 5000
    assert up.report.delivered == 100


async def test_a_frame_that_never_fits_is_refused_at_once() -> None:
    """Waiting would not help, so there is none: the error names the sizes, whatever the policy."""
    for policy in ("wait", "raise", "drop_newest", "drop_oldest"):
        async with uploader(Service(), max_pending_bytes=2000, when_full=policy) as up:
            with pytest.raises(FrameTooLargeError) as caught:
                await up.submit(make_frame(0, size=2001))
            assert (caught.value.frame_bytes, caught.value.max_bytes) == (3025, 2000)
        assert up.report.accepted == 0


async def test_drop_newest_counts_by_reason_and_source() -> None:
    """The frame that finds no room is dropped, at once, and counted."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=2, when_full="drop_newest") as up:
        receipts = [await up.submit(make_frame(number, source=f"cam-{number % 2}")) for number in range(5)]
        assert [receipt.outcome is None for receipt in receipts] == [True, True, False, False, False]
        outcome = receipts[2].outcome
        assert isinstance(outcome, Dropped)
        assert outcome.reason is DropReason.FULL_NEWEST
        statistics = up.statistics()
        assert statistics.dropped_by_reason == {"full_newest": 3}
        assert statistics.dropped_by_source == {"cam-0": 2, "cam-1": 1}
        service.hold.set()
    assert (up.report.delivered, up.report.dropped, up.report.is_balanced) == (2, 3, True)


async def test_drop_oldest_drops_what_is_not_under_way() -> None:
    """The oldest frame in the queue gives way; those under way stay; with an empty queue the newest is dropped."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=3, concurrency=1, when_full="drop_oldest") as up:
        receipts = []
        for number in range(6):
            receipts.append(await up.submit(make_frame(number)))
            await asyncio.sleep(0.001)
        assert [type(receipt.outcome) for receipt in receipts[1:4]] == [Dropped] * 3
        service.hold.set()
    assert service.stored == ["frame-000000.jpg", "frame-000004.jpg", "frame-000005.jpg"]
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=1, when_full="drop_oldest") as up:
        await up.submit(make_frame(0))
        await asyncio.sleep(0.001)
        outcome = (await up.submit(make_frame(1))).outcome
        assert isinstance(outcome, Dropped)
        assert outcome.reason is DropReason.FULL_NEWEST
        service.hold.set()


async def test_drop_oldest_drops_what_waits_to_be_repeated() -> None:
    """In an outage the oldest frames were tried and wait: they give way, tell of their failure, and free the turn of their source."""
    service = Service(script=lambda frame, attempt: down())
    options: dict[str, Any] = {"max_pending_frames": 3, "when_full": "drop_oldest", "close_timeout": 0.0}
    async with uploader(service, ordered_by="source", **options) as up:
        receipts = [await up.submit(make_frame(number, source=f"cam-{number % 2}")) for number in range(3)]
        await asyncio.sleep(0.0101)
        assert (up.statistics().waiting, up.statistics().queued) == (2, 1)
        receipts += [await up.submit(make_frame(number, source=f"cam-{number % 2}")) for number in (3, 4)]
        await asyncio.sleep(0)
        for receipt in receipts[:2]:
            assert isinstance(receipt.outcome, Dropped)
            assert receipt.outcome.reason is DropReason.FULL_OLDEST
            assert isinstance(receipt.outcome.error, TransportError)
        assert [receipt.outcome for receipt in receipts[2:]] == [None] * 3
        assert [service.attempts[f"frame-{number:06d}.jpg"] for number in range(5)] == [1, 1, 1, 1, 0]
    assert up.report.is_balanced
    assert up.report.dropped_by_reason == {"full_oldest": 2, "closed": 3}


async def test_a_large_frame_is_not_starved() -> None:
    """Small frames that come later do not overtake a large one in the line."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_bytes=12_000, concurrency=1) as up:
        await up.submit(make_frame(0, size=5000))
        order: list[int] = []

        async def submit(number: int, size: int) -> None:
            await up.submit(make_frame(number, size=size))
            order.append(number)

        tasks = [asyncio.create_task(submit(1, 9000))]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(submit(number, 1024)) for number in range(2, 6)]
        await asyncio.sleep(0)
        service.hold.set()
        await asyncio.gather(*tasks)
        assert order[0] == 1


async def test_cancelling_a_submit_that_waits_leaves_nothing_behind() -> None:
    """A cancelled submit was not accepted, and its place in the line is free."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=1) as up:
        await up.submit(make_frame(0))
        waiting = [asyncio.create_task(up.submit(make_frame(number))) for number in (1, 2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        service.hold.set()
        receipt = await waiting[1]
        assert isinstance(await receipt, Delivered)
        assert waiting[0].cancelled()
    assert (up.report.accepted, up.report.is_balanced) == (2, True)


async def test_the_same_id_is_the_same_frame() -> None:
    """Submitting a frame again while it is on its way sends it once and returns the same receipt."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=2) as up:
        frame = make_frame(1)
        first = await up.submit(frame)
        assert await up.submit(frame) is first
        await up.submit(make_frame(2))
        other = make_frame(3)
        twins = [asyncio.create_task(up.submit(other)) for _ in range(2)]
        await asyncio.sleep(0)
        service.hold.set()
        assert await twins[0] is await twins[1]
    assert (up.report.accepted, max(service.attempts.values())) == (3, 1)


async def test_another_picture_with_the_id_of_one_on_its_way_is_refused() -> None:
    """It would vanish, and its receipt tell the other's outcome."""
    service = Service(hold=asyncio.Event())
    async with uploader(service) as up:
        first = make_frame(1)
        await up.submit(first)
        with pytest.raises(ConfigurationError, match=r"is that of another frame on its way \('frame-000001\.jpg'"):
            await up.submit(make_frame(2, id=first.id))
        same = await up.submit(attrs.evolve(first))
        assert same.frame_id == first.id
        service.hold.set()
    assert (up.report.accepted, up.report.delivered) == (1, 1)


async def test_another_prediction_with_the_id_of_one_on_its_way_is_refused() -> None:
    """Of the same picture too: the second prediction would be gone."""
    service = Service(hold=asyncio.Event())
    async with uploader(service) as up:
        first = make_frame(1)
        await up.submit(first)
        other = attrs.evolve(first, prediction=DetectionPredictionFormat([0], [[1, 1, 9, 9]], [0.25]))
        with pytest.raises(
            ConfigurationError, match=r"of the same picture, 'frame-000001\.jpg', with another prediction"
        ):
            await up.submit(other)
        service.hold.set()
    assert (up.report.accepted, up.report.delivered) == (1, 1)


async def test_another_picture_with_the_id_is_refused_also_after_waiting_for_room() -> None:
    """Both wait for room; the first one in has the id, and the other one gives its room back."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=2) as up:
        for number in (1, 2):
            await up.submit(make_frame(number))
        first = make_frame(3)
        waiting = [asyncio.create_task(up.submit(frame)) for frame in (first, make_frame(4, id=first.id))]
        while service.busy < 2:  # noqa: ASYNC110 - the service tells nobody
            await asyncio.sleep(0)
        service.hold.set()
        service.hold.clear()  # lets these two go, and holds the next
        assert (await waiting[0]).frame_id == first.id
        with pytest.raises(ConfigurationError, match="is that of another frame on its way"):
            await waiting[1]
        service.hold.set()
        await up.flush()
        assert up.statistics().pending_bytes == 0
    assert (up.report.accepted, up.report.delivered) == (3, 3)


async def test_files_are_read_when_sent_and_missing_ones_rejected(tmp_path: Path) -> None:
    """A frame may name a file; one that is missing is that frame's own trouble."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x" * 5000)
    there = Frame(image=path, width=64, height=48, latency=0.1, prediction=make_frame().prediction)
    missing = attrs.evolve(there, image=tmp_path / "b.jpg", filename="b.jpg", id=make_frame().id)
    # Threads and a virtual clock do not go together: the file's size is asked with the real one running.
    async with uploader(Service(), close_timeout=1e6) as up:
        first, second = await up.submit(there), await up.submit(missing)
        assert isinstance(second.outcome, Rejected)
        assert isinstance(await first, Delivered)
    assert (up.report.accepted, up.report.bytes) == (2, 5000)


async def test_sources_are_served_in_turn() -> None:
    """A camera with a long line does not delay the others."""
    service = Service()
    async with uploader(service, concurrency=1) as up:
        for number in range(20):
            await up.submit(make_frame(number, source="busy"))
        await up.submit(make_frame(99, source="calm"))
        await up.flush()
    assert service.stored.index("frame-000099.jpg") <= 2


@pytest.fixture
def held_files(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """A disk that tells no file's size until this is set."""
    told = asyncio.Event()

    async def size(path: Path, *, name: str) -> int:
        await told.wait()
        return 1000

    monkeypatch.setattr("picsellia_async.uploader.file_size", size)
    return told


async def test_a_frame_whose_file_is_looked_at_while_it_closes_is_not_taken(held_files: asyncio.Event) -> None:
    """Its submitter gets ClosedError, and nothing is accepted that nobody would deliver."""
    async with uploader(Service()) as up:
        asked = asyncio.create_task(up.submit(attrs.evolve(make_frame(0), image=Path("x.jpg"))))
        await asyncio.sleep(0)
    held_files.set()
    with pytest.raises(ClosedError):
        await asked
    assert (up.report.accepted, up.report.refused, up.report.is_balanced) == (0, 1, True)


async def test_a_file_that_is_submitted_twice_at_once_is_one_frame(held_files: asyncio.Event) -> None:
    """Both wait for its size: the second one gets the receipt of the first."""
    frame = attrs.evolve(make_frame(0), image=Path("x.jpg"))
    service = Service(hold=asyncio.Event())
    async with uploader(service) as up:
        asked = [asyncio.create_task(up.submit(frame)) for _ in range(2)]
        await asyncio.sleep(0)
        held_files.set()
        first, second = await asyncio.gather(*asked)
        assert first is second
        service.hold.set()
    assert (up.report.accepted, up.report.delivered) == (1, 1)
