"""What ends an exchange, with `request_sent`: httpx's exceptions as the transport raises them, and cancellations. No decision is made here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
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
    note_sent(error, request_sent=request_sent)
    error.status = status  # type: ignore[attr-defined]
    return error


def note_sent(error: BaseException, *, request_sent: bool) -> None:
    """Note on what ends an exchange whether the whole request may have reached the peer."""
    error.request_sent = request_sent  # type: ignore[attr-defined]


@contextlib.contextmanager
def before_sending() -> Iterator[None]:
    """Note on a cancellation within that the request was not sent: it still waits for something."""
    try:
        yield
    except asyncio.CancelledError as error:
        note_sent(error, request_sent=False)
        raise
