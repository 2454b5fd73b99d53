"""Workers that somebody cancels, and the adaptive limit at work."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Coroutine
from typing import Any

import pytest

from picsellia_async._delivery.outcomes import Delivered
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame
from .service import Service, down, frames, uploader

pytestmark = pytest.mark.anyio


def cancel_others(spared: set[asyncio.Task[Any]]) -> None:
    """Cancel every task that came since, as a task killer does."""
    for task in asyncio.all_tasks() - spared:
        task.cancel()


async def test_a_killed_worker_is_replaced() -> None:
    """When somebody cancels the workers, flush returns in time and reports, and the frames arrive after all."""
    service = Service(seconds=0.5)
    spared = asyncio.all_tasks()
    async with uploader(service, concurrency=2) as up:
        for frame in frames(6):
            await up.submit(frame)
        await asyncio.sleep(0.1)
        cancel_others(spared)
        left = await up.flush(timeout=0.2)
        assert left == 6
        assert await up.flush(timeout=10) == 0
    assert (up.report.delivered, up.report.is_balanced) == (6, True)


async def test_a_worker_cancelled_before_its_first_step_loses_nothing() -> None:
    """The item of a task that never ran goes back to its line."""
    service = Service()
    spared = asyncio.all_tasks()
    async with uploader(service) as up:
        receipt = await up.submit(make_frame(0))
        cancel_others(spared)
        assert isinstance(await receipt, Delivered)


async def test_a_probe_cancelled_before_its_first_step_is_followed_by_another() -> None:
    """In an outage one request at a time may be sent; a worker that never sends it must not keep the others from it."""
    is_down, cancelled = True, 0

    def killing(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        nonlocal cancelled
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        if is_down and service.attempts and cancelled < 3:
            # An outage is known, and only workers are started now.
            cancelled += task.cancel()
        return task

    service = Service(script=lambda frame, attempt: down() if is_down else None)
    async with uploader(service, concurrency=8) as up:
        for frame in frames(8):
            await up.submit(frame)
        await asyncio.sleep(0.1)
        loop = asyncio.get_running_loop()
        loop.set_task_factory(killing)
        await asyncio.sleep(20)
        loop.set_task_factory(None)
        assert cancelled == 3
        is_down = False
        assert await up.flush(timeout=60) == 0


async def test_auto_settles_at_the_capacity() -> None:
    """Through the uploader: within 10 seconds of its clock the limit is within 15 % of a hidden capacity, also after a change of it."""
    seats = 20
    busy = 0
    line: deque[asyncio.Future[None]] = deque()

    async def send(frame: Frame, request: bytes) -> dict[str, Any]:
        nonlocal busy
        if busy < seats:
            busy += 1
        else:
            turn = asyncio.get_running_loop().create_future()
            line.append(turn)
            await turn
        await asyncio.sleep(0.1)
        busy -= 1
        while line and busy < seats:
            # The seat is handed over, so that nobody who comes meanwhile takes it.
            busy += 1
            line.popleft().set_result(None)
        return {}

    async def limit(up: Uploader) -> float:
        """Eight seconds on, the mean over the two after."""
        await asyncio.sleep(8.0)
        seen = []
        for _ in range(20):
            await asyncio.sleep(0.1)
            seen.append(up.statistics().concurrency)
        return sum(seen) / len(seen)

    async with Uploader(send, concurrency="auto", max_pending_frames=100, close_timeout=0) as up:

        async def produce() -> None:
            for number in itertools.count():
                await up.submit(make_frame(number))

        producing = asyncio.create_task(produce())
        for capacity in (20, 10, 20):
            seats = capacity
            assert await limit(up) == pytest.approx(capacity, rel=0.15)
        producing.cancel()
        await asyncio.wait([producing])
    assert up.report.is_balanced
