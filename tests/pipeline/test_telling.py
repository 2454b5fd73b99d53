"""What a pipeline tells the log when no event would: in virtual time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from picsellia_async import Pipeline
from picsellia_async.pipeline._watch import ModelWatch
from picsellia_async.sources import Image

from ..support.frames import PREDICTION
from ..support.pipelines import Stored, balanced, film
from ..support.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Asyncio with a clock that jumps."""
    return "asyncio", {"loop_factory": VirtualLoop}


class Lines(logging.Handler):
    """Keeps lines about the model and failures, each with the second of the loop in which it came."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.told.append((round(asyncio.get_running_loop().time()), record.getMessage()))


@pytest.fixture
def lines() -> Any:
    """What the library logs."""
    handler, logger = Lines(), logging.getLogger("picsellia_async")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


async def test_failures_that_no_other_follows_are_told(lines: Lines) -> None:
    """A model that fails for 20 of 120 seconds: all failures are told within 31 seconds of the last one."""
    stored = Stored()

    async def model(image: Image) -> Any:
        if 5 <= asyncio.get_running_loop().time() - began < 25:
            raise ValueError("out of order")
        return PREDICTION

    async with Pipeline({"gate": film("gate", 1200, 0.1)}, model, stored.uploader(), input="image") as pipeline:
        began = asyncio.get_running_loop().time()
        report = await pipeline.run()
    assert balanced(report)
    failed = report.statistics.failed_by_reason["model"]
    texts = [text for _, text in lines.told if "frames failed in the pipeline" in text]
    times = [at - began for at, text in lines.told if "frames failed in the pipeline" in text]
    assert [text.split(" of gate")[0].rsplit(": ", 1)[1] for text in texts] == [
        "1 (model 1)",
        f"{failed - 1} (model {failed - 1})",
    ]
    assert times[0] <= 6
    assert times[1] <= 5 + 30 + 2


async def test_a_model_that_does_not_return_is_told(lines: Lines) -> None:
    """A call of 40 seconds is told at 15 and when it returns; calls of two seconds are not."""
    stored = Stored()
    calls = 0

    async def model(image: Image) -> Any:
        nonlocal calls
        calls += 1
        await asyncio.sleep(40 if calls == 5 else 2)
        return PREDICTION

    async with Pipeline({"gate": film("gate", 100, 1.0)}, model, stored.uploader(), input="image") as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    texts = [text for _, text in lines.told if text.startswith("the model")]
    assert len(texts) == 2
    assert texts[0].startswith("the model of the pipeline has not returned for 1")
    assert texts[0].endswith(" s: a call, of gate; no frame is predicted meanwhile")
    assert texts[1] == "the model of the pipeline returned after 40 s"


def test_a_model_that_is_always_slow_is_told_once() -> None:
    """Calls of 20 seconds are usual from the first one on."""
    watch = ModelWatch()
    told = []
    for call in range(10):
        number = watch.begin(call * 20.0, ["a"])
        told += [watch.look(call * 20.0 + second) for second in range(1, 20)]
        told.append(watch.end(call * 20.0 + 20, number))
    assert [line.text.split(":")[0] for line in told if line is not None] == [
        "the model of the pipeline has not returned for 15 s",
        "the model of the pipeline returned after 20 s",
    ]


def test_a_hang_hides_none_that_follows() -> None:
    """A call of 20 seconds between quick ones, and later some of minutes: each is told after 15 seconds, and when it returns."""
    watch, now, told = ModelWatch(), 0.0, []
    for seconds in [0.1] * 50 + [20.0] + [0.1] * 600 + [60.0, 600.0, 60.0]:
        number = watch.begin(now, ["a"])
        told += [watch.look(now + second) for second in range(1, int(min(seconds, 16)) + 1)]
        now += seconds
        told.append(watch.end(now, number))
    hangs = "the model of the pipeline has not returned for 15 s"
    assert [line.text.split(":")[0] for line in told if line is not None] == [
        hangs, "the model of the pipeline returned after 20 s", hangs, "the model of the pipeline returned after 60 s",
        hangs, "the model of the pipeline returned after 600 s", hangs, "the model of the pipeline returned after 60 s",
    ]  # fmt: skip


@pytest.mark.parametrize("seconds", [20.0, 90.0, 400.0])
def test_a_hang_of_a_slow_model_is_told_within_two_calls_or_a_minute(seconds: float) -> None:
    """Its usual calls are told once, the first of them."""
    watch = ModelWatch()
    told = []
    for call in range(10):
        number = watch.begin(call * seconds, ["a"])
        told.append(watch.look((call + 1) * seconds))
        told.append(watch.end((call + 1) * seconds, number))
    assert len([line for line in told if line is not None]) == 2
    watch.begin(10 * seconds, ["a"])
    assert watch.look(10 * seconds + max(60.0, 2 * seconds) - 1) is None
    assert watch.look(10 * seconds + max(60.0, 2 * seconds)) is not None


def test_a_model_of_which_some_calls_are_slow_is_told_once_a_minute() -> None:
    """Two quick calls and one of 20 seconds, for a day: under 3,000 lines."""
    watch, now, told = ModelWatch(), 0.0, []
    while now < 24 * 3600:
        for seconds in (1.0, 1.0, 20.0):
            number = watch.begin(now, ["a"])
            told += [watch.look(now + 0.9 * seconds)]
            now += seconds
            told.append(watch.end(now, number))
    assert 2000 < len([line for line in told if line is not None]) < 3000


def test_one_that_never_returns_is_told_less_and_less_often() -> None:
    """A day of it is 33 lines at most, with how long it has been, and how many workers are left."""
    watch = ModelWatch()
    watch.begin(0.0, [f"cam-{n}" for n in range(5)])
    watch.begin(86_390.0, ["late"])
    lines = [line for second in range(86_400) if (line := watch.look(float(second)))]
    assert 5 <= len(lines) <= 33
    assert lines[0].text == (
        "the model of the pipeline has not returned for 15 s: a call, of cam-0, cam-1, cam-2 and 2 more; 1 other call goes on"
    )
    assert lines[-1].fields["calls"] == 1


async def test_a_call_that_was_given_up_did_not_return(lines: Lines) -> None:
    """It was told as hanging, and is cancelled at the end: no line says that the model returned."""
    stored = Stored()

    async def model(image: Image) -> Any:
        await asyncio.sleep(3600)
        return PREDICTION

    feeds = {"gate": film("gate", 3, 1.0)}
    async with Pipeline(feeds, model, stored.uploader(), input="image", stop_timeout=1.0) as pipeline:
        asyncio.get_running_loop().call_later(20, pipeline.stop)
        report = await pipeline.run()
    assert balanced(report)
    texts = [text for _, text in lines.told]
    assert any("the model of the pipeline has not returned for 15 s" in text for text in texts)
    assert any("the pipeline ends without waiting for the model: a call, of gate" in text for text in texts)
    assert not any("the model of the pipeline returned" in text for text in texts)


def test_calls_are_told_again_after_one_that_was_given_up() -> None:
    """A call that was cancelled leaves nothing behind: the next one that hangs is told after 15 seconds, and its return too."""
    watch = ModelWatch()
    given_up = watch.begin(0.0, ["a"])
    assert watch.look(20.0) is not None
    watch.discard(given_up)
    number = watch.begin(100.0, ["a"])
    assert watch.look(115.0) is not None
    assert (line := watch.end(120.0, number)) is not None
    assert line.text == "the model of the pipeline returned after 20 s"
