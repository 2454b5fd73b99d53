"""A host that takes requests and answers none is told long before the first of them times out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from picsellia_async._delivery.outcomes import Health
from picsellia_async.errors import (
    AuthenticationError,
    BadRequestError,
    PicselliaError,
    RequestTimeoutError,
    ServerError,
)
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame
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
    under_way = "1 request" if concurrency == 1 else "32 requests"
    assert told(caplog) == [
        f"{HANGS} (TimeoutError: no answer for 15 s, with {under_way} under way): frames wait in memory, 125 so far",
        "the monitoring host answers again after 30 s: 125 frames were delivered since it began, 0 lost meanwhile, 0 wait",
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
        "the monitoring host answers again after 40 s: 4 frames were delivered since it began, 0 lost meanwhile, 36 wait",
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


@pytest.mark.parametrize(
    "trouble",
    [ServerError("busy", 503, "POST", "http://x"), AuthenticationError("no", 401, "POST", "http://x")],
    ids=["503", "401"],
)
async def test_a_hang_behind_other_trouble_is_told_within_seconds_of_its_first_request(
    trouble: PicselliaError, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request at a time is tried then, after a pause: 15 seconds after the last answer, or 5 after the next request began."""
    clock = asyncio.get_running_loop().time
    begun, told_at, answered_at = clock(), [], 0.0
    service = Service(script=lambda frame, attempt: trouble if 5 < clock() - begun < 20 else None)
    monkeypatch.setattr(
        caplog.handler, "emit", lambda record: told_at.append(clock()) if HANGS in record.getMessage() else None
    )
    async with uploader(service) as up:
        for number, frame in enumerate(frames(100)):
            if number == 40:
                service.hold, answered_at = asyncio.Event(), service.arrivals[-1][0]
            if number == 88:
                assert service.hold is not None
                service.hold.set()
            await up.submit(frame)
            await asyncio.sleep(0.5)
        await up.flush()
    first = next(at for at, _ in service.arrivals if at > answered_at)
    assert [round(at - max(answered_at + 15, first + 5), 1) for at in told_at] == [0.0]
    assert up.report.is_complete


@pytest.mark.parametrize("seconds", [0.0, 10.0], ids=["right after it began", "ten seconds after"])
async def test_closing_within_the_first_seconds_of_a_hang_names_it(
    seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    """The line of a closing that waits, if it is long enough by then, and the last one say for how long there was no answer."""
    async with uploader(Service(hold=asyncio.Event()), close_timeout=4.0) as up:
        await submitted(up, 49)
        await asyncio.sleep(seconds)
    waits, last = told(caplog)
    silent = f"; no answer for {seconds + 1:.0f} s" if seconds else ""
    assert waits == f"closing: up to 3 s more for 49 frames{silent}"
    why = f"{HANGS} (TimeoutError: no answer for {seconds + 4:.0f} s, with 32 requests under way)"
    stored = "(32 may be stored all the same: an answer was lost or unclear)"
    assert f"49 frames not delivered: 49 dropped {stored}; {why}, first" in last
    fields = [vars(record) for record in caplog.records if record.levelno >= logging.WARNING]
    assert [one["health"] for one in fields] == ["down" if seconds else "ok", "down"]
    assert fields[1]["trouble_seconds"] == seconds + 4
    assert up.statistics().health is Health.DOWN


async def test_closing_tells_trouble_that_was_not_told_yet(caplog: pytest.LogCaptureFixture) -> None:
    """A pause that the service asked for is told after five seconds; closing comes before."""
    error = ServerError("busy", 503, "POST", "http://x", retry_after=60.0)
    async with uploader(Service(script=lambda frame, attempt: error), close_timeout=3.0) as up:
        await submitted(up, 3)
        await asyncio.sleep(1)
    (last,) = told(caplog)
    assert "3 frames not delivered: 3 dropped; the monitoring host asks for a pause (ServerError: " in last


@pytest.mark.parametrize("recovers", [True, False], ids=["after a recovery", "right behind it"])
async def test_closing_during_a_hang_names_it_and_not_the_error_before(
    recovers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """503 for some seconds, then silence that was told: requests that closing cancels bring back no error of before."""
    is_out = True
    error = ServerError("busy", 503, "POST", "http://x")
    service = Service(script=lambda frame, attempt: error if is_out else None)
    reasons: list[BaseException | None] = []
    async with uploader(service, close_timeout=4.0, on_health=lambda before, now, why: reasons.append(why)) as up:
        await submitted(up, 8)
        await asyncio.sleep(6)
        if recovers:
            is_out = False
            await up.flush()
            await asyncio.sleep(10)
        service.hold = asyncio.Event()
        await submitted(up, 40)
        await asyncio.sleep(31)
        assert HANGS in told(caplog)[-1]
    last = told(caplog)[-1]
    assert f"; {HANGS} (TimeoutError: " in last
    assert "503" not in last.partition(", first ")[0]
    assert isinstance(up.statistics().last_error, ServerError)


async def test_what_is_lost_in_a_hang_belongs_to_it_from_its_beginning(caplog: pytest.LogCaptureFixture) -> None:
    """It is found out 15 seconds later, and its length counts from its beginning: so do its losses. Those before it stay before."""
    service = Service(seconds=0.01)

    async def submit_for(seconds: float, numbers: range) -> None:
        for frame in [make_frame(number) for number in numbers][: int(seconds * 10)]:
            await up.submit(frame)
            await asyncio.sleep(0.1)

    async with uploader(service, concurrency=2, when_full="drop_oldest", max_pending_frames=40) as up:
        service.script = lambda frame, attempt: (
            BadRequestError("no", 422) if attempt and len(service.arrivals) <= 3 else None
        )
        await submit_for(2, range(20))
        await up.flush()
        assert up.statistics().rejected == 3
        await asyncio.sleep(30)
        caplog.clear()
        service.hold = asyncio.Event()
        await submit_for(20, range(100, 300))
        service.hold.set()
        await up.flush()
        await asyncio.sleep(60)
    dropped = up.report.dropped
    assert dropped > 100
    [end] = [record for record in caplog.records if "answers again" in record.getMessage()]
    assert f"{dropped} lost meanwhile" in end.getMessage()
    assert end.__dict__["trouble_lost"] == dropped
    assert not any("before this began" in record.getMessage() for record in caplog.records)
