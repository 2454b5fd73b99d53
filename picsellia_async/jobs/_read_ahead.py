"""`ReadAhead`: frames of an input, read while others are on their way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, Iterable
from typing import Final

from picsellia_async._delivery.iterables import each
from picsellia_async.frames import Frame, no_frame

_READ_AHEAD: Final = 192
"""Frames that are read before the uploader asks for them, so that many share one write of the journal, which costs half a
millisecond of CPU."""
_READ_AHEAD_BYTES: Final = 16 * 2**20
"""Bytes of their images; of larger ones fewer are read ahead."""


class ReadAhead:
    """Reads the input while the uploader works, so that the journal is written for many frames at a time.

    The reader and who takes wake each other once a batch, not once a frame.
    """

    def __init__(self, frames: Iterable[Frame] | AsyncIterable[Frame]) -> None:
        self._batch: list[Frame] = []
        self._bytes = 0
        """Of images in the batch."""
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._reading = asyncio.get_running_loop().create_task(self._read(frames))
        self._reading.add_done_callback(lambda _: self._changed.set())

    async def batch(self) -> list[Frame]:
        """Return what was read, at least one; nothing at the end. Raises what the input did, after the frames before it."""
        while not self._batch:
            if self._reading.done():
                self._reading.result()
                return []
            self._changed.clear()
            await self._changed.wait()
        batch, self._batch, self._bytes = self._batch, [], 0
        self._taken.set()
        return batch

    async def aclose(self) -> None:
        """End the reading."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, frames: Iterable[Frame] | AsyncIterable[Frame]) -> None:
        async with contextlib.aclosing(each(frames)) as found:
            async for frame in found:
                if not isinstance(frame, Frame):
                    raise no_frame(frame, "a job takes Frames")
                self._batch.append(frame)
                if type(frame.image) is bytes:
                    self._bytes += len(frame.image)
                if len(self._batch) == 1:
                    self._changed.set()
                if len(self._batch) >= _READ_AHEAD or self._bytes >= _READ_AHEAD_BYTES:
                    self._taken.clear()
                    await self._taken.wait()
