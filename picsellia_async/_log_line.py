"""The one way to the log: `logger`, and lines as those who decide on them return them, who are pure; who calls them writes them.

Filters, handlers and formatters are the application's, and may raise. That must not end a task or a thread of delivery.
What names of files and sources hold must not end a line, nor move the cursor of a terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import sys
import threading
import traceback
import weakref
from collections.abc import Mapping
from typing import Any, Final, Protocol, Self

import attrs

_ENDING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that end a line or move the cursor, turn the direction of writing, or cannot be written."""
_STEPS_SHOWN: Final = -3
"""Of the traceback of a handler: the last ones."""
_KINDS_MAX: Final = 100
"""Of errors of handlers that are shown, so that memory stays flat."""


def one_line(text: str) -> str:
    """Return a text with the characters that end a line, or do worse to a terminal, as Python writes them."""
    return text if text.isprintable() else _ENDING.sub(lambda one: one[0].encode("unicode_escape").decode(), text)


def _shown(value: object) -> object:
    """Return a value as a line shows it, in one line; itself where it is so already, for its format."""
    if value is None or isinstance(value, (int, float)):
        return value
    text = str(value)
    return value if (line := one_line(text)) == text else _Line(line, value)


class _Line(str):
    """What a line shows of a value; by `%r` as the value's own `repr`, which would write what is escaped already a second time."""

    __slots__ = ("_of",)
    _of: object

    def __new__(cls, line: str, value: object) -> Self:
        """Store both."""
        new = super().__new__(cls, line)
        new._of = value
        return new

    def __repr__(self) -> str:
        """Return that of the value."""
        return one_line(repr(self._of))


class SafeLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose calls raise nothing, and whose messages are of one line."""

    def log(self, level: int, msg: object, *args: object, stacklevel: int = 1, **kwargs: Any) -> None:
        """Log as `logging.Logger.log` does. What a filter or handler raises is shown on stderr, once of each kind.

        Args:
            level: Of `logging`.
            msg: The message; the values in it are shown in one line.
            *args: Its values.
            stacklevel: As for `logging`: whose call this is.
            **kwargs: `extra`, `exc_info`.
        """
        try:
            if self.logger.isEnabledFor(level):
                if len(args) == 1 and isinstance(args[0], Mapping):
                    args = ({name: _shown(value) for name, value in args[0].items()},)
                else:
                    args = tuple(map(_shown, args))
                self.logger.log(level, msg, *args, stacklevel=stacklevel + 1, **kwargs)
        # Also what is no `Exception`, as of callbacks: a worker that it ended would leave its frames without outcome.
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is shown
            _failed(error)


logger: Final = SafeLogger(logging.getLogger("picsellia_async"))
"""The logger of the library; no module has another."""

_FAILED: Final[set[tuple[type, str, int | None]]] = set()
"""Class and place of the errors of handlers that were shown."""
_ENDED: Final[weakref.WeakSet[asyncio.AbstractEventLoop]] = weakref.WeakSet()
"""Loops that were ended by such an error: a second time would end closing, in which each frame has its outcome."""


def _failed(error: BaseException) -> None:
    """Show what a filter or handler raised, as `logging` shows errors of handlers; let out, once, what is meant to end the program."""
    steps = traceback.extract_tb(error.__traceback__, _STEPS_SHOWN)
    kind = (type(error), steps[-1].filename, steps[-1].lineno) if steps else (type(error), "", None)
    if kind not in _FAILED and len(_FAILED) < _KINDS_MAX:
        _FAILED.add(kind)
        with contextlib.suppress(Exception):  # stderr may be closed, or none
            if logging.raiseExceptions and sys.stderr:
                shown = "".join(traceback.format_list(steps)) + "".join(traceback.format_exception_only(error))
                sys.stderr.write(f"--- Logging error: a filter or handler of picsellia_async raised ---\n{shown}")
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if threading.current_thread() is threading.main_thread():
                raise error from None
            return  # it would end that thread alone, and whoever waits for it would wait for ever
        if loop not in _ENDED:
            _ENDED.add(loop)
            loop.call_soon(_raise, error)


def _raise(error: BaseException) -> None:
    raise error


@attrs.frozen
class Line:
    """A line for the log."""

    level: int
    """Of `logging`."""
    text: str
    """The message."""
    fields: dict[str, object]
    """Keys and values for formatters that print them (`extra=`)."""
    below: str = ""
    """The end of a traceback, which has lines of its own."""


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
    logger.log(level, text, fields, extra=fields, stacklevel=2)


def write(*lines: Line | None) -> None:
    """Write lines to the logger `picsellia_async`; None is no line."""
    for line in lines:
        if line is not None:
            below = "".join("\n" + one_line(one) for one in line.below.splitlines()).replace("%", "%%")
            logger.log(line.level, f"%s{below}", line.text, extra=line.fields)  # noqa: G004 - its `%` are doubled
