"""The directory of a spool: for one user and one process, refused where others could meddle, watched while it is used."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from picsellia_async._delivery.outcomes import Dropped, Health, Outcome, Spooled, id_of
from picsellia_async._delivery.spool import spool_directory as directory_module
from picsellia_async._delivery.spool.owner import owner_of
from picsellia_async._delivery.spool.spool_directory import prepare
from picsellia_async.errors import SpoolError

from ..support.frames import make_frame
from .makers import Service, fill, uploader
from .stores import opened

pytestmark = pytest.mark.anyio


async def test_a_second_process_is_told_who_holds_the_spool(tmp_path: Path) -> None:
    """Opening a spool that is open elsewhere names the process, and disturbs nothing."""
    async with uploader(Service(is_up=False), tmp_path) as up:
        await up.submit(make_frame(1))
        with pytest.raises(SpoolError, match=rf"in use by process {os.getpid()} \(this process\)"):
            await uploader(Service(), tmp_path).__aenter__()
        code = (
            "import sys; from pathlib import Path; from picsellia_async._delivery.spool.spool_directory import SpoolDirectory\n"
            "try: SpoolDirectory(Path(sys.argv[1])).lock()\nexcept Exception as error: print(error)"
        )
        told = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert f"in use by process {os.getpid()}" in told.stdout, told.stderr
    async with uploader(Service(), tmp_path) as up:
        await up.flush()
        assert up.report.delivered == 1


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
    assert {"00000001.seg", "spool.json", "lock", "reserve"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def test_a_directory_that_cannot_be_used_is_a_typed_error(tmp_path: Path) -> None:
    """A file where the directory should be, or a newer layout, is a SpoolError that names the place."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(SpoolError, match="file"):
        await uploader(Service(), tmp_path / "file" / "spool").__aenter__()
    with opened(tmp_path / "s"):
        pass
    path = tmp_path / "s" / "spool.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"version": 99}))
    with pytest.raises(SpoolError, match="newer version"):
        await uploader(Service(), tmp_path / "s").__aenter__()


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
            assert await again.flush(timeout=300) == 0
    finally:
        os.close(read)
        os.close(write)
        await asyncio.to_thread(os.waitpid, child, 0)


async def test_a_forked_child_that_has_not_run_yet_does_not_hold_the_spool(tmp_path: Path) -> None:
    """Closing gives the spool free although a child shares the open lock: it may be forked and not scheduled yet."""
    async with uploader(Service(), tmp_path):
        (held,) = directory_module._held
        shared = os.dup(held)
    try:
        async with uploader(Service(), tmp_path) as again:
            await again.submit(make_frame(1))
            assert await again.flush(timeout=300) == 0
    finally:
        os.close(shared)


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


