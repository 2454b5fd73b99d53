"""Where the curve of round trips bends: the capacity of a service that queues what is beyond it. Pure; see `concurrency_limit`."""

from __future__ import annotations

import math
from typing import Final

import attrs

MIN_ROUND: Final = 10
"""Fewest answers that are judged together; a round is as many answers as the limit allows in flight."""
SLOWEST_FALL: Final = 0.8
"""What is left of the limit after one round that saw a queue: the round's own data may be stale."""
_FLAT: Final = 0.9
"""Levels below this share of a bend show that it is one."""
_MIN_ANSWERS: Final = 20
"""Answers without which there is no fit."""
MODEL_VARIANCE: Final = 0.05**2
"""Added to the relative variance of one round trip: timers, scheduling and neighbours make means differ without a queue."""
_SIGNIFICANT: Final = 9.0
"""Gain in chi-square from which on a bend is believed (three standard deviations: there is a look at it every round)."""
_BEYOND_DOUBT: Final = 16.0
"""The same, four standard deviations."""
_PLAUSIBLE: Final = 1.0
"""Loss in chi-square up to which another capacity is as plausible as the best (one standard deviation)."""


@attrs.define
class Level:
    """What was seen with about the same number in flight."""

    in_flight: float
    """Mean number in flight."""
    answers: int = 0
    """Answers other than refusals."""
    mean: float = 0.0
    """Their mean round trip in seconds."""
    squares: float = 0.0
    """Sum of squared differences from the mean (Welford's)."""
    refused: int = 0
    """Refusals and time-outs."""

    def add(self, round_trip: float, in_flight: int) -> None:
        """Count an answer."""
        self.answers += 1
        self.in_flight += (in_flight - self.in_flight) / self.answers
        difference = round_trip - self.mean
        self.mean += difference / self.answers
        self.squares += difference * (round_trip - self.mean)

    def plus(self, other: Level) -> Level:
        """Return both together."""
        answers = self.answers + other.answers
        if not answers:
            return Level(self.in_flight, refused=self.refused + other.refused)
        share, difference = other.answers / answers, other.mean - self.mean
        return Level(
            self.in_flight + (other.in_flight - self.in_flight) * share,
            answers,
            self.mean + difference * share,
            self.squares + other.squares + difference * difference * self.answers * share,
            self.refused + other.refused,
        )


def fit_capacity(levels: list[Level]) -> float:
    """Return the highest capacity that the round trips allow; infinite where they show no queue.

    Fits `s * max(1, n / C)` by weighted least squares, relative to `s`, with `C` at each level in turn. One pass: the sums of the
    levels below `C` and of those above it change by one level from candidate to candidate.

    Args:
        levels: What was seen at each number in flight.
    """
    seen = sorted((level for level in levels if level.answers), key=lambda level: level.in_flight)
    total = sum(level.answers for level in seen)
    if total < _MIN_ANSWERS:
        return math.inf
    scatter = sum(level.squares / level.mean**2 for level in seen if level.mean) / max(1, total - len(seen))
    variance = scatter + MODEL_VARIANCE
    # With y the round trip as it would be without queue, the sum of (y / s - 1)**2 is total * (mean(y**2) / mean(y)**2 - 1).
    below = below_squared = 0.0
    above = sum(level.answers * level.mean / level.in_flight for level in seen)
    above_squared = sum(level.answers * (level.mean / level.in_flight) ** 2 for level in seen)
    count_below, costs, bends = 0, list[float](), list[float]()
    for level, following in zip(seen, [*seen[1:], seen[-1]], strict=True):
        capacity = level.in_flight
        count_below += level.answers
        below += level.answers * level.mean
        below_squared += level.answers * level.mean**2
        above -= level.answers * level.mean / capacity
        above_squared -= level.answers * (level.mean / capacity) ** 2
        mean = (below + capacity * above) / total
        mean_square = (below_squared + capacity**2 * above_squared) / total
        costs.append(total * (mean_square / mean**2 - 1.0) / variance if mean else 0.0)
        # Between this level and the next, where the flat part below meets the slope above.
        crossing = (
            (below / count_below) / (above / (total - count_below)) if level is not seen[-1] and above > 0 else capacity
        )
        bends.append(min(max(crossing, capacity), following.in_flight))
    best = min(costs)
    # The last candidate has no level above it: no queue.
    gain = costs[-1] - best
    if gain <= _SIGNIFICANT:
        return math.inf
    capacity = max(bend for bend, cost in zip(bends, costs, strict=True) if cost - best <= _PLAUSIBLE)
    if sum(level.answers for level in seen if level.in_flight < capacity * _FLAT) < MIN_ROUND:
        # Only the queue was seen, and nothing of the flat part: the bend may lie anywhere below. To look there is a larger step, and takes more evidence.
        return capacity * SLOWEST_FALL if gain > _BEYOND_DOUBT else capacity
    return capacity
