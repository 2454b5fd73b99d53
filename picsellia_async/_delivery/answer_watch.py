"""`AnswerWatch`: notices that requests are under way and none is answered, long before the first of them times out.

It has one timer, and only while requests are under way. A frame costs it nothing but that the time of its answer is noted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from picsellia_async._delivery.concurrency_limit import Limit
from picsellia_async._delivery.reporter import Reporter

SILENT_SECONDS: Final = 15.0
"""How long requests may be under way without an answer to any of them before the host counts as down."""
_SUSPECTED_SECONDS: Final = 5.0
"""How long one may be under way where the service was in trouble before, and has said nothing at all for `SILENT_SECONDS`."""
_CLOSING_SECONDS: Final = 2.0
"""Or where the uploader closes meanwhile: what then keeps frames from being delivered is told."""
_ROUND_TRIPS: Final = 4.0
"""Or so many usual round trips, where that is longer: large pictures on a slow way, or a service with a queue."""


class AnswerWatch:
    """Watches the requests of one sender."""

    def __init__(self, in_flight: Callable[[], int], limit: Limit, reporter: Reporter) -> None:
        """Store the parts; it begins with the first request.

        Args:
            in_flight: Returns how many requests are under way.
            limit: Knows the usual round trip.
            reporter: Is told of a host that does not answer.
        """
        self.is_silent = False
        """Whether requests were under way for too long without an answer, and there has been none since; a plain attribute."""
        self._in_flight = in_flight
        self._limit = limit
        self._reporter = reporter
        self._busy_since = 0.0
        self._answered_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """A request begins where none was under way."""
        self._loop = loop
        self._busy_since = self._reporter.heard_at = loop.time()
        if self._timer is None:  # else the one of the last requests looks again
            self._look_at(loop, self._due_at)

    def answered(self, now: float) -> None:
        """The service answered a request: that it has the frame, or that it refuses this one."""
        self._answered_at = self._reporter.heard_at = now
        self.is_silent = False

    def failed(self, now: float, *, ends_silence: bool) -> None:
        """The service answered a request with an error of its own.

        Args:
            now: On the loop's clock.
            ends_silence: Whether a silence that was told is over: the service knows what it says, as where it refuses the account.
        """
        self._answered_at = self._reporter.heard_at = now
        self.is_silent = self.is_silent and not ends_silence

    def stop(self) -> None:
        """The sender stops. Requests that have waited longer than usual for an answer are told now: nobody looks again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        silent = self.silent_for()
        if silent and self._reporter.is_well:
            self.is_silent = True
            self._reporter.silent(silent, self._in_flight(), silent, is_end=True)

    def silent_for(self) -> float:
        """Return for how many seconds the requests under way have had no answer; 0.0 where that is no longer than usual."""
        if self._loop is None:
            return 0.0
        silent = self._loop.time() - self._reporter.heard_at
        is_long = silent >= max(_CLOSING_SECONDS, _ROUND_TRIPS * self._limit.round_trip)
        return silent if is_long and self._in_flight() else 0.0

    @property
    def _patience(self) -> float:
        return max(SILENT_SECONDS, _ROUND_TRIPS * self._limit.round_trip)

    def _look_at(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        self._timer = loop.call_at(when, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        in_flight = self._in_flight()
        if not in_flight:
            return
        now, due_at = loop.time(), self._due_at
        if now < due_at - 0.001:  # the loop's timers may fire a clock tick early, and sums of times are not exact
            self._look_at(loop, due_at)
            return
        if not self.is_silent:
            self.is_silent = True
            silent = now - self._reporter.heard_at
            self._reporter.silent(silent, in_flight, silent if self._reporter.is_well else now - self._answered_at)
        self._look_at(loop, now + self._patience)

    @property
    def _due_at(self) -> float:
        """When it is told that nothing is answered."""
        patience, usual = self._patience, _ROUND_TRIPS * self._limit.round_trip
        if self._reporter.is_well:
            return self._reporter.heard_at + patience
        # In trouble one request at a time is tried, after a pause: the silence began before that.
        return max(self._busy_since + max(_SUSPECTED_SECONDS, usual), self._answered_at + patience)
