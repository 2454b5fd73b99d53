"""The queue whose far end is on disk: which accepted frames stay in memory, which are on disk only, and how those come back.

Theory of operation. With a spool every accepted frame is written. The first pending frames are in memory as well, as many as half of
`max_pending_bytes` holds, and where frames are thinned a quarter of `max_spool_bytes`, since only what is on disk alone can be; the others
are on disk only, and nothing of them is in memory but an entry of the index and the receipts that somebody still holds. While anything is
in the index, new frames go there too: that keeps the order within a source. One task reads frames back, source by source in turn, whenever
memory has room. With `order="newest"` it is the newest frames that are in memory: a new one always goes there, and the oldest ones leave.

With `durability="commit"` a frame is accepted once it is on disk, in the step in which `submit` returns; until then it is `arriving`. One
whose `submit` was cancelled is taken back from the disk: its caller may submit it again, or never. With `"interval"` it is
accepted, and may be sent, at once. In the index and not on disk yet, it keeps its item in `_unwritten`, and is taken from there.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from picsellia_async._delivery.frame_state import Queued
from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.outcomes import Dropped, DropReason, Rejected, Spooled
from picsellia_async._delivery.receipt import Item, Receipt, last_outcome, memory_size
from picsellia_async._delivery.reporter import Reporter
from picsellia_async._delivery.sender import Sender
from picsellia_async._delivery.spool import codec
from picsellia_async._delivery.spool.arrival import Arrivals
from picsellia_async._delivery.spool.index import Entry, Index
from picsellia_async._delivery.spool.quota import SpoolQuota
from picsellia_async._delivery.spool.record import Record
from picsellia_async._log_line import logger, tell
from picsellia_async.errors import ConfigurationError, SpoolError
from picsellia_async.frames import Frame

_TRY_AGAIN_SECONDS: Final = 1.0
"""Pause after the disk failed to be read."""
_READ_FRAMES_MAX: Final = 64
"""Frames that are read back at a time: they are decoded in one step of the event loop, some 2 ms."""
_IDS_AT_ONCE: Final = 10_000
"""Frames on disk whose ids are asked for at a time."""


class SpoolQueue:
    """The queue of an uploader with a spool; stands before the sender's."""

    def __init__(
        self,
        writer: SpoolQuota,
        ledger: Ledger,
        sender: Sender,
        encode: Callable[[Frame], bytes],
        reporter: Reporter,
        *,
        newest_first: bool = False,
    ) -> None:
        """Store the parts; `open` opens.

        Args:
            writer: The way to disk.
            ledger: The account of the frames.
            sender: Sends what is in memory.
            encode: Makes the request of a frame that was read back.
            reporter: Is told what may have changed on disk.
            newest_first: Whether the newest frames are in memory and sent first, and not the oldest.
        """
        self._newest_first = newest_first
        self._reporter = reporter
        self._writer = writer
        self._spool = writer.spool
        self._ledger = ledger
        self._sender = sender
        self._encode = encode
        self._index = Index(newest_first=newest_first)
        self._arriving = Arrivals(writer, ledger, reporter, self._join)
        self._unwritten: dict[int, Item] = {}
        self._taken: dict[int, Entry] = {}
        """Entries that are being read: neither in the index nor in memory."""
        self._receipts: WeakValueDictionary[UUID, Receipt] = WeakValueDictionary()
        """Of frames that are on disk only. Weak: a million frames on disk must not keep a million receipts in memory."""
        self._unasked = 0
        """Frames on disk that are neither in the index nor counted as spooled: closing is about to."""
        self._recovered_to = 0
        self._adopted: set[int] = set()
        """Orders of frames that other processes left."""
        self._reader: asyncio.Task[None] | None = None
        self._is_closed = False

    async def open(self) -> None:
        """Open the spool and take what it holds.

        Raises:
            SpoolError: It cannot be opened.
        """
        found = await self._writer.open(self._index.add)
        self._recovered_to = found.last_seq
        self._ledger.recover(found.frames, found.last_seq, found.quarantined)
        self._reporter.look()
        self._start_reader()

    def recover(self, record: Record) -> None:
        """Take in a record that another process left, and that is on disk here now."""
        self._adopted.add(record.seq)
        self._ledger.recover_one()
        self._index.add(record.seq, record.source, record.size)
        self._start_reader()

    @property
    def frames(self) -> int:
        """Frames to be delivered that are on disk; once closed, those that are left there."""
        if self._spool.is_gone:
            return 0
        # A copy, made in one step: a scrape of metrics asks from another thread.
        in_memory = sum(1 for item in list(self._ledger.known.values()) if item.disk_bytes)
        return len(self._index) + self._unasked - len(self._unwritten) + in_memory + self._ledger.spooled

    def waiting_by_source(self) -> Counter[str]:
        """Return how many pending frames are not in memory, by source."""
        return Counter(self._index.counts()) + Counter(entry.source for entry in list(self._taken.values()))

    # Coming in.

    async def find(self, frame_id: UUID, accept: Callable[[Item], None]) -> Receipt | None:
        """Return the receipt of a frame that is on disk or on its way there, or None.

        Args:
            frame_id: Its id.
            accept: Accepts it, where it is on its way, and whoever submitted it first was cancelled.

        Raises:
            SpoolError: It could not be written.
            ClosedError: The uploader closed before it was on disk.
        """
        if (arrival := self._arriving.get(frame_id)) is not None:
            return await self._arriving.arrive(arrival, accept)
        return self._receipts.get(frame_id)

    async def accept(self, item: Item, record: Record, accept: Callable[[Item], None]) -> Receipt:
        """Write a frame, and have it accepted when `durability` says so.

        Args:
            item: Its room in memory and on disk is taken.
            record: What is written.
            accept: Accepts it. Called at once in interval mode where the disk does not have the frame already, else when the commit has
                ended, if this was not cancelled meanwhile.

        Raises:
            SpoolError: It could not be written, and is not accepted.
            ClosedError: The uploader closed before it was on disk, and it is not there.
        """
        item.disk_bytes = record.size
        if self._spool.durability == "interval" and not self._spool.may_have(record.id):
            accept(item)
            self._spool.put(record, partial(self._written, item))
            return item.receipt
        return await self._arriving.arrive(self._arriving.put(item, record), accept)

    def _written(self, item: Item, error: BaseException | None, is_known: bool) -> None:
        """The commit of a frame in `interval` mode ended."""
        if error is not None:
            self._reporter.look()
            self._writer.not_written(item)
            if self._unwritten.get(item.seq) is item:
                # It stays in memory until its turn comes, and must not keep the frames before it from being read.
                self._ledger.memory.park(item.size)
            self._ledger.memory.stop_passing()
            return
        if self._ledger.known.get(item.frame.id.int) is not item:
            return  # it has its outcome already, and the writer was told
        is_waiting = self._unwritten.get(item.seq) is item
        if is_known:
            self._ledger.end_passing(item)
            self._merge(item, is_waiting=is_waiting)
            return
        item.is_written = True
        # One that is being read stays: the reader did not ask the disk for it, and takes it from here.
        if is_waiting and item.seq not in self._taken:
            del self._unwritten[item.seq]
            self._leave_memory(item)
        self._ledger.end_passing(item)

    def _merge(self, item: Item, *, is_waiting: bool) -> None:
        """An earlier process left the same frame on disk: only one of the two is delivered, if this one is not under way."""
        self._writer.room.release(item.disk_bytes)
        item.disk_bytes = 0
        if is_waiting:
            del self._unwritten[item.seq]
            if self._taken.pop(item.seq, None) is None:  # else the reader has it, and finds it gone from there
                self._index.remove(item.seq, item.source)
        elif not self._sender.queue.remove(item):
            return
        self._ledger.merge(item)
        self._join(item.receipt)

    def _join(self, receipt: Receipt) -> None:
        """The frame of a receipt was on disk already, from an earlier process: the receipt gets that one's outcome."""
        twin = self._ledger.known.get(receipt.frame_id.int)
        older = self._receipts.get(receipt.frame_id) if twin is None else None
        if twin is not None:
            twin.receipt.call(receipt.resolve)
        elif receipt.outcome is None:
            self._receipts[receipt.frame_id] = receipt
            if older is not None:
                receipt.call(older.resolve)

    def push(self, item: Item) -> None:
        """Queue an accepted frame: in memory where nothing is before it on disk and there is room, else on disk."""
        memory = self._ledger.memory
        if self._newest_first:
            # The oldest ones in memory give way, and go on existing on disk.
            while not memory.is_below(1 / 2) and (older := self._sender.queue.pop_oldest()) is not None:
                if older.state.attempts:  # what is known of its attempts is in memory alone
                    self._sender.push(older)
                    break
                self._leave_to_disk(older)
        if (self._newest_first or not (self._index or self._taken)) and memory.is_below(1 / 2):
            self._sender.push(item)
        else:
            self._leave_to_disk(item)
        self._start_reader()

    def _leave_to_disk(self, item: Item) -> None:
        """Put a frame into the index, and out of memory as soon as it is written."""
        self._index.add(item.seq, item.source, item.disk_bytes)
        if item.is_written:
            self._leave_memory(item)
        else:
            self._unwritten[item.seq] = item
            # Where its commit has failed it is parked, until it is read back.
            self._ledger.memory.park(0 if item.disk_bytes else item.size)

    def _leave_memory(self, item: Item) -> None:
        self._ledger.leave_memory(item)
        self._receipts[item.frame.id] = item.receipt

    # Reading back.

    def _start_reader(self) -> None:
        if self._index and self._reader is None and not self._is_closed:
            self._reader = asyncio.get_running_loop().create_task(self._read_back())
            self._reader.add_done_callback(self._reader_done)

    def _reader_done(self, reader: asyncio.Task[None]) -> None:
        self._reader = None
        if not reader.cancelled() and reader.exception() is not None:
            logger.error("reading back frames from the spool failed", exc_info=reader.exception())
        # Also where somebody cancelled it (a debugger, a task killer): what is on disk must not stay there.
        self._start_reader()

    async def _read_back(self) -> None:
        """Read frames back for as long as there are any."""
        memory = self._ledger.memory
        while self._index and not self._is_closed:
            # Between three eighths and half of the memory: seldom enough to read many at once, and never near to empty.
            await memory.wait_below(3 / 8)
            entries = self._choose()
            try:
                await self._read(entries)
                self._reporter.reading_error = None
            except SpoolError as error:
                self._note(error)
                await asyncio.sleep(_TRY_AGAIN_SECONDS)

    def _note(self, error: SpoolError) -> None:
        self._reporter.reading_error = error
        self._reporter.look()

    def _choose(self) -> list[Entry]:
        """Take from the index what is read next: by turns of the sources, as much as there is room for, one frame at least."""
        memory = self._ledger.memory
        room = memory.waiting_bytes - memory.used_bytes + memory.parked_bytes
        frames = _READ_FRAMES_MAX
        if memory.max_frames is not None:
            frames = min(frames, max(1, memory.max_frames // 2 - memory.used_frames))
        entries: list[Entry] = []
        while len(entries) < frames and (room > 0 or not entries) and (entry := self._index.pop()) is not None:
            entries.append(entry)
            room -= entry.size
        return entries

    async def _read(self, entries: list[Entry], take: Callable[[Item], None] | None = None) -> None:
        """Bring frames that were taken from the index into memory, and hand them on, in this order."""
        take = take or self._sender.push
        wanted = [entry.seq for entry in entries if entry.seq not in self._unwritten]
        self._taken.update((entry.seq, entry) for entry in entries)
        try:
            claimed = await self._spool.claim(wanted) if wanted else None
        except BaseException:
            # Not read, or cancelled: they must not fall between index and memory.
            for entry in entries:
                if self._taken.pop(entry.seq, None):
                    self._index.put_back(entry)
            raise
        records = {record.seq: record for record in claimed.records} if claimed is not None else {}
        gone: list[Entry] = []
        for entry in entries:
            if self._taken.pop(entry.seq, None) is None:
                continue  # closing did not wait for the disk, and has given it an outcome
            if (item := self._unwritten.pop(entry.seq, None)) is not None:
                if not item.disk_bytes:
                    self._ledger.memory.park(-item.size)
                take(item)
            elif not self._take_in(entry, records.get(entry.seq), take):
                gone.append(entry)
        if gone and claimed is not None:
            self._set_aside(gone, dict(claimed.damaged) | {record.seq: record.id for record in claimed.records})

    def _set_aside(self, gone: list[Entry], ids: dict[int, bytes | None]) -> None:
        """Account for records that could not be read."""
        text = "%(damaged)d damaged records were set aside in the spool %(spool)s"
        tell(logging.ERROR, text, damaged=len(gone), spool=str(self._spool.directory))
        for entry in gone:
            self._end_damaged(entry.seq, ids[entry.seq], entry.source)
        self._reporter.look()

    def _end_damaged(self, seq: int, id_: bytes | None, source: str) -> None:
        """Give a frame its outcome whose record cannot be read any more."""
        frame_id = UUID(bytes=id_ or bytes(16))
        error = SpoolError(f"its record in the spool {str(self._spool.directory)!r} is damaged or gone")
        receipt = self._receipts.pop(frame_id, Receipt(frame_id))
        self._ledger.end_damaged(receipt, error, source, is_of_former_run=self._is_of_former_run(seq))

    def _is_of_former_run(self, seq: int) -> bool:
        """Return whether a process before this one accepted a frame: it may have sent it without living to see the answer."""
        return seq <= self._recovered_to or seq in self._adopted

    def _take_in(self, entry: Entry, record: Record | None, take: Callable[[Item], None]) -> bool:
        """Bring a record into memory, and hand it on; False if it is damaged, or its description cannot be read."""
        if record is None:
            self._writer.room.release(entry.size)
            return False
        try:
            frame = codec.decode(record.description, record.image)
        except ValueError as error:
            self._writer.reject(record.seq, record.size, f"unreadable: {error}")
            return False
        item = self._item(record, frame)
        self._ledger.enter_memory(item)
        try:
            item.request = self._encode(frame)
        except ConfigurationError as error:
            self._ledger.end(item, Rejected(frame, error, attempts=0, may_be_stored=item.state.may_be_stored))
            self._reporter.look()
        else:
            take(item)
        return True

    def _item(self, record: Record, frame: Frame) -> Item:
        age = max(0.0, time.time() - record.accepted_at) if record.accepted_at else 0.0
        receipt = self._receipts.pop(frame.id, Receipt(frame.id))
        if (arrival := self._arriving.get(frame.id)) is not None:
            # Submitted again while it is read back. It may have its outcome before the disk says that it knows the frame.
            receipt.call(arrival.item.receipt.resolve)
        return Item(
            frame,
            b"",
            receipt,
            record.seq,
            memory_size(len(record.image), record.description),
            self._sender.now() - age,
            frame.source or "",
            Queued(may_be_stored=self._is_of_former_run(record.seq)),
            disk_bytes=record.size,
            is_written=True,
        )

    async def thin(self) -> int | None:
        """Drop a frame on disk that stands between two others of its source; return the size of its record, None where there is none."""
        was_thinned, entry = self._index.is_thinned, self._index.pop_between()
        if entry is not None and not was_thinned:
            logger.warning("the spool %s has no room for more: what waits in it is thinned", self._spool.directory)
        return await self._drop_entry(entry, DropReason.THINNED)

    async def drop_oldest(self) -> bool:
        """Drop the oldest of all frames that are not under way; False if there is none, or it cannot be read."""
        item = self._sender.take_oldest(self._index.oldest_seq())
        if item is not None:
            self._drop(item, DropReason.FULL_OLDEST)
        return item is not None or await self._drop_entry(self._index.pop_oldest(), DropReason.FULL_OLDEST) is not None

    async def _drop_entry(self, entry: Entry | None, reason: DropReason) -> int | None:
        try:
            await self._read([entry] if entry else [], partial(self._drop, reason=reason))
        except SpoolError as error:
            self._note(error)
            return None
        return None if entry is None else entry.size  # 0 of one whose commit has failed

    def _drop(self, item: Item, reason: DropReason) -> None:
        self._ledger.end(item, Dropped(item.frame, reason, item.state.error, item.state.may_be_stored))
        self._reporter.look()

    # Ending.

    async def settle(self, patience: float) -> None:
        """Bring everything to disk, and give every frame that is left its outcome: `Spooled` if it is on disk, else `Dropped`.

        Args:
            patience: Seconds that the disk may take without getting anything done.
        """
        self._is_closed = True
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        is_synced = await self._sync(patience)
        self._arriving.settle()
        for entry in self._taken.values():
            # Whoever waits for the disk to read these waits in vain; it finds them gone from `_taken`.
            self._index.put_back(entry)
        self._taken.clear()
        for seq, item in self._unwritten.items():
            self._index.remove(seq, item.source)
        self._unwritten.clear()
        in_memory = sorted(self._ledger.known.values(), key=lambda item: item.seq)
        written = [item.seq for item in in_memory if item.is_written]
        answer = await self._spool.look_up(written, patience)
        # A disk that is only slow has what it committed; of one in trouble nobody knows.
        is_slow = answer is None and self._spool.error is None
        present = set(written) if is_slow else {seq for seq, _ in (answer or ((), ()))[0]}
        for item in in_memory:
            self._ledger.end_undelivered(item, last_outcome(item, is_on_disk=item.seq in present))
        await self._end_on_disk(patience if is_synced else 0.0)

    async def _sync(self, patience: float) -> bool:
        """Wait for the disk for as long as it gets something done; False if it does not."""
        syncing = asyncio.ensure_future(self._spool.sync())
        left = self._not_written()
        while not (await asyncio.wait([syncing], timeout=patience))[0]:
            if self._not_written() >= left:
                syncing.cancel()
                break
            left = self._not_written()
        if syncing.done() and not syncing.cancelled() and syncing.exception() is None:
            return True
        left, where = self._not_written(), str(self._spool.directory)
        text = "closing: the disk of the spool %(spool)s has got nothing done for %(seconds)g s; %(left)d frames are not known to be on it"
        tell(logging.WARNING if left else logging.INFO, text, spool=where, seconds=patience, left=left)
        return False

    def _not_written(self) -> int:
        return len(self._arriving) + sum(1 for item in self._ledger.known.values() if not item.is_written)

    async def _end_on_disk(self, patience: float) -> None:
        """Give the frames that are on disk only their outcome, with the disk's word that they are there."""
        entries, lost = self._index.in_order(), 0
        self._unasked = len(self._index)
        self._index.clear()
        asked: dict[int, str] = {}
        while self._unasked and patience:
            asked = dict(itertools.islice(entries, _IDS_AT_ONCE))
            answer = await self._spool.look_up(list(asked), patience)
            if answer is None:
                break
            for seq, id_ in answer[0]:
                frame_id = UUID(bytes=id_)
                receipt = self._receipts.pop(frame_id, Receipt(frame_id))
                self._ledger.end_on_disk(receipt, Spooled(frame_id), asked[seq])
            for seq, known_id in answer[1]:
                self._end_damaged(seq, known_id, asked[seq])
            lost += len(answer[1])
            self._unasked -= len(asked)
            asked = {}
            await asyncio.sleep(0)
        if lost:
            text = "%(gone)d records are gone from the spool %(spool)s"
            tell(logging.ERROR, text, gone=lost, spool=str(self._spool.directory))
        self._unasked = 0
        self._end_unlisted(itertools.chain(asked.items(), entries))

    def _end_unlisted(self, entries: Iterable[tuple[int, str]]) -> None:
        """Give frames their outcome of which the disk does not say whether it has them, and resolve every receipt that is left."""
        if self._spool.is_gone:
            for seq, source in entries:
                self._end_damaged(seq, None, source)
        error = SpoolError(f"the spool {str(self._spool.directory)!r} could not be asked, or the record is damaged")
        self._ledger.end_unlisted(list(self._receipts.values()), Counter(source for _, source in entries), error)

    async def close(self, patience: float) -> None:
        """Close the file."""
        if not await self._spool.close(patience):
            text = "closing: the disk of the spool %s does not answer; what it was told is left to it, and the process may end later"
            logger.warning(text, self._spool.directory)
