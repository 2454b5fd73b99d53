"""`Rule`: decides whether a frame is kept; and how rules are put together. Pure state machines.

Theory of operation. A candidate is fed to a rule, which gives its decision, at once or (`around`) only when later candidates have
been fed. Rules in a list are asked one after the other, rules joined by `|` all of them. What a rule remembers of kept frames (how many,
when, what they looked like) changes only in `settle`, when the last rule has decided: a frame that a quota refuses is no reason to
call the next one a duplicate of it. `feed` is a generator for that reason: each decision is settled before the next is made. Feeds of
different sources may be under way at the same time; those of one source never are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.pipeline._candidate import Candidate, Decision
from picsellia_async.predictions._labels import NEAREST, nearest_names

_INDEXES_SHOWN: Final = 10


class Rule:
    """Decides whether frames are kept: `a & b` keeps what both keep, `a | b` what one of them keeps.

    Subclasses that decide at once define `allows`, and `kept` where they remember what was kept.
    """

    name: str = "rule"
    """Reason under which the frames that it does not keep are counted."""
    needs_picture: bool = False
    """Whether it looks at `Candidate.picture`."""
    holds_back: bool = False
    """Whether it may decide on a frame only after later ones."""
    classes: frozenset[str | int] = frozenset()
    """Names and indexes of classes that it asks for."""

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __and__(self, other: Keep) -> Rule:
        return AllOf((self, as_rule(other)))

    def __rand__(self, other: Keep) -> Rule:
        return AllOf((as_rule(other), self))

    def __or__(self, other: Keep) -> Rule:
        return AnyOf((self, as_rule(other)))

    def __ror__(self, other: Keep) -> Rule:
        return AnyOf((as_rule(other), self))

    def allows(self, candidate: Candidate) -> bool:
        """Return whether a frame may be kept. Changes nothing that depends on whether it is."""
        raise NotImplementedError

    def kept(self, candidate: Candidate) -> None:
        """Take note of a frame that was kept in the end, by this rule and all others."""

    def feed(self, candidate: Candidate) -> Iterator[Decision]:
        """Yield what is decided now, of this frame and of those held back."""
        is_kept = False
        error: BaseException | None = None
        try:
            is_kept = self.allows(candidate)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as raised:  # noqa: BLE001 - a function of the user's; counted by who asked
            error = raised
        yield Decision(candidate, is_kept, (self.name,), error)

    def settle(self, candidate: Candidate, *, is_kept: bool) -> None:
        """Take note of what became of a frame in the end, once for each decision."""
        if is_kept:
            self.kept(candidate)

    def flush(self) -> Iterator[Decision]:
        """Yield decisions on all that is held back: no further frames come."""
        return iter(())


Keep: TypeAlias = Rule | Callable[[Candidate], object]
"""A rule, or a function of your own that returns whether to keep a frame; it runs in the event loop and must be quick."""


class Own(Rule):
    """A function of the user's."""

    def __init__(self, function: Callable[[Candidate], object]) -> None:
        """Store it; frames that it does not keep are counted under its name."""
        self._function = function
        self.name = getattr(function, "__name__", None) or type(function).__name__

    def allows(self, candidate: Candidate) -> bool:
        """Ask the function."""
        return bool(self._function(candidate))


class AllOf(Rule):
    """Keeps what all of its rules keep; each sees what those before it let through."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Store the rules, in the order in which they are asked."""
        self._rules = tuple(rules)
        self.name = " & ".join(rule.name for rule in self._rules)
        self.needs_picture = any(rule.needs_picture for rule in self._rules)
        self.holds_back = any(rule.holds_back for rule in self._rules)
        self.classes = frozenset[str | int]().union(*(rule.classes for rule in self._rules))
        self._through: dict[Candidate, tuple[tuple[str, ...], BaseException | None]] = {}
        """Rules that have let a candidate through so far, and what one raised, for all that are on their way."""
        self._asked: dict[Candidate, int] = {}
        """Rules that have decided on a candidate whose decision is not settled."""

    def feed(self, candidate: Candidate) -> Iterator[Decision]:
        """Ask one rule after the other."""
        return self._feed(0, candidate)

    def _feed(self, place: int, candidate: Candidate) -> Iterator[Decision]:
        if place == len(self._rules):
            self._asked[candidate] = place
            yield Decision(candidate, True, *self._through.pop(candidate, ((), None)))
            return
        for decision in self._rules[place].feed(candidate):
            yield from self._next(place, decision)

    def _next(self, place: int, decision: Decision) -> Iterator[Decision]:
        """Hand what a rule has let through to the next one."""
        candidate = decision.candidate
        if decision.is_kept:
            rules, error = self._through.get(candidate, ((), None))
            self._through[candidate] = (*rules, *decision.rules), error or decision.error
            yield from self._feed(place + 1, candidate)
        else:
            self._through.pop(candidate, None)
            self._asked[candidate] = place + 1
            yield decision

    def settle(self, candidate: Candidate, *, is_kept: bool) -> None:
        """Tell the rules that decided on it."""
        for rule in self._rules[: self._asked.pop(candidate, 0)]:
            rule.settle(candidate, is_kept=is_kept)

    def flush(self) -> Iterator[Decision]:
        """Pass on what each rule holds back; what the next one makes of it is its affair."""
        for place, rule in enumerate(self._rules):
            for decision in rule.flush():
                yield from self._next(place, decision)


