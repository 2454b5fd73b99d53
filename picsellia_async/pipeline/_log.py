"""What a pipeline tells the log of frames that fail: the first at once, then what was counted, every 30 seconds. Pure."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable
from typing import Final

import attrs

from picsellia_async._error_text import error_text
from picsellia_async._log_line import Line
from picsellia_async.uploader import Uploader


def lines_of(uploader: Uploader) -> Callable[..., None]:
    """Return what writes lines as the uploader's: each pipeline has one, and so of several in a process each has its number."""
    return uploader._reporter.write  # noqa: SLF001 - no user's business


TOLD_SECONDS: Final = 30.0
"""Between two lines about frames that fail."""


@attrs.define
class FailureLog:
    """Decides on the lines about frames that fail, or with which something else is wrong."""

    what: str = "frames failed in the pipeline"
    """How lines begin."""
    field: str = "failed"
    """The attribute of records that has the count since the last line."""
    _told: int = attrs.field(default=0, init=False)
    """Frames in the lines so far."""
    _untold: Counter[str] = attrs.field(factory=Counter, init=False)
    _sources: set[str] = attrs.field(factory=set, init=False)
    _last: str = attrs.field(default="", init=False)
    _told_at: float = attrs.field(default=-math.inf, init=False)

    def failed(self, now: float, reason: str, source: str, error: BaseException) -> Line | None:
        """Return the line for a frame that failed, if it is time for one.

        Args:
            now: Monotonic seconds.
            reason: As counted.
            source: Name of the frame's source.
            error: What went wrong.
        """
        self._untold[reason] += 1
        self._sources.add(source)
        self._last = error_text(error)
        return self.due(now)

    def due(self, now: float) -> Line | None:
        """Return the line for what was not told yet, if it is time for one."""
        return self.rest(now) if now >= self._told_at + TOLD_SECONDS else None

    def rest(self, now: float) -> Line | None:
        """Return the line for all that was not told yet; None where there is nothing."""
        if not self._untold:
            return None
        count = self._untold.total()
        reasons = ", ".join(f"{reason} {number}" for reason, number in self._untold.items())
        sources = sorted(self._sources)
        names = ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
        since = f" since the last line ({self._told + count} so far)" if self._told else ""
        self._told += count
        fields: dict[str, object] = {
            self.field: count, f"{self.field}_by_reason": dict(self._untold), f"{self.field}_so_far": self._told, "sources": sources,
        }  # fmt: skip
        text = f"{self.what}{since}: {count} ({reasons}) of {names}, the last: {self._last}"
        self._untold.clear()
        self._sources.clear()
        self._told_at = now
        return Line(logging.WARNING, text, fields)
