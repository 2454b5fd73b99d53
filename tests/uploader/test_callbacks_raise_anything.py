"""Callbacks that raise what is no `Exception`: delivery goes on, and what ends the program leaves every frame an outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from picsellia_async._delivery.outcomes import Outcome
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader, record_durations

from .service import Service, down, frames, uploader

COUNT = 20


class Mine(BaseException):
    """As some frameworks have."""


RAISED = [Mine("mine"), GeneratorExit(), asyncio.CancelledError(), pytest.fail.Exception("failed")]
ENDING = [SystemExit(3), KeyboardInterrupt()]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """`asyncio.run` on both loops."""
    factory = None if request.param == "asyncio" else pytest.importorskip("uvloop").new_event_loop

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main)

    return run


def raises(error: BaseException) -> Callable[..., Any]:
    def callback(*_: object) -> Any:
        raise error

    return callback


async def deliver(up: Uploader) -> None:
    async with up:
        for frame in frames(COUNT):
            await up.submit(frame)
        assert await up.flush(timeout=60) == 0


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("option", "error"),
    [
        *((option, error) for option in ("on_outcome", "progress", "durations", "receipt") for error in RAISED),
        ("on_health", RAISED[0]),  # after seconds of an outage
    ],
)
def test_what_is_no_exception_is_counted_and_told_as_others(
    run: Callable[..., Any], error: BaseException, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Every frame is delivered while the uploader is open, by two workers that would otherwise have ended."""

    async def main() -> Uploader:
        options = {option: raises(error)} if option in {"on_outcome", "on_health", "progress"} else {}
        service = Service()
        failing = 8 if option == "on_health" else 0
        service.script = lambda *_: down() if len(service.arrivals) <= failing else None
        up = uploader(service, concurrency=2, **options)
        if option == "durations":
            record_durations(up, raises(error))
        if option == "receipt":
            submit = up._accept

            async def with_callback(frame: Frame) -> Any:
                receipt = await submit(frame)
                future: Future[Outcome] = Future()
                future.add_done_callback(raises(error))
                receipt.call(future.set_result)
                return receipt

            up._accept = with_callback
        await deliver(up)
        return up

    up = run(main())
    assert (up.report.delivered, up.statistics().pending_frames) == (COUNT, 0)
    told = errors(caplog)
    assert sum(getattr(record, "raised", 0) for record in told) == up.statistics().callback_errors > 0
    assert type(error).__name__ in told[0].getMessage()


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_allowed_may_raise_what_is_no_exception(run: Callable[..., Any], error: BaseException) -> None:
    """Nothing is sent as long as it raises; the frame is dropped at closing."""

    async def main() -> Uploader:
        up = uploader(Service(), allowed=raises(error), close_timeout=0.1)
        async with up:
            for frame in frames(COUNT):
                await up.submit(frame)
        return up

    up = run(main())
    assert (up.report.dropped, up.statistics().pending_frames) == (COUNT, 0)
    assert up.statistics().callback_errors > 0


@pytest.mark.parametrize("error", ENDING, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("times", [1, COUNT], ids=["once", "each time"])
@pytest.mark.parametrize("where", ["open", "closing", "last"])
@pytest.mark.parametrize("spool", [False, True], ids=["memory", "spool"])
def test_what_ends_the_program_does_and_every_frame_has_an_outcome(
    run: Callable[..., Any], error: BaseException, times: int, where: str, spool: bool, tmp_path: Path
) -> None:
    """Out of a callback while frames are submitted, while closing delivers, and while it gives the rest their outcomes."""
    made: list[Uploader] = []
    ended: list[Outcome] = []

    def on_outcome(outcome: Outcome) -> None:
        ended.append(outcome)
        if len(ended) <= times:
            raise error

    async def main() -> None:
        service = Service(hold=asyncio.Event() if where == "last" else None)
        up = uploader(
            service, on_outcome=on_outcome, concurrency=2, close_timeout=0.1 if where == "last" else 30,
            spool=tmp_path / "spool" if spool else None,
        )  # fmt: skip
        made.append(up)
        async with up:
            for frame in frames(COUNT):
                await up.submit(frame)
            if where == "open":
                await asyncio.sleep(60)

    with pytest.raises(type(error)):
        run(main())
    (up,) = made
    report = up.report
    assert up.is_closed
    accepted = report.accepted
    assert accepted == COUNT or (spool and accepted > 0), "with a spool the program may end while it waits for the disk"
    assert report.delivered + report.dropped + report.spooled == len(ended) == accepted
    assert len({outcome.frame.id for outcome in ended if outcome.frame is not None}) == accepted
    assert up.statistics().callback_errors == min(times, accepted)


def test_the_traceback_of_progress_is_told_once(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """Also of the last call, at closing, whose line comes before the uploader's last."""
    caplog.set_level(logging.INFO, "picsellia_async")

    async def main() -> None:
        called = asyncio.Event()

        def progress(_: object) -> None:
            called.set()
            raise ValueError("no")

        async with uploader(Service(), progress=progress) as up:
            for frame in frames(3):
                await up.submit(frame)
            await called.wait()

    run(main())
    assert caplog.text.count("Traceback") == 1
    assert "closed" in caplog.records[-1].getMessage()
