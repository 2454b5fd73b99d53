"""`Refusal`: an answer that is no success, raised by whatever finds the request wrong. Nothing here knows who answers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import attrs


@attrs.define(slots=False, eq=False)
class Refusal(Exception):
    """An answer that is no success; the application turns it into status and error body."""

    status: int
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


def uuid_or_404(text: str, what: str) -> str:
    """Return an id in its canonical form; an id that is no UUID names nothing.

    Raises:
        Refusal: 404.
    """
    try:
        return str(UUID(text))
    except ValueError:
        raise not_found(what, text) from None
