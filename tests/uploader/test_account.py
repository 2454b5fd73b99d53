"""Refusals: one frame's, or everybody's."""

from __future__ import annotations

import asyncio
import itertools
import logging
from pathlib import Path

import pytest

from picsellia_async._delivery.account_evidence import AccountEvidence
from picsellia_async._delivery.outcomes import Delivered, Health, Rejected
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import (
    AuthenticationError,
    ClosedError,
    PermissionDeniedError,
    QuotaExceededError,
    ServerError,
)
from picsellia_async.frames import Frame
from picsellia_async.uploader import deliver_all

from ..support.frames import make_frame
from .service import Service, frames, uploader

pytestmark = pytest.mark.anyio


def forbidden() -> PermissionDeniedError:
    return PermissionDeniedError("no", 403, "POST", "x")


@pytest.mark.parametrize("concurrency", [1, 32])
async def test_single_refusals_reject_single_frames(concurrency: int) -> None:
    """A firewall that dislikes 2 % of the images: these are rejected, the others delivered, also while closing."""

    def script(frame: Frame, attempt: int) -> BaseException | None:
        return forbidden() if int(frame.filename[6:12]) % 50 == 49 else None

    service = Service(script=script)
    async with uploader(service, concurrency=concurrency, close_timeout=60.0, max_pending_frames=2500) as up:
        for frame in frames(2000):
            await up.submit(frame)
    assert (up.report.delivered, up.report.rejected, up.report.dropped) == (1960, 40, 0)
    assert {line.filename for line in up.report.failures} == {f"frame-{n:06d}.jpg" for n in range(49, 2000, 50)}
    assert max(service.attempts.values()) <= 3


async def test_a_source_whose_frames_are_refused_stops_no_other() -> None:
    """Every frame of one camera of four is refused, from the first on: the others arrive, and the account does not count as refused."""

    def script(frame: Frame, attempt: int) -> BaseException | None:
        return forbidden() if frame.source == "cam-0" else None

    async with uploader(Service(script=script), close_timeout=60.0) as up:
        for number in range(400):
            await up.submit(make_frame(number, source=f"cam-{number % 4}"))
    assert (up.report.delivered, up.report.rejected) == (300, 100)


@pytest.mark.parametrize(
    "error", [forbidden(), QuotaExceededError("paid", 402, "POST", "x"), AuthenticationError("who", 401, "POST", "x")]
)
async def test_a_refused_account_ends_a_run_within_seconds(
    error: PermissionDeniedError, caplog: pytest.LogCaptureFixture
) -> None:
    """`monitor_many` of a thousand frames: each is rejected, a few requests are made, and the log tells it once."""
    service = Service(script=lambda frame, attempt: error)
    started = asyncio.get_running_loop().time()
    with caplog.at_level(logging.ERROR):
        report = await deliver_all(uploader(service), frames(1000))
    assert asyncio.get_running_loop().time() - started <= 10.0
    assert (report.accepted, report.rejected, report.is_balanced) == (1000, 1000, True)
    assert service.attempts.total() <= 100
    assert sum("refuses this account" in record.message for record in caplog.records) == 1
    assert type(error).__name__ in report.failures[-1].reason


async def test_an_account_that_comes_back_is_used_again() -> None:
    """Frames submitted after a refusal for good are rejected as they come, until one that is tried is taken."""
    loop = asyncio.get_running_loop()
    back_at = loop.time() + 100.0
    service = Service(
        script=lambda frame, attempt: AuthenticationError("who", 401, "POST", "x") if loop.time() < back_at else None
    )
    async with uploader(service) as up:
        for number in itertools.count():
            outcome = await (await up.submit(make_frame(number)))
            if isinstance(outcome, Delivered):
                break
            await asyncio.sleep(0.1)
        assert loop.time() < back_at + 20.0
        assert up.statistics().health is not Health.REFUSED
    assert service.attempts.total() <= 20


async def test_a_wrong_token_is_told_at_once() -> None:
    """Without a spool, an account that never worked rejects frames instead of keeping them."""
    service = Service(script=lambda frame, attempt: AuthenticationError("who", 401, "POST", "x"))
    async with uploader(service) as up:
        outcome = await (await up.submit(make_frame(0)))
        assert isinstance(outcome, Rejected)
        assert up.statistics().health is Health.REFUSED


