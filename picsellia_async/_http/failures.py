"""httpx's exceptions, made the way the transport raises them: with `request_sent`. No decision is made here."""

from __future__ import annotations

from typing import TypeVar

E = TypeVar("E", bound=Exception)


def failure(kind: type[E], message: str, *, request_sent: bool = False, status: int = 0) -> E:
    """Make one of httpx's exceptions and note whether the whole request may have reached the peer.

    Args:
        kind: Class to raise.
        message: What happened, without secrets.
        request_sent: False where the peer cannot have received the whole request, so that repeating it is harmless.
        status: Of an answer whose body broke off; 0 where none began.
    """
    error = kind(message)
    error.request_sent = request_sent  # type: ignore[attr-defined]
    error.status = status  # type: ignore[attr-defined]
    return error
