"""Submitting an iterable and yielding the outcomes: the inside of `Uploader.stream`."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.outcomes import Outcome, Rejected
from picsellia_async._delivery.receipt import Receipt
from picsellia_async.errors import ConfigurationError, UploaderFullError, shown
from picsellia_async.frames import Frame

_OUTCOMES_MAX: Final = 64
"""Outcomes that may lie ready before feeding pauses: each holds its frame."""


class Stream:
    """One pass over an iterable."""

    def __init__(
        self,
        submit: Callable[[Frame], Awaitable[Receipt]],
        ledger: Ledger,
        frames: Iterable[Frame] | AsyncIterable[Frame],
    ) -> None:
        """Store the parts.

        Args:
            submit: Accepts a frame; a refusal is not counted there.
            ledger: Accepts frames that `submit` refuses, as rejected.
            frames: What to submit.

        Raises:
            ConfigurationError: No iterable.
        """
        if not isinstance(frames, (Iterable, AsyncIterable)):
            raise ConfigurationError(f"frames must be an iterable of Frame, sync or async, got {shown(frames)}")
        self._submit = submit
        self._ledger = ledger
        self._frames = frames
        self._ready: deque[Outcome] = deque()
        self._pending: set[Receipt] = set()
        """Receipts are held, since the uploader holds those of frames on disk only weakly."""
        self._came = asyncio.Event()
        self._taken = asyncio.Event()

    async def outcomes(self) -> AsyncGenerator[Outcome, None]:
        """Yield one outcome per frame."""
        feeder = asyncio.get_running_loop().create_task(self._feed())
        feeder.add_done_callback(lambda _: self._came.set())
        try:
            while self._ready or self._pending or not feeder.done():
                if not self._ready:
                    self._came.clear()
                    await self._came.wait()
                    continue
                outcome = self._ready.popleft()
                self._taken.set()
                yield outcome
            feeder.result()
        finally:
            feeder.cancel()
            await asyncio.wait([feeder])

    async def _feed(self) -> None:
        async with contextlib.aclosing(_each(self._frames)) as frames:
            await self._submit_each(frames)

    async def _submit_each(self, frames: AsyncIterator[Frame]) -> None:
        async for frame in frames:
            while len(self._ready) >= _OUTCOMES_MAX:
                self._taken.clear()
                await self._taken.wait()
            try:
                receipt = await self._submit(frame)
            except UploaderFullError as error:
                receipt = self._ledger.accept_ended(frame, Rejected(frame, error, attempts=0))
            self._pending.add(receipt)
            receipt.call(lambda outcome, receipt=receipt: self._ended(receipt, outcome))  # type: ignore[misc]

    def _ended(self, receipt: Receipt, outcome: Outcome) -> None:
        self._pending.discard(receipt)
        self._ready.append(outcome)
        self._came.set()


async def _each(frames: Iterable[Frame] | AsyncIterable[Frame]) -> AsyncGenerator[Frame, None]:
    if isinstance(frames, AsyncIterable):
        iterator = aiter(frames)
        try:
            async for frame in iterator:
                yield frame
        finally:
            # A source that is left in the middle must let go of its camera now, not when it is collected.
            if isinstance(iterator, AsyncGenerator):
                await iterator.aclose()
        return
    for count, frame in enumerate(frames):
        yield frame
        if not count % 16:
            await asyncio.sleep(0)  # a sync iterable gives the loop no other chance while there is room
