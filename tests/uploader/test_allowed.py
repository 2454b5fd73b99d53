"""When frames may be sent: hours of the day, or a function's word; on a clock that jumps."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from pathlib import Path

import pytest

from picsellia_async import ConfigurationError, Hours, Rejected, ServerError

from ..support.frames import make_frame
from .service import Service, uploader

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("disk")]


def epoch(text: str) -> float:
    """Return the epoch seconds of a time in ISO format, with its offset."""
    return datetime.datetime.fromisoformat(text).timestamp()


def test_hours_are_those_of_the_zone() -> None:
    """Over midnight or within a day, in summer and winter; the first minute belongs to them, the last does not."""
    night = Hours("22:00", "06:00", zone="Europe/Paris")
    assert night(epoch("2026-01-10T22:00:00+01:00"))
    assert night(epoch("2026-07-10T05:59:59+02:00"))
    assert not night(epoch("2026-07-10T06:00:00+02:00"))
    assert not night(epoch("2026-01-10T21:59:59+01:00"))
    lunch = Hours("12:00", "13:30", zone="UTC")
    assert [lunch(epoch(f"2026-01-10T{at}:00+00:00")) for at in ("11:59", "12:00", "13:29", "13:30")] == [0, 1, 1, 0]
    evening = Hours("18:00", "24:00", zone="UTC")
    assert evening(epoch("2026-01-10T23:59:59+00:00"))
    assert not evening(epoch("2026-01-11T00:00:00+00:00"))
    here = datetime.datetime.now().astimezone()
    assert Hours(f"{here.hour:02d}:00", f"{here.hour + 1:02d}:00")(here.timestamp())


@pytest.mark.parametrize(
    ("begin", "end", "zone", "why"),
    [
        ("22", "06:00", None, "begin must be a time"), ("22:00", "24:01", None, "end must"), ("22:00", 6, None, "end must"),
        ("22:00", "22:00", None, "no hour"), ("22:00", "06:60", None, "end must"), ("22:00", "06:00", "Mars/Base", "zone must"),
        ("22:00", "06:00", "../etc", "zone must"), ("22:00", "06:00", 3, "zone must"),
    ],
)  # fmt: skip
def test_hours_that_are_none(begin: str, end: str, zone: str | None, why: str) -> None:
    """What is no time or zone is refused, with the reason."""
    with pytest.raises(ConfigurationError, match=why):
        Hours(begin, end, zone=zone)


async def test_frames_wait_until_sending_is_allowed(caplog: pytest.LogCaptureFixture) -> None:
    """They are taken meanwhile and sent afterwards; the log tells each change once, and `statistics` the last answer."""
    caplog.set_level(logging.INFO, "picsellia_async")
    answer = False
    asked = 0

    def allowed() -> bool:
        nonlocal asked
        asked += 1
        return answer

    service = Service()
    async with uploader(service, allowed=allowed) as up:
        for number in range(5):
            await up.submit(make_frame(number))
        assert await up.flush(timeout=100) == 5
        assert (service.stored, up.statistics().is_allowed, up.statistics().is_paused) == ([], False, False)
        assert asked <= 110
        answer = True
        assert await up.flush(timeout=5) == 0
        assert up.statistics().is_allowed
    told = [record.message for record in caplog.records if "allowed" in record.message]
    assert told == ["sending is not allowed now: frames wait until it is", "sending is allowed again"]


async def test_a_function_that_raises_allows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is told once; when it answers again, frames go."""
    until = asyncio.get_running_loop().time() + 60

    def allowed() -> bool:
        if asyncio.get_running_loop().time() < until:
            raise OSError("no modem")
        return True

    service = Service()
    async with uploader(service, allowed=allowed) as up:
        await up.submit(make_frame())
        assert await up.flush(timeout=50) == 1
        assert await up.flush(timeout=20) == 0
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


@pytest.mark.parametrize("spool", [False, True])
async def test_closing_does_not_wait_for_the_hours(tmp_path: Path, spool: bool) -> None:
    """Frames stay in the spool, or are dropped."""
    service = Service()
    options = {"spool": tmp_path} if spool else {}
    async with uploader(service, close_timeout=3600, allowed=lambda: False, **options) as up:
        for number in range(5):
            await up.submit(make_frame(number))
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun < 60
    assert (up.report.spooled, up.report.dropped, service.stored) == ((5, 0, []) if spool else (0, 5, []))


def test_a_coroutine_function_is_refused() -> None:
    """Nobody would await what it returns, and that is always true."""

    async def allowed() -> bool:
        return False

    with pytest.raises(ConfigurationError, match="allowed must be a plain function"):
        uploader(Service(), allowed=allowed)


async def test_a_day_with_sending_at_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cameras, a frame in five minutes for 24 hours, sent from 22 to 6 o'clock alone: nothing is lost, and the spool's bound is kept."""
    loop = asyncio.get_running_loop()
    noon = (time.time() // 86_400 + 1.5) * 86_400
    monkeypatch.setattr(time, "time", lambda: noon + loop.time())
    bound, most, begun_at = 1_000_000, 0, []

    def script(frame, attempt):
        begun_at.append(time.time() - 0.5)

    service = Service(seconds=0.5, script=script)
    options = {"spool": tmp_path, "max_spool_bytes": bound, "max_pending_bytes": 200_000, "when_full": "raise"}
    night = Hours("22:00", "06:00", zone="UTC")
    async with uploader(service, allowed=night, max_bytes_per_second=5_000, **options) as up:
        count = 0
        while loop.time() < 86_400:
            for camera in ("gate", "yard"):
                await up.submit(make_frame(count, source=camera, filename=f"{camera}-{count}.jpg", size=1000))
            count += 1
            most = max(most, up.statistics().spool_bytes)
            await asyncio.sleep(300)
        stored = len(service.stored)
        up.pause()
    assert 100_000 < most <= bound
    # An answer counts for a second: what begins in the last one is under way when the hours end.
    assert all(night(at) or night(at - 1) for at in begun_at)
    assert sorted(service.stored) == sorted(set(service.stored))
    assert up.report.accepted == 2 * count == up.report.delivered + up.report.spooled
    # What came after six in the morning waits for the next night; the rest is there.
    assert up.report.delivered >= stored >= count
    assert up.report.rejected == up.report.dropped == 0


async def test_frames_that_expire_in_a_pause_end_with_it() -> None:
    """Repeats that are due and too old by the end of a pause get their outcome, all of them: nobody else would wake the sender."""
    service = Service(script=lambda frame, attempt: ServerError("no", 503, "POST", "x"))
    async with uploader(service, max_age=60.0) as up:
        receipts = [await up.submit(make_frame(number)) for number in range(6)]
        await asyncio.sleep(10)
        up.pause()
        await asyncio.sleep(100)
        up.resume()
        await asyncio.sleep(30)
        assert up.statistics().pending_frames == 0
        assert all(isinstance(outcome, Rejected) for outcome in await asyncio.gather(*receipts))
