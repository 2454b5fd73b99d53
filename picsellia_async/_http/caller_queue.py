"""Callers that wait for a connection: one queue per origin, so that a host that hangs holds up nobody but its own callers."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable

from picsellia_async._http.pending_connection import Waiter
from picsellia_async._wire.exchange import Origin


class CallerQueue:
    """First in, first out within an origin; over all origins, who came first among those that may go."""

    def __init__(self) -> None:
        self._waiting: dict[Origin, collections.OrderedDict[Waiter, int]] = {}
        self._arrivals = itertools.count()
        self.size = 0
        """How many wait; a plain attribute, read after every exchange."""

    def add(self, waiter: Waiter) -> None:
        """Put somebody at the end."""
        queue = self._waiting.get(waiter.origin)
        if queue is None:
            queue = self._waiting[waiter.origin] = collections.OrderedDict()
        queue[waiter] = next(self._arrivals)
        self.size += 1

    def discard(self, waiter: Waiter) -> None:
        """Take somebody out, wherever it stands; nothing happens if it is not there."""
        queue = self._waiting.get(waiter.origin)
        if queue is not None and queue.pop(waiter, None) is not None:
            self.size -= 1
            if not queue:
                del self._waiting[waiter.origin]

    def pop(self, may_go: Callable[[Origin], bool]) -> Waiter | None:
        """Take out and return who came first among those whose origin may have a connection; None where there is nobody."""
        waiter = self.first(may_go)
        if waiter is not None:
            self.discard(waiter)
        return waiter

    def first(self, may_go: Callable[[Origin], bool]) -> Waiter | None:
        """Return who `pop` would take out."""
        first: Waiter | None = None
        earliest = 0
        for origin in list(self._waiting):
            if not may_go(origin):
                continue
            head = self._head(origin)
            if head is not None and (first is None or head[1] < earliest):
                first, earliest = head
        return first

    def _head(self, origin: Origin) -> tuple[Waiter, int] | None:
        queue = self._waiting[origin]
        while queue:
            waiter, arrival = next(iter(queue.items()))
            if not waiter.future.done():
                return waiter, arrival
            self.discard(waiter)  # it was cancelled, and has not woken yet
        return None

    def clear(self) -> list[Waiter]:
        """Take everybody out."""
        everybody = [waiter for queue in self._waiting.values() for waiter in queue]
        self._waiting.clear()
        self.size = 0
        return everybody
