"""The shared circuit breaker: pauses that the service asked for, outages, probes."""

from __future__ import annotations

import math
import random

import pytest

from picsellia_async._delivery.circuit_breaker import RETRY_AFTER_MAX, CircuitBreaker, Signal


def make_breaker(**settings: float) -> CircuitBreaker:
    return CircuitBreaker(lambda: 0.0, **settings)


def outage(breaker: CircuitBreaker, now: float, times: int = 5) -> None:
    for _ in range(times):
        breaker.failed(now, breaker.epoch, Signal.DOWN, None)


def test_closed_until_something_happens() -> None:
    """A circuit that nothing happened to is closed: everybody sends."""
    breaker = make_breaker()
    assert breaker.admit(0.0) == 0.0
    breaker.succeeded(breaker.epoch, 32)
    assert breaker.is_closed


def test_retry_after_holds_everybody_back() -> None:
    """Nobody is admitted before the time that the service asked for, then one probe, then more with each success."""
    breaker = make_breaker()
    old = breaker.epoch
    breaker.failed(10.0, old, Signal.BUSY, 2.0)
    assert breaker.admit(10.0) == 2.0
    assert breaker.admit(11.999) > 0
    assert breaker.admit(12.0) == 0.0
    assert breaker.admit(12.0) == math.inf
    breaker.succeeded(old, 8)
    assert breaker.admit(12.0) == math.inf, "an answer to an older request lets nobody in"
    admitted = 0
    in_flight = 1
    for _ in range(6):
        breaker.succeeded(breaker.epoch, 8)
        in_flight -= 1
        while not breaker.is_closed and breaker.admit(12.5) == 0.0:
            in_flight += 1
            admitted += 1
    assert not breaker.is_closed
    assert in_flight == 7
    breaker.succeeded(breaker.epoch, 8)
    assert breaker.is_closed


def test_the_longest_retry_after_wins() -> None:
    """Of several answers to requests in flight the longest pause holds, whatever their order; a huge one is capped."""
    breaker = make_breaker()
    epoch = breaker.epoch
    breaker.failed(0.0, epoch, Signal.BUSY, 5.0)
    breaker.failed(1.0, epoch, Signal.BUSY, 1.0)
    assert breaker.until == 5.0
    breaker.failed(1.0, epoch, Signal.BUSY, 10.0)
    assert breaker.until == 11.0
    breaker.failed(1.0, epoch, Signal.BUSY, 1e9)
    assert breaker.until == 1.0 + RETRY_AFTER_MAX


def test_single_failures_change_nothing() -> None:
    """Failures between successes are no outage."""
    breaker = make_breaker()
    for _ in range(50):
        outage(breaker, 0.0, times=4)
        breaker.succeeded(breaker.epoch, 32)
    assert breaker.is_closed


def test_an_outage_is_probed_with_growing_pauses() -> None:
    """Five failures in a row open the circuit; each failed probe doubles the pause up to the longest."""
    breaker = make_breaker(pause_initial=1.0, pause_max=5.0)
    now = 0.0
    outage(breaker, now)
    pauses = []
    for _ in range(4):
        pauses.append(breaker.admit(now))
        now = breaker.until
        assert breaker.admit(now) == 0.0
        assert breaker.admit(now) == math.inf
        breaker.failed(now, breaker.epoch, Signal.DOWN, None)
    assert pauses == [1.0, 2.0, 4.0, 5.0]


def test_a_refused_account_is_probed_less_often() -> None:
    """No waiting of seconds mends it."""
    breaker = make_breaker()
    now, pauses = 0.0, []
    for _ in range(8):
        breaker.failed(now, breaker.epoch, Signal.REFUSES, None)
        pauses.append(breaker.until - now)
        now = breaker.until
        assert breaker.admit(now) == 0.0
    assert pauses == [0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


def test_an_outage_is_probed_less_often_after_a_minute() -> None:
    """A service that is well for seconds only is met; one that stays away costs the uplink little."""
    breaker = make_breaker()
    outage(breaker, 0.0)
    now, pauses = 0.0, []
    while now < 120.0:
        pauses.append(breaker.until - now)
        now = breaker.until
        assert breaker.admit(now) == 0.0
        breaker.failed(now, breaker.epoch, Signal.DOWN, None)
    assert pauses == [0.5, 1.0, 2.0, 4.0, *[5.0] * 11, *[15.0] * 4]


def test_a_failure_while_half_open_after_a_success_opens_nothing() -> None:
    """After a successful probe single failures are again what they are everywhere: single."""
    breaker = make_breaker()
    outage(breaker, 0.0)
    assert breaker.admit(1.0) == 0.0
    breaker.succeeded(breaker.epoch, 32)
    assert breaker.admit(1.0) == breaker.admit(1.0) == 0.0
    epoch = breaker.epoch
    breaker.failed(1.0, epoch, Signal.DOWN, None)
    assert breaker.epoch == epoch
    assert breaker.admit(1.0) == 0.0


def test_an_abandoned_probe_lets_the_next_go() -> None:
    """A cancelled probe gives its place back; one of an older epoch has none."""
    breaker = make_breaker()
    old = breaker.epoch
    outage(breaker, 0.0)
    assert breaker.admit(1.0) == 0.0
    breaker.abandoned(old)
    assert breaker.admit(1.0) == math.inf
    breaker.abandoned(breaker.epoch)
    assert breaker.admit(1.0) == 0.0


def test_zero_seconds_keep_no_place_taken() -> None:
    """A Retry-After of 0 opens the circuit for no time and still counts the probe as ended."""
    breaker = make_breaker()
    breaker.failed(0.0, breaker.epoch, Signal.BUSY, 0.0)
    assert breaker.admit(0.0) == 0.0
    breaker.failed(0.0, breaker.epoch, Signal.BUSY, 0.0)
    assert breaker.admit(0.0) == 0.0


def test_closing_ends_own_pauses_only() -> None:
    """Closing probes at once in an outage and every half second after that, and still obeys the service."""
    breaker = make_breaker()
    outage(breaker, 0.0)
    breaker.closing(0.1)
    for probe in range(5):
        now = 0.1 + probe
        assert breaker.admit(now) == 0.0
        breaker.failed(now, breaker.epoch, Signal.DOWN, None)
        assert 0.5 <= breaker.admit(now) <= 0.6
    asked = make_breaker()
    asked.failed(0.0, 0, Signal.BUSY, 60.0)
    asked.closing(0.1)
    assert asked.admit(0.1) == pytest.approx(59.9)


def test_arrivals_after_a_pause_are_spread() -> None:
    """Many circuit breakers (many processes) that were asked for the same pause come back at different times, none early."""
    source = random.Random(3)
    until = []
    for _ in range(200):
        breaker = CircuitBreaker(source.random)
        breaker.failed(0.0, 0, Signal.BUSY, 2.0)
        until.append(breaker.until)
    assert min(until) >= 2.0
    assert max(until) - min(until) > 0.3


def test_after_the_pause_of_a_rate_limit_requests_begin_spread_out() -> None:
    """Those that are let in at once would be refused at once, where the service has room for few of them."""
    breaker = make_breaker()
    breaker.failed(0.0, breaker.epoch, Signal.BUSY, 1.0, 4, 0.2)
    now, begun = 1.0, []
    while (wait := breaker.admit(now)) != math.inf:
        if wait:
            now += wait
        else:
            begun.append(round(now, 3))
    assert begun == [1.0, 1.05, 1.1, 1.15]
    breaker.succeeded(breaker.epoch, 4)
    assert breaker.is_closed
