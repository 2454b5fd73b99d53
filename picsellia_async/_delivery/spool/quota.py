"""How much of `max_spool_bytes` is in use; what goes to disk goes through here, and is written by `spool` and `store`.

Room is counted against `max_spool_bytes` from the moment it is reserved, not from the commit: so many frames may be on their
way to the disk at once. Dead letters (frames that the service refused) keep their room until somebody else needs it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from picsellia_async._delivery.flow_control import FlowControl
from picsellia_async._delivery.outcomes import Dropped, DropReason, Outcome, Rejected, Spooled
from picsellia_async._delivery.receipt import Item
from picsellia_async._delivery.spool.results import Recovery
from picsellia_async._delivery.spool.spool import Spool
from picsellia_async._log_line import tell


class SpoolQuota:
    """The way to disk; the ledger tells it about outcomes."""

    def __init__(self, spool: Spool, max_bytes: int) -> None:
        """Store the parts.

        Args:
            spool: The file and its thread.
            max_bytes: Bytes of records that may be on disk.
        """
        self.spool = spool
        self.room = FlowControl(max_bytes)
        self._rejected_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes of the frames to be delivered."""
        return self.room.used_bytes - self._rejected_bytes

    async def open(self, found_one: Callable[[int, str, int], None]) -> Recovery:
        """Open the spool and take up the room of what it holds.

        Args:
            found_one: Called with order, source and size of each frame to be delivered, in order.

        Raises:
            SpoolError: It cannot be opened.
        """
        found = await self.spool.open(found_one)
        self.room.used_bytes, self.room.used_frames = found.bytes, found.frames + found.rejected
        self._rejected_bytes = found.rejected_bytes
        return found

    def end(self, item: Item, outcome: Outcome) -> None:
        """Delete the record of a frame that has its outcome, or keep it as a dead letter."""
        if isinstance(outcome, Spooled):
            return
        if self.spool.is_gone and isinstance(outcome, Dropped) and outcome.reason is DropReason.CLOSED:
            return  # nobody finds it; a directory that was only moved has it for whoever puts it back
        if isinstance(outcome, Rejected):
            self.reject(item.seq, item.disk_bytes, f"{type(outcome.error).__name__}: {outcome.error}")
        else:
            self.spool.acknowledge(item.seq)
            self._give_back(item)

    def not_written(self, item: Item) -> None:
        """The write of a frame failed, which may have its outcome already: nothing of it is on disk, no dead letter either."""
        if isinstance(item.receipt.outcome, Rejected):
            self._rejected_bytes -= item.disk_bytes
        self._give_back(item)

    def _give_back(self, item: Item) -> None:
        """Give back the room of a frame, once."""
        if item.disk_bytes:
            self.room.release(item.disk_bytes)
        item.disk_bytes = 0

    def reject(self, seq: int, size: int, reason: str) -> None:
        """Turn a record into a dead letter."""
        self.spool.reject(seq, reason)
        self._rejected_bytes += size

    async def free_dead_letters(self, size: int) -> None:
        """Delete the oldest dead letters until a record of this size fits, as far as they go."""
        if self.room.fits(size) or not self._rejected_bytes:
            return
        freeing = asyncio.ensure_future(self._free_dead_letters(size - (self.room.max_bytes - self.room.used_bytes)))
        await asyncio.shield(freeing)  # a submit that is cancelled must not leave their room taken

    async def _free_dead_letters(self, min_bytes: int) -> None:
        count, freed = await self.spool.drop_rejected(min_bytes)
        self._rejected_bytes = max(0, self._rejected_bytes - freed)
        if count:
            tell(
                logging.WARNING,
                "the spool is full: %(deleted)d frames that the service had refused were deleted from it",
                deleted=count,
            )
            self.room.release(freed, count)
