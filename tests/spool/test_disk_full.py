"""A disk without room: a state that health shows, that loses nothing accepted, and that ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import prometheus_client
import pytest

from picsellia_async._delivery.outcomes import Health
from picsellia_async._delivery.spool import disk
from picsellia_async.errors import SpoolError, UploaderFullError
from picsellia_async.metrics import PrometheusCollector

from ..support.frames import make_frame
from .makers import Service, StalledService, fill, uploader
from .stores import file_bytes, make_record, make_records, opened

pytestmark = pytest.mark.anyio

MEBI = 2**20


class SmallDisk:
    """Stands in for the room of a file system: writes that make the spool longer than `size` fail as they do there."""

    def __init__(self, directory: Path, size: int) -> None:
        self.directory = directory
        self.size = size
        self.copies = False
        """Whether overwriting needs room as well."""

    def left(self) -> int:
        return self.size - sum(path.stat().st_blocks * 512 for path in self.directory.iterdir())

    def write_at(self, descriptor: int, offset: int, data: bytes) -> None:
        grows = offset + len(data) - os.fstat(descriptor).st_size
        if (grows > 0 and grows > self.left()) or (self.copies and self.left() < 0):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.write(descriptor, offset, data)

    def allocate(self, descriptor: int, length: int) -> None:
        self.write_at(descriptor, 0, bytes(length))

    write = staticmethod(disk.write_at)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallDisk:
    """A file system of 8 MiB, of which 4 are left to others."""
    small = SmallDisk(tmp_path, 8 * MEBI)
    monkeypatch.setattr(disk, "write_at", small.write_at)
    monkeypatch.setattr(disk, "allocate", small.allocate)
    monkeypatch.setattr(disk, "free_bytes", lambda _: max(0, small.left()))
    monkeypatch.setattr(disk, "total_bytes", lambda _: small.size)
    return small


@pytest.mark.parametrize("durability", ["commit", "interval"])
async def test_an_outage_that_fills_a_file_system_ends_by_itself(small_mount: Path, durability: str) -> None:
    """The service returns: all is delivered, new frames are taken, room is given back, and no restart sends anything again."""
    service = Service(is_up=False)
    directory = small_mount / "spool"
    options = {"durability": durability, "commit_interval": 0.01, "max_pending_bytes": 2 * MEBI, "close_timeout": 30.0}
    accepted = 0
    async with uploader(service, directory, **options) as up:
        try:
            while True:
                async with asyncio.timeout(2):
                    await up.submit(make_frame(accepted, 100_000))
                accepted += 1
                assert accepted < 250
        except (SpoolError, TimeoutError):
            accepted = up.report.accepted
        assert accepted > 100
        (small_mount / "others").write_bytes(bytes(MEBI))
        with pytest.raises(OSError, match="No space"):
            (small_mount / "more").write_bytes(bytes(20 * MEBI))  # takes what was left to others
        service.is_up = True
        assert await up.flush(timeout=300) == 0
        (small_mount / "more").unlink()
        for number in range(1000, 1020):
            await up.submit(make_frame(number, 100_000))
        assert await up.flush(timeout=300) == 0
        async with asyncio.timeout(300):
            while up.statistics().health is Health.DISK_FULL:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
    assert up.report.is_balanced
    assert len(service.stored) == len(set(service.stored)) == up.report.delivered
    assert file_bytes(directory) < 1000
    again = Service()
    async with uploader(again, directory) as up:
        assert up.report.recovered == 0
        await up.submit(make_frame(1))
    assert len(again.stored) == 1


async def test_health_tells_a_full_disk_until_there_is_room(
    tmp_path: Path, small_disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    """Frames are refused with a typed error while room is left to others, and taken again once it is there."""
    service = Service()
    async with uploader(service, tmp_path, max_pending_bytes=MEBI) as up:
        small_disk.size = 0
        with pytest.raises(SpoolError, match="No space left"):
            await up.submit(make_frame(1, 100_000))
        assert (up.statistics().health, up.statistics().refused) == (Health.DISK_FULL, 1)
        assert "the disk of the spool is full" in caplog.text
        small_disk.size = 20 * MEBI
        await up.submit(make_frame(2, 100_000))
        assert up.statistics().health is Health.OK
    assert (service.stored, up.report.is_balanced) == (["frame-000002.jpg"], True)
    (closed,) = [line for line in caplog.messages if line.startswith("an uploader closed")]
    assert "1 not taken (`submit` raised), first frame-000001.jpg (SpoolError: " in closed
    assert "No space left" in closed


async def test_min_free_bytes_is_left_to_others(tmp_path: Path, small_disk: SmallDisk) -> None:
    """The room that the option names is not taken; without it more would fit."""
    service = Service(is_up=False)
    small_disk.size = 20 * MEBI
    async with uploader(service, tmp_path, min_free_bytes=12 * MEBI) as up:
        with pytest.raises(SpoolError, match=f"{12 * MEBI} are left to others"):
            for number in range(200):
                await up.submit(make_frame(number, 100_000))
        assert up.statistics().health is Health.DISK_FULL
        assert small_disk.left() >= 12 * MEBI
        assert up.report.accepted > 40
    async with uploader(service, tmp_path) as up:
        await up.submit(make_frame(1000, 100_000))
        assert up.statistics().health is not Health.DISK_FULL


async def test_a_disk_that_is_nearly_full_is_thinned(
    tmp_path: Path, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames are taken for as long as the outage lasts, each in place of others, and the disk does not get full."""
    monkeypatch.setattr("picsellia_async._delivery.spool.store._TIDY_SECONDS", 0.0)
    small_disk.size = 16 * MEBI
    async with uploader(Service(is_up=False), tmp_path, when_full="thin", max_pending_bytes=MEBI) as up:
        for number in range(300):
            await up.submit(make_frame(number, 100_000))
        numbers = up.statistics()
        assert numbers.health is not Health.DISK_FULL
        assert small_disk.left() >= 4 * MEBI
        assert numbers.dropped_by_reason == {"thinned": numbers.dropped}
        assert numbers.pending_frames > 50
    assert up.report.is_balanced


