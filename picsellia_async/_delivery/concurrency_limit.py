"""How many requests may be in flight: a fixed number, or one that finds the service's capacity. Pure; the clock is passed in.

Theory of operation of `AdaptiveLimit`. A service that works on `C` requests at once, each for `s` seconds on average, answers
after `s` while `n <= C` are in flight. Above that requests queue there, and the mean round trip is `s * n / C` (Little's law).
So the round trips at several numbers in flight tell `C`: it is where the curve `s * max(1, n / C)` bends that fits them
best. This is the family of TCP Vegas and of Netflix's gradient limits, which compare a short round trip with a long one; but a
shortest round trip means nothing where service times scatter, and its noise looks like a queue. Here all round trips of
the last seconds are fitted together, as BBR keeps a model of its path, and the fit knows how uncertain it is:

* No bend is believed that chance explains. Without one the limit grows: too high costs the service a short queue, too low costs
  throughput. With one the limit is the highest `C` that the data allow, plus head-room, so that it notices when `C` grows. The
  less the service scatters, the closer to `C` that is.
* Every few seconds the limit dips for one round (BBR's cycle), since a curve that is seen at one point has no bend.
* Old data is dropped in whole generations: at once where a round surprises, so that a service which changed is believed soon, and
  after two of them at the latest.

Refusals (429, 503) and time-outs are judged by share, as BBRv2 does: failures happen at any load, and only more of them than
at a lower load, beyond chance, tell of a limit. Then the limit returns to the last level that was carried, or falls by a
tenth where that one is refused too (Vector's and Netflix's factor). It probes above that level with growing steps, and only while
refusals are rare. A refusal with a Retry-After is judged at once, and as one however many came together, since everybody pauses;
where `rate_window` finds that the number of requests is used up, it says nothing about how many at once.

What others take for the round trip without queue: BBR the shortest of ten seconds, which it goes down to measure; Netflix's
gradient2 a long mean, with half as much again tolerated; Vector a moving mean, with deviations tolerated. On a real machine each of
them moves with the load of our own event loop, whose delays look like a queue of the service. In the fit such a delay is in the
levels below the bend as well.
"""

from __future__ import annotations

import enum
import math
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final, Protocol

import attrs

from picsellia_async._delivery.capacity_fit import MIN_ROUND, MODEL_VARIANCE, SLOWEST_FALL, Level, fit_capacity

_LEVEL_RATIO: Final = 1.06
"""Numbers in flight within this ratio are one level."""
_HEADROOM: Final = 1.03
"""What the limit is above the capacity."""
_GROWTH: Final = 1.25
"""Growth once what was sent under the present limit is known and nothing speaks against it; double while starting."""
_HORIZON: Final = 6.0
"""Mean round trips after which the answers to a round are taken as complete, where none took longer. Before that the quick ones
are too many among them, and a new level always looks quicker than the old one."""
_BACKOFF: Final = 0.9
"""What is left of the limit where even a level that was carried before is refused."""
_OVERSHOOT_BACKOFF: Final = 0.6
"""The same while starting, where the limit doubled a moment ago."""
_DIP: Final = 0.75
_DIP_EVERY_SECONDS: Final = 2.0
_DIP_EVERY_ROUNDS: Final = 8
"""Between dips pass both: so much time, and so many rounds. A dip is a round of twice the least length."""
_GENERATION_SECONDS: Final = 3.0
_GENERATION_ANSWERS: Final = 300
"""Slow services keep their data longer: a generation has at least so many answers."""
_SURPRISING: Final = 5.0
"""Standard deviations by which a round must differ from the generation before, at the same level, to say that the service changed."""
_USUAL_FAILURES: Final = 0.01
"""Share of failures that is expected at any load before anything was seen."""
_USUAL_WEIGHT: Final = 100.0
"""Answers that this expectation counts as."""
_MOST_USUAL_FAILURES: Final = 0.1
"""A service that refuses more than this at any load is overloaded by others: then the limit falls all the same."""
_LOW: Final = 0.85
"""Levels below this share of the limit tell what fails without being too much."""
_PROBE_STEP: Final = 0.02
"""First step above a level that was refused; doubled with each that is carried."""
_SPARE_REFUSALS: Final = 0.005
"""Share of refusals above the usual ones that probing may cause."""
_MEMORY_ANSWERS: Final = 1000.0
"""Answers over which that share is kept."""

