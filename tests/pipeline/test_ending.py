"""How a run ends: by its sources, `stop`, signals, a cancellation, an error; what is under way gets its end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from picsellia_async import ClosedError, Pipeline
from picsellia_async.pipeline import around

from ..support.frames import PREDICTION
from ..support.pipelines import Stored, at_once, balanced, film, hanging, same, slow, until

pytestmark = pytest.mark.anyio

PROGRAM = Path(__file__).parents[1] / "support" / "watch_until_signalled.py"


async def signalled(loop: str, seconds: float, *signals: signal.Signals, spool: str = "") -> tuple[dict[str, Any], str]:
    """Run the program until frames flow, send signals, and return what it printed last, and stderr."""
    arguments = (loop, str(seconds), *([spool] if spool else []))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "dev", "-W", "error", str(PROGRAM), *arguments, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert await process.stdout.readline() == b"ready\n"
        for number in signals:
            process.send_signal(number)
            await asyncio.sleep(0.5)
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    # asyncio's debug mode, which `-X dev` brings, remarks on a slow machine.
    said = [line for line in err.decode().splitlines() if not line.startswith("Executing <")]
    return json.loads(out), "\n".join(said)


@pytest.mark.parametrize(("loop", "number"), [("asyncio", signal.SIGINT), ("uvloop", signal.SIGTERM)])
async def test_the_first_signal_ends_it_in_order(loop: str, number: signal.Signals) -> None:
    """Sources, model, delivery, report; the handlers are those of before, and no thread or task is left."""
    told, said = await signalled(loop, 0.01, number)
    assert told["ended_by"] == number.name
    assert told["submitted"] == told["accepted"] == told["delivered"] == told["sent"] >= 5
    assert (told["pending"], told["dropped"], told["handlers"], told["threads"], told["tasks"]) == (0, 0, True, [], 1)
    assert "Traceback" not in said
    assert "Warning" not in said


@pytest.mark.parametrize(("loop", "spool"), [("asyncio", ""), ("uvloop", "spool")])
async def test_the_second_signal_ends_it_at_once(loop: str, spool: str, tmp_path: Path) -> None:
    """The service does not answer, and closing would wait for an hour: frames are dropped, or left in the spool."""
    told, said = await signalled(
        loop, 3600, signal.SIGINT, signal.SIGTERM, spool=str(tmp_path / spool) if spool else ""
    )
    assert told["ended_by"] == "SIGINT"
    assert told["accepted"] == told["spooled" if spool else "dropped"] > 0
    assert (told["pending"], told["delivered"], told["handlers"], told["threads"]) == (0, 0, True, [])
    assert "frames not delivered" in said or "left" in said


async def test_stop_from_another_thread() -> None:
    """`stop` may be called from anywhere; what waits for its turn is not predicted any more, what was submitted is delivered."""
    stored = Stored()
    async with Pipeline([film("a", 10**6, 0.001), hanging()], same, stored.uploader()) as pipeline:
        running = asyncio.ensure_future(pipeline.run())
        await until(lambda: pipeline.statistics().submitted >= 5)
        await asyncio.to_thread(pipeline.stop)
        report = await running
    assert balanced(report)
    assert report.ended_by == "stop"
    assert len(stored.frames) == report.upload.delivered == report.statistics.submitted


async def test_leaving_the_block_stops_a_run_in_another_task() -> None:
    """The block waits for its end; `run` returns its report as after `stop`."""
    stored = Stored()
    async with Pipeline(film("a", 10**6, 0.001), same, stored.uploader()) as pipeline:
        running = asyncio.ensure_future(pipeline.run())
        await until(lambda: bool(stored.frames))
    assert balanced(await running)
    assert pipeline.uploader.is_closed


async def test_stop_waits_for_calls_of_the_model() -> None:
    """A frame that the model has is delivered."""
    begun, go = threading.Event(), threading.Event()

    def model(_pixels: Any) -> Any:
        begun.set()
        assert go.wait(60)
        return PREDICTION

    stored = Stored()
    async with Pipeline(film("a", 100, 0.001), model, stored.uploader(), stop_timeout=60.0) as pipeline:
        running = asyncio.ensure_future(pipeline.run())
        await asyncio.to_thread(begun.wait, 60)
        pipeline.stop()
        await asyncio.sleep(0.05)
        go.set()
        report = await running
    assert balanced(report)
    assert stored.names == ["a/000000.jpg"]


@pytest.mark.parametrize("how", ["stop_timeout", "at_once"])
async def test_a_model_that_hangs_does_not_hold_up_the_end(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """After `stop_timeout`, or at once, its frame counts as stopped, and the log tells."""
    hold = asyncio.Event()

    async def model(_pixels: Any) -> Any:
        await hold.wait()

    stored = Stored()
    seconds = 0.01 if how == "stop_timeout" else 3600.0
    async with Pipeline(film("a", 100, 0.001), model, stored.uploader(), stop_timeout=seconds) as pipeline:
        running = asyncio.ensure_future(pipeline.run())
        await until(lambda: pipeline.statistics().received > 1)
        pipeline.stop(at_once=how == "at_once")
        report = await running
    assert balanced(report)
    assert report.statistics.skipped_by_reason == {"stopped": report.statistics.received}
    stopped = report.statistics.received
    assert f"without waiting for the model: a call, of source-1; {stopped} frame" in caplog.text
    told = next(record for record in caplog.records if "without waiting" in record.getMessage())
    assert (told.stopped, told.calls, told.sources) == (stopped, 1, ["source-1"])


async def test_a_stop_that_waits_for_the_model_tells(caplog: pytest.LogCaptureFixture) -> None:
    """A second after `stop`, while the model has not returned: for how long at most, how many calls, and of which sources."""
    hold = asyncio.Event()

    async def model(_pixels: Any) -> Any:
        await hold.wait()

    stored = Stored()
    async with Pipeline({"gate": film("gate", 100, 0.001)}, model, stored.uploader(), stop_timeout=3600.0) as pipeline:
        running = asyncio.ensure_future(pipeline.run())
        await until(lambda: pipeline.statistics().received > 1)
        pipeline.stop()
        await until(lambda: "waits up to" in caplog.text)
        hold.set()
        assert balanced(await running)
    told = next(record for record in caplog.records if "waits up to" in record.getMessage())
    assert told.getMessage() == "the pipeline waits up to 3599 s for the model: a call, of gate"
    assert (told.seconds, told.calls, told.sources) == (3599.0, 1, ["gate"])
    assert "without waiting" not in caplog.text


async def test_a_stop_that_waits_for_the_uploader_s_room_tells(caplog: pytest.LogCaptureFixture) -> None:
    """No call of the model is under way, and the frame that it has seen finds no room."""
    options: dict[str, Any] = {"max_pending_frames": 1, "close_timeout": 0.1}
    async with Pipeline(film("gate", 100, 0.001), same, Stored().uploader(**options), stop_timeout=1.5) as pipeline:
        running = asyncio.ensure_future(pipeline.run())
        pipeline.uploader.pause()

        def is_waiting() -> bool:
            numbers = pipeline.statistics()
            is_full = pipeline.uploader.statistics().pending_frames == 1
            return is_full and numbers.predicted == numbers.submitted + 1

        await until(is_waiting)
        pipeline.stop()
        assert balanced(await running)
    assert "waits up to 0 s for room in the uploader" in caplog.text
    assert "ends without waiting for room in the uploader; " in caplog.text


async def test_a_cancelled_run_leaves_nothing_behind() -> None:
    """Sources and model are ended, the uploader is closed by the block, and the account is balanced."""
    stored = Stored()
    tasks = asyncio.all_tasks()
    with pytest.raises(asyncio.CancelledError):
        async with Pipeline([film("a", 10**6, 0.001), hanging()], slow(0.01), stored.uploader()) as pipeline:
            running = asyncio.ensure_future(pipeline.run())
            await until(lambda: bool(stored.frames))
            running.cancel()
            await running
    assert balanced(pipeline.report)
    assert pipeline.uploader.is_closed
    assert asyncio.all_tasks() == tasks


async def test_frames_held_back_are_counted_at_the_end() -> None:
    """What waits for an event that does not come is not kept; nothing stays pending."""
    stored = Stored()
    async with Pipeline(at_once("a", 5), same, stored.uploader(), keep=around(lambda _: False)) as pipeline:
        running = asyncio.ensure_future(pipeline.run())
        report = await running
    assert balanced(report)
    assert report.statistics.skipped_by_reason == {"around": 5}


async def test_a_pipeline_runs_once() -> None:
    """Not before it is open, not twice, and not opened again."""
    pipeline = Pipeline(at_once("a", 1), same, Stored().uploader())
    with pytest.raises(ClosedError, match="inside `async with"):
        await pipeline.run()
    async with pipeline:
        report = await pipeline.run()
        with pytest.raises(ClosedError, match="runs once"):
            await pipeline.run()
    assert report.ended_by == "sources"
    assert report.is_complete
    with pytest.raises(ClosedError, match="opened once"):
        await pipeline.__aenter__()
    assert "1 received, 1 submitted" in repr(pipeline)
    assert str(report).startswith("1 frames of 1 sources in 0 s: 1 submitted, 0 skipped, 0 failed; 1 of 1 delivered")


async def test_stopped_before_it_runs() -> None:
    """The run ends at once, with nothing submitted."""
    async with Pipeline(hanging(), same, Stored().uploader()) as pipeline:
        pipeline.stop()
        await asyncio.sleep(0)
        report = await pipeline.run()
    assert (report.statistics.received, report.ended_by) == (0, "stop")


async def test_a_signal_ends_each_pipeline_and_reaches_a_server() -> None:
    """Of several pipelines in one process each is told, and a handler that stood there before, a web server's, is called as well."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    here = signal.getsignal(signal.SIGTERM)
    try:
        async with (
            Pipeline({"a": film("a", 10**6, 0.01)}, same, Stored().uploader()) as first,
            Pipeline({"b": film("b", 10**6, 0.01)}, same, Stored().uploader()) as second,
        ):
            runs = [asyncio.create_task(pipeline.run()) for pipeline in (first, second)]
            await until(lambda: first.statistics().submitted and second.statistics().submitted)
            os.kill(os.getpid(), signal.SIGTERM)
            reports = await asyncio.gather(*runs)
        assert [report.ended_by for report in reports] == ["SIGTERM", "SIGTERM"]
        assert told == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is here
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_in_a_thread_no_signal_is_touched() -> None:
    """Outside the main thread Python installs no handlers: the run goes on without."""
    before = signal.getsignal(signal.SIGINT)
    stored = Stored()

    async def run() -> None:
        async with Pipeline(at_once("a", 3), same, stored.uploader()) as pipeline:
            await pipeline.run()

    await asyncio.to_thread(asyncio.run, run())
    assert len(stored.frames) == 3
    assert signal.getsignal(signal.SIGINT) is before


async def test_a_signal_that_the_process_ignores_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A shell script that starts it with `&` leaves SIGINT ignored: it stays so, and one line says what stops it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with caplog.at_level(logging.WARNING, "picsellia_async"):
            async with Pipeline(at_once("a", 3), same, Stored().uploader()) as pipeline:
                await pipeline.run()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    said = [record.getMessage() for record in caplog.records if "ignored" in record.getMessage()]
    assert said == ["SIGINT is ignored by whoever started this process, and ends nothing; SIGTERM stops the pipeline"]