async def test_a_disk_that_others_filled_is_not_thinned(tmp_path: Path, small_disk: SmallDisk) -> None:
    """Nothing is given up for a frame that is refused."""
    small_disk.size = 20 * MEBI
    async with uploader(Service(is_up=False), tmp_path, when_full="thin", max_pending_bytes=MEBI) as up:
        for number in range(40):
            await up.submit(make_frame(number, 100_000))
        small_disk.size = 0
        for number in range(40, 60):
            with pytest.raises(SpoolError, match="No space left"):
                await up.submit(make_frame(number, 100_000))
        assert (up.statistics().dropped, up.statistics().pending_frames) == (0, 40)


async def test_a_full_disk_within_an_outage_is_told_beside_it(tmp_path: Path, small_disk: SmallDisk) -> None:
    """Health is the worse of the two, statistics and metrics have both; each ends by itself, whichever is first."""
    service = Service(is_up=False)
    changes: list[tuple[Health, Health]] = []
    async with uploader(service, tmp_path, on_health=lambda old, new, _: changes.append((old, new))) as up:
        registry = prometheus_client.CollectorRegistry()
        registry.register(PrometheusCollector({"yard": up}))

        def states() -> set[str]:
            text = prometheus_client.generate_latest(registry).decode()
            return set(re.findall(r'picsellia_uploader_health{state="(.+?)",uploader="yard"} 1', text))

        await up.submit(make_frame(1))
        async with asyncio.timeout(300):
            while up.statistics().troubles != (Health.DOWN,):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        small_disk.size = 0
        with pytest.raises(SpoolError, match="No space left"):
            await up.submit(make_frame(2, 100_000))
        numbers = up.statistics()
        assert (numbers.health, numbers.troubles) == (Health.DISK_FULL, (Health.DISK_FULL, Health.DOWN))
        assert states() == {"disk_full", "down"}
        small_disk.size = 20 * MEBI
        await up.submit(make_frame(3, 100_000))
        assert (up.statistics().health, states()) == (Health.DOWN, {"down"})
        async with asyncio.timeout(300):
            while len(changes) < 3:  # noqa: ASYNC110 - the disk is looked at every few seconds
                await asyncio.sleep(0.05)
        service.is_up = True
        assert await up.flush(timeout=300) == 0
        assert (up.statistics().troubles, states()) == ((), {"ok"})
    assert changes == [
        (Health.OK, Health.DOWN),
        (Health.DOWN, Health.DISK_FULL),
        (Health.DISK_FULL, Health.DOWN),
        (Health.DOWN, Health.OK),
    ]


