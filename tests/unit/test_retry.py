"""When a call is repeated: rules and properties of the pure functions."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._http.retry import backoff, is_repeatable, next_delay
from picsellia_async.config import RETRY_STATUSES, RetryPolicy
from picsellia_async.errors import (
    ConfigurationError,
    DecodeError,
    RequestTimeoutError,
    TransportError,
    status_error_class,
)

POLICY = RetryPolicy()


def refused(status: int, retry_after: float | None = None):
    return status_error_class(status)("no", status, "POST", "https://h/p", None, b"", 1, retry_after)


def lost(*, sent: bool, cls=TransportError):
    return cls("gone", "POST", "https://h/p", 1, sent)


policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 50),
    total=st.none() | st.floats(0, 1000),
    backoff_initial=st.floats(0, 100),
    backoff_max=st.floats(0, 100),
    jitter=st.floats(0, 1),
    retry_after_max=st.floats(0, 1000),
)
failures = st.one_of(
    st.builds(refused, st.sampled_from([400, 401, 404, 408, 429, 500, 503, 524]), st.none() | st.floats(0, 2000)),
    st.builds(lost, sent=st.booleans(), cls=st.sampled_from([TransportError, RequestTimeoutError])),
)


@given(policies, failures, st.booleans(), st.integers(1, 100), st.floats(0, 2000), st.floats(0, 0.999))
def test_a_delay_keeps_all_limits(policy, failure, idempotent, attempt, elapsed, random):
    """Never negative, never above the caps, never past the deadline, never after the last attempt."""
    delay = next_delay(
        policy, failure=failure, idempotent=idempotent, attempt=attempt, elapsed=elapsed, random=lambda: random
    )
    if delay is None:
        return
    asked = getattr(failure, "retry_after", None)
    assert attempt < policy.attempts
    assert policy.total is None or elapsed + delay <= policy.total
    if asked is None:
        assert 0 <= delay <= policy.backoff_max
    else:
        assert asked <= delay <= asked + 1
        assert asked <= policy.retry_after_max


@given(policies, st.integers(1, 10_000))
def test_backoff_never_shrinks_and_never_overflows(policy, attempt):
    """Without jitter each wait is at least the one before, up to the cap."""
    waits = [backoff(policy, n, lambda: 0.0) for n in (attempt, attempt + 1)]
    assert waits[0] <= waits[1] <= policy.backoff_max


@pytest.mark.parametrize("status", sorted(RETRY_STATUSES))
@pytest.mark.parametrize("idempotent", [True, False])
def test_an_answer_for_now_is_repeated(status, idempotent):
    """The service's own word that the call failed allows a repeat, whatever the call."""
    assert is_repeatable(POLICY, refused(status), idempotent=idempotent)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422, 423, 501, 505, 525])
def test_an_answer_for_good_is_not_repeated(status):
    """What the service will refuse again is not asked again."""
    assert not is_repeatable(POLICY, refused(status), idempotent=True)


@pytest.mark.parametrize("cls", [TransportError, RequestTimeoutError])
def test_a_lost_answer_is_repeated_only_where_that_is_harmless(cls):
    """After the whole request was sent, only an idempotent call is repeated; before, every call is."""
    assert is_repeatable(POLICY, lost(sent=True, cls=cls), idempotent=True)
    assert not is_repeatable(POLICY, lost(sent=True, cls=cls), idempotent=False)
    assert is_repeatable(POLICY, lost(sent=False, cls=cls), idempotent=False)


def test_a_wrong_certificate_is_not_asked_again():
    """A certificate that cannot be verified now cannot be verified in a second either."""
    failure = lost(sent=False)
    failure.__cause__ = OSError("connect failed")
    failure.__cause__.__cause__ = ssl.SSLCertVerificationError("self-signed")
    assert not is_repeatable(POLICY, failure, idempotent=True)


def test_other_errors_are_not_repeated():
    """An unreadable answer or a bad argument gets no second attempt."""
    assert not is_repeatable(POLICY, DecodeError("no JSON"), idempotent=True)
    assert not is_repeatable(POLICY, ConfigurationError("no"), idempotent=True)


def test_retry_after_beyond_the_cap_gives_up():
    """A service that asks for more patience than the caller has gets no further attempt."""
    policy = RetryPolicy(retry_after_max=10)
    arguments = {"idempotent": True, "attempt": 1, "elapsed": 0.0, "random": lambda: 0.0}
    assert next_delay(policy, failure=refused(429, 10.5), **arguments) is None
    assert next_delay(policy, failure=refused(429, 9.5), **arguments) == 9.5


def test_no_retry_means_one_attempt():
    """`RetryPolicy.none()` never repeats."""
    assert next_delay(
        RetryPolicy.none(), failure=refused(503), idempotent=True, attempt=1, elapsed=0.0, random=lambda: 0.0
    ) is None  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [{"attempts": 0}, {"attempts": 1.5}, {"attempts": True}, {"total": -1}, {"total": float("nan")}, {"jitter": 1.1},
     {"jitter": "x"}, {"backoff_max": float("inf")}, {"backoff_initial": None}, {"retry_after_max": -0.1}],
)  # fmt: skip
def test_a_policy_refuses_what_makes_no_sense(arguments):
    """Each limit names itself and the value it cannot use."""
    with pytest.raises(ConfigurationError, match=next(iter(arguments))):
        RetryPolicy(**arguments)


def closed_port():
    failure = lost(sent=False)
    failure.__cause__ = OSError("cannot connect")
    failure.__cause__.__cause__ = ConnectionRefusedError(111, "refused")
    return failure


def test_refused_connections_are_repeated_until_the_time_is_up():
    """A service that is started again for 10 s, or for 100, is survived: only `total` ends it, and no pause exceeds 5 s."""
    elapsed = 0.0
    for attempt in range(1, 1000):
        delay = next_delay(
            POLICY, failure=closed_port(), idempotent=False, attempt=attempt, refused=attempt, elapsed=elapsed,
            random=lambda: 0.0,
        )  # fmt: skip
        if delay is None:
            break
        assert delay <= 5.0
        elapsed += delay
    assert POLICY.total - 5.0 < elapsed <= POLICY.total


def test_refused_connections_do_not_count_among_the_attempts():
    """What fails after the service is back has all its attempts."""
    arguments = {"idempotent": True, "elapsed": 30.0, "random": lambda: 0.0}
    assert next_delay(POLICY, failure=refused(503), attempt=14, refused=10, **arguments) is not None
    assert next_delay(POLICY, failure=refused(503), attempt=15, refused=10, **arguments) is None


@pytest.mark.parametrize("policy", [RetryPolicy.none(), RetryPolicy(attempts=3, total=None)])
def test_refused_connections_count_where_no_time_ends_them(policy):
    """A policy of one attempt makes one, and one without a total time ends after its attempts."""
    assert next_delay(
        policy, failure=closed_port(), idempotent=True, attempt=policy.attempts, refused=policy.attempts, elapsed=0.0,
        random=lambda: 0.0,
    ) is None  # fmt: skip
