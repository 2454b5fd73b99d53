"""What the uploader keeps to over a long run: memory over 100,000 frames, 500 cameras at 5 frames per second, and `"auto"`.

Claims: memory does not grow with the number of frames; 500 cameras at 5 fps are served without a backlog; `"auto"` uses at least 85 %
of a hidden capacity after 10 seconds, and again after it halves and doubles (real time). The sink's count equals the count sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import statistics
import time
import urllib.request
from typing import Any

from benchmarks.arms import BOXES, CLASSES, SCORES, LagProbe, resident
from benchmarks.processes import Child
from benchmarks.processes import Sink as SinkProcess
from picsellia_async import AsyncClient
from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat

PREDICTION = DetectionPredictionFormat(CLASSES, BOXES, SCORES)


def run(only: list[str], *, rounds: int, seed: int, frames: int = 100_000) -> dict[str, Any]:
    del rounds, seed  # one long run each
    result = {}
    for name, measure in {"memory": memory, "cameras": cameras, "auto": auto}.items():
        if not only or name in only:
            result[name] = asyncio.run(measure(frames))
            print(name, result[name], flush=True)
    return result


def make(number: int, image: bytes, source: str | None = None) -> Frame:
    return Frame(
        image=image, filename=f"frame-{number}.jpg", width=1920, height=1080, latency=0.02, prediction=PREDICTION, source=source
    )  # fmt: skip


async def memory(frames: int) -> dict[str, Any]:
    """Resident bytes, looked at a hundred times; each frame has its own bytes."""
    sink = SinkProcess(delay=0.0, certificate=None)
    seen = []
    async with AsyncClient("token", host=sink.base) as client:
        deployment = await client.get_deployment("bench")
        before = sink.counts()["predictions"]
        async with deployment.uploader(max_pending_bytes=16 * 2**20) as uploader:
            begun = time.perf_counter()
            for number in range(frames):
                await uploader.submit(make(number, b"\xff\xd8\xff%012d" % number + bytes(50_000)))
                if not number % max(1, frames // 100):
                    seen.append(resident())
        seconds = time.perf_counter() - begun
    arrived = sink.counts()["predictions"] - before
    sink.child.end()
    if arrived != frames or not uploader.report.is_complete:
        raise RuntimeError(f"{arrived} of {frames} frames arrived")
    quarter = len(seen) // 4
    return {
        "frames": frames, "frames_per_second": frames / seconds, "first_mb": seen[0] / 1e6, "peak_mb": max(seen) / 1e6,
        "second_quarter_mb": statistics.mean(seen[quarter : 2 * quarter]) / 1e6, "last_quarter_mb": statistics.mean(seen[-quarter:]) / 1e6,
    }  # fmt: skip


async def cameras(frames: int) -> dict[str, Any]:
    """500 cameras at 5 fps, frames of 50 KB, a service that takes 20 ms."""
    count, rate, seconds = 500, 5, min(30.0, frames / 2500)
    image = b"\xff\xd8\xff" + bytes(50_000)
    sink = SinkProcess(delay=0.02, certificate=None)
    took: list[float] = []
    async with AsyncClient("token", host=sink.base) as client:
        deployment = await client.get_deployment("bench")
        gc.collect()
        before, cpu = resident(), time.process_time()
        probe = LagProbe()
        async with deployment.uploader(
            concurrency=100, when_full="drop_oldest", on_outcome=lambda outcome: took.append(outcome.seconds)
        ) as uploader:
            prober = asyncio.ensure_future(probe.run())
            begun = time.perf_counter()

            async def camera(number: int) -> None:
                for shot in range(max(1, round(seconds * rate))):
                    at = begun + shot / rate + number / count / rate
                    await asyncio.sleep(max(0.0, at - time.perf_counter()))
                    await uploader.submit(make(number, image, f"cam-{number}"))

            await asyncio.gather(*(camera(number) for number in range(count)))
            passed, cpu, grown = time.perf_counter() - begun, time.process_time() - cpu, resident() - before
            await uploader.flush()
            prober.cancel()
    report = uploader.report
    sink.child.end()
    if not report.is_complete:
        raise RuntimeError(f"not all was delivered: {report}")
    took.sort()
    return {
        "cameras": count, "rate": rate, "frames": report.accepted, "frames_per_second": report.accepted / passed, "dropped": report.dropped,
        "cpu_share": cpu / passed, "grown_mb": grown / 1e6, "p50_ms": took[len(took) // 2] * 1e3, "p99_ms": took[int(len(took) * 0.99)] * 1e3,
        **probe.result(),
    }  # fmt: skip


async def auto(frames: int) -> dict[str, Any]:
    """A hidden capacity of 20, then 10, then 20; ten seconds to find each, and ten in which it is looked at, whatever `frames` is.

    The service is a process of its own. `used` is the share of the time for which its seats worked.
    """
    del frames
    child = Child("benchmarks.seats")
    base = child.hello["base"]
    result: dict[str, Any] = {}
    async with AsyncClient("token", host=base) as client:
        deployment = await client.get_deployment("bench")
        async with deployment.uploader(
            concurrency="auto", max_pending_frames=400, when_full="wait", close_timeout=1
        ) as uploader:

            async def produce() -> None:
                for number in itertools.count():
                    await uploader.submit(make(number, b"\xff\xd8\xff" + bytes(2000)))

            producing = asyncio.ensure_future(produce())
            for step, capacity in enumerate((20, 10, 20)):
                await ask(base, f"/seats/{capacity}")
                await asyncio.sleep(10)
                before, limits = await ask(base, "/counts"), []
                for _ in range(100):
                    await asyncio.sleep(0.1)
                    limits.append(uploader.statistics().concurrency)
                after = await ask(base, "/counts")
                worked, passed = after["worked"] - before["worked"], after["at"] - before["at"]
                result[f"{step + 1}: capacity {capacity}"] = {
                    "limit": statistics.mean(limits),
                    "used": worked / passed / capacity,
                }
            producing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await producing
    child.end()
    return result


async def ask(base: str, path: str) -> dict[str, Any]:
    def read() -> dict[str, Any]:
        with urllib.request.urlopen(base + path) as response:
            return json.load(response)

    return await asyncio.to_thread(read)
