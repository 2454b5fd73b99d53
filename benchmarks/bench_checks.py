"""What the checks of meaning cost: CPU of `monitor_bytes` with `checks="on"` against `checks="off"`, in one process, in turns.

Claim: at 100 KB the checks add at most 4 % of CPU. Both sides share one client and its connections; a turn sends the same frames
with one and then the other, in changing order. Turns are short and many, `TURNS` for each round that was asked for. The figure is
the median of the ratios turn by turn, so that a busy machine slows both sides of a ratio. The image has the header of a real photo
(`arms.photo`), and the deployment a label map.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from statistics import median, quantiles
from typing import Any

from benchmarks import record
from benchmarks.arms import BOXES, CLASSES, HEIGHT, SCORES, WIDTH, photo
from benchmarks.processes import Sink, on_client_core

SIZES = {"10KB x32": 10_000, "100KB x32": 100_000, "1MB x32": 1_000_000}
FLIGHT = 32
TURNS = 8
"""Turns of each way per round asked for."""


def run(only: list[str], *, rounds: int, seed: int, frames: int = 200) -> dict[str, Any]:
    with on_client_core():
        return {name: asyncio.run(scenario(name, rounds, seed, frames)) for name in (only or SIZES)}


async def scenario(name: str, rounds: int, seed: int, frames: int) -> dict[str, Any]:
    import picsellia_async

    image = photo(SIZES[name], seed)
    frames = frames if SIZES[name] < 1_000_000 else max(1, frames // 8)
    with contextlib.ExitStack() as stack:
        sink = Sink(delay=0.0, certificate=None)
        stack.callback(sink.child.end)
        async with picsellia_async.AsyncClient("token", host=sink.base, max_connections=FLIGHT) as client:
            checked = await client.get_deployment("bench")
            if not await checked.label_map():
                raise RuntimeError("the sink has no label map")
            ways = {"on": checked, "off": checked.with_options(checks="off")}
            for deployment in ways.values():
                await cpu_per_frame(deployment, image, FLIGHT * 2)
            cpu: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(rounds * TURNS):
                for way in sorted(ways, reverse=bool(number % 2)):
                    cpu[way].append(await cpu_per_frame(ways[way], image, frames))
    ratios = [on / off for on, off in zip(cpu["on"], cpu["off"], strict=True)]
    low, _, high = quantiles(ratios, n=4)
    result = {
        "settings": {"size": SIZES[name], "flight": FLIGHT, "frames": frames, "turns": rounds * TURNS},
        "run": record.moment(),
        "cpu_us": {way: median(values) for way, values in cpu.items()},
        "ratios": [round(ratio, 4) for ratio in ratios],
        "on_of_off": median(ratios),
    }
    print(
        f"{name}: on {result['cpu_us']['on']:.1f} us, off {result['cpu_us']['off']:.1f} us of CPU per frame; "
        f"on / off {result['on_of_off']:.3f} (of {len(ratios)} turns; the middle half is {low:.3f} to {high:.3f})",
        flush=True,
    )
    return result


async def cpu_per_frame(deployment: Any, image: bytes, frames: int) -> float:
    """Send frames, so many at a time; return microseconds of CPU per frame."""
    from picsellia_async import DetectionPredictionFormat

    numbers = iter(range(frames))

    async def worker() -> None:
        for number in numbers:
            prediction = DetectionPredictionFormat(
                detection_classes=CLASSES, detection_boxes=BOXES, detection_scores=SCORES
            )
            await deployment.monitor_bytes(
                image, "image/jpeg", f"frame-{number}.jpg", 0.0214, HEIGHT, WIDTH, prediction, timestamp=time.time()
            )

    gc.collect()
    begun = time.process_time()
    await asyncio.gather(*[worker() for _ in range(min(FLIGHT, frames))])
    return (time.process_time() - begun) / frames * 1e6
