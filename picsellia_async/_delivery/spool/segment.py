"""A segment: one file of the spool, with records one behind the other, and a table of marks that tells what became of each.

    header (4 KiB, twice inside) | marks (4 KiB, one byte per record) | record | record | ...

Records are appended and never changed. A mark is changed in place, in room that the file has from its beginning: so marking a
frame as delivered needs no space on a full disk. Marks are codewords of which each two differ in four bits or more: a flipped
bit is corrected, and never turns one mark into another.

The mark PENDING is written after the record was flushed, and flushed itself with the commit that follows. So a mark without a readable
record tells a loss, wherever the damage is: in a head, by truncation, in the middle. A record without a mark belongs to the last
commit before a power cut, and may be cut short without anybody having been told that it was accepted.

What was delivered is erased from the file (see `disk.erase`), so that images do not stay readable until the whole file goes. Erasing
follows the flush of the marks: in the other order a power cut could leave a pending frame without its bytes.
"""

from __future__ import annotations

import os
import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

import attrs

from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool.record import (
    HEAD_BYTES,
    MAGIC,
    NONCE_BYTES,
    REASON_AT,
    SOURCE_BYTES_MAX,
    Head,
    Record,
    nonce_of,
    pack,
    pack_reason,
    unpack,
    unpack_reason,
)

VERSION: Final = 1
"""Of the layout."""
SLOTS: Final = 4096
"""Records that a segment holds at most."""
MARKS_AT: Final = 4096
FIRST_AT: Final = MARKS_AT + SLOTS
"""Where records begin."""

UNUSED, PENDING, DONE, REJECTED, ASIDE = 0x00, 0x0F, 0xF0, 0x3C, 0xC3
"""Marks: no record, or one that nobody counted yet; to be delivered; ended, may go; refused, kept; damaged, kept."""

_HEADER: Final = struct.Struct("<8sH8sH")
_HEADER_MAGIC: Final = b"\x89pSpool\n"
_HEADER_COPY_AT: Final = 2048
OWNER_BYTES_MAX: Final = _HEADER_COPY_AT - _HEADER.size - 4
_UNKNOWN: Final = 0xFF
_UNKNOWN_MAX: Final = 8
"""With more marks than this that are no codeword, the table was overwritten, and tells nothing."""
_PEEK_BYTES: Final = HEAD_BYTES + 128
"""Read of a record to see its head: a source of the usual length is in it."""
_WINDOW_BYTES: Final = 2**20
_UNCOUNTED: Final = (UNUSED, _UNKNOWN)
"""A record with such a mark is taken for pending."""


def _nearest(mark: int) -> int:
    for code in (UNUSED, PENDING, DONE, REJECTED, ASIDE):
        if (mark ^ code).bit_count() <= 1:
            return code
    return _UNKNOWN


_DECODED: Final = bytes(_nearest(mark) for mark in range(256))


@attrs.frozen
class Header:
    """What the beginning of a file tells."""

    version: int
    """Layout of the file."""
    nonce: bytes
    """Random; every record of the file repeats it."""
    owner: bytes
    """Whose frames these are, as JSON."""

    def pack(self) -> bytes:
        """Return header and empty marks."""
        data = _HEADER.pack(_HEADER_MAGIC, self.version, self.nonce, len(self.owner)) + self.owner
        data = (data + zlib.crc32(data).to_bytes(4, "little")).ljust(_HEADER_COPY_AT, b"\0")
        return data + data + bytes(SLOTS)


def read_header(data: bytes) -> Header | None:
    """Return the header, or None if neither of its two copies can be read."""
    for start in (0, _HEADER_COPY_AT):
        copy = data[start : start + _HEADER_COPY_AT]
        if len(copy) < _HEADER.size:
            continue
        magic, version, nonce, length = _HEADER.unpack_from(copy)
        end = _HEADER.size + length
        if magic == _HEADER_MAGIC and zlib.crc32(copy[:end]).to_bytes(4, "little") == copy[end : end + 4]:
            return Header(version, nonce, copy[_HEADER.size : end])
    return None


