"""The account of an uploader's frames: the only place that changes a count.

`accept` takes a frame in, `end` gives it its one outcome, `accept_ended` does both for a frame that ends as it comes; `recover`,
`end_on_disk` and `end_damaged` do the same for frames that are on disk only. Everything else reads. So
`accepted == delivered + rejected + dropped + spooled + pending` holds whatever happens around it. No number but `pending` falls: metrics
give them out as counters, and a counter that falls counts as one that began anew. `merge` is the exception, which needs two processes that
bring one frame to one disk within a commit.
"""

from __future__ import annotations

import asyncio
import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

import attrs

from picsellia_async._delivery.flow_control import FlowControl
from picsellia_async._delivery.outcomes import (
    Delivered,
    Dropped,
    DropReason,
    Failure,
    Outcome,
    Rejected,
    Spooled,
    UploadReport,
    failure_of,
)
from picsellia_async._delivery.receipt import Item, Receipt
from picsellia_async._delivery.source_counts import SourceCounts
from picsellia_async._error_text import typed_text
from picsellia_async._log_line import logger
from picsellia_async.frames import Frame

T = TypeVar("T")

REJECTED_LINES_MAX: Final = 10_000
"""Lines about rejected frames that a report keeps; the counters count all."""
OTHER_LINES_MAX: Final = 1_000
"""Lines about dropped and about spooled frames. Fewer: a long outage drops many, all for one reason, and memory must stay flat."""

FIRST_LOST_MAX: Final = 3
"""Lost frames that a line of the log names."""


class Disk(Protocol):
    """What the ledger tells the disk."""

    def end(self, item: Item, outcome: Outcome) -> None:
        """A frame that is on disk has its outcome."""


@attrs.define(eq=False)
class _Flush:
    """Somebody who waits for the end of what was accepted so far."""

    last_seq: int
    left: int
    done: asyncio.Future[None]


