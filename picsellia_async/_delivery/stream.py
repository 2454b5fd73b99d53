"""Submitting an iterable and yielding the outcomes: the inside of `Uploader.stream`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from picsellia_async._delivery.iterables import Frames, check, each
from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.outcomes import Outcome, Rejected
from picsellia_async._delivery.receipt import Receipt
from picsellia_async._error_text import error_text
from picsellia_async._log_line import tell
from picsellia_async.errors import ConfigurationError, UploaderFullError
from picsellia_async.frames import Frame

_OUTCOMES_MAX: Final = 64
"""Outcomes that may lie ready before feeding pauses: each holds its frame."""


class Feed:
    """Submits every frame of an iterable."""

    def __init__(self, submit: Callable[[Frame], Awaitable[Receipt]], ledger: Ledger, frames: Frames) -> None:
        """Store the parts.

        Args:
            submit: Accepts a frame; a refusal is not counted there.
            ledger: Accepts frames that `submit` refuses, as rejected.
            frames: What to submit.

        Raises:
            ConfigurationError: No iterable.
        """
        check(frames)
        self._submit = submit
        self._ledger = ledger
        self._frames = frames

    async def run(self, accepted: Callable[[Receipt], Awaitable[None]] | None = None) -> Exception | None:
        """Submit until the iterable ends.

        Args:
            accepted: Called with each receipt; the next frame is taken when it returns.

        Returns:
            What the iterable raised, or a `ConfigurationError` where it gave something that is no `Frame`; None if it just ended.

        Raises:
            ClosedError: The uploader is not open.
        """
        count = 0
        async with contextlib.aclosing(each(self._frames)) as frames:
            while True:
                try:
                    frame = await anext(frames)
                except StopAsyncIteration:
                    return None
                except Exception as error:  # noqa: BLE001 - the caller's iterable may raise anything; it is handed on
                    _tell_ended(error, count)
                    return error
                try:
                    receipt = await self._submit(frame)
                except ConfigurationError as error:
                    if not isinstance(frame, Frame):
                        _tell_ended(error, count)
                        return error  # what gives such things is not read on, and the frames before it go their way
                    receipt = self._ledger.accept_ended(frame, Rejected(frame, error, attempts=0))
                except UploaderFullError as error:
                    receipt = self._ledger.accept_ended(frame, Rejected(frame, error, attempts=0))
                count += 1
                if accepted is not None:
                    await accepted(receipt)


async def deliver(feed: Feed, ledger: Ledger, refused: asyncio.Event, seconds: float | None) -> Exception | None:
    """Submit everything and wait for the outcomes, unless the account is refused for good; return what the iterable raised.

    Args:
        feed: What submits.
        ledger: Its account.
        refused: Set when the account is refused for good.
        seconds: How long frames are submitted after that; None: to the end. Without a spool the rest is rejected as it comes. With one
            it goes to disk, until that is full.
    """
    waiting = asyncio.ensure_future(refused.wait())
    feeding = asyncio.ensure_future(feed.run())
    flushing: asyncio.Future[int] | None = None
    try:
        await asyncio.wait([feeding, waiting], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([feeding], timeout=seconds)
        error = feeding.result() if feeding.done() else None
        flushing = asyncio.ensure_future(ledger.flush())
        await asyncio.wait([flushing, waiting], return_when=asyncio.FIRST_COMPLETED)
        return error
    finally:
        for future in (waiting, feeding, flushing):
            if future is not None:
                future.cancel()
        await asyncio.wait([feeding])


ENDED_TEXT: Final = "reading the frames ended after %(frames)d of them, by %(error)s"
"""Of the line in the log about an iterable that ended by an error."""


def _tell_ended(error: Exception, count: int) -> None:
    """Tell that the iterable ended by an error: a script that does not look at its report would pass over that."""
    tell(logging.WARNING, ENDED_TEXT, frames=count, error=error_text(error))


class Stream:
    """One pass over an iterable, with its outcomes."""

    def __init__(self, feed: Feed) -> None:
        """Store what feeds it."""
        self._feed = feed
        self._ready: deque[Outcome] = deque()
        self._pending: set[Receipt] = set()
        """Receipts are held, since the uploader holds those of frames on disk only weakly."""
        self._came = asyncio.Event()
        self._taken = asyncio.Event()

    async def outcomes(self) -> AsyncGenerator[Outcome, None]:
        """Yield one outcome per frame."""
        feeder = asyncio.get_running_loop().create_task(self._feed.run(self._accepted))
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
            error = feeder.result()
            if error is not None:
                raise error
        finally:
            feeder.cancel()
            await asyncio.wait([feeder])

    async def _accepted(self, receipt: Receipt) -> None:
        self._pending.add(receipt)
        receipt.call(lambda outcome: self._ended(receipt, outcome))
        while len(self._ready) >= _OUTCOMES_MAX:
            self._taken.clear()
            await self._taken.wait()

    def _ended(self, receipt: Receipt, outcome: Outcome) -> None:
        self._pending.discard(receipt)
        self._ready.append(outcome)
        self._came.set()