@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest", "raise"])
async def test_a_full_disk_and_a_full_memory_keep_nobody_waiting(
    tmp_path: Path, small_disk: SmallDisk, when_full: str
) -> None:
    """In interval mode a full disk leaves frames in memory; once that is full as well, the policy holds, and nobody waits for ever."""
    service = StalledService()
    refused = 0
    async with uploader(service, tmp_path, durability="interval", when_full=when_full, max_pending_bytes=MEBI) as up:
        small_disk.size = 0
        for number in range(30):
            try:
                await asyncio.wait_for(up.submit(make_frame(number, 100_000)), 300)
            except UploaderFullError:
                refused += 1
        service.go.set()
        await up.flush()
    report = up.report
    assert report.is_balanced
    assert report.delivered == len(service.stored) > 0
    assert (report.dropped, refused) == (
        (0, 30 - report.delivered) if when_full == "raise" else (30 - report.delivered, 0)
    )
    assert report.delivered < 30


async def test_frames_whose_commit_failed_make_room_like_others(tmp_path: Path, small_disk: SmallDisk) -> None:
    """They have no room on disk to give: dropping one of them is dropping one all the same, and the newest frame is taken."""
    service = StalledService()
    options: dict[str, Any] = {"order": "newest", "when_full": "drop_oldest", "max_spool_bytes": MEBI, "concurrency": 1}
    async with uploader(service, tmp_path, durability="interval", max_pending_bytes=2 * MEBI, **options) as up:
        small_disk.size = 0
        for number in range(12):
            await up.submit(make_frame(number, 100_000))
        async with asyncio.timeout(300):
            while up.statistics().health is not Health.DISK_FULL:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        small_disk.size = 20 * MEBI
        for number in range(12, 40):
            await up.submit(make_frame(number, 100_000))
            await asyncio.sleep(0.02)
        service.go.set()
    assert up.report.is_balanced
    assert set(up.report.dropped_by_reason) == {"full_oldest"}


