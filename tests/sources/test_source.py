"""Sources over files: read in threads, no further than asked, closed when left."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from picsellia_async.sources import _source as source_module

from ..support.sources import listed

pytestmark = pytest.mark.anyio


async def test_a_source_does_not_run_ahead_of_its_reader(tmp_path, make_image):
    """A slow reader holds the file back: never more than one batch is read beyond what was taken."""
    pulled = 0

    def read(_):
        nonlocal pulled
        for number in range(500):
            pulled += 1
            yield number

    taken = 0
    async for _ in source_module.Source("numbers", read):
        taken += 1
        assert pulled - taken < source_module.BATCH_ITEMS
    assert taken == 500


async def test_a_cancelled_reader_closes_the_file():
    """The task does not wait for the thread; the thread closes what it reads."""
    entered, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def read(_):
        try:
            entered.set()
            go_on.wait(30)
            yield 1
        finally:
            closed.set()

    task = asyncio.create_task(listed(source_module.Source("slow", read)))
    await asyncio.to_thread(entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert await asyncio.to_thread(closed.wait, 30)


async def test_the_loop_runs_while_files_are_read(tmp_path):
    """A read that takes its time does not hold the loop: it ends because of something the loop does."""
    ready = threading.Event()

    def read(_):
        assert ready.wait(30)
        yield time.monotonic()

    asyncio.get_running_loop().call_soon(ready.set)
    assert len(await listed(source_module.Source("blocked", read))) == 1