def lose(directory: Path, how: str) -> None:
    """Take the directory from where it was."""
    if how == "deleted":
        shutil.rmtree(directory)
    else:
        directory.rename(directory.with_name("elsewhere"))
        if how == "replaced":
            directory.mkdir(mode=0o700)


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
async def test_a_directory_that_is_gone_is_told_and_loses_nothing_in_memory(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is accepted as being on disk any more; what is in memory is delivered. Each line calls it gone, none damaged."""
    service = Service(is_up=False)
    directory = tmp_path / "spool"
    outcomes: list[Outcome] = []
    async with uploader(service, directory, on_outcome=outcomes.append, close_timeout=10.0) as up:
        for number in range(10):
            await up.submit(make_frame(number))
        lose(directory, how)
        with pytest.raises(SpoolError, match="deleted, replaced or unmounted"):
            await up.submit(make_frame(10))
        service.is_up = True
        assert await up.flush(timeout=300) == 0
    assert (up.report.delivered, len(outcomes), up.report.is_balanced) == (10, 10, True)
    assert "the directory of the spool is gone (SpoolError: " in caplog.text
    assert "damaged records" not in caplog.text
    (line,) = [line.getMessage() for line in caplog.records if line.levelname == "ERROR"]
    assert line.startswith("the directory of the spool is gone"), "one line, and not the disk's own beside it"


@pytest.mark.parametrize("durability", ["commit", "interval"])
@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
async def test_frames_that_were_on_a_lost_disk_only_end_as_dropped(tmp_path: Path, how: str, durability: str) -> None:
    """They had no outcome, were taken back from `accepted`, and their receipts said `Spooled`. One that was only moved has them still."""
    directory = tmp_path / "spool"
    outcomes: list[Outcome] = []
    options = {"max_pending_bytes": 30_000, "durability": durability, "on_outcome": outcomes.append, "by_source": True}
    async with uploader(Service(is_up=False), directory, **options) as up:
        frames = [make_frame(number, 5000, source=f"cam-{number % 2}") for number in range(20)]
        receipts = [await up.submit(frame) for frame in frames]
        assert up._spool is not None
        await up._spool[1]._spool.sync()
        await asyncio.sleep(0)
        assert len(up._ledger.known) < 10, "else none is on disk only"
        lose(directory, how)
    report = up.report
    assert (report.accepted, report.dropped, report.spooled, report.is_balanced) == (20, 20, 0, True)
    assert report.quarantined == report.dropped_by_reason["damaged"] > 10
    assert {type(await receipt) for receipt in receipts} == {Dropped}
    assert {id_of(outcome) for outcome in outcomes} == {frame.id for frame in frames}
    assert report.dropped_by_source == {"cam-0": 10, "cam-1": 10}
    assert {source: found.dropped for source, found in up.statistics().by_source.items()} == report.dropped_by_source
    assert {line.source for line in report.failures} == {"cam-0", "cam-1"}
    if how == "moved":
        directory.with_name("elsewhere").rename(directory)
        async with uploader(service := Service(), directory) as up:
            assert await up.flush(timeout=300) == 0
        assert len(service.stored) == 20


async def test_a_directory_that_goes_away_is_told_while_nothing_else_happens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent and nothing comes: the disk's own thread notices."""
    directory = tmp_path / "spool"
    changes: asyncio.Queue[Health] = asyncio.Queue()
    async with uploader(Service(), directory, on_health=lambda before, now, why: changes.put_nowait(now)) as up:
        await up.submit(make_frame(1))
        assert await up.flush(timeout=300) == 0
        lose(directory, "deleted")
        async with asyncio.timeout(60.0):
            assert await changes.get() is Health.DEGRADED
        assert "ERROR" in {line.levelname for line in caplog.records if "the spool is gone" in line.getMessage()}


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
async def test_no_frame_is_spooled_without_a_disk(tmp_path: Path, how: str) -> None:
    """Where the service stays away as well, the frames end as dropped, not as being somewhere."""
    directory = tmp_path / "spool"
    async with uploader(Service(is_up=False), directory) as up:
        receipts = [await up.submit(make_frame(number)) for number in range(10)]
        lose(directory, how)
    assert [type(await receipt) for receipt in receipts] == [Dropped] * 10
    assert (up.report.spooled, up.report.is_balanced) == (0, True)


async def test_a_file_system_unmounted_under_way_is_noticed(small_mount: Path) -> None:
    """Frames are refused instead of going to what was below the mount, and health tells it."""
    service = Service()
    async with uploader(service, small_mount) as up:
        await up.submit(make_frame(1))
        assert await up.flush(timeout=300) == 0
        done = await asyncio.to_thread(subprocess.run, ["umount", "-l", str(small_mount)], check=False)
        assert done.returncode == 0
        with pytest.raises(SpoolError, match="deleted, replaced or unmounted"):
            await up.submit(make_frame(2))
        assert up.statistics().health is Health.DEGRADED
    assert not await asyncio.to_thread(lambda: list(small_mount.iterdir()))
    assert (service.stored, up.report.is_balanced) == (["frame-000001.jpg"], True)


async def test_one_deleted_file_costs_the_frames_in_it(tmp_path: Path) -> None:
    """Somebody deletes a segment under way: its frames are not told to be on disk; the others are, and new ones are taken."""
    up = uploader(Service(is_up=False), tmp_path)
    async with up:
        first = await up.submit(make_frame(1))
        (tmp_path / "00000001.seg").unlink()
        with pytest.raises(SpoolError, match="files of the spool"):
            await up.submit(make_frame(2))
        third = await up.submit(make_frame(3))
    assert (type(await first), type(await third)) == (Dropped, Spooled)


NAMES = ["lock", "reserve", "spool.json", "spool.json.tmp", "00000001.seg", "00000001-1.damaged"]


@pytest.mark.parametrize("kind", ["link", "hard link", "directory", "pipe"])
@pytest.mark.parametrize("name", NAMES)
async def test_what_stands_in_place_of_a_file_is_refused_and_left_alone(tmp_path: Path, name: str, kind: str) -> None:
    """A link would have this process overwrite its target: it is named, and nothing is touched."""
    directory = tmp_path / "spool"
    directory.mkdir(mode=0o700)
    target = tmp_path / "target"
    target.write_text("precious")
    place = directory / name
    if kind == "link":
        place.symlink_to(target)
    elif kind == "hard link":
        place.hardlink_to(target)
    elif kind == "directory":
        place.mkdir()
    else:
        os.mkfifo(place)
    with pytest.raises(SpoolError, match=f"{name}.* is a link or no plain file"):
        await uploader(Service(), directory).__aenter__()
    with pytest.raises(SpoolError, match=f"{name}.* is a link or no plain file"):
        owner_of(directory)
    assert target.read_text() == "precious"
    assert [path.name for path in directory.iterdir()] == [name]


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777, 0o702])
async def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """The message says how to mend it; nothing is touched."""
    directory = tmp_path / "spool"
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(SpoolError, match="chmod go-w"):
        await uploader(Service(), directory).__aenter__()
    assert list(directory.iterdir()) == []
    directory.chmod(0o755)
    async with uploader(Service(), directory) as up:
        await up.submit(make_frame(1))
    assert up.report.delivered == 1


async def test_a_directory_or_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner could put anything there, under our hands."""
    await fill(tmp_path, 1)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with pytest.raises(SpoolError, match=f"belongs to user {user}, and this process is user {user + 1}"):
        await uploader(Service(), tmp_path).__aenter__()


async def test_frames_of_a_lost_directory_that_are_submitted_again_have_their_outcomes(tmp_path: Path) -> None:
    """Its files are still read back: where the same frame was accepted beside that, one of the two ended, and `flush` waited for good."""
    frames = [make_frame(number, 3000) for number in range(25)]
    options = {"max_pending_bytes": 20_000, "durability": "interval", "close_timeout": 10.0}
    for seed in range(6):
        directory, outcomes = tmp_path / str(seed), []
        async with uploader(Service(is_up=False), directory, **{**options, "close_timeout": 0.0}) as up:
            for frame in frames:
                await up.submit(frame)
        async with uploader(Service(), directory, on_outcome=outcomes.append, concurrency=1, **options) as up:
            lose(directory, "deleted")
            assert up._spool is not None
            up._spool[1]._spool._store._look_for_directory()  # as the disk's thread does every few seconds
            chosen = random.Random(seed).sample(frames, 20)
            found = await asyncio.gather(*map(up.submit, chosen), return_exceptions=True)
            assert await up.flush(timeout=300) == 0
        receipts = [receipt for receipt in found if not isinstance(receipt, SpoolError)]
        assert all(receipt.outcome is not None for receipt in receipts)
        assert len(outcomes) == up.report.accepted
        assert up.report.is_balanced
