"""`Repeats`: items that failed before, until they are sent again: those that wait for their time, and those whose time has come. Pure."""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import Final

from picsellia_async._delivery.frame_state import Rules, Waiting
from picsellia_async._delivery.receipt import Item

_EARLY: Final = 0.001
"""Seconds by which the loop's timers may fire early."""


class Repeats:
    """The items of one sender that are neither queued nor under way."""

    def __init__(self) -> None:
        """Begin empty."""
        self.due: deque[Item] = deque()
        """Those that may be sent now; read before every attempt."""
        self._heap: list[tuple[float, int, Item]] = []

    def __len__(self) -> int:
        return len(self._heap) + len(self.due)

    @property
    def next_at(self) -> float:
        """When the next one becomes due."""
        return self._heap[0][0] if self._heap else math.inf

    def wait(self, until: float, item: Item) -> None:
        """Keep an item until a time."""
        heapq.heappush(self._heap, (until, item.seq, item))

    def release(self, now: float) -> None:
        """Make those due whose time has come."""
        while self._heap and self._heap[0][0] <= now + _EARLY:
            item = heapq.heappop(self._heap)[2]
            if isinstance(item.state, Waiting):
                item.state = item.state.due()
            self.due.append(item)

    def oldest(self) -> Item | None:
        """Return the one that was accepted first."""
        waiting = (entry[2] for entry in self._heap)
        return min((*waiting, *self.due), key=lambda item: item.seq, default=None)

    def remove(self, item: Item) -> None:
        """Take one out."""
        if item in self.due:
            self.due.remove(item)
        else:
            self._heap = [entry for entry in self._heap if entry[2] is not item]
            heapq.heapify(self._heap)

    def clear(self) -> list[Item]:
        """Take all out."""
        items = [*(entry[2] for entry in self._heap), *self.due]
        self._heap.clear()
        self.due.clear()
        return items

    def shorten(self, rules: Rules, now: float) -> None:
        """Closing begins: wait no longer than its rules allow."""
        self._heap = [(rules.due_at_closing(item.state.attempts, at, now), seq, item) for at, seq, item in self._heap]
        heapq.heapify(self._heap)
