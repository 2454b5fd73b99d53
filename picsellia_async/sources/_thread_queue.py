"""`ThreadQueue`: the bounded queue between one thread that makes items and one task that takes them.

Theory of operation. The thread calls `put`; what happens when the queue is full is the policy. The task calls `take`. Every item
that was put is taken, waits, or is given up for one reason: all of these numbers change under one lock, so that they always add up. `stop` may come from either side at any time: it wakes a `put` that waits for room, a
`rest` between two attempts, and a `take`. After `stop`, `put` and `rest` return False and the thread ends by itself; nobody
waits for a thread that hangs in a connect.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, Literal, TypeAlias, TypeVar

import attrs

T = TypeVar("T")

Policy: TypeAlias = Literal["wait", "drop_oldest", "drop_newest"]
"""What a full buffer does: make the reading thread wait, drop the oldest frame in it, or drop the one that came."""

REASONS: Final = ("full_oldest", "full_newest", "late", "closed")
"""Why an item is given up: the queue was full, and the oldest or the newest went; it was late, and not even made or not taken; or nobody
takes any more."""


LATE_SECONDS: Final = 1.0
"""For longer than that the task does not wait for an item that is in time."""


@attrs.frozen
class Counts:
    """What became of the items: `received` is the sum of `taken`, `waiting` and all of `dropped`."""

    received: int
    taken: int
    late: int
    """Of those taken."""
    waiting: int
    dropped: dict[str, int]


class ThreadQueue(Generic[T]):
    """Made in the event loop of its taker."""

    def __init__(self, capacity: int, policy: Policy, marked_late: Callable[[T], T] | None = None) -> None:
        """Make an empty buffer.

        Args:
            capacity: Items at most.
            policy: What to do when it is full.
            marked_late: Makes of an item one that says that it is late.
        """
        self._marked_late = marked_late
        self._late = 0
        self._received = self._taken = 0
        self._dropped: dict[str, int] = dict.fromkeys(REASONS, 0)
        self._capacity = capacity
        self._policy = policy
        self._items: deque[tuple[T, float]] = deque()
        """Each with the moment until which it is in time."""
        self._asked_at = math.inf
        """Since when the task waits."""
        self._changed = threading.Condition()
        self._is_stopped = False
        self._is_ended = False
        self._error: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()

    def counts(self) -> Counts:
        """Return the numbers of one moment."""
        with self._changed:
            return Counts(self._received, self._taken, self._late, len(self._items), dict(self._dropped))

    @property
    def is_stopped(self) -> bool:
        """Whether the thread is to end."""
        return self._is_stopped

    # The thread's side.

    def put(self, item: T, until: float = math.inf) -> bool:
        """Hand an item over; return whether more are wanted.

        Args:
            item: What the task takes.
            until: Monotonic seconds until which it is in time.
        """
        with self._changed:
            if self._policy == "wait":
                self._changed.wait_for(lambda: self._is_stopped or len(self._items) < self._capacity)
            self._received += 1
            if self._is_stopped:
                self._dropped["closed"] += 1
                return False
            if len(self._items) < self._capacity:
                self._items.append((item, until))
            elif self._policy == "drop_newest":
                self._dropped["full_newest"] += 1
                return True
            else:
                self._items.popleft()
                self._items.append((item, until))
                self._dropped["full_oldest"] += 1
        self._wake()
        return True

    def leave_out(self) -> None:
        """Count an item that is late, and therefore not made."""
        with self._changed:
            self._received += 1
            self._dropped["late"] += 1

    def is_awaited(self) -> bool:
        """Return whether the task has waited for so long that it takes a late item."""
        return time.monotonic() >= self._asked_at + LATE_SECONDS

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
        self._asked_at = time.monotonic()
        while not self._is_stopped:
            with self._changed:
                while self._items:
                    item, until = self._items.popleft()
                    self._changed.notify_all()
                    is_late = time.monotonic() > until
                    if is_late and self._policy == "drop_oldest" and not (self._is_ended or self.is_awaited()):
                        self._dropped["late"] += 1
                        continue
                    self._taken += 1
                    self._late += is_late
                    self._asked_at = math.inf
                    return item if self._marked_late is None or not is_late else self._marked_late(item)
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
            self._dropped["closed"] += len(self._items)
            self._items.clear()
            self._changed.notify_all()
        self._wake()
