"""What a pipeline tells the log of calls of the model that do not return. Pure."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Final

import attrs

from picsellia_async._log_line import Line

SILENT_SECONDS: Final = 15.0
"""How long a call may take before it is told."""
_USUAL_CALLS: Final = 4.0
"""Or as long as so many usual calls, where that is longer, up to `_LONG_SECONDS`."""
_LONG_SECONDS: Final = 60.0
"""Or as long as two usual calls, where that is longer still."""
_CALLS_KEPT: Final = 15
"""The usual call is the median of so many: a single one that hung makes none of the next usual."""
_QUIET_SECONDS: Final = 60.0
"""Between the first lines about two calls, where every other one is slow."""
_LONGEST_PAUSE: Final = 3600.0
"""Between two lines about the same call: the pauses double up to this."""


@attrs.define
class ModelWatch:
    """Decides on the lines about calls of the model that do not return."""

    _calls: dict[int, tuple[float, tuple[str, ...]]] = attrs.field(factory=dict, init=False)
    """Calls under way: when they began, and the sources of their images."""
    _number: int = attrs.field(default=0, init=False)
    _latest: deque[float] = attrs.field(factory=lambda: deque(maxlen=_CALLS_KEPT), init=False)
    """Seconds of the calls that returned last."""
    _quiet_until: float = attrs.field(default=-math.inf, init=False)
    _told: set[int] = attrs.field(factory=set, init=False)
    _next_at: float = attrs.field(default=-math.inf, init=False)
    _pause: float = attrs.field(default=SILENT_SECONDS, init=False)

    def begin(self, now: float, sources: Iterable[str]) -> int:
        """Note a call, and return its number.

        Args:
            now: Monotonic seconds.
            sources: Whose images it was given.
        """
        self._number += 1
        self._calls[self._number] = (now, tuple(sources))
        return self._number

    def end(self, now: float, number: int) -> Line | None:
        """Note that a call returned or raised; return the line if it was the last of those that were told."""
        seconds = now - self._calls[number][0]
        self._latest.append(seconds)
        was_told = number in self._told
        self.discard(number)
        if not was_told or self._told:
            return None
        fields: dict[str, object] = {"seconds": round(seconds, 3)}
        return Line(logging.WARNING, f"the model of the pipeline returned after {seconds:.0f} s", fields)

    def discard(self, number: int) -> None:
        """Forget a call that was cancelled, if it is under way still."""
        self._calls.pop(number, None)
        if number in self._told:
            self._told.discard(number)
            if not self._told:
                self._next_at, self._pause = -math.inf, SILENT_SECONDS

    def look(self, now: float) -> Line | None:
        """Return the line about calls that take too long, if there are some and it is time for one."""
        usual = median(self._latest) if self._latest else 0.0
        patience = max(SILENT_SECONDS, min(_USUAL_CALLS * usual, max(_LONG_SECONDS, 2 * usual)))
        silent = [number for number, (begun, _) in self._calls.items() if now - begun >= patience]
        if not silent or (now < self._next_at and self._told.issuperset(silent)):
            return None
        if not self._told and now < self._quiet_until:
            return None
        self._quiet_until = now + _QUIET_SECONDS
        self._told.update(silent)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._next_at = now + self._pause
        seconds = now - min(self._calls[number][0] for number in silent)
        sources = self._sources_of(silent)
        others = len(self._calls) - len(silent)
        going_on = "1 other call goes on" if others == 1 else f"{others} other calls go on"
        meanwhile = going_on if others else "no frame is predicted meanwhile"
        text = f"the model of the pipeline has not returned for {seconds:.0f} s: {_calls(len(silent), sources)}; {meanwhile}"
        fields: dict[str, object] = {
            "seconds": round(seconds, 3),
            "calls": len(silent),
            "other_calls": others,
            "sources": sources,
        }
        return Line(logging.WARNING, text, fields)

    def stopping(self, seconds: float) -> Line:
        """Return the line of a pipeline that stops, and waits.

        Args:
            seconds: For how long at most.
        """
        seconds = round(seconds, 1)
        what, fields = self._under_way()
        return Line(
            logging.WARNING, f"the pipeline waits up to {seconds:.0f} s for {what}", {"seconds": seconds, **fields}
        )

    def given_up(self, stopped: int) -> Line:
        """Return the line of a pipeline that waits no longer.

        Args:
            stopped: How many frames that costs.
        """
        what, fields = self._under_way()
        count = "1 frame counts" if stopped == 1 else f"{stopped} frames count"
        text = f"the pipeline ends without waiting for {what}; {count} as stopped"
        return Line(logging.WARNING, text, {"stopped": stopped, **fields})

    def _under_way(self) -> tuple[str, dict[str, object]]:
        sources, count = self._sources_of(self._calls), len(self._calls)
        what = f"the model: {_calls(count, sources)}" if count else "room in the uploader"
        return what, {"calls": count, "sources": sources}

    def _sources_of(self, numbers: Iterable[int]) -> list[str]:
        return sorted({source for number in numbers for source in self._calls[number][1]})


def _calls(count: int, sources: list[str]) -> str:
    calls = "a call" if count == 1 else f"{count} calls"
    more = f" and {len(sources) - 3} more" if len(sources) > 3 else ""
    return f"{calls}, of {', '.join(sources[:3])}{more}"
