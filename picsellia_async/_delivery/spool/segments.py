"""The segments of a spool in their order, with their files: opened, created, looked for, deleted or set aside."""

from __future__ import annotations

import errno
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

from picsellia_async._delivery.spool.segment import VERSION, Header, Segment, new_nonce
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory
from picsellia_async._log_line import logger

_DAMAGED_BYTES_MAX: Final = 64 * 2**20
"""Files that hold nothing but damage; beyond, the oldest are deleted."""
_OPEN_FILES_MAX: Final = 4
"""A spool of many gigabytes has hundreds of segments; the process must not run out of descriptors."""


class Segments:
    """Segments by their numbers, which is by the orders of their records too. Also keeps their descriptors, a few at a time."""

    def __init__(self, directory: SpoolDirectory) -> None:
        """Store where.

        Args:
            directory: Open, and locked by this process.
        """
        self._directory = directory
        self._segments: list[Segment] = []
        self._damaged: dict[str, int] = {}
        """Files that hold nothing but damage, with their bytes."""
        self._open: OrderedDict[int, int] = OrderedDict()
        """Descriptors by the number of the segment, the one used last at the end."""
        self._numbers_to = 0

    def __iter__(self) -> Iterator[Segment]:
        """Return the segments in order; they may be changed meanwhile."""
        return iter(tuple(self._segments))

    @property
    def last(self) -> Segment | None:
        """The newest one."""
        return self._segments[-1] if self._segments else None

    @property
    def last_seq(self) -> int:
        """Order of the newest record; 0 without any."""
        return max((segment.last_seq for segment in self._segments), default=0)

    @property
    def damaged(self) -> int:
        """Records that are lost or set aside, also in files that were set aside."""
        aside = sum(map(damaged_in, self._damaged))
        return aside + sum(segment.damaged for segment in self._segments)

    def find(self, seq: int) -> tuple[Segment, int] | None:
        """Return where a record is, or None."""
        at = bisect_right(self._segments, seq, key=lambda segment: segment.base)
        if not at:
            return None
        segment = self._segments[at - 1]
        index = segment.find(seq)
        return None if index is None else (segment, index)

    # Loading.

    def load(self) -> list[Header]:
        """Read what is there; return the headers that can be read, the newest at the end."""
        names = self._directory.names()
        for name in names:
            if name.endswith(".tmp"):  # of a run that ended before it gave the file its name
                self._directory.unlink(name)
        self._damaged = {name: self._directory.stat(name).st_size for name in names if name.endswith(".damaged")}
        self._numbers_to = max((int(name[:8]) for name in names if name[:8].isdigit()), default=0)
        headers = [self._load(name) for name in names if name.endswith(".seg")]
        return [header for header in headers if header is not None]

    def _load(self, name: str) -> Header | None:
        segment = Segment(int(name[:8]), b"", name)
        header = segment.load(self.use(segment), self.last_seq)
        self._segments.append(segment)
        return header

    # Files.

    def add(self, base: int, owner: bytes) -> Segment:
        """Create the segment for records from this order on."""
        self._numbers_to += 1
        segment = Segment(self._numbers_to, new_nonce())
        segment.base = base
        self.create(segment, owner)
        self._segments.append(segment)
        return segment

    def create(self, segment: Segment, owner: bytes) -> None:
        """Write the beginning of a file."""
        # Under its own name a segment always has its header and its marks: where they are missing, something took them.
        self._directory.write_file(segment.name, Header(VERSION, segment.nonce or b"", owner).pack())

    def use(self, segment: Segment) -> int:
        """Return the descriptor of a segment. It may be closed when another segment is used."""
        descriptor = self._open.get(segment.number)
        if descriptor is None:
            while len(self._open) >= _OPEN_FILES_MAX:
                os.close(self._open.popitem(last=False)[1])
            descriptor = self._directory.open(segment.name, os.O_RDWR)
            found = os.fstat(descriptor)
            if segment.identity not in {None, (found.st_dev, found.st_ino)}:
                os.close(descriptor)
                raise FileNotFoundError(errno.ENOENT, "another file stands in place of it", segment.name)
            segment.identity = (found.st_dev, found.st_ino)
            self._open[segment.number] = descriptor
        self._open.move_to_end(segment.number)
        return descriptor

    def forget(self, segment: Segment) -> None:
        """Close the descriptor of a segment, if it is open."""
        descriptor = self._open.pop(segment.number, None)
        if descriptor is not None:
            os.close(descriptor)

    def is_there(self, segment: Segment) -> bool:
        """Return whether the name of a segment still leads to its file."""
        try:
            found = self._directory.stat(segment.name)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == segment.identity

    def remove(self, segment: Segment) -> None:
        """Delete a segment in which nothing is needed, or set it aside for the damage in it."""
        self.forget(segment)
        self._segments.remove(segment)
        if not self.is_there(segment):  # a file that somebody else put in its place is not ours to delete
            return
        if not segment.damaged:
            self._directory.unlink(segment.name)
            return
        name = f"{segment.number:08d}-{segment.damaged}.damaged"
        self._directory.rename(segment.name, name)
        self._damaged[name] = segment.size
        while len(self._damaged) > 1 and sum(self._damaged.values()) > _DAMAGED_BYTES_MAX:
            oldest = min(self._damaged)
            logger.warning(
                "the damaged file %s is deleted from the spool %s: there are many", oldest, self._directory.path
            )
            self._directory.unlink(oldest)
            del self._damaged[oldest]

    def replace(self, run: Sequence[Segment], merged: Segment) -> None:
        """Put one segment, under another name so far, in place of neighbours.

        It takes the name of the first at once; a crash before the others are deleted leaves records twice, which the next
        opening sees by their order.
        """
        for segment in run:
            self.forget(segment)
        name, merged.name = merged.name, run[0].name
        self._directory.rename(name, merged.name)
        at = self._segments.index(run[0])
        self._segments[at : at + len(run)] = [merged]
        # Before the others go: a power cut must not take the new name and leave the deletions.
        self._directory.flush()
        for segment in run[1:]:
            self._directory.unlink(segment.name)

    def close(self) -> None:
        """Close all descriptors."""
        while self._open:
            os.close(self._open.popitem()[1])


def damaged_in(name: str) -> int:
    """Return how many records a file held that was set aside, which its name says."""
    return int(name.removesuffix(".damaged").split("-")[1])
