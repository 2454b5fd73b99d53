"""What a job's journal costs: CPU of `jobs.run` against `monitor_many` on the same frames, in one process, in turns.

Claim: at 100 KB the journal adds at most 11 % of CPU to a frame, whether pictures are in memory, in files, or known by ids of their own.
Both sides share one client and its connections; a turn sends the same frames with one and then the other, in changing order, and each
turn of a job has a new journal. CPU is that of the whole process: the event loop, and the threads that read files and write the
journal. The figure is the median of the ratios turn by turn, so that a busy machine slows both sides of a ratio.

Frames come from an async generator that makes each of them, as a model's loop does. Pictures differ (`PICTURES` of them); in files each
frame has one of its own, which no journal knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import UUID

from benchmarks import record
from benchmarks.arms import BOXES, CLASSES, HEIGHT, SCORES, WIDTH, photo
from benchmarks.processes import Sink, on_client_core

SCENARIOS = {
    f"{name} {kind}": (size, kind)
    for name, size in (("100KB", 100_000), ("10KB", 10_000))
    for kind in ("in memory", "in files", "own ids")
}
FLIGHT = 32
PICTURES = 16


def run(only: list[str], *, rounds: int, seed: int, frames: int = 3000) -> dict[str, Any]:
    with on_client_core():
        return {name: asyncio.run(scenario(name, rounds, seed, frames)) for name in (only or SCENARIOS)}


async def scenario(name: str, rounds: int, seed: int, frames: int) -> dict[str, Any]:
    import picsellia_async

    size, kind = SCENARIOS[name]
    cpu: dict[str, list[float]] = {"monitor_many": [], "job": []}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = await asyncio.to_thread(images, kind, size, seed, frames, folder)
        sink = Sink(delay=0.0, certificate=None)
        stack.callback(sink.child.end)
        async with picsellia_async.AsyncClient("token", host=sink.base, max_connections=FLIGHT) as client:
            deployment = await client.get_deployment("bench")
            await deployment.label_map()
            for number in range(rounds + 1):
                for way in sorted(cpu, reverse=bool(number % 2)):
                    journal = folder / f"{way}-{number}.journal" if way == "job" else None
                    spent = await cpu_per_frame(deployment, made, frames, number, journal, has_ids=kind == "own ids")
                    if number:  # the first turn warms up
                        cpu[way].append(spent)
    ratios = [job / plain for job, plain in zip(cpu["job"], cpu["monitor_many"], strict=True)]
    low, _, high = quantiles(ratios, n=4)
    result = {
        "settings": {"size": size, "kind": kind, "flight": FLIGHT, "frames": frames, "turns": rounds},
        "run": record.moment(),
        "cpu_us": {way: median(values) for way, values in cpu.items()},
        "ratios": [round(ratio, 4) for ratio in ratios],
        "job_of_monitor_many": median(ratios),
    }
    print(
        f"{name}: job {result['cpu_us']['job']:.1f} us, monitor_many {result['cpu_us']['monitor_many']:.1f} us of CPU per frame; "
        f"job / monitor_many {result['job_of_monitor_many']:.3f} (of {len(ratios)} turns; the middle half is {low:.3f} to {high:.3f})",
        flush=True,
    )
    return result


def images(kind: str, size: int, seed: int, frames: int, folder: Path) -> list[Any]:
    pictures = [photo(size, seed + number) for number in range(PICTURES)]
    if kind != "in files":
        return pictures
    files = [folder / f"{number}.jpg" for number in range(frames)]
    longer_ago = time.time() - 60  # a file of a moment ago is read again in the next run
    for number, file in enumerate(files):
        file.write_bytes(pictures[number % PICTURES])
        os.utime(file, (longer_ago, longer_ago))
    return files


async def cpu_per_frame(
    deployment: Any, made: list[Any], frames: int, seed: int, journal: Path | None, *, has_ids: bool
) -> float:
    """Send frames; return microseconds of CPU per frame."""
    from picsellia_async import DetectionPredictionFormat, Frame
    from picsellia_async.jobs import run as run_job

    next_id = id_source(seed)

    async def source() -> AsyncIterator[Frame]:
        for number in range(frames):
            own = {"id": next_id()} if has_ids else {}
            prediction = DetectionPredictionFormat(
                detection_classes=CLASSES, detection_boxes=BOXES, detection_scores=SCORES
            )
            yield Frame(
                image=made[number % len(made)], filename=f"frame-{number}.jpg", width=WIDTH, height=HEIGHT,
                prediction=prediction, latency=0.0214, **own,
            )  # fmt: skip

    gc.collect()
    begun = time.process_time()
    if journal is None:
        report = await deployment.monitor_many(source(), concurrency=FLIGHT)
    else:
        identity = "id" if has_ids else "content"
        job = await run_job(source(), deployment, journal=journal, identity=identity, concurrency=FLIGHT)
        report = job.upload
    spent = (time.process_time() - begun) / frames * 1e6
    if report.delivered != frames:
        raise RuntimeError(f"{report.delivered} of {frames} were delivered")
    return spent


def id_source(seed: int) -> Callable[[], UUID]:
    """Ids are random where the caller has them; here they are the same in each run."""
    generator = random.Random(seed)
    return lambda: UUID(int=generator.getrandbits(128), version=4)
