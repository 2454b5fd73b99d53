"""Turns, ages, batches and order: many cameras at one model, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from picsellia_async import Pipeline
from picsellia_async.pipeline import quota
from picsellia_async.sources import Image

from ..support.frames import PREDICTION
from ..support.pipelines import Stored, at_once, balanced, film, hanging, make_image, slow, until
from ..support.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Asyncio with a clock that jumps."""
    return "asyncio", {"loop_factory": VirtualLoop}


async def test_fifty_cameras_share_a_model_that_is_too_slow() -> None:
    """Five frames a second each, 20 ms in two workers: within 5 % the same of each, ages bounded, every frame in one count."""
    stored = Stored()
    cameras = {f"cam-{n}": film(f"cam-{n}", 150, 0.2, first=n * 0.004) for n in range(50)}
    async with Pipeline(cameras, slow(0.02), stored.uploader(), workers=2, when_busy="drop_oldest") as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    numbers = report.statistics
    assert numbers.received == 50 * 150
    assert numbers.submitted + numbers.skipped_by_reason["superseded"] == numbers.received
    # 30 seconds of two workers with 50 calls a second each.
    assert 2900 <= numbers.submitted <= 3100
    each = [one.submitted for one in numbers.by_source.values()]
    mean = sum(each) / len(each)
    assert all(abs(count - mean) <= 0.05 * mean for count in each)
    # A turn of all fifty takes 0.5 s, and the newest frame waits for it.
    assert all(one.age.p95 <= 0.55 for one in numbers.by_source.values())


async def test_a_dead_camera_slows_nobody() -> None:
    """Of three cameras one gives nothing and one fails: the third has all its frames predicted."""
    stored = Stored()

    async def failing():
        yield make_image("bad", 0)
        raise OSError("unplugged")

    cameras = {"dead": hanging(), "bad": failing(), "good": film("good", 20, 0.1)}
    async with Pipeline(cameras, slow(0.05), stored.uploader()) as pipeline:
        running = asyncio.ensure_future(pipeline.run())
        await until(lambda: pipeline.statistics().by_source["good"].submitted == 20)
        assert asyncio.get_running_loop().time() < 2.3
        pipeline.stop()
        report = await running
    assert balanced(report)
    assert stored.by_source() == {"good": 20, "bad": 1}
    assert isinstance(report.statistics.by_source["bad"].error, OSError)
    assert report.statistics.by_source["dead"].error is None
    assert not report.is_complete


async def test_a_frame_that_waited_too_long_is_not_predicted() -> None:
    """With `max_age` what is older when its turn comes is counted, and the model does not see it."""
    seen: list[str] = []

    async def model(image: Image) -> Any:
        seen.append(image.filename)
        await asyncio.sleep(1.0)
        return PREDICTION

    stored = Stored()
    sources = {f"cam-{n}": film(f"cam-{n}", 1, 0.1, first=n * 0.001) for n in range(5)}
    async with Pipeline(sources, model, stored.uploader(), input="image", max_age=1.5) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert seen == ["cam-0/000000.jpg", "cam-1/000000.jpg"]
    assert report.statistics.skipped_by_reason == {"too_old": 3}


async def test_a_source_that_is_no_camera_waits_for_its_turn() -> None:
    """Of a folder or a video every frame is predicted, in order, however slow the model is and whichever worker is first."""

    async def model(image: Image) -> Any:
        await asyncio.sleep(0.3 if image.filename.endswith("0.jpg") else 0.1)
        return PREDICTION

    stored = Stored()
    async with Pipeline(
        at_once("folder", 30), model, stored.uploader(ordered_by="source"), input="image", workers=4
    ) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert stored.names == [f"folder/{n:06d}.jpg" for n in range(30)]
    assert report.is_complete


async def test_a_call_that_hangs_holds_back_few_frames() -> None:
    """Of a source whose one call does not return, 64 frames wait for order's sake; then the others pass it."""
    hold = asyncio.Event()

    async def model(image: Image) -> Any:
        if image.filename.endswith("000000.jpg"):
            await hold.wait()
        return PREDICTION

    stored = Stored()
    async with Pipeline(at_once("cam", 200), model, stored.uploader(), input="image", workers=2) as pipeline:
        running = asyncio.ensure_future(pipeline.run())
        await until(lambda: pipeline.statistics().submitted == 136)
        assert pipeline.statistics().pending <= 64
        hold.set()
        assert balanced(await running)
    assert len(stored.names) == 200


async def test_batches_are_filled_across_cameras() -> None:
    """Four cameras at once make one call of four; a single one is called with alone after `max_batch_wait`."""
    sizes: list[int] = []

    async def model(batch: list[Any]) -> list[Any]:
        sizes.append(len(batch))
        await asyncio.sleep(0.05)
        return [PREDICTION] * len(batch)

    stored = Stored()
    cameras = {f"cam-{n}": film(f"cam-{n}", 5, 1.0, first=n * 0.001) for n in range(4)}
    cameras["late"] = film("late", 1, 9.0)
    async with Pipeline(cameras, model, stored.uploader(), batch_size=4, max_batch_wait=0.02) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert sizes == [4, 4, 4, 4, 4, 1]
    assert report.statistics.submitted == 21


async def test_never_more_calls_than_workers() -> None:
    """A coroutine function runs as often at once as there are workers."""
    busy = most = 0

    async def model(_pixels: Any) -> Any:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        return PREDICTION

    stored = Stored()
    sources = [at_once(f"s{n}", 20) for n in range(6)]
    async with Pipeline(sources, model, stored.uploader(), workers=3) as pipeline:
        await pipeline.run()
    assert (most, len(stored.frames)) == (3, 120)


async def test_a_full_uploader_holds_back_the_model_and_not_the_memory() -> None:
    """The uploader has room for one frame and the service is slow: of a camera what is newer replaces what waits."""
    stored = Stored()

    async def send(frame: Any, request: bytes) -> dict[str, Any]:
        await asyncio.sleep(1.0)
        return await Stored.send(stored, frame, request)

    stored.send = send  # type: ignore[method-assign]
    uploader = stored.uploader(max_pending_frames=1, concurrency=1)
    async with Pipeline(film("cam", 100, 0.1), slow(0.01), uploader, when_busy="drop_oldest") as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert 10 <= report.statistics.submitted <= 14
    assert report.statistics.skipped_by_reason["superseded"] >= 85


async def test_a_quota_holds_while_the_uploader_has_no_room() -> None:
    """Frames of several cameras that wait for room at the same time are counted before they have it."""
    stored = Stored()
    cameras = [film(f"cam-{n}", 5, 1.0) for n in range(4)]
    uploader = stored.uploader(max_pending_frames=1)
    async with Pipeline(cameras, slow(0.1), uploader, workers=4, keep=quota(per_minute=3), tell_rules=True) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert (report.statistics.submitted, report.statistics.skipped_by_reason) == (3, {"quota": 17})
    assert [frame.custom_metadata for frame in stored.frames] == [
        {"picsellia_async_kept_by": "quota", "picsellia_async_not_kept": 0}
    ] * 3
