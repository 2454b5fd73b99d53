"""Frames and a virtual clock for the delivery tests."""

from __future__ import annotations

import asyncio
import heapq
from typing import Any

from picsellia_async.images import Frame
from picsellia_async.predictions import DetectionPredictionFormat

PREDICTION = DetectionPredictionFormat([1, 0], [[1, 2, 3, 4], [5, 6, 7, 8]], [0.5, 0.75])
JPEG = b"\xff\xd8\xff\xe0"


def make_frame(number: int = 0, size: int = 1000, **fields: Any) -> Frame:
    """Return a frame whose name and image tell its number."""
    image = (JPEG + b"%08d" % number).ljust(size, b".")
    values = {"filename": f"frame-{number:06d}.jpg", "width": 64, "height": 48, "latency": 0.02}
    return Frame(image=image, **{"prediction": PREDICTION, **values, **fields})


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
