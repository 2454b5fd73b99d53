"""A host that takes requests and answers none is told long before the first of them times out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from picsellia_async._delivery.outcomes import Health
from picsellia_async.errors import RequestTimeoutError, ServerError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from .service import Service, down, frames, uploader

pytestmark = pytest.mark.anyio

HANGS = "the monitoring host does not answer"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def submitted(up: Uploader, count: int) -> None:
    for frame in frames(count):
        await up.submit(frame)


@pytest.mark.parametrize("concurrency", [1, 32])
async def test_a_hang_of_half_a_minute_is_told_once_and_so_is_its_end(
    concurrency: int, caplog: pytest.LogCaptureFixture
) -> None:
    """After 15 seconds, with the frames that wait; health is DOWN until the first answer; the end tells the whole length."""
    changes: list[tuple[float, Health, Health, str]] = []
    clock = asyncio.get_running_loop().time
    begun = clock()
    service = Service(hold=asyncio.Event())
    assert service.hold is not None

    def on_health(before: Health, now: Health, why: BaseException | None) -> None:
        changes.append((clock() - begun, before, now, type(why).__name__))

    async with uploader(service, concurrency=concurrency, on_health=on_health) as up:
        await submitted(up, 125)
        await asyncio.sleep(14.9)
        assert (up.statistics().health, told(caplog)) == (Health.OK, [])
        await asyncio.sleep(15.1)
        assert up.statistics().health is Health.DOWN
        service.hold.set()
        await up.flush()
        assert up.statistics().health is Health.OK
        await asyncio.sleep(60)
    under_way = "the request under way was not" if concurrency == 1 else "none of 32 requests under way was"
    assert told(caplog) == [
        f"{HANGS} (TimeoutError: {under_way} answered for 15 s): frames wait in memory, 125 so far",
        "the monitoring host answers again after 30 s: 125 frames were delivered since it began, 0 lost, 0 wait",
    ]
    (down_at, *down_change), (well_at, *well_change) = changes
    assert (down_change, well_change) == (
        [Health.OK, Health.DOWN, "TimeoutError"],
        [Health.DOWN, Health.OK, "NoneType"],
    )
    assert (round(down_at), round(well_at)) == (15, 30)


async def test_a_hang_that_ends_in_time_outs_is_one_trouble(caplog: pytest.LogCaptureFixture) -> None:
    """The requests time out after a minute, the next ones too, and then it is gone: one beginning, and the reason of the time."""
    is_out, error = True, RequestTimeoutError("ReadTimeout", "POST", "http://x", 1, request_sent=True)
    service = Service(seconds=60.0, script=lambda frame, attempt: error if is_out else None)
    async with uploader(service, concurrency=2) as up:
        await submitted(up, 5)
        await asyncio.sleep(100)
        assert up.statistics().health is Health.DOWN
        await asyncio.sleep(300)
        is_out, service.seconds = False, 0.01
        await up.flush()
        await asyncio.sleep(10)
    lines = told(caplog)
    assert [line for line in lines if line.startswith(f"{HANGS} (")] == lines[:1]
    assert f"{HANGS}, for 45 s now (TimeoutError: " in lines[1]
    assert f"{HANGS}, for 75 s now (RequestTimeoutError: ReadTimeout for POST http://x)" in lines[2]
    assert "answers again" in lines[-1]


def steady(frame: Frame, attempt: int) -> None:
    """Answer all."""


def refusing(frame: Frame, attempt: int) -> BaseException:
    """Answer with an error that says that the frame may be repeated."""
    return ServerError("no", 500, "POST", "x")


@pytest.mark.parametrize("script", [steady, refusing], ids=["201", "500"])
async def test_a_host_that_answers_now_and_then_does_not_hang(
    script: Callable[[Frame, int], BaseException | None], caplog: pytest.LogCaptureFixture
) -> None:
    """Each request takes 14 seconds, and each answer breaks the silence: nothing is told, whatever the answer is."""
    service = Service(seconds=14.0, script=script)
    async with uploader(service, concurrency=1, close_timeout=0.0) as up:
        await submitted(up, 4)
        await asyncio.sleep(14 * 4)
        assert up.statistics().health is Health.OK
        assert told(caplog) == []


async def test_slow_answers_are_told_once_and_then_usual(caplog: pytest.LogCaptureFixture) -> None:
    """A way on which each picture takes 40 seconds: what is usual is known after the first, and four times that is waited for."""
    service = Service(seconds=40.0)
    async with uploader(service, concurrency=4) as up:
        await submitted(up, 40)
        await up.flush()
    assert [line.partition(" (")[0] for line in told(caplog)] == [
        HANGS,
        "the monitoring host answers again after 40 s: 4 frames were delivered since it began, 0 lost, 36 wait",
    ]


async def test_frames_now_and_then_are_no_hang(caplog: pytest.LogCaptureFixture) -> None:
    """A frame each 14.9 seconds, answered at once: the time between them is nobody's silence."""
    async with uploader(Service(seconds=0.3)) as up:
        for frame in frames(20):
            await up.submit(frame)
            await asyncio.sleep(14.9)
    assert told(caplog) == []


async def test_a_host_that_hangs_and_then_is_gone_tells_what_is_so_now(caplog: pytest.LogCaptureFixture) -> None:
    """Summaries give the last reason."""
    service = Service(seconds=20.0, script=lambda frame, attempt: down())
    async with uploader(service, concurrency=8, close_timeout=0.0) as up:
        await submitted(up, 8)
        await asyncio.sleep(46)
    assert f"{HANGS}, for 45 s now (TransportError: ConnectError: refused for POST http://x)" in told(caplog)[1]
