"""The spool's files: records in, records out. Blocking; `spool` runs it in its one thread.

Theory of operation. Records are appended to segment files (see `segment`) in the order of acceptance; what becomes of a record is a
mark in its segment. Nothing is written twice: a frame costs its own bytes, and its share of a flush. A segment in which nothing is
needed any more is deleted, which gives its room back at once.

What that makes true by construction:

* On a full disk frames can still be marked as delivered (in place), and segments be deleted (that writes nothing). So an outage that
  fills the disk ends by itself once the service is back. Where a file system copies what is overwritten, marking does need room: for
  that the file `reserve` is set aside at opening, and given up when the room ends.
* Damage stays where it is. No index, root page or journal exists whose loss would take other records along: a reader finds each
  record by itself. There is no salvage that could be interrupted; opening only reads.
* A commit is on disk when one file was flushed.

What is lost or damaged is counted, and kept for whoever wants to look: a segment that holds nothing but damage is renamed to
`NUMBER-COUNT.damaged`, up to 64 MiB of them. Segments of which little is left (refused frames stay, for instance) are merged
with their neighbours: so the files take at most a tenth more than what is in them, and three segments.

The parts: `segments` (the files in their order), `segment` (one file), `record` (its bytes), `free_space`, `merge`, `owner`.
"""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import orjson

from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool.free_space import Room
from picsellia_async._delivery.spool.merge import find_run, merge
from picsellia_async._delivery.spool.owner import read_owner, write_owner
from picsellia_async._delivery.spool.record import HEAD_BYTES, RECORD_BYTES_MAX, Record, unpack_reason
from picsellia_async._delivery.spool.results import Committed, DeadLetter, Recovery
from picsellia_async._delivery.spool.segment import ASIDE, DONE, PENDING, REJECTED, VERSION, Segment
from picsellia_async._delivery.spool.segments import Segments
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory
from picsellia_async._log_line import logger
from picsellia_async.errors import SpoolError

SEGMENT_BYTES: Final = 16 * 2**20
"""A segment that is as long takes no more records."""

_KEEP_BYTES: Final = 2**20
"""The segment that is written is kept up to this size when all in it has ended: a new file per frame would cost more."""
_TIDY_SECONDS: Final = 1.0
"""Time between two rounds of erasing, merging and looking whether the files are still there."""
_READ_ATTEMPTS: Final = 3
"""Times that the disk may fail to read a record before the record is set aside."""

Found = Callable[[int, str, int], None]
"""Told of a pending record at opening: its order, source and bytes."""


