"""How many requests may be in flight: a fixed number, or one that finds the service's capacity. Pure; the clock is passed in.

Theory of operation of `AdaptiveLimit`. A service that takes `C` requests at once in `s` seconds each answers in `s` as long
as `n <= C` are in flight; above that they wait in its line, and the round trip grows to `n / C * s`. So `n * s / rtt`
estimates `C` (Little's law), with `s` the shortest round trip seen lately. The limit follows that estimate plus a little
head-room, so that it notices when the capacity grew; it doubles at first, until the estimate falls behind (slow start).

* Rounds: answers are judged together, as many as the limit allows in flight, and enough for a mean. Service times scatter, and
  the shortest of many scattered means is too short: each mean counts with its standard error, in favour of "no line".
* Refusals (429, 503) and timeouts tell the same more bluntly. The limit falls below the number in flight at which the first of
  them happened, waits there for some rounds, and then tries again: a saw with small, rare teeth.
* The shortest round trip is forgotten after a while, since services change. To measure it anew without the line that the
  head-room itself keeps up, the limit dips for one round.
* Rounds in which the limit was not reached say nothing about what lies above it: then it does not grow.
* When the round trips of the service itself grow (a busier machine, say), it looks like a line, but falling does not help: where
  the round trip did not follow the limit down, it is the new shortest one, and the limit goes back to where it was.
* The answers right after a change were still sent under the old limit; they are not judged.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

import attrs

_MIN_SAMPLES: Final = 20
_HEADROOM: Final = 0.05
"""Share of the limit that is kept in the service's line."""
_TOLERANCE: Final = 0.02
"""Round trips this much above the shortest count as none: timers and scheduling are no line."""
_FORGET_SECONDS: Final = 10.0
"""Age at which the shortest round trip is measured anew."""
_DIP: Final = 0.7
_FAR: Final = 0.65
"""Share of the limit from which on a fall must have helped."""
_PATIENT_ROUNDS: Final = 10
"""Rounds without growth after a refusal."""
_MAX_FALL: Final = 0.5
"""Least share of the limit that is left after one round."""


class Limit(Protocol):
    """What the sender asks of a limit."""

    @property
    def value(self) -> int:
        """Requests that may be in flight."""

    @property
    def round_trip(self) -> float:
        """Smoothed seconds from request to answer; 0 before the first."""

    def sample(self, now: float, round_trip: float, in_flight: int, *, refused: bool) -> None:
        """Learn from one answer."""


@attrs.define
class FixedLimit:
    """A number that stays."""

    value: int
    """Requests that may be in flight."""
    round_trip: float = 0.0
    """Smoothed seconds from request to answer; 0 before the first."""

    def sample(self, now: float, round_trip: float, in_flight: int, *, refused: bool) -> None:  # noqa: ARG002
        """Keep the round trip for the statistics."""
        self.round_trip += (round_trip - self.round_trip) * (0.1 if self.round_trip else 1.0)


