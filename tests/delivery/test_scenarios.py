"""What must hold whatever fails, told with the real client, the real emulator, and where it matters processes of their own."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from picsellia_async import AsyncClient, AsyncDeployment
from picsellia_async._delivery.outcomes import Delivered, Health, Rejected
from picsellia_async.config import RetryPolicy
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.transport.fault import Fault
from picsellia_async.errors import ClosedError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import PREDICTION, make_frame
from .emulated import stored, stored_names

pytestmark = pytest.mark.anyio

IS_SOAK = bool(os.environ.get("PICSELLIA_ASYNC_SOAK"))
PROGRAMS = Path(__file__).with_name("programs.py")
logger = logging.getLogger(__name__)
QUICK = RetryPolicy(backoff_initial=0.05, backoff_max=0.5)


async def start(name: str, emulator: Emulator, **arguments: Any) -> asyncio.subprocess.Process:
    """Start one of the programs against an emulator."""
    given = {"url": emulator.url, "token": emulator.api_token, "deployment": emulator.deployment_name, **arguments}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(PROGRAMS), name, json.dumps(given), stdout=-1, stderr=-1
    )


async def run(name: str, emulator: Emulator, **arguments: Any) -> Any:
    """Run one of the programs and return the JSON of its last line."""
    process = await start(name, emulator, **arguments)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out.splitlines()[-1])


def test_trio_is_refused_clearly() -> None:
    """Under trio the uploader says that it needs asyncio, instead of failing somewhere inside."""
    pytest.importorskip("trio")

    async def main() -> None:
        async with Uploader(make_frame):  # type: ignore[arg-type]
            pass

    with pytest.raises(ClosedError, match=r"asyncio.*trio"):
        anyio.run(main, backend="trio")


async def test_a_stalled_service_costs_no_more_memory_than_allowed(emulator: Emulator) -> None:
    """Frames of 200 KB offered to a service that reads nothing: memory grows by at most `max_pending_bytes` + 20 %, then stays."""
    emulator.faults.add(Fault(kind="stall", endpoint="monitor", skip=1))
    limit = 64 * 2**20
    count = 20_000 if IS_SOAK else 2_000
    seen = await run("offer", emulator, count=count, size=200_000, limit=limit)
    logger.info("%s", seen)
    assert seen["dropped"] >= count - limit // 200_000
    assert seen["peak"] <= limit * 1.2
    assert seen["drift"] <= limit * 0.02


async def test_a_slow_service_does_not_fill_the_memory(emulator: Emulator) -> None:
    """A service that takes much longer than the cameras' pace: memory is flat, and the drops are counted."""
    emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=2.0 if IS_SOAK else 0.2))
    options = {"max_pending_bytes": 8 * 2**20, "when_full": "drop_oldest", "concurrency": 4, "close_timeout": 1.0}
    seconds, rate = (300, 30) if IS_SOAK else (6, 200)
    seen = await run("pace", emulator, seconds=seconds, rate=rate, size=50_000, sources=1, options=options)
    assert seen["report"]["dropped"] > 0
    assert slope(seen["seen"]) <= 0.1 * 8 * 2**20


async def test_a_long_run_leaks_nothing(emulator: Emulator) -> None:
    """Minutes of frames with trouble among them: memory in the last quarter is what it was in the second."""
    for kind in ("reset", "garbage", "stored_then_dropped"):
        emulator.faults.add(Fault(kind=kind, endpoint="monitor", probability=0.02))  # type: ignore[arg-type]
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor", probability=0.03))
    options = {"max_pending_bytes": 16 * 2**20, "concurrency": 16}
    seconds, rate = (180, 300) if IS_SOAK else (8, 150)
    seen = await run("pace", emulator, seconds=seconds, rate=rate, size=30_000, sources=10, options=options)
    report = seen["report"]
    logger.info("slope %s, %s", slope(seen["unexplained"]), report | {"failures": len(report["failures"])})
    assert report["accepted"] == report["delivered"] + report["rejected"]
    assert slope(seen["unexplained"]) <= 6 * 2**20


