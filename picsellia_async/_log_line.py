"""A line for the log, as those who decide on it return it: they are pure, and who calls them writes it."""

from __future__ import annotations

import logging
from typing import Final

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


def write(*lines: Line | None) -> None:
    """Write lines to the logger `picsellia_async`; None is no line."""
    for line in lines:
        if line is not None:
            _LOGGER.log(line.level, "%s", line.text, extra=line.fields)
