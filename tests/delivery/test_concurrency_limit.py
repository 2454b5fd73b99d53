"""The adaptive limit against a simulated service with a hidden capacity, on a simulated clock; PICSELLIA_ASYNC_SOAK=1: 20 seeds."""

from __future__ import annotations

import heapq
import itertools
import math
import os
import random
from collections import deque
from collections.abc import Callable
from statistics import fmean

import attrs
import pytest

from picsellia_async._delivery.capacity_fit import Level, fit_capacity
from picsellia_async._delivery.concurrency_limit import AdaptiveLimit, FixedLimit

SEEDS = range(20 if os.environ.get("PICSELLIA_ASYNC_SOAK") else 1)
MEAN = 0.05

TIMES: dict[str, Callable[[random.Random], float]] = {
    "constant": lambda _: 1.0,
    "narrow": lambda draw: draw.uniform(0.9, 1.1),
    "wide": lambda draw: draw.uniform(0.7, 1.3),
    "lognormal 0.6": lambda draw: draw.lognormvariate(-(0.6**2) / 2, 0.6),
    "lognormal 1.0": lambda draw: draw.lognormvariate(-0.5, 1.0),
    "exponential": lambda draw: draw.expovariate(1.0),
    "bimodal": lambda draw: 0.5 if draw.random() < 0.9 else 5.5,
}
"""Service times, as multiples of their mean."""


@attrs.define
class Service:
    """Works on `seats` requests at once, `seconds` each on average. Further ones wait in its queue, or are refused."""

    limit: AdaptiveLimit | FixedLimit
    seats: int
    seconds: float = MEAN
    times: str = "constant"
    refuses: bool = False
    failures: float = 0.0
    """Share of requests that fail at any load."""
    demand: int = 10_000
    seed: int = 5
    now: float = 0.0
    random: random.Random = attrs.field(init=False)
    busy: int = 0
    in_flight: int = 0
    queue: deque[tuple[float, int]] = attrs.field(factory=deque)
    events: list[tuple[float, int, float, float, int]] = attrs.field(factory=list)
    count: itertools.count[int] = attrs.field(factory=itertools.count)
    served: list[tuple[float, float]] = attrs.field(factory=list)
    """When each request was served, and for how long it had a seat."""
    refused: int = 0

    def __attrs_post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def run(self, until: float) -> list[tuple[float, int]]:
        """Keep as many requests in flight as the limit and the demand allow; return the limit over time."""
        seen = []
        self.send()
        while self.events and self.now < until:
            self.now, _, worked, sent, number = heapq.heappop(self.events)
            self.in_flight -= 1
            if worked:
                self.busy -= 1
                self.served.append((self.now, worked))
            else:
                self.refused += 1
            self.limit.sample(self.now, self.now - sent, number, refused=not worked)
            self.work()
            self.send()
            seen.append((self.now, self.limit.value))
        return seen

    def send(self) -> None:
        while self.in_flight < min(self.limit.value, self.demand):
            self.in_flight += 1
            fails = self.failures and self.random.random() < self.failures
            if fails or (self.refuses and self.busy >= self.seats):
                self.answer(0.002, 0.0, self.now, self.in_flight)
            else:
                self.queue.append((self.now, self.in_flight))
                self.work()

    def work(self) -> None:
        while self.queue and self.busy < self.seats:
            sent, number = self.queue.popleft()
            self.busy += 1
            seconds = self.seconds * TIMES[self.times](self.random)
            self.answer(seconds, seconds, sent, number)

    def answer(self, delay: float, worked: float, sent: float, number: int) -> None:
        heapq.heappush(self.events, (self.now + delay, next(self.count), worked, sent, number))

    def yield_between(self, since: float, until: float) -> float:
        """Return the share of the time for which the seats worked."""
        worked = sum(max(0.0, min(at, until) - max(at - seconds, since)) for at, seconds in self.served)
        return worked / (until - since) / self.seats

    @property
    def refused_share(self) -> float:
        return self.refused / (self.refused + len(self.served))


def usual(seen: list[tuple[float, int]], since: float) -> float:
    """Mean of the limit after a time."""
    return fmean(value for at, value in seen if at >= since)


