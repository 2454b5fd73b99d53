"""Frames that fail: counted by reason, told once a while, and never the end of the others."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from picsellia_async import DetectionPredictionFormat, Pipeline
from picsellia_async.pipeline import Candidate, every
from picsellia_async.pipeline._log import FailureLog
from picsellia_async.sources import Image

from ..support.frames import PREDICTION
from ..support.pipelines import Stored, at_once, balanced, make_image, same

pytestmark = pytest.mark.anyio

OUTSIDE = DetectionPredictionFormat([0], [[1, 2, 300, 400]], [0.5])


def third(returned: Any) -> Any:
    """Return a model that returns, or raises, something else for each third image."""
    calls = 0

    def model(_pixels: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 3 or returned is None:
            return PREDICTION
        if isinstance(returned, Exception):
            raise returned
        return returned

    return model


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (RuntimeError("out of memory"), "model"),
        ("a cat", "result"),
        ([PREDICTION, PREDICTION], "result"),
        (OUTSIDE, "implausible"),
    ],
)
async def test_a_frame_that_fails_is_counted_and_the_others_go_on(
    returned: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A model that raises, a result that is none, and one that cannot be meant: that frame's failure, told once with numbers."""
    stored = Stored()
    async with Pipeline(at_once("cam", 12), third(returned), stored.uploader()) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert report.statistics.failed_by_reason == {reason: 4}
    assert len(stored.frames) == 8
    assert not report.is_complete
    lines = [record for record in caplog.records if "frames failed in the pipeline" in record.message]
    assert [line.levelno for line in lines] == [logging.WARNING] * 2
    assert f"1 ({reason} 1) of source-1" in lines[0].message
    assert f"3 ({reason} 3) of source-1" in lines[1].message, "the rest is told at the end"
    assert "so far" not in lines[0].message
    assert f"in the pipeline since the last line (4 so far): 3 ({reason} 3) of source-1, the last: " in lines[1].message
    assert [line.failed_so_far for line in lines] == [1, 4]  # type: ignore[attr-defined]  # of `extra=`


