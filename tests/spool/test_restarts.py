"""What is accepted is delivered once it can be, by this run or the next, and each frame has one end."""

from __future__ import annotations

import asyncio
import errno
import time
from pathlib import Path

import pytest

from picsellia_async._delivery.outcomes import Delivered, Health, Outcome, Rejected, Spooled
from picsellia_async._delivery.spool.owner import owner_of
from picsellia_async._delivery.spool.spool import Spool
from picsellia_async._delivery.spool.store import Store
from picsellia_async.errors import AuthenticationError, ConfigurationError, SpoolError
from picsellia_async.frames import Frame

from ..support.frames import PREDICTION, make_frame
from .makers import OWNER, Service, fill, uploader
from .stores import peek

pytestmark = pytest.mark.anyio


async def test_commit_means_on_disk(tmp_path: Path) -> None:
    """When `submit` returns with durability="commit", a process that starts now finds the record."""
    async with uploader(Service(is_up=False), tmp_path) as up:
        for number in range(3):
            frame = make_frame(number)
            await up.submit(frame)
            assert frame.id.bytes in peek(tmp_path)[0]


async def test_interval_is_on_disk_within_the_interval(tmp_path: Path) -> None:
    """With durability="interval" the record follows by itself."""
    async with uploader(Service(is_up=False), tmp_path, durability="interval", commit_interval=0.05) as up:
        frame = make_frame(1)
        await up.submit(frame)
        async with asyncio.timeout(300):
            while frame.id.bytes not in peek(tmp_path)[0]:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)


async def test_frames_of_an_outage_are_delivered_by_the_next_run_in_order(tmp_path: Path) -> None:
    """What was accepted while the service was down is delivered after a restart, first in first out, and the spool is empty then."""
    frames = await fill(tmp_path / "s", 30)
    service = Service(keeps_frames=True)
    async with uploader(service, tmp_path / "s", concurrency=1) as up:
        assert up.statistics().spool_frames == 30
        await up.flush()
        assert up.statistics().spool_frames == 0
    report = up.report
    assert (report.accepted, report.recovered, report.delivered, report.is_balanced) == (30, 30, 30, True)
    assert [(frame.id, frame.image) for frame in service.frames] == [(frame.id, frame.image) for frame in frames]
    async with uploader(service, tmp_path / "s") as up:
        assert up.report.recovered == 0


@pytest.mark.parametrize("memory", [1_000_000, 4_000])
async def test_what_is_left_on_disk_is_counted_after_closing(tmp_path: Path, memory: int) -> None:
    """Frames and bytes on disk are of the same moment: an outage's frames are still there when the uploader is closed."""
    async with uploader(Service(is_up=False), tmp_path, max_pending_bytes=memory) as up:
        for number in range(12):
            await up.submit(make_frame(number))
    numbers = up.statistics()
    assert (numbers.spool_frames, numbers.spooled, numbers.pending_frames) == (12, 12, 0)
    assert numbers.spool_bytes > 0


