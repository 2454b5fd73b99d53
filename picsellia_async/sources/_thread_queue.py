"""`ThreadQueue`: the bounded queue between one thread that makes items and one task that takes them.

Theory of operation. The thread calls `put`; what happens when the buffer is full is the policy, and every item that is given up
is counted. The task calls `take`. `stop` may come from either side at any time: it wakes a `put` that waits for room, a
`rest` between two attempts, and a `take`. After `stop`, `put` and `rest` return False and the thread ends by itself; nobody
waits for a thread that hangs in a connect.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from typing import Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")

Policy: TypeAlias = Literal["wait", "drop_oldest", "drop_newest"]
"""What a full buffer does: make the reading thread wait, drop the oldest frame in it, or drop the one that came."""


class ThreadQueue(Generic[T]):
    """Made in the event loop of its taker."""

    def __init__(self, capacity: int, policy: Policy) -> None:
        """Make an empty buffer.

        Args:
            capacity: Items at most.
            policy: What to do when it is full.
        """
        self.dropped: dict[str, int] = {"full_oldest": 0, "full_newest": 0}
        """Items given up, by reason."""
        self._capacity = capacity
        self._policy = policy
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._is_stopped = False
        self._is_ended = False
        self._error: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()

    def __len__(self) -> int:
        """Return the items in the buffer."""
        return len(self._items)

    @property
    def is_stopped(self) -> bool:
        """Whether the thread is to end."""
        return self._is_stopped

    # The thread's side.

    def put(self, item: T) -> bool:
        """Hand an item over; return whether more are wanted."""
        with self._changed:
            if self._policy == "wait":
                self._changed.wait_for(lambda: self._is_stopped or len(self._items) < self._capacity)
            if self._is_stopped:
                return False
            if len(self._items) < self._capacity:
                self._items.append(item)
            elif self._policy == "drop_newest":
                self.dropped["full_newest"] += 1
                return True
            else:
                self._items.popleft()
                self._items.append(item)
                self.dropped["full_oldest"] += 1
        self._wake()
        return True

    def rest(self, seconds: float) -> bool:
        """Wait, but not beyond `stop`; return whether more items are wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped, seconds)
        return not self._is_stopped

    def end(self, error: BaseException | None = None) -> None:
        """Say that no further item comes, and why."""
        with self._changed:
            self._error = error
            self._is_ended = True
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody takes any more
            self._loop.call_soon_threadsafe(self._came.set)

    # The task's side.

    async def take(self) -> T | None:
        """Return the next item, or None at the end.

        Raises:
            BaseException: What the thread ended with, after the items before it.
        """
        while not self._is_stopped:
            with self._changed:
                if self._items:
                    item = self._items.popleft()
                    self._changed.notify_all()
                    return item
                if self._is_ended:
                    break
                self._came.clear()
            await self._came.wait()
        if self._error is not None and not self._is_stopped:
            raise self._error
        return None

    def stop(self) -> None:
        """End: what is in the buffer is given up, and the thread told."""
        with self._changed:
            self._is_stopped = True
            self._items.clear()
            self._changed.notify_all()
        self._wake()