_HOLD: Final = 1.1
"""How many times as many requests as before the last pause of a rate limit must be taken before the limit grows again."""

_SPARE: Final = 2.0
"""How many times as many as such a rate needs at once there may be: it was measured while it was learned."""

_LEVELS: Final = [0, *(round(math.log(n) / math.log(_LEVEL_RATIO)) for n in range(1, 1025))]


def _level_of(in_flight: float) -> int:
    return _LEVELS[min(round(in_flight), len(_LEVELS) - 1)]


class Limit(Protocol):
    """What the sender asks of a limit."""

    @property
    def value(self) -> int:
        """Requests that may be in flight."""

    @property
    def round_trip(self) -> float:
        """Smoothed seconds from request to answer; 0 before the first."""

    def sample(self, now: float, round_trip: float, in_flight: int, *, refused: bool) -> None:
        """Learn from one answer."""

    @property
    def carried(self) -> int:
        """Requests that the service took at once, as far as it was tried."""

    def is_carried(self, in_flight: int, others: Iterable[int] = ()) -> bool:
        """Return whether the service took as many at once since its last pause."""

    def paused(self, now: float, in_flight: int, *, is_rate: bool, rate: float = math.inf) -> None:
        """The service asked for a pause."""

    def refused_alone(self) -> None:
        """The service refused, or did not answer, a request that nothing else was sent beside: its load is not the reason."""


@attrs.define
class FixedLimit:
    """A number that stays."""

    value: int
    """Requests that may be in flight."""
    round_trip: float = 0.0
    """Smoothed seconds from request to answer; 0 before the first."""

    def sample(self, now: float, round_trip: float, in_flight: int, *, refused: bool) -> None:  # noqa: ARG002
        """Keep the round trip for the statistics."""
        self.round_trip += (round_trip - self.round_trip) * (0.1 if self.round_trip else 1.0)

    @property
    def carried(self) -> int:
        """The number: it was given, and is not tried out."""
        return self.value

    def is_carried(self, in_flight: int, others: Iterable[int] = ()) -> bool:  # noqa: ARG002
        """Say yes: the number was given, and is not in question."""
        return True

    def paused(self, now: float, in_flight: int, *, is_rate: bool, rate: float = math.inf) -> None:
        """Learn nothing."""

    def refused_alone(self) -> None:
        """Learn nothing."""


class Phase(enum.Enum):
    """What an `AdaptiveLimit` is doing."""

    STARTING = "starting"
    """Doubling until a queue or refusals are seen (slow start)."""
    FOLLOWING = "following"
    """At the capacity as it was last estimated, or growing towards it."""
    DIPPING = "dipping"
    """Below it for one round, to see the round trip without queue."""


@attrs.define
class Cohort:
    """Requests that were sent in one round; judged once their answers are complete."""

    since: float
    """When the round began."""
    levels: dict[int, Level] = attrs.field(factory=dict)
    """What came of them so far."""


@attrs.frozen
class Standing:
    """What an `AdaptiveLimit` makes of refusals; put back where they turn out to be an outage."""

    limit: float
    carried: float
    ceiling: float
    probe_step: float
    phase: Phase


