"""Damaged files: whatever is hit, the spool opens, what is whole is delivered, and what is gone is counted."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from picsellia_async._delivery.outcomes import Dropped, DropReason, Health
from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool.record import Record
from picsellia_async._delivery.spool.segment import FIRST_AT, MARKS_AT

from ..support.frames import make_frame
from .makers import OWNER, Service, fill, uploader
from .stores import make_record, make_records, opened

pytestmark = pytest.mark.anyio

PENDING = {*range(1, 31)} - {3, 4, 11, 6, 13}
REFUSED = {6, 13}
STEP = 10 if os.environ.get("PICSELLIA_ASYNC_SOAK") else 499
"""Distance of the places that are damaged."""


@pytest.fixture(params=["closed", "killed"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, bytes]:
    """The files of a spool of four segments with pending, delivered and refused records: closed in order, and not."""
    directory = tmp_path / "made"
    with opened(directory) as now:
        for number in range(1, 31, 2):
            now.store.commit(make_records([number, number + 1]))
        now.store.commit((), [3, 4, 11], [(6, "bad"), (13, "bad")])
        if request.param == "killed":
            shutil.copytree(directory, tmp_path / "copy")
            directory = tmp_path / "copy"
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name not in {"lock", "reserve"}}


def damage(files: dict[str, bytes], kind: str) -> Iterator[tuple[dict[str, bytes], str]]:
    """Yield the files again and again, each time damaged in another place."""
    source = random.Random(kind)
    for name, data in files.items():
        for at in range(0, len(data), STEP * (8 if kind == "page" else 1)):
            if kind == "flip":
                changed = data[:at] + bytes([data[at] ^ 1 << source.randrange(8)]) + data[at + 1 :]
            elif kind == "cut":
                changed = data[:at]
            else:
                changed = (data[:at] + source.randbytes(4096) + data[at + 4096 :])[: len(data)]
            yield {**files, name: changed}, f"{kind} at {at} of {name}"


@pytest.mark.parametrize("kind", ["flip", "cut", "page"])
def test_what_is_whole_is_delivered_and_what_is_gone_is_counted(
    tmp_path: Path, files: dict[str, bytes], kind: str
) -> None:
    """A flipped bit, a cut, a page of noise, anywhere: nothing is lost silently, nothing wrong or twice comes out, and new frames are taken."""
    for number, (damaged, where) in enumerate(damage(files, kind)):
        directory = tmp_path / str(number)
        directory.mkdir(mode=0o700)
        for name, data in damaged.items():
            (directory / name).write_bytes(data)
        with opened(directory) as now:
            records, missing = now.store.claim(now.found)
            assert records == [make_record(record.seq) for record in records], where
            delivered = {record.seq for record in records}
            refused = {letter.seq for letter in now.store.dead_letters()}
            gone = (PENDING - delivered) | (REFUSED - refused - delivered)
            counted = now.recovery.quarantined + len(missing)
            # Where the table of marks itself is gone, what was behind it can only be counted as one at least.
            exact = not (kind != "flip" and "seg" in where)
            assert counted >= (
                len(gone) if exact or (kind == "cut" and int(where.split()[2]) >= FIRST_AT) else bool(gone)
            ), where
            assert kind != "flip" or len(gone) <= 1, where
            assert not delivered - PENDING or kind == "page", f"sent again: {where}"
            now.store.commit([make_record(1000)])
            assert now.store.claim([1000])[0] == [make_record(1000)], where
        shutil.rmtree(directory)


def test_damage_is_still_told_at_the_next_opening(tmp_path: Path) -> None:
    """What is damaged stays for whoever wants to look at it, and is counted each time, also when all else is gone."""
    with opened(tmp_path) as now:
        now.store.commit(make_records(range(1, 6)))
    path = tmp_path / "00000001.seg"
    data = bytearray(path.read_bytes())
    data[FIRST_AT + 300] ^= 1
    path.write_bytes(data)
    with opened(tmp_path) as now:
        records, missing = now.store.claim(now.found)
        assert (len(records), [seq for seq, _ in missing]) == (4, [1])
        now.store.commit((), [2, 3, 4, 5])
    assert [path.name for path in tmp_path.glob("*.damaged")] == ["00000001-1.damaged"]
    for _ in range(2):
        with opened(tmp_path) as now:
            assert (now.recovery.frames, now.recovery.quarantined) == (0, 1)


def test_a_table_of_marks_that_was_overwritten_delivers_again_rather_than_lose(tmp_path: Path) -> None:
    """Without its marks a segment's records count as pending, and the damage is counted."""
    with opened(tmp_path) as now:
        now.store.commit(make_records([1, 2, 3]))
    path = tmp_path / "00000001.seg"
    data = bytearray(path.read_bytes())
    data[MARKS_AT:FIRST_AT] = random.Random(1).randbytes(FIRST_AT - MARKS_AT)
    path.write_bytes(data)
    with opened(tmp_path) as now:
        assert (now.found, now.recovery.quarantined) == ([1, 2, 3], 1)
        assert now.held() == make_records([1, 2, 3])


