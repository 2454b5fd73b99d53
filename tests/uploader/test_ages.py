"""Numbers that tell how far behind an uploader is: ages, throughput, and what became of each source's frames."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from picsellia_async import Delivered
from picsellia_async._delivery.source_counts import OTHERS, SOURCES_MAX, SourceCounts
from picsellia_async._delivery.throughput import Throughput
from picsellia_async.errors import BadRequestError

from ..support.frames import make_frame
from .service import Service, down, uploader

pytestmark = pytest.mark.anyio


async def test_the_age_of_the_oldest_frame_grows_while_it_waits() -> None:
    """It is that of the oldest, not of the newest; 0 where nothing waits."""
    service = Service(script=lambda frame, attempt: down() if asyncio.get_running_loop().time() < until else None)
    async with uploader(service) as up:
        until = asyncio.get_running_loop().time() + 100
        assert up.statistics().oldest_seconds == 0
        await up.submit(make_frame(1))
        await asyncio.sleep(60)
        await up.submit(make_frame(2))
        await asyncio.sleep(10)
        assert up.statistics().oldest_seconds == pytest.approx(70)
        await up.flush()
        assert up.statistics().oldest_seconds == 0


async def test_the_time_since_the_last_delivery() -> None:
    """None before the first; a failed attempt does not count."""
    service = Service(script=lambda frame, attempt: BadRequestError("no", 422, "POST", "u") if attempt else None)
    async with uploader(service) as up:
        await up.submit(make_frame(1))
        await up.flush()
        assert up.statistics().delivery_seconds is None
        service.script = lambda frame, attempt: None
        await up.submit(make_frame(2))
        await up.flush()
        await asyncio.sleep(30)
        assert up.statistics().delivery_seconds == pytest.approx(30, abs=1)


async def test_bytes_per_second_of_the_last_minute() -> None:
    """A camera of 1,000 bytes five times a second; after a minute of silence it is 0."""
    async with uploader(Service()) as up:
        for number in range(100):
            await up.submit(make_frame(number, size=1000))
            await asyncio.sleep(0.2)
            up.statistics()
        assert up.statistics().bytes_per_second == pytest.approx(5000, rel=0.02)
        for _ in range(90):
            await asyncio.sleep(1)
            rate = up.statistics().bytes_per_second
        assert rate == 0


def test_throughput_of_who_asks_rarely() -> None:
    """The mean since the look before; asking twice at once changes nothing."""
    throughput = Throughput(0.0)
    assert throughput.per_second(0.0, 0) == 0
    assert throughput.per_second(3600.0, 7200) == 2
    assert throughput.per_second(3600.0, 7200) == 2
    assert throughput.per_second(7200.0, 7200 + 36000) == 10


async def test_sources_are_counted_where_asked(tmp_path: Path) -> None:
    """Each source's frames by outcome, and those that wait, on disk too; nothing without the option."""

    def script(frame, attempt):
        return BadRequestError("no", 422, "POST", "u") if frame.source == "bad" else None

    service = Service(script=script)
    async with uploader(service, by_source=True, spool=tmp_path, max_pending_bytes=20_000) as up:
        for number in range(30):
            await up.submit(make_frame(number, source=("good", "bad", None)[number % 3]))
        await up.flush()
        service.hold = asyncio.Event()
        for number in range(30, 50):
            await up.submit(make_frame(number, source="good"))
        found = up.statistics().by_source
        assert (found["good"].delivered, found["good"].pending) == (10, 20)
        assert (found["bad"].rejected, found["bad"].delivered) == (10, 0)
        assert found[""].delivered == 10
        service.hold.set()
    async with uploader(Service()) as up:
        await up.submit(make_frame(1, source="good"))
        assert up.statistics().by_source == {}


@pytest.mark.usefixtures("disk")
async def test_frames_left_on_disk_are_counted_by_source_too(tmp_path: Path) -> None:
    """Most of them are in no memory when it closes; the report's lines and the next run know their sources as well."""
    service = Service(script=lambda frame, attempt: down())
    async with uploader(service, spool=tmp_path, by_source=True, max_pending_bytes=50_000, close_timeout=1.0) as up:
        for number in range(90):
            await up.submit(make_frame(number, 3000, source=f"cam-{number % 3}"))
        assert len(up._ledger.known) < 30
    found = up.statistics().by_source
    assert {source: (one.spooled, one.pending) for source, one in found.items()} == {
        f"cam-{number}": (30, 0) for number in range(3)
    }
    assert {line.source for line in up.report.failures} == set(found)


def test_further_sources_are_counted_together() -> None:
    """A source per picture would fill the memory."""
    counts = SourceCounts()
    found = counts.read({f"cam-{number}": 1 for number in range(SOURCES_MAX)})
    assert len(found) == SOURCES_MAX
    for number in range(SOURCES_MAX + 5):
        counts.count(Delivered, f"cam-{number}")
    found = counts.read({"cam-new": 2})
    assert len(found) == SOURCES_MAX + 1
    assert (found[OTHERS].delivered, found[OTHERS].pending) == (5, 2)
