"""`Parameters`: the query of a URL, read by type."""

from __future__ import annotations

import math
from typing import Any, Final, NoReturn
from uuid import UUID

import attrs
import orjson

from picsellia_async.emulator.refusal import unprocessable

_DIGITS_MAX: Final = 18
"""Whole numbers stay below 2**63, which is what the database can hold."""

_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False}


@attrs.define
class Parameters:
    """The query of a request, read by type; remembers which names were asked for, so that unknown ones can be refused."""

    pairs: list[tuple[str, str]]
    """Names and values in the order of the URL."""
    _asked: set[str] = attrs.field(factory=set, init=False)

    def texts(self, name: str) -> list[str]:
        """Return every value of a repeated name."""
        self._asked.add(name)
        return [value for key, value in self.pairs if key == name]

    def text(self, name: str) -> str | None:
        """Return the only value of a name, or None.

        Raises:
            Refusal: 422, it is there more than once.
        """
        values = self.texts(name)
        if len(values) > 1:
            raise unprocessable(f"{name} is in the query {len(values)} times")
        return values[0] if values else None

    def required(self, name: str) -> str:
        """Return the value of a name.

        Raises:
            Refusal: 422, it is not there or empty.
        """
        value = self.text(name)
        if not value:
            raise unprocessable(f"{name} is missing in the query")
        return value

    def uuid(self, name: str) -> str | None:
        """Return an id in canonical form, or None.

        Raises:
            Refusal: 422, it is no UUID.
        """
        value = self.text(name)
        if value is None:
            return None
        try:
            return str(UUID(value))
        except ValueError:
            self._refuse(name, "a UUID", value)

    def integer(self, name: str, minimum: int = 0) -> int | None:
        """Return a whole number, or None.

        Raises:
            Refusal: 422, it is none, or below `minimum`.
        """
        value = self.text(name)
        if value is None:
            return None
        if not (value.isascii() and value.removeprefix("-").isdecimal()):
            self._refuse(name, "a whole number", value)
        if len(value) > _DIGITS_MAX:
            self._refuse(name, f"a whole number of at most {_DIGITS_MAX} digits", f"{value[:_DIGITS_MAX]}...")
        number = int(value)
        if number < minimum:
            self._refuse(name, f"at least {minimum}", value)
        return number

    def number(self, name: str) -> float | None:
        """Return a number, or None.

        Raises:
            Refusal: 422, it is none.
        """
        value = self.text(name)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self._refuse(name, "a number", value)
        return number

    def boolean(self, name: str) -> bool | None:
        """Return a truth value in Python's or JSON's spelling, or None.

        Raises:
            Refusal: 422, it is none.
        """
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in _BOOLEANS:
            self._refuse(name, "True or False", value)
        return _BOOLEANS[value.lower()]

    def json(self, name: str) -> dict[str, Any] | None:
        """Return a JSON object, or None.

        Raises:
            Refusal: 422, it is none.
        """
        value = self.text(name)
        if value is None:
            return None
        found = json_object(value)
        if found is None:
            self._refuse(name, "a JSON object", value)
        return found

    def one_of(self, *names: str) -> tuple[str, str]:
        """Return name and value of the only one that is given.

        Raises:
            Refusal: 422, none or several are given.
        """
        given = [(name, value) for name in names if (value := self.text(name)) is not None]
        if len(given) != 1:
            raise unprocessable(f"exactly one of {', '.join(names)} must be in the query, got {len(given)}")
        return given[0]

    def unknown(self) -> list[str]:
        """Return the names that no one asked for."""
        return sorted({name for name, _ in self.pairs} - self._asked)

    def _refuse(self, name: str, expected: str, value: str) -> NoReturn:
        raise unprocessable(f"{name} in the query must be {expected}, got {value!r}")


def json_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object of a text, or None where it is none."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
