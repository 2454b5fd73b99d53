"""When the packets of a camera were due, where the network or a stall held them back. Pure; the clock is passed in.

Theory of operation. A packet that comes late tells nothing by itself. `StreamClock` compares: by the stream's clock each was due so many
seconds after the others, and the one that took the least time ties that clock to ours. A wait does not move that tie, however long it
was: the network may have held back what comes after it. Only a delay that has stayed the same for some seconds, or has grown steadily,
is the network's or the clock's own; so is one that is not steady, but for longer never came back nor shrank. One that shrinks is a backlog
that is being sent.

`Backlog` does without a clock. After a silence pictures may be as old as it was, and they are counted: so many as the silence has room
for were due within it. That ends early where pictures are waited for as long as usual, one by one or in groups, since those come as they are
made. And it ends where the backlog does not shrink: then it is none, or whoever reads is too slow to tell.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import deque
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

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
_LASTING_SPANS: Final = 5
"""Spans after which a delay that never went back, nor shrank for good, is the network's or the clock's own, steady or not."""
_DRAINED: Final = 0.2
"""Seconds a second; what jitter changes the least delay of a span by is less, and what is being sent shrinks by more, or for long."""
_LEAP_FACTOR: Final = 4
_LEAP: Final = 0.1
"""Seconds a second; a rise by more than that, and so many times the median of the latest, is a stall."""
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
_GROUPS_PROOF_SECONDS: Final = 0.5
"""The same of pictures that come in groups: within that a network's window has grown."""
_STUCK_SECONDS: Final = 3.0
"""A backlog that has not shrunk for so long is none."""
_STUCK_SHARE: Final = 0.1
"""Of that time, by which a backlog shrinks at least."""
_STALLS_MAX: Final = 8
"""Further long silences of a backlog. Each adds what the network may have held meanwhile; more of them are a rate."""
_GROUPS_MAX: Final = 256
"""So many fit in that time, each of which was waited for."""
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
    """The same, where it is steady; where it only grows, the largest of the latest."""
    _last: _Span | None = attrs.field(default=None, init=False)
    _spans: deque[_Span] = attrs.field(factory=lambda: deque(maxlen=_LASTING_SPANS + 1), init=False)
    """The latest ones, to tell a delay that lasts without being steady."""
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
            self._spans.clear()
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
        self._spans.append(span)
        is_steady = self._rise >= -_STEADY and (self._rise <= _STEADY or abs(self._rise - before) <= _STEADY)
        if is_steady:
            self._skew = max(0.0, self._rise)
            raised = span.lowest + self._skew * seconds
        else:
            self._skew, raised = self._lasting(seconds)
        if raised > self._offset and span.waits >= seconds * _IDLE_SHARE:
            raised = min(raised, offset)
            if raised > self._offset + OLD_SECONDS_MIN:
                self._given_up = min(self._offset, self._given_up if self._is_remembered(came) else math.inf)
                self._raised, self._raised_at = raised, came
            self._offset = max(self._offset, raised)

    def _lasting(self, seconds: float) -> tuple[float, float]:
        """Return the skew, and what the offset is raised to, where the delay is not steady.

        Some cameras stamp by count, and send now more and now less slowly than that.
        """
        spans = self._spans
        rises = [(span.lowest - last.lowest) / (span.begun - last.begun) for last, span in itertools.pairwise(spans)]
        if len(rises) < _LASTING_SPANS:
            return 0.0, -math.inf
        # One or two leaps are stalls, and what they held comes yet.
        if min(rises) >= -_STEADY and max(rises) <= _LEAP_FACTOR * statistics.median(rises) + _LEAP:
            skew = max(rises)
            return skew, spans[-1].lowest + skew * seconds
        if min(rises) >= -_DRAINED and spans[-1].lowest >= spans[0].lowest:
            return 0.0, min(span.lowest for span in spans)
        return 0.0, -math.inf

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
    _held: float = attrs.field(default=0.0, init=False)
    """Seconds of all silences since the last picture before it; nothing is older."""
    _pictures: int = attrs.field(default=0, init=False)
    """That came since."""
    _latest_silence: float = attrs.field(default=0.0, init=False)
    """Seconds of the latest silence, which may be a further one."""
    _since_silence: int = attrs.field(default=0, init=False)
    """Pictures behind it."""
    _groups: deque[tuple[float, int]] = attrs.field(factory=lambda: deque(maxlen=_GROUPS_MAX), init=False)
    """Seconds and pictures of the latest groups: one that was waited for, and those that were there already behind it."""
    _latest: deque[float] = attrs.field(factory=lambda: deque(maxlen=_INTERVALS), init=False)
    """Intervals since the backlog began."""
    _watched: float = attrs.field(default=0.0, init=False)
    """Seconds since its age was noted, of a long silence one."""
    _noted: float = attrs.field(default=0.0, init=False)
    """Its age then, and what further stalls added."""
    _stalls: int = attrs.field(default=0, init=False)
    """Long silences since it began."""

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
        began = self._began
        if began is None:
            if not self._intervals or interval <= self._silent_seconds:
                self._intervals.append(interval)
                return came
            self._begin(before, interval)
            began = before
        elif usual := self._as_usual(interval, waited):
            return self._end(came, usual)
        else:
            self._latest.append(interval)
        self._pictures += 1
        self._since_silence += 1
        due = began + self._pictures * self._usual * _COUNTED_SHARE
        if due >= came:
            return self._end(came, ())
        if self._is_stuck(came - due, interval):
            # These are its intervals now: none of them is to begin the next backlog.
            return self._end(came, self._latest)
        return max(due, came - self._held)

    def _begin(self, before: float, silence: float) -> None:
        self._began, self._pictures, self._since_silence, self._stalls = before, 0, 0, 0
        self._silence = self._latest_silence = self._held = self._noted = silence
        self._watched = 0.0
        self._groups.clear()
        self._latest.clear()

    def _end(self, came: float, intervals: Iterable[float]) -> float:
        self._began = None
        self._intervals.extend(intervals)
        return came

    def _as_usual(self, interval: float, waited: float) -> list[float]:
        """Return the intervals that show that pictures come as they are made; empty where none do.

        A wait is no second silence then: it is as short as the first, or shorter by half.
        """
        if waited < READY_SECONDS:
            if self._groups:
                seconds, pictures = self._groups.pop()
                self._groups.append((seconds + interval, pictures + 1))
            return []
        # Where what came behind the silence before makes up for it, a network held that: a camera that is slow now made none.
        is_made_up_for = self._since_silence * self._usual >= self._latest_silence * _PROOF_SHARE
        is_rate = self._silence / 2 <= interval <= self._silence * 2 and not is_made_up_for
        if interval > self._silent_seconds and not is_rate:
            self._groups.clear()
            self._latest_silence, self._since_silence = interval, 0
            return []
        self._groups.append((interval, 1))
        groups = list(reversed(self._groups))
        singles = list(itertools.takewhile(lambda group: group[1] == 1, groups))
        # What a network sends by and by is waited for as well, and is no proof for long. The latest group may not be whole.
        return self._proof(singles, _PROOF_SECONDS) or self._proof(groups[1:], _GROUPS_PROOF_SECONDS)

    def _proof(self, groups: list[tuple[float, int]], proof: float) -> list[float]:
        """Return the intervals of the latest groups that last for so long; empty where they came faster than usual."""
        seconds, count, intervals = 0.0, 0, list[float]()
        for group, pictures in groups:
            seconds += group
            count += pictures
            intervals += [group] + [0.0] * (pictures - 1)
            if seconds >= proof:
                return intervals if seconds >= _PROOF_SHARE * self._usual * count else []
        return []

    def _is_stuck(self, age: float, interval: float) -> bool:
        """Return whether the backlog has not shrunk for some seconds."""
        if self._pictures == 1:
            return False
        if interval > self._silent_seconds:
            self._held += interval
        if interval > _LONG_SECONDS and self._stalls < _STALLS_MAX:
            self._stalls += 1
            self._noted += interval - self._usual * _COUNTED_SHARE
        self._watched += min(interval, _LONG_SECONDS)
        if self._watched < _STUCK_SECONDS:
            return False
        is_stuck = age > self._noted - self._watched * _STUCK_SHARE
        self._watched, self._noted = 0.0, age
        return is_stuck
