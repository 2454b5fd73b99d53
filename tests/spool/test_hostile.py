"""What a hostile machine does to a spool: files that cannot grow, directories that vanish, headers that lie, forks, clocks."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from picsellia_async._delivery.outcomes import Health, Outcome, Spooled
from picsellia_async._delivery.spool import spool as spool_module
from picsellia_async._delivery.spool.spool import prepare
from picsellia_async._delivery.spool.store import Record, SpoolFile

from ..support.frames import make_frame
from .makers import OWNER, Service, fill, uploader

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

CROWDED = """
    import asyncio, resource, sys
    sys.path.append(sys.argv[1])  # behind the installed package
    from pathlib import Path
    from tests.spool.makers import Service, uploader
    from tests.support.frames import make_frame
    from picsellia_async.errors import SpoolError

    async def main(durability):
        service = Service(is_up=False)
        refused = 0
        async with uploader(service, Path(sys.argv[2]), durability=durability, commit_interval=0.02) as up:
            await up.submit(make_frame(0))
            await up._spool[0].spool.sync()
            resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
            for number in range(1, 30):
                try:
                    await up.submit(make_frame(number, 100_000))
                except SpoolError:
                    refused += 1
            await up._spool[0].spool.sync()
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await up.submit(make_frame(30))
            service.is_up = True
            left = await up.flush(timeout=20)
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


async def test_a_directory_deleted_while_running_is_told_and_loses_nothing_in_memory(tmp_path: Path) -> None:
    """Somebody deletes the spool: what is in memory is delivered, and closing ends in order."""
    service = Service(is_up=False)
    directory = tmp_path / "spool"
    outcomes: list[Outcome] = []
    async with uploader(service, directory, on_outcome=outcomes.append, close_timeout=10.0) as up:
        for number in range(10):
            await up.submit(make_frame(number))
        shutil.rmtree(directory)
        service.is_up = True
        assert await up.flush(timeout=20) == 0
    assert (up.report.delivered, len(outcomes), up.report.is_balanced) == (10, 10, True)


def names(directory: Path) -> set[str]:
    """Return the names of the files in a directory."""
    return {path.name for path in directory.iterdir()}


@pytest.mark.parametrize("start", [0, 16, 28, 100])
async def test_a_corrupted_header_is_set_aside_and_new_frames_are_taken(tmp_path: Path, start: int) -> None:
    """The first bytes of the file are overwritten: it opens all the same, keeps the old file, says so, and takes new frames."""
    await fill(tmp_path, 10)
    path = tmp_path / "spool.db"
    data = bytearray(path.read_bytes())
    data[start : start + 32] = b"\xff" * 32
    path.write_bytes(data)
    service = Service()
    async with uploader(service, tmp_path) as up:
        await up.submit(make_frame(100))
        assert await up.flush(timeout=20) == 0
        health = up.statistics().health
    assert "frame-000100.jpg" in service.stored
    assert up.report.is_balanced
    assert len(service.stored) == 11 or (health is Health.DEGRADED and names(tmp_path) >= {"quarantine-1.db"})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_forked_child_does_not_hold_the_spool(tmp_path: Path) -> None:
    """A child that was forked meanwhile and lives on keeps nobody out of the spool once its owner has closed it."""
    read, write = os.pipe()
    async with uploader(Service(), tmp_path) as up:
        await up.submit(make_frame(1))
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        await up.flush()
    try:
        async with uploader(Service(), tmp_path) as again:
            await again.submit(make_frame(2))
            assert await again.flush(timeout=20) == 0
    finally:
        os.close(read)
        os.close(write)
        await asyncio.to_thread(os.waitpid, child, 0)


async def test_a_forked_child_that_has_not_run_yet_does_not_hold_the_spool(tmp_path: Path) -> None:
    """Closing gives the spool free although a child shares the open lock: it may be forked and not scheduled yet."""
    async with uploader(Service(), tmp_path):
        (held,) = spool_module._held
        shared = os.dup(held)
    try:
        async with uploader(Service(), tmp_path) as again:
            await again.submit(make_frame(1))
            assert await again.flush(timeout=20) == 0
    finally:
        os.close(shared)


