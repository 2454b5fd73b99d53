"""Predictions on many images: so many at a time, and their answers as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import attrs

from picsellia_async._delivery.iterables import check, each
from picsellia_async._delivery.options import CONCURRENCY_MAX
from picsellia_async._deployment.predicting import Predicting
from picsellia_async._services.files import read_image
from picsellia_async._wire.serving_requests import PredictRequest
from picsellia_async.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionConfigurationError,
    HostNotConfiguredError,
    PermissionDeniedError,
    PicselliaError,
    shown,
)
from picsellia_async.resources.data import Data
from picsellia_async.responses import PredictionAnswer
from picsellia_async.validation import whole_number

_OF_ALL: Final = (ConnectionConfigurationError, HostNotConfiguredError, AuthenticationError, PermissionDeniedError)
"""What stands against every image alike."""


class Picture(Protocol):
    """An image with its name, such as `picsellia_async.sources` give."""

    @property
    def image(self) -> bytes | Path:
        """The encoded image, or the file it is in."""

    @property
    def filename(self) -> str:
        """Name on the platform."""


Predictable: TypeAlias = str | Path | Picture | Data
"""A file, an image of a source, or data of the target datalake."""


@attrs.frozen
class Predicted:
    """What became of one image of `predict_many`."""

    image: Predictable
    """As it was given."""
    answer: PredictionAnswer | None = attrs.field(repr=False)
    """What the serving host answered; None where it, or the image, stood against it."""
    error: PicselliaError | None = None
    """Why there is no answer."""
    seconds: float = 0.0
    """From asking to the answer, repetitions included."""


class PredictionStream:
    """Asks for predictions on images, a bounded number at a time."""

    def __init__(self, predicting: Predicting, request: PredictRequest, concurrency: int) -> None:
        """Store the settings.

        Raises:
            ConfigurationError: `concurrency` is no number of 1 to 1,000.
        """
        self._predicting = predicting
        self._request = request
        self._concurrency = whole_number(concurrency, "concurrency", 1)
        if self._concurrency > CONCURRENCY_MAX:
            raise ConfigurationError(f"concurrency must be 1 to {CONCURRENCY_MAX}, got {concurrency}")

    async def results(
        self, images: Iterable[Predictable] | AsyncIterable[Predictable]
    ) -> AsyncGenerator[Predicted, None]:
        """Yield what became of each image, in the order in which that is known."""
        check(images, "images must be an iterable of images")
        iterator = each(images)
        reading: asyncio.Task[Predictable] | None = asyncio.create_task(_next(iterator))
        running: set[asyncio.Task[Predicted]] = set()
        error: BaseException | None = None
        try:
            while reading is not None or running:
                waited: set[asyncio.Task[Predictable] | asyncio.Task[Predicted]] = {*running}
                if reading is not None and len(running) < self._concurrency:
                    waited.add(reading)
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if reading is not None and reading in waited and reading.done():
                    try:
                        running.add(asyncio.create_task(self._one(reading.result())))
                        reading = asyncio.create_task(_next(iterator))
                    except _OverError:
                        reading = None
                    except Exception as raised:  # noqa: BLE001 - the caller's iterable may raise anything; it is raised at the end
                        reading, error = None, raised
                for ended in [task for task in running if task.done()]:
                    running.discard(ended)
                    yield ended.result()
            if error is not None:
                raise error
        finally:
            tasks = [*running, *([] if reading is None else [reading])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await iterator.aclose()

    async def _one(self, image: Predictable) -> Predicted:
        call = self._call(image)
        begun = time.monotonic()
        try:
            answer = await call()
        except _OF_ALL:
            raise
        except PicselliaError as error:
            return Predicted(image, None, error, time.monotonic() - begun)
        return Predicted(image, answer, None, time.monotonic() - begun)

    def _call(self, image: Predictable) -> Callable[[], Awaitable[PredictionAnswer]]:
        if isinstance(image, (str, Path)):
            return lambda: self._predicting.on_file(image, self._request)
        if isinstance(image, Data):
            return lambda: self._predicting.on_stored(image.object_name, self._request)
        content, name = getattr(image, "image", None), getattr(image, "filename", None)
        if not isinstance(content, (bytes, Path)) or not isinstance(name, str):
            raise ConfigurationError(
                f"images must give files, images of a source, or Data of the datalake, got {shown(image)}"
            )
        return lambda: self._on_picture(content, name)

    async def _on_picture(self, content: bytes | Path, name: str) -> PredictionAnswer:
        image = await read_image(content, "image") if isinstance(content, Path) else content
        return await self._predicting.on_bytes(name, image, self._request)


class _OverError(Exception):
    """The iterable is at its end; a task cannot end by `StopAsyncIteration`."""


async def _next(iterator: AsyncGenerator[Predictable, None]) -> Predictable:
    try:
        return await anext(iterator)
    except StopAsyncIteration:
        raise _OverError from None
