"""`Throughput`: bytes per second, from a count that is looked at now and then. Pure; costs nothing while nobody looks."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 60.0
"""How far back it looks."""
_STEP_SECONDS: Final = 1.0
"""The least time that a mean is taken over."""


class Throughput:
    """The mean growth of a count over the last minute: since the first look in it, else since the look before, else since the start."""

    def __init__(self, now: float) -> None:
        """Begin with a count of 0.

        Args:
            now: Monotonic seconds.
        """
        self._looks: deque[tuple[float, int]] = deque([(now, 0)])
        self._rate = 0.0
        self._lock = threading.Lock()  # Prometheus scrapes from a thread of its own

    def per_second(self, now: float, count: int) -> float:
        """Return the mean growth.

        Args:
            now: Monotonic seconds.
            count: As it is now.
        """
        with self._lock:
            looks = self._looks
            # The first one stays where all are older: there is no other to compare with.
            while len(looks) > 1 and looks[0][0] < now - WINDOW_SECONDS and looks[1][0] <= now - _STEP_SECONDS:
                looks.popleft()
            at, before = looks[0]
            if now - at >= _STEP_SECONDS:
                self._rate = (count - before) / (now - at)
            if now - looks[-1][0] >= _STEP_SECONDS:
                looks.append((now, count))
            return self._rate
