"""File systems that are smaller than what the spool likes to find free: full while a frame finds no room, and no longer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from picsellia_async._delivery.outcomes import Health
from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool.free_space import Room
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory

from ..support.frames import make_frame
from .makers import Service, uploader

pytestmark = pytest.mark.anyio

MEBI = 2**20


@pytest.mark.parametrize("small_mount", ["1500k", "2500k", "4m"], indirect=True)
async def test_a_small_disk_that_was_full_has_room_again(small_mount: Path) -> None:
    """An outage fills it; when the service is back and the spool drained, health is well again, and frames are spooled."""
    service = Service(is_up=False)
    async with uploader(
        service,
        small_mount / "spool",
        min_free_bytes=100_000,
        durability="interval",
        commit_interval=0.01,
        close_timeout=30.0,
    ) as up:
        assert up.statistics().health is Health.OK
        async with asyncio.timeout(300):
            number = 0
            while Health.DISK_FULL not in up.statistics().troubles:
                await up.submit(make_frame(number, 12_000))
                await asyncio.sleep(0.005)
                number += 1
            assert number > 10
            service.is_up = True
            await up.flush()
            while up.statistics().health is not Health.OK:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
            await up.submit(make_frame(number, 12_000))
            await up.flush()
    assert (up.report.delivered, up.report.is_balanced) == (number + 1, True)


@pytest.mark.parametrize("size", [MEBI, 3 * MEBI, 5 * MEBI, 8 * MEBI, 2**30])
@pytest.mark.parametrize("kept", [0, 100_000, None])
def test_an_empty_file_system_of_any_size_is_not_full(
    size: int, kept: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither at the beginning, nor after it was full; the reserve is set aside only where it leaves as much."""
    monkeypatch.setattr(disk, "total_bytes", lambda _: size)
    monkeypatch.setattr(disk, "free_bytes", lambda _: size - sum(one.stat().st_size for one in tmp_path.glob("*/*")))
    (tmp_path / "spool").mkdir(mode=0o700)
    directory = SpoolDirectory(tmp_path / "spool")
    directory.lock()
    try:
        room = Room(directory, kept)
        room.look()
        assert not room.is_full
        room.check(size // 16)
        room.look([OSError(28, "no space")])
        assert room.is_full
        room.look()
        assert not room.is_full
    finally:
        directory.close()
