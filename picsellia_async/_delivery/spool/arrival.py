"""`Arrivals`: frames on their way to disk with `durability="commit"`, and who waits for them.

A frame is accepted in the step in which its `submit` returns. One whose submits were all cancelled is taken back from the disk, and so
is one that closing does not wait for: what was not accepted must not be there for the next run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from uuid import UUID

import attrs

from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.receipt import Item, Receipt
from picsellia_async._delivery.reporter import Reporter
from picsellia_async._delivery.spool.quota import SpoolQuota
from picsellia_async._delivery.spool.record import Record
from picsellia_async.errors import ClosedError


@attrs.define(eq=False)
class Arrival:
    """Several submits of one frame may wait for one commit."""

    item: Item
    written: asyncio.Future[None] = attrs.field(factory=lambda: asyncio.get_running_loop().create_future())
    """Done when the commit ended; with what stood against it."""
    waiters: int = 0
    """Submits that have not been cancelled."""
    is_known: bool = False
    """Whether the disk had the same frame already."""
    is_over: bool = False
    """Whether it was accepted, or is left out."""
    is_taken: bool = False
    """Whether it was accepted, or the disk had it."""

    async def wait(self) -> None:
        """Wait for the commit.

        Raises:
            SpoolError: It could not be written.
            ClosedError: The uploader closed before it was written.
        """
        self.waiters += 1
        # A future for each: cancelling one must not cancel the others. Not `asyncio.shield`: whoever joins a commit that has just
        # ended would pass at once, before the waiters of older frames have woken, and its frame would be sent before theirs.
        turn = asyncio.get_running_loop().create_future()
        self.written.add_done_callback(lambda _: None if turn.done() else turn.set_result(None))
        try:
            await turn
        finally:
            self.waiters -= 1
        self.written.result()


class Arrivals:
    """Those of one spool."""

    def __init__(self, writer: SpoolQuota, ledger: Ledger, reporter: Reporter, join: Callable[[Receipt], None]) -> None:
        """Store the parts.

        Args:
            writer: The way to disk.
            ledger: The account of the frames.
            reporter: Is told of a write that failed.
            join: Gives a receipt the outcome of the same frame, which was on disk already.
        """
        self._writer = writer
        self._spool = writer.spool
        self._ledger = ledger
        self._reporter = reporter
        self._join = join
        self._frames: dict[UUID, Arrival] = {}
        self._is_settled = False
        """Whether the account is final: nothing is accepted any more."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._frames)

    def get(self, frame_id: UUID) -> Arrival | None:
        """Return a frame that is on its way, or None."""
        return self._frames.get(frame_id)

    def put(self, item: Item, record: Record) -> Arrival:
        """Write a frame."""
        self._frames[item.frame.id] = arrival = Arrival(item)
        self._spool.put(record, partial(self._committed, arrival))
        return arrival

    async def arrive(self, arrival: Arrival, accept: Callable[[Item], None]) -> Receipt:
        """Wait until a frame is on disk, and have it accepted in the step in which that is returned.

        So one whose submits are cancelled is never in the account, however late that comes.

        Args:
            arrival: The frame.
            accept: Accepts it.

        Raises:
            SpoolError: It could not be written, and is not accepted.
            ClosedError: The uploader closed before it was on disk, and it is not there.
        """
        try:
            await arrival.wait()
        except asyncio.CancelledError:
            if arrival.written.done() and not arrival.waiters:
                self._leave_out(arrival)
            raise
        item = arrival.item
        if not arrival.is_over:
            arrival.is_taken = not self._is_settled
            if arrival.is_taken and not arrival.is_known:
                self._end(arrival)
                accept(item)
                self._ledger.end_passing(item)
            else:
                self._leave_out(arrival)
                if arrival.is_taken:
                    self._join(item.receipt)
        if not arrival.is_taken:
            raise _closed_before()
        return item.receipt

    def settle(self) -> None:
        """Take back what is still on its way: told to be refused, it must not be there for the next run."""
        self._is_settled = True
        for arrival in self._frames.values():
            # The thread does it behind the write, before it ends.
            self._spool.acknowledge(arrival.item.seq)

    def _end(self, arrival: Arrival) -> None:
        arrival.is_over = True
        del self._frames[arrival.item.frame.id]

    def _leave_out(self, arrival: Arrival) -> None:
        """Take a frame back that is not accepted."""
        if arrival.is_over:
            return
        item = arrival.item
        self._end(arrival)
        if item.is_written and not arrival.is_known:
            self._spool.acknowledge(item.seq)
        self._ledger.memory.release(item.size)
        self._writer.room.release(item.disk_bytes)
        self._ledger.end_passing(item)

    def _committed(self, arrival: Arrival, error: BaseException | None, is_known: bool) -> None:
        """The commit ended: who waits for it has the frame accepted."""
        if error is not None:
            self._reporter.look()
        arrival.item.is_written, arrival.is_known = error is None, is_known
        if error is None and self._is_settled:
            error = _closed_before()
        if error is not None or not arrival.waiters:
            self._leave_out(arrival)
        if error is None:
            arrival.written.set_result(None)
        else:
            arrival.written.set_exception(error)
            arrival.written.exception()  # the submitter may have been cancelled, and nobody else asks


def _closed_before() -> ClosedError:
    return ClosedError("the uploader was closed before the frame was accepted")
