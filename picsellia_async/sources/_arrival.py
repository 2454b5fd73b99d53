"""When the packets of a camera were due, where the network or a stall held them back. Pure; the clock is passed in.

Theory of operation. A packet that comes late tells nothing by itself. `StreamClock` compares: by the stream's clock each was due so many
seconds after the others, and the one that took the least time ties that clock to ours. A wait does not move that tie, however long it
was: the network may have held back what comes after it. Only a delay that has stayed the same for some seconds, or has grown steadily,
is the network's or the clock's own. One that shrinks is a backlog that is being sent.

`Backlog` does without a clock. After a silence pictures may be as old as it was, and they are counted: so many as the silence has room
for were due within it. That ends early where pictures are waited for as long as usual, since those come as they are made.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import attrs

READY_SECONDS: Final = 0.002
"""Within this a packet comes that was there already."""
OLD_SECONDS_MIN: Final = 0.08
"""Younger pictures are not late at any rate: above 25 a second, two frame times are less than threads and loops may wait for each other."""
_BACK_SECONDS: Final = 1.0
"""By more than that a clock goes back only where it begins anew."""
_DRIFT: Final = 0.001
"""By more than that share no two clocks differ that are meant to agree; quartz differs by a tenth of it."""
_SPAN_SECONDS: Final = 1.0
"""For so long the least delay is looked for, before it is compared with that of the span before."""
_SPAN_PACKETS: Final = 2
_STEADY: Final = 0.02
"""By so many seconds a second a delay may change and count as the same, and its change as steady."""
_REMEMBERED_SECONDS: Final = 60.0
"""For so long a tie that was given up holds again, if the delay shrinks after all."""
_IDLE_SHARE: Final = 0.5
"""Of a span. A thread that waits for less than that may be what delays the packets."""

_INTERVALS: Final = 16
_INTERVALS_MIN: Final = 8
"""Before so many are known only a long wait is a silence."""
_LONG_SECONDS: Final = 1.0
_LONG_FACTOR: Final = 4
"""A long wait: so many times the longest interval as yet, and not below that many seconds."""
_COUNTED_SHARE: Final = 0.95
"""Of the usual interval, by which pictures after a silence are counted: as many too many are waited for rather than one too few."""
_PROOF_SECONDS: Final = 0.1
"""Waits that add up to it are no round trips of a network that sends what it held."""
_PROOF_SHARE: Final = 0.75
"""Of the usual interval, which pictures take that come as they are made."""


@attrs.define
class _Span:
    begun: float
    lowest: float
    """Least offset in it."""
    waits: float = 0.0
    packets: int = 0

    def add(self, waited: float, offset: float) -> None:
        self.lowest = min(self.lowest, offset)
        self.waits += waited
        self.packets += 1


@attrs.define
class StreamClock:
    """Ties the clock of one stream to ours."""

    _moment: float = attrs.field(default=-math.inf, init=False)
    """Of the latest packet."""
    _came: float = attrs.field(default=-math.inf, init=False)
    """When it came."""
    _offset: float = attrs.field(default=math.inf, init=False)
    """From the stream's clock to ours."""
    _raised: float = attrs.field(default=-math.inf, init=False)
    """The offset when it was last raised."""
    _raised_at: float = attrs.field(default=-math.inf, init=False)
    _given_up: float = attrs.field(default=math.inf, init=False)
    """The one before."""
    _rise: float = attrs.field(default=math.nan, init=False)
    """Of the least delay from one span to the next, in seconds a second."""
    _skew: float = attrs.field(default=0.0, init=False)
    """The same, where it is steady."""
    _last: _Span | None = attrs.field(default=None, init=False)
    _span: _Span | None = attrs.field(default=None, init=False)

    def due(self, came: float, waited: float, moment: float, frame: float) -> float:
        """Take note of a packet; return when it was due, which is when it came or earlier.

        Args:
            came: When it came, as far as can be told.
            waited: Seconds that the thread slept until then.
            moment: Its seconds by the stream's clock.
            frame: Seconds from one frame to the next, as far as is known.
        """
        offset = came - moment
        if moment < self._moment - _BACK_SECONDS:
            self._offset, self._raised_at, self._last, self._span = math.inf, -math.inf, None, None
        elif waited >= READY_SECONDS:
            self._offset += min(came - self._came, 2 * frame) * max(_DRIFT, self._skew)
        self._moment, self._came = moment, came
        if offset < self._raised - OLD_SECONDS_MIN and self._is_remembered(came):
            # The delay was no lasting one: what comes now was held back as well.
            self._offset, self._raised_at = self._given_up, -math.inf
        self._offset = min(self._offset, offset)
        self._compare(came, waited, offset)
        return moment + self._offset

    def _compare(self, came: float, waited: float, offset: float) -> None:
        """Raise the offset at the end of a span, where the delay was a lasting one."""
        span = self._span
        if span is None:
            self._span = _Span(came, offset)
            return
        span.add(waited, offset)
        seconds = came - span.begun
        if seconds < _SPAN_SECONDS or span.packets < _SPAN_PACKETS:
            return
        last, self._last, self._span = self._last, span, _Span(came, offset)
        before, self._rise = (
            self._rise,
            math.nan if last is None else (span.lowest - last.lowest) / (span.begun - last.begun),
        )
        is_steady = self._rise >= -_STEADY and (self._rise <= _STEADY or abs(self._rise - before) <= _STEADY)
        self._skew = max(0.0, self._rise) if is_steady else 0.0
        raised = span.lowest + self._skew * seconds
        if is_steady and raised > self._offset and span.waits >= seconds * _IDLE_SHARE:
            raised = min(raised, offset)
            if raised > self._offset + OLD_SECONDS_MIN:
                self._given_up = min(self._offset, self._given_up if self._is_remembered(came) else math.inf)
                self._raised, self._raised_at = raised, came
            self._offset = max(self._offset, raised)

    def _is_remembered(self, now: float) -> bool:
        return now < self._raised_at + _REMEMBERED_SECONDS