def test_damaged_files_are_kept_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files that hold nothing but damage the oldest go when there are many."""
    monkeypatch.setattr("picsellia_async._delivery.spool.segments._DAMAGED_BYTES_MAX", 30_000)
    for number in range(1, 6):
        with opened(tmp_path) as now:
            now.store.commit([make_record(number, 4000)])
        path = next(tmp_path.glob("*.seg"))
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        with opened(tmp_path) as now:
            assert now.store.claim(now.found) == ([], [(number, make_record(number).id)])
    assert [path.name[:8] for path in sorted(tmp_path.glob("*.damaged"))] == ["00000004", "00000005"]


def test_a_place_that_the_disk_cannot_read_costs_the_records_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad sector is tried several times, then its record is set aside and those behind it are delivered."""
    with opened(tmp_path, 100_000) as now:
        now.store.commit(make_records(range(1, 6), 9000))
        read = disk.read_at
        bad = FIRST_AT + 10

        def failing(descriptor: int, offset: int, length: int) -> bytes:
            if offset <= bad < offset + length and os.fstat(descriptor).st_size > FIRST_AT:
                raise OSError(errno.EIO, "disk I/O error")
            return read(descriptor, offset, length)

        monkeypatch.setattr(disk, "read_at", failing)
        for _ in range(2):
            with pytest.raises(OSError, match="disk I/O error"):
                now.store.claim([1, 2])
        records, missing = now.store.claim([1, 2])
        assert ([record.seq for record in records], [seq for seq, _ in missing]) == ([2], [1])
    with opened(tmp_path) as now:
        assert now.found == [2, 3, 4, 5], "the page of the first head is gone"
        assert now.recovery.quarantined == 1


@pytest.mark.parametrize("text", [b'{"id": 1}', b"[]", b"null", b"{", b"{}", b'{"id": "x"}', b"\xff"])
async def test_a_description_that_cannot_be_read_is_set_aside(tmp_path: Path, text: bytes) -> None:
    """A record whose checksum fits but whose description is none (another writer's): quarantined, and the others arrive."""
    await fill(tmp_path, 3)
    with opened(tmp_path) as now:
        now.store.commit([Record(100, b"x" * 16, text, b"image")])
    service = Service()
    async with uploader(service, tmp_path) as up:
        assert up.report.recovered == 4
        assert await up.flush(timeout=300) == 0
        assert up.statistics().health is Health.DEGRADED
    report = up.report
    assert (report.accepted, report.delivered, report.dropped, report.quarantined) == (4, 3, 1, 1)
    assert report.is_balanced