@attrs.define
class _Round:
    """What was seen since the last judgement."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    busiest: int = 0
    refused_at: int = 0
    """Least number in flight at which a request was refused; 0: none was."""

    def add(self, round_trip: float) -> None:
        self.count += 1
        self.total += round_trip
        self.squares += round_trip * round_trip

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        variance = max(0.0, self.squares / self.count - self.mean**2)
        return math.sqrt(variance / self.count)


@attrs.define
class _Fall:
    """The beginning of a fall."""

    top: float
    """Limit from which it began."""
    limit: float = 0.0
    """Limit one step below: the first round of a fall may have seen the change happen, this one saw what came of it."""
    mean: float = 0.0
    """Mean round trip there."""


@attrs.define
class AdaptiveLimit:
    """A number that follows the service's capacity."""

    initial: int = 4
    """Where it starts."""
    maximum: int = 256
    """What it never exceeds."""
    round_trip: float = attrs.field(default=0.0, init=False)
    """Smoothed seconds from request to answer; 0 before the first."""
    _limit: float = attrs.field(init=False)
    _shortest: float = attrs.field(default=math.inf, init=False)
    _shortest_at: float = attrs.field(default=0.0, init=False)
    _is_starting: bool = attrs.field(default=True, init=False)
    _patience: int = attrs.field(default=0, init=False)
    _before_dip: float = attrs.field(default=0.0, init=False)
    _dip_mean: float = attrs.field(default=math.inf, init=False)
    _fall: _Fall | None = attrs.field(default=None, init=False)
    """How the limit began to fall; None while it does not."""
    _settling: int = attrs.field(default=0, init=False)
    """Answers still to be ignored."""
    _round: _Round = attrs.field(factory=_Round, init=False)

    def __attrs_post_init__(self) -> None:
        """Start where told."""
        self._limit = float(min(self.initial, self.maximum))

    @property
    def value(self) -> int:
        """Requests that may be in flight."""
        return max(1, round(self._limit))

    def sample(self, now: float, round_trip: float, in_flight: int, *, refused: bool) -> None:
        """Learn from one answer.

        Args:
            now: Monotonic seconds.
            round_trip: Seconds from request to answer.
            in_flight: Requests in flight when this one was sent, itself included.
            refused: Whether the service said, by status or by silence, that it was too much.
        """
        if self._settling:
            self._settling -= 1
            return
        round_ = self._round
        round_.busiest = max(round_.busiest, in_flight)
        if refused:
            # A refusal is often quick, and says nothing about the time that a service takes.
            round_.refused_at = min(round_.refused_at or in_flight, in_flight)
            round_.count += 1
        else:
            self.round_trip += (round_trip - self.round_trip) * (0.1 if self.round_trip else 1.0)
            round_.add(round_trip)
        if round_.count >= max(_MIN_SAMPLES, self.value):
            self._round = _Round()
            self._judge(round_, now)

    def _judge(self, round_: _Round, now: float) -> None:
        before = self._limit
        if round_.refused_at:
            self._fall_below(round_.refused_at)
        elif self._before_dip and self._must_dip_deeper(round_):
            self._dip_mean = round_.mean
            self._limit *= _DIP
        elif self._before_dip:
            self._limit, self._before_dip, self._dip_mean = self._before_dip, 0.0, math.inf
            self._shortest, self._shortest_at = round_.mean + round_.error, now
        elif round_.mean + round_.error < self._shortest:
            self._shortest, self._shortest_at = round_.mean + round_.error, now
            self._fall = None
            self._follow(round_)
        elif self._fall is not None and self._was_in_vain(round_, self._fall):
            self._shortest, self._shortest_at = round_.mean + round_.error, now
            self._limit, self._fall = self._fall.top, None
        elif now - self._shortest_at > _FORGET_SECONDS:
            self._before_dip = self._limit
            self._limit *= _DIP
        else:
            self._follow(round_)
        self._limit = min(max(self._limit, 1.0), float(self.maximum))
        if round(self._limit) != round(before):
            # What is in flight was sent under the old limit; after a fall the line that was there must be gone, too.
            self._settling = math.ceil(before) * (3 if self._limit < before else 1)

    def _must_dip_deeper(self, round_: _Round) -> bool:
        """Return whether there may still be a line: the round trip is above the old shortest, and came down with the last dip."""
        is_above = round_.mean - round_.error > self._shortest * (1.0 + _HEADROOM)
        return is_above and round_.mean < self._dip_mean * (1.0 - _HEADROOM) and self._limit > 1.0

    def _was_in_vain(self, round_: _Round, fall: _Fall) -> bool:
        """Return whether the limit fell far, but the round trip did not come down with it, as that of a line does."""
        if not fall.limit or self._limit > fall.limit * _FAR:
            return False
        expected = max(self._shortest, fall.mean * self._limit / fall.limit)
        return round_.mean - round_.error > expected * (1.0 + 4 * _HEADROOM)

    def _fall_below(self, refused_at: int) -> None:
        before = self._before_dip or self._limit
        self._limit = max(min((refused_at - 1) * (1 - _HEADROOM), before * (1 - _HEADROOM)), before * _MAX_FALL)
        self._before_dip, self._fall = 0.0, None
        self._is_starting = False
        self._patience = _PATIENT_ROUNDS

    def _follow(self, round_: _Round) -> None:
        seen = max(0.0, round_.mean / self._shortest - 1.0 - _TOLERANCE)
        # To shrink, the line must be beyond doubt; to grow, there must be none to be seen.
        line = max(0.0, seen - round_.error / self._shortest)
        is_full = round_.busiest >= self.value
        if line > _HEADROOM:
            self._is_starting = False
            if self._fall is None:
                self._fall = _Fall(self._limit)
            elif not self._fall.limit:
                self._fall.limit, self._fall.mean = self._limit, round_.mean
            self._limit = max(self._limit / (1.0 + line) * (1.0 + _HEADROOM / 2), self._limit * _MAX_FALL)
        elif is_full and self._is_starting:
            self._limit *= 2.0
        elif is_full and self._patience:
            self._patience -= 1
        elif is_full and seen < _HEADROOM:
            self._fall = None
            self._limit += max(0.5, self._limit * _HEADROOM)
