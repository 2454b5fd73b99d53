"""Which frames are on disk only: their orders and sizes by source, twelve bytes each. Pure.

It makes the account exact (every frame is in memory or in here), and reading back fair: the next frame to be read is chosen here
by turns of the sources, so that a camera with a hundred thousand frames on disk does not keep the others there.
"""

from __future__ import annotations

import bisect
from array import array
from collections import deque
from typing import Final, NamedTuple

_COMPACT_FROM: Final = 4096
"""Taken entries at the head of a queue before they are cut off."""


class Entry(NamedTuple):
    """A frame on disk."""

    seq: int
    """Order of acceptance."""
    source: str
    """`Frame.source`, empty for none."""
    size: int
    """Bytes of its record."""


class _Queue:
    """Entries of one source in order; a deque of objects would take ten times the memory."""

    __slots__ = ("_head", "_seqs", "_sizes")

    def __init__(self) -> None:
        self._seqs = array("q")
        self._sizes = array("L")
        self._head = 0

    def __len__(self) -> int:
        return len(self._seqs) - self._head

    def insert(self, seq: int, size: int) -> None:
        """Put an entry where its order says."""
        if not len(self) or seq > self._seqs[-1]:
            self._seqs.append(seq)
            self._sizes.append(size)
            return
        place = bisect.bisect_left(self._seqs, seq, self._head)
        self._seqs.insert(place, seq)
        self._sizes.insert(place, size)

    def remove(self, seq: int) -> None:
        place = self._seqs.index(seq, self._head)
        del self._seqs[place], self._sizes[place]

    def seqs(self) -> array[int]:
        return self._seqs[self._head :]

    def first(self) -> int:
        return self._seqs[self._head]

    def pop_newest(self) -> tuple[int, int]:
        return self._seqs.pop(), self._sizes.pop()

    def pop(self) -> tuple[int, int]:
        seq, size = self._seqs[self._head], self._sizes[self._head]
        self._head += 1
        if self._head >= _COMPACT_FROM and self._head * 2 >= len(self._seqs):
            del self._seqs[: self._head], self._sizes[: self._head]
            self._head = 0
        return seq, size


class Index:
    """The frames that are on disk only."""

    def __init__(self, *, newest_first: bool = False) -> None:
        """Begin empty.

        Args:
            newest_first: Of a source `pop` takes the frame that came last.
        """
        self._newest_first = newest_first
        self._queues: dict[str, _Queue] = {}
        self._turn: deque[str] = deque()
        self._count = 0

    def __len__(self) -> int:
        """Return how many frames there are."""
        return self._count

    def add(self, seq: int, source: str, size: int) -> None:
        """Put a frame into its source's queue, where its order says: nearly always at the end."""
        queue = self._queues.get(source)
        if queue is None:
            queue = self._queues[source] = _Queue()
            self._turn.append(source)
        queue.insert(seq, size)
        self._count += 1

    def put_back(self, entry: Entry) -> None:
        """Put a frame that was taken but not read back in its place."""
        if entry.source not in self._queues:
            self._queues[entry.source] = _Queue()
            self._turn.appendleft(entry.source)
        self._queues[entry.source].insert(entry.seq, entry.size)
        self._count += 1

    def remove(self, seq: int, source: str) -> None:
        """Take a certain frame, which is there."""
        queue = self._queues[source]
        queue.remove(seq)
        self._count -= 1
        if not queue:
            del self._queues[source]
            self._turn.remove(source)

    def pop(self) -> Entry | None:
        """Take the next frame of the source whose turn it is; None where there is none."""
        if not self._turn:
            return None
        source = self._turn.popleft()
        entry = self._pop(source, newest=self._newest_first)
        if source in self._queues:
            self._turn.append(source)
        return entry

    def oldest_seq(self) -> int | None:
        """Return the order of the oldest frame; None where there is none."""
        return min((queue.first() for queue in self._queues.values()), default=None)

    def pop_oldest(self) -> Entry | None:
        """Take the oldest frame of all; None where there is none."""
        if not self._queues:
            return None
        source = min(self._queues, key=lambda name: self._queues[name].first())
        entry = self._pop(source)
        if source not in self._queues:
            self._turn.remove(source)
        return entry

    def _pop(self, source: str, *, newest: bool = False) -> Entry:
        queue = self._queues[source]
        seq, size = queue.pop_newest() if newest else queue.pop()
        if not queue:
            del self._queues[source]
        self._count -= 1
        return Entry(seq, source, size)

    def counts(self) -> dict[str, int]:
        """Return how many frames there are by source."""
        return {source: len(queue) for source, queue in self._queues.copy().items()}

    def seqs(self) -> list[int]:
        """Return the orders of all frames, sorted."""
        return sorted(seq for queue in self._queues.values() for seq in queue.seqs())

    def clear(self) -> None:
        """Forget everything."""
        self._queues.clear()
        self._turn.clear()
        self._count = 0
