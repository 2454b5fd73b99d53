"""Where the emulator answers otherwise than an account's services. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from picsellia_async.conformance.cassette import Cassette, RecordedAnswer
from picsellia_async.conformance.shapes import ANY_KEY, KNOWN_WORDS, Shape

_SIMILAR: Final = ({"integer", "number"}, {"text", "empty text", "word"})
"""Types that are told apart by their values alone: 1.0 is written as 1."""
_NOTHING: Final = {"null"}


@attrs.frozen
class Difference:
    """One place where the two differ."""

    call: str
    """Service, verb, path and query."""
    place: str
    """In the answer: "items[].tags" for instance; empty: the answer as a whole."""
    what: str
    """What the account's service gives, and what the emulator does."""

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.call}: {self.place + ': ' if self.place else ''}{self.what}"


def compare(account: Cassette, emulator: Cassette) -> list[Difference]:
    """Return where the emulator differs from what an account's services answered to the same calls.

    A call that only one of the two was asked tells nothing: what it needs was not there. Nor does an empty list.
    """
    found: list[Difference] = []
    for call, real in _by_call(account).items():
        emulated = _by_call(emulator).get(call)
        if emulated is None:
            continue
        statuses = [sorted({one.status for one in ones}) for ones in (real, emulated)]
        for one in real:
            same = [other for other in emulated if other.status == one.status]
            if not same:
                found.append(Difference(call, "", f"status {_list(statuses[0])}, the emulator {_list(statuses[1])}"))
                break
            found += _answers(one, same[0])
    return found


def undecided(account: Cassette, emulator: Cassette) -> list[str]:
    """Return the calls that only one of the two was asked."""
    return sorted(set(_by_call(account)) ^ set(_by_call(emulator)))


def _by_call(cassette: Cassette) -> dict[str, list[RecordedAnswer]]:
    found: dict[str, list[RecordedAnswer]] = {}
    for one in cassette.answers:
        found.setdefault(one.call, []).append(one)
    return found


def _answers(real: RecordedAnswer, emulated: RecordedAnswer) -> Iterable[Difference]:
    if real.content_type != emulated.content_type:
        what = f"content type {real.content_type or 'none'}, the emulator {emulated.content_type or 'none'}"
        yield Difference(real.call, "", what)
    elif real.shape is not None and emulated.shape is not None:
        for place, what in _shapes(real.shape, emulated.shape, ""):
            yield Difference(real.call, place, what)


def _shapes(real: Shape, emulated: Shape, place: str) -> Iterable[tuple[str, str]]:
    # Null alone is something that is not set there. What the emulator gives beside tells nothing: no account holds an example of all.
    if _NOTHING not in (real.types, emulated.types) and not _plain(real.types) <= _plain(emulated.types):
        yield place, f"{_list(real.types)}, the emulator {_list(emulated.types)}"
    unknown = {word for word in real.words - emulated.words if word.upper() not in KNOWN_WORDS}
    if unknown:
        yield place, f"the word {_list(unknown)}, which this SDK does not know"
    if "object" in real.types and "object" in emulated.types:
        yield from _objects(real, emulated, place)
    if real.items is not None and emulated.items is not None:
        yield from _shapes(real.items, emulated.items, f"{place}[]")


def _objects(real: Shape, emulated: Shape, place: str) -> Iterable[tuple[str, str]]:
    for key in sorted({*real.fields, *emulated.fields}):
        there = f"{place}.{key}" if place else key
        if key in real.fields and key in emulated.fields:
            yield from _shapes(real.fields[key], emulated.fields[key], there)
        elif key == ANY_KEY:
            continue  # the account's own words, of which there may be none
        elif key in real.fields:
            yield there, f"{_list(real.fields[key].types)}, the emulator has no such field"
        elif key not in emulated.optional:
            yield there, f"no such field, the emulator gives {_list(emulated.fields[key].types)}"


def _plain(types: set[str]) -> set[str]:
    found = set(types)
    for similar in _SIMILAR:
        if found & similar:
            found |= similar
    return found


def _list(values: Iterable[object]) -> str:
    return " or ".join(sorted(map(str, values)))
