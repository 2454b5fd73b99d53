"""Several processes with one spool directory: each has a slot, and what a process that is gone left is taken over, once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from picsellia_async import ConfigurationError, SpoolError, Uploader
from picsellia_async.spools import read_contents

from ..support.frames import make_frame
from .makers import Service, fill, uploader

pytestmark = pytest.mark.anyio

WORKER = """
import asyncio, sys
from picsellia_async import DetectionPredictionFormat, Frame, Uploader
from picsellia_async.errors import TransportError

directory, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
PREDICTION = DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.5])

async def send(frame, request):
    raise TransportError("refused", "POST", "http://x", 1, request_sent=False)

async def main():
    async with Uploader(send, spool=directory, owner={"deployment_id": "d"}, shared_spool=True) as up:
        for number in range(count):
            await up.submit(Frame(image=b"\\xff\\xd8\\xff\\xe0" + bytes(500), filename=f"{name}-{number}.jpg", width=64, height=48,
                                  latency=0.1, prediction=PREDICTION, checks="off"))
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def start(directory: Path, name: str, count: int) -> subprocess.Popen[str]:
    """Start a process that spools so many frames and cannot deliver them; return when they are on disk."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(directory), name, str(count)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def shared(service: Service, directory: Path, **options: Any) -> Uploader:
    return Uploader(service.send, spool=directory, owner={"deployment_id": "d"}, shared_spool=True, **options)


def slots(directory: Path) -> list[str]:
    return sorted(slot.name for slot in directory.iterdir())


def pending(directory: Path) -> int:
    """Return how many frames wait in all slots."""
    return sum(one.state == "pending" for slot in directory.iterdir() for one in read_contents(slot).frames)


async def test_what_killed_processes_left_is_delivered_once(tmp_path: Path) -> None:
    """Four processes at once, three of them killed: a fifth takes over what the three left, and nothing of the one that lives."""
    processes = [await asyncio.to_thread(start, tmp_path, f"p{number}", 20) for number in range(4)]
    try:
        assert slots(tmp_path) == [f"slot-00{number}" for number in range(4)]
        for process in processes[:3]:
            process.send_signal(signal.SIGKILL)
            process.wait()
        service = Service()
        async with asyncio.timeout(60), shared(service, tmp_path) as up:
            while up.report.delivered < 60:  # noqa: ASYNC110 - counted, nobody tells
                await asyncio.sleep(0.02)
            assert await up.flush() == 0
        assert up.report.recovered == up.report.accepted == 60
        assert Counter(service.stored) == Counter(
            f"p{process}-{number}.jpg" for process in range(3) for number in range(20)
        )
        assert pending(tmp_path) == 20
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


async def test_adopters_that_race_take_each_frame_once(tmp_path: Path) -> None:
    """Three uploaders find the slots of two dead processes at the same time."""
    for name in ("a", "b"):
        process = await asyncio.to_thread(start, tmp_path, name, 50)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.communicate()
    service = Service()
    one, two, three = (shared(service, tmp_path) for _ in range(3))
    async with asyncio.timeout(60), one, two, three:
        while one.report.delivered + two.report.delivered + three.report.delivered < 100:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert sorted(service.stored) == sorted(f"{name}-{number}.jpg" for name in "ab" for number in range(50))
    assert pending(tmp_path) == 0
    assert one.report.is_balanced
    assert two.report.is_balanced
    assert three.report.is_balanced


async def test_a_record_that_was_taken_over_before_is_not_doubled(tmp_path: Path) -> None:
    """A process was killed between writing a record here and marking it there: the copy is known by its id."""
    frame = make_frame(1)
    down = Service(is_up=False)
    # Both at once, so that each has a slot.
    async with shared(down, tmp_path, close_timeout=0.0) as one, shared(down, tmp_path, close_timeout=0.0) as two:
        await one.submit(frame)
        await two.submit(frame)
    service = Service(is_up=False)
    async with asyncio.timeout(60), shared(service, tmp_path, close_timeout=5.0) as up:
        while pending(tmp_path) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        service.is_up = True
    assert (service.stored, up.report.delivered, up.report.accepted) == ([frame.filename], 1, 1)


async def test_slots_of_another_deployment_are_left_alone(tmp_path: Path) -> None:
    """Its uploader will come for them; a slot of the wrong deployment is passed over at opening too."""
    process = await asyncio.to_thread(start, tmp_path, "a", 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.communicate()
    service = Service()
    with pytest.raises(SpoolError, match="deployment"):
        async with Uploader(service.send, spool=tmp_path, owner={"deployment_id": "e"}, shared_spool=True):
            pass
    assert pending(tmp_path) == 5


async def test_directories_of_one_process_and_of_several(tmp_path: Path) -> None:
    """One that a process had alone, with frames in it, is refused; sharing needs a directory."""
    await fill(tmp_path, 3)
    with pytest.raises(SpoolError, match="by one process alone"):
        async with uploader(Service(), tmp_path, shared_spool=True):
            pass
    async with uploader(Service(), tmp_path / "shared", shared_spool=True):
        pass
    with pytest.raises(ConfigurationError, match="needs spool="):
        Uploader(Service().send, shared_spool=True)
    with pytest.raises(ConfigurationError, match="slot-000"):
        read_contents(tmp_path / "shared")
