"""Frames per second through the spool, beside what the disk does by itself, and how fast a full spool opens.

Claims: at least 1,000 frames of 100 KB per second in interval mode where the disk allows it; 50,000 frames open in under two
seconds; the loop is not blocked meanwhile. The count of rows in the file equals the count submitted.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.arms import LagProbe
from picsellia_async._delivery.spool import codec
from picsellia_async._delivery.spool.store import Record, SpoolFile
from picsellia_async.errors import TransportError
from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat
from picsellia_async.uploader import Uploader

SIZE = 100_000
PREDICTION = DetectionPredictionFormat([0], [[10, 20, 110, 220]], [0.9])
OPEN_FACTOR = 10
"""Frames of the spool that is opened, per frame that is written: 50,000 at full size."""


def run(only: list[str], *, rounds: int, seed: int, frames: int = 5000) -> dict[str, Any]:
    source = random.Random(seed)
    image = b"\xff\xd8\xff" + source.randbytes(SIZE - 3)
    result: dict[str, Any] = {"settings": {"frames": frames, "size": SIZE, "rounds": rounds}}
    for durability in only or ["commit", "interval"]:
        taken = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
                disk = sequential(Path(folder) / "plain", image, frames)
                taken.append(
                    asyncio.run(write(Path(folder) / "spool", durability, image, frames)) | {"disk_mb_s": disk}
                )
        taken.sort(key=lambda figures: figures["frames_per_second"])
        result[durability] = taken[len(taken) // 2] | {"all": [round(t["frames_per_second"]) for t in taken]}
        print(durability, result[durability])
    result["open"] = opening(frames * OPEN_FACTOR)
    print("open", result["open"])
    return result


def sequential(path: Path, image: bytes, frames: int) -> float:
    """MB/s that the disk writes in one stream, flushed every 16 MiB as the spool's groups are."""
    begun = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for number in range(1, frames + 1):
            file.write(image)
            if not number % (16 * 2**20 // SIZE):
                os.fdatasync(file.fileno())
        os.fdatasync(file.fileno())
    path.unlink()
    return frames * SIZE / 1e6 / (time.perf_counter() - begun)


def make(number: int, image: bytes) -> Frame:
    return Frame(
        image=image, filename=f"{number}.jpg", width=1920, height=1080, latency=0.02, prediction=PREDICTION, source=f"cam-{number % 8}"
    )  # fmt: skip


async def write(folder: Path, durability: Any, image: bytes, frames: int) -> dict[str, Any]:
    """Submit from 32 tasks while the service is down, until everything is on disk."""

    async def send(frame: Frame, request: bytes) -> dict[str, Any]:
        raise TransportError("down", "POST", "http://x")

    numbers = iter(range(frames))
    probe = LagProbe()
    uploader = Uploader(send, spool=folder, durability=durability, max_spool_bytes=2**40, close_timeout=0)
    async with uploader:
        prober = asyncio.ensure_future(probe.run())
        begun, cpu = time.perf_counter(), time.process_time()

        async def produce() -> None:
            for number in numbers:
                await uploader.submit(make(number, image))

        await asyncio.gather(*(produce() for _ in range(32)))
        await uploader._spool[0].spool.sync()
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        prober.cancel()
    with sqlite3.connect(folder / "spool.db") as db:
        found = db.execute("SELECT count(*) FROM frame").fetchone()[0]
    db.close()
    if found != frames or uploader.report.spooled != frames:
        raise RuntimeError(f"{found} rows and {uploader.report.spooled} spooled for {frames} frames")
    return {
        "frames_per_second": frames / seconds, "mb_s": frames * SIZE / 1e6 / seconds, "cpu_us": cpu / frames * 1e6, **probe.result(),
    }  # fmt: skip


def opening(frames: int) -> dict[str, Any]:
    """How long a spool of many small frames takes to open."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        file = SpoolFile(Path(folder), {})
        file.open()
        for start in range(0, frames, 5000):
            some = [make(number, b"\xff\xd8\xff" + bytes(1000)) for number in range(start, min(start + 5000, frames))]
            file.apply(
                [Record(start + n + 1, f.id.bytes, codec.encode(f), f.image) for n, f in enumerate(some)], [], []
            )  # type: ignore[arg-type]
        file.close()
        begun = time.perf_counter()
        file = SpoolFile(Path(folder), {})
        found = file.open().frames
        seconds = time.perf_counter() - begun
        file.close()
    if found != frames:
        raise RuntimeError(f"{found} of {frames} frames found")
    return {"frames": frames, "seconds": seconds}
