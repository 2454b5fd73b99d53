"""When a refused account counts as accepted again without a delivery, and what is told where it is refused for good."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from picsellia_async._delivery.delivery_log import DeliveryLog
from picsellia_async._delivery.outcomes import Health, Outcome, Rejected
from picsellia_async._delivery.trouble import Counts
from picsellia_async.cli.delivering import is_refused
from picsellia_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    RequestTooLargeError,
    ServerError,
)
from picsellia_async.frames import Frame

from ..support.frames import make_frame
from .service import Service, frames, lost, uploader

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("disk")]


def refused() -> AuthenticationError:
    return AuthenticationError("who", 401, "POST", "x")


def changing(*errors: Callable[[], BaseException | None]) -> tuple[Service, Callable[[], None]]:
    """Return a service whose frames end in one of these after the other, and what goes on to the next."""
    stage = 0

    def script(frame: Frame, attempt: int) -> BaseException | None:
        return errors[stage]()

    def go_on() -> None:
        nonlocal stage
        stage += 1

    return Service(script=script), go_on


async def feed(up, count: int, begin: int) -> None:
    for number in range(begin, begin + count):
        await up.submit(make_frame(number))
        await asyncio.sleep(1.0)


@pytest.mark.parametrize("has_spool", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        BadRequestError("box is wrong", 422, "POST", "x"),
        BadRequestError("box is wrong", 400, "POST", "x"),
        RequestTooLargeError("large", 413, "POST", "x"),
    ],
    ids=["422", "400", "413"],
)
async def test_answers_about_frames_end_the_refusal_of_the_account(
    wrong: BaseException, has_spool: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind a 401 each frame is judged by itself: the token is right, and the frames are told as rejected by their own."""
    seen: list[Health] = []
    service, go_on = changing(lambda: None, refused, lambda: wrong, lambda: None)
    options = {"spool": tmp_path} if has_spool else {}
    async with uploader(service, on_health=lambda old, new, why: seen.append(new), **options) as up:
        await feed(up, 3, 0)
        go_on()
        await feed(up, 15, 10)
        assert up.statistics().health is Health.REFUSED
        go_on()
        await feed(up, 50, 100)
        assert up.statistics().health is Health.OK
        caplog.clear()
        await feed(up, 40, 200)
        told = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
        assert told
        assert all(line.startswith("frames were not delivered: ") for line in told)
        go_on()
        await feed(up, 3, 300)
    assert seen == [Health.REFUSED, Health.OK]
    assert (up.report.delivered, up.report.is_balanced) == (6, True)


async def test_what_the_service_has_already_ends_the_refusal_of_the_account() -> None:
    """A 409 to a repeat is a delivery."""
    service, go_on = changing(lambda: None, lost, refused, lambda: ConflictError("there", 409, "POST", "x"))
    async with uploader(service) as up:
        await feed(up, 1, 0)
        go_on()
        await up.submit(make_frame(1))
        await asyncio.sleep(0.05)
        go_on()
        await asyncio.sleep(10.0)
        go_on()
        assert await up.flush(timeout=60.0) == 0
        assert (up.report.delivered, up.statistics().health) == (2, Health.OK)


async def test_a_single_answer_about_a_frame_ends_no_refusal() -> None:
    """A gateway refuses what is large before anybody looks at the token."""
    service = Service(
        script=lambda frame, attempt: (
            RequestTooLargeError("large", 413, "POST", "x") if int(frame.filename[6:12]) % 2 else refused()
        )
    )
    seen: list[Health] = []
    async with uploader(service, on_health=lambda old, new, why: seen.append(new), close_timeout=0.1) as up:
        for frame in frames(40):
            await up.submit(frame)
            await asyncio.sleep(1.0)
    assert seen == [Health.REFUSED]


async def test_a_page_of_a_gateway_ends_no_refusal() -> None:
    """What answers with a 5xx that is not repeated has not looked at the token."""
    service, go_on = changing(lambda: None, refused, lambda: ServerError("no", 501, "POST", "x"))
    async with uploader(service, close_timeout=0.1) as up:
        await feed(up, 3, 0)
        go_on()
        await feed(up, 70, 10)
        go_on()
        await feed(up, 20, 100)
        assert up._sender.refused.is_set()


def test_a_refusal_for_good_is_told_as_such_also_behind_an_outage() -> None:
    """Frames are rejected as they come: nobody is told that they wait."""
    log, counts = DeliveryLog(has_spool=False), Counts(0, 0, 0, 0)
    log.changed(0.0, Health.REFUSED, "401", counts, is_sure=True, is_final=True)
    assert "frames are rejected" in log.lines(0.0, counts, [])[0].text
    log.changed(5.0, Health.DOWN, "reset", counts, is_final=True)
    log.changed(20.0, Health.REFUSED, "401", counts, is_final=True)
    (line, *_) = log.lines(31.0, counts, [])
    assert line.text.startswith("the service refuses this account")
    assert line.text.endswith("frames are rejected: no spool keeps them")


async def test_the_reason_of_a_refusal_is_the_refusal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A frame tried meanwhile has a fault of its own, and is the last error: log, health and commands name what was refused."""

    def script(frame: Frame, attempt: int) -> BaseException | None:
        wrong = BadRequestError("a box is wrong", 422, "POST", "x")
        return wrong if frame.filename == "frame-000001.jpg" and attempt > 9 else refused()

    rejected = asyncio.Event()

    def on_outcome(outcome: Outcome) -> None:
        if not isinstance(outcome, Rejected):
            return
        assert isinstance(up.statistics().last_error, BadRequestError)
        assert is_refused(up)
        rejected.set()

    service = Service(script=script)
    async with uploader(service, close_timeout=0.1, spool=tmp_path, on_outcome=on_outcome) as up:
        for frame in frames(3):
            await up.submit(frame)
        await rejected.wait()
        for _ in range(100):
            await asyncio.sleep(1.0)
            up._reporter.look()
            assert isinstance(up._reporter.why, AuthenticationError)
    assert "the service refuses this account: 401 for POST x: who" in capsys.readouterr().err
    lines = [record.message for record in caplog.records if "the service refuses this account" in record.message]
    assert lines
    assert all("AuthenticationError: 401" in line for line in lines)


async def test_a_final_refusal_stays_one_behind_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """The account was refused for good, the host failed for a while, and refuses again."""
    service, go_on = changing(lambda: None, refused, lambda: ServerError("broken", 500, "POST", "x"), refused)
    async with uploader(service, close_timeout=0.1) as up:
        await feed(up, 3, 0)
        go_on()
        await feed(up, 75, 10)
        go_on()
        await feed(up, 60, 100)
        go_on()
        caplog.clear()
        await feed(up, 90, 200)
    told = [record.message for record in caplog.records if "the service refuses this account" in record.message]
    assert told
    assert not any("if that lasts" in line for line in told)
