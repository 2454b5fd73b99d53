"""When to attempt again, and after how long: pure functions. The one retry loop is in `_http/service.py`.

The rules, in order:

* A failure after which the service cannot have the whole request (no connection, reset while sending) is repeated.
* A refused connection costs nothing and tells that the host is up and the service is not: it is being started again, most
  likely. It does not count among `RetryPolicy.attempts` and is repeated as long as `RetryPolicy.total` allows.
* An answer that says "failed for now" (`RetryPolicy.statuses`) is repeated, whatever the call: it is the service's own word that
  the call was not carried out.
* A lost answer (reset or timeout after the whole request was sent) is repeated only where the endpoint is idempotent: the
  service may have carried it out, and a second time would store a second prediction.
* A certificate that cannot be verified, a peer that does not speak TLS, and everything else, is not repeated.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.errors import PicselliaError, StatusError, TransportError

REFUSED_PAUSE_SECONDS: Final = 5.0
"""Longest wait after a refused connection: the service may be back at any moment, and asking costs it nothing."""


ATTEMPT_SECONDS_MIN: Final = 0.001
"""Least limit of an attempt."""

_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST"})
"""OpenSSL's words for a peer whose first bytes are no TLS."""


def is_repeatable(policy: RetryPolicy, failure: PicselliaError, *, idempotent: bool) -> bool:
    """Return whether the rules allow another attempt after this failure, number and time left aside."""
    if isinstance(failure, StatusError):
        return failure.status in policy.statuses
    if isinstance(failure, TransportError):
        if _has_cause(failure, ssl.SSLCertVerificationError) or speaks_no_tls(failure):
            return False
        return idempotent or not failure.request_sent
    return False


def speaks_no_tls(failure: BaseException) -> bool:
    """Tell whether the peer answered a TLS handshake with something else: plain HTTP, most likely."""
    return any(isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS for cause in _causes(failure))


def is_refused(failure: PicselliaError) -> bool:
    """Tell whether the host answered that nobody listens at this port."""
    return isinstance(failure, TransportError) and _has_cause(failure, ConnectionRefusedError)


def backoff(policy: RetryPolicy, attempt: int, random: Callable[[], float]) -> float:
    """Return the seconds to wait after the given attempt (1 is the first), where the service asked for no time of its own.

    Args:
        policy: Gives the first wait, the longest one and the share that is random.
        attempt: Number of the attempt that failed.
        random: Returns a number in [0, 1).
    """
    # Beyond 2 ** 62 the power alone would overflow a float some day; the cap is reached long before.
    wait = min(policy.backoff_max, policy.backoff_initial * 2.0 ** min(attempt - 1, 62))
    return wait * (1 - policy.jitter * random())


def next_delay(
    policy: RetryPolicy,
    *,
    failure: PicselliaError,
    idempotent: bool,
    attempt: int,
    refused: int = 0,
    elapsed: float,
    random: Callable[[], float],
) -> float | None:
    """Return the seconds to wait before the next attempt, or None to give up.

    Args:
        policy: Limits.
        failure: What the last attempt ended in.
        idempotent: Whether carrying the call out twice is harmless.
        attempt: Number of the attempt that failed; the first is 1.
        refused: How many attempts so far met a refused connection, this one included.
        elapsed: Seconds since the first attempt began.
        random: Returns a number in [0, 1).

    Returns:
        Seconds, never negative. A Retry-After of the service wins over the policy's own wait (a little is added, never
        taken off, so that waiting callers do not return at one instant); one above `retry_after_max` gives None, and so
        does a wait that ends after `total`.
    """
    if not is_repeatable(policy, failure, idempotent=idempotent):
        return None
    # Without an end in time, or where no call may be attempted twice, a refused connection counts like anything else.
    counts = policy.attempts == 1 or policy.total is None
    if (counts or not is_refused(failure)) and attempt - (0 if counts else refused) >= policy.attempts:
        return None
    delay = backoff(policy, attempt, random)
    if is_refused(failure):
        delay = min(delay, REFUSED_PAUSE_SECONDS)
    asked = failure.retry_after if isinstance(failure, StatusError) else None
    if asked is not None:
        if asked > policy.retry_after_max:
            return None
        delay = asked + random() * policy.jitter * min(asked, 1.0)
    if policy.total is not None and elapsed + delay > policy.total:
        return None
    return delay


def within(timeouts: Timeouts, left: float | None) -> Timeouts:
    """Return the limits of an attempt when so many seconds of the call are left; None for no end."""
    if left is None or (timeouts.attempt is not None and timeouts.attempt <= left):
        return timeouts
    return attrs.evolve(timeouts, attempt=max(left, ATTEMPT_SECONDS_MIN))


def left_of(timeouts: Timeouts, started: float) -> Timeouts:
    """Return the limits of a further step of an attempt, behind a redirect: it has what is left of the attempt's seconds.

    Args:
        timeouts: Of the attempt.
        started: When it began, by `time.monotonic`.
    """
    limit = timeouts.attempt
    return timeouts if limit is None else within(timeouts, limit - (time.monotonic() - started))


def _has_cause(failure: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in _causes(failure))


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    cause: BaseException | None = failure
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
