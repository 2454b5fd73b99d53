"""`concurrency="auto"` at work in an uploader: scattered service times, and a service that counts requests. A virtual clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from picsellia_async.errors import RateLimitError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


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
    began: float = -1.0
    used: int = 0
    taken: int = 0
    refused: int = 0

    async def send(self, frame: Frame, request: bytes) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        if now - self.began >= 1.0:
            self.began, self.used = now, 0
        if self.used >= self.count:
            self.refused += 1
            await asyncio.sleep(0.002)
            raise RateLimitError("too many", 429, "POST", "http://x", retry_after=self.began + 1.0 - now)
        self.used += 1
        await asyncio.sleep(self.seconds)
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


@pytest.mark.parametrize("count", [60, 250])
async def test_a_rate_limit_is_used_and_respected(count: int) -> None:
    """A service that takes so many a second gets 85 % of them, and under 3 % of the requests are refused."""
    service = Window(count)
    await run(Uploader(service.send, concurrency="auto", close_timeout=0, max_pending_frames=500), 30.0)
    assert service.taken >= 0.85 * 30 * count
    assert service.refused < 0.03 * (service.taken + service.refused)
