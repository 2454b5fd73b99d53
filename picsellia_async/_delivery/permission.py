"""Whether sending is allowed: the user's `allowed`, asked once a second at most; and hours of the day as one."""

from __future__ import annotations

import datetime
import logging
import math
import re
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from picsellia_async._log_line import Tell, tell
from picsellia_async.errors import ConfigurationError, shown

_ASK_SECONDS: Final = 1.0
"""How long an answer counts."""
_TIME: Final = re.compile(r"(\d\d):(\d\d)")


def _minutes(text: Any, name: str) -> int:
    """Return the minute of the day that a text such as 22:30 means."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    hour, minute = (int(found[1]), int(found[2])) if found else (24, 60)
    if minute > 59 or not (hour < 24 or (hour, minute) == (24, 0)):
        raise ConfigurationError(f'{name} must be a time of the day such as "22:30", got {shown(text)}')
    return hour * 60 + minute


def _zone(name: Any) -> datetime.tzinfo | None:
    if name is None:
        return None
    import zoneinfo  # noqa: PLC0415 - few programs need it

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise ConfigurationError(
            f'zone must be the name of a time zone such as "Europe/Paris", got {shown(name)} (a system without a list of zones '
            "needs the package tzdata)"
        ) from error


@attrs.frozen
class Hours:
    """Hours of the day, for the uploader's `allowed`: `Hours("22:00", "06:00", zone="Europe/Paris")`.

    Calling it tells whether it is such an hour now; so it can stand in a function of your own.

    Raises:
        ConfigurationError: A time is none, both are the same, or there is no such zone.
    """

    begin: str
    """Of the first minute, as "22:00"."""
    end: str
    """Of the first minute that is none of them any more; up to "24:00". Before `begin`: that of the next day."""
    zone: str | None = None
    """Name of the time zone; None: that of the machine."""
    _begin: int = attrs.field(init=False, repr=False, eq=False)
    _end: int = attrs.field(init=False, repr=False, eq=False)
    _tz: datetime.tzinfo | None = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Read the texts."""
        begin, end = _minutes(self.begin, "begin"), _minutes(self.end, "end")
        if begin == end:
            raise ConfigurationError(f"begin and end are both {shown(self.begin)}: no hour is between them")
        for name, value in (("_begin", begin), ("_end", end), ("_tz", _zone(self.zone))):
            object.__setattr__(self, name, value)

    def __call__(self, at: float | None = None) -> bool:
        """Return whether a time is in these hours.

        Args:
            at: Epoch seconds; None: now.
        """
        local = datetime.datetime.fromtimestamp(time.time() if at is None else at, self._tz)
        minute = local.hour * 60 + local.minute
        if self._begin < self._end:
            return self._begin <= minute < self._end
        return minute >= self._begin or minute < self._end


class Raised(Protocol):
    """Told that the function raised."""

    def __call__(self, name: str, error: BaseException, *, is_repeat: bool) -> None:
        """Count it, and tell it unless it is a repeat."""


@attrs.define(eq=False)
class Permission:
    """Asks the user's function, and tells the log when its answer changes."""

    _ask: Callable[[], object]
    _raised: Raised
    _tell: Tell = tell
    is_given: bool = attrs.field(default=True, init=False)
    """The latest answer."""
    _asked_at: float = attrs.field(default=-math.inf, init=False)
    _has_failed: bool = attrs.field(default=False, init=False)

    def wait(self, now: float) -> float:
        """Return 0.0 where sending is allowed, else the seconds after which to ask again.

        Args:
            now: Monotonic seconds.
        """
        if now >= self._asked_at + _ASK_SECONDS:
            self._asked_at = now
            self._look()
        return 0.0 if self.is_given else max(self._asked_at + _ASK_SECONDS - now, 0.001)

    def _look(self) -> None:
        before = self.is_given
        try:
            self.is_given = bool(self._ask())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            # Nothing is lost by waiting, and what may not be sent may cost.
            self.is_given = False
            self._raised("allowed (nothing is sent until it tells that it may be)", error, is_repeat=self._has_failed)
            self._has_failed = True
            return
        self._has_failed = False
        if self.is_given is not before:
            no = "sending is not allowed now: frames wait until it is"
            self._tell(logging.INFO, "sending is allowed again" if self.is_given else no)
