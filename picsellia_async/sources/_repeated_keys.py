"""JSON objects that say one key twice: which value is meant nobody can tell, and parsers take the last one in silence."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from picsellia_async.sources._errors import SourceError

_SPACED_END: Final = re.compile(rb'"\s+:')
"""Stands behind a key in the rare files that put space there."""


class RepeatedKeys(dict[str, Any]):
    """An object that says a key twice, itself or somewhere in it."""

    key: str
    """The first such key."""
    is_own: bool
    """Whether it is a key of this object, and not of one in it."""

    def __init__(self, pairs: list[tuple[str, Any]], key: str, *, is_own: bool) -> None:
        """Store the pairs, as any parser would."""
        super().__init__(pairs)
        self.key = key
        self.is_own = is_own


def refuse_repeated(value: object, *, own: bool = False) -> None:
    """Refuse an object that says a key twice.

    Args:
        value: What was parsed.
        own: Whether objects in it are looked at elsewhere.

    Raises:
        SourceError: It does.
    """
    if isinstance(value, RepeatedKeys) and (value.is_own or not own):
        raise SourceError(f"the key {value.key!r} is there twice in one object")


def has_repeated(content: bytes, parsed: object) -> bool:
    """Whether some object of the JSON may say a key twice, told by counting: keys in the text, and keys that the parser kept."""
    # Each key ends so, and sometimes a part of a text does: the same count leaves no room for a key that was dropped.
    ends = content.count(b'":') + sum(1 for _ in _SPACED_END.finditer(content))
    return ends != _count(parsed)


def _count(parsed: object) -> int:
    """Return how many keys all objects of a value have; lists of numbers alone are passed over."""
    count, waiting = 0, [parsed]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            count += len(value)
            waiting += [one for one in value.values() if type(one) in _HOLDERS]
        elif isinstance(value, list) and not _HOLDERS.isdisjoint(map(type, value)):
            waiting += value
    return count


_HOLDERS: Final = frozenset({dict, list})


def parsed_slowly(text: str) -> object:
    """Return what JSON says, with `RepeatedKeys` for each object that says a key twice, and for those around it.

    Raises:
        json.JSONDecodeError: It is no JSON.
    """
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        return RepeatedKeys(pairs, next(key for key in keys if keys.count(key) > 1), is_own=True)
    inner = next((one for value in found.values() if (one := _first(value)) is not None), None)
    return found if inner is None else RepeatedKeys(pairs, inner.key, is_own=False)


def _first(value: object) -> RepeatedKeys | None:
    """Return the first such object in a value, which may be a list of lists."""
    if isinstance(value, list):
        return next((found for one in value if (found := _first(one)) is not None), None)
    return value if isinstance(value, RepeatedKeys) else None
