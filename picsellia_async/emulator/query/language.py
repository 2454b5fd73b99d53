"""The query language of listings, as far as its documentation shows it (docs/wire.md#query-language): comparisons joined by `and` and `or`.

```text
data.filename = "a b" and (latency > 0.5 or tags.name in ("night", "rain"))
```

Paths reach into the JSON of the items; where one leads through a list, any element may match.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.refusal import Refusal, bad_request

Condition = Callable[[JsonObject], bool]

DEPTH_MAX: Final = 50
"""Brackets within brackets: the parser calls itself at each."""

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?(?![\w.]))|(?P<sign><=|>=|!=|=|<|>|\(|\)|,)"""
    r"""|(?P<word>[A-Za-z_][\w.\-]*))"""
)
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


def condition(text: str | None) -> Condition | None:
    """Return what a query asks of an item, or None for no query.

    Raises:
        Refusal: 400, the text is no query.
    """
    if text is None or not text.strip():
        return None
    return _Parser(text).parse()


def value_of(item: JsonObject, path: str) -> Any:
    """Return the value at a path of names joined by dots; a list on the way gives the list of what its elements hold.

    Raises:
        Refusal: 400, the path leads nowhere.
    """
    value: Any = item
    for name in path.split("."):
        if isinstance(value, list):
            value = [value_of(element, name) for element in value]
        elif isinstance(value, dict):
            if name not in value and not _is_free(path):
                raise bad_request(f"the query names {path!r}, which is no field of the items")
            value = value.get(name)
        elif value is not None:
            raise bad_request(f"the query names {path!r}, which is no field of the items")
    return value


def _is_free(path: str) -> bool:
    """Whether users choose the names below, so that a missing one is no mistake."""
    return any(part in ("metadata", "custom_metadata", "custom_metrics") for part in path.split("."))


class _Parser:
    """Recursive descent over the tokens of one query."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._error(f"at {text[position:]!r}")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        self._tokens.reverse()

    def parse(self) -> Condition:
        found = self._alternatives()
        if self._tokens:
            raise self._error(f"at {self._tokens[-1][1]!r}")
        return found

    def _alternatives(self) -> Condition:
        parts = [self._conjunction()]
        while self._takes_word("or"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def _conjunction(self) -> Condition:
        parts = [self._comparison()]
        while self._takes_word("and"):
            parts.append(self._comparison())
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def _comparison(self) -> Condition:
        kind, path = self._next()
        if path == "(":
            self._depth += 1
            if self._depth > DEPTH_MAX:
                raise self._error(f"brackets are nested more than {DEPTH_MAX} deep")
            inner = self._alternatives()
            self._expect(")")
            self._depth -= 1
            return inner
        if kind != "word":
            raise self._error(f"a field is expected at {path!r}")
        is_negated = self._takes_word("not")
        if self._takes_word("in"):
            values = self._values()
            return lambda item: _any_is(value_of(item, path), lambda found: found in values) is not is_negated
        _, sign = self._next()
        compare = _COMPARISONS.get(sign)
        if compare is None or is_negated:
            raise self._error(f"a comparison is expected at {sign!r}")
        wanted = self._value()
        if sign == "!=":
            return lambda item: not _any_is(value_of(item, path), lambda found: bool(found == wanted))
        return lambda item: _any_is(value_of(item, path), lambda found: _compared(compare, found, wanted))

    def _values(self) -> list[Any]:
        self._expect("(")
        values = [self._value()]
        while self._tokens and self._tokens[-1][1] == ",":
            self._tokens.pop()
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "number":
            number = float(text)
            if not math.isfinite(number):
                raise self._error(f"{text[:20]}... is too large a number")
            return number
        if text.lower() in _CONSTANTS:
            return _CONSTANTS[text.lower()]
        raise self._error(f"a value is expected at {text!r}")

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise self._error("it ends too early")
        return self._tokens.pop()

    def _expect(self, sign: str) -> None:
        if not self._tokens or self._tokens.pop()[1] != sign:
            raise self._error(f"{sign!r} is expected")

    def _takes_word(self, word: str) -> bool:
        if self._tokens and self._tokens[-1][0] == "word" and self._tokens[-1][1].lower() == word:
            self._tokens.pop()
            return True
        return False

    def _error(self, problem: str) -> Refusal:
        return bad_request(f"the query {self._text!r} cannot be read: {problem}")


def _any_is(found: Any, matches: Callable[[Any], bool]) -> bool:
    return any(_any_is(element, matches) for element in found) if isinstance(found, list) else matches(found)


def _compared(compare: Callable[[Any, Any], bool], found: Any, wanted: Any) -> bool:
    try:
        return bool(compare(found, wanted))
    except TypeError:
        return False
