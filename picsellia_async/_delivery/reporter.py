"""The edge of `DeliveryLog`: sees how delivery goes, writes its lines, and calls the user's `on_health`.

Sender, intake and spool queue tell it that something may have changed. It keeps a timer only while there is something to tell.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import attrs

from picsellia_async._delivery.callback_log import CallbackLog
from picsellia_async._delivery.circuit_breaker import Signal
from picsellia_async._delivery.delivery_log import BY_WEIGHT, DeliveryLog
from picsellia_async._delivery.ledger import FIRST_LOST_MAX, Ledger
from picsellia_async._delivery.outcomes import Health
from picsellia_async._delivery.trouble import Counts
from picsellia_async._error_text import typed_text
from picsellia_async._log_line import Line, write
from picsellia_async.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    StatusError,
)

OnHealth = Callable[[Health, Health, BaseException | None], object]
"""Called with the health before, the health now, and the error that tells why; None where there is none."""

_DISK_SECONDS: Final = 5.0
"""How often the disk is looked at while it is in trouble: nobody tells that there is room again."""
_SETTLED_SECONDS: Final = 0.05
"""After an answer, what it makes of its own frame is counted: a loss later than that is none of the answer's."""
_REFUSALS: Final = (AuthenticationError, QuotaExceededError, PermissionDeniedError, NotFoundError)
"""They say nothing about the host; while it comes back from being down, one may come before the account counts as refused."""
_OF_SIGNAL: Final = {
    Signal.WELL: Health.OK, Signal.REFUSES: Health.REFUSED, Signal.BUSY: Health.THROTTLED, Signal.DOWN: Health.DOWN,
}  # fmt: skip


_NUMBERS: Final = itertools.count(1)
_OPEN: Final[weakref.WeakSet[Reporter]] = weakref.WeakSet()
"""Those of all uploaders of the process that are open now. Uploaders of several threads share it: only under `_OPEN_LOCK`."""
_OPEN_LOCK = threading.Lock()


def _forget_after_fork() -> None:
    """Let a forked child begin with no uploader open: its parent's are not its own."""
    global _OPEN_LOCK  # noqa: PLW0603 - another thread of the parent may have held it
    _OPEN_LOCK = threading.Lock()
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


class Disk(Protocol):
    """What is read of a spool."""

    directory: Path
    """Where it is."""
    error: BaseException | None
    """What is wrong with the disk now; None where all is well."""
    is_full: bool
    """Whether the file system has no room."""
    is_gone: bool
    """Whether the directory was deleted, replaced or unmounted: nothing of it is on disk any more."""
    on_change: Callable[[], None] | None
    """Called when the others have changed."""


@attrs.frozen
class _Losses:
    """The numbers of a ledger that only losses change, by their names in `Counts`."""

    rejected: int = 0
    dropped: int = 0
    refused: int = 0
    may_be_stored: int = 0

    @classmethod
    def of(cls, ledger: Ledger) -> _Losses:
        return cls(ledger.rejected, ledger.dropped, ledger.not_accepted, ledger.may_be_stored)