async def test_what_never_reached_the_disk_is_not_counted_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that the disk refused are dropped at closing; those on disk before are what is left there."""
    frames = await fill(tmp_path, 3)

    def refused(*_: object) -> None:
        raise OSError(errno.EIO, "disk I/O error")

    async with uploader(Service(is_up=False), tmp_path, durability="interval", max_pending_bytes=20_000) as up:
        monkeypatch.setattr(Store, "_put", refused)
        for number in range(3, 9):
            await up.submit(make_frame(number))
    numbers = up.statistics()
    assert (numbers.spool_frames, numbers.spooled, numbers.dropped) == (len(frames), 3, 6)


async def test_memory_and_disk_drain_in_one_order(tmp_path: Path) -> None:
    """Frames that fit into memory, frames that did not, and frames that come later arrive in the order of submission."""
    service = Service(is_up=False)
    async with uploader(
        service, tmp_path, max_pending_bytes=20_000, ordered_by="source", durability="interval", close_timeout=20.0
    ) as up:
        for number in range(60):
            await up.submit(make_frame(number, 1500))
            assert up.statistics().pending_bytes <= 20_000
        assert up.statistics().spool_frames >= 50
        service.is_up = True
        for number in range(60, 120):
            await up.submit(make_frame(number, 1500))
        await up.flush()
    assert service.stored == [f"frame-{number:06d}.jpg" for number in range(120)]
    assert (up.report.delivered, up.report.is_balanced) == (120, True)


@pytest.mark.parametrize("durability", ["commit", "interval"])
async def test_every_frame_has_one_outcome(tmp_path: Path, durability: str) -> None:
    """Receipts and callbacks tell the end of frames in memory and of frames that were on disk only."""
    service = Service(is_up=False)
    outcomes: list[Outcome] = []
    async with uploader(
        service, tmp_path, max_pending_bytes=10_000, durability=durability, on_outcome=outcomes.append
    ) as up:
        receipts = [await up.submit(make_frame(number)) for number in range(20)]
    assert [type(await receipt) for receipt in receipts] == [Spooled] * 20
    assert {outcome.frame_id for outcome in outcomes} == {receipt.frame_id for receipt in receipts}  # type: ignore[union-attr]
    assert len(outcomes) == up.report.spooled == 20
    assert up.report.is_balanced
    service.is_up = True
    async with uploader(service, tmp_path, on_outcome=outcomes.append) as up:
        await up.flush()
    assert sum(isinstance(outcome, Delivered) for outcome in outcomes) == 20


async def test_a_stream_over_a_spool_yields_every_outcome(tmp_path: Path) -> None:
    """Also of frames that left memory meanwhile and came back."""
    service = Service(seconds=0.001)
    async with uploader(service, tmp_path, max_pending_bytes=9000, durability="interval") as up:
        names = [
            outcome.frame.filename  # type: ignore[union-attr]
            async for outcome in up.stream(make_frame(number) for number in range(100))
        ]
    assert sorted(names) == [f"frame-{number:06d}.jpg" for number in range(100)]


async def test_a_cancelled_submit_is_booked_all_the_same(tmp_path: Path) -> None:
    """A submit cancelled while its record was being written either left nothing behind, or is accounted for."""
    async with uploader(Service(is_up=False), tmp_path) as up:
        tasks = [asyncio.create_task(up.submit(make_frame(number))) for number in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    report = up.report
    assert report.is_balanced
    assert report.spooled >= 10
    service = Service()
    async with uploader(service, tmp_path) as up:
        await up.flush()
    assert len(service.stored) == report.spooled


async def test_the_same_id_is_the_same_frame_also_on_disk(tmp_path: Path) -> None:
    """Submitting again what is on disk already, from this run or an earlier one, stores and sends it once."""
    frames = await fill(tmp_path, 10)
    service = Service(is_up=False)
    async with uploader(service, tmp_path, max_pending_bytes=7000) as up:
        receipts = [await up.submit(frame) for frame in frames]
        assert up.report.accepted == 10
        service.is_up = True
        assert [type(await receipt) for receipt in receipts] == [Delivered] * 10
    assert sorted(service.stored) == sorted(frame.filename for frame in frames)
    assert up.report.is_balanced


@pytest.mark.parametrize("when_full", ["wait", "raise"])
async def test_the_same_frame_submitted_by_many_at_once_is_one_frame(tmp_path: Path, when_full: str) -> None:
    """Twins that wait for room together, or come when the frame is on disk only, share one record and one outcome."""
    service = Service(is_up=False)
    async with uploader(service, tmp_path, when_full=when_full, max_pending_bytes=6000, close_timeout=10.0) as up:
        first = [await up.submit(make_frame(number)) for number in range(5)]
        frame = make_frame(9)
        twins = await asyncio.gather(*(up.submit(frame) for _ in range(8)))
        assert len({id(receipt) for receipt in [*twins, await up.submit(frame)]}) == 1
        assert up.report.accepted == 6
        service.is_up = True
        assert await up.flush(timeout=300) == 0
        outcomes = [await receipt for receipt in [*first, *twins]]
    assert len({outcome.frame.id for outcome in outcomes}) == 6  # type: ignore[union-attr]
    assert len(service.stored) == len(set(service.stored)) == 6


@pytest.mark.parametrize("durability", ["commit", "interval"])
@pytest.mark.parametrize("steps", [0, 1, 2, 5, 9])
async def test_closing_right_after_concurrent_submits_balances(tmp_path: Path, durability: str, steps: int) -> None:
    """Submits in every state when closing begins: each was accepted and accounted for, or raised."""
    service = Service(is_up=False)
    async with uploader(service, tmp_path, durability=durability, max_pending_bytes=9000) as up:
        tasks = [asyncio.create_task(up.submit(make_frame(number % 7))) for number in range(20)]
        for _ in range(steps):
            await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    accepted = {result.frame_id for result in results if not isinstance(result, BaseException)}
    assert up.report.is_balanced
    assert up.report.spooled == up.report.accepted >= len(accepted)
    for result in results:
        if not isinstance(result, BaseException):
            assert isinstance(await result, Spooled)
    again = Service()
    async with uploader(again, tmp_path) as up:
        assert await up.flush(timeout=300) == 0
    assert len(again.stored) >= len(accepted)


async def test_a_wrong_token_leaves_the_spool_untouched(tmp_path: Path) -> None:
    """A restart with a token that is refused keeps every frame; the right one delivers them."""
    frames = await fill(tmp_path, 12)
    refused = Service(is_up=False, error=AuthenticationError("token", 401, "POST", "http://x"))
    # Closing has an hour, and does not wait for somebody to mend a token.
    async with asyncio.timeout(300), uploader(refused, tmp_path, close_timeout=3600.0) as up:
        while up.statistics().health is not Health.REFUSED:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert (up.report.spooled, up.report.rejected, up.report.is_balanced) == (12, 0, True)
    service = Service()
    async with uploader(service, tmp_path) as up:
        await up.flush()
    assert sorted(service.stored) == sorted(frame.filename for frame in frames)


async def test_a_spool_of_another_deployment_is_refused(tmp_path: Path) -> None:
    """Frames never go to a deployment that they were not meant for; the same deployment at a new address is fine."""
    await fill(tmp_path, 1)
    other = {"deployment_id": "ffffffff-89ab-cdef-0123-456789abcdef"}
    with pytest.raises(SpoolError, match="01234567"):
        await uploader(Service(), tmp_path, owner=other).__aenter__()
    moved = {**OWNER, "host": "http://elsewhere"}
    async with uploader(Service(), tmp_path, owner=moved) as up:
        await up.flush()
        assert up.report.delivered == 1
    assert owner_of(tmp_path) == moved
    with pytest.raises(ConfigurationError, match="no spool"):
        owner_of(tmp_path / "nowhere")


async def test_a_value_without_json_form_is_that_frames_own_trouble(tmp_path: Path) -> None:
    """Metadata that cannot be written, put into a frame after it was made, reject that frame and nothing else."""
    spoiled = make_frame(1, metadata={})
    assert spoiled.metadata is not None
    spoiled.metadata["x"] = object()
    async with uploader(Service(), tmp_path) as up:
        outcome = (await up.submit(spoiled)).outcome
        assert isinstance(outcome, Rejected)
        assert isinstance(outcome.error, ConfigurationError)
        await up.submit(make_frame(2))
    assert (up.report.accepted, up.report.delivered, up.report.rejected) == (2, 1, 1)


async def test_files_are_copied_into_the_spool(tmp_path: Path) -> None:
    """A frame that names a file is delivered although the file is gone."""
    image = tmp_path / "x.jpg"
    image.write_bytes(make_frame(5).image)  # type: ignore[arg-type]
    service = Service(is_up=False)
    async with uploader(service, tmp_path / "s") as up:
        await up.submit(Frame(image=image, width=64, height=48, latency=0.0, prediction=PREDICTION))
        missing = await up.submit(
            Frame(image=tmp_path / "y.jpg", width=64, height=48, latency=0.0, prediction=PREDICTION)
        )
        assert isinstance(missing.outcome, Rejected)
    image.unlink()
    service = Service(keeps_frames=True)
    async with uploader(service, tmp_path / "s") as up:
        await up.flush()
    assert [(frame.filename, frame.image) for frame in service.frames] == [("x.jpg", make_frame(5).image)]


async def test_a_wall_clock_that_jumps_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the uploader or the spool looks at the time of day; order and outcomes stay."""
    service = Service()
    await fill(tmp_path, 5)
    monkeypatch.setattr(time, "time", lambda: 1.0)
    async with uploader(service, tmp_path, concurrency=1) as up:
        for number in range(5, 10):
            await up.submit(make_frame(number))
        assert await up.flush(timeout=300) == 0
    assert service.stored == [f"frame-{number:06d}.jpg" for number in range(10)]


