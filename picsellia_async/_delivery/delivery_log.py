"""What an uploader tells the log: which lines, and when. Pure; the clock is passed in.

Theory of operation. The service and the spool's disk are watched apart: both may be in trouble at once, and each begins and ends by
itself. Trouble begins when a part is no longer `ok`, and ends when it has been `ok` for some seconds. It is told once, with what
becomes of the frames; then there is a summary every 30 seconds (one for both, where both are in trouble), and a line at its end.
Frames that were lost are told a second after the first, ten seconds later, and then every 30 seconds, with or without other trouble.

Short troubles that follow each other are told once a minute, but one that lasts, or another kind of trouble that does, is told after
ten seconds whatever was told before.
A budget bounds it all: twenty lines at once, and one every 30 seconds. What waits for the budget is told as it is by then, so a day
of whatever kind has under 3,000 lines.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Mapping
from typing import Final

import attrs

from picsellia_async._delivery.outcomes import Failure, Health
from picsellia_async._delivery.trouble import Counts, Trouble
from picsellia_async._error_text import shown_name
from picsellia_async._log_line import Line, LineBudget

SUMMARY_SECONDS: Final = 30.0
"""Between two summaries while trouble lasts."""
QUIET_SECONDS: Final = 60.0
"""Between two beginnings of short troubles, and after the last line about lost frames until the next counts as the first."""
LASTING_SECONDS: Final = 10.0
"""Trouble that lasts so long is told however near the last one was; so are more lost frames after the first line about some."""
_GATHER_SECONDS: Final = 1.0
"""After the first lost frame, so that the line about it counts its neighbours too."""
WELL_SECONDS: Final = 5.0
"""For so long health must be `ok` before trouble counts as over."""
_PATIENCE: Final[Mapping[Health, float]] = {Health.THROTTLED: 5.0, Health.REFUSED: 2.0}
"""How long it must last to be told. Pauses are the everyday life of a rate limit, and single refusals look like the account's at first."""


BY_WEIGHT: Final = (Health.DISK_FULL, Health.REFUSED, Health.DOWN, Health.THROTTLED, Health.DEGRADED)
"""The worst first. On a full disk frames are not taken; whatever else is wrong, those that are taken are kept."""


@attrs.define
class _Part:
    """The service, or the disk: its trouble, and what was told of it."""

    trouble: Trouble | None = None
    told_at: float = -math.inf
    """When a beginning was told last."""
    summary_at: float = math.inf

    @property
    def health(self) -> Health:
        """As it is now."""
        trouble = self.trouble
        return Health.OK if trouble is None or trouble.well_since is not None else trouble.health

    @property
    def is_told(self) -> bool:
        """Whether the last word was that it is in trouble."""
        return self.trouble is not None and self.trouble.well_since is None and self.trouble.is_told