@attrs.define(eq=False)
class _Vote:
    """What is known of a candidate that several rules decide on, each in its own time."""

    open: int
    """Rules that have not decided yet."""
    untold: list[Rule] = attrs.field(factory=list)
    """Those that have decided, and have not been told the end."""
    is_decided: bool = False
    """Whether the decision was given."""
    is_kept: bool | None = None
    """What became of it in the end, once that is known."""
    error: BaseException | None = None
    """What one of the rules raised."""


class AnyOf(Rule):
    """Keeps what at least one of its rules keeps; all of them see every frame."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Store the rules."""
        self._rules = tuple(rules)
        self.name = " | ".join(rule.name for rule in self._rules)
        self.needs_picture = any(rule.needs_picture for rule in self._rules)
        self.holds_back = any(rule.holds_back for rule in self._rules)
        self.classes = frozenset[str | int]().union(*(rule.classes for rule in self._rules))
        self._votes: dict[Candidate, _Vote] = {}

    def feed(self, candidate: Candidate) -> Iterator[Decision]:
        """Ask all rules; the first that keeps the frame decides."""
        self._votes[candidate] = _Vote(len(self._rules))
        for rule in self._rules:
            for decision in rule.feed(candidate):
                yield from self._count(rule, decision)

    def _count(self, rule: Rule, decision: Decision) -> Iterator[Decision]:
        candidate = decision.candidate
        vote = self._votes[candidate]
        vote.open -= 1
        vote.error = vote.error or decision.error
        if vote.is_kept is not None:  # settled, since another rule kept it
            rule.settle(candidate, is_kept=vote.is_kept and decision.is_kept)
            if not vote.open:
                del self._votes[candidate]
        elif decision.is_kept and not vote.is_decided:
            # Those that said no hear no: they do not count what another rule keeps.
            refused, vote.untold, vote.is_decided = vote.untold, [rule], True
            for other in refused:
                other.settle(candidate, is_kept=False)
            yield Decision(candidate, True, decision.rules, vote.error)
        elif decision.is_kept or not vote.is_decided:
            vote.untold.append(rule)
            if not vote.open and not vote.is_decided:
                vote.is_decided = True
                yield Decision(candidate, False, (self.name,), vote.error)
        else:
            rule.settle(candidate, is_kept=False)

    def settle(self, candidate: Candidate, *, is_kept: bool) -> None:
        """Tell the rules that have decided; the others are told when they do."""
        vote = self._votes[candidate]
        vote.is_kept = is_kept
        for rule in vote.untold:
            rule.settle(candidate, is_kept=is_kept)
        vote.untold = []
        if not vote.open:
            del self._votes[candidate]

    def flush(self) -> Iterator[Decision]:
        """Pass on what each rule holds back."""
        for rule in self._rules:
            for decision in rule.flush():
                yield from self._count(rule, decision)


def as_rule(value: Any) -> Rule:
    """Return the rule behind a rule or a function.

    Raises:
        ConfigurationError: It is neither.
    """
    if isinstance(value, Rule):
        return value
    if callable(value) and not isinstance(value, type):
        return Own(value)
    raise ConfigurationError(f"keep must be rules or functions that take a Candidate, got {shown(value)}")


def as_rules(keep: Any) -> Rule:
    """Return one rule for what `keep=` was given: nothing, a rule or function, or a sequence of them."""
    if keep is None:
        return AllOf(())
    return AllOf([as_rule(one) for one in keep] if isinstance(keep, Sequence) else [as_rule(keep)])


def check_class_names(rule: Rule, known: Collection[str], indexes: Collection[int] | None = None) -> None:
    """Refuse a rule that asks for a class that there is not: it would keep nothing, and say so nowhere.

    Args:
        rule: Of a pipeline.
        known: Names of all classes that frames may show.
        indexes: Their indexes; None: any.

    Raises:
        ConfigurationError: It asks for one.
    """
    unknown = sorted({one for one in rule.classes if isinstance(one, str)} - set(known))
    if unknown:
        near = nearest_names(unknown[0], known)
        raise ConfigurationError(
            f"classes asks for {', '.join(map(repr, unknown[:NEAREST]))}, and frames show no such class; there are "
            f"{_some(map(repr, near), of=len(known))}"
        )
    if indexes is None:
        return
    known_indexes = set(indexes)
    beyond = sorted({one for one in rule.classes if isinstance(one, int)} - known_indexes)
    if beyond:
        raise ConfigurationError(
            f"classes asks for {', '.join(map(str, beyond[:NEAREST]))}, and frames show no class of that index; there are "
            f"{_some(map(str, sorted(known_indexes)[:_INDEXES_SHOWN]), of=len(known_indexes))}"
        )


def _some(shown_ones: Iterable[str], *, of: int) -> str:
    """Return some of so many, and whether there are more."""
    some = list(shown_ones)
    return ", ".join([*some, "..."] if len(some) < of else some)
