"""Whether the load or the number of requests is refused, and how starts are spread while nobody knows."""

from __future__ import annotations

import pytest

from picsellia_async._delivery.attempt import Attempt
from picsellia_async._delivery.circuit_breaker import CircuitBreaker
from picsellia_async._delivery.concurrency_limit import AdaptiveLimit, FixedLimit
from picsellia_async._delivery.rate_window import RateWindow
from picsellia_async._delivery.refusals import Refusals
from picsellia_async.errors import RateLimitError


def refusals(limit: AdaptiveLimit | FixedLimit) -> Refusals:
    return Refusals(limit, RateWindow(), CircuitBreaker(lambda: 0.5))


def refused(retry_after: float | None = 0.5) -> RateLimitError:
    return RateLimitError("too many", 429, "POST", "http://x", retry_after=retry_after)


def sent(judge: Refusals, at: float, in_flight: int) -> Attempt:
    judge.window.take(at)
    attempt = Attempt(0, judge.window.number, in_flight, at)
    judge.under_way.add(attempt)
    return attempt


def test_requests_without_an_answer_were_taken_if_one_sent_later_is_refused() -> None:
    """A long answer under way says as much as one that came: so a rate limit shows before a whole round has ended."""
    judge = refusals(AdaptiveLimit(initial=8))
    for number in range(16):
        attempt = sent(judge, number * 0.01, min(number + 1, 8))
        if number >= 8:
            judge.under_way.remove(min(judge.under_way, key=lambda other: other.started))
    attempt = sent(judge, 0.5, 8)
    judge.under_way.remove(attempt)
    assert judge.pause(0.51, refused(), attempt) == (0.5, True)


def test_the_first_beyond_the_load_that_was_tried_is_no_rate_limit() -> None:
    """Nothing under way was sent with as many others: the load may be the reason, and falls."""
    limit = AdaptiveLimit(initial=8)
    judge = refusals(limit)
    for number in range(8):
        attempt = sent(judge, number * 0.01, number + 1)
    judge.under_way.remove(attempt)
    assert judge.pause(0.51, refused(), attempt) == (0.5, False)
    assert limit.value < 8


def test_a_rate_limit_leaves_as_many_as_its_rate_needs() -> None:
    """Twice of what Little's law says, or half of what there was, if that is more."""
    limit = AdaptiveLimit(initial=64)
    limit.sample(0.0, 0.1, 1, refused=False)
    limit.paused(1.0, 64, is_rate=True, rate=50.0)
    assert limit.value == 32
    limit.paused(2.0, 32, is_rate=True, rate=100.0)
    assert limit.value == 21
    limit.paused(3.0, 21, is_rate=True, rate=1000.0)
    assert limit.value == 21


def test_a_refusal_without_a_pause_pauses_nobody() -> None:
    """One in a hundred is no rate limit."""
    judge = refusals(FixedLimit(4))
    attempt = sent(judge, 0.0, 1)
    judge.under_way.clear()
    assert judge.pause(0.1, refused(None), attempt) == (None, True)
    assert judge.pause(0.1, ValueError(), attempt) == (None, False)


def test_starts_are_spread_where_the_service_never_took_as_many() -> None:
    """Up to what was taken all start at once; beyond it over a round trip; a late timer makes up for no more than 10 ms."""
    limit = AdaptiveLimit(initial=4)
    for number in range(40):
        limit.sample(number * 0.1, 0.1, limit.value, refused=False)
    assert limit.value > limit.carried > 4
    judge = refusals(limit)
    assert judge.wait(10.0, limit.carried - 1) == 0.0
    assert judge.wait(10.0, limit.carried - 1) == 0.0
    step = 0.1 / (limit.value - limit.carried)
    assert judge.wait(10.0, limit.carried) == 0.0
    assert judge.wait(10.0, limit.carried + 1) == pytest.approx(max(0.0, step - 0.01))
    assert refusals(FixedLimit(8)).wait(10.0, 7) == 0.0


def test_one_alone_starts_at_once() -> None:
    """However long the round trips of an outage were: nothing else is under way that would be refused with it."""
    judge = refusals(FixedLimit(1, round_trip=30.0))
    judge.window.number = 1
    assert [judge.wait(now, 0) for now in (0.0, 0.0, 0.1)] == [0.0] * 3


def test_a_pause_of_no_length_is_no_rate() -> None:
    """`Retry-After: 0`, answered within one tick of the clock."""
    judge = refusals(FixedLimit(1))
    assert judge.pause(0.0, refused(0.0), sent(judge, 0.0, 1)) == (0.0, False)


def test_requests_that_began_in_one_tick_of_the_clock_have_an_order() -> None:
    """A clock of a millisecond, as uvloop's is, gives many requests one time: those sent before the refused one were taken all the same."""
    judge = refusals(AdaptiveLimit(initial=8))
    answered = [sent(judge, 0.0, 8) for _ in range(9)]
    judge.under_way.difference_update(answered)
    for _ in range(7):
        sent(judge, 0.0, 8)
    attempt = sent(judge, 0.0, 8)
    judge.under_way.remove(attempt)
    assert judge.pause(0.01, refused(), attempt) == (0.5, True)
