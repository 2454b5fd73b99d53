"""Building the body: what it costs by size, how long it holds the event loop at a time, and what a thread would change.

Supports the threshold `CHUNKED_FROM_BYTES` of picsellia_async/_wire/bodies.py and docs/performance.md. Times are wall time of one
thread; the smallest of all rounds counts, since anything else on the machine only adds to it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import orjson
import pybase64

from benchmarks.arms import metadata
from picsellia_async._wire.bodies import SLICE_BYTES, splice

SIZES = {
    "10KB": 10_000, "100KB": 100_000, "200KB": 200_000, "384KB": 2 * SLICE_BYTES, "1MB": 1_000_000, "5MB": 5_000_000, "25MB": 25_000_000,
}  # fmt: skip


def run(only: list[str], *, rounds: int, seed: int) -> dict[str, Any]:
    print(f"\n{'image':>8} {'at once us':>12} {'longest slice us':>17} {'in a thread us':>15} {'loop held us':>13}")
    return {name: size(name, max(rounds, 5) * 4, seed) for name in (only or SIZES)}


def size(name: str, rounds: int, seed: int) -> dict[str, float]:
    image = random.Random(seed).randbytes(SIZES[name])
    head = orjson.dumps(metadata(1))
    whole = min(elapsed(lambda: b"".join((head, pybase64.b64encode(image)))) for _ in range(rounds))
    slices = min(longest_piece(head, image) for _ in range(rounds))
    thread, held = asyncio.run(through_thread(image, rounds))
    result = {
        "body_bytes": (len(image) + 2) // 3 * 4, "at_once_us": whole, "longest_piece_us": slices, "thread_us": thread, "loop_held_us": held,
    }  # fmt: skip
    print(f"{name:>8} {whole:>12.1f} {slices:>17.1f} {thread:>15.1f} {held:>13.1f}", flush=True)
    return result


def elapsed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1e6


def longest_piece(head: bytes, image: bytes) -> float:
    """Return the longest time that building the body takes without a chance for the event loop."""
    body = splice(head, b"image", memoryview(image))
    if isinstance(body, bytes):
        return elapsed(lambda: splice(head, b"image", memoryview(image)))
    pieces = iter(body)
    longest = 0.0
    while True:
        begun = time.perf_counter()
        if next(pieces, None) is None:
            return longest
        longest = max(longest, (time.perf_counter() - begun) * 1e6)


async def through_thread(image: bytes, rounds: int) -> tuple[float, float]:
    """Return how long encoding in a thread takes, and the longest time the event loop stood still meanwhile."""
    loop = asyncio.get_running_loop()
    took, held = [], []
    for _ in range(rounds):
        begun = last = time.perf_counter()
        longest = 0.0
        done = loop.run_in_executor(None, pybase64.b64encode, image)
        while not done.done():
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        took.append((time.perf_counter() - begun) * 1e6)
        held.append(longest * 1e6)
    return min(took), min(held)
