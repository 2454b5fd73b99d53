"""Which item comes next: round robin between sources, first in first out within one, or the newest first. Pure.

With `keeps_order` a source has at most one item out at a time, so that its items end in the order in which they came; an item
that must be repeated is put back at the head of its source.
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from typing import Final, Generic, Protocol, TypeVar


class Queueable(Protocol):
    """What is queued."""

    source: str
    """Items of one source share a queue."""
    seq: int
    """Order of arrival over all sources."""


T = TypeVar("T", bound=Queueable)


class FairQueue(Generic[T]):
    """A queue per source, and the turn of the sources."""

    def __init__(self, *, keeps_order: bool = False, newest_first: bool = False) -> None:
        """Begin empty.

        Args:
            keeps_order: One item of a source out at a time.
            newest_first: Of a source the item that came last is next.
        """
        self.keeps_order: Final = keeps_order
        """Whether one item of a source is out at a time; else `release` has nothing to do."""
        self._newest_first = newest_first
        self._queues: dict[str, deque[T]] = {}
        self.turn: deque[str] = deque()
        """Sources whose turn will come, so that `pop` returns an item: each has items queued, and where order is kept none out."""
        self._out: dict[str, int] = {}
        """Where order is kept: how many items of a source are out."""
        self._count = 0

    def __len__(self) -> int:
        """Return how many items are queued."""
        return self._count

    def push(self, item: T) -> None:
        """Put an item at the end of its source's queue; where the newest is first, in its place by order."""
        self._count += 1
        queue = self._queues.get(item.source)
        if queue is not None:
            if self._newest_first:
                _insert(queue, item)
            else:
                queue.append(item)
            return
        self._queues[item.source] = deque((item,))
        if item.source not in self._out:
            self.turn.append(item.source)

    def put_back(self, item: T) -> None:
        """Put an item that was out back at the head of its source's queue, and its source at the head of the turn."""
        self._count += 1
        source = item.source
        queue = self._queues.setdefault(source, deque())
        if self._newest_first:
            _insert(queue, item)
        else:
            queue.appendleft(item)
        if self.keeps_order:
            if self._end_one(source) or source in self.turn:
                return
        elif len(queue) > 1:
            self.turn.remove(source)
        self.turn.appendleft(source)

    def pop(self) -> T | None:
        """Take the next item of the source whose turn it is; None where nothing is ready."""
        if not self.turn:
            return None
        source = self.turn.popleft()
        queue = self._queues[source]
        item = queue.pop() if self._newest_first else queue.popleft()
        self._count -= 1
        if not queue:
            del self._queues[source]
        elif not self.keeps_order:
            self.turn.append(source)
        if self.keeps_order:
            self._out[source] = self._out.get(source, 0) + 1
        return item

    def release(self, source: str) -> None:
        """An item of this source ended: the next one may follow."""
        is_free = self.keeps_order and source in self._out and not self._end_one(source)
        if is_free and source in self._queues and source not in self.turn:
            self.turn.append(source)

    def _end_one(self, source: str) -> bool:
        """One item of a source is out no more; return whether others still are."""
        left = self._out.get(source, 1) - 1
        if left:
            self._out[source] = left
        else:
            self._out.pop(source, None)
        return left > 0

    def try_next(self, source: str) -> None:
        """Let one more item of a source out, though one is: to learn whether that one alone is to blame."""
        if self._out.get(source) == 1 and source in self._queues and source not in self.turn:
            self.turn.append(source)

    def has_others_out(self, source: str) -> bool:
        """Whether more than one item of a source is out."""
        return self._out.get(source, 0) > 1

    def remove(self, item: T) -> bool:
        """Take a certain item out of the queue of its source; return whether it was there."""
        queue = self._queues.get(item.source)
        if queue is None or item not in queue:
            return False
        queue.remove(item)
        self._count -= 1
        self._forget_empty(item.source)
        return True

    def _forget_empty(self, source: str) -> None:
        if not self._queues[source]:
            del self._queues[source]
            if source in self.turn:
                self.turn.remove(source)

    def pop_oldest(self, before: float = math.inf) -> T | None:
        """Take the item that came first, whichever source has the turn; None where none came before `before`."""
        if not self._queues:
            return None
        # One look per source: this happens only while frames are dropped, and keeps no second list of them.
        source = min(self._queues, key=lambda name: self._queues[name][0].seq)
        queue = self._queues[source]
        if queue[0].seq >= before:
            return None
        item = queue.popleft()
        self._count -= 1
        self._forget_empty(source)
        return item


def _insert(queue: deque[T], item: T) -> None:
    """Put an item where its order says; nearly always that is one of the ends."""
    if not queue or item.seq > queue[-1].seq:
        queue.append(item)
    else:
        queue.insert(bisect.bisect_left(queue, item.seq, key=lambda one: one.seq), item)
