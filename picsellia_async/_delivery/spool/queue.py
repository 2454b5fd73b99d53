"""Frames on disk: what goes there, what is kept in memory beside it, and what is read back, in order.

Theory of operation. With a spool every accepted frame is written. The oldest pending frames are in memory as well, as many as
half of `max_pending_bytes` holds; the others are on disk only (`behind`), and nothing of them is in memory but the receipts
that somebody still holds. `cursor` is the order of the newest frame in memory: everything behind it is read back, in order,
when a quarter of the memory is left. While anything is behind, new frames go behind too: that keeps the order.

* `durability="commit"`: `submit` returns after the commit, and only then the frame is accepted.
* `durability="interval"`: it is accepted, and may be sent, at once; the commit follows. If the commit fails, the frame stays in
  memory, and health says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

import attrs

from picsellia_async._delivery.flow_control import Admission
from picsellia_async._delivery.ledger import Accumulator
from picsellia_async._delivery.outcomes import Dropped, DropReason, Outcome, Rejected, Spooled
from picsellia_async._delivery.receipt import Item, Receipt
from picsellia_async._delivery.spool import codec
from picsellia_async._delivery.spool.spool import Spool
from picsellia_async._delivery.spool.store import Record
from picsellia_async._delivery.state import Queued
from picsellia_async.errors import ClosedError, ConfigurationError, SpoolError
from picsellia_async.frames import Frame

logger = logging.getLogger("picsellia_async")

ReadFile = Callable[[Path], Awaitable[bytes]]
"""Reads an image off the loop."""

_TRY_AGAIN_SECONDS: Final = 1.0
"""Pause after the disk failed to be read."""
_IDS_MAX: Final = 100_000
"""Frames on disk that get an outcome of their own at closing; beyond, they are counted."""


class Backlog:
    """The disk's side of an uploader."""

    def __init__(
        self, spool: Spool, disk: Admission, books: Accumulator, schedule: Callable[[Item], None], read: ReadFile
    ) -> None:
        """Store the parts; `open` opens.

        Args:
            spool: The file and its thread.
            disk: Bytes on disk.
            books: Known frames and counters.
            schedule: Puts an item in line to be sent.
            read: Reads an image off the loop.
        """
        self.spool = spool
        self.disk = disk
        self.behind = 0
        """Frames that are on disk only."""
        self.error: BaseException | None = None
        """What reading ended in last; None when it went well."""
        self._books = books
        self._schedule = schedule
        self._read = read
        self._cursor = 0
        self._recovered_to = 0
        self._rejected_bytes = 0
        self._receipts: WeakValueDictionary[UUID, Receipt] = WeakValueDictionary()
        self._loader: asyncio.Task[None] | None = None
        self._is_closed = False

    async def open(self) -> None:
        """Open the spool and take what it holds.

        Raises:
            SpoolError: It cannot be opened.
        """
        found = await self.spool.open()
        self.disk.used_bytes, self.disk.used_frames = found.bytes, found.frames + found.rejected
        self._rejected_bytes = found.rejected_bytes
        self.behind = found.frames
        self._recovered_to = self._books.last_seq = found.last_seq
        tally = self._books.tally
        tally.accepted += found.frames
        tally.recovered += found.frames
        tally.quarantined += found.quarantined
        self.feed()

    @property
    def frames(self) -> int:
        """Frames to be delivered that are on disk."""
        return self.behind + sum(1 for item in self._books.known.values() if item.disk_bytes)

    # Coming in.

    async def submit(self, frame: Frame) -> Receipt:
        """Accept a frame; see `Uploader.submit`."""
        known = self._receipts.get(frame.id)
        if known is not None:
            return known
        books = self._books
        try:
            image = await self._read(frame.image) if isinstance(frame.image, Path) else frame.image
            if image is not frame.image:
                frame = attrs.evolve(frame, image=image)
            record = Record(0, frame.id.bytes, codec.encode(frame), image)
        except ConfigurationError as error:
            return books.turn_away(frame, Rejected(frame, error, attempts=0))
        dropped = await self._reserve(record.size, len(image))
        if dropped is not None:
            return books.turn_away(frame, Dropped(frame, dropped))
        twin = books.known.get(frame.id)
        if twin is not None or self._is_closed:
            self._release(record.size, len(image))
            if twin is None:
                raise ClosedError("the uploader was closed before the frame was accepted")
            await committed(twin)
            return twin.receipt
        return await self._write(frame, record)

    async def _reserve(self, disk_bytes: int, size: int) -> DropReason | None:
        """Take room on disk as the policy says, then in memory, where waiting is short: until the disk took what is there."""
        books = self._books
        if not books.memory.can_ever_fit(size):
            await books.enter(books.memory, size, "raise")
        if not self.disk.fits(disk_bytes) and self._rejected_bytes:
            await self._drop_rejected(disk_bytes)
        dropped = await books.enter(self.disk, disk_bytes, books.when_full)
        while dropped is not None and books.when_full == "drop_oldest" and await self._drop_behind():
            dropped = await books.enter(self.disk, disk_bytes, books.when_full)
        if dropped is None:
            try:
                await books.enter(books.memory, size, "wait")
            except BaseException:
                self.disk.release(disk_bytes)
                raise
        return dropped

    async def _drop_behind(self) -> bool:
        """Drop the oldest frame that is on disk only, or wait for frames that are being read; False if that changes nothing."""
        before = self.behind
        if not before or self._is_closed:
            return False
        if self._loader is None:
            self._loader = asyncio.get_running_loop().create_task(self._load(1, self._drop))
        await asyncio.wait([self._loader])
        return self.behind < before

    def _drop(self, item: Item) -> None:
        self._books.end(item, Dropped(item.frame, DropReason.FULL_OLDEST, may_be_stored=item.state.may_be_stored))

    def _release(self, disk_bytes: int, size: int) -> None:
        self.disk.release(disk_bytes)
        self._books.memory.release(size)

    async def _drop_rejected(self, size: int) -> None:
        """Make room by deleting the oldest dead letters."""
        gone = await self.spool.drop_oldest(size - (self.disk.max_bytes - self.disk.used_bytes), 0, rejected=True)
        freed = sum(row[2] for row in gone)
        self._rejected_bytes = max(0, self._rejected_bytes - freed)
        if gone:
            logger.warning("the spool is full: %d frames that the service had refused were deleted from it", len(gone))
            self.disk.release(freed, len(gone))

    async def _write(self, frame: Frame, record: Record) -> Receipt:
        books = self._books
        loop = asyncio.get_running_loop()
        item = Item(
            frame, Receipt(frame.id), books.next_seq(), len(record.image), loop.time(), frame.source or "",
            disk_bytes=record.size,
        )  # fmt: skip
        record = attrs.evolve(record, seq=item.seq)
        books.known[frame.id] = item
        if self.spool.durability == "interval":
            books.tally.accepted += 1
            stays = self._stays()
            if stays:
                self._line_up(item)
            else:
                self.behind += 1
            self.spool.put(record, partial(self._written, item, stays))
            return item.receipt
        item.committed = loop.create_future()
        self.spool.put(record, partial(self._committed, item))
        await committed(item)
        return item.receipt

    def _stays(self) -> bool:
        """Whether a new frame is kept in memory beside the disk."""
        return not self.behind and self._books.memory.used_bytes <= self._books.memory.max_bytes // 2

    def _line_up(self, item: Item) -> None:
        self._cursor = item.seq
        self._schedule(item)

    def _committed(self, item: Item, error: BaseException | None, is_known: bool) -> None:
        """The commit of a frame in `commit` mode ended: only now it is accepted. Not in `submit`, which may be cancelled."""
        waiter, item.committed = item.committed, None
        if error is None and not is_known:
            self._books.tally.accepted += 1
            if self._stays():
                self._line_up(item)
            else:
                self.behind += 1
                self._leave_memory(item)
        else:
            self._books.known.pop(item.frame.id, None)
            self._release(item.disk_bytes, item.size)
            if is_known:
                # Found on disk, from an earlier process: whoever submitted it again gets its outcome.
                self._receipts[item.frame.id] = item.receipt
        if waiter is not None and not waiter.done():
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
                waiter.exception()  # the submitter may have been cancelled

    def _written(self, item: Item, stays: bool, error: BaseException | None, is_known: bool) -> None:
        """The commit of a frame in `interval` mode ended."""
        if error is not None:
            self.disk.release(item.disk_bytes)
            item.disk_bytes = 0
            if not stays:
                self.behind -= 1
                self._schedule(item)
        elif is_known:
            self._books.tally.accepted -= 1
            self.behind -= not stays
            self._books.known.pop(item.frame.id, None)
            self._release(item.disk_bytes, item.size)
            self._receipts[item.frame.id] = item.receipt
        elif not stays:
            self._leave_memory(item)

    def _leave_memory(self, item: Item) -> None:
        self._books.known.pop(item.frame.id, None)
        self._receipts[item.frame.id] = item.receipt
        self._books.memory.release(item.size)
        self.feed()

    # Reading back.

    def feed(self) -> None:
        """Read frames back from disk, if there are any and there is room."""
        memory = self._books.memory
        if self.behind and self._loader is None and not self._is_closed and memory.used_bytes <= memory.max_bytes // 4:
            room = max(1, memory.max_bytes // 2 - memory.used_bytes)
            self._loader = asyncio.get_running_loop().create_task(self._load(room, self._schedule))

    async def _load(self, room: int, take: Callable[[Item], None]) -> None:
        try:
            claimed = await self.spool.claim(self._cursor, room)
            self.error = None
        except SpoolError as error:
            self.error = error
            logger.warning("frames on disk cannot be read now: %s", error)
            await asyncio.sleep(_TRY_AGAIN_SECONDS)
            return
        finally:
            self._loader = None
            asyncio.get_running_loop().call_soon(self.feed)
        lost = len(claimed.damaged)
        for record in claimed.records:
            self._cursor = record.seq
            lost += not self._take_in(record, take)
        self.behind -= len(claimed.records) + len(claimed.damaged)
        for size in claimed.damaged:
            self.disk.release(size)
        gone = self.behind - (self.behind if claimed.behind is None else claimed.behind)
        if not claimed.records and not claimed.damaged:
            gone = self.behind
        self.behind -= gone
        if lost or gone:
            logger.error("%d damaged records were set aside in the spool %s", lost + gone, self.spool.directory)
            self._books.lose(lost + gone)

    def _take_in(self, record: Record, take: Callable[[Item], None]) -> bool:
        """Bring a record into memory, and hand it on; False if its description cannot be read."""
        try:
            frame = codec.decode(record.description, record.image)
        except ValueError as error:
            self.spool.reject(record.seq, f"unreadable: {error}")
            self._rejected_bytes += record.size
            return False
        receipt = self._receipts.pop(frame.id, None) or Receipt(frame.id)
        # A process before this one may have sent it without living to see the answer.
        state = Queued(may_be_stored=record.seq <= self._recovered_to)
        now = asyncio.get_running_loop().time()
        item = Item(
            frame, receipt, record.seq, len(record.image), now, frame.source or "", state, disk_bytes=record.size
        )
        self._books.known[frame.id] = item
        self._books.memory.occupy(item.size)
        take(item)
        return True

    # Going out.

    def ended(self, item: Item, outcome: Outcome) -> None:
        """Tell the disk what became of a frame."""
        if not item.disk_bytes or isinstance(outcome, Spooled):
            return
        if isinstance(outcome, Rejected):
            self.spool.reject(item.seq, f"{type(outcome.error).__name__}: {outcome.error}")
            self._rejected_bytes += item.disk_bytes
        else:
            self.spool.acknowledge(item.seq)
            self.disk.release(item.disk_bytes)
        self.feed()

    async def close(self, seconds: float) -> None:
        """Bring everything to disk, give the frames that stay there their outcome, and close.

        Args:
            seconds: How long the disk may take.
        """
        self._is_closed = True
        if self._loader is not None:
            self._loader.cancel()
        await self._end_absent(seconds / 2)
        if not await self.spool.close(seconds / 2):
            logger.warning(
                "the disk of the spool %s does not answer; it is left to finish by itself", self.spool.directory
            )

    async def _end_absent(self, seconds: float) -> None:
        ids: list[tuple[int, bytes]] = []
        try:
            async with asyncio.timeout(seconds):
                # Also brings the last frames to disk: their commits are booked before this returns.
                await self.spool.sync()
                if self.behind:
                    ids = await self.spool.pending_ids(self._cursor, _IDS_MAX)
        except (SpoolError, TimeoutError) as error:
            logger.warning("the frames left on disk cannot be listed: %s", error)
        for _, id_ in ids[: self.behind]:
            frame_id = UUID(bytes=id_)
            receipt = self._receipts.pop(frame_id, None) or Receipt(frame_id)
            self._books.end_absent(receipt, Spooled(frame_id))
            self.behind -= 1
        self._books.tally.spooled += self.behind
        self.behind = 0


async def committed(item: Item) -> None:
    """Wait until a frame is on disk, where its owner was promised that; cancelling the waiting changes nothing else.

    Raises:
        SpoolError: It could not be written.
    """
    if item.committed is not None:
        await asyncio.shield(item.committed)
