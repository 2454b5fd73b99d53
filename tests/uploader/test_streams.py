"""`stream`: iterables in, outcomes out, with back-pressure."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from picsellia_async._delivery.outcomes import Delivered, Rejected
from picsellia_async.errors import (
    ConfigurationError,
)
from picsellia_async.frames import Frame
from picsellia_async.uploader import deliver_all

from ..support.frames import make_frame
from .service import Service, frames, uploader

pytestmark = pytest.mark.anyio


async def test_one_frame_too_large_for_the_uploader_fails_alone_in_a_stream() -> None:
    """Streaming turns the refusal into an outcome; the others go on."""
    batch = [make_frame(number, size=5000 if number == 3 else 1000) for number in range(10)]
    async with uploader(Service(), max_pending_bytes=4000) as up:
        outcomes = [outcome async for outcome in up.stream(batch)]
    assert Counter(type(outcome) for outcome in outcomes) == {Delivered: 9, Rejected: 1}
    assert (up.report.accepted, up.report.is_balanced, up.statistics().refused) == (10, True, 0)


async def test_the_reader_does_not_run_ahead() -> None:
    """A generator is pulled no further ahead of the outcomes than the uploader holds."""
    pulled = acknowledged = 0
    lead: list[int] = []

    async def source() -> AsyncIterator[Frame]:
        nonlocal pulled
        for frame in frames(300):
            pulled += 1
            lead.append(pulled - acknowledged)
            yield frame

    async with uploader(Service(), max_pending_frames=10, concurrency=4) as up:
        async for _ in up.stream(source()):
            acknowledged += 1
    assert (pulled, acknowledged) == (300, 300)
    assert max(lead) <= 10 + 4 + 2


async def test_a_slow_reader_of_outcomes_slows_the_stream() -> None:
    """Outcomes that nobody takes hold frames; so the stream pauses instead of piling them up."""
    pulled = 0

    def source() -> Any:
        nonlocal pulled
        for frame in frames(1000):
            pulled += 1
            yield frame

    async with uploader(Service(), max_pending_frames=10) as up:
        stream = up.stream(source())
        await anext(stream)
        await asyncio.sleep(10.0)
        assert pulled <= 64 + 10 + 16 + 2
        await stream.aclose()  # type: ignore[attr-defined]


async def test_an_iterable_that_raises_raises_after_its_outcomes() -> None:
    """What came before the error is delivered and yielded; then the error is raised."""

    def source() -> Any:
        yield from frames(5)
        raise OSError("camera unplugged")

    seen = []
    async with uploader(Service()) as up:
        with pytest.raises(OSError, match="unplugged"):
            async for outcome in up.stream(source()):
                seen.append(outcome)
        with pytest.raises(ConfigurationError):
            async for outcome in up.stream(["no frame"]):  # type: ignore[list-item]
                seen.append(outcome)
    assert len(seen) == 5


async def test_a_stream_tells_of_a_frame_it_saw_twice() -> None:
    """The same frame twice gives two outcomes and one request."""
    frame = make_frame(1)
    service = Service()
    async with uploader(service) as up:
        outcomes = [outcome async for outcome in up.stream([frame, frame])]
    assert len(outcomes) == 2
    assert service.attempts.total() == 1


async def test_an_iterable_that_raises_gives_the_report_with_the_error(caplog: pytest.LogCaptureFixture) -> None:
    """`monitor_many` delivers what came before; its report and one line of the log tell what the iterable raised."""

    def source() -> Any:
        yield from frames(5)
        raise OSError("camera unplugged")

    report = await deliver_all(uploader(Service()), source())
    assert (report.accepted, report.delivered, report.is_complete) == (5, 5, False)
    assert isinstance(report.error, OSError)
    assert report.to_json()["error"] == "OSError: camera unplugged"
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["reading the frames ended after 5 of them, by OSError: camera unplugged"]


async def test_what_is_no_frame_ends_the_reading_and_costs_no_report() -> None:
    """The frames before it are delivered; the report says what came in place of a frame."""

    async def mixed() -> AsyncIterator[Any]:
        for frame in frames(5):
            yield frame
        yield "not a frame"

    report = await deliver_all(uploader(Service()), mixed())
    assert (report.delivered, report.is_complete) == (5, False)
    assert "submit takes a Frame, got str" in str(report.error)


async def test_a_generator_is_advanced_in_one_thread_and_closed_there() -> None:
    """All of a sync generator runs in one thread that is not the loop's, with the caller's context, also its end."""
    threads: set[int] = set()
    ended = threading.Event()

    def source() -> Any:
        try:
            for frame in frames(1000):
                threads.add(threading.get_ident())
                yield frame
        finally:
            threads.add(threading.get_ident())
            ended.set()

    async with uploader(Service(), max_pending_frames=10) as up:
        stream = up.stream(source())
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        assert await asyncio.to_thread(ended.wait, 20)
    assert len(threads) == 1
    assert threading.get_ident() not in threads
