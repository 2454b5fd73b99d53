"""Who may send now: a circuit breaker that all senders share, with half-open probes and pauses. Pure; the clock is passed in.

Theory of operation. The circuit is closed as long as the service answers: everybody sends. It opens

* when the service asks for time (Retry-After): until then, and nobody sends before; or
* when several attempts in a row failed (an outage), or the account is refused: for a growing time of our own.

When the time is over the circuit is half open: one request goes through, the probe. While it is under way nobody else sends. If
it fails, the circuit opens again, for longer; if it succeeds, one more may be in flight per success (so the number doubles per
round trip) until the usual number is reached and the circuit is closed. Arrivals after a pause are spread by that, and by a
random bit added to the time itself. After the pause of a rate limit (see `rate_window`) there is nothing to feel for: as many go
as went before it, while the number is learned over one round trip, so that not all of them meet its end together.

Every opening begins a new epoch. Answers to requests of an older epoch say how the service was, not how it is: they neither
close the circuit nor lengthen the pause, except that a Retry-After is obeyed whoever receives it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Final

import attrs

RETRY_AFTER_MAX: Final = 3600.0
"""Longest Retry-After that is obeyed, in seconds; a service that asks for more is probed after this time."""

CLOSING_PAUSE: Final = 0.5
"""Longest pause of our own while closing, in seconds."""

_EARLY: Final = 60.0
"""Seconds of an outage in which it is probed more often: each probe sends a whole image, over an uplink that may be thin."""
_FAILURES: Final = 5
"""Failures in a row that mean an outage."""
_SPREAD: Final = 0.2
"""Random share added to a pause."""
_SPREAD_SECONDS: Final = 2.0
"""At most so many seconds of it."""


class Signal(enum.Enum):
    """What an attempt says about the service, as opposed to the frame."""

    WELL = enum.auto()
    """It answered, if only to refuse this frame."""
    BUSY = enum.auto()
    """429 or 503: it has too much to do."""
    DOWN = enum.auto()
    """No answer, or one that says that it is broken."""
    REFUSES = enum.auto()
    """It takes nothing from this account: token, permission, quota, deployment."""


@attrs.define(eq=False)
class CircuitBreaker:
    """Closed (everybody sends), open until a time, or half open (a few send)."""

    random: Callable[[], float]
    """Returns a number in [0, 1)."""
    pause_initial: float = 0.5
    """Seconds of the first pause of an outage; each further one is twice as long."""
    pause_early: float = 5.0
    """Longest pause of our own in the first minute of an outage, in seconds: a service may be well for seconds only."""
    pause_max: float = 15.0
    """Longest pause of our own after that, and where the account is refused, which no waiting of seconds mends."""
    is_closed: bool = attrs.field(default=True, init=False)
    """Whether everybody may send; a plain attribute, read before every attempt."""
    epoch: int = attrs.field(default=0, init=False)
    """Number of openings so far; an attempt remembers the one in which it began."""
    until: float = attrs.field(default=0.0, init=False)
    """Nobody sends before this time."""
    is_asked: bool = attrs.field(default=False, init=False)
    """Whether the service itself asked for the pause."""
    is_answered: bool = attrs.field(default=True, init=False)
    """Whether the service answered since the circuit opened: then it is half open, and the load grows."""
    is_refused: bool = attrs.field(default=False, init=False)
    """Whether it opened last since the account is refused, and nothing was answered since."""
    _permits: int = attrs.field(default=1, init=False)
    _spread_over: float = attrs.field(default=0.0, init=False)
    """Seconds over which the first `_permits` requests begin."""
    _in_flight: int = attrs.field(default=0, init=False)
    failures: int = attrs.field(default=0, init=False)
    """Failures in a row, since the last opening."""
    _pauses: int = attrs.field(default=0, init=False)
    _out_since: float = attrs.field(default=0.0, init=False)
    """When the first of these pauses began."""

    def admit(self, now: float) -> float:
        """Ask to send while the circuit is not closed.

        Returns:
            0.0: go; the caller reports the end with the epoch it started in. Above: seconds to wait. Infinity: wait
            until an attempt that is under way has ended.
        """
        if self.is_closed:
            return 0.0
        if now < self.until:
            return self.until - now
        if self._in_flight >= self._permits:
            return math.inf
        if self._spread_over:
            early = self.until + self._in_flight * self._spread_over / self._permits - now
            if early > 0.0:
                return early
        self._in_flight += 1
        return 0.0

    def abandoned(self, epoch: int) -> None:
        """An attempt ended without an answer of the service, cancelled for instance."""
        if epoch == self.epoch and not self.is_closed:
            self._in_flight -= 1

    def succeeded(self, epoch: int, usual: int) -> None:
        """The service answered.

        Args:
            epoch: Epoch in which the attempt started.
            usual: Number in flight at which the circuit counts as closed again.
        """
        if epoch != self.epoch:
            return
        self.failures = 0
        if self.is_closed:
            return
        self._in_flight -= 1
        self._pauses = 0
        self.is_answered, self.is_refused = True, False
        self._permits += 1
        self.is_closed = self._permits >= usual

    def failed(
        self,
        now: float,
        epoch: int,
        signal: Signal,
        retry_after: float | None,
        permits: int = 1,
        spread_over: float = 0.0,
    ) -> None:
        """The service did not answer, or not well.

        Args:
            now: Monotonic seconds.
            epoch: Epoch in which the attempt started.
            signal: What it said.
            retry_after: Seconds it asked for.
            permits: Requests that may be in flight when that time is over, before one was answered.
            spread_over: Seconds over which these begin: together they would be refused together, where the service has room for few.
        """
        is_current = epoch == self.epoch
        if is_current and not self.is_closed:
            self._in_flight -= 1
        if retry_after is not None:
            pause = min(retry_after, RETRY_AFTER_MAX)
            self._open(now + self._spread(pause), is_asked=True, is_refused=signal is Signal.REFUSES, permits=permits)
            self._spread_over = spread_over
            return
        if not is_current:
            return
        self.failures += 1
        if self.is_probe(epoch) or self.failures >= _FAILURES or signal is Signal.REFUSES:
            # That the account is refused is a guess from a few frames: another one is asked at once.
            is_guess = signal is Signal.REFUSES and not self._pauses
            if not self._pauses:
                self._out_since = now
            is_early = signal is not Signal.REFUSES and now - self._out_since < _EARLY
            longest = min(self.pause_early, self.pause_max) if is_early else self.pause_max
            pause = 0.0 if is_guess else min(longest, self.pause_initial * 2.0 ** min(self._pauses, 62))
            self._pauses += 1
            self._open(now + self._spread(pause), is_asked=False, is_refused=signal is Signal.REFUSES)

    def is_probe(self, epoch: int) -> bool:
        """Return whether an attempt of this epoch is the one that asks whether the service is back, before any answer."""
        return epoch == self.epoch and not self.is_closed and not self.is_answered

    def closing(self, now: float) -> None:
        """Probe at once, and from now on about twice a second, unless the service asks for a pause.

        A long pause of our own may be longer than what is left of closing.
        """
        self.pause_max = min(self.pause_max, CLOSING_PAUSE)
        if not self.is_closed and not self.is_asked:
            self.until = min(self.until, now)

    def _spread(self, pause: float) -> float:
        return pause + self.random() * min(pause * _SPREAD, _SPREAD_SECONDS)

    def _open(self, until: float, *, is_asked: bool, is_refused: bool, permits: int = 1) -> None:
        if not self.is_closed and until < self.until:
            return
        self.until = until
        self.is_asked, self.is_refused = is_asked, is_refused
        self.is_closed = False
        self.epoch += 1
        self._permits, self._in_flight, self.failures, self._spread_over = permits, 0, 0, 0.0
        self.is_answered = False