@attrs.define
class Backlog:
    """Counts what comes after a silence of a stream that has no clock."""

    _came: float | None = attrs.field(default=None, init=False)
    """When the latest picture came."""
    _intervals: deque[float] = attrs.field(factory=lambda: deque(maxlen=_INTERVALS), init=False)
    """From picture to picture, without silences."""
    _began: float | None = attrs.field(default=None, init=False)
    """When the last picture before the silence came; None where there is no backlog."""
    _silence: float = attrs.field(default=0.0, init=False)
    """Seconds that it lasted."""
    _pictures: int = attrs.field(default=0, init=False)
    """That came since."""
    _row: list[float] = attrs.field(factory=list, init=False)
    """Intervals of the latest pictures, each of which was waited for."""

    @property
    def frame_seconds(self) -> float | None:
        """From one picture to the next, as usual; None where there is no backlog."""
        return None if self._began is None else self._usual

    @property
    def _usual(self) -> float:
        return sum(self._intervals) / len(self._intervals)

    @property
    def _silent_seconds(self) -> float:
        """Longer than that no wait for a picture is, if it is none for a camera that stands still. Some send at uneven intervals."""
        longest = max(self._intervals)
        if len(self._intervals) < _INTERVALS_MIN:
            return max(_LONG_SECONDS, _LONG_FACTOR * longest)
        return max(2 * self._usual + OLD_SECONDS_MIN, 2 * longest)

    def due(self, came: float, waited: float) -> float:
        """Take note of a picture; return when it was due, which is when it came or earlier.

        Args:
            came: When it was handed over.
            waited: Seconds that the thread slept until then.
        """
        before, self._came = self._came, came
        if before is None:
            return came
        interval = came - before
        if self._began is None:
            if not self._intervals or interval <= self._silent_seconds:
                self._intervals.append(interval)
                return came
            self._began, self._silence, self._pictures = before, interval, 0
            self._row.clear()
        elif self._is_as_usual(interval, waited):
            self._began = None
            self._intervals.extend(self._row)
            return came
        self._pictures += 1
        due = self._began + self._pictures * self._usual * _COUNTED_SHARE
        if due >= came:
            self._began = None
        return min(due, came)

    def _is_as_usual(self, interval: float, waited: float) -> bool:
        """Return whether pictures come as they are made, which then is no second silence: as short as the first, or shorter by half."""
        is_rate = self._silence / 2 <= interval <= self._silence * 2
        if waited < READY_SECONDS or (interval > self._silent_seconds and not is_rate):
            self._row.clear()
            return False
        self._row.append(interval)
        # What a network sends by and by is waited for as well, and is no proof for long.
        while sum(self._row[1:]) >= _PROOF_SECONDS:
            del self._row[0]
        seconds = sum(self._row)
        return seconds >= max(_PROOF_SECONDS, _PROOF_SHARE * self._usual * len(self._row))