async def test_a_damaged_record_is_set_aside_and_the_rest_delivered(tmp_path: Path) -> None:
    """A flipped byte in an image: that record is quarantined, the others arrive, and health says that something is wrong."""
    await fill(tmp_path, 20, 5000)
    path = tmp_path / "00000001.seg"
    data = bytearray(path.read_bytes())
    data[data.index(b"\xff\xd8\xff\xe000000007") + 100] ^= 0xFF
    path.write_bytes(data)
    service = Service()
    async with uploader(service, tmp_path) as up:
        await up.flush()
        assert up.statistics().health is Health.DEGRADED
        assert up.statistics().quarantined == 1
    report = up.report
    assert (report.accepted, report.recovered, report.delivered, report.quarantined) == (20, 20, 19, 1)
    assert (report.dropped_by_reason, report.may_be_stored, report.is_balanced) == ({"damaged": 1}, 1, True)
    assert "frame-000007.jpg" not in service.stored


async def test_a_frame_whose_record_is_damaged_while_the_uploader_runs_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its receipt ends as dropped, with the reason and its id; it is counted once, quarantined and dropped, and logged once."""
    service = Service(is_up=False)
    async with uploader(service, tmp_path, max_pending_bytes=30_000, close_timeout=10.0) as up:
        receipts = [await up.submit(make_frame(number, 5000)) for number in range(20)]
        path = tmp_path / "00000001.seg"
        data = bytearray(path.read_bytes())
        data[data.index(b"\xff\xd8\xff\xe000000015") + 100] ^= 0xFF
        path.write_bytes(data)
        service.is_up = True
        assert await up.flush(timeout=300) == 0
        outcome = await receipts[15]
    assert isinstance(outcome, Dropped)
    assert (outcome.frame, outcome.reason, outcome.damaged_id) == (None, DropReason.DAMAGED, receipts[15].frame_id)
    report = up.report
    assert (report.accepted, report.delivered, report.dropped, report.quarantined) == (20, 19, 1, 1)
    assert report.is_balanced
    assert report.failures[0].frame_id == receipts[15].frame_id
    assert sum("damaged records were set aside" in line.message for line in caplog.records) == 1


@pytest.mark.parametrize("seed", range(6))
async def test_damage_anywhere_never_stops_delivery(tmp_path: Path, seed: int) -> None:
    """Whatever is hit, the uploader opens, delivers what can be read, never what is damaged, and its account balances."""
    frames = {frame.filename: frame.image for frame in await fill(tmp_path, 40, 40_000)}
    path = tmp_path / "00000001.seg"
    source = random.Random(seed)
    data = bytearray(path.read_bytes())
    start = source.randrange(0, len(data) - 4096) if seed else 0
    data[start : start + 4096] = source.randbytes(4096)
    path.write_bytes(data)
    service = Service(keeps_frames=True)
    async with uploader(service, tmp_path, durability="interval", owner=OWNER) as up:
        await up.submit(make_frame(1000))
        assert await up.flush(timeout=300) == 0
    assert up.report.is_balanced
    assert all(frames.get(frame.filename, frame.image) == frame.image for frame in service.frames)
    assert len(service.stored) == len(set(service.stored))
    assert "frame-001000.jpg" in service.stored
    lost = 41 - len(service.stored)
    assert up.report.quarantined >= lost
    assert lost <= 2, "a page lies in two records at most"


async def test_a_disk_that_cannot_be_read_for_a_while_delays_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading back fails with an I/O error, and is tried again."""
    await fill(tmp_path, 8)
    read = disk.read_at
    failures = iter(range(2))

    def failing(descriptor: int, offset: int, length: int) -> bytes:
        if length > 1000 and next(failures, None) is not None:
            raise OSError(errno.EIO, "disk I/O error")
        return read(descriptor, offset, length)

    monkeypatch.setattr("picsellia_async._delivery.spool.queue._TRY_AGAIN_SECONDS", 0.01)
    service = Service()
    async with uploader(service, tmp_path) as up:
        monkeypatch.setattr(disk, "read_at", failing)
        assert await up.flush(timeout=300) == 0
    assert len(set(service.stored)) == up.report.delivered == 8
    assert (up.report.quarantined, up.report.is_balanced) == (0, True)