class Store:
    """The open files of one spool."""

    def __init__(
        self,
        directory: SpoolDirectory,
        owner: Mapping[str, str],
        segment_bytes: int = SEGMENT_BYTES,
        min_free_bytes: int | None = None,
    ) -> None:
        """Store where; `open` opens.

        Args:
            directory: Open, and locked by this process.
            owner: Whose frames these are: `deployment_id`, and what helps to find it again. A spool of another deployment is
                refused; an empty owner takes any.
            segment_bytes: Length of a segment.
            min_free_bytes: Room that is left to others; see `Room`.
        """
        self.gone: SpoolError | None = None
        """Set once the directory was deleted, replaced or unmounted. Nothing is written then."""
        self.trouble: SpoolError | None = None
        """The same, or that files in it are missing."""
        self._directory = directory
        self._owner = dict(owner)
        self._segment_bytes = segment_bytes
        self._segments = Segments(directory)
        self._room = Room(directory, min_free_bytes)
        self._ids: set[int] = set()
        """Hashes of the ids of pending records: a hash takes half of what an id takes."""
        self._dead_letters: dict[bytes, int] = {}
        """Order by id."""
        self._read_failures: Counter[int] = Counter()
        self._tidied_at = 0.0

    @property
    def is_full(self) -> bool:
        """Whether the file system has no room; looked at anew with every commit."""
        return self._room.is_full

    @property
    def is_nearly_full(self) -> bool:
        """Whether the file system soon has no room."""
        return self._room.is_nearly_full

    @property
    def free_bytes(self) -> int | None:
        """What might be written on the file system when that was looked at last; None where nothing tells."""
        return self._room.free

    # Opening.

    def open(self, found: Found | None = None) -> Recovery:
        """Find what the files hold.

        Args:
            found: Told of each pending record, in order.

        Raises:
            SpoolError: It belongs to another owner, is of a newer version, or cannot be opened.
        """
        try:
            return self._open_files(found)
        except OSError as error:
            raise SpoolError(f"the spool {self._name} cannot be opened: {error}") from error

    @property
    def _name(self) -> str:
        return repr(str(self._directory.path))

    def _open_files(self, found: Found | None) -> Recovery:
        written = read_owner(self._directory)
        headers = self._segments.load()
        if any(header.version > VERSION for header in headers):
            raise SpoolError(f"the spool {self._name} was written by a newer version of picsellia_async")
        self._check_owner(orjson.loads(headers[-1].owner) if written is None and headers else written, written)
        recovery = self._count(found)
        self._tidy_at_opening()
        return recovery

    def _check_owner(self, held: Mapping[str, str] | None, written: Mapping[str, str] | None) -> None:
        theirs, ours = (held or {}).get("deployment_id"), self._owner.get("deployment_id")
        if theirs and ours and theirs != ours:
            raise SpoolError(
                f"the spool {self._name} holds frames of deployment {theirs}, not of {ours}; use another directory"
            )
        if held and not ours:
            self._owner = dict(held)
        if written == self._owner:
            return
        try:
            write_owner(self._directory, self._owner)
        except OSError as error:
            if held is None:
                raise
            # A full disk: what is there can be delivered all the same.
            logger.warning("the owner of the spool %s cannot be written: %s", self._name, error)

    def _count(self, found: Found | None) -> Recovery:
        frames = size = rejected = rejected_bytes = 0
        for segment in self._segments:
            for index in segment.each(PENDING, REJECTED):
                length = segment.length(index)
                size += length
                if segment.state(index) == REJECTED:
                    rejected += 1
                    rejected_bytes += length
                    self._dead_letters[segment.id(index)] = segment.seq(index)
                    continue
                frames += 1
                self._ids.add(hash(segment.id(index)))
                if found is not None:
                    found(segment.seq(index), segment.sources[index], length)
            segment.sources = []
        return Recovery(frames, size, self._segments.last_seq, rejected, rejected_bytes, self._segments.damaged)

    def _tidy_at_opening(self) -> None:
        try:
            self._room.set_reserve_aside()
            self._tidy()
        except OSError as error:
            # None of it is needed to deliver what is there.
            self._room.look([error])

    def may_have(self, id_: bytes) -> bool:
        """Return whether a pending record may be that of this frame, also in a lost directory; asked from any thread."""
        return hash(id_) in self._ids

    # Writing.

    def commit(
        self, puts: Sequence[Record] = (), acknowledged: Sequence[int] = (), rejected: Sequence[tuple[int, str]] = ()
    ) -> Committed:
        """Bring what happened meanwhile to disk, and return once it is there.

        Args:
            puts: New records, in order.
            acknowledged: Delivered or given up: these may go. They count before the new records: a frame may come again.
            rejected: Refused for good, with the reason: these are kept as dead letters.
        """
        for seq in acknowledged:
            self._mark(seq, DONE)
        errors: list[OSError | SpoolError] = []
        self._reject(rejected, errors)
        known: set[int] = set()
        refused = {record.seq for record in puts}
        if puts:
            try:
                # On a full disk this is where the room for the new records comes from.
                self._remove_empty()
                self._put(puts, known, refused)
            except (OSError, SpoolError) as error:
                errors.append(error)
        try:
            self._flush_marks()
            self._tidy()
        except OSError as error:
            errors.append(error)
        self._room.look(errors)
        return Committed(frozenset(known), frozenset(refused), errors[0] if errors else self.trouble)

    def _mark(self, seq: int, state: int) -> None:
        """Mark a record; one that is not there (any more) is left alone."""
        place = self._segments.find(seq)
        if place is None:
            return
        segment, index = place
        before = segment.state(index)
        if before == DONE:
            return
        id_ = segment.id(index)
        if before == PENDING:
            self._ids.discard(hash(id_))
        elif before == REJECTED:
            self._dead_letters.pop(id_, None)
        if state == REJECTED:
            self._dead_letters[id_] = seq
        segment.mark(index, state)

    def _reject(self, rejected: Sequence[tuple[int, str]], errors: list[OSError | SpoolError]) -> None:
        for seq, reason in rejected:
            place = self._segments.find(seq)
            if place is None or place[0].state(place[1]) != PENDING:
                continue
            try:
                place[0].write_reason(self._segments.use(place[0]), place[1], reason)
            except OSError as error:  # the mark counts; the reason is for the reader
                errors.append(error)
            self._mark(seq, REJECTED)

    def _put(self, puts: Sequence[Record], known: set[int], refused: set[int]) -> None:
        """Append records; those that are on disk at the end leave `refused`, also where this fails in the middle."""
        if self.gone is not None:
            raise self.gone
        if new_bytes := sum(record.size for record in puts if not self.may_have(record.id)):
            self._room.check(new_bytes)
        written: set[int] = set()
        try:
            for record in puts:
                hashed = hash(record.id)
                if hashed in self._ids:
                    known.add(record.seq)
                    refused.discard(record.seq)
                    continue
                twin = self._dead_letters.get(record.id)
                if twin is not None:
                    self._mark(twin, DONE)
                if record.size > RECORD_BYTES_MAX:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
                segment = self._current(record.seq, refused)
                segment.append(self._segments.use(segment), record)
                self._ids.add(hashed)
                written.add(record.seq)
        finally:
            try:
                # What was written before a failure is whole, and stays.
                self._flush_current(refused)
            finally:
                self._ids.difference_update(hash(record.id) for record in puts if record.seq in written & refused)

    def _current(self, seq: int, refused: set[int]) -> Segment:
        """Return the segment that takes a record of this order."""
        last = self._segments.last
        if last is not None and not last.is_full(self._segment_bytes):
            return last
        self._flush_current(refused)
        if last is not None:
            last.is_sealed = True
        return self._segments.add(seq, orjson.dumps(self._owner))

    def _flush_current(self, refused: set[int]) -> None:
        """Bring what was appended to disk; only what arrived there leaves `refused`."""
        segment = self._segments.last
        if segment is None or not segment.has_unflushed:
            return
        descriptor = self._segments.use(segment)
        try:
            if segment.is_dirty:
                segment.write_marks(descriptor)
            disk.flush(descriptor)
            self._check_in_place(segment)
        except (OSError, SpoolError):
            segment.withdraw(descriptor)
            raise
        segment.flushed()
        for index in segment.confirm():
            refused.discard(segment.seq(index))
        # Not flushed: it reaches the disk with the next commit, or at closing. Written all the same, it outlives this process.
        segment.write_marks(descriptor)

    def _check_in_place(self, segment: Segment) -> None:
        """Refuse to take for stored what nobody can find again."""
        self._look_for_directory()
        if self.gone is not None:
            raise self.gone
        if not self._segments.is_there(segment):
            self.trouble = SpoolError(f"files of the spool {self._name} were deleted or replaced")
            raise self.trouble

    def _look_for_directory(self) -> None:
        if self.gone is None and not self._directory.is_in_place():
            self.gone = self.trouble = SpoolError(f"the spool {self._name} was deleted, replaced or unmounted")

    def _flush_marks(self) -> None:
        for segment in self._segments:
            # Marks that only say that the last commit arrived can wait for the next one.
            if segment.is_dirty and segment.is_urgent:
                self._write_marks(segment)

    def _write_marks(self, segment: Segment) -> None:
        descriptor = self._segments.use(segment)
        try:
            segment.write_marks(descriptor)
            disk.flush(descriptor)
        except OSError as error:
            if error.errno not in disk.FULL:
                raise
            # Only on a file system that copies what is overwritten.
            self._room.give_up_reserve()
            segment.write_marks(descriptor)
            disk.flush(descriptor)
        segment.flushed()

    # Reading.

    def claim(self, seqs: Sequence[int]) -> tuple[list[Record], list[tuple[int, bytes | None]]]:
        """Read pending records.

        Args:
            seqs: Their orders.

        Returns:
            The records, and those that are not there or damaged: order, and the frame's id if it is known. They are set aside.

        Raises:
            OSError: The disk cannot be read now. Asking again may help; a record that fails again and again is set aside.
        """
        records: list[Record] = []
        damaged: list[tuple[int, bytes | None]] = []
        for seq in seqs:
            record = self._read(seq)
            if record is None:
                place = self._segments.find(seq)
                damaged.append((seq, None if place is None else place[0].id(place[1])))
                self._mark(seq, ASIDE)
            else:
                records.append(record)
        return records, damaged

    def _read(self, seq: int) -> Record | None:
        place = self._segments.find(seq)
        if place is None or place[0].state(place[1]) != PENDING:
            return None
        try:
            return place[0].read(self._segments.use(place[0]), place[1])
        except FileNotFoundError:
            return None
        except OSError:
            self._read_failures[seq] += 1
            if self._read_failures[seq] >= _READ_ATTEMPTS:
                del self._read_failures[seq]
                return None
            raise

    def look_up(self, seqs: Sequence[int]) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes | None]]]:
        """Tell which records are pending in a file that is still there.

        Args:
            seqs: Their orders.

        Returns:
            Order and id of those that are, and of those that are not, as far as the id is known.
        """
        self._look_for_directory()
        is_in_place = self._directory.is_in_place()  # one that was put back has its records, and takes no others
        there: dict[int, bool] = {}
        found: list[tuple[int, bytes]] = []
        gone: list[tuple[int, bytes | None]] = []
        for seq in seqs:
            place = self._segments.find(seq)
            if place is None:
                gone.append((seq, None))
                continue
            segment, index = place
            if segment.number not in there:
                there[segment.number] = is_in_place and self._segments.is_there(segment)
            is_found = there[segment.number] and segment.state(index) == PENDING
            (found if is_found else gone).append((seq, segment.id(index)))
        return found, gone

    def dead_letters(self) -> list[DeadLetter]:
        """Return the refused records, in order."""
        letters = []
        for seq in sorted(self._dead_letters.values()):
            place = self._segments.find(seq)
            if place is not None:
                segment, index = place
                reason = unpack_reason(segment.read_head(self._segments.use(segment), index).ljust(HEAD_BYTES, b"\0"))
                letters.append(DeadLetter(seq, segment.id(index), reason, segment.length(index)))
        return letters

    def drop_rejected(self, min_bytes: int) -> tuple[int, int]:
        """Delete the oldest dead letters until so many bytes are free.

        Returns:
            How many, and their bytes.
        """
        count = freed = 0
        for letter in self.dead_letters():
            if freed >= min_bytes:
                break
            self._mark(letter.seq, DONE)
            count += 1
            freed += letter.size
        self._flush_marks()
        return count, freed

    # Tidying.

    @property
    def wants_tidying(self) -> bool:
        """Whether `tidy` has something to do although nothing happens: marks to write, bytes to erase, room to look for."""
        return self.is_full or any(segment.is_dirty or segment.has_unerased for segment in self._segments)

    def tidy(self) -> None:
        """Do what can wait for a quiet moment."""
        for segment in self._segments:
            if segment.is_dirty:
                self._write_marks(segment)
        self._tidy()
        self._room.look()

    def _remove_empty(self) -> None:
        for segment in self._segments:
            if segment.is_empty and (segment.is_sealed or segment.size >= _KEEP_BYTES):
                self._segments.remove(segment)

    def _tidy(self) -> None:
        self._remove_empty()
        now = time.monotonic()
        if now - self._tidied_at < _TIDY_SECONDS:
            return
        self._tidied_at = now
        for segment in self._segments:
            if segment.has_unerased and not segment.is_urgent:
                segment.erase_done(self._segments.use(segment))
        if not self.is_full:
            self._merge()
        self._watch()

    def _merge(self) -> None:
        run = find_run(self._segments, self._segment_bytes)
        if run:
            try:
                self._room.check(sum(segment.live_bytes for segment in run))
                merge(self._segments, self._directory, run, orjson.dumps(self._owner))
            except OSError as error:
                if error.errno not in disk.FULL:
                    raise

    def _watch(self) -> None:
        """Notice what somebody deleted, before anybody relies on it."""
        self._look_for_directory()
        if self.trouble is None and not all(map(self._segments.is_there, self._segments)):
            self.trouble = SpoolError(f"files of the spool {self._name} were deleted or replaced")

    def close(self) -> None:
        """Write what is left to write, and close. A spool that holds nothing leaves nothing but its name."""
        try:
            for segment in self._segments:
                if segment.is_dirty:
                    self._write_marks(segment)
                if segment.has_unerased:
                    segment.erase_done(self._segments.use(segment))
            for segment in self._segments:
                if segment.is_empty:
                    self._segments.remove(segment)
            self._room.give_up_reserve()
        finally:
            self._segments.close()
