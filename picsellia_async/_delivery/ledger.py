"""The books of an uploader: which frames are known, what they occupy, who waits for room and who for the end.

Everything that changes a count goes through here, in one place each: `accept`, `turn_away` and `end`. That is what makes
`accepted == delivered + rejected + dropped + spooled` hold whatever happens around it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias
from uuid import UUID

import attrs

from picsellia_async._delivery.flow_control import Admission
from picsellia_async._delivery.outcomes import DropReason, Outcome
from picsellia_async._delivery.receipt import Item, Receipt
from picsellia_async._delivery.sender import call_safely
from picsellia_async._delivery.state import Queued
from picsellia_async._delivery.tally import Tally
from picsellia_async.errors import FrameTooLargeError, UploaderFullError
from picsellia_async.frames import Frame

WhenFull: TypeAlias = Literal["wait", "raise", "drop_newest", "drop_oldest"]
"""What `submit` does when the uploader holds as much as it may."""


@attrs.define(eq=False)
class _Flush:
    """Somebody who waits for the end of what was accepted so far."""

    last_seq: int
    left: int
    done: asyncio.Future[None]


@attrs.define(eq=False)
class Accumulator:
    """Frames between acceptance and outcome."""

    memory: Admission
    """Bytes and frames in memory."""
    when_full: WhenFull
    """Policy."""
    on_outcome: Callable[[Outcome], object] | None
    """The user's callback."""
    after_end: Callable[[Item, Outcome], None]
    """Called with every item in memory that ended."""
    oldest_idle: Callable[[], Item | None] = attrs.field(init=False)
    """Takes the item that `drop_oldest` drops; set before the first frame."""
    tally: Tally = attrs.field(factory=Tally, init=False)
    """The counters."""
    known: dict[UUID, Item] = attrs.field(factory=dict, init=False)
    """Items in memory by `Frame.id`."""
    last_seq: int = attrs.field(default=0, init=False)
    """Order of the newest frame."""
    changed: Callable[[], None] | None = attrs.field(default=None, init=False)
    """Called after every outcome, for progress and closing."""
    _flushes: list[_Flush] = attrs.field(factory=list, init=False)
    _line: set[asyncio.Future[None]] = attrs.field(factory=set, init=False)

    # Coming in.

    async def enter(self, admission: Admission, size: int, when_full: WhenFull) -> DropReason | None:
        """Reserve room for a frame, as the policy says.

        Returns:
            None: the room is the caller's, who releases it. Else why the frame is dropped.

        Raises:
            FrameTooLargeError: It can never fit.
            UploaderFullError: There is no room, and the policy is "raise".
            ClosedError: The uploader closed while the frame waited.
        """
        if admission.reserve(size):
            return None
        if not admission.can_ever_fit(size):
            raise self._full(FrameTooLargeError, "the frame is larger than the uploader's limit", admission, size)
        if when_full == "wait":
            await self._stand_in_line(admission, size)
            return None
        if when_full == "raise":
            raise self._full(UploaderFullError, "the uploader is full", admission, size)
        if when_full == "drop_newest":
            return DropReason.FULL_NEWEST
        while not admission.reserve(size):
            item = self.oldest_idle()
            if item is None:
                return DropReason.FULL_NEWEST
            if isinstance(item.state, Queued):
                self.end(item, item.state.dropped(item.frame, DropReason.FULL_OLDEST))
        return None

    def _full(self, kind: type[UploaderFullError], message: str, admission: Admission, size: int) -> UploaderFullError:
        self.tally.refused += 1
        limit = f"{admission.used_bytes} of {admission.max_bytes} bytes"
        if admission.max_frames is not None:
            limit += f" and {admission.used_frames} of {admission.max_frames} frames"
        return kind(
            f"{message}: it has {size} bytes, {limit} are in use",
            size, admission.used_bytes, admission.max_bytes, admission.used_frames, admission.max_frames,
        )  # fmt: skip

    async def _stand_in_line(self, admission: Admission, size: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def granted() -> None:
            if not future.done():
                future.set_result(None)

        ticket = admission.wait(size, granted)
        self._line.add(future)
        try:
            await future
        except BaseException:
            admission.cancel(ticket)
            raise
        finally:
            self._line.discard(future)

    def dismiss_line(self, error: Callable[[], BaseException]) -> None:
        """Send away everybody who waits for room."""
        for future in list(self._line):
            if not future.done():
                future.set_exception(error())

    def next_seq(self) -> int:
        """Return the order of a new frame."""
        self.last_seq += 1
        return self.last_seq

    def turn_away(self, frame: Frame, outcome: Outcome) -> Receipt:
        """Count a frame that ends as it comes: dropped for lack of room, or unusable."""
        receipt = Receipt(frame.id)
        self.tally.accepted += 1
        self.tally.count(outcome, 0)
        self._tell(receipt, outcome)
        return receipt

    # Going out.

    def end(self, item: Item, outcome: Outcome) -> None:
        """Book an outcome, free what the item held, and tell whoever wants to know. An item that ended before is left alone."""
        if self.known.pop(item.frame.id, None) is None:
            return
        image = item.frame.image
        self.tally.count(outcome, len(image) if isinstance(image, bytes) else item.size)
        self.memory.release(item.size)
        self.after_end(item, outcome)
        if self._flushes:
            self._count_flushes(item.seq, 1)
        self._tell(item.receipt, outcome)

    def end_absent(self, receipt: Receipt, outcome: Outcome) -> None:
        """Book an outcome of a frame that is on disk only."""
        self.tally.count(outcome, 0)
        self._tell(receipt, outcome)

    def _tell(self, receipt: Receipt, outcome: Outcome) -> None:
        receipt.resolve(outcome)
        if self.on_outcome is not None and not call_safely(self.on_outcome, outcome):
            self.tally.callback_errors += 1
        if self.changed is not None:
            self.changed()

    def lose(self, count: int) -> None:
        """Book records that turned out to be damaged."""
        self.tally.lose(count)
        self._count_flushes(0, count)
        if self.changed is not None:
            self.changed()

    # Waiting for the end.

    def _count_flushes(self, seq: int, count: int) -> None:
        for flush in self._flushes:
            if seq <= flush.last_seq:
                flush.left -= count
                if flush.left <= 0 and not flush.done.done():
                    flush.done.set_result(None)

    async def flush(self, seconds: float | None) -> int:
        """Wait until everything accepted so far has ended.

        Returns:
            How many of them have not: 0 unless the time ran out.
        """
        pending = self.tally.pending
        if not pending:
            return 0
        flush = _Flush(self.last_seq, pending, asyncio.get_running_loop().create_future())
        self._flushes.append(flush)
        try:
            await asyncio.wait([flush.done], timeout=seconds)
        finally:
            self._flushes.remove(flush)
        return max(0, flush.left)
