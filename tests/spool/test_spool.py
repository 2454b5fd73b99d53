"""The spool: what is accepted survives outage, crash and damage, and drains in order."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import attrs
import pytest

from picsellia_async._delivery.outcomes import Delivered, Dropped, DropReason, Health, Outcome, Rejected, Spooled
from picsellia_async._delivery.spool import codec
from picsellia_async._delivery.spool.store import Record, SpoolFile, owner_of
from picsellia_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    FrameTooLargeError,
    SpoolError,
    UploaderFullError,
)
from picsellia_async.frames import Frame
from picsellia_async.predictions import (
    ClassificationPredictionFormat,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)

from ..support.frames import PREDICTION, make_frame
from .makers import OWNER, Service, StalledService, fill, uploader

pytestmark = pytest.mark.anyio

PREDICTIONS = [
    PREDICTION,
    ClassificationPredictionFormat([1], [0.5], ["a"]),
    SegmentationPredictionFormat([1], [0.5], [[[1, 2], [3, 4]]]),
    LinePredictionFormat([1], [0.5], [[[1, 2], [3, 4]]]),
    PointPredictionFormat([1], [0.5], [[1, 2]]),
    KeypointPredictionFormat([1], [0.5], [[[1, 2, 1]]]),
    MaskPredictionFormat([1], [0.5], ["rle"]),
]


@pytest.mark.parametrize("prediction", PREDICTIONS, ids=lambda prediction: str(prediction.model_type))
def test_a_frame_comes_back_as_it_went(prediction: object) -> None:
    """Every field of every format survives, also those that were left out, and None stays None."""
    full = make_frame(
        1, prediction=prediction, source="cam", tags=["a"], metadata={"m": [1]}, custom_metadata={"c": None}, sample=False,
        custom_metrics={"q": 1.5}, shadow_latency=0.1, shadow_prediction=prediction, upload_dir="u/", timestamp=5.5,
    )  # fmt: skip
    plain = make_frame(2, prediction=prediction, timestamp=None)
    for frame in (full, plain):
        back = codec.decode(codec.encode(frame), frame.image)  # type: ignore[arg-type]
        for field in attrs.fields(Frame):
            assert getattr(back, field.name) == getattr(frame, field.name), field.name


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


async def test_memory_and_disk_drain_in_one_order(tmp_path: Path) -> None:
    """Frames that fit into memory, frames that did not, and frames that come later arrive in the order of submission."""
    service = Service(is_up=False)
    async with uploader(
        service, tmp_path, max_pending_bytes=10_000, ordered_by="source", durability="interval", close_timeout=20.0
    ) as up:
        for number in range(60):
            await up.submit(make_frame(number, 1500))
            assert up.statistics().pending_bytes <= 10_000
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
        service, tmp_path, max_pending_bytes=6000, durability=durability, on_outcome=outcomes.append
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
    async with uploader(service, tmp_path, max_pending_bytes=5000, durability="interval") as up:
        names = [
            outcome.frame.filename  # type: ignore[union-attr]
            async for outcome in up.stream(make_frame(number) for number in range(100))
        ]
    assert sorted(names) == [f"frame-{number:06d}.jpg" for number in range(100)]


async def test_commit_means_on_disk(tmp_path: Path) -> None:
    """When `submit` returns with durability="commit", another connection sees the record."""
    async with uploader(Service(is_up=False), tmp_path) as up:
        for number in range(3):
            frame = make_frame(number)
            await up.submit(frame)
            with sqlite3.connect(tmp_path / "spool.db") as db:
                ids = {row[0] for row in db.execute("SELECT id FROM frame")}
            db.close()
            assert frame.id.bytes in ids


async def test_interval_is_on_disk_within_the_interval(tmp_path: Path) -> None:
    """With durability="interval" the record follows by itself."""
    async with uploader(Service(is_up=False), tmp_path, durability="interval", commit_interval=0.05) as up:
        await up.submit(make_frame(1))
        for _ in range(100):
            with sqlite3.connect(tmp_path / "spool.db") as db:
                count = db.execute("SELECT count(*) FROM frame").fetchone()[0]
            db.close()
            if count:
                break
            await asyncio.sleep(0.02)
        assert count == 1


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
    async with uploader(service, tmp_path, max_pending_bytes=4000) as up:
        receipts = [await up.submit(frame) for frame in frames]
        assert up.report.accepted == 10
        service.is_up = True
        assert [type(await receipt) for receipt in receipts] == [Delivered] * 10
    assert sorted(service.stored) == sorted(frame.filename for frame in frames)
    assert up.report.is_balanced


async def test_a_refused_frame_becomes_a_dead_letter(tmp_path: Path) -> None:
    """What the service refuses is not sent again, but stays in the file with the reason until its room is needed."""
    service = Service(is_up=False, error=BadRequestError("bad box", 400, "POST", "http://x"))
    async with uploader(service, tmp_path, close_timeout=5.0, max_spool_bytes=10_000) as up:
        assert isinstance(await (await up.submit(make_frame(1, 3000))), Rejected)
    with sqlite3.connect(tmp_path / "spool.db") as db:
        state, reason = db.execute("SELECT state, reason FROM frame").fetchone()
    db.close()
    assert (state, "bad box" in reason) == (1, True)
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
    with sqlite3.connect(tmp_path / "spool.db") as db:
        assert db.execute("SELECT count(*) FROM frame WHERE state = 1").fetchone() == (0,)
    db.close()


async def test_a_wrong_token_leaves_the_spool_untouched(tmp_path: Path) -> None:
    """A restart with a token that is refused keeps every frame; the right one delivers them."""
    frames = await fill(tmp_path, 12)
    refused = Service(is_up=False, error=AuthenticationError("token", 401, "POST", "http://x"))
    started = time.monotonic()
    async with uploader(refused, tmp_path, close_timeout=20.0) as up:
        while up.statistics().health is not Health.REFUSED:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert time.monotonic() - started < 10.0, "closing does not wait for somebody to mend a token"
    assert (up.report.spooled, up.report.rejected, up.report.is_balanced) == (12, 0, True)
    service = Service()
    async with uploader(service, tmp_path) as up:
        await up.flush()
    assert sorted(service.stored) == sorted(frame.filename for frame in frames)


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
        assert await up.flush(timeout=20) == 0
    assert service.stored == [f"frame-{number:06d}.jpg" for number in (0, 1, 3, 9)]


async def test_drop_oldest_drops_the_newest_while_the_disk_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the oldest frames cannot be read, `submit` still ends, with the new frame dropped and counted."""
    await fill(tmp_path, 4, 2000, max_spool_bytes=12_000)
    monkeypatch.setattr("picsellia_async._delivery.spool.queue._TRY_AGAIN_SECONDS", 0.01)

    def unreadable(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(SpoolFile, "claim", unreadable)
    async with uploader(Service(is_up=False), tmp_path, max_spool_bytes=12_000, when_full="drop_oldest") as up:
        outcome = (await up.submit(make_frame(9, 2000))).outcome
    assert isinstance(outcome, Dropped)
    assert outcome.reason is DropReason.FULL_NEWEST
    assert up.report.is_balanced
    assert up.report.spooled == 4


async def test_a_second_process_is_told_who_holds_the_spool(tmp_path: Path) -> None:
    """Opening a spool that is open elsewhere names the process, and disturbs nothing."""
    async with uploader(Service(is_up=False), tmp_path) as up:
        await up.submit(make_frame(1))
        with pytest.raises(SpoolError, match=rf"in use by process {os.getpid()} \(this process\)"):
            await uploader(Service(), tmp_path).__aenter__()
        code = (
            "import sys; from pathlib import Path; from picsellia_async._delivery.spool.spool import SpoolLock\n"
            "try: SpoolLock(Path(sys.argv[1]))\nexcept Exception as error: print(error)"
        )
        told = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert f"in use by process {os.getpid()}" in told.stdout, told.stderr
    async with uploader(Service(), tmp_path) as up:
        await up.flush()
        assert up.report.delivered == 1


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


async def test_permissions_keep_others_out(tmp_path: Path) -> None:
    """The directory is made 0700, and every file in it 0600, whatever the umask."""
    before = os.umask(0)
    try:
        directory = tmp_path / "a" / "spool"
        async with uploader(Service(is_up=False), directory) as up:
            await up.submit(make_frame(1))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {"spool.db", "spool.db-wal", "lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def test_a_directory_that_cannot_be_used_is_a_typed_error(tmp_path: Path) -> None:
    """A file where the directory should be, or a newer layout, is a SpoolError that names the place."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(SpoolError, match="file"):
        await uploader(Service(), tmp_path / "file" / "spool").__aenter__()
    await fill(tmp_path / "s", 1)
    with sqlite3.connect(tmp_path / "s" / "spool.db") as db:
        db.execute("UPDATE spool SET version = 99")
    db.close()
    with pytest.raises(SpoolError, match="newer version"):
        await uploader(Service(), tmp_path / "s").__aenter__()


def flip(path: Path, marker: bytes, offset: int = 100) -> None:
    """Change a byte near a marker."""
    data = bytearray(path.read_bytes())
    data[data.index(marker) + offset] ^= 0xFF
    path.write_bytes(data)


async def test_a_damaged_record_is_set_aside_and_the_rest_delivered(tmp_path: Path) -> None:
    """A flipped byte in an image: that record is quarantined, the others arrive, and health says that something is wrong."""
    await fill(tmp_path, 20, 5000)
    flip(tmp_path / "spool.db", b"\xff\xd8\xff\xe000000007")
    service = Service()
    async with uploader(service, tmp_path) as up:
        await up.flush()
        assert up.statistics().health is Health.DEGRADED
        assert up.statistics().quarantined == 1
    report = up.report
    assert (report.delivered, report.quarantined, report.accepted, report.is_balanced) == (19, 1, 19, True)
    assert "frame-000007.jpg" not in service.stored
    async with uploader(service, tmp_path) as up:
        assert up.statistics().quarantined == 1, "a quarantined record stays for whoever wants to look at it"


@pytest.mark.parametrize("seed", range(12))
async def test_damage_anywhere_in_the_file_never_stops_delivery(tmp_path: Path, seed: int) -> None:
    """Whatever page is hit, the uploader opens, delivers what can be read, never what is damaged, and its books balance."""
    import random

    frames = {frame.filename: frame.image for frame in await fill(tmp_path, 40, 40_000)}
    path = tmp_path / "spool.db"
    source = random.Random(seed)
    data = bytearray(path.read_bytes())
    start = source.randrange(0, len(data) - 4096)
    if seed < 3:
        start = seed * 32768  # the first pages hold the schema and the roots of the tables
    data[start : start + 4096] = source.randbytes(4096)
    path.write_bytes(data)
    service = Service(keeps_frames=True)
    async with uploader(service, tmp_path, durability="interval") as up:
        await up.submit(make_frame(1000))
        assert await up.flush(timeout=20) == 0
        health = up.statistics().health
    assert up.report.is_balanced
    assert all(frames.get(frame.filename, frame.image) == frame.image for frame in service.frames)
    assert len(service.stored) == len(set(service.stored))
    lost = 41 - len(service.stored)
    assert health is (Health.DEGRADED if up.report.quarantined else Health.OK)
    assert not lost or up.report.quarantined
    if seed >= 3:
        assert lost <= 12, "pages of one place hold the records of one place"


async def test_a_disk_that_is_full_is_a_typed_error_and_mends_itself(tmp_path: Path) -> None:
    """When the file cannot grow, `submit` raises SpoolError; once it can, everything goes on."""
    service = Service(is_up=False)
    async with uploader(service, tmp_path) as up:
        await up.submit(make_frame(1))

        def limit(pages: int) -> None:
            backlog = up._spool
            assert backlog is not None

            async def set_limit() -> None:
                await backlog[0].spool._ask(
                    lambda file: file._connection.execute(f"PRAGMA max_page_count={pages}").fetchall()
                )

            return set_limit()  # type: ignore[return-value]

        await limit(1)  # type: ignore[func-returns-value]
        with pytest.raises(SpoolError, match="cannot be written"):
            for number in range(2, 50):
                await up.submit(make_frame(number, 100_000))
        assert up.statistics().health in {Health.DEGRADED, Health.DOWN}
        await limit(10**6)  # type: ignore[func-returns-value]
        await up.submit(make_frame(99))
    assert up.report.is_balanced
    service.is_up = True
    async with uploader(service, tmp_path) as up:
        await up.flush()
    assert "frame-000099.jpg" in service.stored


async def test_a_full_disk_in_interval_mode_keeps_frames_in_memory(tmp_path: Path) -> None:
    """A frame that was accepted but cannot be written is delivered from memory, and health says so."""
    service = Service(seconds=0.2)
    async with uploader(
        service, tmp_path, durability="interval", commit_interval=0.01, max_pending_bytes=400_000
    ) as up:
        await up._spool[0].spool._ask(lambda file: file._connection.execute("PRAGMA max_page_count=1").fetchall())  # type: ignore[union-attr]
        for number in range(30):
            await up.submit(make_frame(number, 50_000))
        assert up.statistics().health is Health.DEGRADED
        assert await up.flush(timeout=30) == 0
    assert (up.report.delivered, up.report.is_balanced) == (30, True)


async def test_a_value_without_json_form_is_that_frames_own_trouble(tmp_path: Path) -> None:
    """Metadata that cannot be written rejects the frame and nothing else."""
    async with uploader(Service(), tmp_path) as up:
        outcome = (await up.submit(make_frame(1, metadata={"x": object()}))).outcome
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
        await up.submit(Frame(image=image, width=1, height=1, latency=0.0, prediction=PREDICTION))
        missing = await up.submit(
            Frame(image=tmp_path / "y.jpg", width=1, height=1, latency=0.0, prediction=PREDICTION)
        )
        assert isinstance(missing.outcome, Rejected)
    image.unlink()
    service = Service(keeps_frames=True)
    async with uploader(service, tmp_path / "s") as up:
        await up.flush()
    assert [(frame.filename, frame.image) for frame in service.frames] == [("x.jpg", make_frame(5).image)]


def test_a_version_without_checksum_fit_is_never_delivered(tmp_path: Path) -> None:
    """A description that was changed in place fails its checksum like an image."""
    file = SpoolFile(tmp_path, {})
    file.open()
    file.apply([Record(seq, UUID(int=seq).bytes, b"{}", b"image") for seq in (1, 2)], [], [])
    file._connection.execute("UPDATE frame SET description = ? WHERE seq = 1", (b"{ }",))
    records, damaged = file.claim([1, 2])
    assert ([record.seq for record in records], damaged) == ([2], [1])
    assert file.ids([1, 2]) == [(2, UUID(int=2).bytes)]
    file.close()
    with pytest.raises(SpoolError, match="closed"):
        file.claim([1])


def open_files() -> int:
    """Return how many file descriptors this process has open; 0 where the system does not tell."""
    path = Path("/proc/self/fd")
    return len(list(path.iterdir())) if path.exists() else 0


async def test_fifty_thousand_spooled_frames_open_quickly(tmp_path: Path) -> None:
    """A spool of 50,000 frames opens in under two seconds, and holds neither its frames nor file handles in memory."""
    file = SpoolFile(tmp_path, OWNER)
    file.open()
    for start in range(0, 50_000, 5000):
        records = []
        for number in range(start, start + 5000):
            frame = make_frame(number, 1200)
            records.append(Record(number + 1, frame.id.bytes, codec.encode(frame), frame.image))  # type: ignore[arg-type]
        file.apply(records, [], [])
    file.close()
    service = Service(is_up=False)
    up = uploader(service, tmp_path, max_pending_bytes=2 * 2**20)
    handles = open_files()
    started = time.perf_counter()
    await up.__aenter__()
    seconds = time.perf_counter() - started
    assert up.statistics().spool_frames == 50_000
    await asyncio.sleep(0.1)
    assert up.statistics().pending_bytes <= 2 * 2**20
    assert open_files() - handles <= 8
    await up.aclose()
    assert seconds < 2.0
    assert up.report.spooled == 50_000


async def test_the_loop_is_not_blocked_by_the_disk(tmp_path: Path) -> None:
    """While the disk is held up, the loop goes on, submits wait, and everything arrives afterwards."""
    service = Service()
    ticks = 0
    async with uploader(service, tmp_path, max_pending_bytes=200_000) as up:
        backlog = up._spool
        assert backlog is not None
        holding = asyncio.ensure_future(backlog[0].spool._ask(lambda _: time.sleep(0.5)))
        submits = [asyncio.create_task(up.submit(make_frame(number, 50_000))) for number in range(20)]
        while not holding.done():
            await asyncio.sleep(0.005)
            ticks += 1
        await asyncio.gather(*submits)
    assert ticks > 30
    assert up.report.delivered == 20
