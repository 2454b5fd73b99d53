"""What a frame counts in `max_pending_bytes` is what it takes in memory."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from picsellia_async import AsyncDeployment
from picsellia_async._delivery.receipt import memory_size
from picsellia_async._wire.oracle_requests import monitor_metadata
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.transport.fault_register import Fault
from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat, PredictionFormat, SegmentationPredictionFormat

pytestmark = pytest.mark.anyio

FRAMES = 150


def boxes(count: int) -> DetectionPredictionFormat:
    numbers = range(count)
    return DetectionPredictionFormat(
        [i % 80 for i in numbers], [[i, 2 * i, 300 + i, 400] for i in numbers], [1 / (i + 2) for i in numbers]
    )


def polygons(count: int) -> SegmentationPredictionFormat:
    numbers = range(count)
    return SegmentationPredictionFormat(
        detection_classes=[i % 80 for i in numbers],
        detection_masks=[[[300 + i, 400 + j] for j in range(50)] for i in numbers],
        detection_scores=[1 / (i + 2) for i in numbers],
    )


def frame(number: int, prediction: PredictionFormat) -> Frame:
    return Frame(
        image=b"\xff\xd8\xff%08d" % number, filename=f"frame-{number:06d}.jpg", width=1280, height=800, latency=0.1,
        prediction=prediction, checks="off",
    )  # fmt: skip


@pytest.mark.parametrize("count", [0, 10, 100])
async def test_frames_that_wait_take_no_more_than_they_count(
    deployment: AsyncDeployment, emulator: Emulator, count: int
) -> None:
    """Tiny images with few boxes or many: what is allocated for them stays below `pending_bytes`."""
    emulator.faults.add(Fault(kind="stall", direction="down", endpoint="monitor"))
    async with deployment.uploader(concurrency=1, close_timeout=0) as uploader:
        await uploader.submit(frame(0, boxes(count)))
        gc.collect()
        tracemalloc.start()
        before = uploader.statistics().pending_bytes
        for number in range(1, FRAMES + 1):
            await uploader.submit(frame(number, boxes(count)))
        taken = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        counted = uploader.statistics().pending_bytes - before
    assert 0.5 * counted < taken < 1.1 * counted


@pytest.mark.parametrize("count", [1, 20])
def test_polygons_count_as_what_they_take(count: int) -> None:
    """A point is two numbers and a list: twelve times its text."""
    tracemalloc.start()
    made = [frame(number, polygons(count)) for number in range(20)]
    taken = tracemalloc.get_traced_memory()[0] / len(made)
    tracemalloc.stop()
    request = monitor_metadata(made[0])
    counted = memory_size(len(made[0].image), request) - len(request)
    assert 0.5 * counted < taken < 1.1 * counted
