"""The shared gate: pauses that the service asked for, outages, and the budget for repeats."""

from __future__ import annotations

import math
import random

import pytest

from picsellia_async._delivery.circuit_breaker import RETRY_AFTER_MAX, Gate, RepeatBudget, Signal


def make_gate(**settings: float) -> Gate:
    return Gate(lambda: 0.0, **settings)


def outage(gate: Gate, now: float, times: int = 5) -> None:
    for _ in range(times):
        gate.failed(now, gate.epoch, Signal.DOWN, None)


def test_open_until_something_happens() -> None:
    """A gate that nothing happened to lets everybody in."""
    gate = make_gate()
    assert gate.admit(0.0) == 0.0
    gate.succeeded(gate.epoch, 32)
    assert gate.is_open


def test_retry_after_holds_everybody_back() -> None:
    """Nobody is admitted before the time that the service asked for, then one probe, then more with each success."""
    gate = make_gate()
    old = gate.epoch
    gate.failed(10.0, old, Signal.BUSY, 2.0)
    assert gate.admit(10.0) == 2.0
    assert gate.admit(11.999) > 0
    assert gate.admit(12.0) == 0.0
    assert gate.admit(12.0) == math.inf
    gate.succeeded(old, 8)
    assert gate.admit(12.0) == math.inf, "an answer to an older request opens nothing"
    admitted = 0
    in_flight = 1
    for _ in range(6):
        gate.succeeded(gate.epoch, 8)
        in_flight -= 1
        while not gate.is_open and gate.admit(12.5) == 0.0:
            in_flight += 1
            admitted += 1
    assert not gate.is_open
    assert in_flight == 7
    gate.succeeded(gate.epoch, 8)
    assert gate.is_open


def test_the_longest_retry_after_wins() -> None:
    """Of several answers to requests in flight the longest pause holds, whatever their order; a huge one is capped."""
    gate = make_gate()
    epoch = gate.epoch
    gate.failed(0.0, epoch, Signal.BUSY, 5.0)
    gate.failed(1.0, epoch, Signal.BUSY, 1.0)
    assert gate.until == 5.0
    gate.failed(1.0, epoch, Signal.BUSY, 10.0)
    assert gate.until == 11.0
    gate.failed(1.0, epoch, Signal.BUSY, 1e9)
    assert gate.until == 1.0 + RETRY_AFTER_MAX


def test_single_failures_change_nothing() -> None:
    """Failures between successes are no outage."""
    gate = make_gate()
    for _ in range(50):
        outage(gate, 0.0, times=4)
        gate.succeeded(gate.epoch, 32)
    assert gate.is_open


def test_an_outage_is_probed_with_growing_pauses() -> None:
    """Five failures in a row shut the gate; each failed probe doubles the pause up to the longest."""
    gate = make_gate(pause_initial=1.0, pause_max=5.0)
    now = 0.0
    outage(gate, now)
    pauses = []
    for _ in range(4):
        pauses.append(gate.admit(now))
        now = gate.until
        assert gate.admit(now) == 0.0
        assert gate.admit(now) == math.inf
        gate.failed(now, gate.epoch, Signal.DOWN, None)
    assert pauses == [1.0, 2.0, 4.0, 5.0]


def test_a_failure_while_opening_does_not_shut() -> None:
    """After a successful probe single failures are again what they are everywhere: single."""
    gate = make_gate()
    outage(gate, 0.0)
    assert gate.admit(1.0) == 0.0
    gate.succeeded(gate.epoch, 32)
    assert gate.admit(1.0) == gate.admit(1.0) == 0.0
    epoch = gate.epoch
    gate.failed(1.0, epoch, Signal.DOWN, None)
    assert gate.epoch == epoch
    assert gate.admit(1.0) == 0.0


def test_an_abandoned_probe_lets_the_next_go() -> None:
    """A cancelled probe gives its place back; one of an older epoch has none."""
    gate = make_gate()
    old = gate.epoch
    outage(gate, 0.0)
    assert gate.admit(1.0) == 0.0
    gate.abandoned(old)
    assert gate.admit(1.0) == math.inf
    gate.abandoned(gate.epoch)
    assert gate.admit(1.0) == 0.0


def test_zero_seconds_keep_no_place_taken() -> None:
    """A Retry-After of 0 shuts for no time and still counts the probe as ended."""
    gate = make_gate()
    gate.failed(0.0, gate.epoch, Signal.BUSY, 0.0)
    assert gate.admit(0.0) == 0.0
    gate.failed(0.0, gate.epoch, Signal.BUSY, 0.0)
    assert gate.admit(0.0) == 0.0


def test_hurry_ends_own_pauses_only() -> None:
    """Closing probes at once in an outage, and still obeys the service."""
    gate = make_gate()
    outage(gate, 0.0)
    gate.hurry(0.1)
    assert gate.admit(0.1) == 0.0
    asked = make_gate()
    asked.failed(0.0, 0, Signal.BUSY, 60.0)
    asked.hurry(0.1)
    assert asked.admit(0.1) == pytest.approx(59.9)


def test_arrivals_after_a_pause_are_spread() -> None:
    """Many gates (many processes) that were asked for the same pause come back at different times, none early."""
    source = random.Random(3)
    until = []
    for _ in range(200):
        gate = Gate(source.random)
        gate.failed(0.0, 0, Signal.BUSY, 2.0)
        until.append(gate.until)
    assert min(until) >= 2.0
    assert max(until) - min(until) > 0.3


def test_the_budget_bounds_extra_load() -> None:
    """While every repeat fails, repeats stay within a tenth of first attempts, plus what was saved up."""
    budget = RepeatBudget()
    repeats = 0
    for _ in range(1000):
        budget.first_attempt()
        if budget.tokens >= 1.0:
            budget.start_repeat()
            budget.end_repeat(succeeded=False)
            repeats += 1
    assert repeats <= 1000 * 0.1 + budget.capacity + 1


def test_an_empty_budget_still_lets_one_repeat_go() -> None:
    """With nothing saved, repeats go one at a time, and only where nothing else can go; what succeeds is given back."""
    budget = RepeatBudget()
    for _ in range(30):
        budget.start_repeat()
        budget.end_repeat(succeeded=False)
    assert budget.tokens < 1.0
    assert not budget.allows(others_wait=True)
    assert budget.allows(others_wait=False)
    budget.start_repeat()
    assert not budget.allows(others_wait=False)
    budget.end_repeat(succeeded=True)
    assert budget.tokens >= 1.0
