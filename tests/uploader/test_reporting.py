"""Nobody has to ask: what an uploader writes to the log, `on_health`, and errors for jobs that must not end well by silence."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from picsellia_async import AsyncDeployment, DeliveryError
from picsellia_async._delivery.outcomes import Health
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.transport.fault_register import Fault
from picsellia_async.errors import BadRequestError, ConfigurationError, ServerError
from picsellia_async.frames import Frame

from ..support.frames import make_frame
from .service import Service, down, frames, lost, uploader

pytestmark = pytest.mark.anyio


def warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what a script without any logging shows of ours; asyncio tells of slow steps on a busy machine."""
    return [one for one in caplog.records if one.name == "picsellia_async" and one.levelno >= logging.WARNING]


async def run(service: Service, seconds: int, **options: object) -> None:
    """Submit five frames a second, as a camera does."""
    async with uploader(service, **options) as up:
        for number in range(seconds * 5):
            await up.submit(make_frame(number))
            await asyncio.sleep(0.2)


def between(since: float, until: float, error: BaseException) -> Service:
    """A service that fails for some time."""
    loop = asyncio.get_running_loop()
    return Service(script=lambda frame, attempt: error if since < loop.time() < until else None)


async def test_an_outage_tells_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A minute of 503 shows its beginning, a summary each 30 seconds, and its end; `on_health` hears of both changes."""
    changes: list[tuple[Health, Health, bool]] = []
    service = between(5.0, 65.0, ServerError("busy", 503, "POST", "http://x"))
    await run(service, 90, on_health=lambda old, new, why: changes.append((old, new, why is not None)))
    told = [record.getMessage() for record in warnings(caplog)]
    assert [text.partition(" (")[0] for text in told[:3]] == [
        "the monitoring host fails",
        "the monitoring host fails, for 30 s now",
        "the monitoring host fails, for 60 s now",
    ]
    assert told[3].startswith("the monitoring host takes frames again after")
    assert len(told) == 4
    assert all(record.levelno == logging.WARNING for record in warnings(caplog))
    assert (warnings(caplog)[0].health, warnings(caplog)[-1].health) == ("down", "ok")  # type: ignore[attr-defined]
    assert changes == [(Health.OK, Health.DOWN, True), (Health.DOWN, Health.OK, False)]


async def test_refused_frames_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """A service that refuses every frame: lines with the first since the line before, and one at the end with the sum and the first of all."""
    service = Service(script=lambda frame, attempt: BadRequestError("bad box", 422, "POST", "http://x"))
    await run(service, 70)
    told = [record.getMessage() for record in warnings(caplog)]
    assert len(told) == 4
    assert (
        "5 rejected so far, first frame-000000.jpg, frame-000001.jpg, frame-000002.jpg (BadRequestError: 422" in told[0]
    )
    assert told[-1].startswith(
        "an uploader closed with 350 frames not delivered: 350 rejected, first frame-000000.jpg, f"
    )


async def test_an_uploader_that_delivers_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """No line at any level from WARNING on."""
    await run(Service(), 10)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_health_is_ok_as_soon_as_a_probe_was_answered() -> None:
    """Also while the load still grows, and without a further frame."""
    is_down = True
    service = Service(script=lambda frame, attempt: down() if is_down else None)
    async with uploader(service, concurrency=32) as up:
        for number in range(8):
            await up.submit(make_frame(number))
        await asyncio.sleep(5)
        assert up.statistics().health is Health.DOWN
        is_down = False
        await up.flush()
        assert up.statistics().health is Health.OK


async def test_a_callback_that_raises_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and counted, as those of `on_outcome`."""

    def broken(*_: object) -> None:
        raise RuntimeError("callback")

    service = between(1.0, 5.0, down())
    async with uploader(service, on_health=broken) as up:
        for number in range(50):
            await up.submit(make_frame(number))
            await asyncio.sleep(0.2)
    assert (up.report.delivered, up.statistics().callback_errors) == (50, 2)