class Segment:
    """What is known of one file. Its owner opens the file, and hands the descriptor in.

    In memory a record takes 35 bytes, in arrays in the order of `seq`.
    """

    def __init__(self, number: int, nonce: bytes, name: str | None = None) -> None:
        """Begin with no records.

        Args:
            number: Place among the segments.
            nonce: See `Header`.
            name: Of the file, where it is not the usual one.
        """
        self.number = number
        self.nonce: bytes | None = nonce
        self.name = name or f"{number:08d}.seg"
        self.size = FIRST_AT
        """Where the next record goes."""
        self.is_sealed = False
        """Whether it takes no more records."""
        self.base = 0
        """No record in it is older than this."""
        self.is_dirty = False
        """Whether there are marks that are not flushed."""
        self.is_urgent = False
        """Whether some of them say more than that a commit arrived."""
        self.is_bad = False
        """Whether a record in it turned out to be damaged that its reader did not see yet."""
        self.sources: list[str] = []
        """Sources of the records, while the spool is opened."""
        self.lost = 0
        """Records that were there and cannot be read any more."""
        self.live_bytes = 0
        """Bytes of records that are pending or refused."""
        self.identity: tuple[int, int] | None = None
        """Device and inode of the file."""
        self._marks = bytearray(SLOTS)
        self._counts = dict.fromkeys((PENDING, DONE, REJECTED, ASIDE), 0)
        self._seqs = array("Q")
        self._offsets = array("I")
        self._lengths = array("I")
        self._slots = array("H")
        self._states = bytearray()
        self._ids = bytearray()
        self._next_slot = 0
        self._unflushed = 0
        self._unerased: list[int] = []

    # Asking.

    @property
    def is_empty(self) -> bool:
        """Whether nothing in it is needed: neither pending nor refused records, nor some that are not flushed."""
        return not (self._counts[PENDING] or self._counts[REJECTED] or self._unflushed)

    @property
    def damaged(self) -> int:
        """Records that are lost or set aside."""
        return self.lost + self._counts[ASIDE]

    @property
    def last_seq(self) -> int:
        """Order of the newest record; 0 without any."""
        return self._seqs[-1] if self._seqs else 0

    @property
    def live(self) -> int:
        """Records that are pending or refused."""
        return self._counts[PENDING] + self._counts[REJECTED]

    @property
    def has_unflushed(self) -> bool:
        """Whether records were appended that do not count yet."""
        return self._unflushed > 0

    @property
    def has_unerased(self) -> bool:
        """Whether there are bytes of records that ended."""
        return bool(self._unerased)

    def is_full(self, segment_bytes: int) -> bool:
        """Return whether the next record goes to another segment."""
        return self.is_sealed or self.size >= segment_bytes or self._next_slot >= SLOTS

    def find(self, seq: int) -> int | None:
        """Return the index of a record, or None."""
        index = bisect_left(self._seqs, seq)
        return index if index < len(self._seqs) and self._seqs[index] == seq else None

    def each(self, *states: int) -> Iterator[int]:
        """Return the indexes of records that have one of these marks, in order."""
        return (index for index, state in enumerate(self._states) if state in states)

    def seq(self, index: int) -> int:
        """Return the order of a record."""
        return self._seqs[index]

    def id(self, index: int) -> bytes:
        """Return the id of a record."""
        return bytes(self._ids[16 * index : 16 * index + 16])

    def length(self, index: int) -> int:
        """Return the bytes of a record."""
        return self._lengths[index]

    def state(self, index: int) -> int:
        """Return the mark of a record."""
        return self._states[index]

    # Loading.

    def load(self, descriptor: int, after: int) -> Header | None:
        """Find the records of a file, and count what is missing.

        Args:
            descriptor: The file.
            after: Order of the newest record in the segments before this one. A record that is not newer stands there too: a
                crash interrupted their merging.

        Returns:
            The header, if it can be read.
        """
        self.is_sealed = True
        size = self.size = os.fstat(descriptor).st_size
        start = disk.read_around_errors(descriptor, 0, FIRST_AT)
        header = read_header(start)
        self.nonce = None if header is None else header.nonce
        marks = self._read_marks(start)
        expected, end = self._load_records(descriptor, size, marks, after)
        counted = [slot for slot in range(expected, SLOTS) if marks[slot] in {PENDING, REJECTED, ASIDE}]
        self.lost += len(counted)
        is_torn = marks[expected : expected + 1] == bytes([UNUSED]) and self._has_rest(descriptor, end, size)
        if not self.lost and (len(start) < FIRST_AT or is_torn):
            self.lost = 1
        self.base = self._seqs[0] if self._seqs else after + 1
        return header

    def _read_marks(self, start: bytes) -> bytes:
        marks = start[MARKS_AT:].ljust(SLOTS, b"\0").translate(_DECODED)
        if marks.count(_UNKNOWN) > _UNKNOWN_MAX:
            self.lost += 1
            marks = bytes(SLOTS)
        self._marks[:] = marks
        return marks

    def _load_records(self, descriptor: int, size: int, marks: bytes, after: int) -> tuple[int, int]:
        """Walk from head to head; where there is none, search for the next. Returns the slot and the place behind the last one."""
        position, expected = FIRST_AT, 0
        end = position
        while position < size:
            head = self._head_at(descriptor, position)
            if head is None or head.slot < expected or position + head.length > size:
                following = self._search(descriptor, position + 1, size)
                if following is None:
                    break
                position = following
                continue
            if head.slot > expected:
                # A gap in the numbers: all that stood there had ended and was erased, or it was damaged.
                self.lost += sum(1 for slot in range(expected, head.slot) if marks[slot] != DONE)
            expected = head.slot + 1
            if head.seq > after:
                after = head.seq
                self._load_record(descriptor, position, head, marks[head.slot])
            position += head.length
            end = position
        for state in self._counts:
            self._counts[state] = self._states.count(state)
        self.live_bytes = sum(map(self.length, self.each(PENDING, REJECTED)))
        return expected, end

    def _load_record(self, descriptor: int, position: int, head: Head, mark: int) -> None:
        state = mark
        if (
            mark == UNUSED
            and unpack(disk.read_around_errors(descriptor, position, head.length), self.nonce, position) is None
        ):
            # Of the last commit, whose end nobody counted: whether it came to its end is seen here.
            state = ASIDE
        elif mark in _UNCOUNTED:
            state = PENDING
        index = self._add(head.seq, head.id, position, head.length, head.slot, state)
        self.sources.append(head.source)
        if state == DONE:
            self._unerased.append(index)
        if mark != state:
            self._marks[head.slot] = state
            self.is_dirty = True

    def _head_at(self, descriptor: int, position: int) -> Head | None:
        data = disk.read_around_errors(descriptor, position, _PEEK_BYTES)
        if data[: len(MAGIC)] != MAGIC:
            return None
        head = Head.parse(data, self.nonce, position)
        if head is None:
            head = Head.parse(
                disk.read_around_errors(descriptor, position, HEAD_BYTES + SOURCE_BYTES_MAX), self.nonce, position
            )
        if head is not None and self.nonce is None:
            self.nonce = nonce_of(data)
        return head

    def _search(self, descriptor: int, position: int, size: int) -> int | None:
        """Return where the next head is, or None."""
        wanted = MAGIC + (self.nonce or b"")
        while (position := disk.next_data(descriptor, position)) < size:
            window = disk.read_around_errors(descriptor, position, _WINDOW_BYTES)
            found = window.find(wanted)
            while found >= 0:
                if self._head_at(descriptor, position + found) is not None:
                    return position + found
                found = window.find(wanted, found + 1)
            if position + len(window) >= size or len(window) < len(wanted):
                return None
            position += len(window) - len(wanted) + 1
        return None

    def _has_rest(self, descriptor: int, end: int, size: int) -> bool:
        """Return whether something stands behind the last record that is no write that was cut short."""
        rest = disk.read_around_errors(descriptor, end, max(0, min(size - end, _WINDOW_BYTES)))
        return len(rest) >= HEAD_BYTES and rest.strip(b"\0") != b"" and self._head_at(descriptor, end) is None

    # Writing.

    def _add(self, seq: int, id_: bytes, offset: int, length: int, slot: int, state: int) -> int:
        self._seqs.append(seq)
        self._offsets.append(offset)
        self._lengths.append(length)
        self._slots.append(slot)
        self._states.append(state)
        self._ids += id_
        return len(self._seqs) - 1

    def _count(self, state: int, change: int, length: int) -> None:
        if state != UNUSED:
            self._counts[state] += change
        if state in {PENDING, REJECTED}:
            self.live_bytes += change * length

    def append(self, descriptor: int, record: Record) -> None:
        """Write a record at the end. It counts once `confirm` was called; if this fails, the file ends where it did."""
        if self.nonce is None or record.seq <= self.last_seq:
            raise ValueError(f"record {record.seq} cannot follow {self.last_seq}")
        before = pack(record, self.nonce, self.size, self._next_slot)
        try:
            disk.write_at(descriptor, self.size, before)
            disk.write_at(descriptor, self.size + len(before), record.image)
        except BaseException:
            self._cut(descriptor, self._next_slot)
            raise
        length = len(before) + len(record.image)
        self._add(record.seq, record.id, self.size, length, self._next_slot, UNUSED)
        if not self.base:
            self.base = record.seq
        self.size += length
        self._next_slot += 1
        self._unflushed += 1

    def confirm(self, state: int = PENDING) -> list[int]:
        """What was appended has reached the disk: it counts, and its marks go there with the next commit.

        Returns:
            The indexes of the records.
        """
        indexes = list(range(len(self._seqs) - self._unflushed, len(self._seqs)))
        self._unflushed = 0
        is_urgent = self.is_urgent
        for index in indexes:
            self.mark(index, state)
        self.is_urgent = is_urgent
        return indexes

    def withdraw(self, descriptor: int) -> None:
        """What was appended may not have reached the disk: take it out, and append nothing more.

        After a flush that failed the system takes the pages for written: another flush of the same file would say yes to
        what is not there.
        """
        self.is_sealed = True
        count, self._unflushed = self._unflushed, 0
        if not count:
            return
        self.size = self._offsets[-count]
        first = self._slots[-count]
        for column in (self._seqs, self._offsets, self._lengths, self._slots, self._states):
            del column[-count:]
        del self._ids[-16 * count :]
        self._next_slot = first
        self._cut(descriptor, first + count)

    def _cut(self, descriptor: int, end_slot: int) -> None:
        """Take off what stands behind the last record. Where even that fails, mark it: a later opening must not find it."""
        try:
            os.ftruncate(descriptor, self.size)
        except OSError:
            self.is_sealed = True
            for slot in range(self._next_slot, min(end_slot + 1, SLOTS)):
                self._marks[slot] = DONE
            self.is_dirty = self.is_urgent = True

    def mark(self, index: int, state: int) -> None:
        """Give a record another mark; `write_marks` writes it."""
        before = self._states[index]
        if before == state:
            return
        length = self._lengths[index]
        self._count(before, -1, length)
        self._count(state, 1, length)
        self._states[index] = state
        self._marks[self._slots[index]] = state
        self.is_dirty = self.is_urgent = True
        if state == DONE:
            self._unerased.append(index)

    def write_marks(self, descriptor: int) -> None:
        """Write the marks; the owner flushes them, and calls `flushed` then.

        A power cut in the middle leaves old marks and new ones: each is one byte, and right by itself.
        """
        disk.write_at(descriptor, MARKS_AT, self._marks)

    def flushed(self) -> None:
        """The marks are on disk."""
        self.is_dirty = self.is_urgent = False

    def write_reason(self, descriptor: int, index: int, reason: str) -> None:
        """Write why a record was refused, into the room that it has for that."""
        disk.write_at(descriptor, self._offsets[index] + REASON_AT, pack_reason(reason))

    def read(self, descriptor: int, index: int) -> Record | None:
        """Return a record, or None if it is damaged."""
        data = disk.read_at(descriptor, self._offsets[index], self._lengths[index])
        record = unpack(data, self.nonce, self._offsets[index])
        return record if record is not None and record.seq == self._seqs[index] else None

    def read_head(self, descriptor: int, index: int) -> bytes:
        """Return head and reason of a record."""
        return disk.read_at(descriptor, self._offsets[index], HEAD_BYTES)

    def describe(self, descriptor: int, index: int) -> tuple[Head, str, bytes] | None:
        """Return head, reason and description of a record, without reading its image; None if there is no such head.

        The description is not checked: the checksum is over the image too.
        """
        offset = self._offsets[index]
        data = disk.read_around_errors(descriptor, offset, HEAD_BYTES + SOURCE_BYTES_MAX)
        head = Head.parse(data, self.nonce, offset)
        if head is None or head.seq != self._seqs[index]:
            return None
        length = head.image_at - head.body_at
        return head, unpack_reason(data), disk.read_around_errors(descriptor, offset + head.body_at, length)

    def erase_done(self, descriptor: int) -> None:
        """Erase the bytes of records that ended, neighbours together."""
        indexes, self._unerased = sorted(set(self._unerased)), []
        start = 0
        while start < len(indexes):
            stop = start + 1
            while stop < len(indexes) and indexes[stop] == indexes[stop - 1] + 1:
                stop += 1
            first, last = indexes[start], indexes[stop - 1]
            begin, end = self._offsets[first], self._offsets[last] + self._lengths[last]
            if not self.damaged and first and self._states[first - 1] == DONE:
                # The page at the edge is shared with a record that was erased before: now it can go as a whole. (Where there is
                # damage, the record before in memory need not be the one before in the file.)
                begin = max(self._offsets[first - 1], begin - begin % disk.PAGE_BYTES)
            disk.erase(descriptor, begin, end - begin)
            start = stop


def new_nonce() -> bytes:
    """Return the nonce of a new file."""
    return os.urandom(NONCE_BYTES)