def slope(seen: list[int]) -> float:
    """Return by how much memory in the last quarter is above that in the second."""
    quarter = len(seen) // 4
    return sum(seen[-quarter:]) / quarter - sum(seen[quarter : 2 * quarter]) / quarter


async def test_a_huge_directory_takes_little(deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path) -> None:
    """A directory far larger than memory is delivered with few files open and few bytes held."""
    count, size = (10_000, 2**20) if IS_SOAK else (300, 2**20)
    first = tmp_path / "0.jpg"
    first.write_bytes(b"\xff\xd8\xff\xe0" + random.randbytes(size - 4))
    for number in range(1, count):
        os.link(first, tmp_path / f"{number}.jpg")
    base = open_files()
    most = most_bytes = 0

    def frames() -> Iterator[Frame]:
        for path in tmp_path.iterdir():
            yield Frame(image=path, width=64, height=48, latency=0.0, prediction=PREDICTION)

    async with deployment.uploader(max_pending_bytes=8 * size, concurrency=8) as uploader:
        async for outcome in uploader.stream(frames()):
            assert isinstance(outcome, Delivered), outcome
            most = max(most, open_files() - base)
            most_bytes = max(most_bytes, uploader.statistics().pending_bytes)
    assert uploader.report.delivered == count
    assert most_bytes <= 8 * size
    # Both ends of eight connections, as the emulator runs in this process, and eight files.
    assert most <= 8 * 3 + 8


def open_files() -> int:
    """Return how many file descriptors this process has open; 0 where the system does not tell."""
    path = Path("/proc/self/fd")
    return len(list(path.iterdir())) if path.exists() else 0


async def test_a_large_frame_is_not_copied_about(emulator: Emulator) -> None:
    """A frame of 25 MB takes at most three times its size while it is delivered."""
    size = 25 * 2**20
    seen = await run("one_large", emulator, size=size)
    logger.info("%s", seen)
    assert seen["outcome"] == "Delivered"
    assert seen["extra"] <= 3 * size


