"""Frames per second through the spool, beside what the disk does by itself; bytes written per byte delivered; how fast a full spool opens.

Claims: at least 1,000 frames of 100 KB per second in interval mode where the disk allows it; 50,000 frames open in under two
seconds; the loop is not blocked meanwhile; at most 1.5 bytes are written per byte delivered at 100 KB and 3 at 20 KB, also where each
frame is committed and deleted by itself. The count of records in the files equals the count submitted.

`BENCH_DIR` names the directory to use: bytes written are counted by the kernel for a real file system only, not for a tmpfs.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.arms import LagProbe
from picsellia_async._delivery.spool import codec
from picsellia_async._delivery.spool.record import Record
from picsellia_async._delivery.spool.results import Recovery
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory, prepare
from picsellia_async._delivery.spool.store import Store
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
    for size in (100_000, 20_000):
        for durability in only or ["commit", "interval"]:
            with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
                name = f"wear_{durability}_{size}"
                result[name] = asyncio.run(wear(Path(folder) / "spool", durability, image[:size], frames // 10))
                print(name, result[name])
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
    found = reopened(folder).frames
    if found != frames or uploader.report.spooled != frames:
        raise RuntimeError(f"{found} records and {uploader.report.spooled} spooled for {frames} frames")
    return {
        "frames_per_second": frames / seconds, "mb_s": frames * SIZE / 1e6 / seconds, "cpu_us": cpu / frames * 1e6, **probe.result(),
    }  # fmt: skip


async def wear(folder: Path, durability: Any, image: bytes, frames: int) -> dict[str, Any]:
    """One camera whose service is up: a frame is written, delivered and deleted before the next but one comes."""

    async def send(frame: Frame, request: bytes) -> dict[str, Any]:
        return {}

    before = written_bytes()
    begun = time.perf_counter()
    async with Uploader(send, spool=folder, durability=durability, commit_interval=0.02) as uploader:
        for number in range(frames):
            await uploader.submit(make(number, image))
            await asyncio.sleep(0.005)
    seconds = time.perf_counter() - begun
    if uploader.report.delivered != frames:
        raise RuntimeError(f"{uploader.report.delivered} of {frames} delivered")
    return {"written_per_delivered": (written_bytes() - before) / (frames * len(image)), "seconds": seconds}


def written_bytes() -> int:
    """Bytes that this process had the file systems write so far; 0 where the system does not tell."""
    path = Path("/proc/self/io")
    if not path.exists():
        return 0
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith("write_bytes"))


def reopened(folder: Path, records: list[Record] | None = None) -> Recovery:
    """Open a spool's files, write records to them, and close."""
    prepare(folder)
    directory = SpoolDirectory(folder)
    directory.lock()
    store = Store(directory, {})
    recovery = store.open()
    if records:
        store.commit(records)
    store.close()
    directory.close()
    return recovery


def opening(frames: int) -> dict[str, Any]:
    """How long a spool of many small frames takes to open."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        for start in range(0, frames, 5000):
            some = [make(number, b"\xff\xd8\xff" + bytes(1000)) for number in range(start, min(start + 5000, frames))]
            reopened(
                Path(folder),
                [Record(start + n + 1, f.id.bytes, codec.encode(f), f.image) for n, f in enumerate(some)],  # type: ignore[arg-type]
            )
        begun = time.perf_counter()
        found = reopened(Path(folder)).frames
        seconds = time.perf_counter() - begun
    if found != frames:
        raise RuntimeError(f"{found} of {frames} frames found")
    return {"frames": frames, "seconds": seconds}
