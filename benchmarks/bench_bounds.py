"""What the uploader keeps to over a long run: memory over 100,000 frames, 500 cameras at 5 frames per second, and `"auto"`.

Claims: memory does not grow with the number of frames; 500 cameras at 5 fps are served without a backlog; `"auto"` is within 15 % of a
hidden capacity in under 10 seconds, and again after it halves and doubles (real time). The sink's count equals the count sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import statistics
import time
from collections import deque
from typing import Any, ClassVar

from benchmarks.arms import BOXES, CLASSES, SCORES, LagProbe, resident
from benchmarks.processes import Sink as SinkProcess
from benchmarks.sink import Counts, Sink
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


class Seats(Sink):
    """A sink that takes so many requests at once; further ones wait in its line."""

    capacity = 20
    seconds = 0.05
    busy = 0
    line: ClassVar[deque[Seats]] = deque()

    def answer(self) -> None:
        if not self.target.endswith(b"/predictions"):
            super().answer()
        elif Seats.busy < Seats.capacity:
            self.begin()
        else:
            Seats.line.append(self)

    def begin(self) -> None:
        Seats.busy += 1
        asyncio.get_running_loop().call_later(self.seconds, self.end)

    def end(self) -> None:
        Seats.busy -= 1
        super().answer()
        while Seats.line and Seats.busy < Seats.capacity:
            Seats.line.popleft().begin()


async def auto(frames: int) -> dict[str, Any]:
    """A hidden capacity of 20, then 10, then 20, for ten seconds and five more each."""
    scale = 1.0 if frames >= 10_000 else 0.1
    base: list[str] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Seats(Counts(), 0.0, base[0]), "127.0.0.1", 0)
    base.append(f"http://localhost:{server.sockets[0].getsockname()[1]}")
    result: dict[str, Any] = {"seconds_each": 15 * scale}
    async with AsyncClient("token", host=base[0]) as client:
        deployment = await client.get_deployment("bench")
        async with deployment.uploader(concurrency="auto", max_pending_frames=200) as uploader:

            async def produce() -> None:
                number = 0
                while True:
                    await uploader.submit(make(number, b"\xff\xd8\xff" + bytes(2000)))
                    number += 1

            producing = asyncio.ensure_future(produce())
            for step, capacity in enumerate((20, 10, 20)):
                Seats.capacity = capacity
                await asyncio.sleep(10 * scale)
                limits = []
                for _ in range(50):
                    await asyncio.sleep(0.1 * scale)
                    limits.append(uploader.statistics().concurrency)
                result[f"{step + 1}: capacity {capacity}"] = statistics.mean(limits)
            producing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await producing
    server.close()
    return result
