"""Where a frame stands, and what an attempt's end makes of it. Pure.

```
Queued ──next()──> InFlight ──next(Answered)──> Delivered
  ^                   │ ├─────next(Failed)────> Delivered (409 to a repeat) | Rejected | Waiting
  │                   │ ├─────next(Found)─────> Delivered
  │                   │ └─────next(Interrupted)> Queued
  └─────next()──── Waiting (until a time)
Queued, Waiting ──dropped()──> Dropped      ──spooled()──> Spooled
```

States and results are values: nobody changes one. They are not frozen, since one of each is made for every attempt, and freezing
triples the price. The ends are the public outcomes. All judgement about what is repeated is here (`judge`): everything that may be otherwise next
time is repeated for as long as the uploader runs, unless `Rules` bound it; what concerns this frame alone is rejected.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Final

import attrs

from picsellia_async._delivery.circuit_breaker import Signal
from picsellia_async._delivery.outcomes import Delivered, Dropped, DropReason, Rejected, Spooled
from picsellia_async._http.retry import backoff, is_repeatable
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import (
    ClosedError,
    ConflictError,
    DecodeError,
    RateLimitError,
    StatusError,
    TransportError,
)
from picsellia_async.frames import Frame

_ACCOUNT_STATUSES: Final = frozenset({401, 402, 403, 404})
"""Answers about the account or the deployment: the next frame would get the same one."""
_NOT_STORED: Final = frozenset({408, 425, 429, 503})
"""Answers to be repeated after which the service cannot have stored the frame. After a 500 or 502 it may have."""


@attrs.define
class Answered:
    """The service stored the frame."""

    receipt: dict[str, Any]
    """Its answer."""


@attrs.define
class Failed:
    """The attempt raised."""

    error: BaseException
    """What."""


@attrs.define
class Found:
    """An earlier attempt did store the frame, as looking it up showed."""


@attrs.define
class Interrupted:
    """The attempt was cancelled; the service may have the frame."""


class Verdict(enum.Enum):
    """What to do after a failure."""

    DELIVERED = enum.auto()
    """It is there."""
    REPEAT = enum.auto()
    """Later it may go well."""
    HOLD = enum.auto()
    """It will not go well before somebody mends the account; a spool can wait for that."""
    REJECT = enum.auto()
    """It will never go well."""


@attrs.frozen
class Rules:
    """Bounds of repetition."""

    policy: RetryPolicy = attrs.field(factory=RetryPolicy)
    """Waits between attempts, and the statuses that are repeated."""
    max_attempts: int | None = None
    """Attempts of one frame; None: no bound."""
    max_age: float | None = None
    """Seconds from acceptance after which no further attempt begins; None: no bound."""
    holds: bool = False
    """Whether frames wait while the account is refused, as they can with a spool."""


def judge(error: BaseException, policy: RetryPolicy, *, may_be_stored: bool) -> Verdict:
    """Decide what a failure means for the frame.

    Args:
        error: What the attempt raised.
        policy: Its statuses are those that are repeated.
        may_be_stored: Whether an answer to an earlier attempt was lost.
    """
    # An unreadable answer (DecodeError) came with the status that means "stored"; only its text is lost.
    if isinstance(error, DecodeError) or (isinstance(error, ConflictError) and may_be_stored):
        return Verdict.DELIVERED
    if isinstance(error, ClosedError) or (isinstance(error, StatusError) and error.status in _ACCOUNT_STATUSES):
        return Verdict.HOLD
    if isinstance(error, StatusError):
        return Verdict.REPEAT if error.status in policy.statuses else Verdict.REJECT
    if isinstance(error, TransportError):
        return Verdict.REPEAT if is_repeatable(policy, error, idempotent=True) else Verdict.HOLD
    return Verdict.REJECT


def signal_of(error: BaseException, policy: RetryPolicy) -> Signal:
    """Return what a failure says about the service."""
    if isinstance(error, RateLimitError) or (isinstance(error, StatusError) and error.status == 503):
        return Signal.BUSY
    verdict = judge(error, policy, may_be_stored=False)
    if verdict is Verdict.HOLD:
        return Signal.REFUSES
    return Signal.DOWN if verdict is Verdict.REPEAT else Signal.WELL


def may_have_stored(error: BaseException) -> bool:
    """Return whether the service may have stored the frame although the attempt failed this way."""
    if isinstance(error, StatusError):
        return error.status >= 500 and error.status not in _NOT_STORED
    return isinstance(error, TransportError) and error.request_sent


@attrs.define
class Queued:
    """Waiting for its turn."""

    attempts: int = 0
    """Attempts made."""
    may_be_stored: bool = False
    """Whether an answer to one of them was lost."""
    error: BaseException | None = None
    """What the last one ended in."""

    def next(self) -> InFlight:
        """Its turn has come."""
        return InFlight(self.attempts + 1, self.may_be_stored, self.error)

    def dropped(self, frame: Frame, reason: DropReason) -> Dropped:
        """It is given up."""
        return Dropped(frame, reason, self.error, self.may_be_stored)

    def spooled(self, frame: Frame) -> Spooled:
        """It stays on disk."""
        return Spooled(frame.id, frame, self.error)


FRESH: Final = Queued()
"""Queued for the first time."""


@attrs.define
class Waiting(Queued):
    """To be repeated, but not before a time."""

    until: float = 0.0
    """Monotonic seconds."""

    def due(self) -> Queued:
        """The time has come."""
        return Queued(self.attempts, self.may_be_stored, self.error)


@attrs.define
class InFlight:
    """A request is under way."""

    attempt: int
    """Its number; 1 is the first."""
    may_be_stored: bool = False
    """Whether an answer to an earlier one was lost."""
    error: BaseException | None = None
    """What the last one ended in."""

    def next(
        self,
        frame: Frame,
        result: Answered | Failed | Found | Interrupted,
        rules: Rules,
        *,
        now: float,
        accepted_at: float,
        random: Callable[[], float],
    ) -> Delivered | Rejected | Waiting | Queued:
        """The attempt ended.

        Args:
            frame: The frame.
            result: How it ended.
            rules: Bounds of repetition.
            now: Monotonic seconds.
            accepted_at: When the frame was accepted, on the same clock.
            random: Returns a number in [0, 1); for the wait.
        """
        age = now - accepted_at
        if isinstance(result, Answered):
            return Delivered(frame, result.receipt, self.attempt, seconds=age)
        if isinstance(result, Found):
            return Delivered(frame, {}, self.attempt, is_duplicate=True, seconds=age)
        if isinstance(result, Interrupted):
            return Queued(self.attempt, may_be_stored=True, error=self.error)
        return self._after(frame, result.error, rules, now, age, random)

    def _after(
        self, frame: Frame, error: BaseException, rules: Rules, now: float, age: float, random: Callable[[], float]
    ) -> Delivered | Rejected | Waiting:
        verdict = judge(error, rules.policy, may_be_stored=self.may_be_stored)
        if verdict is Verdict.DELIVERED:
            is_duplicate = isinstance(error, ConflictError)
            told = None if is_duplicate else error
            return Delivered(frame, {}, self.attempt, is_duplicate=is_duplicate, seconds=age, error=told)
        is_last = rules.max_attempts is not None and self.attempt >= rules.max_attempts
        is_old = rules.max_age is not None and age >= rules.max_age
        stored = self.may_be_stored or may_have_stored(error)
        repeats = verdict is Verdict.REPEAT or (verdict is Verdict.HOLD and rules.holds)
        if not repeats or is_last or is_old:
            return Rejected(frame, error, self.attempt, may_be_stored=stored)
        wait = backoff(rules.policy, self.attempt, random)
        return Waiting(self.attempt, stored, error, until=now + wait)


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the service asked to wait, or None."""
    return error.retry_after if isinstance(error, StatusError) else None