class Reporter:
    """Watches one uploader."""

    def __init__(
        self, ledger: Ledger, spool: Disk | None, on_health: OnHealth | None, owner: Mapping[str, str] | None = None
    ) -> None:
        """Store the parts; nothing is told before `start`.

        Args:
            ledger: Read for its numbers.
            spool: Read for how the disk is; None: there is none.
            on_health: The user's callback.
            owner: Values that each line has: which uploader it is about.
        """
        self._number = next(_NUMBERS)
        """Of the uploader in this process: two of one deployment have all else in common."""
        self._is_one_of_several = False
        where = {} if spool is None else {"spool": str(spool.directory)}
        self._whose: dict[str, object] = {**(owner or {}), **where, "uploader": self._number}
        self.reading_error: BaseException | None = None
        """What reading the spool ended in last; None when it went well."""
        self._ledger = ledger
        self._spool = spool
        self._on_health = on_health
        self._log = DeliveryLog(has_spool=spool is not None)
        self._callbacks = CallbackLog()
        ledger.on_callback_error = self._callback_raised
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._signal = Signal.WELL
        self._error: BaseException | None = None
        self._told = self._told_service = self._told_disk = Health.OK
        self._is_gone = False
        """Whether what was told last is that nothing of the spool is on disk any more."""
        self._is_answered = False
        """Whether what was told last is that the service answers with errors."""
        self.heard_at = 0.0
        """When the service answered last, or a request began where none was under way; a plain attribute, set for every answer."""
        self._lost = 0
        self._losses = _Losses()
        """As they were seen last."""
        self._unheard = _Losses()
        """As they were before the first loss behind the answer at `_unheard_since`."""
        self._unheard_since = -math.inf
        self._is_final = False
        self._is_ending = False
        """Whether the next word is that of `close`."""

    def start(self) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._losses = _Losses.of(self._ledger)
        if self._spool is not None:
            self._spool.on_change = self.look

    def write(self, *lines: Line | None) -> None:
        """Write lines that say whose they are; None is no line. What works for the uploader, a pipeline, has its lines written here too."""
        which = ""
        if self._is_one_of_several:
            of = self._whose.get("deployment_id")
            which = f"uploader {self._number}{'' if of is None else f' of deployment {of}'}: "
        write(
            *(
                line and Line(line.level, which + line.text, {**self._whose, **line.fields}, line.below)
                for line in lines
            )
        )

    def tell(self, level: int, text: str, **fields: object) -> None:
        """Write a line that says whose it is; see `_log_line.tell`."""
        self.write(Line(level, text % fields, fields))

    def opened(self) -> None:
        """The uploader takes frames."""
        with _OPEN_LOCK:
            _OPEN.add(self)
            if len(_OPEN) > 1:
                for one in _OPEN:
                    one._is_one_of_several = True  # noqa: SLF001 - from now on, also when the others are closed
        self.write(self._log.opening(self._counts(), self._directory))

    def closing_waits(self, seconds: float, silent: float) -> None:
        """Closing takes a while.

        Args:
            seconds: How long it may still take.
            silent: For how long the requests under way have had no answer; 0.0 where that is no longer than usual.
        """
        self.write(self._log.closing_waits(self._now(), self._counts(), seconds, silent))

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    @property
    def _directory(self) -> str:
        return "" if self._spool is None else str(self._spool.directory)

    def troubles(self, signal: Signal) -> tuple[Health, ...]:
        """Return what is wrong, the worst first: the service's state, the disk's, or both.

        Args:
            signal: What keeps senders waiting.
        """
        states = {_OF_SIGNAL[signal], self._disk_health()}
        return tuple(one for one in BY_WEIGHT if one in states)

    def _disk_health(self) -> Health:
        spool = self._spool
        if spool is not None and spool.is_full:
            return Health.DISK_FULL
        has_trouble = spool is not None and (spool.error or self.reading_error)
        return Health.DEGRADED if self._ledger.quarantined or has_trouble else Health.OK

    def saw(self, signal: Signal, error: BaseException | None, *, is_final: bool = False, is_new: bool = True) -> None:
        """An attempt ended.

        Args:
            signal: What keeps senders waiting now.
            error: What the last attempt that failed ended in.
            is_final: Whether the account is refused for good.
            is_new: Whether it was this attempt. One that is cancelled while the host hangs brings no error of before back.
        """
        is_news, self._is_final = is_final and not self._is_final, is_final
        if signal is self._signal and not (is_news or self._told is not Health.OK):
            if self._ledger.lost != self._lost:
                self.look()
            return
        if is_new or signal is not self._signal:
            self._error = error
        self._signal = signal
        self.look(is_sure=is_news)

    @property
    def why(self) -> BaseException | None:
        """The error that tells why the service keeps senders waiting; None where it does not."""
        return None if self.is_well else self._error

    @property
    def is_well(self) -> bool:
        """Whether nothing is known of the service that keeps senders waiting."""
        return self._signal is Signal.WELL

    def silent(self, seconds: float, requests: int, lasted: float, *, is_end: bool = False) -> None:
        """Requests are under way, and none was answered for a time.

        Args:
            seconds: How long.
            requests: How many are under way.
            lasted: For how many seconds the service has said nothing; more than `seconds` where nothing was asked for a time.
            is_end: Whether they are about to be cancelled: the last line tells of it.
        """
        self._is_ending = is_end
        # Not that these were under way for so long: others may have timed out meanwhile.
        under_way = f"{requests} request{'' if requests == 1 else 's'} under way"
        self._signal, self._error = Signal.DOWN, TimeoutError(f"no answer for {seconds:.0f} s, with {under_way}")
        self.look(lasted=lasted)

    def look(self, *, is_sure: bool = False, lasted: float = 0.0) -> None:
        """Something may have changed: health, or the number of lost frames.

        Args:
            is_sure: Whether a change is told at once.
            lasted: For how many seconds it has been so already.
        """
        if self._loop is None:
            return
        now, ledger = self._loop.time(), self._ledger
        service, disk = _OF_SIGNAL[self._signal], self._disk_health()
        error = None if service is Health.OK else self._error
        is_answered = service is Health.DOWN and isinstance(error, StatusError) and not isinstance(error, _REFUSALS)
        if (service, is_answered) != (self._told_service, self._is_answered) or is_sure or lasted:
            self._told_service, self._is_answered = service, is_answered
            self._log.changed(
                now,
                service,
                typed_text(error),
                self._counts_unheard() if lasted else self._counts_before(),
                lasted=lasted,
                is_sure=is_sure,
                is_final=self._is_final,
                is_ours=service is Health.REFUSED and not isinstance(error, StatusError),
                is_answered=is_answered,
            )
        is_gone = disk is Health.DEGRADED and self._spool is not None and self._spool.is_gone
        if disk is not self._told_disk or is_gone is not self._is_gone:
            self._told_disk, self._is_gone = disk, is_gone
            said = typed_text(self._disk_error(disk))
            self._log.disk_changed(now, disk, said, self._counts_before(), is_gone=is_gone)
        health = next(iter(self.troubles(self._signal)), Health.OK)
        if health is not self._told:
            before, self._told = self._told, health
            on_health = self._on_health
            if on_health is not None:
                why = self._disk_error(disk) if health is disk else self._error
                change = before, health, None if health is Health.OK else why
                ledger.call(lambda change: on_health(*change), change, "on_health")
        if ledger.lost != self._lost:
            self._note_losses(now)
            self._log.lost(now)
        self._tell(now)

    def _note_losses(self, now: float) -> None:
        """Keep the numbers of before the first loss that no answer came after: a silence is found out when it has lasted."""
        if now > self.heard_at + _SETTLED_SECONDS and self._unheard_since != self.heard_at:
            self._unheard_since, self._unheard = self.heard_at, self._losses
        self._lost, self._losses = self._ledger.lost, _Losses.of(self._ledger)

    def _counts_before(self) -> Counts:
        """Return the counts without the losses of this very moment: the frame that an outage ends by was not lost to it."""
        return attrs.evolve(self._counts(), **attrs.asdict(self._losses))

    def _counts_unheard(self) -> Counts:
        """Return the counts with the losses of when the service was heard last: later ones belong to its silence."""
        counts = self._counts()
        return attrs.evolve(counts, **attrs.asdict(self._unheard)) if self._unheard_since == self.heard_at else counts

    def _callback_raised(self, name: str, error: BaseException) -> None:
        self._callbacks.raised(name, error)
        self._tell(self._now())

    def _disk_error(self, disk: Health) -> BaseException | None:
        if disk is Health.OK:
            return None
        return self.reading_error or (None if self._spool is None else self._spool.error)

    def _tell(self, now: float) -> None:
        self.write(*self._callbacks.due(now))
        if self._is_ending:
            return
        if now >= self._log.next_at:
            if self._told_service is not Health.OK:
                self._log.still(typed_text(self._error))
            self.write(*self._log.lines(now, self._counts(), self._ledger.first_lost))
        at = min(self._log.next_at, self._callbacks.next_at)
        if self._told_disk is not Health.OK:
            at = min(at, now + _DISK_SECONDS)
        if self._timer is not None:
            if self._timer.when() == at:
                return
            self._timer.cancel()
            self._timer = None
        if at != math.inf and self._loop is not None:
            self._timer = self._loop.call_at(at, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.look()

    def _counts(self) -> Counts:
        ledger, spool = self._ledger, self._spool
        stored = in_lost_files = None
        if spool is not None and spool.is_gone:
            stored, in_lost_files = 0, max(0, ledger.pending - len(ledger.known))
        elif spool is not None:
            in_memory = sum(1 for item in list(ledger.known.values()) if not item.is_written)
            stored = max(0, ledger.pending - in_memory) + ledger.spooled
        return Counts(
            ledger.pending,
            ledger.delivered,
            ledger.rejected,
            ledger.dropped,
            ledger.spooled,
            ledger.not_accepted,
            stored,
            ledger.may_be_stored,
            in_lost_files,
        )

    def close(self) -> None:
        """The uploader is closed: tell what was not delivered."""
        if self._timer is not None:
            self._timer.cancel()
        self.write(*self._callbacks.rest())
        ledger = self._ledger
        lost = (one for one in ledger.failures if one.outcome != "spooled")
        first = list(itertools.islice(itertools.chain(lost, ledger.first_refused), FIRST_LOST_MAX))
        self.write(*self._log.closing(self._now(), self._counts(), ledger.first_lost, first, self._directory))
        with _OPEN_LOCK:
            _OPEN.discard(self)
        self._loop = None
