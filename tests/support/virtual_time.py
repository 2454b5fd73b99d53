"""A clock that jumps instead of waiting."""

from __future__ import annotations

import asyncio
import heapq


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while something runs, and jumps to the next timer when nothing does. Not for sockets."""

    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled and not self._stopping:
            while self._scheduled and self._scheduled[0]._cancelled:
                self._timer_cancelled_count -= 1
                heapq.heappop(self._scheduled)._scheduled = False
            if self._scheduled:
                self._now = max(self._now, self._scheduled[0]._when)
        super()._run_once()
