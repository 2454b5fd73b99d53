"""`Slots`: one place per source for the item that waits; taken in turns.

Theory of operation. A source has at most one item here, so that none can fill a queue that others wait behind. The dict's order is the
order of turns: a source comes to its end when it gets an item, and an item that is replaced by a newer one keeps its turn. Taking
the first ones is therefore round robin over the sources that have something. Takers queue at a lock, in the order in which they came:
one batch is filled at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Slots(Generic[T]):
    """For one event loop."""

    def __init__(self, is_wanted: Callable[[T], bool]) -> None:
        """Begin empty.

        Args:
            is_wanted: Called with each item when its turn comes; those that are not wanted are left out.
        """
        self._is_wanted = is_wanted
        self._items: dict[str, T] = {}
        self._came = asyncio.Event()
        self._freed: dict[str, asyncio.Event] = {}
        self._taking = asyncio.Lock()
        self._is_closed = False

    def put(self, source: str, item: T) -> T | None:
        """Put a source's item in its place; return the older one that was there."""
        before = self._items.get(source)
        self._items[source] = item
        self._came.set()
        return before

    async def wait_free(self, source: str) -> None:
        """Wait until the source's place is empty."""
        while source in self._items:
            freed = self._freed.setdefault(source, asyncio.Event())
            freed.clear()
            await freed.wait()

    async def take(self, count: int, seconds: float) -> list[T]:
        """Return the items whose turn it is, one at least; empty at the end.

        Args:
            count: At most so many.
            seconds: How long to wait for more where there are fewer.
        """
        async with self._taking:
            items: list[T] = []
            try:
                while not items and await self._wait():
                    self._pop(items, count)
                if items and len(items) < count and seconds:
                    async with asyncio.timeout(seconds):
                        while len(items) < count and await self._wait():
                            self._pop(items, count)
            except TimeoutError:
                pass
            return items

    async def _wait(self) -> bool:
        """Wait for an item; return whether there is one."""
        while not self._items and not self._is_closed:
            self._came.clear()
            await self._came.wait()
        return bool(self._items)

    def _pop(self, items: list[T], count: int) -> None:
        while self._items and len(items) < count:
            source = next(iter(self._items))
            item = self._items.pop(source)
            if (freed := self._freed.get(source)) is not None:
                freed.set()
            if self._is_wanted(item):
                items.append(item)

    def close(self) -> None:
        """Say that no more comes: what is there is taken, then takers get nothing."""
        self._is_closed = True
        self._came.set()

    def clear(self) -> None:
        """Forget what waits."""
        self._items.clear()
