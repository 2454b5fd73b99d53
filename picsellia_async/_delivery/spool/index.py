"""Which frames are on disk only: their orders and sizes by source, twelve bytes each. Pure.

It makes the account exact (every frame is in memory or in here), and reading back fair: the next frame to be read is chosen here
by turns of the sources, so that a camera with a hundred thousand frames on disk does not keep the others there.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
from array import array
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

_COMPACT_FROM: Final = 4096
"""Taken entries at the head of a queue before they are cut off."""
_CLOSEST_OF: Final = 64
"""Entries of a source that are looked at to see how far apart they are."""


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

    def pop_between(self, after: int, span: int) -> tuple[int, int | None, int]:
        """Take the first entry behind the order `after` whose two neighbours are at most `span` apart.

        Returns:
            The order behind which to go on, that of the entry (None where there is none), and its size.
        """
        seqs = self._seqs
        for place in range(bisect.bisect_left(seqs, after, self._head), len(seqs) - 2):
            if seqs[place + 2] - seqs[place] <= span:
                return seqs[place], seqs.pop(place + 1), self._sizes.pop(place + 1)
        return seqs[max(len(seqs) - 2, self._head)], None, 0

    def closest(self) -> int:
        """Return how far apart the neighbours of an entry are where they are closest, of the oldest ones."""
        first = self._seqs[self._head : self._head + _CLOSEST_OF]
        return min(first[place + 2] - first[place] for place in range(len(first) - 2))

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
        self._span = 1
        self._thinned: dict[str, int] = {}
        """How far this round of `pop_between` has come in each source."""

    def __len__(self) -> int:
        """Return how many frames there are."""
        return self._count

    def add(self, seq: int, source: str, size: int) -> None:
        """Put a frame into its source's queue, where its order says: nearly always at the end."""
        if not self._count:
            self._span = 1
            self._thinned.clear()
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

    @property
    def is_thinned(self) -> bool:
        """Whether `pop_between` has taken frames since there was none."""
        return self._span > 1

    def pop_between(self) -> Entry | None:
        """Take a frame that is neither the first nor the last of its source; None where there is none.

        Which one: what stays is spread evenly over the time, whatever the sources' rates. Rounds go from the oldest to the newest, all
        sources side by side; each lets neighbours be twice as far apart as the one before.
        """
        while True:
            behind = sorted(self._queues, key=lambda name: self._thinned.get(name, -1)) if self.is_thinned else ()
            for source in behind:
                self._thinned[source], seq, size = self._queues[source].pop_between(
                    self._thinned.get(source, -1), self._span
                )
                if seq is not None:
                    self._count -= 1
                    return Entry(seq, source, size)
            closest = [queue.closest() for queue in self._queues.values() if len(queue) > 2]
            if not closest:
                return None
            # At least as far as some are apart: a round that finds nothing would hold the loop for nothing.
            self._span = max(2 * self._span, min(closest))
            self._thinned.clear()

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

    def in_order(self) -> Iterator[tuple[int, str]]:
        """Return order and source of all frames that are there now, sorted; made one by one, since there may be a million."""
        return heapq.merge(
            *(zip(queue.seqs(), itertools.repeat(source), strict=False) for source, queue in self._queues.items())
        )

    def clear(self) -> None:
        """Forget everything."""
        self._queues.clear()
        self._turn.clear()
        self._count = 0