@attrs.define
class AdaptiveLimit:
    """A number that follows the service's capacity."""

    initial: int = 4
    """Where it starts."""
    maximum: int = 256
    """What it never exceeds."""
    phase: Phase = attrs.field(default=Phase.STARTING, init=False)
    """What it is doing."""
    round_trip: float = attrs.field(default=0.0, init=False)
    """Smoothed seconds from request to answer; 0 before the first."""
    _limit: float = attrs.field(init=False)
    _levels: dict[int, Level] = attrs.field(factory=dict, init=False)
    _older: dict[int, Level] = attrs.field(factory=dict, init=False)
    """The generation before."""
    _generation_at: float = attrs.field(default=math.nan, init=False)
    _dipped_at: float = attrs.field(default=math.nan, init=False)
    _rounds: int = attrs.field(default=0, init=False)
    """Rounds since the last dip."""
    _cohorts: deque[Cohort] = attrs.field(factory=deque, init=False)
    """Rounds whose answers are not complete yet, the present one last."""
    _longest: float = attrs.field(default=0.0, init=False)
    """Longest round trip of this generation."""
    _longest_before: float = attrs.field(default=0.0, init=False)
    """The same of the generation before."""
    _count: int = attrs.field(default=0, init=False)
    """Answers of this round, refusals included."""
    _refused: int = attrs.field(default=0, init=False)
    _refused_at: int = attrs.field(default=0, init=False)
    """Least number in flight at which one was refused in this round."""
    _busiest: int = attrs.field(default=0, init=False)
    """Most in flight in this round."""
    _carried: float = attrs.field(default=0.0, init=False)
    """Highest limit at which a round passed without too many refusals."""
    _ceiling: float = attrs.field(default=math.inf, init=False)
    """What refusals forbid to exceed but by probing."""
    _probe_step: float = attrs.field(default=_PROBE_STEP, init=False)
    _memory: float = attrs.field(default=0.0, init=False)
    """Answers behind `_memory_refused`; both fade."""
    _memory_refused: float = attrs.field(default=0.0, init=False)
    _before: Standing | None = attrs.field(default=None, init=False)
    """How it stood before the refusals of now."""
    _is_out: bool = attrs.field(default=False, init=False)
    """Whether the service is away: what it refuses says nothing about load until it takes something."""
    _is_on_trial: bool = attrs.field(default=False, init=False)
    """Whether it was put back after an outage, and no round of it was carried since."""
    _paused_at: float = attrs.field(default=-math.inf, init=False)
    """When the service asked for a pause last."""
    _taken: Counter[int] = attrs.field(factory=Counter, init=False)
    """Requests sent and taken since then, by level."""
    _hold: float = attrs.field(default=0.0, init=False)
    """Requests that must be taken since then before the limit grows."""

    def __attrs_post_init__(self) -> None:
        """Start where told."""
        self._limit = float(min(self.initial, self.maximum))

    @property
    def value(self) -> int:
        """Requests that may be in flight."""
        return max(1, round(self._limit * _DIP if self.phase is Phase.DIPPING else self._limit))

    def sample(self, now: float, round_trip: float, in_flight: int, *, refused: bool) -> None:
        """Learn from one answer.

        Args:
            now: Monotonic seconds.
            round_trip: Seconds from request to answer.
            in_flight: Requests in flight when this one was sent, itself included.
            refused: Whether the service said, by status or by silence, that it was too much. Not heeded in an outage.
        """
        if self._is_out and refused:
            return
        self._is_out = False
        if not self._cohorts:
            self._generation_at = self._dipped_at = now
            self._cohorts.append(Cohort(-math.inf))
        level = self._level(now - round_trip, in_flight)
        self._count += 1
        self._busiest = max(self._busiest, in_flight)
        if refused:
            # A refusal is often quick, and says nothing about the time that a service takes.
            level.refused += 1
            self._refused += 1
            self._refused_at = min(self._refused_at or in_flight, in_flight)
        else:
            level.add(round_trip, in_flight)
            if now - round_trip >= self._paused_at:
                self._taken[_level_of(in_flight)] += 1
            self._longest = max(self._longest, round_trip)
            self.round_trip += (round_trip - self.round_trip) * (0.1 if self.round_trip else 1.0)
        # Refusals end a round early: a service that has enough answers at once, and would be asked again as fast.
        fewest = 2 * MIN_ROUND if self.phase is Phase.DIPPING else MIN_ROUND
        if self._count >= max(fewest, self.value) or (refused and self._is_refused()):
            self._judge(now)

    @property
    def carried(self) -> int:
        """Requests that the service took at once, as far as it was tried; where the limit starts, nothing was."""
        return max(self.initial, round(self._carried))

    def is_carried(self, in_flight: int, others: Iterable[int] = ()) -> bool:
        """Return whether the service took as many at once since its last pause: then it is not the load that it refuses.

        A quarter of a round is enough: where requests travel for a while, a few get in above the capacity, by chance.

        Args:
            in_flight: Requests under way when the refused one was sent, itself included.
            others: The same of requests that were sent before it and have no answer yet: refusals would have come first.
        """
        level = _level_of(in_flight) - 1
        taken = sum(count for key, count in self._taken.items() if key >= level)
        return taken + sum(_level_of(other) >= level for other in others) >= max(3.0, in_flight / 4)

    def paused(self, now: float, in_flight: int, *, is_rate: bool, rate: float = math.inf) -> None:
        """The service asked for a pause. However many it refused together: it is one refusal, and the service's own word.

        Args:
            now: Monotonic seconds.
            in_flight: Requests under way when the refused one was sent, itself included.
            is_rate: Whether it takes no more requests for now, rather than fewer at once.
            rate: Requests a second that it took then, the pause included.
        """
        self._paused_at = now
        # Behind a pause that the number of requests brought, more at once gain nothing, and are refused together at the end.
        self._hold = self._taken.total() * _HOLD if is_rate else 0.0
        self._taken.clear()
        if is_rate:
            self._before = None  # it was load or number, no outage
            # That rate needs so many at once (Little's law); with more of them more are refused together at the end of a window.
            enough = 1.0 + _SPARE * rate * self.round_trip
            if enough < self._limit:
                self._limit = max(enough, self._limit / 2.0)
                self.phase = Phase.FOLLOWING
        elif not self._is_out:
            self._remember()
            self._memory += 1
            self._memory_refused += 1
            self._limit = float(self.value)
            self._fall_below(in_flight)
            self._limit = max(self._limit, 1.0)

    def refused_alone(self) -> None:
        """An outage: stand as before the refusals that it began with. The circuit breaker feels its way back when it is over.

        Without this a service that is away now and then would be taken for one that bears little: with a limit of one, and
        no more tried as long as refusals are not rare. But our load may be what takes it away. So what was put back is on trial:
        where it ends in refusals before a round of it was carried, these count. And the share of refusals is kept, so that what was
        too much before is tried again slowly.
        """
        before, self._before, self._is_out = self._before, None, True
        self._count = self._refused = self._refused_at = self._busiest = 0
        if before is not None:
            self._is_on_trial = True
            self._limit, self._carried, self._ceiling = before.limit, before.carried, before.ceiling
            self._probe_step, self.phase = before.probe_step, before.phase

    def _remember(self) -> None:
        """Keep how things stand where refusals begin."""
        if self._before is None and not self._is_on_trial:
            self._before = Standing(self._limit, self._carried, self._ceiling, self._probe_step, self.phase)

    def _level(self, sent: float, in_flight: int) -> Level:
        """Return where an answer counts: with the round in which its request was sent."""
        for cohort in reversed(self._cohorts):
            if cohort.since <= sent:
                break
        key = _level_of(in_flight)
        level = cohort.levels.get(key)
        if level is None:
            level = cohort.levels[key] = Level(float(in_flight))
        return level

    def _judge(self, now: float) -> None:
        is_refused, is_full, refused_at = self._is_refused(), self._busiest >= self.value, self._refused_at
        if is_refused:
            self._remember()
        elif not self._refused:
            self._before = None
        fade = math.exp(-self._count / _MEMORY_ANSWERS)
        self._memory = self._memory * fade + self._count
        self._memory_refused = self._memory_refused * fade + self._refused
        self._count = self._refused = self._refused_at = self._busiest = 0
        is_known = self._adopt_complete(now)
        was_dipping = self.phase is Phase.DIPPING
        if is_refused:
            self._limit = float(self.value)
            self._fall_below(refused_at)
        else:
            if is_full and not was_dipping:
                self._carried = max(self._carried, self._limit)
                self._is_on_trial = False
            can_grow = is_full and is_known and not was_dipping and self._taken.total() >= self._hold
            self._follow(fit_capacity(self._together()), can_grow=can_grow)
        self._limit = min(max(self._limit, 1.0), float(self.maximum))
        self._choose_phase(now)
        self._cohorts.append(Cohort(now))
        if now - self._generation_at > _GENERATION_SECONDS and self._is_generation_full():
            self._levels, self._older, self._generation_at = {}, self._levels, now
            self._longest, self._longest_before = 0.0, self._longest

    def _adopt_complete(self, now: float) -> bool:
        """Take the rounds into account whose answers are complete; return whether one of them was sent under the present limit."""
        horizon = min(max(self._longest, self._longest_before), _HORIZON * self.round_trip)
        is_known = False
        while len(self._cohorts) > 1 and self._cohorts[1].since + horizon <= now:
            cohort = self._cohorts.popleft()
            is_known |= any(level.in_flight >= self._limit - 1.0 for level in cohort.levels.values())
            if any(self._is_surprising(key, level) for key, level in cohort.levels.items()):
                self._levels, self._older, self._generation_at = {}, {}, now
            for key, level in cohort.levels.items():
                known = self._levels.get(key)
                self._levels[key] = level if known is None else known.plus(level)
        return is_known

    def _is_surprising(self, key: int, level: Level) -> bool:
        """Return whether a round's answers cannot come from the service as it was, with as many in flight."""
        before = self._older.get(key)
        if before is None or min(before.answers, level.answers) < MIN_ROUND:
            return False
        variance = before.mean**2 * MODEL_VARIANCE + (before.squares + level.squares) / (before.answers + level.answers)
        error = math.sqrt(variance * (1 / before.answers + 1 / level.answers))
        return abs(level.mean - before.mean) > _SURPRISING * error

    def _is_generation_full(self) -> bool:
        return sum(level.answers + level.refused for level in self._levels.values()) >= _GENERATION_ANSWERS

    def _together(self) -> list[Level]:
        both = dict(self._older)
        for key, level in self._levels.items():
            older = both.get(key)
            both[key] = level if older is None else level.plus(older)
        return list(both.values())

    def _choose_phase(self, now: float) -> None:
        self._rounds += 1
        if self.phase is Phase.DIPPING:
            self.phase = Phase.FOLLOWING
        elif (
            self.phase is Phase.FOLLOWING
            and now - self._dipped_at > _DIP_EVERY_SECONDS
            and self._rounds > _DIP_EVERY_ROUNDS
        ):
            self.phase, self._dipped_at, self._rounds = Phase.DIPPING, now, 0

    # Queues.

    def _follow(self, capacity: float, *, can_grow: bool) -> None:
        """Go towards a capacity.

        Args:
            capacity: The highest plausible one; infinite where no queue is seen.
            can_grow: Whether the limit was reached. Where it was not, nothing is known about what lies above it.
        """
        if math.isfinite(capacity):
            if self.phase is Phase.STARTING:
                self.phase = Phase.FOLLOWING
            target = capacity * _HEADROOM + 0.5
            if target <= self._limit:
                self._limit = max(target, self._limit * SLOWEST_FALL)
                return
        else:
            target = math.inf
        if can_grow:
            growth = 2.0 if self.phase is Phase.STARTING else _GROWTH
            self._limit = self._below_ceiling(min(target, max(self._limit * growth, self._limit + 1.0)))

    # Refusals.

    def _usual_failures(self) -> float:
        """Return the share of failures where the load is well below the limit, and cannot be their reason."""
        refused, answers = _USUAL_FAILURES * _USUAL_WEIGHT, _USUAL_WEIGHT
        for levels in (self._levels, self._older, *(cohort.levels for cohort in self._cohorts)):
            for level in levels.values():
                if level.in_flight <= self.value * _LOW:
                    refused += level.refused
                    answers += level.answers + level.refused
        return min(refused / answers, _MOST_USUAL_FAILURES)

    def _is_refused(self) -> bool:
        """Return whether more was refused in this round than chance explains (four standard deviations, and two more)."""
        if self._refused < 3:
            return False
        usual = self._usual_failures() * self._count
        return self._refused >= usual + 4.0 * math.sqrt(usual) + 2.0

    def _fall_below(self, refused_at: int) -> None:
        if refused_at > round(self._carried) and self._carried >= self._limit * _OVERSHOOT_BACKOFF:
            self._limit = self._carried
        else:
            self._limit *= _OVERSHOOT_BACKOFF if self.phase is Phase.STARTING else _BACKOFF
            self._carried = min(self._carried, self._limit)
        self._ceiling, self._probe_step = self._limit, _PROBE_STEP
        self.phase = Phase.FOLLOWING

    def _below_ceiling(self, wanted: float) -> float:
        """Return what may be tried: at most the ceiling, which rises a step where refusals are rare."""
        if wanted > self._ceiling and self._memory_refused < self._memory * (self._usual_failures() + _SPARE_REFUSALS):
            self._ceiling += max(1.0, self._ceiling * self._probe_step)
            self._probe_step *= 2.0
        return min(wanted, max(self._ceiling, self._limit))
