"""How small frames are encoded while they wait too long: the rung of the ladder `degrade`. Pure; the clock is passed in.

Theory of operation. What drives it is how long a frame that is submitted now would wait: the bytes that wait before it, over the bytes
a second that were delivered lately, since the backlog began. So the first frames of an overload change the rung, and not the
ages that come of it later. While nothing at all is delivered, the age of the oldest frame takes its place: an outage steps down
slowly. Each rung begins at five seconds more than the one before, and ends at half of its own: between the two nothing changes.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from picsellia_async._delivery.options import Rung
from picsellia_async._log_line import Tell, tell

STEP_SECONDS: Final = 5.0
"""Of waiting, from one rung to the next."""
_WINDOW_SECONDS: Final = 10.0
"""How far back the bytes a second are measured."""
_LEAST_SECONDS: Final = 1.0
"""The least time that they are measured over."""
_TOLD_SECONDS: Final = 60.0
"""Between two lines that tell that frames are encoded smaller."""


@attrs.define(eq=False)
class Ladder:
    """The rung that counts now."""

    rungs: Sequence[Rung]
    """From the best to the smallest."""
    _write: Tell = tell
    level: int = attrs.field(default=0, init=False)
    """How many rungs down; 0: frames are sent as they come."""
    degraded: int = attrs.field(default=0, init=False)
    """Frames that were encoded smaller."""
    _looks: deque[tuple[float, int]] = attrs.field(factory=deque, init=False)
    _told_at: float = attrs.field(default=-math.inf, init=False)
    _told_degraded: int | None = attrs.field(default=None, init=False)
    """What `degraded` was when the log was told of the beginning; None: it was told of the end, or of nothing."""

    @property
    def rung(self) -> Rung | None:
        """Quality and side now; None: frames are sent as they come."""
        return self.rungs[self.level - 1] if self.level else None

    def look(self, now: float, pending: int, delivered: int, oldest: Callable[[], float], *, is_closed: bool) -> None:
        """Choose the rung.

        Args:
            now: Monotonic seconds.
            pending: Bytes of the frames that wait.
            delivered: Bytes of all frames delivered so far.
            oldest: Returns the seconds since the oldest frame that waits was accepted.
            is_closed: Whether nothing may be sent: that frames wait then is meant so, and no backlog.
        """
        wait = 0.0
        if is_closed or not pending:
            self._looks.clear()
        else:
            wait = self._wait(now, pending, delivered, oldest)
        level = self.level
        while level < len(self.rungs) and wait >= STEP_SECONDS * (level + 1):
            level += 1
        while level and wait < STEP_SECONDS * level / 2:
            level -= 1
        if level != self.level:
            is_end_or_begin = not (self.level and level)
            self.level = level
            if is_end_or_begin:
                self._tell(now, wait)

    def _wait(self, now: float, pending: int, delivered: int, oldest: Callable[[], float]) -> float:
        looks = self._looks
        if not looks or now - looks[-1][0] >= _LEAST_SECONDS / 2:
            looks.append((now, delivered))
        while len(looks) > 1 and looks[1][0] <= now - _WINDOW_SECONDS:
            looks.popleft()
        at, before = looks[0]
        if now - at < _LEAST_SECONDS or delivered == before:
            return oldest()
        return pending * (now - at) / (delivered - before)

    def _tell(self, now: float, wait: float) -> None:
        if self.level and now >= self._told_at + _TOLD_SECONDS:
            self._told_at, self._told_degraded = now, self.degraded
            text = "frames are encoded smaller until the backlog is gone: a new one would wait %(wait_seconds).0f s"
            self._write(logging.WARNING, text, wait_seconds=wait)
        elif not self.level and self._told_degraded is not None:
            text = "frames are sent as they come again: %(degraded)d were encoded smaller"
            self._write(logging.WARNING, text, degraded=self.degraded - self._told_degraded)
            self._told_degraded = None