async def test_a_wall_clock_that_jumps_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the uploader or the spool looks at the time of day; order and outcomes stay."""
    service = Service()
    await fill(tmp_path, 5)
    monkeypatch.setattr(time, "time", lambda: 1.0)
    async with uploader(service, tmp_path, concurrency=1) as up:
        for number in range(5, 10):
            await up.submit(make_frame(number))
        assert await up.flush(timeout=20) == 0
    assert service.stored == [f"frame-{number:06d}.jpg" for number in range(10)]


@pytest.mark.parametrize("durability", ["commit", "interval"])
@pytest.mark.parametrize("steps", [0, 1, 2, 5, 9])
async def test_closing_right_after_concurrent_submits_balances(tmp_path: Path, durability: str, steps: int) -> None:
    """Submits in every state when closing begins: each was accepted and accounted for, or raised."""
    service = Service(is_up=False)
    async with uploader(service, tmp_path, durability=durability, max_pending_bytes=5000) as up:
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
        assert await up.flush(timeout=20) == 0
    assert len(again.stored) >= len(accepted)


def test_the_name_of_a_new_spool_is_on_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every directory in which a new one was made is flushed; one that was there already is left alone."""
    flushed: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    if not Path("/proc/self/fd").exists():
        pytest.skip("the system does not tell which file a descriptor is")
    prepare(tmp_path / "a" / "b")
    assert sorted(flushed) == [str(tmp_path), str(tmp_path / "a")]
    prepare(tmp_path / "a" / "b")
    assert len(flushed) == 2


@pytest.mark.parametrize("when_full", ["wait", "raise"])
async def test_the_same_frame_submitted_by_many_at_once_is_one_frame(tmp_path: Path, when_full: str) -> None:
    """Twins that wait for room together, or come when the frame is on disk only, share one record and one outcome."""
    service = Service(is_up=False)
    async with uploader(service, tmp_path, when_full=when_full, max_pending_bytes=3000, close_timeout=10.0) as up:
        first = [await up.submit(make_frame(number)) for number in range(5)]
        frame = make_frame(9)
        twins = await asyncio.gather(*(up.submit(frame) for _ in range(8)))
        assert len({id(receipt) for receipt in [*twins, await up.submit(frame)]}) == 1
        assert up.report.accepted == 6
        service.is_up = True
        assert await up.flush(timeout=20) == 0
        outcomes = [await receipt for receipt in [*first, *twins]]
    assert len({outcome.frame.id for outcome in outcomes}) == 6  # type: ignore[union-attr]
    assert len(service.stored) == len(set(service.stored)) == 6


@pytest.mark.parametrize("text", [b'{"id": 1}', b"[]", b"null", b"{", b"{}", b'{"id": "x"}', b"\xff"])
async def test_a_description_that_cannot_be_read_is_set_aside(tmp_path: Path, text: bytes) -> None:
    """A record whose checksum fits but whose description is none (another writer's): quarantined, and the others arrive."""
    await fill(tmp_path, 3)
    file = SpoolFile(tmp_path, OWNER)
    file.open()
    file.apply([Record(100, b"x" * 16, text, b"image")], [], [])
    file.close()
    service = Service()
    async with uploader(service, tmp_path) as up:
        assert up.report.recovered == 4
        assert await up.flush(timeout=20) == 0
        assert up.statistics().health is Health.DEGRADED
    report = up.report
    assert (report.accepted, report.delivered, report.quarantined, report.is_balanced) == (3, 3, 1, True)


async def test_a_disk_that_cannot_be_read_for_a_while_delays_and_loses_nothing(tmp_path: Path) -> None:
    """Reading back fails with an I/O error, is told as health, and is tried again."""
    service = Service(is_up=False)
    async with uploader(service, tmp_path, max_pending_bytes=3000, close_timeout=10.0) as up:
        for number in range(8):
            await up.submit(make_frame(number))
        backlog = up._spool
        assert backlog is not None

        def hide(file: SpoolFile) -> None:
            file._connection.execute("ALTER TABLE image RENAME TO hidden")

        def show(file: SpoolFile) -> None:
            file._connection.execute("ALTER TABLE hidden RENAME TO image")

        await backlog[0].spool._ask(hide)
        service.is_up = True
        while backlog[1].error is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        assert up.statistics().health is Health.DEGRADED
        await backlog[0].spool._ask(show)
        assert await up.flush(timeout=20) == 0
    assert len(set(service.stored)) == up.report.delivered == 8
    assert up.report.is_balanced
