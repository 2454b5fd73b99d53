"""What the log is told of callbacks of the user that raise: the first error at once, then the count, every 30 seconds. Pure.

A traceback is told once of each class of errors and each place: a callback that raises for every frame fills no log with them.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Callable
from typing import Final

import attrs

from picsellia_async._error_text import hide_secrets
from picsellia_async._log_line import LINE_SECONDS, Line

_STEPS_SHOWN: Final = -5
"""Of a traceback: the last ones."""
_HEAD_MAX: Final = 300
"""Characters of an error in the line's own text; more of it is in the traceback below."""
_NEW_MAX: Final = 3
"""Tracebacks of a line."""
_KINDS_MAX: Final = 100
"""Of errors of one callback whose traceback is told, so that memory stays flat."""


@attrs.define
class _Callback:
    untold: int = 0
    """Errors since the line before."""
    last: traceback.TracebackException | None = None
    """Not the exception, which holds the frame that the callback was told of."""
    told_at: float = -math.inf
    new: list[traceback.TracebackException] = attrs.field(factory=list)
    """Of these errors: the first of each kind that was not told before."""
    kinds: set[tuple[type, str, int | None]] = attrs.field(factory=set)
    """Class and place of what was told, or is about to be."""


@attrs.define
class CallbackLog:
    """Decides on the lines. Each callback has its own: one that raises for each frame must not hide another."""

    _owner: Callable[[], str] = lambda: "the uploader"
    """Whose callbacks they are."""
    _callbacks: dict[str, _Callback] = attrs.field(factory=dict, init=False)

    @property
    def next_at(self) -> float:
        """When `due` has something to tell although nothing is raised; infinity: never."""
        return min((one.told_at + LINE_SECONDS for one in self._callbacks.values() if one.untold), default=math.inf)

    def raised(self, name: str, error: BaseException) -> None:
        """A callback raised.

        Args:
            name: The option that it was given as.
            error: What it raised.
        """
        one = self._callbacks.setdefault(name, _Callback())
        one.untold += 1
        one.last = last = traceback.TracebackException.from_exception(error, limit=_STEPS_SHOWN, lookup_lines=False)
        place = last.stack[-1] if last.stack else None
        kind = (type(error), place.filename, place.lineno) if place else (type(error), "", None)
        if kind not in one.kinds and len(one.new) < _NEW_MAX and len(one.kinds) < _KINDS_MAX:
            one.kinds.add(kind)
            one.new.append(last)

    def due(self, now: float) -> list[Line]:
        """Return the lines for which it is time.

        Args:
            now: Monotonic seconds.
        """
        due = {name: one for name, one in self._callbacks.items() if one.untold and now >= one.told_at + LINE_SECONDS}
        lines = [self._line(name, one, one.last) for name, one in due.items() if one.last is not None]
        for one in due.values():
            one.untold, one.last, one.told_at, one.new = 0, None, now, []
        return lines

    def rest(self) -> list[Line]:
        """Return the lines for all that was not told yet; whatever comes later is told at once."""
        lines = self.due(math.inf)
        for one in self._callbacks.values():
            one.told_at = -math.inf
        return lines

    def _line(self, name: str, one: _Callback, last: traceback.TracebackException) -> Line:
        head = hide_secrets(" ".join("".join(last.format_exception_only()).split()))[:_HEAD_MAX]
        steps = [hide_secrets("".join(error.format()).rstrip()) for error in one.new]
        place = last.stack[-1] if last.stack and last not in one.new else None
        where = f" (in {place.name}, line {place.lineno} of {place.filename})" if place else ""
        count = f"{one.untold} time{'s' * (one.untold > 1)}"
        often = "" if math.isinf(one.told_at) else f" {count} since the last line, the last"
        # Not as `exc_info`, which formatters show as it is.
        text = f"a callback of {self._owner()} raised{often}: {name}: {head}{where}"
        return Line(logging.ERROR, text, {"callback": name, "raised": one.untold}, "\n".join(steps))
