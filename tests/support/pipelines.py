"""Sources, models and uploaders for tests of the pipeline."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np

from picsellia_async.frames import Frame
from picsellia_async.pipeline import PipelineReport, PipelineSourceStatistics, PipelineStatistics
from picsellia_async.sources import Image
from picsellia_async.uploader import Uploader

from .frames import JPEG, PREDICTION

PIXELS = np.full((48, 64, 3), 90, np.uint8)


def make_image(source: str = "cam", number: int = 0, **fields: Any) -> Image:
    """Return an image whose name tells source and number."""
    values = {"image": JPEG + b"%06d" % number, "width": 64, "height": 48, "timestamp": 1.7e9, "pixels": PIXELS}
    return Image(**{**values, "filename": f"{source}/{number:06d}.jpg", "source": source, **fields})


async def film(source: str, count: int, seconds: float, first: float = 0.0, **fields: Any) -> AsyncIterator[Image]:
    """Give so many images, one per so many seconds."""
    await asyncio.sleep(first)
    for number in range(count):
        await asyncio.sleep(seconds)
        yield make_image(source, number, **fields)


async def at_once(source: str, count: int) -> AsyncIterator[Image]:
    """Give so many images without waiting."""
    for number in range(count):
        yield make_image(source, number)


async def hanging() -> AsyncIterator[Image]:
    """Give nothing, for ever, as a dead camera does."""
    await asyncio.Event().wait()
    yield make_image()


def slow(seconds: float) -> Any:
    """Return a model that takes so long, in the loop's time."""

    async def model(_pixels: Any) -> Any:
        await asyncio.sleep(seconds)
        return PREDICTION

    return model


def same(_pixels: Any) -> Any:
    """Predict the same for every image."""
    return PREDICTION


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    while not holds():  # noqa: ASYNC110 - a number that grows, of a pipeline in the same loop
        await asyncio.sleep(0.01)


class Stored:
    """What an uploader has sent."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    async def send(self, frame: Frame, request: bytes) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.frames.append(frame)
        return {"id": str(frame.id)}

    def uploader(self, **options: Any) -> Uploader:
        return Uploader(self.send, **options)

    @property
    def names(self) -> list[str]:
        return [frame.filename for frame in self.frames]

    def by_source(self) -> Counter[str | None]:
        return Counter(frame.source for frame in self.frames)


def balanced(report: PipelineReport) -> bool:
    """Whether every frame is in one count, for each source and over all, and none is left."""

    def one(numbers: PipelineSourceStatistics | PipelineStatistics) -> bool:
        return (
            numbers.received == numbers.submitted + numbers.skipped + numbers.failed
            and numbers.pending == 0
            and numbers.skipped == sum(numbers.skipped_by_reason.values())
            and numbers.failed == sum(numbers.failed_by_reason.values())
        )

    return (
        one(report.statistics)
        and all(one(numbers) for numbers in report.statistics.by_source.values())
        and report.statistics.submitted == report.upload.accepted
        and report.upload.is_balanced
    )
