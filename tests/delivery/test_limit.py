"""The adaptive limit against a simulated service with a hidden capacity, on a simulated clock."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from statistics import fmean

import attrs
import pytest

from picsellia_async._delivery.concurrency_limit import AdaptiveLimit, FixedLimit


@attrs.define
class Service:
    """Takes `seats` requests at once, `seconds` each. Further ones wait in its line, or are refused."""

    limit: AdaptiveLimit
    seats: int
    seconds: float
    scatter: float = 0.0
    refuses: bool = False
    demand: int = 10_000
    now: float = 0.0
    random: random.Random = attrs.field(factory=lambda: random.Random(5))
    busy: int = 0
    in_flight: int = 0
    line: deque[tuple[float, int]] = attrs.field(factory=deque)
    events: list[tuple[float, int, bool, float, int]] = attrs.field(factory=list)
    count: itertools.count[int] = attrs.field(factory=itertools.count)

    def run(self, until: float) -> list[tuple[float, int]]:
        """Keep as many requests in flight as the limit and the demand allow; return the limit over time."""
        seen = []
        self.send()
        while self.events and self.now < until:
            self.now, _, served, sent, number = heapq.heappop(self.events)
            self.busy -= served
            self.in_flight -= 1
            self.limit.sample(self.now, self.now - sent, number, refused=not served)
            self.serve()
            self.send()
            seen.append((self.now, self.limit.value))
        return seen

    def send(self) -> None:
        while self.in_flight < min(self.limit.value, self.demand):
            self.in_flight += 1
            if self.refuses and self.busy >= self.seats:
                self.event(0.002, False, self.now, self.in_flight)
            else:
                self.line.append((self.now, self.in_flight))
                self.serve()

    def serve(self) -> None:
        while self.line and self.busy < self.seats:
            sent, number = self.line.popleft()
            self.busy += 1
            self.event(self.seconds * (1 + self.scatter * (self.random.random() * 2 - 1)), True, sent, number)

    def event(self, delay: float, served: bool, sent: float, number: int) -> None:
        heapq.heappush(self.events, (self.now + delay, next(self.count), served, sent, number))


def usual(seen: list[tuple[float, int]], since: float) -> float:
    """Mean of the limit after a time."""
    return fmean(value for at, value in seen if at >= since)


@pytest.mark.parametrize("refuses", [False, True], ids=["line", "refuses"])
@pytest.mark.parametrize("scatter", [0.0, 0.3], ids=["even", "scattered"])
@pytest.mark.parametrize(("seats", "seconds"), [(10, 0.05), (40, 0.05), (100, 0.02)])
def test_auto_finds_the_capacity_and_follows_it(seats: int, seconds: float, scatter: float, refuses: bool) -> None:
    """Within 10 seconds the limit is within 15 % of the hidden capacity, and again after it halves and doubles."""
    service = Service(AdaptiveLimit(), seats, seconds, scatter, refuses)
    assert usual(service.run(10.0), 5.0) == pytest.approx(seats, rel=0.15)
    service.seats = seats // 2
    assert usual(service.run(20.0), 15.0) == pytest.approx(seats // 2, rel=0.15, abs=1)
    service.seats = seats
    assert usual(service.run(30.0), 25.0) == pytest.approx(seats, rel=0.15)


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
