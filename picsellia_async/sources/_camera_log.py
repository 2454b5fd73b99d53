"""What a camera tells the log: which lines, and when. Pure; the clock is passed in.

A stream that the camera ends by itself is no failure. The first failure is told, then there is a summary every 30 seconds of failing, and a
line when it is back, which a picture tells and no connection. A failure soon after the last line is told once it lasts for 10 seconds, or
counted into the next line: a camera that breaks off every other second tells of itself twice in 30 seconds, until its budget of lines is
spent. A camera that sends on, and of which no picture is whole, is open and is of no use: that is told likewise, once it is no matter of a
few pictures.
"""

from __future__ import annotations

import logging
import math
from typing import Final

import attrs

from picsellia_async._log_line import Line, LineBudget
from picsellia_async.sources._camera_name import CameraName, name_of

TOLD_SECONDS: Final = 30.0
"""Between two lines about trouble."""
LASTING_SECONDS: Final = 10.0
"""Trouble that lasts so long is told however near the last line was."""
_WITH_END: Final = 2
"""Lines that the beginning of trouble costs: that at its end must be told, and is paid for with it."""
DAMAGED_MAX: Final = 10
"""Pictures in a row that may be damaged before it is told."""
DAMAGED_SECONDS: Final = 5.0
"""Seconds for which nothing whole may come, of what is sent, before it is told."""


