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
triples the price. The ends are the public outcomes. All judgement about what is repeated is here (`judge`): everything that may be
otherwise next time is repeated for as long as the uploader runs, unless `Rules` bound it. A frame is
rejected when the service refuses this very frame, or when a bound of `Rules` is reached; without a spool also when the account
stays refused. On disk nothing else is final, since no later run sends what was rejected.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs

from picsellia_async._delivery.circuit_breaker import CLOSING_PAUSE, Signal
from picsellia_async._delivery.outcomes import Delivered, Dropped, DropReason, Rejected, Spooled
from picsellia_async._http.retry import backoff, is_repeatable
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import (
    ClosedError,
    ConflictError,
    ConnectionConfigurationError,
    DecodeError,
    HostNotConfiguredError,
    PicselliaError,
    RateLimitError,
    StatusError,
    TransportError,
)
from picsellia_async.frames import Frame

_REFUSAL_STATUSES: Final = frozenset({401, 402, 403, 404})
"""Answers about the account, the deployment, or the frame: `AccountEvidence` tells which."""
_OF_THE_CLIENT: Final = (ClosedError, ConnectionConfigurationError, HostNotConfiguredError)
"""No frame can be sent before somebody mends the client, its environment or the deployment."""
_STORED: Final = 201
"""The answer that means that the frame is stored, whatever becomes of its body."""
_LOOK_BYTES: Final = 1024
_BEFORE_HTML: Final = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n\f"
"""Bytes before a page: byte order marks, and blanks."""
_NETWORK_ASKS: Final = 511
"""The answer of a network that wants a sign-in (RFC 6585)."""
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
    """What went wrong."""


@attrs.define
class Found:
    """An earlier attempt did store the frame, as looking it up showed."""


@attrs.define
class Interrupted:
    """The attempt was cancelled."""

    request_sent: bool = True
    """Whether the service may have the whole request; so it is also where nobody knows."""


INTERRUPTED: Final = Interrupted()
Result: TypeAlias = Answered | Failed | Found | Interrupted
"""How an attempt ended."""


def ended_in(error: BaseException) -> Failed | Interrupted:
    """Return how an attempt ended that raised this. A cancellation says whether the request was sent, where the transport knows."""
    return Failed(error) if isinstance(error, Exception) else Interrupted(getattr(error, "request_sent", True))


class Verdict(enum.Enum):
    """What to do after a failure."""

    DELIVERED = enum.auto()
    """It is there."""
    REPEAT = enum.auto()
    """Later it may go well."""
    REFUSED = enum.auto()
    """The account or the frame is refused: what happens to others tells which."""
    HOLD = enum.auto()
    """It will not go well before somebody mends the client (closed, a proxy or certificate that cannot be used); a spool can wait for that."""
    OURS = enum.auto()
    """The error is none of the library's and says nothing about the frame: no memory, an interpreter that ends, a bug."""
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
    has_spool: bool = False
    """Whether the next run has what this one does not deliver; frames wait while the account is refused then."""
    keeps_order: bool = False
    """Whether a frame that fails keeps others waiting; then it gives way after `ATTEMPTS_IN_ORDER`."""
    ends_at: float = math.inf
    """When closing ends, on the clock of `now`; infinity before it begins."""
    waits_for_account: bool = False
    """Whether frames wait while the account is refused without a spool too: the refusal is not final."""

    @property
    def holds(self) -> bool:
        """Whether frames wait while the account is refused."""
        return self.has_spool or self.waits_for_account

    def pause(self, attempt: int, now: float, random: Callable[[], float]) -> float:
        """Return for how long a frame waits after an attempt that failed.

        Closing makes the waits short. Where attempts are bounded it spreads those that are left over its time: the last one is
        `LAST_ATTEMPT_SECONDS` before its end.

        Args:
            attempt: Number of the attempt; 1 is the first.
            now: Monotonic seconds.
            random: Returns a number in [0, 1).
        """
        wait = backoff(self.policy, attempt, random)
        if self.ends_at == math.inf:
            return wait
        if self.max_attempts is None:
            return min(wait, CLOSING_PAUSE * (1 - self.policy.jitter * random()))
        left = self._left(attempt)
        return min(wait, max(CLOSING_PAUSE, (self._last_at - now) / left)) if left > 0 else wait

    def due_at_closing(self, attempts: int, until: float, now: float) -> float:
        """Return until when a frame waits now that closing begins: it is tried at once, unless that would be the last time.

        Args:
            attempts: Attempts made.
            until: When it was to be tried.
            now: Monotonic seconds.
        """
        left = self._left(attempts)
        return now if left > 1 else min(until, self._last_at) if left > 0 else until

    def _left(self, attempts: int) -> float:
        """Return the attempts that closing may make. A spool keeps the last one for the next run: short waits reject no frame."""
        return math.inf if self.max_attempts is None else self.max_attempts - attempts - self.has_spool

    @property
    def _last_at(self) -> float:
        return self.ends_at - LAST_ATTEMPT_SECONDS


