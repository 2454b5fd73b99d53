"""A line for the log, as those who decide on it return it: they are pure, and who calls them writes it."""

from __future__ import annotations

import logging
import math
from typing import Final, Protocol

import attrs

_LOGGER: Final = logging.getLogger("picsellia_async")


@attrs.frozen
class Line:
    """A line for the log."""

    level: int
    """Of `logging`."""
    text: str
    """The message."""
    fields: dict[str, object]
    """Keys and values for formatters that print them (`extra=`)."""


LINE_SECONDS: Final = 30.0
"""What a line costs."""
_BURST_SECONDS: Final = 20 * LINE_SECONDS
"""What may be told ahead."""


@attrs.define
class LineBudget:
    """Bounds the lines of one who tells: twenty at once, and one every 30 seconds, so that a day has under 3,000."""

    _paid_until: float = attrs.field(default=-math.inf, init=False)
    """To when the lines told so far would reach, at one every `LINE_SECONDS`."""

    @property
    def permitted_at(self) -> float:
        """When there is a line to spend."""
        return self._paid_until - _BURST_SECONDS

    def pay(self, now: float, lines: int) -> None:
        """Spend lines: what is told now, and what must be told after it.

        Args:
            now: Monotonic seconds.
            lines: How many.
        """
        self._paid_until = max(self._paid_until, now) + LINE_SECONDS * lines


class Tell(Protocol):
    """Writes a line at once, as `tell` does, or with whose it is."""

    def __call__(self, level: int, text: str, **fields: object) -> None:
        """Write it."""


def tell(level: int, text: str, **fields: object) -> None:
    """Write a line at once.

    Args:
        level: Of `logging`.
        text: The message, with `%(name)s` for each field.
        **fields: Its values, which the record has for formatters too (`extra=`).
    """
    _LOGGER.log(level, text, fields, extra=fields, stacklevel=2)


def write(*lines: Line | None) -> None:
    """Write lines to the logger `picsellia_async`; None is no line."""
    for line in lines:
        if line is not None:
            _LOGGER.log(line.level, "%s", line.text, extra=line.fields)
