"""Pauses that the service asks for, outages, and the budget for repeats."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Literal

import pytest

from picsellia_async._delivery.outcomes import Health
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import (
    PicselliaError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)
from picsellia_async.frames import Frame

from .service import Service, busy, down, frames, lost, uploader

pytestmark = pytest.mark.anyio


async def test_nobody_comes_before_retry_after_and_arrivals_are_spread() -> None:
    """A hundred in flight get 429 with Retry-After 2: none comes earlier, one probe goes first, the others follow spread out."""
    throttled_at: list[float] = []

    def script(frame: Frame, attempt: int) -> BaseException | None:
        if attempt > 1:
            return None
        throttled_at.append(asyncio.get_running_loop().time())
        return RateLimitError("slow down", 429, "POST", "x", retry_after=2.0)

    service = Service(seconds=0.05, script=script)
    async with uploader(service, concurrency=100) as up:
        for frame in frames(100):
            await up.submit(frame)
        await up.flush()
    later = sorted(at for at, _ in service.arrivals)[100:]
    assert len(later) == 100
    assert later[0] - throttled_at[-1] >= 2.0
    assert later[1] - later[0] >= 0.05 - 1e-9, "the probe is answered before a second one goes"
    moments = Counter(round(at, 3) for at in later)
    assert max(moments.values()) <= 50
    assert len(moments) >= 6
    assert up.report.delivered == 100


async def test_an_outage_is_probed_not_hammered() -> None:
    """In a minute of outage extra load stays within a tenth of the frames offered plus the probes; afterwards all arrive."""
    back_at = asyncio.get_running_loop().time() + 60.0
    service = Service(script=lambda frame, attempt: down() if asyncio.get_running_loop().time() < back_at else None)
    async with uploader(service, concurrency=32) as up:
        for frame in frames(400):
            await up.submit(frame)
        await asyncio.sleep(1.0)
        assert up.statistics().health is Health.DOWN
        await up.flush()
        assert up.statistics().health is Health.OK
    during = [name for at, name in service.arrivals if at < back_at]
    assert len(during) - len(set(during)) <= 0.1 * 400
    assert len(during) <= 32 + 20, "probes 5 seconds apart"
    assert up.report.delivered == 400


@pytest.mark.parametrize(
    "error",
    [
        down(),
        lost(),
        RequestTimeoutError("ReadTimeout", "POST", "http://x", 1, request_sent=True),
        ServerError("bad gateway", 502, "POST", "x"),
        RateLimitError("unavailable", 503, "POST", "x"),
    ],
    ids=["refused", "reset", "timeout", "502", "503"],
)
async def test_one_probe_at_a_time_while_the_service_is_down(error: PicselliaError) -> None:
    """Whatever an outage looks like: of 64 in flight one is left, its pauses grow to 5 and after a minute to 15 seconds, and then all are back."""
    service = Service(seconds=0.2, script=lambda frame, attempt: error if is_out else None)
    is_out = True
    async with uploader(service, concurrency=64) as up:
        for frame in frames(200):
            await up.submit(frame)
        await asyncio.sleep(0.45)
        assert (service.busiest, service.busy) == (64, 0)
        begun, service.busiest = len(service.arrivals), 0
        await asyncio.sleep(600)
        assert service.busiest == 1
        probes = [at for at, _ in service.arrivals[begun:]]
        pauses = [after - before for before, after in itertools.pairwise(probes)]
        assert all(0.5 <= pause <= 15.0 * 1.2 + 0.3 for pause in pauses)
        assert max(pauses[:10]) <= 5.0 * 1.2 + 0.3
        assert min(pauses[15:]) >= 15.0
        is_out = False
        assert await up.flush(timeout=60) == 0
    assert up.report.delivered == 200


@pytest.mark.parametrize("concurrency", [1, 8, 64])
async def test_repeats_stay_within_the_budget(concurrency: int) -> None:
    """While every second frame fails again and again, repeats are a tenth of the first attempts, and do not keep those out."""
    until = asyncio.get_running_loop().time() + 20.0

    def script(frame: Frame, attempt: int) -> BaseException | None:
        is_bad = int(frame.filename[6:12]) % 2 and asyncio.get_running_loop().time() < until
        return ServerError("no", 500, "POST", "x") if is_bad else None

    service = Service(seconds=0.1, script=script)
    count = concurrency * 200
    retry = RetryPolicy(backoff_initial=0.05, backoff_max=0.1)
    async with uploader(service, concurrency=concurrency, retry=retry) as up:
        for frame in frames(count):
            await up.submit(frame)
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        early = [name for at, name in service.arrivals if at < until]
        firsts = len(set(early))
        await up.flush()
    assert firsts >= 80
    assert len(early) - firsts <= 0.1 * firsts + 21, "a tenth, and what was saved up"
    assert up.report.is_complete


@pytest.mark.parametrize("concurrency", [32, "auto"])
@pytest.mark.parametrize(("bad", "well", "seconds"), [(9.0, 8.0, 0.6), (9.0, 8.0, 0.02), (40.0, 4.0, 0.05)])
async def test_a_service_that_comes_and_goes_takes_what_it_can(
    bad: float, well: float, seconds: float, concurrency: int | Literal["auto"]
) -> None:
    """Five frames a second to one that is well for seconds only: what waits is what came since it was well, not ever more.

    An outage is no load that was too much: a limit that took it for one stayed at a request at a time.
    """
    loop = asyncio.get_running_loop()
    service = Service(seconds, lambda frame, attempt: busy() if loop.time() % (bad + well) < bad else None)
    async with uploader(service, concurrency=concurrency) as up:
        for frame in frames(3000):
            await up.submit(frame)
            await asyncio.sleep(0.2)
        assert up.statistics().pending_frames <= 5 * (bad + well)
        await asyncio.sleep(bad + well)
    assert up.report.delivered == 3000