LAST_ATTEMPT_SECONDS: Final = 1.0
"""How long before the end of closing the last of a bounded number of attempts is made."""
ATTEMPTS_IN_ORDER: Final = 10
"""Failed attempts after which a frame that keeps others of its source waiting is rejected, if others were delivered between the last
two. In an outage nobody is, and so it ends no frame."""
ATTEMPTS_ALONE: Final = 3
"""Refusals (401 to 404) after which a frame is rejected where there is neither a spool to keep it nor another to compare it with."""


def judge(error: BaseException, policy: RetryPolicy, *, may_be_stored: bool, is_repeat: bool = False) -> Verdict:  # noqa: PLR0911
    """Decide what a failure means for the frame.

    Args:
        error: What the attempt raised.
        policy: Its statuses are those that are repeated.
        may_be_stored: Whether an answer to an earlier attempt was lost.
        is_repeat: Whether there was an earlier attempt.
    """
    if isinstance(error, (StatusError, DecodeError)) and not error.request_sent:
        return _judge_before(error, policy)
    # An unreadable answer with the status that means "stored": only its text is lost.
    if (isinstance(error, DecodeError) and error.status == _STORED) or (
        isinstance(error, ConflictError) and (may_be_stored or is_repeat)
    ):
        return Verdict.DELIVERED
    if isinstance(error, _OF_THE_CLIENT):
        return Verdict.HOLD
    if isinstance(error, StatusError):
        if error.status in _REFUSAL_STATUSES:
            return Verdict.REFUSED
        is_repeated = error.status in policy.statuses or _is_of_the_network(error)
        return Verdict.REPEAT if is_repeated else Verdict.REJECT
    if isinstance(error, TransportError):
        if error.status == _STORED:
            return Verdict.DELIVERED
        if 200 <= error.status < 300:
            return Verdict.REJECT  # as with its body
        return Verdict.REPEAT if is_repeatable(policy, error, idempotent=True) else Verdict.HOLD
    return Verdict.REJECT if isinstance(error, PicselliaError) else Verdict.OURS


def _judge_before(error: StatusError | DecodeError, policy: RetryPolicy) -> Verdict:
    """Decide what the answer to a sign-in, or to what else a frame needs first, means for the frame that was not sent. No word in it is about that frame."""
    is_refusal = (
        isinstance(error, StatusError) and error.status not in policy.statuses and not _is_of_the_network(error)
    )
    return Verdict.REFUSED if is_refusal else Verdict.REPEAT


def _is_of_the_network(error: StatusError) -> bool:
    """Return whether something on the way answered in place of the service, with a page to sign in at: it says nothing about the frame."""
    if 300 <= error.status < 400 or error.status == _NETWORK_ASKS:
        return True
    # Of UTF-16 and the marks of an encoding, `<` is the first that is left.
    return 200 <= error.status < 300 and error.body[:_LOOK_BYTES].lstrip(_BEFORE_HTML).startswith(b"<")