async def test_the_room_that_somebody_else_freed_is_noticed_without_a_frame(
    tmp_path: Path, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is looked at from time to time, also where nothing is submitted."""
    monkeypatch.setattr("picsellia_async._delivery.spool.spool._QUIET_SECONDS", 0.02)
    async with uploader(Service(), tmp_path) as up:
        small_disk.size = 0
        with pytest.raises(SpoolError):
            await up.submit(make_frame(1))
        small_disk.size = 20 * MEBI
        async with asyncio.timeout(300):
            while up.statistics().health is not Health.OK:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)


def test_marking_needs_no_room(tmp_path: Path, small_disk: SmallDisk) -> None:
    """On a disk without a free byte delivered frames are marked, refused ones get their reason, and empty segments are deleted."""
    with opened(tmp_path) as now:
        for number in range(1, 20):
            now.store.commit([make_record(number, 4000)])
        before = len(list(tmp_path.glob("*.seg")))
        small_disk.size = 0
        done = now.store.commit((), range(1, 10), [(15, "no")])
        assert done.error is None
        assert len(list(tmp_path.glob("*.seg"))) < before
    with opened(tmp_path) as now:
        assert now.found == [10, 11, 12, 13, 14, 16, 17, 18, 19]
        assert [letter.reason for letter in now.store.dead_letters()] == ["no"]


def test_the_reserve_is_given_up_where_marking_needs_room(tmp_path: Path, small_disk: SmallDisk) -> None:
    """A file system that copies what is overwritten gets the room that was set aside at opening."""
    with opened(tmp_path) as now:
        now.store.commit(make_records(range(1, 9), 3000))
        assert (tmp_path / "reserve").stat().st_size == MEBI
        small_disk.copies = True
        small_disk.size = sum(path.stat().st_blocks * 512 for path in tmp_path.iterdir()) - 1
        now.store.commit((), [1, 2, 3])
        assert not (tmp_path / "reserve").exists()
        small_disk.size = 20 * MEBI
        now.store.commit((), [4])
    with opened(tmp_path) as now:
        assert now.found == [5, 6, 7, 8]


def test_what_was_written_before_the_room_ended_is_whole(
    tmp_path: Path, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a group that does not fit as a whole the records in front are taken, and those behind are refused and leave no trace."""
    monkeypatch.setattr(disk, "free_bytes", lambda _: None)
    with opened(tmp_path, MEBI) as now:
        now.store.commit([make_record(1)])
        small_disk.size = MEBI + 8192 + 4096 * 4 + 25_000
        done = now.store.commit(make_records(range(2, 12), 9000))
        assert isinstance(done.error, OSError)
        assert 0 < len(done.refused) < 10
        assert now.store.is_full
        kept = [1, *sorted(set(range(2, 12)) - done.refused)]
    with opened(tmp_path, MEBI) as now:
        assert now.held() == [make_record(1), *make_records(kept[1:], 9000)]
        assert now.recovery.quarantined == 0


@pytest.mark.parametrize("durability", ["commit", "interval"])
async def test_a_frame_that_a_full_disk_has_already_needs_no_room(
    tmp_path: Path, small_disk: SmallDisk, durability: str
) -> None:
    """It is submitted again in the next run, and counts once."""
    frames = await fill(tmp_path, 3)
    small_disk.size = 0
    async with uploader(Service(is_up=False), tmp_path, durability=durability) as up:
        for frame in frames:
            await up.submit(frame)
        with pytest.raises(SpoolError) if durability == "commit" else contextlib.nullcontext():
            await up.submit(make_frame(9))
        assert up.statistics().accepted == 3 + (durability == "interval")
    assert (up.report.spooled, up.report.refused, up.report.is_balanced) == (3, durability == "commit", True)


def test_a_spool_on_a_full_disk_opens(tmp_path: Path, small_disk: SmallDisk) -> None:
    """A restart on a disk without room finds what is there and delivers it; only a new spool cannot be made."""
    with opened(tmp_path / "a") as now:
        now.store.commit(make_records([1, 2]))
    small_disk.directory, small_disk.size = tmp_path / "a", 0
    with opened(tmp_path / "a") as now:
        assert now.store.is_full
        assert now.held() == make_records([1, 2])
        assert now.store.commit((), [1, 2]).error is None
    with pytest.raises(SpoolError, match="No space left"), opened(tmp_path / "b"):
        pass


CROWDED = """
    import asyncio, resource, sys
    sys.path.append(sys.argv[1])  # behind the installed package
    from pathlib import Path
    from tests.spool.makers import Service, uploader
    from tests.support.frames import make_frame
    from picsellia_async.errors import SpoolError, UploaderFullError

    async def main(durability):
        service = Service(is_up=False)
        refused = 0
        async with uploader(service, Path(sys.argv[2]), durability=durability, commit_interval=0.02, close_timeout=20.0) as up:
            await up.submit(make_frame(0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
            for number in range(1, 30):
                try:
                    await up.submit(make_frame(number, 100_000))
                except SpoolError:
                    refused += 1
            await asyncio.sleep(0.1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await up.submit(make_frame(30))
            service.is_up = True
            left = await up.flush(timeout=300)
        print(refused, left, up.report.accepted, up.report.delivered, up.report.is_balanced)

    asyncio.run(main(sys.argv[3]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE")
@pytest.mark.parametrize("durability", ["commit", "interval"])
def test_a_file_that_cannot_grow_loses_nothing_accepted(tmp_path: Path, durability: str) -> None:
    """The kernel refuses to write any further: in commit mode frames are refused, in interval mode kept in memory; later all go on."""
    tests = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(CROWDED), tests, str(tmp_path), durability],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    refused, left, accepted, delivered, balanced = done.stdout.split()
    assert (int(refused) > 0) is (durability == "commit")
    assert (left, accepted, balanced) == ("0", delivered, "True")
    assert int(accepted) == 31 - int(refused)