async def test_frames_left_in_the_spool_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With their number and the directory."""
    async with uploader(Service(script=lambda *_: down()), spool=tmp_path, close_timeout=0) as up:
        await asyncio.gather(*(up.submit(make_frame(number)) for number in range(5)))
    told = caplog.records[-1].getMessage()
    assert f"5 left in the spool {tmp_path} for the next run" in told


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """The real clock for tests over a network."""
    from ..support.virtual_time import VirtualLoop

    is_real = "deployment" in request.fixturenames
    return "asyncio", {"debug": True} if is_real else {"debug": True, "loop_factory": VirtualLoop}


async def test_a_job_ends_by_an_error_where_it_asked_for_one(deployment: AsyncDeployment, emulator: Emulator) -> None:
    """`on_failure="raise"` raises with the report where a frame was not delivered; by default the report alone tells."""
    emulator.faults.add(Fault(kind="status", status=422, endpoint="monitor", times=2))
    report = await deployment.monitor_many([make_frame(1)])
    with pytest.raises(DeliveryError, match=r"1 of 1 frames were not delivered: 1 rejected.*first frame-000001.jpg"):
        report.raise_for_failures()
    with pytest.raises(DeliveryError) as caught:
        await deployment.monitor_many([make_frame(2), make_frame(3)], on_failure="raise")
    assert (caught.value.report.delivered, caught.value.report.rejected) == (1, 1)
    assert (await deployment.monitor_many([make_frame(4)], on_failure="raise")).is_complete
    with pytest.raises(ConfigurationError, match="on_failure"):
        await deployment.monitor_many([], on_failure="shout")  # type: ignore[arg-type]


async def test_an_iterable_that_raises_is_the_cause(deployment: AsyncDeployment) -> None:
    """Its frames were delivered, and yet the job did not do what it should."""

    def frames() -> object:
        yield make_frame(1)
        raise ValueError("no disk")

    with pytest.raises(DeliveryError, match="no disk") as caught:
        await deployment.monitor_many(frames(), on_failure="raise")  # type: ignore[arg-type]
    assert isinstance(caught.value.__cause__, ValueError)


async def test_closing_that_takes_a_while_tells_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """For how long at most, and for how many frames; one that is done within a second says nothing."""
    async with uploader(Service(seconds=0.5)) as up:
        await up.submit(make_frame(0))
    async with uploader(Service(seconds=3.0), close_timeout=10.0) as up:
        for number in range(2):
            await up.submit(make_frame(number))
    lines = [line.getMessage() for line in caplog.records if line.getMessage().startswith("closing")]
    assert lines == ["closing: up to 9 s more for 2 frames"]
    fields = next(vars(record) for record in caplog.records if record.getMessage() == lines[0])
    assert (fields["health"], fields["pending"]) == ("ok", 2)
    assert up.report.is_complete


async def test_frames_told_as_lost_that_may_be_stored_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """In the report, its lines and its JSON, in `statistics`, and in the log: whoever sends them again may store them twice."""

    def script(frame: Frame, attempt: int) -> BaseException | None:
        if frame.filename == "frame-000002.jpg":
            return BadRequestError("box", 422, "POST", "http://x")
        return lost() if attempt == 1 else BadRequestError("box", 422, "POST", "http://x")

    service = Service(script=script)
    async with uploader(service) as up:
        for frame in frames(3):
            await up.submit(frame)
        await up.flush()
    report = up.report
    assert (sorted(service.stored), report.rejected) == (["frame-000000.jpg", "frame-000001.jpg"], 3)
    assert (report.may_be_stored, up.statistics().may_be_stored, report.to_json()["may_be_stored"]) == (2, 2, 2)
    stored = {line.filename: line.may_be_stored for line in report.failures}
    assert stored == {"frame-000000.jpg": True, "frame-000001.jpg": True, "frame-000002.jpg": False}
    assert [line["may_be_stored"] for line in report.to_json()["failures"]].count(True) == 2
    with pytest.raises(DeliveryError, match="2 may be stored all the same"):
        report.raise_for_failures()
    last = warnings(caplog)[-1]
    assert "3 rejected (2 may be stored all the same: an answer was lost or unclear)" in last.message
    assert last.may_be_stored == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("seconds", [2.0, 4.0])
async def test_frames_refused_for_their_content_are_not_lost_to_an_outage_beside_them(
    caplog: pytest.LogCaptureFixture, seconds: float
) -> None:
    """Half of all frames have a 422, and the host fails for a moment: none of the refused ones is told as that moment's."""
    loop = asyncio.get_running_loop()

    def script(frame: Frame, attempt: int) -> BaseException | None:
        if 3.0 < loop.time() - begun < 3.0 + seconds:
            return ServerError("busy", 503, "POST", "http://x")
        is_bad = int(frame.filename[6:12]) % 2
        return BadRequestError("bad box", 422, "POST", "http://x") if is_bad else None

    begun = loop.time()
    await run(Service(script=script), 20)
    (end,) = [record for record in warnings(caplog) if "takes frames again" in record.getMessage()]
    assert (end.trouble_lost, end.trouble_refused) == (0, 0)  # type: ignore[attr-defined]
    assert "after 0 s" not in end.getMessage()
    assert " 0 lost meanwhile, " in end.getMessage()
    assert end.new_rejected > 0  # type: ignore[attr-defined]
