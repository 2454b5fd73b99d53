"""What a batch of frames is from beginning to end: which of them, with which tags, and what is told while it runs."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final, Self

import attrs

from picsellia_async._delivery.outcomes import UploaderStatistics
from picsellia_async.frames import Frame
from picsellia_async.jobs import Job
from picsellia_async.progress import ProgressBar, describe, troubles
from picsellia_async.sources import Source
from picsellia_async.uploader import Uploader

READING_SECONDS: Final = 3.0
"""After so long without a first item it is told that the input is looked at."""
TOLD_SECONDS: Final = 30.0
"""How often progress is told where stderr is no terminal."""


def count(value: str) -> int:
    """Read a number of things for argparse.

    Raises:
        ArgumentTypeError: It is none, or 0.
    """
    if not value.isdecimal() or not int(value):
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, got {value}")
    return int(value)


def add_limit(parser: argparse.ArgumentParser) -> None:
    """Add `--limit`."""
    parser.add_argument("--limit", type=count, metavar="N", help="read only the first N items")


class Batch:
    """The items of one run: counts them, tells where they go before the first, and how far the run is."""

    def __init__(
        self, where: str, source: Source[Frame], *, total: int | None = None, limit: int | None, tags: list[str]
    ) -> None:
        """Store the settings.

        Args:
            where: Host, organization and deployment, for the first line.
            source: Gives the items.
            total: How many there are, where the source does not tell.
            limit: So many of them at most; None: all.
            tags: Added to those that an item has.
        """
        self._where = where
        self._source = source
        self._total = total
        self._limit = limit
        self._tags = tags
        self.read: int = 0
        """Items read."""
        self.is_read: bool = False
        """Whether these are all of them."""
        self.job: Job | None = None
        """Knows what former runs delivered, where there is a journal."""
        self.uploader: Uploader | None = None
        """Delivers them, once it is open."""
        self._is_told = False

    @property
    def passed(self) -> int:
        """Items of those that were read so far that are not sent again."""
        return 0 if self.job is None else self.job.delivered_before

    @property
    def total(self) -> int | None:
        """Items to be read; None where only reading tells."""
        total = self._in_source
        return None if total is None else self._limited(total)

    @property
    def _in_source(self) -> int | None:
        """Items there are, whatever the limit; None where only reading tells."""
        return self._source.total if self._total is None else self._total

    def _limited(self, number: int) -> int:
        return number if self._limit is None else min(number, self._limit)

    async def items(self) -> AsyncGenerator[Frame, None]:
        """Yield the items."""
        async with contextlib.aclosing(aiter(self._source)) as frames, self._told_reading() as came:
            async for frame in frames:
                came()
                self.tell_start()
                self.read += 1
                yield _tagged(frame, self._tags) if self._tags else frame
                if self.read == self._limit:
                    break
        self.is_read = True

    @contextlib.asynccontextmanager
    async def _told_reading(self) -> AsyncIterator[Callable[[], object]]:
        """Say on stderr that nothing is sent yet, where the first item is long in coming; what is yielded is called when it came."""

        async def tell() -> None:
            await asyncio.sleep(READING_SECONDS)
            print(f"{self._where}: the input is looked at as a whole before its first item is sent", file=sys.stderr)

        telling = asyncio.create_task(tell())
        try:
            yield telling.cancel
        finally:
            telling.cancel()
            await asyncio.wait([telling])

    def unread(self, known: int, skipped: int) -> int | None:
        """Return how many items are left to be read; None where only reading tells.

        Args:
            known: Items whose outcome, or place in the journal, is known. What was only read ahead counts as not read.
            skipped: Items that could not be used.
        """
        total = self._in_source
        if total is None:
            return 0 if not self.read or (self.is_read and known >= self.read) else None
        return max(0, self._limited(total - skipped) - known)

    def tell_start(self) -> None:
        """Say on stderr where the items go, and how many there are; once, when the first of them was read."""
        if self._is_told:
            return
        self._is_told = True
        items = (
            "items, how many only reading tells"
            if self.total is None
            else f"{self.total} item{'s' if self.total != 1 else ''}"
        )
        job = self.job
        # Without a number: a journal that was copied or kept for long has items that are in this input no more.
        before = (
            f", going on: what the journal {str(job.journal)!r} has as delivered is not sent again (--fresh sends everything)"
            if job is not None and job.delivered_at_start
            else ""
        )
        print(f"{self._where}: {items}{before}", file=sys.stderr)


def _tagged(frame: Frame, tags: list[str]) -> Frame:
    own = frame.tags or []
    return attrs.evolve(frame, tags=[*own, *(tag for tag in tags if tag not in own)])


class Progress:
    """How far a batch is: a bar on a terminal, elsewhere a line from time to time."""

    def __init__(self, batch: Batch) -> None:
        """Store who knows how many items there are."""
        self._batch = batch
        self._bar = ProgressBar("delivering")
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to show."""
        self._bar.__enter__()
        if not sys.stderr.isatty():
            self._telling = asyncio.create_task(self._tell())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the last state on a terminal."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
        self._bar.__exit__(None, None, None)

    def __call__(self, statistics: UploaderStatistics) -> None:
        """Show a snapshot; for `progress=` of the uploader."""
        done = statistics.accepted - statistics.pending_frames + self._batch.passed
        self._bar.show(done, self._batch.total, describe(statistics))

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TOLD_SECONDS)
            if self._batch.uploader is not None:
                found = self._batch.uploader.statistics()
                total = "" if self._batch.total is None else f" of {self._batch.total}"
                done = found.delivered + self._batch.passed
                words = [f"{done}{total} delivered", f"{found.pending_frames} under way", f"{found.rejected} refused"]
                print(", ".join([*words, *troubles(found)]), file=sys.stderr, flush=True)
