"""Which item comes next: round robin between sources, first in first out within one. Pure.

With `keeps_order` a source has at most one item out at a time, so that its items end in the order in which they came; an item
that must be repeated is put back at the head of its source.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Generic, Protocol, TypeVar


class Schedulable(Protocol):
    """What is scheduled."""

    source: str
    """Items of one source share a line."""
    seq: int
    """Order of arrival over all sources."""


T = TypeVar("T", bound=Schedulable)


class Schedule(Generic[T]):
    """Lines per source, and the turn of the sources."""

    def __init__(self, *, keeps_order: bool = False) -> None:
        """Begin empty.

        Args:
            keeps_order: One item of a source out at a time.
        """
        self._keeps_order = keeps_order
        self._lines: dict[str, deque[T]] = {}
        self._turn: deque[str] = deque()
        """Sources whose turn will come: each has a line, and where order is kept none out."""
        self._out: set[str] = set()
        self._count = 0

    def __len__(self) -> int:
        """Return how many items are in line."""
        return self._count

    @property
    def has_ready(self) -> bool:
        """Whether `pop` would return an item."""
        return bool(self._turn)

    def push(self, item: T) -> None:
        """Put an item at the end of its source's line."""
        self._count += 1
        line = self._lines.get(item.source)
        if line is not None:
            line.append(item)
            return
        self._lines[item.source] = deque((item,))
        if item.source not in self._out:
            self._turn.append(item.source)

    def put_back(self, item: T) -> None:
        """Put an item that was out back at the head of its source's line, and its source at the head of the turn."""
        self._count += 1
        source = item.source
        line = self._lines.setdefault(source, deque())
        line.appendleft(item)
        if self._keeps_order:
            self._out.discard(source)
        elif len(line) > 1:
            self._turn.remove(source)
        self._turn.appendleft(source)

    def pop(self) -> T | None:
        """Take the next item of the source whose turn it is; None where nothing is ready."""
        if not self._turn:
            return None
        source = self._turn.popleft()
        line = self._lines[source]
        item = line.popleft()
        self._count -= 1
        if not line:
            del self._lines[source]
        elif not self._keeps_order:
            self._turn.append(source)
        if self._keeps_order:
            self._out.add(source)
        return item

    def release(self, source: str) -> None:
        """An item of this source ended: the next one may follow."""
        if self._keeps_order and source in self._out:
            self._out.discard(source)
            if source in self._lines:
                self._turn.append(source)

    def pop_oldest(self, before: float = math.inf) -> T | None:
        """Take the item that came first, whose turn ever it is; None where none is in line that came before `before`."""
        if not self._lines:
            return None
        # One look per source: this happens only while frames are dropped, and keeps no second list of them.
        source = min(self._lines, key=lambda name: self._lines[name][0].seq)
        line = self._lines[source]
        if line[0].seq >= before:
            return None
        item = line.popleft()
        self._count -= 1
        if not line:
            del self._lines[source]
            if source not in self._out:
                self._turn.remove(source)
        return item