def signal_of(error: BaseException, verdict: Verdict, *, account_is_refused: bool) -> Signal:
    """Return what a failure says about the service.

    Args:
        error: What the attempt raised.
        verdict: What `judge` made of it.
        account_is_refused: What `AccountEvidence` made of it.
    """
    if isinstance(error, RateLimitError) or (isinstance(error, StatusError) and error.status == 503):
        return Signal.BUSY
    if verdict is Verdict.HOLD or (verdict is Verdict.REFUSED and account_is_refused):
        return Signal.REFUSES
    return Signal.DOWN if verdict is Verdict.REPEAT else Signal.WELL


def may_have_stored(error: BaseException) -> bool:
    """Return whether the service may have stored the frame although the attempt failed this way."""
    if not isinstance(error, (StatusError, DecodeError, TransportError)) or not error.request_sent:
        return False
    if not isinstance(error, StatusError):
        return True
    if _is_of_the_network(error):
        return False
    return (error.status >= 500 and error.status not in _NOT_STORED) or 200 <= error.status < 300


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
        return FIRST if self is FRESH else InFlight(self.attempts + 1, self.may_be_stored, self.error)

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

    @property
    def attempts(self) -> int:
        """Attempts made, this one included."""
        return self.attempt

    def next(
        self,
        frame: Frame,
        result: Result,
        rules: Rules,
        *,
        now: float,
        accepted_at: float,
        random: Callable[[], float],
        others_delivered: bool = False,
    ) -> Delivered | Rejected | Waiting | Queued:
        """The attempt ended.

        Args:
            frame: The frame.
            result: How it ended.
            rules: Bounds of repetition.
            now: Monotonic seconds.
            accepted_at: When the frame was accepted, on the same clock.
            random: Returns a number in [0, 1); for the wait.
            others_delivered: Whether other frames were delivered since this one failed before.
        """
        age = now - accepted_at
        if isinstance(result, Answered):
            return Delivered(frame, result.receipt, self.attempt, seconds=age)
        if isinstance(result, Found):
            return Delivered(frame, {}, self.attempt, is_duplicate=True, seconds=age)
        if isinstance(result, Interrupted):
            return Queued(self.attempt, self.may_be_stored or result.request_sent, self.error)
        return self._after(frame, result.error, rules, now, age, random, others_delivered)

    def _after(
        self,
        frame: Frame,
        error: BaseException,
        rules: Rules,
        now: float,
        age: float,
        random: Callable[[], float],
        others_delivered: bool,
    ) -> Delivered | Rejected | Waiting:
        verdict = judge(error, rules.policy, may_be_stored=self.may_be_stored, is_repeat=self.attempt > 1)
        if verdict is Verdict.DELIVERED:
            is_duplicate = isinstance(error, ConflictError)
            told = None if is_duplicate else error
            return Delivered(frame, {}, self.attempt, is_duplicate=is_duplicate, seconds=age, error=told)
        is_last = rules.max_attempts is not None and self.attempt >= rules.max_attempts
        is_old = rules.max_age is not None and age >= rules.max_age
        stored = self.may_be_stored or may_have_stored(error)
        if is_last or is_old or not self._is_repeated(verdict, rules, others_delivered):
            return Rejected(frame, error, self.attempt, may_be_stored=stored)
        return Waiting(self.attempt, stored, error, until=now + rules.pause(self.attempt, now, random))

    def _is_repeated(self, verdict: Verdict, rules: Rules, others_delivered: bool) -> bool:
        if verdict is Verdict.REJECT:
            return False
        if verdict is Verdict.REFUSED:
            return not others_delivered and (rules.holds or self.attempt < ATTEMPTS_ALONE)
        if rules.keeps_order and others_delivered and self.attempt >= ATTEMPTS_IN_ORDER:
            return False
        return verdict is Verdict.REPEAT or rules.holds


FIRST: Final = InFlight(1)
"""A frame's first attempt is under way."""


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the service asked to wait, or None."""
    return error.retry_after if isinstance(error, StatusError) else None
