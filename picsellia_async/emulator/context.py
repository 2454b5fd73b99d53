"""What a handler is given beside the state, and how it refuses. Nothing here knows Starlette or the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar
from uuid import UUID

import attrs
import orjson

from picsellia_async._wire.unset import UNSET, Unset

T = TypeVar("T")

_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False}


@attrs.define(slots=False, eq=False)
class Refusal(Exception):
    """A handler's answer that is no success; the application turns it into status and error body."""

    status: int
    """HTTP status."""
    message: str
    """What is wrong; `message` of the error body."""
    detail: Any = None
    """Text, a list of texts, or None; `detail` of the error body."""


def bad_request(message: str, detail: Any = None) -> Refusal:
    """Return a 400: the request contradicts itself or the state it meets."""
    return Refusal(400, message, detail)


def unauthorized(message: str) -> Refusal:
    """Return a 401: no token, or not one for this service."""
    return Refusal(401, message)


def forbidden(message: str) -> Refusal:
    """Return a 403: the token is good, but not for this object."""
    return Refusal(403, message)


def not_found(what: str, key: object = "") -> Refusal:
    """Return a 404 that names what was looked for."""
    return Refusal(404, f"no {what} {key}".rstrip())


def conflict(message: str) -> Refusal:
    """Return a 409: the name is taken, or the work was done before."""
    return Refusal(409, message)


def unprocessable(message: str, detail: Any = None) -> Refusal:
    """Return a 422: the content of the request cannot be used."""
    return Refusal(422, message, detail)


def known(value: T | Unset) -> T | None:
    """Return a field of a request, or None where it was not given."""
    return None if value is UNSET else value


def uuid_or_404(text: str, what: str) -> str:
    """Return an id in its canonical form; an id that is no UUID names nothing.

    Raises:
        Refusal: 404.
    """
    try:
        return str(UUID(text))
    except ValueError:
        raise not_found(what, text) from None


@attrs.define
class Query:
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
        try:
            number = int(value)
        except ValueError:
            self._refuse(name, "a whole number", value)
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
            return float(value)
        except ValueError:
            self._refuse(name, "a number", value)

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
        try:
            found = orjson.loads(value)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
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


@attrs.define(kw_only=True)
class Call:
    """One request, as far as a handler needs it."""

    path: Mapping[str, str]
    """Values of the names in braces of the endpoint's path."""
    query: Query
    """The query."""
    origin: str
    """`http://host:port` under which the client reached the emulator; what presigned URLs and hosts are built on."""
    user: dict[str, Any]
    """Document of the user whose token was used; of the deployment's JWT on the oracle and serving hosts."""
    deployment_id: str | None = None
    """Deployment that the JWT is for; None where an api token was used."""
    content: bytes = attrs.field(default=b"", repr=False)
    """The body as it arrived."""
    content_type: str = ""
    """Content-Type header; only multipart forms look at it."""
    images: list[str] = attrs.field(factory=list)
    """SHA-256 of the images found in the body; for the journal."""

    @property
    def organization_id(self) -> str:
        """Organization of the user."""
        return str(self.user["organization_id"])

    def id(self, name: str, what: str) -> str:
        """Return an id of the path in canonical form.

        Raises:
            Refusal: 404, it is no UUID.
        """
        return uuid_or_404(self.path[name], what)
