"""Sources over files: read in threads, no further than asked, closed when left."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from picsellia_async.sources import SourceError
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


async def test_the_end_of_a_block_closes_the_file():
    """Where the loop was left early, with the iteration still held and items read ahead; a new one begins anew."""
    closed = threading.Event()

    def read(_):
        try:
            yield from range(100)
        finally:
            closed.set()

    source = source_module.Source("numbers", read)
    async with source as numbers:
        assert numbers is source
        held = aiter(numbers)
        assert await anext(held) == 0
    assert closed.is_set()
    assert await listed(held) == []
    assert await listed(source) == list(range(100))


async def test_closing_ends_a_read_that_hangs():
    """The loop over the source ends once the thread has its item, which nobody gets; that nothing came is no error."""
    entered, go_on = threading.Event(), threading.Event()

    def read(_):
        entered.set()
        go_on.wait(60)
        yield 1

    source = source_module.Source("slow", read)
    task = asyncio.create_task(listed(source))
    await asyncio.to_thread(entered.wait, 60)
    await source.aclose()
    go_on.set()
    assert await task == []


async def test_the_loop_runs_while_files_are_read(tmp_path):
    """A read that takes its time does not hold the loop: it ends because of something the loop does."""
    ready = threading.Event()

    def read(_):
        assert ready.wait(30)
        yield time.monotonic()

    asyncio.get_running_loop().call_soon(ready.set)
    assert len(await listed(source_module.Source("blocked", read))) == 1


async def test_an_error_that_nobody_foresaw_is_the_items_problem():
    """Whatever reading an item raises costs that item; by default it ends the pass, after what was read before it."""

    def read(problems):
        for number in range(4):
            item = None
            with problems.item(f"item {number}"):
                item = 1 // (number - 2)
            if item is not None:
                yield number

    source = source_module.Source("numbers", read, on_bad="skip")
    assert await listed(source) == [0, 1, 3]
    assert source.problems == ("item 2: ZeroDivisionError: integer division or modulo by zero",)
    seen = []
    with pytest.raises(SourceError, match="item 2: ZeroDivisionError"):
        async for number in source_module.Source("numbers", read):
            seen.append(number)
    assert seen == [0, 1]


async def test_an_error_of_the_reading_itself_comes_after_what_was_read():
    """Whatever its type."""

    def read(_):
        yield from range(3)
        raise OSError("the disk went away")

    seen = []
    with pytest.raises(OSError, match="disk"):
        async for number in source_module.Source("numbers", read):
            seen.append(number)
    assert seen == [0, 1, 2]


async def test_a_pass_without_any_item_is_an_error():
    """Unless bad ones were counted, which tell that there was something."""
    with pytest.raises(SourceError, match="the shelf is bare"):
        await listed(source_module.Source("shelf", lambda _: (one for one in ()), nothing="the shelf is bare"))

    def read(problems):
        problems.add("bad")
        yield from ()

    source = source_module.Source("shelf", read, on_bad="skip")
    assert await listed(source) == []
    assert source.skipped == 1