@pytest.mark.parametrize("refuses", [False, True], ids=["line", "refuses"])
@pytest.mark.parametrize("times", ["constant", "wide"])
@pytest.mark.parametrize(("seats", "seconds"), [(10, 0.05), (40, 0.05), (100, 0.02)])
def test_auto_finds_the_capacity_and_follows_it(seats: int, seconds: float, times: str, refuses: bool) -> None:
    """Within 10 seconds the limit is within 15 % of the hidden capacity, and again after it halves and doubles."""
    service = Service(AdaptiveLimit(), seats, seconds, times, refuses)
    assert usual(service.run(10.0), 5.0) == pytest.approx(seats, rel=0.15)
    service.seats = seats // 2
    assert usual(service.run(20.0), 15.0) == pytest.approx(seats // 2, rel=0.15, abs=1)
    service.seats = seats
    assert usual(service.run(30.0), 25.0) == pytest.approx(seats, rel=0.15)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("refuses", [False, True], ids=["queue", "refuses"])
@pytest.mark.parametrize("seats", [4, 150] if len(SEEDS) == 1 else [4, 32, 150])
@pytest.mark.parametrize("times", list(TIMES))
def test_auto_does_not_take_scatter_for_a_queue(times: str, seats: int, refuses: bool, seed: int) -> None:
    """After 10 seconds at least 85 % of what the service can do is done, whatever its service times; under 3 % are refused."""
    service = Service(AdaptiveLimit(), seats, times=times, refuses=refuses, seed=seed)
    service.run(20.0)
    assert service.yield_between(10.0, 20.0) >= 0.85
    assert service.refused_share < 0.03


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("refuses", [False, True], ids=["queue", "refuses"])
@pytest.mark.parametrize("seats", [4, 40, 150])
@pytest.mark.parametrize("times", ["constant", "lognormal 0.6", "bimodal"])
def test_auto_is_not_pushed_down_by_failures_that_have_nothing_to_do_with_load(
    times: str, seats: int, refuses: bool, seed: int
) -> None:
    """One failure in a hundred at any load leaves at least 85 % of what the service can do."""
    service = Service(AdaptiveLimit(), seats, times=times, refuses=refuses, failures=0.01, seed=seed)
    service.run(30.0)
    assert service.yield_between(10.0, 30.0) >= 0.85
    assert service.refused_share < 0.03


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("refuses", [False, True], ids=["queue", "refuses"])
@pytest.mark.parametrize("times", list(TIMES))
def test_auto_follows_steps_of_the_capacity(times: str, refuses: bool, seed: int) -> None:
    """Ten seconds after the service got fewer or more seats, at least 85 % of the new capacity is used."""
    service = Service(AdaptiveLimit(), 40, times=times, refuses=refuses, seed=seed)
    service.run(10.0)
    for until, seats in ((30.0, 20), (50.0, 80)):
        service.seats = seats
        service.run(until)
        assert service.yield_between(until - 10.0, until) >= 0.85
    assert service.refused_share < 0.03


@pytest.mark.parametrize("times", list(TIMES))
def test_auto_beats_a_fixed_number_where_that_is_wrong(times: str) -> None:
    """A service of 150 seats gets more than from 32 in flight; one of 4 has a shorter queue than with them."""
    large, small = Service(AdaptiveLimit(), 150, times=times), Service(AdaptiveLimit(), 4, times=times)
    large.run(20.0)
    assert large.yield_between(10.0, 20.0) > 2.0 * (32 / 150)
    assert usual(small.run(20.0), 10.0) < 32


@pytest.mark.parametrize("times", ["constant", "lognormal 1.0", "bimodal"])
def test_auto_is_patient_with_slow_services(times: str) -> None:
    """At two seconds a request there are few answers to learn from, and chance does not push the limit down."""
    service = Service(AdaptiveLimit(), 10, 2.0, times)
    service.run(300.0)
    assert service.yield_between(100.0, 300.0) >= 0.85


def test_a_fit_tells_where_the_round_trip_bends() -> None:
    """Round trips that grow in proportion from 20 on tell a capacity of 20; flat ones, or too few, tell none."""
    bent = [Level(float(n), 50, 0.1 * max(1.0, n / 20), 0.0) for n in (5, 10, 15, 20, 30, 40)]
    assert fit_capacity(bent) == pytest.approx(20.0)
    assert fit_capacity([Level(float(n), 50, 0.1, 0.0) for n in (5, 10, 20, 40)]) == math.inf
    assert fit_capacity([Level(float(n), 1, 0.1 * n, 0.0) for n in (5, 10)]) == math.inf


def test_auto_forgets_how_fast_the_service_once_was() -> None:
    """When every request takes three times as long, the limit comes back to the capacity after a while."""
    service = Service(AdaptiveLimit(), 40, 0.03)
    service.run(10.0)
    service.seconds = 0.09
    assert min(value for _, value in service.run(20.0)) >= 10, "not even for a while does it take slowness for a line"
    assert usual(service.run(60.0), 45.0) == pytest.approx(40, rel=0.15)


def test_auto_does_not_grow_without_demand() -> None:
    """A limit that is not reached learns nothing about what lies above it."""
    service = Service(AdaptiveLimit(), 100, 0.05, demand=3)
    service.run(10.0)
    assert service.limit.value == 4


def test_auto_stays_within_its_bounds() -> None:
    """Neither below one, when everything is refused, nor above the maximum."""
    limit = AdaptiveLimit(maximum=16)
    Service(limit, 1000, 0.01).run(5.0)
    assert limit.value == 16
    for number in range(1000):
        limit.sample(float(number), 0.01, 1, refused=True)
    assert limit.value == 1
    assert limit.round_trip > 0


def test_fixed_stays() -> None:
    """A fixed limit keeps its number, and the round trip for the statistics."""
    limit = FixedLimit(7)
    for _ in range(100):
        limit.sample(0.0, 0.5, 7, refused=True)
    assert (limit.value, limit.round_trip) == (7, pytest.approx(0.5))


def test_auto_does_not_grow_towards_a_rate_limit() -> None:
    """Behind a pause that the number of requests brought, it grows only once more are taken than before it."""
    limit = AdaptiveLimit()
    service = Service(limit, 1000, 0.01)
    service.run(0.04)
    limit.paused(service.now, limit.value, is_rate=True)
    taken, held = len(service.served), limit.value
    while len(service.served) < 2 * taken:
        service.run(service.now + 0.005)
        assert limit.value <= held
    service.run(service.now + 2.0)
    assert limit.value > held


def test_an_outage_is_no_load_that_was_too_much() -> None:
    """Where one that is alone is refused too, the limit is what it was; a service that refuses many and takes one is overloaded."""
    for is_outage in (True, False):
        service = Service(AdaptiveLimit(), 40)
        service.run(10.0)
        limit, before = service.limit, service.limit.value
        for number in range(before, 0, -1):
            limit.sample(service.now, 0.002, number, refused=True)
        assert limit.value < before
        if is_outage:
            limit.refused_alone()
            for number in range(before, 0, -1):
                limit.sample(service.now, 0.002, number, refused=True)  # what was under way meanwhile
            assert limit.value == before
        else:
            limit.sample(service.now, 0.05, 1, refused=False)
            assert limit.value < before


def test_what_an_outage_put_back_is_on_trial() -> None:
    """Where our own load takes the service away, the second outage counts; after a round that was carried the next one is an outage again."""
    service = Service(AdaptiveLimit(), 40)
    service.run(10.0)
    limit, before = service.limit, service.limit.value

    def go_away() -> None:
        for number in range(limit.value, 0, -1):
            limit.sample(service.now, 0.002, number, refused=True)
        limit.refused_alone()

    go_away()
    assert limit.value == before
    limit.sample(service.now, 0.05, 1, refused=False)  # it is back
    go_away()
    fallen = limit.value
    assert fallen < before
    service.run(service.now + 10.0)
    carried = limit.value
    assert carried >= fallen
    go_away()
    assert limit.value == carried


def test_a_pause_of_a_rate_limit_puts_nothing_back() -> None:
    """What was refused before it was load or number, and no outage."""
    limit = AdaptiveLimit()
    for step in range(200):
        for number in range(1, limit.value + 1):
            limit.sample(step * 0.1, 0.1, number, refused=False)
    for number in range(limit.value, 0, -1):
        limit.sample(20.0, 0.002, number, refused=True)
    limit.paused(20.0, 4, is_rate=True, rate=10.0)
    fallen = limit.value
    limit.refused_alone()
    assert limit.value == fallen
