"""Thrift on the uplink: bytes a second, and pauses; on a clock that jumps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import ClosedError, ConfigurationError
from picsellia_async._delivery.receipt import Item, Receipt
from picsellia_async._delivery.uplink import Uplink

from ..support.frames import make_frame
from .service import Service, down, uploader

pytestmark = pytest.mark.anyio


def make_item(size: int) -> Item:
    """Return an item whose attempt sends so many bytes, base64 and head included."""
    frame = make_frame(size=max(100, int((size - 512) * 3 / 4)))
    return Item(frame, b"", Receipt(frame.id), 0, size, 0.0)


def cost(item: Item) -> float:
    """Return what an attempt sends."""
    return len(item.frame.image) * 4 / 3 + 512


@given(st.lists(st.integers(1_000, 50_000), min_size=2, max_size=30), st.integers(1_000, 20_000), st.floats(0, 5))
def test_no_time_has_more_than_the_rate_and_what_was_saved(sizes: list[int], rate: int, idle: float) -> None:
    """From any attempt to any later one: the rate, a second of it, and the last frame."""
    uplink = Uplink(rate)
    now, begun = 0.0, []
    for number, size in enumerate(sizes):
        now += idle if number % 7 == 3 else 0.0
        item = make_item(size)
        now += uplink.wait(now) + 1e-9
        assert uplink.wait(now) < 1e-6
        uplink.take(item)
        begun.append((now, cost(item)))
    for first in range(len(begun)):
        for last in range(first, len(begun)):
            sent = sum(size for _, size in begun[first:last])
            assert sent <= rate * (begun[last][0] - begun[first][0]) + rate + 1


async def test_a_rate_holds_for_all_requests_together() -> None:
    """A hundred frames of 10 KB at 100 KB a second take as long as their base64 does; repeats are paid for too."""
    service = Service()
    async with uploader(service, max_bytes_per_second=100_000) as up:
        begun = asyncio.get_running_loop().time()
        for number in range(100):
            await up.submit(make_frame(number, size=10_000))
        await up.flush()
        seconds = asyncio.get_running_loop().time() - begun
    assert up.report.delivered == 100
    assert 13.0 <= seconds <= 15.0
    service = Service(script=lambda frame, attempt: down() if attempt == 1 else None)
    async with uploader(service, max_bytes_per_second=100_000) as up:
        begun = asyncio.get_running_loop().time()
        for number in range(10):
            await up.submit(make_frame(number, size=10_000))
        await up.flush()
    assert up.report.retries >= 10
    assert asyncio.get_running_loop().time() - begun >= 2.4


async def test_a_pause_sends_nothing_and_loses_nothing() -> None:
    """What is under way ends; the rest waits, and goes when it is over."""
    service = Service(seconds=1.0)
    async with uploader(service, concurrency=2, max_bytes_per_second=10**9) as up:
        for number in range(6):
            await up.submit(make_frame(number))
        await asyncio.sleep(0.5)
        up.pause()
        await asyncio.sleep(100)
        assert (len(service.stored), up.statistics().pending_frames, up.statistics().is_paused) == (2, 4, True)
        await up.submit(make_frame(6))
        await asyncio.sleep(100)
        assert len(service.stored) == 2
        up.resume()
        assert await up.flush() == 0
        assert not up.statistics().is_paused
    assert up.report.delivered == 7


@pytest.mark.parametrize("spool", [False, True])
async def test_closing_does_not_end_a_pause(tmp_path: Path, spool: bool) -> None:
    """It does not wait for what may not be sent: frames are dropped at once, or left in the spool."""
    service = Service()
    options = {"spool": tmp_path} if spool else {}
    async with uploader(service, close_timeout=3600, **options) as up:
        up.pause()
        for number in range(5):
            await up.submit(make_frame(number))
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun < 5
    assert (up.report.spooled, up.report.dropped) == ((5, 0) if spool else (0, 5))
    assert service.stored == []


async def test_pauses_of_an_uploader_that_is_not_open() -> None:
    """There is nothing to pause before it is open and after it closed; a rate of nothing is refused."""
    up = uploader(Service())
    with pytest.raises(ClosedError, match="not open yet"):
        up.pause()
    async with up:
        pass
    with pytest.raises(ClosedError):
        up.resume()
    with pytest.raises(ConfigurationError, match="max_bytes_per_second"):
        uploader(Service(), max_bytes_per_second=0)