@attrs.define
class DeliveryLog:
    """Decides on the lines of one uploader."""

    has_spool: bool
    """Whether frames wait on disk."""
    next_at: float = attrs.field(default=math.inf, init=False)
    """When `lines` has something to tell although nothing happens."""
    _service: _Part = attrs.field(factory=_Part, init=False)
    _disk: _Part = attrs.field(factory=_Part, init=False)
    _lost_told: Counts = attrs.field(default=Counts(0, 0, 0, 0), init=False)
    """As they were when the last line told of lost frames."""
    _lost_at: float = attrs.field(default=math.inf, init=False)
    """When lost frames are told."""
    _lost_told_at: float = attrs.field(default=-math.inf, init=False)
    _lost_pause: float = attrs.field(default=_GATHER_SECONDS, init=False)
    """Between the last line about lost frames and the next."""
    _budget: LineBudget = attrs.field(factory=LineBudget, init=False)

    @property
    def health(self) -> Health:
        """The worse of the two parts' states."""
        states = {self._service.health, self._disk.health}
        return next((one for one in BY_WEIGHT if one in states), Health.OK)

    def changed(
        self,
        now: float,
        health: Health,
        why: str,
        counts: Counts,
        *,
        lasted: float = 0.0,
        is_sure: bool = False,
        is_final: bool = False,
        is_ours: bool = False,
        is_answered: bool = False,
    ) -> None:
        """How the service is changed.

        Args:
            now: Monotonic seconds.
            health: `ok`, `down`, `throttled` or `refused`.
            why: The error, as text; empty where there is none.
            counts: As they are now.
            lasted: For how many seconds it has been so, where it was not seen at once.
            is_sure: Whether this is told at once, however new it is.
            is_final: Whether the account is refused for good; perhaps since before it was down for a while.
            is_ours: Whether it is the client's doing and not the service's: it was closed, or trusts no certificate of the host.
            is_answered: Whether the service does answer, with an error.
        """
        self._change(self._service, now, health, why, counts, lasted, is_answered=is_answered)
        trouble = self._service.trouble
        if trouble is not None and health is not Health.OK:
            trouble.is_ours, trouble.is_final = is_ours, is_final
        if trouble is not None and is_sure:
            trouble.changed_at, trouble.is_sure = -math.inf, True
        self._plan()

    def disk_changed(self, now: float, health: Health, why: str, counts: Counts, *, is_gone: bool = False) -> None:
        """How the spool's disk is changed.

        Args:
            now: Monotonic seconds.
            health: `ok`, `disk_full` or `degraded`.
            why: The error, as text; empty where there is none.
            counts: As they are now.
            is_gone: Whether the directory was deleted, replaced or unmounted.
        """
        self._change(self._disk, now, health, why, counts, 0.0, is_gone=is_gone)
        self._plan()

    @staticmethod
    def _change(
        part: _Part,
        now: float,
        health: Health,
        why: str,
        counts: Counts,
        lasted: float,
        *,
        is_answered: bool = False,
        is_gone: bool = False,
    ) -> None:
        trouble = part.trouble
        if health is Health.OK:
            if trouble is not None and trouble.well_since is None:
                trouble.leave(now, counts)
            return
        if trouble is None:
            part.trouble = trouble = Trouble(
                now - lasted, counts, health, why, now - lasted, is_answered=is_answered, is_gone=is_gone
            )
        if trouble.well_since is not None:
            trouble.enter(counts)
            if health in _PATIENCE:
                # Short pauses, one after the other, are no long one.
                trouble.changed_at = now
        if trouble.kind != (health, is_answered, is_gone):
            trouble.health, trouble.is_answered, trouble.is_gone = health, is_answered, is_gone
            trouble.changed_at, trouble.why = now - lasted, why
            trouble.is_sure, trouble.has_changed = False, True
            trouble.is_told = trouble.kind == trouble.told
        trouble.why = why or trouble.why

    def still(self, why: str) -> None:
        """The service is as it was, perhaps for another reason by now: a host that hung is gone.

        Args:
            why: The last error, as text; empty where there is none.
        """
        trouble = self._service.trouble
        if trouble is not None and trouble.well_since is None and why:
            trouble.why = why

    def lost(self, now: float) -> None:
        """A frame was rejected, dropped or not taken."""
        if self._lost_at == math.inf:
            if now >= self._lost_told_at + QUIET_SECONDS:
                self._lost_pause = _GATHER_SECONDS
            self._lost_at = max(now + _GATHER_SECONDS, self._lost_told_at + self._lost_pause)
            self._plan()

    def lines(self, now: float, counts: Counts, first_lost: list[Failure]) -> list[Line]:
        """Return what is to be told now.

        Args:
            now: Monotonic seconds.
            counts: As they are now.
            first_lost: The first frames that were lost since this last returned a line with them; emptied when they are told.
        """
        if now < self._budget.permitted_at:
            self._plan()
            return []
        lines = [line for part in (self._service, self._disk) for line in self._lines_of(part, now, counts, first_lost)]
        if now >= self._lost_at:
            lines.append(self._losses(counts, first_lost, now))
        if lines:
            self._budget.pay(now, len(lines))
        self._plan()
        return lines

    def _lines_of(self, part: _Part, now: float, counts: Counts, first_lost: list[Failure]) -> list[Line]:
        trouble = part.trouble
        if trouble is None:
            return []
        if trouble.well_since is not None:
            if now >= trouble.well_since + WELL_SECONDS:
                # First: the line has the health as it is now.
                part.trouble, part.summary_at = None, math.inf
                return self._recovery(trouble, counts, first_lost, now)
        elif not trouble.is_told:
            if now >= self._begins_at(part, trouble):
                trouble.is_told = trouble.was_told = True
                trouble.told = trouble.kind
                part.told_at, part.summary_at = now, now + SUMMARY_SECONDS
                return [self._beginning(trouble, counts, first_lost, now)]
        elif now >= min(self._summary_of(part), self._lost_at):
            part.summary_at = now + SUMMARY_SECONDS
            return [self._summary(trouble, counts, first_lost, now)]
        return []

    def _summary_of(self, part: _Part) -> float:
        """Return when a part's summary is due; that of the service is about the disk as well."""
        return math.inf if part is self._disk and self._service.is_told else part.summary_at

    def opening(self, counts: Counts, directory: str) -> Line:
        """Return the first line: what a former run left.

        Args:
            counts: As they are at the start.
            directory: Of the spool; empty for none.
        """
        found = f", with {_frames(counts.pending)} of a former run to deliver" if counts.pending else ""
        text = (
            f"an uploader opened on the spool {directory}{found}"
            if directory
            else "an uploader opened, without a spool"
        )
        return Line(logging.INFO, text, self._fields(counts))

    def closing_waits(self, now: float, counts: Counts, seconds: float, silent: float = 0.0) -> Line:
        """Return the line of a closing that takes a while: that it does, and for how long at most.

        Args:
            now: Monotonic seconds.
            counts: As they are now.
            seconds: What is left of `close_timeout`.
            silent: For how long the requests under way have had no answer; 0.0 where that is no longer than usual.
        """
        seconds, silent = round(seconds, 1), round(silent, 1)
        text = f"closing: up to {seconds:.0f} s more for {_frames(counts.pending)}{self._named()}"
        level = logging.WARNING
        if self._service.health is Health.REFUSED:
            level = logging.WARNING if self._service.is_told else logging.ERROR
            text += "" if self.has_spool else ": rejected before, if that lasts"
        self._note_told(now)
        fields = {**self._fields(counts, max(self._lasted(now), silent)), "seconds": seconds}
        if silent and self._service.health is Health.OK:
            text += f"; no answer for {silent:.0f} s"
            if self.health is not Health.DISK_FULL:
                fields["health"] = Health.DOWN.value
        return Line(level, text, fields)

    def _note_told(self, now: float) -> None:
        """Take note that a line named all trouble there is: another line for its beginning would be the same again, and late."""
        for part in (self._service, self._disk):
            trouble = part.trouble
            if trouble is not None and trouble.well_since is None and not trouble.is_told:
                trouble.is_told = trouble.was_told = True
                trouble.told = trouble.kind
                part.told_at, part.summary_at = now, now + SUMMARY_SECONDS
        self._plan()

    def closing(
        self, now: float, counts: Counts, first_lost: list[Failure], first_of_all: list[Failure], directory: str
    ) -> list[Line]:
        """Return the last lines: that trouble ended, and which frames are left undelivered, or that none is.

        Args:
            now: Monotonic seconds.
            counts: As they are at the end.
            first_lost: As for `lines`.
            first_of_all: The first frames that were lost since the uploader was opened.
            directory: Of the spool; empty for none.
        """
        lines = []
        for part in (self._service, self._disk):
            if part.trouble is not None and part.trouble.well_since is not None:
                trouble, part.trouble = part.trouble, None
                lines += self._recovery(trouble, counts, first_lost, now)
        missing = counts.lost + counts.refused + counts.spooled
        if not missing:
            text = f"an uploader closed: {_all_delivered(counts.delivered)}"
            return [*lines, Line(logging.INFO, text, self._fields(counts))]
        parts = _parts(rejected=counts.rejected, dropped=counts.dropped, refused=counts.refused)
        if counts.spooled:
            parts.append(f"{counts.spooled} left in the spool {directory} for the next run")
        stored = _may_be_stored(counts.may_be_stored)
        why = self._named()
        text = f"an uploader closed with {_frames(missing)} not delivered: {', '.join(parts)}{stored}{why}{_names(first_of_all, told=why)}"
        fields = {**self._fields(counts, self._lasted(now)), "not_delivered": missing}
        return [*lines, Line(logging.WARNING, text, fields)]

    def _named(self) -> str:
        """Name all trouble that there is, also what was not told yet."""
        return "".join(
            f"; {trouble.state}{_reason(trouble.why)}" for trouble in self._troubles if trouble.well_since is None
        )

    def _lasted(self, now: float) -> float:
        """Return for how many seconds there has been trouble, the longest of them."""
        return max((now - trouble.since for trouble in self._troubles), default=0.0)

    @property
    def _troubles(self) -> list[Trouble]:
        return [part.trouble for part in (self._service, self._disk) if part.trouble is not None]

    def _begins_at(self, part: _Part, trouble: Trouble) -> float:
        at = trouble.changed_at + _PATIENCE.get(trouble.health, 0.0)
        if trouble.is_sure:
            return at
        if trouble.was_told:
            # The outage has its line already: that it is another kind by now takes the place of a summary, or is told once it lasts.
            return max(at, min(part.summary_at, trouble.changed_at + LASTING_SECONDS))
        return max(at, min(part.told_at + QUIET_SECONDS, trouble.changed_at + LASTING_SECONDS))

    def _plan(self) -> None:
        at = self._lost_at
        for part in (self._service, self._disk):
            trouble = part.trouble
            if trouble is None:
                continue
            if trouble.well_since is not None:
                at = min(at, trouble.well_since + WELL_SECONDS)
            else:
                at = min(at, self._summary_of(part) if trouble.is_told else self._begins_at(part, trouble))
        self.next_at = max(at, self._budget.permitted_at)

    # The lines.

    def _beginning(self, trouble: Trouble, counts: Counts, first_lost: list[Failure], now: float) -> Line:
        level = logging.ERROR if trouble.is_gone or trouble.health is Health.REFUSED else logging.WARNING
        text = f"{trouble.state}{_reason(trouble.why)}: {self._waiting(trouble, counts)}"
        lost, numbers = self._lost_part(counts, first_lost, now, trouble.before)
        return Line(level, text + lost, {**self._fields(counts, now - trouble.since), **numbers})

    def _summary(self, trouble: Trouble, counts: Counts, first_lost: list[Failure], now: float) -> Line:
        seconds = round(now - trouble.since, 1)
        breaks = ", with breaks" if trouble.returned else ""
        text = (
            f"{trouble.state}, for {seconds:.0f} s now{breaks}{_reason(trouble.why)}: {self._waiting(trouble, counts)}"
        )
        lost, numbers = self._lost_part(counts, first_lost, now)
        return Line(logging.WARNING, text + lost, {**self._fields(counts, seconds), **numbers})

    def _recovery(self, trouble: Trouble, counts: Counts, first_lost: list[Failure], now: float) -> list[Line]:
        if not trouble.was_told:
            return []
        seconds, before = round((trouble.well_since or now) - trouble.since, 1), trouble.before
        delivered, lost_since, refused = counts.delivered - before.delivered, trouble.lost, trouble.refused
        # Frames that a full disk kept in memory are not written when it has room again.
        is_of_disk = trouble.health in {Health.DISK_FULL, Health.DEGRADED} or self._disk.health is not Health.OK
        places = self._places(counts) if is_of_disk else ""
        end = trouble.end(none_is_taken=counts.lost > before.lost and not delivered)
        text = (
            f"{end} after {f'{seconds:.0f} s' if seconds >= 1 else 'less than a second'}: "
            f"{_frames(delivered)} {'was' if delivered == 1 else 'were'} delivered since it began, "
            f"{lost_since} lost meanwhile{_may_be_stored(trouble.may_be_stored)}, {f'{refused} not taken, ' if refused else ''}"
            f"{counts.pending} wait{places}"
        )
        since = {
            "trouble_delivered": delivered,
            "trouble_lost": lost_since,
            "trouble_may_be_stored": trouble.may_be_stored,
            "trouble_refused": refused,
        }
        lost, numbers = self._lost_part(counts, first_lost, now)
        return [Line(logging.WARNING, text + lost, {**self._fields(counts, seconds), **since, **numbers})]

    def _losses(self, counts: Counts, first_lost: list[Failure], now: float) -> Line:
        lost, numbers = self._lost_part(counts, first_lost, now)
        return Line(logging.WARNING, "frames were not delivered: " + lost[2:], {**self._fields(counts), **numbers})

    def _lost_part(
        self, counts: Counts, first_lost: list[Failure], now: float, before: Counts | None = None
    ) -> tuple[str, dict[str, int]]:
        """Tell what was lost since the last line, in words and as values.

        Args:
            counts: As they are now.
            first_lost: As for `lines`.
            now: Monotonic seconds.
            before: As they were when the trouble began whose first line this is part of: what was lost before is not its doing.
        """
        told = self._lost_told
        numbers = {name: getattr(counts, name) - getattr(told, name) for name in ("rejected", "dropped", "refused")}
        lost = _parts(**numbers)
        self._lost_at = math.inf
        if not lost:
            return "", {}
        since = "since the last line" if told.lost + told.refused else "so far"
        # The second line follows soon, for what came behind the first; whatever goes on has its summaries.
        is_first = now >= self._lost_told_at + QUIET_SECONDS
        self._lost_pause = LASTING_SECONDS if is_first else SUMMARY_SECONDS
        self._lost_told, self._lost_told_at = counts, now
        numbers["may_be_stored"] = counts.may_be_stored - told.may_be_stored
        earlier = 0 if before is None else before.lost + before.refused - told.lost - told.refused
        if earlier > 0:
            numbers["before_trouble"] = earlier
            since += f", {earlier} of them before this began"
        text = f"; {' and '.join(lost)} {since}{_may_be_stored(numbers['may_be_stored'])}{_names(first_lost)}"
        first_lost.clear()
        return text, {f"new_{name}": count for name, count in numbers.items()}

    def _waiting(self, trouble: Trouble, counts: Counts) -> str:
        health = trouble.health
        if health is Health.DISK_FULL:
            return f"no more frames are spooled until there is room; {counts.pending} wait to be delivered"
        if trouble.is_gone:
            return f"no more frames are spooled until an uploader is opened anew; {counts.pending} wait{self._places(counts)}"
        if health is Health.DEGRADED:
            return f"what can be read is delivered; {_frames(counts.pending)} wait{'s' if counts.pending == 1 else ''}{self._places(counts)}"
        if health is Health.REFUSED and not self.has_spool:
            return _rejected(counts.pending, is_sure=trouble.is_sure or trouble.is_final)
        disk = self._disk.trouble
        if disk is None or self._disk.health is Health.OK:
            return f"frames wait {'in the spool' if self.has_spool else 'in memory'}, {counts.pending} so far"
        until = "there is room" if disk.health is Health.DISK_FULL else "an uploader is opened anew"
        more = f", and no more are spooled until {until}" if disk.is_gone or disk.health is Health.DISK_FULL else ""
        return f"frames wait, {counts.pending} so far{self._places(counts)}; {disk.state}{more}"

    @staticmethod
    def _places(counts: Counts) -> str:
        """Tell where pending frames are, while the disk is in trouble: what is in memory only ends with the process."""
        gone = counts.in_lost_files
        more = f", {gone} in files that nobody finds again" if gone else ""
        return f" ({counts.in_spool} in the spool, {counts.in_memory} in memory{more})" if counts.pending else ""

    def _fields(self, counts: Counts, seconds: float = 0.0) -> dict[str, object]:
        numbers: dict[str, object] = attrs.asdict(counts, filter=lambda _, value: value is not None)
        if counts.spool_frames is not None:
            numbers["in_memory"] = counts.in_memory
        return {"health": self.health.value, "trouble_seconds": round(seconds, 1), **numbers}


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _all_delivered(count: int) -> str:
    if count == 1:
        return "its one frame was delivered"
    return f"all {count} frames were delivered" if count else "it had no frames"


def _parts(**counts: int) -> list[str]:
    names = {"refused": "not taken (`submit` raised)"}
    return [f"{count} {names.get(name, name)}" for name, count in counts.items() if count]


def _may_be_stored(count: int) -> str:
    return f" ({count} may be stored all the same: an answer was lost or unclear)" if count else ""


def _rejected(pending: int, *, is_sure: bool) -> str:
    if not is_sure:
        return f"frames wait in memory, {pending} so far, and are rejected if that lasts"
    return f"frames are rejected{f', the {pending} that wait too' if pending else ''}: no spool keeps them"


def _reason(why: str) -> str:
    return f" ({why})" if why else ""


def _names(first_lost: list[Failure], *, told: str = "") -> str:
    """Name the first frames that were lost, with the reasons that the line does not have already."""
    groups = itertools.groupby(first_lost, key=lambda one: one.reason)
    named = "; ".join(
        ", ".join(shown_name(one.filename) or str(one.frame_id) for one in lost)
        + ("" if f"({why})" in told else f" ({why})")
        for why, lost in groups
    )
    return f", first {named}" if named else ""