@attrs.define
class CameraLog:
    """Decides on the lines of one camera."""

    name: CameraName = attrs.field(converter=name_of)
    """What it is called; or its address, redacted."""
    _was_open: bool = attrs.field(default=False, init=False)
    _budget: LineBudget = attrs.field(factory=LineBudget, init=False)
    _failing_since: float | None = attrs.field(default=None, init=False)
    _broke_at: float = attrs.field(default=0.0, init=False)
    """When the last picture came, or opening failed where there had been none."""
    _failures: int = attrs.field(default=0, init=False)
    """Since the last line that said it was open, or back."""
    _ends: int = attrs.field(default=0, init=False)
    """Streams that the camera ended by itself, since then or since the last line about it."""
    _ended_at: float = attrs.field(default=-math.inf, init=False)
    """When it last did; -inf once opening has failed since."""
    _end_told_at: float = attrs.field(default=-math.inf, init=False)
    _is_told: bool = attrs.field(default=False, init=False)
    """Whether the present failure is."""
    _told_at: float = attrs.field(default=-math.inf, init=False)
    _why: str = attrs.field(default="", init=False)
    """Of the latest failure."""
    _damaged: int = attrs.field(default=0, init=False)
    """Pictures in a row."""
    _damaged_since: float | None = attrs.field(default=None, init=False)
    _damaged_at: float = attrs.field(default=-math.inf, init=False)
    """When the latest came."""
    _damage_is_told: bool = attrs.field(default=False, init=False)
    _damage_told_at: float = attrs.field(default=-math.inf, init=False)
    is_damaged: bool = attrs.field(default=False, init=False)
    """Whether no picture is whole, for as long or as often as to be told; a plain attribute."""

    def opened(self) -> Line | None:
        """Return the line for a camera that was opened the first time. That ends no trouble: it may be open, and send nothing."""
        was_open, self._was_open = self._was_open, True
        return None if was_open or self._is_told else self._line(logging.INFO, "is open")

    def picture(self, now: float) -> Line | None:
        """Return the line for a whole picture, where it was told that there are none.

        Args:
            now: Monotonic seconds.
        """
        since, is_told = self._failing_since, self._is_told
        self._failing_since = None
        if since is None or not is_told:
            return None
        seconds, failures = round(now - since, 1), self._failures
        self._is_told, self._failures = False, 0
        return self._line(logging.WARNING, f"is back after {seconds:.0f} s", failures, seconds)

    def failed(self, now: float, why: str, last_at: float | None = None) -> Line | None:
        """Return the line for an opening that failed or a stream that broke off, after which it is opened again.

        Args:
            now: Monotonic seconds.
            why: The error, redacted.
            last_at: When the last picture came over this stream, if one did: one that stalls is given up seconds later.
        """
        self._failures += 1
        self._why = why
        self._ended_at = -math.inf
        self._begin(now, last_at)
        return self.waiting(now)

    def _begin(self, now: float, last_at: float | None) -> None:
        """Note since when there are no pictures."""
        if self._failing_since is None:
            self._failing_since = self._broke_at = now if last_at is None else last_at

    def stream_ended(self, now: float, *, had_frames: bool = True) -> Line | None:
        """Return the line for a stream that the camera ended by itself, after which it is opened again: some do so every minute.

        Args:
            now: Monotonic seconds.
            had_frames: Whether a frame came of it. A camera whose streams have none is of no use, in whatever way they end.
        """
        self._ends += 1
        self._why = "the camera ended its stream"
        if had_frames or self._failing_since is None:
            self._ended_at = now
        self._begin(now, now if had_frames else None)
        if now < self._end_told_at + TOLD_SECONDS or now < self._budget.permitted_at:
            return self.waiting(now)
        self._budget.pay(now, 1)
        ends, self._ends, self._end_told_at = self._ends, 0, now
        return self._line(logging.INFO, "ended its stream, and is opened again", self._failures, ends=ends)

    def waiting(self, now: float) -> Line | None:
        """Return the line for a camera that has failed and is not open yet; None where it is not time for one, see `next_at`."""
        if self._failing_since is None or now < self.next_at:
            return None
        self._budget.pay(now, 1 if self._is_told else _WITH_END)
        self._told_at, self._is_told = now, True
        seconds = round(now - self._failing_since, 1)
        if seconds < 1.0:  # the stream ended, and opening it again failed at once
            return self._line(logging.WARNING, f"fails, and is opened again: {self._why}", self._failures)
        if not self._failures:
            return self._line(logging.WARNING, f"gives no frames for {seconds:.0f} s now: {self._why}", 0, seconds)
        text = f"gives no frames for {seconds:.0f} s now, failures: {self._failures}, the last: {self._why}"
        return self._line(logging.WARNING, text, self._failures, seconds)

    def damaged(self, now: float, *, is_picture: bool = True) -> Line | None:
        """Return the line for a picture that is of no use, where it is time for one.

        Args:
            now: Monotonic seconds.
            is_picture: Whether it came damaged itself; else it builds on one that did, or what was sent makes no picture.
        """
        self._damaged += is_picture
        # A camera that sends a picture a minute sends what is around it then, and nothing meanwhile.
        was_silent = not is_picture and not self.is_damaged and now > self._damaged_at + DAMAGED_SECONDS
        if self._damaged_since is None or was_silent:
            self._damaged_since = now
        self._damaged_at = now
        seconds = round(now - self._damaged_since, 1)
        self.is_damaged = self.is_damaged or self._damaged >= DAMAGED_MAX or seconds >= DAMAGED_SECONDS
        at = self._damage_told_at + TOLD_SECONDS
        if not self._damage_is_told:
            at = min(at, self._damaged_since + LASTING_SECONDS)
        if not self.is_damaged or now < max(at, self._budget.permitted_at):
            return None
        self._budget.pay(now, 1 if self._damage_is_told else _WITH_END)
        self._damage_told_at, self._damage_is_told = now, True
        what = f"{self._damaged} came damaged" if self._damaged else "nothing that came makes one"
        text = f"sends, and no picture is whole for {seconds:.0f} s now: {what}"
        return self._line(logging.WARNING, text, self._failures, seconds, damaged=self._damaged)

    def whole(self, now: float) -> Line | None:
        """Return the line for a whole picture, where it was told that there are none.

        Args:
            now: Monotonic seconds.
        """
        since, is_told = self._damaged_since, self._damage_is_told
        self._damaged, self._damaged_since, self.is_damaged, self._damage_is_told = 0, None, False, False
        if since is None or not is_told:
            return None
        seconds = round(now - since, 1)
        return self._line(logging.WARNING, f"gives whole pictures again after {seconds:.0f} s", 0, seconds)

    @property
    def next_at(self) -> float:
        """When the next line about failing may be told."""
        at = max(self._told_at, self._ended_at) + TOLD_SECONDS
        if not self._is_told and self._ended_at == -math.inf:  # opening failed, or a stream broke off
            at = min(at, self._broke_at + LASTING_SECONDS)
        return max(at, self._budget.permitted_at)

    def ended(self, why: str) -> Line:
        """Return the line for a camera that is not opened again.

        Args:
            why: The error, redacted; empty where the stream came to its end.
        """
        if why:
            return self._line(logging.WARNING, f"failed, and is not opened again: {why}", self._failures + 1)
        return self._line(logging.INFO, "came to the end of its stream")

    def _line(
        self,
        level: int,
        text: str,
        failures: int = 0,
        seconds: float = 0.0,
        *,
        ends: int = 0,
        damaged: int | None = None,
    ) -> Line:
        fields: dict[str, object] = {
            **self.name.fields, "failures": failures, "ends": ends, "trouble_seconds": seconds,
        }  # fmt: skip
        if damaged is not None:
            fields["damaged"] = damaged
        return Line(level, f"{self.name.in_words} {text}", fields)