async def test_a_token_that_worked_is_believed_for_a_while() -> None:
    """A login that is refused for half a minute loses nothing; one that stays refused rejects in the end."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    def script(frame: Frame, attempt: int) -> BaseException | None:
        refused = 5.0 < loop.time() - start < 35.0 or loop.time() - start > 100.0
        return AuthenticationError("who", 401, "POST", "x") if refused else None

    service = Service(script=script)
    async with uploader(service) as up:
        assert isinstance(await (await up.submit(make_frame(0))), Delivered)
        await asyncio.sleep(6.0)
        outcome = await (await up.submit(make_frame(1)))
        assert isinstance(outcome, Delivered)
        assert outcome.attempts > 1
        await asyncio.sleep(100.0)
        assert isinstance(await (await up.submit(make_frame(2))), Rejected)


async def test_a_refusal_that_is_over_at_once_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """A frame is refused once, and one that was under way beside it is delivered: the service answers, and was never down."""
    seen: list[tuple[Health, BaseException | None]] = []

    def script(frame: Frame, attempt: int) -> BaseException | None:
        is_refused = frame.filename == "frame-000000.jpg" and attempt == 1
        return AuthenticationError("who", 401, "POST", "x") if is_refused else None

    service = Service(seconds=5.0, script=script)
    async with uploader(service, concurrency=2, on_health=lambda old, new, why: seen.append((new, why))) as up:
        await (await up.submit(make_frame(10)))  # the account worked before
        for frame in frames(10):
            await up.submit(frame)
        await up.flush()
    assert up.report.delivered == 11
    assert [health for health, _ in seen] == [Health.REFUSED, Health.OK]
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told[0].startswith("the service refuses this account (AuthenticationError: ")
    assert "does not answer" not in caplog.text
    assert "the service accepts this account again" in told[-1]


async def test_a_refusal_is_not_believed_longer_than_it_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    """Behind a refusal of the account a host fails, and then hangs: it is down, and refuses again when it says so again."""
    begun = asyncio.get_running_loop().time()
    seen: list[Health] = []

    def now() -> float:
        return asyncio.get_running_loop().time() - begun

    def script(frame: Frame, attempt: int) -> BaseException | None:
        if 5.0 < now() < 20.0 or 150.0 < now() < 200.0:
            return AuthenticationError("who", 401, "POST", "x")
        return ServerError("broken", 500, "POST", "x") if 20.0 < now() < 60.0 else None

    service = Service(script=script)
    async with uploader(service, on_health=lambda old, new, why: seen.append(new), max_pending_bytes=2**26) as up:
        for number in range(260):
            if number == 60:
                service.hold = asyncio.Event()
            if number == 150 and service.hold is not None:
                service.hold.set()
                service.hold = None
            await up.submit(make_frame(number))
            await asyncio.sleep(1.0)
    assert seen == [Health.REFUSED, Health.DOWN, Health.REFUSED, Health.OK]
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert any("does not answer" in line and "no answer for" in line for line in told)
    assert any(line.startswith("the monitoring host takes frames again after ") for line in told)


@pytest.mark.parametrize("error", [forbidden(), AuthenticationError("who", 401, "POST", "x")])
@pytest.mark.parametrize("back_after", [0.01, 2.0, 13.9])
@pytest.mark.parametrize("count", [3, 40])
async def test_closing_delivers_to_an_account_that_is_accepted_again(
    error: PermissionDeniedError, back_after: float, count: int
) -> None:
    """Frames were delivered, then the account is refused, and still when closing begins: one that ends in time loses nothing."""
    loop = asyncio.get_running_loop()
    refused_at, back_at = loop.time() + 5.0, loop.time() + 10.0 + back_after
    service = Service(script=lambda frame, attempt: error if refused_at <= loop.time() < back_at else None)
    async with uploader(service, close_timeout=15.0) as up:
        await up.submit(make_frame(1000))
        await asyncio.sleep(5.0)
        for frame in frames(count):
            await up.submit(frame)
        await asyncio.sleep(5.0)
        assert up.statistics().health is Health.REFUSED
    assert (up.report.delivered, up.report.dropped, up.report.rejected) == (count + 1, 0, 0)
    closing = [at for at, _ in service.arrivals if back_at - back_after <= at < back_at]
    assert len(closing) <= 2 + 3 * back_after, "it is probed, not hammered"


@pytest.mark.parametrize("has_spool", [False, True])
async def test_closing_waits_in_vain_for_an_account_that_stays_refused(
    tmp_path: Path, disk: None, has_spool: bool
) -> None:
    """Where frames were delivered before, closing takes its whole time; what is left is spooled, or dropped."""
    loop = asyncio.get_running_loop()
    refused_at = loop.time() + 5.0
    service = Service(script=lambda frame, attempt: forbidden() if loop.time() >= refused_at else None)
    async with uploader(service, close_timeout=15.0, spool=tmp_path if has_spool else None) as up:
        await up.submit(make_frame(1000))
        await asyncio.sleep(5.0)
        for frame in frames(10):
            await up.submit(frame)
        begun = loop.time()
    assert 14.4 <= loop.time() - begun <= 15.5
    assert (up.report.delivered, up.report.spooled, up.report.dropped) == ((1, 10, 0) if has_spool else (1, 0, 10))


async def test_closing_does_not_wait_for_an_account_that_was_never_accepted(tmp_path: Path, disk: None) -> None:
    """With a wrong token from the start its frames are left in the spool at once."""
    loop = asyncio.get_running_loop()
    service = Service(script=lambda frame, attempt: AuthenticationError("who", 401, "POST", "x"))
    async with uploader(service, spool=tmp_path) as up:
        for frame in frames(10):
            await up.submit(frame)
        begun = loop.time()
    assert loop.time() - begun <= 1.0
    assert up.report.spooled == 10


async def test_a_client_that_was_closed_is_not_waited_for() -> None:
    """It never opens again, so that closing ends at once, and a frame is rejected although others were delivered before."""
    loop = asyncio.get_running_loop()
    closed_at = loop.time() + 5.0
    service = Service(script=lambda frame, attempt: ClosedError("closed") if loop.time() >= closed_at else None)
    async with uploader(service) as up:
        await up.submit(make_frame(1000))
        await asyncio.sleep(5.0)
        receipt = await up.submit(make_frame(1))
        begun = loop.time()
    assert loop.time() - begun <= 1.0
    assert isinstance(receipt.outcome, Rejected)


@pytest.mark.parametrize("bound", [2, 3, 8])
@pytest.mark.parametrize("back_after", [2.0, 13.5])
async def test_bounded_attempts_are_spread_over_closing_where_the_account_is_refused(
    bound: int, back_after: float
) -> None:
    """The last attempt is made a second before the end, as in an outage: without a spool no later run would make it."""
    loop = asyncio.get_running_loop()
    refused_at, back_at = loop.time() + 5.0, loop.time() + 10.0 + back_after

    def script(frame: Frame, attempt: int) -> BaseException | None:
        return AuthenticationError("who", 401, "POST", "x") if refused_at <= loop.time() < back_at else None

    patient = RetryPolicy(backoff_initial=100.0, backoff_max=1000.0, jitter=0.0)
    async with uploader(Service(script=script), close_timeout=15.0, max_attempts=bound, retry=patient) as up:
        await up.submit(make_frame(1000))
        await asyncio.sleep(9.0)
        await up.submit(make_frame(0))
        await asyncio.sleep(1.0)
    assert (up.report.delivered, up.report.dropped) == (2, 0)


def test_a_closed_client_is_final_also_behind_a_refused_account() -> None:
    """The account was refused when the client was closed: nobody waits for it any more."""
    account = AccountEvidence()
    for seq in range(3):
        account.refused(seq, forbidden(), 10.0, is_sure=False, is_kept=True)
    assert not account.is_final(11.0, has_worked=True)
    account.refused(3, ClosedError("closed"), 11.0, is_sure=True, is_kept=True)
    assert account.is_final(11.0, has_worked=True)
