"""`concurrency="auto"` at work in an uploader: scattered service times, and a service that counts requests. A virtual clock.

PICSELLIA_ASYNC_SOAK=1 tries more rate limits.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import random
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from picsellia_async.errors import RateLimitError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame

IS_SOAK = os.environ.get("PICSELLIA_ASYNC_SOAK") == "1"

pytestmark = pytest.mark.anyio


async def endless() -> AsyncIterator[Frame]:
    number = 0
    while True:
        yield make_frame(number)
        number += 1


@attrs.define
class Seats:
    """Works on `count` frames at once; the others queue."""

    count: int
    draw: random.Random = attrs.field(factory=lambda: random.Random(3))
    free: asyncio.Semaphore = attrs.field(init=False)
    worked: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.free = asyncio.Semaphore(self.count)

    async def send(self, frame: Frame, request: bytes) -> dict[str, Any]:
        async with self.free:
            seconds = 0.05 * self.draw.lognormvariate(-0.5, 1.0)
            await asyncio.sleep(seconds)
            self.worked += seconds
        return {"id": frame.filename}


@attrs.define
class Window:
    """Takes `count` frames a second, and says for how long to wait once they are used up."""

    count: int
    seconds: float = 0.05
    by_the_clock: bool = False
    """Whether a window begins with each second, or with the first request after the one before."""
    scatter: float = 0.0
    draw: random.Random = attrs.field(factory=lambda: random.Random(3))
    began: float = -1.0
    used: int = 0
    tells: bool = True
    """Whether a refusal has a Retry-After."""
    taken: int = 0
    refused: int = 0

    async def send(self, frame: Frame, request: bytes) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        if now - self.began >= 1.0:
            self.began, self.used = math.floor(now) if self.by_the_clock else now, 0
        if self.used >= self.count:
            self.refused += 1
            await asyncio.sleep(0.002)
            pause = self.began + 1.0 - now if self.tells else None
            raise RateLimitError("too many", 429, "POST", "http://x", retry_after=pause)
        self.used += 1
        await asyncio.sleep(self.seconds * self.draw.lognormvariate(-(self.scatter**2) / 2, self.scatter))
        self.taken += 1
        return {"id": frame.filename}


async def run(uploader: Uploader, seconds: float) -> None:
    """Deliver without end, for some time."""
    async with uploader:
        outcomes = uploader.stream(endless())
        try:
            async with asyncio.timeout(seconds):
                async for _ in outcomes:
                    pass
        except TimeoutError:
            pass


async def test_scattered_service_times_leave_no_seat_empty() -> None:
    """Over twenty seconds, the start included, the seats of a service with lognormal times work for 85 % of the time."""
    service = Seats(8)
    await run(Uploader(service.send, concurrency="auto", close_timeout=0, max_pending_frames=500), 20.0)
    assert service.worked >= 0.85 * 20.0 * service.count


@pytest.mark.parametrize(("count", "seconds"), [(60, 0.05), (60, 0.2), (250, 0.2)])
async def test_a_rate_limit_is_used_and_respected(count: int, seconds: float) -> None:
    """A service that takes so many a second gets 85 % of them, and under 3 % of the requests are refused, learning included."""
    service = Window(count, seconds, by_the_clock=seconds > 0.1)
    await run(Uploader(service.send, concurrency="auto", close_timeout=0, max_pending_frames=500), 30.0)
    assert service.taken >= 0.85 * 30 * count
    assert service.refused < 0.03 * (service.taken + service.refused)


@pytest.mark.parametrize(
    ("count", "scatter", "by_the_clock"),
    itertools.product([60, 120], [0.0, 0.6], [False, True]) if IS_SOAK else [(60, 0.0, False), (60, 0.6, True)],
)
async def test_a_rate_limit_is_used_by_slow_answers_too(count: int, scatter: float, by_the_clock: bool) -> None:
    """Answers that take 200 ms: from the tenth second on 85 % of what the service takes, and under 3 % are refused."""
    service = Window(count, 0.2, by_the_clock, scatter)
    learned = []

    async def note() -> None:
        await asyncio.sleep(10.0)
        learned.extend([service.taken, service.refused])

    noting = asyncio.ensure_future(note())
    await run(
        Uploader(service.send, concurrency="auto", close_timeout=0, max_pending_frames=500, random=lambda: 0.5), 30.0
    )
    await noting
    taken, refused = service.taken - learned[0], service.refused - learned[1]
    assert taken >= 0.85 * 20 * count
    assert refused < 0.03 * (taken + refused)


@pytest.mark.parametrize(
    ("count", "seconds", "scatter", "by_the_clock"),
    itertools.product([60, 120, 500, 2000], [0.05, 0.2], [0.0, 0.6], [False, True])
    if IS_SOAK
    else [(500, 0.2, 0.0, False)],
)
@pytest.mark.parametrize("seed", range(20 if IS_SOAK else 1))
async def test_a_rate_limit_is_learned_with_few_refusals(
    count: int, seconds: float, scatter: float, by_the_clock: bool, seed: int
) -> None:
    """Within the first ten seconds, in which the limit is found, under 3 % are refused."""
    service = Window(count, seconds, by_the_clock, scatter, random.Random(seed))
    chance = random.Random(seed).random
    await run(Uploader(service.send, concurrency="auto", close_timeout=0, max_pending_frames=500, random=chance), 10.0)
    assert service.taken >= 0.4 * 10 * count
    assert service.refused < 0.03 * (service.taken + service.refused)


async def test_a_rate_limit_is_found_without_a_word_of_it() -> None:
    """Without a Retry-After the length of its window is found: 80 % of what the service takes, under 3 % refused, learning included."""
    service = Window(60, 0.05, tells=False)
    chance = random.Random(1).random
    await run(Uploader(service.send, concurrency="auto", close_timeout=0, max_pending_frames=500, random=chance), 30.0)
    assert service.taken >= 0.8 * 30 * service.count
    assert service.refused < 0.03 * (service.taken + service.refused)
