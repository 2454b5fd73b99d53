"""How many requests the service takes between two pauses that it asks for. Pure; the clock is passed in.

Theory of operation. A service with a rate limit takes so many requests, refuses the next ones with a Retry-After, and takes as many
again. Without memory each such window ends with as many refusals as are in flight. Here the requests of each window are counted.
Two windows in a row that took about the same number make that number known. From then on nobody sends more until the window is
over. Now and then one request more is sent, alone: if it is refused, the number still holds; if not, it is forgotten.

What is known never makes a sender slower than it was while it learned: the same number, in the same time.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

_FEWEST: Final = 8
"""Below that two windows are alike by chance."""
_ALIKE: Final = 0.05
"""Share by which two windows may differ."""
_LONGEST: Final = 60.0
"""Seconds; a longer window is not trusted without asking."""
_ASK_EVERY: Final = 100
"""Requests for which one may be refused to ask whether the number still holds."""
_ASK_UNTIL: Final = 0.8
"""Share of a window after which nobody asks: the answer may come from the next one."""
_MARGIN: Final = 0.02
"""Share of a window by which it is taken to last longer: a request that comes early would be refused."""


@attrs.define(eq=False)
class RateWindow:
    """Counts requests, window by window. `wait` is asked before each request while `is_known`; `take` is told of each."""

    is_known: bool = attrs.field(default=False, init=False)
    """Whether it is known how many requests the service takes; a plain attribute, read before every attempt."""
    number: int = attrs.field(default=0, init=False)
    """Windows before this one. An attempt remembers the one in which it began."""
    is_rate: bool = attrs.field(default=False, init=False)
    """Whether the last pause was a rate limit's."""
    _sent: int = attrs.field(default=0, init=False)
    _began_at: float = attrs.field(default=0.0, init=False)
    _is_asking: bool = attrs.field(default=False, init=False)
    """Whether the one request beyond the number is under way."""
    _taken_before: int = attrs.field(default=-1, init=False)
    """Requests that the last window with a refusal took; -1: it is not counted yet, or there was none."""
    _period_before: float = attrs.field(default=0.0, init=False)
    _is_counted: bool = attrs.field(default=True, init=False)
    """Whether that window was compared with the one before it."""
    _taken: int = attrs.field(default=-1, init=False)
    """What a window takes, as the last comparison has it."""
    _period: float = attrs.field(default=0.0, init=False)
    _ended_at: float = attrs.field(default=0.0, init=False)
    """When the last window with a refusal ends, by the service's word."""
    _is_next: bool = attrs.field(default=False, init=False)
    """Whether this window is the one behind that."""
    _since_refusal: int = attrs.field(default=0, init=False)
    """Windows that ended without a refusal, since the last one that did not."""

    def wait(self, now: float, in_flight: int) -> float:
        """Return for how long nobody should send; 0.0: send.

        Args:
            now: Monotonic seconds.
            in_flight: Requests under way.
        """
        if self._sent < self._taken:
            return 0.0
        ends_at = self._began_at + self._period * (1.0 + _MARGIN)
        if now >= ends_at:
            self._begin_next()
            self._is_next = False
            self._since_refusal += 1
            return 0.0
        is_early = now - self._began_at < self._period * _ASK_UNTIL
        may_ask = is_early and (self._since_refusal + 1) * self._taken >= _ASK_EVERY
        # Alone: else nobody could tell whose answer says that the service takes more.
        if may_ask and not (self._is_asking or in_flight):
            return 0.0
        return ends_at - now

    def take(self, now: float) -> None:
        """A request is about to be sent."""
        if not self._sent:
            self._compare()
            self._began_at = now
        self._sent += 1
        self._is_asking |= self.is_known and self._sent > self._taken

    def give_back(self, number: int) -> None:
        """A request that `take` was told of is not sent after all."""
        if number == self.number:
            self._sent = max(0, self._sent - 1)
            self._is_asking = False
        elif number == self.number - 1:
            self._taken_before -= 1

    def succeeded(self, number: int) -> None:
        """The service took a request that began in this window."""
        if self._is_asking and number == self.number:
            self._forget()

    def refused(
        self, now: float, number: int, retry_after: float, load: int, under_way: int, *, is_carried: bool
    ) -> bool:
        """The service asked for a pause.

        Args:
            now: Monotonic seconds.
            number: Window in which the request began.
            retry_after: Seconds.
            load: Most requests that were under way at once, when it began or now.
            under_way: Requests under way now.
            is_carried: Whether the service took as many at once since the pause before.

        Returns:
            Whether the number of requests is the reason, and not the load: a whole round of as many was taken before.
        """
        if number == self.number:
            self.is_rate = is_carried and self._sent - 1 - under_way >= load
            self._taken_before = self._sent - 1
            ends_at = now + retry_after
            # A window of a service that goes by the clock began when the one before ended, and not with our first request.
            since_end = ends_at - self._ended_at if self._is_next else 0.0
            self._period_before = max(ends_at - self._began_at, since_end, self._period if self.is_known else 0.0)
            self._ended_at, self._is_next = ends_at, True
            self._is_counted = False
            self._since_refusal = 0
            self._begin_next()
        elif number == self.number - 1:
            # Sent together with the first one that was refused.
            self._taken_before -= 1
        return self.is_rate

    def _begin_next(self) -> None:
        self.number += 1
        self._sent = 0
        self._is_asking = False

    def _compare(self) -> None:
        """Now that all answers to the window before are there: compare it with the one before that."""
        if self._is_counted:
            return
        self._is_counted = True
        taken, known = self._taken_before, self._taken
        self._taken, self._period = taken, self._period_before
        is_alike = abs(taken - known) <= max(1.0, taken * _ALIKE)
        self.is_known = is_alike and taken >= _FEWEST and self._period <= _LONGEST and math.isfinite(self._period)

    def _forget(self) -> None:
        self.is_known = self._is_asking = False
        self._taken = -1
