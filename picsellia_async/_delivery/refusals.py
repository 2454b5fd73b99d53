"""What the service's refusals mean for all senders: for how long to pause, and whether the load or the number was too much. Pure."""

from __future__ import annotations

from typing import Final

import attrs

from picsellia_async._delivery.attempt import Attempt
from picsellia_async._delivery.circuit_breaker import CircuitBreaker, Signal
from picsellia_async._delivery.concurrency_limit import Limit
from picsellia_async._delivery.frame_state import retry_after
from picsellia_async._delivery.rate_window import RateWindow
from picsellia_async.errors import RateLimitError

_TOO_MANY: Final = 429
_LATE: Final = 0.01
"""Seconds by which a timer may be late: that many starts are made up for."""


@attrs.define(eq=False)
class Refusals:
    """Judges each refusal by what was under way, and spreads starts where a refusal would meet many at once.

    Refusals come in the order of the requests. What was sent before the one that is refused, and has no answer yet, is taken.
    """

    limit: Limit
    """Requests in flight."""
    window: RateWindow
    """What is known about a rate limit."""
    breaker: CircuitBreaker
    """Counts failures in a row."""
    under_way: set[Attempt] = attrs.field(factory=set, init=False)
    """Attempts without an answer yet."""
    _next_start: float = attrs.field(default=0.0, init=False)
    _used_up: int = attrs.field(default=-1, init=False)
    """The last window in which nothing was left."""

    def pause(self, now: float, error: BaseException, attempt: Attempt) -> tuple[float | None, bool]:
        """Return for how long everybody pauses, if at all, and whether the load is not the reason; the limit learns of it.

        Args:
            now: Monotonic seconds.
            error: What the attempt met. It is not under way any more.
            attempt: How things stood when it began.
        """
        window, pause = self.window, retry_after(error)
        # A 503 without a time says that the service is away, not that it was asked too often.
        if pause is None and not (isinstance(error, RateLimitError) and error.status == _TOO_MANY):
            window.failed(attempt.window)
            return None, False
        before = [other.in_flight for other in self.under_way if other.order < attempt.order]
        after = len(self.under_way) - len(before)
        is_carried = window.is_near or self.limit.is_carried(attempt.in_flight, before)
        load = max(attempt.in_flight, len(self.under_way) + 1)
        if pause is None:
            pause = window.guess(now, attempt.window, self.breaker.failures + 1)
            if pause is None:
                return None, is_carried
        is_first = attempt.window == window.number
        is_rate = window.refused(now, attempt.window, pause, load, after, is_carried=is_carried)
        if is_first:
            self.limit.paused(now, attempt.in_flight, is_rate=is_rate, rate=window.rate)
        return pause, is_rate

    def is_outage(self, error: BaseException, signal: Signal) -> bool:
        """Return whether a failed probe shows that the service is away: nothing else was under way that may have filled it.

        Args:
            error: What the probe met. A 429 speaks of a number of requests, others' perhaps.
            signal: What that says.
        """
        is_number = isinstance(error, RateLimitError) and error.status == _TOO_MANY
        return signal in {Signal.DOWN, Signal.BUSY} and not is_number and not self.under_way

    def start_behind(self, error: BaseException, *, is_rate: bool) -> tuple[int, float]:
        """Return how many may be sent when the pause is over, and the seconds over which they begin.

        Args:
            error: What the attempt met.
            is_rate: Of `pause`.
        """
        if not is_rate or retry_after(error) is None:
            return 1, 0.0
        return self.limit.value, 0.0 if self.window.is_known else self.limit.round_trip

    def wait_for_window(self, now: float) -> float:
        """Return for how long nobody should send since what the window takes is used up; 0.0: send.

        Args:
            now: Monotonic seconds.
        """
        wait = self.window.wait(now, len(self.under_way))
        if wait and self._used_up != self.window.number:
            self._used_up = self.window.number
            self.limit.paused(now, 0, is_rate=True)  # as if it had been refused: more at once would gain nothing
        return wait

    def wait(self, now: float, active: int) -> float:
        """Return for how long not to start one more worker; 0.0: start it.

        Requests that start together are refused together, if they are the first beyond what the service takes. So where that is
        not known yet, starts are spread over a round trip: then a refusal stops those that have not begun.

        Args:
            now: Monotonic seconds.
            active: Workers there are.
        """
        if not active:
            return 0.0  # one alone is not refused together with others
        is_learning = self.window.number > 0 and not self.window.is_known
        if not is_learning and active < self.limit.carried:
            return 0.0
        if now < self._next_start:
            return self._next_start - now
        many = self.limit.value if is_learning else max(1, self.limit.value - self.limit.carried)
        self._next_start = max(self._next_start, now - _LATE) + self.limit.round_trip / many
        return 0.0
