"""What `deduplicate` promises against the emulator: it never takes a new frame for one that is there. Told by SHA-256."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from picsellia_async import AsyncDeployment
from picsellia_async.config import RetryPolicy
from picsellia_async.emulator import Emulator, Fault
from picsellia_async.frames import Frame

from ..support.frames import make_frame
from .emulated import stored

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(backoff_initial=0.01, backoff_max=0.05)
KEY = "picsellia_async_frame_id"


def run_of(run: int) -> list[Frame]:
    """Return ten frames with the names that every run gives, and images of this run."""
    return [make_frame(run * 1_000 + number, filename=f"frame-{number}.jpg") for number in range(10)]


def hashes(frames: list[Frame]) -> Counter[str]:
    return Counter(hashlib.sha256(bytes(frame.image)).hexdigest() for frame in frames)  # type: ignore[arg-type]


def stored_hashes(emulator: Emulator) -> Counter[str]:
    return Counter(str(row["sha256"]) for row in stored(emulator))


async def metadata_by_name(deployment: AsyncDeployment) -> dict[str, dict[str, object] | None]:
    return {asset.filename: asset.custom_metadata for asset in await deployment.list_predicted_assets()}


@pytest.mark.parametrize(("status", "times"), [(502, 10), (504, 3)])
async def test_a_second_run_with_the_same_names_is_stored_whole(
    deployment: AsyncDeployment, emulator: Emulator, status: int, times: int
) -> None:
    """Answers of a gateway that stored nothing: each frame of each run is stored once, and none counts as a duplicate."""
    first, second = run_of(1), run_of(2)
    assert (await deployment.monitor_many(first, deduplicate=True)).is_complete
    refusing = emulator.faults.add(Fault(kind="status", status=status, endpoint="monitor", times=times))
    report = await deployment.monitor_many(second, deduplicate=True, retry=QUICK)
    assert emulator.faults.fired(refusing) == times
    assert (report.delivered, report.duplicates) == (10, 0)
    assert stored_hashes(emulator) == hashes(first) + hashes(second)


async def test_a_restart_from_the_spool_with_the_same_names_is_stored_whole(
    deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path
) -> None:
    """Frames that a spool gives back may have been sent; those of an earlier run with the same names do not speak for them."""
    first, second = run_of(1), run_of(2)
    assert (await deployment.monitor_many(first, deduplicate=True)).is_complete
    emulator.faults.add(Fault(kind="status", status=504, endpoint="monitor"))
    async with deployment.uploader(deduplicate=True, spool=tmp_path / "spool", close_timeout=0.0) as uploader:
        for frame in second:
            await uploader.submit(frame)
        await uploader.flush(timeout=0.5)
    assert uploader.report.spooled == 10
    emulator.faults.clear()
    emulator.faults.add(Fault(kind="status", status=504, endpoint="monitor", times=3))
    async with deployment.uploader(deduplicate=True, spool=tmp_path / "spool", retry=QUICK) as uploader:
        assert await uploader.flush(timeout=300) == 0
    assert (uploader.report.delivered, uploader.report.duplicates) == (10, 0)
    assert stored_hashes(emulator) == hashes(first) + hashes(second)


async def test_the_id_survives_a_restart(deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path) -> None:
    """A frame that was stored before the process ended is found by the next one, by the id that came from disk."""
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor"))
    frames = run_of(1)
    async with deployment.uploader(deduplicate=True, spool=tmp_path, close_timeout=0.0, concurrency=10) as uploader:
        for frame in frames:
            await uploader.submit(frame)
        with_answers_lost = await uploader.flush(timeout=1.0)
    emulator.faults.clear()
    before = stored_hashes(emulator)
    async with deployment.uploader(deduplicate=True, spool=tmp_path, retry=QUICK) as uploader:
        assert await uploader.flush(timeout=300) == 0
    assert with_answers_lost > 0
    assert uploader.report.duplicates == len(before) > 0
    assert stored_hashes(emulator) == hashes(frames)


async def test_others_of_the_same_name_do_not_hide_a_frame(deployment: AsyncDeployment, emulator: Emulator) -> None:
    """Where several frames share a name, the one whose answer was lost is found among them, and not sent again."""
    same = [make_frame(number, filename="same.jpg") for number in range(3)]
    assert (await deployment.monitor_many(same[:2])).is_complete
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=1))
    report = await deployment.monitor_many(same[2:], deduplicate=True, retry=QUICK)
    assert (report.delivered, report.duplicates, report.retries) == (1, 1, 1)
    assert stored_hashes(emulator) == hashes(same)


async def test_a_frame_that_the_platform_does_not_keep_is_sent_again(
    deployment: AsyncDeployment, emulator: Emulator
) -> None:
    """Without a sample there is nothing to be found: at least once."""
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=1))
    report = await deployment.monitor_many([make_frame(sample=False)], deduplicate=True, retry=QUICK)
    assert (report.delivered, report.duplicates) == (1, 0)
    assert len(stored(emulator)) == 2


async def test_the_id_is_sent_with_deduplicate_only(deployment: AsyncDeployment) -> None:
    """It joins the frame's own custom metadata; without the option nothing is added."""
    plain = [make_frame(0), make_frame(1, custom_metadata={"n": 1})]
    marked = [make_frame(2), make_frame(3, custom_metadata={"n": 1})]
    assert (await deployment.monitor_many(plain)).is_complete
    assert (await deployment.monitor_many(marked, deduplicate=True)).is_complete
    shown = await metadata_by_name(deployment)
    assert shown["frame-000000.jpg"] is None
    assert shown["frame-000001.jpg"] == {"n": 1}
    assert shown["frame-000002.jpg"] == {KEY: str(marked[0].id)}
    assert shown["frame-000003.jpg"] == {"n": 1, KEY: str(marked[1].id)}
    assert marked[1].custom_metadata == {"n": 1}
