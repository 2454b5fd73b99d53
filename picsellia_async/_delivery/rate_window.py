"""How many requests the service takes between two pauses that it asks for. Pure; the clock is passed in.

Theory of operation. A service with a rate limit takes so many requests, refuses the next ones with a Retry-After, and takes as many
again. Without memory each such window ends with as many refusals as are in flight. Here the requests of each window are counted.

* One window that was seen whole makes its number supposed: behind it one request more is sent, alone. If that is refused, the number
  is right, for the price of one; if not, the number grows, by a step that doubles with each answer.
* Two windows in a row that took about the same number make it known. From then on nobody sends more until the window is over, and
  only now and then one asks, alone, whether the number still holds.

Where the service does not say when to come again, the lengths that windows usually have are tried, from the begin of the window on,
with one request each.
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
_LARGEST_STEP: Final = 8
"""By this part of the number at most it grows at once: so many may be refused."""
_MARGIN: Final = 0.02
"""Share of a window by which it is taken to last longer: a request that comes early would be refused."""
_IN_A_ROW: Final = 3
"""Refusals without a Retry-After that mean a pause: single ones may be chance."""
_GUESSES: Final = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Seconds that windows usually last: where the service does not say when to come again, they are tried in turn."""


@attrs.define(eq=False)
class RateWindow:
    """Counts requests, window by window. `wait` is asked before each request while `is_bounded`; `take` is told of each."""

    is_known: bool = attrs.field(default=False, init=False)
    """Whether it is known how many requests the service takes."""
    is_bounded: bool = attrs.field(default=False, init=False)
    """Whether a number is known, or supposed from one window; a plain attribute, read before every attempt."""
    number: int = attrs.field(default=0, init=False)
    """Windows before this one. An attempt remembers the one in which it began."""
    is_rate: bool = attrs.field(default=False, init=False)
    """Whether the last pause was a rate limit's."""
    _sent: int = attrs.field(default=0, init=False)
    _began_at: float = attrs.field(default=0.0, init=False)
    _step: int = attrs.field(default=1, init=False)
    """How many more are sent at once than were taken, where one more was."""
    _is_asking: bool = attrs.field(default=False, init=False)
    """Whether the one request beyond the number is under way."""
    _taken_before: int = attrs.field(default=-1, init=False)
    """Requests that the last window with a refusal took; -1: it is not counted yet, or there was none."""
    _period_before: float = attrs.field(default=0.0, init=False)
    _began_before: float = attrs.field(default=0.0, init=False)
    """When that window began, at the latest; the guesses of its length count from there."""
    _is_one: bool = attrs.field(default=False, init=False)
    """Whether what it took is one window's: it began behind a pause, or was too short for two."""
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
        is_due = is_early and (self._since_refusal + 1) * self._taken >= _ASK_EVERY
        may_ask = is_due or not self.is_known  # one window alone says little
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
        self._is_asking |= self.is_bounded and self._sent > self._taken

    def give_back(self, number: int) -> None:
        """A request that `take` was told of is not sent after all."""
        if number == self.number:
            self._sent = max(0, self._sent - 1)
            self._is_asking = False
        elif number == self.number - 1:
            self._taken_before -= 1

    def failed(self, number: int) -> None:
        """A request that began in this window ended without a word about its number: another one may ask."""
        if number == self.number:
            self._is_asking = False

    def succeeded(self, number: int) -> None:
        """The service took a request that began in this window."""
        if self._is_asking and number == self.number:
            # It takes more than before: how many more is asked in growing steps, each after the answers to the one before.
            self.is_known = self._is_asking = False
            self._taken = self._sent + self._step
            self._step = min(2 * self._step, 1 + self._taken // _LARGEST_STEP)

    def is_beyond(self, load: int, under_way: int) -> bool:
        """Return whether a whole round was taken in this window before one was refused.

        Args:
            load: Most requests that were under way at once.
            under_way: Requests under way that may be refused as well.
        """
        return self._sent - 1 - under_way >= load

    @property
    def is_near(self) -> bool:
        """Whether about as many were sent as the service takes."""
        return self.is_bounded and self._sent >= self._taken * (1.0 - _ALIKE)

    @property
    def rate(self) -> float:
        """Requests a second that the window before this one took, its pause included; infinite where that is not known."""
        return self._taken_before / self._period_before if self._is_one and self._period_before > 0 else math.inf

    def guess(self, now: float, number: int, in_a_row: int) -> float | None:
        """Return for how long to pause where the service refuses without saying so; None: not at all.

        Args:
            now: Monotonic seconds.
            number: Window in which the refused request began.
            in_a_row: Failures in a row, this one included.
        """
        if number == self.number - 1 and now < self._ended_at:
            return self._ended_at - now
        if number != self.number:
            return None
        is_new = self._sent <= 1 and self._is_next
        if not (is_new or self.is_near or in_a_row >= _IN_A_ROW):
            self._sent = max(0, self._sent - 1)  # only what is taken counts
            return None
        began_at = self._began_before if is_new else self._known_beginning(now)
        ends_at = (began_at + seconds * (1.0 + _MARGIN) for seconds in _GUESSES)
        return next((at - now for at in ends_at if at > now), _GUESSES[-1])

    def _known_beginning(self, now: float) -> float:
        """Return when this window began; now where nobody knows, since no pause came before it, or it is over for long."""
        is_over = now - self._began_at > max(self._period if self.is_bounded else 0.0, _GUESSES[-1])
        return self._began_at if (self._is_next or self.is_bounded) and not is_over else now

    def refused(
        self, now: float, number: int, retry_after: float, load: int, under_way: int, *, is_carried: bool
    ) -> bool:
        """The service asked for a pause.

        Args:
            now: Monotonic seconds.
            number: Window in which the request began.
            retry_after: Seconds.
            load: Most requests that were under way at once, when it began or now.
            under_way: Requests under way that may be refused as well.
            is_carried: Whether the service took as many at once since the pause before.

        Returns:
            Whether the number of requests is the reason, and not the load: a whole round of as many was taken before.
        """
        ends_at = now + retry_after
        if number == self.number and self._sent <= 1 and self._is_next:
            # The first request behind a pause: the window before is not over yet.
            self._period_before = self._period = ends_at - self._began_before
            self._ended_at = ends_at
            self._begin_next()
        elif number == self.number:
            self.is_rate = is_carried and self.is_beyond(load, under_way)
            self._taken_before = self._sent - 1
            self._is_one = self._is_next or self.is_bounded or now - self._began_at < _GUESSES[0]
            # A window of a service that goes by the clock began when the one before ended, and not with our first request.
            since_end = ends_at - self._ended_at if self._is_next else 0.0
            self._period_before = max(ends_at - self._began_at, since_end, self._period if self.is_known else 0.0)
            self._ended_at, self._began_before, self._is_next = ends_at, self._known_beginning(now), True
            self._is_counted = False
            self._since_refusal, self._step = 0, 1
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
        # One that took less than half of the one before is no whole one: it began before that was over.
        is_whole = taken >= max(_FEWEST, known / 2) and self._is_one and self._period <= _LONGEST
        self.is_bounded = self.is_known or is_whole