@attrs.define(eq=False)
class Ledger:
    """Counts, and the frames in memory that they are about."""

    memory: FlowControl
    """Room in memory; `end` gives back what the frame held."""
    disk: Disk | None = None
    """Told about the end of frames that are on disk."""
    on_outcome: Callable[[Outcome], object] | None = None
    """The user's callback."""
    sources: SourceCounts | None = None
    """Counts outcomes by source; None where nobody asked for that."""
    on_callback_error: Callable[[str, BaseException], object] | None = attrs.field(default=None, init=False)
    """Told which callback raised, and what."""
    durations: list[Callable[[float], object]] = attrs.field(factory=list, init=False)
    """Called with the seconds from acceptance to delivery of each frame; empty while no metrics ask for them."""
    known: dict[int, Item] = attrs.field(factory=dict, init=False)
    """Frames in memory by the number of `Frame.id`: UUIDs are hashed and compared in Python, four times a frame."""
    last_seq: int = attrs.field(default=0, init=False)
    """Order of the newest frame."""
    ended: asyncio.Event | None = attrs.field(default=None, init=False)
    """Set with every outcome, by whoever shows progress; cleared there. None: nobody does."""

    accepted: int = attrs.field(default=0, init=False)
    """Frames taken."""
    delivered: int = attrs.field(default=0, init=False)
    """Frames the service has."""
    rejected: int = attrs.field(default=0, init=False)
    """Frames refused for good."""
    dropped: int = attrs.field(default=0, init=False)
    """Frames given up."""
    spooled: int = attrs.field(default=0, init=False)
    """Frames left on disk."""
    recovered: int = attrs.field(default=0, init=False)
    """Frames found on disk; part of `accepted`."""
    quarantined: int = attrs.field(default=0, init=False)
    """Damaged records."""
    not_accepted: int = attrs.field(default=0, init=False)
    """Frames for which `submit` raised."""
    lost: int = attrs.field(default=0, init=False)
    """Frames that nobody will send any more, or never took: rejected, dropped and not accepted. A number of its own: it is asked for
    after every answer."""
    may_be_stored: int = attrs.field(default=0, init=False)
    """Of the rejected and dropped: those of which an answer was lost or unclear."""
    duplicates: int = attrs.field(default=0, init=False)
    """Deliveries that were there already."""
    bytes_delivered: int = attrs.field(default=0, init=False)
    """Image bytes of delivered frames."""
    callback_errors: int = attrs.field(default=0, init=False)
    """Times that a callback of the user raised."""
    dropped_by_reason: Counter[str] = attrs.field(factory=Counter, init=False)
    """Dropped frames by rule."""
    dropped_by_source: Counter[str] = attrs.field(factory=Counter, init=False)
    """Dropped frames by source."""
    failures: list[Failure] = attrs.field(factory=list, init=False)
    """The first lines about frames that were not delivered."""
    first_lost: list[Failure] = attrs.field(factory=list, init=False)
    """The first frames that were rejected, dropped or not taken since the log told of some; emptied then."""
    first_refused: list[Failure] = attrs.field(factory=list, init=False)
    """The first frames that were not taken, and so are in no report's `failures`."""
    undelivered: list[Dropped | Spooled] = attrs.field(factory=list, init=False)
    """Outcomes of the frames that were in memory when closing ended."""
    _flushes: list[_Flush] = attrs.field(factory=list, init=False)
    _ends_program: bool = attrs.field(default=False, init=False)
    """Whether a callback has ended the program. A second time would end the loop in which closing gives every frame its outcome."""

    @property
    def pending(self) -> int:
        """Frames accepted and not ended yet."""
        return self.accepted - self.delivered - self.rejected - self.dropped - self.spooled

    # Coming in.

    def next_seq(self) -> int:
        """Return the order of a new frame."""
        self.last_seq += 1
        return self.last_seq

    def accept(self, item: Item) -> None:
        """Take a frame in."""
        self.known[item.frame.id.int] = item
        self.accepted += 1
        for flush in self._flushes:
            # Its order is older than its acceptance where it had to be written first: a flush that began meanwhile waits for it too,
            # or its end would be taken for that of another frame.
            if item.seq <= flush.last_seq and not flush.done.done():
                flush.left += 1

    def accept_ended(self, frame: Frame, outcome: Rejected | Dropped) -> Receipt:
        """Take in a frame that ends as it comes: no room for it, or unusable."""
        receipt = Receipt(frame.id)
        self.accepted += 1
        # Behind everything that a flush under way waits for: it was not accepted when that began.
        self._end(receipt, outcome, 0, self.last_seq + 1, frame.source or "")
        return receipt

    def refuse(self, error: BaseException, frame: Frame | None = None) -> None:
        """Count a frame that is not taken: `submit` raises.

        Args:
            error: What it raises.
            frame: Which one, where that is known here.
        """
        self.not_accepted += 1
        self.lost += 1
        if frame is None:
            return
        for lines in (self.first_lost, self.first_refused):
            if len(lines) < FIRST_LOST_MAX:
                lines.append(Failure(frame.id, frame.filename, frame.source, "refused", typed_text(error)))

    def recover(self, frames: int, last_seq: int, quarantined: int) -> None:
        """Take in the frames that a spool held when it was opened.

        Args:
            frames: How many are to be delivered.
            last_seq: Order of the newest one.
            quarantined: Damaged records found at that.
        """
        self.accepted += frames
        self.recovered += frames
        self.quarantined += quarantined
        self.last_seq = last_seq

    def recover_one(self) -> None:
        """Take in a frame that another process left on disk."""
        self.accepted += 1
        self.recovered += 1

    def merge(self, item: Item) -> None:
        """Take back an acceptance: the spool held the same frame already, and it counts once."""
        self.accepted -= 1
        self.leave_memory(item)
        self._count_flushes(item.seq, 1)

    def leave_memory(self, item: Item) -> None:
        """Give back the memory of a frame that ends, or goes on existing on disk only."""
        self.known.pop(item.frame.id.int, None)
        self.memory.release(item.size)
        if item.is_passing:
            self.end_passing(item)

    def end_passing(self, item: Item) -> None:
        """A frame is not on its way to disk any more."""
        if item.is_passing:
            item.is_passing = False
            self.memory.passed()

    def oldest_at(self) -> float | None:
        """Return when the oldest frame in memory was accepted, on the loop's clock; None where there is none.

        Copied first, in one step: a scrape of metrics asks from another thread.
        """
        if self.disk is None:  # they are in the order of their acceptance
            first = list(itertools.islice(self.known.values(), 1))
            return first[0].accepted_at if first else None
        return min((item.accepted_at for item in list(self.known.values())), default=None)

    def enter_memory(self, item: Item) -> None:
        """Hold a frame that was read back from disk."""
        self.known[item.frame.id.int] = item
        self.memory.occupy(item.size)

    # Going out.

    def end(self, item: Item, outcome: Outcome) -> None:
        """Give a frame in memory its outcome, and free what it held. An item that ended before is left alone."""
        # A `send` that ignores its cancellation may come back after closing gave its frame an outcome.
        image, key = item.frame.image, item.frame.id.int
        if self.known.get(key) is not item:
            return
        # What `leave_memory` does, without the call and the second look: this runs for every frame.
        del self.known[key]
        self.memory.release(item.size)
        if item.is_passing:
            self.end_passing(item)
        if self.disk is not None and item.disk_bytes:
            self.disk.end(item, outcome)
        self._end(
            item.receipt, outcome, len(image) if isinstance(image, bytes) else item.file_bytes, item.seq, item.source
        )

    def end_undelivered(self, item: Item, outcome: Dropped | Spooled) -> None:
        """Give a frame that is in memory at the end of closing its outcome, and list it in the report."""
        self.undelivered.append(outcome)
        self.end(item, outcome)

    def end_on_disk(self, receipt: Receipt, outcome: Spooled, source: str) -> None:
        """Give a frame that is on disk only its outcome."""
        self._end(receipt, outcome, 0, 0, source)

    def end_damaged(self, receipt: Receipt, error: BaseException, source: str, *, is_of_former_run: bool) -> None:
        """Give a frame its outcome whose record on disk turned out to be damaged, or gone.

        Args:
            receipt: Its receipt; of an id that is 0 where nobody knows the id.
            error: What is known.
            source: `Frame.source`, empty for none.
            is_of_former_run: Whether a process before this one accepted it, and may have sent it.
        """
        self.quarantined += 1
        known = receipt.frame_id if receipt.frame_id.int else None
        outcome = Dropped(None, DropReason.DAMAGED, error, may_be_stored=is_of_former_run, damaged_id=known)
        self._end(receipt, outcome, 0, 0, source)

    def end_unlisted(self, receipts: list[Receipt], by_source: Mapping[str, int], error: BaseException) -> None:
        """Count frames that stay on disk and cannot be told apart, since the disk cannot be read.

        Args:
            receipts: Those without outcome. Some of these frames' as far as there are as many, the others' of frames that are gone.
            by_source: How many frames there are, by source.
            error: What is known of them.
        """
        count = sum(by_source.values())
        for receipt in receipts[:count]:
            self._end(receipt, Spooled(receipt.frame_id, error=error), 0, 0, None)
        for receipt in receipts[count:]:
            lost = Dropped(None, DropReason.DAMAGED, error, damaged_id=receipt.frame_id)
            self.call(receipt.resolve, lost, "add_done_callback of a receipt")
        if self.sources is not None:
            for source, frames in by_source.items():
                self.sources.count(Spooled, source, frames)
        count = max(0, count - len(receipts))
        self.spooled += count
        self._count_flushes(0, count)
        if self.ended is not None:
            self.ended.set()

    def _end(self, receipt: Receipt, outcome: Outcome, size: int, seq: int, source: str | None) -> None:
        if isinstance(outcome, Delivered):
            self.delivered += 1
            self.bytes_delivered += size
            self.duplicates += outcome.is_duplicate
        else:
            self._count_undelivered(outcome, source)
        if self.sources is not None and source is not None:
            self.sources.count(type(outcome), source)
        if self._flushes:
            self._count_flushes(seq, 1)
        if self.ended is not None:
            self.ended.set()
        # From here on code of the user runs; all that is ours is settled. The first and the last of these as `call` does it, without
        # the call: this runs for every frame.
        try:
            receipt.resolve(outcome)
        except BaseException as error:  # noqa: BLE001 - as in `call`
            self.raised("add_done_callback of a receipt", error)
        if self.durations and isinstance(outcome, Delivered):
            for record in self.durations:
                self.call(record, outcome.seconds, "metrics")
        if self.on_outcome is not None:
            try:
                self.on_outcome(outcome)
            except BaseException as error:  # noqa: BLE001 - as in `call`
                self.raised("on_outcome", error)

    def _count_undelivered(self, outcome: Rejected | Dropped | Spooled, source: str | None) -> None:
        if isinstance(outcome, Rejected):
            self.rejected += 1
            has_room = self.rejected <= REJECTED_LINES_MAX
        elif isinstance(outcome, Dropped):
            self.dropped += 1
            self.dropped_by_reason[outcome.reason.value] += 1
            self.dropped_by_source[source or ""] += 1
            has_room = self.dropped <= OTHER_LINES_MAX
        else:
            self.spooled += 1
            has_room = self.spooled <= OTHER_LINES_MAX
        if not isinstance(outcome, Spooled):
            self.lost += 1
            self.may_be_stored += outcome.may_be_stored
        is_first = len(self.first_lost) < FIRST_LOST_MAX and not isinstance(outcome, Spooled)
        if has_room or is_first:
            line = failure_of(outcome, source)
            if has_room:
                self.failures.append(line)
            if is_first:
                self.first_lost.append(line)

    def call(self, callback: Callable[[T], object], value: T, name: str) -> None:
        """Call a callback of the user; count and tell what it raises. It must not break the delivery.

        Args:
            callback: The function.
            value: What it is called with.
            name: What the log calls it.
        """
        try:
            callback(value)
        # A CancelledError too: it is of a future that the callback looked at; nobody cancelled this task.
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told; `raised` lets out what ends the program
            self.raised(name, error)

    def raised(self, name: str, error: BaseException, *, is_repeat: bool = False) -> None:
        """Count what a callback raised, and tell it. What is meant to end the program is let out, once.

        Args:
            name: What the log calls it.
            error: What it raised.
            is_repeat: Whether it raised the time before too, and what follows of it was told then: it is only counted.
        """
        self.callback_errors += 1
        if self.on_callback_error is not None and not is_repeat:
            self.on_callback_error(name, error)
        if isinstance(error, (KeyboardInterrupt, SystemExit)) and not self._ends_program:
            self._ends_program = True
            self._let_out(error)

    def _let_out(self, error: BaseException) -> None:
        """Raise an error out of the event loop, which lets these two pass: here it would end a worker in the middle of its account."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise error from None
        loop.call_soon(_raise, error)

    # Waiting for the end.

    def _count_flushes(self, seq: int, count: int) -> None:
        for flush in self._flushes:
            if seq <= flush.last_seq:
                flush.left -= count
                if flush.left <= 0 and not flush.done.done():
                    flush.done.set_result(None)

    async def flush(self, seconds: float | None = None) -> int:
        """Wait until everything accepted so far has ended.

        Returns:
            How many of them have not: 0 unless the time ran out.
        """
        pending = self.pending
        if not pending:
            return 0
        flush = _Flush(self.last_seq, pending, asyncio.get_running_loop().create_future())
        self._flushes.append(flush)
        try:
            await asyncio.wait([flush.done], timeout=seconds)
        finally:
            self._flushes.remove(flush)
        return max(0, flush.left)

    def report(self, *, retries: int, seconds: float) -> UploadReport:
        """Return the account as it stands."""
        return UploadReport(
            accepted=self.accepted,
            delivered=self.delivered,
            rejected=self.rejected,
            dropped=self.dropped,
            spooled=self.spooled,
            recovered=self.recovered,
            quarantined=self.quarantined,
            retries=retries,
            duplicates=self.duplicates,
            bytes=self.bytes_delivered,
            seconds=seconds,
            dropped_by_reason=dict(self.dropped_by_reason),
            dropped_by_source=dict(self.dropped_by_source),
            failures=tuple(self.failures),
            undelivered=tuple(self.undelivered),
            refused=self.not_accepted,
            may_be_stored=self.may_be_stored,
        )


def _raise(error: BaseException) -> None:
    raise error


def tell_unclosed(ledger: Ledger) -> None:
    """An uploader was dropped, or the interpreter ends, before it was closed: tell about frames that nobody waits for."""
    if ledger.pending:
        message = (
            f"an uploader was left without being closed: {ledger.pending} frames have no outcome; use `async with`, "
            "or await `aclose()`"
        )
        logger.error("%s", message)
        warnings.warn(message, ResourceWarning, stacklevel=1)