async def test_accepted_does_not_fall_where_frames_of_a_former_run_come_again(tmp_path: Path) -> None:
    """It is a counter of metrics: they counted until their commit found that the disk had them, and were taken back."""
    found = await fill(tmp_path, 5)
    seen: list[int] = []
    service = Service()
    async with uploader(service, tmp_path, durability="interval") as up:
        up.pause()
        for frame in [*found, make_frame(5)]:
            receipt = await up.submit(frame)
            seen.append(up.statistics().accepted)
        up.resume()
        assert await up.flush(timeout=300) == 0
        seen.append(up.statistics().accepted)
    assert seen == [5] * 5 + [6, 6]
    assert isinstance(await receipt, Delivered)
    assert (up.report.accepted, len(service.stored), up.report.is_balanced) == (6, 6, True)


async def test_frames_that_the_disk_turns_out_to_have_while_they_are_read_back_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process brought them there a moment ago: the reader had them, their answer was not taken, and none of them had an end."""
    found = await fill(tmp_path, 5)
    monkeypatch.setattr(Spool, "may_have", lambda self, id_: False)
    service = Service()
    async with uploader(service, tmp_path, durability="interval") as up:
        up.pause()
        receipts = [await up.submit(frame) for frame in found]
        up.resume()
        assert await up.flush(timeout=30) == 0
    assert [type(await receipt) for receipt in receipts] == [Delivered] * 5
    assert (up.report.accepted, len(service.stored), up.report.is_balanced) == (5, 5, True)