async def test_a_restarted_service_gets_everything(tmp_path: Path) -> None:
    """The service goes away in the middle of a batch and comes back at the same address: nothing is lost, nothing is given up."""
    emulator = Emulator(data_dir=tmp_path / "data")
    await emulator.start()
    port, token, url = emulator.port, emulator.api_token, emulator.url
    async with AsyncClient(token, host=url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        async with deployment.uploader(concurrency=8, retry=QUICK) as uploader:
            submitting = asyncio.create_task(submit_all(uploader, 400))
            while uploader.statistics().delivered < 100:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
            await emulator.stop()
            while uploader.statistics().health is not Health.DOWN:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            emulator = Emulator(port, tmp_path / "data")
            await emulator.start()
            await submitting
            assert await uploader.flush(timeout=300) == 0
    names = stored_names(emulator)
    await emulator.stop()
    assert (uploader.report.delivered, uploader.report.is_balanced) == (400, True)
    assert set(names) == {f"frame-{number:06d}.jpg" for number in range(400)}


async def submit_all(uploader: Uploader, count: int) -> None:
    """Submit so many frames, as a camera would: with the loop's turns between them."""
    for number in range(count):
        await uploader.submit(make_frame(number, 20_000))
        await asyncio.sleep(0)


async def test_a_normal_exit_delivers(emulator: Emulator) -> None:
    """500 frames, and the block and the interpreter end at once: 500 arrive."""
    report = await run("leave", emulator, count=500)
    assert (report["delivered"], len(set(stored_names(emulator)))) == (500, 500)


async def test_a_service_that_never_answers_does_not_hold_the_process(emulator: Emulator) -> None:
    """The process ends although no answer ever comes, with its report: every frame was dropped by closing."""
    emulator.faults.add(Fault(kind="stall", endpoint="monitor", direction="down"))
    process = await start("leave", emulator, count=50, options={"close_timeout": 1.0})
    assert process.stdout is not None
    assert (await process.stdout.readline()) == b"submitted\n"
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    report = json.loads(out)
    assert (report["dropped"], process.returncode) == (50, 0), err.decode()


async def test_replay_delivers_what_a_killed_run_left(emulator: Emulator, tmp_path: Path) -> None:
    """A run is killed in the middle of an outage; `picsellia-async replay` delivers every frame that was accepted."""
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor"))
    accepted = await accept_and_kill(emulator, tmp_path, start_number=0, seconds=0.7)
    emulator.faults.clear()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "picsellia_async.cli", "replay", str(tmp_path), "--api-token", emulator.api_token, "--json",
        stdout=-1, stderr=-1,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    report = json.loads(out)
    assert report["recovered"] == report["delivered"] >= len(accepted) > 0
    assert accepted <= set(stored_names(emulator))


async def accept_and_kill(emulator: Emulator, spool: Path, start_number: int, seconds: float) -> set[str]:
    """Run `accept` until so many seconds after its first line, kill it, and return the names it said were accepted."""
    process = await start("accept", emulator, spool=str(spool), start=start_number)
    assert process.stdout is not None
    first = await process.stdout.readline()
    if not first:
        _, err = await process.communicate()
        raise AssertionError(err.decode())
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    out, _ = await process.communicate()
    # The last line may have been cut by the kill.
    return {line.decode() for line in out.split(b"\n")[:-1] if line.endswith(b".jpg")}


async def test_kill_at_random_points_loses_no_accepted_frame(emulator: Emulator, tmp_path: Path) -> None:
    """SIGKILL again and again on one spool with durability="commit": every frame that was accepted arrives in the end."""
    rounds = 50 if IS_SOAK else 5
    source = random.Random(17)
    emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=0.02))
    emulator.faults.add(Fault(kind="reset", direction="down", endpoint="monitor", probability=0.05, seed=3))
    accepted: set[str] = set()
    for number in range(rounds):
        accepted |= await accept_and_kill(emulator, tmp_path, number * 10_000, source.uniform(0.0, 0.6))
    emulator.faults.clear()
    async with AsyncClient(emulator.api_token, host=emulator.url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        async with deployment.uploader(spool=tmp_path, close_timeout=60) as uploader:
            assert await uploader.flush(timeout=300) == 0
    copies = Counter(stored_names(emulator))
    logger.info(
        "%s kills, %s accepted, %s recovered, %s duplicates",
        rounds,
        len(accepted),
        uploader.report.recovered,
        copies.total() - len(copies),
    )
    assert len(accepted) > rounds
    assert not accepted - copies.keys()
    assert uploader.report.is_complete
    assert uploader.report.quarantined == 0


async def test_every_missing_image_is_named(deployment: AsyncDeployment, emulator: Emulator) -> None:
    """Two per cent of 500 frames are refused at random: the report names each of them, and the others are all there."""
    fault = emulator.faults.add(Fault(kind="status", status=422, endpoint="monitor", probability=0.02, seed=9))
    report = await deployment.monitor_many([make_frame(number, 5_000) for number in range(500)])
    missing = {f"frame-{number:06d}.jpg" for number in range(500)} - set(stored_names(emulator))
    assert len(missing) == emulator.faults.fired(fault) > 0
    assert {line.filename for line in report.failures} == missing
    assert all("422" in line.reason for line in report.failures)
    assert (report.delivered, report.rejected) == (500 - len(missing), len(missing))


async def test_over_the_wire_nobody_comes_before_retry_after(deployment: AsyncDeployment, emulator: Emulator) -> None:
    """A hundred in flight get 429 with Retry-After: 2 from the real server; the journal shows when the others came."""
    emulator.faults.add(Fault(kind="status", status=429, retry_after=2, endpoint="monitor", times=100))
    async with deployment.uploader(concurrency=100) as uploader:
        for number in range(100):
            await uploader.submit(make_frame(number, 2_000))
        assert await uploader.flush(timeout=300) == 0
    entries = [entry for entry in emulator.journal if entry.endpoint == "monitor"]
    refused = [entry.at for entry in entries if entry.status == 429]
    later = sorted(entry.at for entry in entries if entry.status == 201)
    assert len(later) == 100
    first_answer = min(refused)
    assert later[0] - first_answer >= 2.0 - 0.1
    assert uploader.report.is_complete


async def test_deduplicate_leaves_one_copy(deployment: AsyncDeployment, emulator: Emulator) -> None:
    """With `deduplicate` a frame whose answer was lost is found on the platform, and stored once."""
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", probability=0.3, seed=2))
    async with deployment.uploader(deduplicate=True, retry=QUICK) as uploader:
        for number in range(60):
            await uploader.submit(make_frame(number, 2_000))
        assert await uploader.flush(timeout=300) == 0
    copies = Counter(stored_names(emulator))
    assert (len(copies), max(copies.values()), uploader.report.delivered) == (60, 1, 60)
    assert uploader.report.duplicates > 0


async def test_frames_carry_their_fields(deployment: AsyncDeployment, emulator: Emulator) -> None:
    """Source, tags, time and the rest of a frame reach the service as `monitor_bytes` would send them."""
    frame = make_frame(
        1, source="cam-1", tags=["night"], timestamp=1_700_000_000.5, metadata={"m": 1}, custom_metrics={"q": 2.0}
    )
    async with deployment.uploader() as uploader:
        outcome = await (await uploader.submit(frame))
    assert isinstance(outcome, Delivered)
    (row,) = stored(emulator)
    assert (row["id"], row["source"], row["tags"], row["timestamp"]) == (
        outcome.receipt["id"], "cam-1", ["night"], 1_700_000_000.5,
    )  # fmt: skip


async def test_a_prediction_of_another_type_is_that_frames_trouble(deployment: AsyncDeployment) -> None:
    """A frame whose prediction does not fit the deployment is rejected without a request."""
    from picsellia_async.predictions import ClassificationPredictionFormat

    async with deployment.uploader() as uploader:
        bad = await uploader.submit(make_frame(1, prediction=ClassificationPredictionFormat([1], [0.5])))
        good = await uploader.submit(make_frame(2))
        assert isinstance(await bad, Rejected)
        assert isinstance(await good, Delivered)


async def test_deduplicate_that_asks_too_early_sends_again_and_loses_nothing() -> None:
    """A platform that shows a frame only later cannot be asked in time: a duplicate, as the docs say, and never a loss."""
    async with (
        Emulator(visibility_delay=60.0) as emulator,
        AsyncClient(emulator.api_token, host=emulator.url) as client,
    ):
        deployment = await client.get_deployment(emulator.deployment_name)
        lost = emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=3))
        async with deployment.uploader(deduplicate=True, retry=QUICK, concurrency=2) as uploader:
            for number in range(10):
                await uploader.submit(make_frame(number, 2_000))
            assert await uploader.flush(timeout=300) == 0
        copies = Counter(stored_names(emulator))
        assert emulator.faults.fired(lost) == 3
    assert (len(copies), copies.total(), uploader.report.delivered) == (10, 13, 10)


async def test_a_file_that_vanishes_before_its_turn_is_that_frames_trouble(
    deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path
) -> None:
    """The file was there at `submit` and is gone when it is to be sent: rejected with the error; its sibling arrives."""
    paths = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for path in paths:
        path.write_bytes(b"\xff\xd8\xff" + bytes(1000))
    emulator.faults.add(Fault(kind="status", status=429, retry_after=1, endpoint="monitor", times=1))
    async with deployment.uploader(concurrency=1) as uploader:
        receipts = [
            await uploader.submit(Frame(image=path, width=64, height=48, latency=0.0, prediction=PREDICTION))
            for path in paths
        ]
        paths[0].unlink()
        first, second = [await receipt for receipt in receipts]
    assert isinstance(first, Rejected)
    assert "a.jpg" in str(first.error)
    assert isinstance(second, Delivered)
    assert uploader.report.is_balanced
