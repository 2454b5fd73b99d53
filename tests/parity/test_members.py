"""Members, parameters, their order and defaults are the vendor's, or stand in one table with the reason."""

from __future__ import annotations

import importlib
import inspect
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import sides
from .members import DIFFERENCES, PAIRS, Difference

DOCS = Path(__file__).parents[2] / "docs/differences.md"


def classes(name: str) -> tuple[type, type]:
    """Return the vendor's class and ours."""
    sides.load_vendor()
    module, ours = PAIRS[name]
    our_module, our_name = ours.split(":")
    return getattr(importlib.import_module(module), name), getattr(importlib.import_module(our_module), our_name)


def members(owner: type) -> set[str]:
    """Return the public names of a class; an attrs value keeps its fields as members too."""
    return {name for name, _ in inspect.getmembers(owner) if not name.startswith("_")}


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    """Return the parameters that a caller gives."""
    found = inspect.signature(inspect.unwrap(function)).parameters
    return {name: one for name, one in found.items() if name not in {"self", "cls"}}


def by_position(some: dict[str, inspect.Parameter], common: set[str]) -> list[str]:
    return [name for name, one in some.items() if name in common and one.kind is one.POSITIONAL_OR_KEYWORD]


def call_differences(theirs: Any, ours: Any) -> Iterator[str]:
    """Yield what differs between two methods of one name."""
    vendor, own = parameters(theirs), parameters(ours)
    yield from (f"({name})" for name in vendor.keys() - own.keys())
    yield from (f"+({name})" for name in own.keys() - vendor.keys())
    common = vendor.keys() & own.keys()
    yield from (f"({name}=)" for name in common if repr(vendor[name].default) != repr(own[name].default))
    positional = by_position(own, set(common))
    yield from (f"({name} by keyword)" for name in by_position(vendor, set(common)) if name not in positional)
    if by_position(vendor, set(positional)) != positional:
        yield "(order)"


def differences(name: str) -> set[str]:
    """Return all that differs between the classes of one pair, as the table writes it."""
    vendor, own = classes(name)
    theirs, ours = members(vendor), members(own)
    found = {*(theirs - ours), *(f"+{member}" for member in ours - theirs)}
    for member in theirs & ours:
        pair = getattr(vendor, member), getattr(own, member)
        if callable(pair[0]) != callable(pair[1]):
            found.add(f"{member} is a call")
        elif callable(pair[0]):
            found |= {
                f"+{member}{one[1:]}" if one.startswith("+") else f"{member}{one}" for one in call_differences(*pair)
            }
    return found


def listed(name: str) -> Counter[str]:
    """Return the differences of a class that have a reason."""
    return Counter(one for row in DIFFERENCES for owner in ("*", name) for one in row.members.get(owner, ()))


@pytest.mark.parametrize("name", PAIRS)
def test_each_difference_has_its_reason(name: str) -> None:
    """A difference that is not in the table fails, and a row of it that is no difference any more."""
    found, reasons = differences(name), listed(name)
    everywhere = {one for row in DIFFERENCES for one in row.members.get("*", ())}
    assert sorted(found - reasons.keys()) == []
    assert sorted(reasons.keys() - found - everywhere) == []
    assert [one for one, count in reasons.items() if count > 1] == []


def test_what_stands_for_several_classes_differs_in_several() -> None:
    """A row of `*` goes when the last class but one lost it."""
    found = Counter(one for name in PAIRS for one in differences(name))
    assert [one for row in DIFFERENCES for one in row.members.get("*", ()) if found[one] < 2] == []


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one.reason[:40])
def test_what_a_user_meets_is_documented(difference: Difference) -> None:
    """The table of docs/differences.md has a row that begins so; classes are those of the pairs."""
    assert difference.row is None or f"\n| {difference.row}" in DOCS.read_text(encoding="utf-8")
    assert difference.members.keys() <= {"*", *PAIRS}