@pytest.mark.parametrize("kind", ["thread", "coroutine"])
async def test_a_model_that_exits_ends_the_run_in_order(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its frame has failed, those before it are delivered, and the account is told before `run` raises the `SystemExit`."""
    stored = Stored()
    calls = 0

    def model(_pixels: Any) -> Any:
        nonlocal calls
        calls += 1
        return sys.exit("license expired") if calls == 3 else PREDICTION

    async def awaited(pixels: Any) -> Any:
        return model(pixels)

    async with Pipeline(at_once("cam", 12), awaited if kind == "coroutine" else model, stored.uploader()) as pipeline:
        with pytest.raises(SystemExit, match="license expired"):
            await pipeline.run()
    assert balanced(pipeline.report)
    assert pipeline.report.ended_by == "error"
    assert pipeline.report.statistics.failed_by_reason == {"model": 1}
    assert len(stored.frames) == 2
    assert "the pipeline ended, by SystemExit: license expired: " in caplog.text
    assert "2 of 2 delivered" in caplog.text


@pytest.mark.parametrize(
    "error", [StopIteration(), asyncio.CancelledError(), CancelledError(), GeneratorExit(), StopAsyncIteration()]
)
@pytest.mark.parametrize("is_coroutine", [False, True], ids=["thread", "coroutine"])
async def test_what_no_future_carries_fails_the_frame(error: BaseException, is_coroutine: bool) -> None:
    """`next()` without a default, a cancelled future of the model's own: the frame's failure, and the next frame has its turn."""
    stored = Stored()
    calls = 0

    def third_raises(_pixels: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise error
        return PREDICTION

    async def model(pixels: Any) -> Any:
        return third_raises(pixels)

    given = model if is_coroutine else third_raises
    async with Pipeline(at_once("cam", 6), given, stored.uploader()) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert report.statistics.failed_by_reason == {"model": 1}
    assert len(stored.frames) == 5


async def test_a_source_that_cancels_itself_ends_alone() -> None:
    """A cancellation that comes out of a source is its error: nobody asked the pipeline to stop."""

    async def cancelled() -> AsyncIterator[Image]:
        yield make_image("gone")
        raise asyncio.CancelledError

    stored = Stored()
    sources = {"gone": cancelled(), "cam": at_once("cam", 5)}
    async with Pipeline(sources, same, stored.uploader()) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert report.statistics.by_source["gone"].error is not None
    assert len(stored.frames) == 6


async def test_a_batch_that_fails_fails_each_of_its_frames() -> None:
    """A call that raises, or returns too few results, is the failure of each image in it."""
    stored = Stored()
    calls = 0

    def model(batch: list[Any]) -> list[Any]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("shape")
        return [PREDICTION] * (len(batch) - (calls == 2))

    async with Pipeline(at_once("cam", 12), model, stored.uploader(), batch_size=4, max_batch_wait=60.0) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert report.statistics.failed_by_reason == {"model": 8}
    assert len(stored.frames) == 4


async def test_a_plain_function_that_returns_a_coroutine_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    """A lambda around a coroutine function is not taken for one: the message says what to give."""

    async def predict(_pixels: Any) -> Any:
        return PREDICTION

    async with Pipeline(at_once("cam", 1), lambda pixels: predict(pixels.copy()), Stored().uploader()) as pipeline:
        report = await pipeline.run()
    assert report.statistics.failed == 1
    assert "give a coroutine function" in caplog.text


@pytest.mark.parametrize("joined", [False, True], ids=["alone", "all of"])
async def test_a_function_of_keep_may_raise_what_is_no_exception(*, joined: bool) -> None:
    """`pytest.fail`, a cancelled future that it looked at: the frame has failed, and the run goes on."""
    errors: list[BaseException] = [pytest.fail.Exception("no"), asyncio.CancelledError(), GeneratorExit()]

    def broken(_candidate: Candidate) -> bool:
        if errors:
            raise errors.pop()
        return True

    keep = [broken, every(3600)] if joined else broken
    stored = Stored()
    async with Pipeline(at_once("cam", 4), same, stored.uploader(), keep=keep) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert (report.statistics.failed_by_reason, len(stored.frames)) == ({"keep": 3}, 1)


async def test_a_function_of_keep_that_raises_fails_the_frame(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted; where another rule keeps the frame all the same, it is sent and the log tells."""

    def broken(candidate: Candidate) -> bool:
        raise KeyError(candidate.source)

    stored = Stored()
    async with Pipeline(at_once("cam", 3), same, stored.uploader(), keep=broken) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert report.statistics.failed_by_reason == {"keep": 3}
    caplog.clear()
    async with Pipeline(at_once("cam", 3), same, stored.uploader(), keep=broken | every(3600)) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert (report.statistics.submitted, report.statistics.failed) == (1, 2)
    assert "KeyError" in caplog.text
    failed = [record for record in caplog.records if hasattr(record, "failed")]
    assert sum(record.failed for record in failed) == 2, "as the report has it"
    (kept,) = (record for record in caplog.records if hasattr(record, "keep_errors"))
    assert (kept.keep_errors, kept.sources) == (1, ["source-1"])
    assert "a function of keep= raised, and another rule kept the frames: 1 (keep 1) of source-1" in kept.message


async def test_a_frame_that_the_uploader_refuses_is_counted() -> None:
    """One that is larger than all room is not the end."""
    stored = Stored()
    async with Pipeline(at_once("cam", 3), same, stored.uploader(max_pending_bytes=10)) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert report.statistics.failed_by_reason == {"submit": 3}


def test_failures_are_told_at_first_and_then_every_thirty_seconds() -> None:
    """Ten failures a second for a minute are three lines, in which each failure is counted once."""
    log = FailureLog()
    lines = [
        line for tick in range(600) if (line := log.failed(tick / 10, "model", f"cam-{tick % 5}", ValueError("x")))
    ]
    rest = log.rest(60.0)
    assert rest is not None
    assert [line.fields["failed"] for line in (*lines, rest)] == [1, 300, 299]
    assert "of cam-0, cam-1, cam-2 and 2 more, the last: ValueError: x" in rest.text
    assert log.rest(61.0) is None


async def test_a_password_in_an_error_of_others_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """A source and a model of the user raise what holds the address of a camera: the log shows it without user and password."""
    stored, address = Stored(), "rtsp://admin:hunter2@gate/main?key=hunter2"

    async def broken() -> AsyncIterator[Image]:
        yield make_image("gate", 0)
        raise OSError(f"cannot read {address}")

    def model(_pixels: Any) -> Any:
        raise ValueError(f"nothing of {address}")

    async with Pipeline({"gate": broken()}, model, stored.uploader()) as pipeline:
        report = await pipeline.run()
    assert address in str(report.statistics.by_source["gate"].error)
    assert "the source gate of the pipeline ended: OSError: cannot read rtsp://***@gate/main?***" in caplog.text
    assert "ValueError: nothing of rtsp://***@gate/main?***" in caplog.text
    assert "hunter2" not in caplog.text
