"""Trouble of one part of delivery, the service or the spool's disk: what is known of it, and how the log calls it."""

from __future__ import annotations

from typing import Final

import attrs

from picsellia_async._delivery.outcomes import Health


@attrs.frozen
class Counts:
    """The numbers of the ledger that the lines tell."""

    pending: int
    """Accepted, without outcome."""
    delivered: int
    """The service has them."""
    rejected: int
    """Refused for good."""
    dropped: int
    """Given up."""
    spooled: int = 0
    """Left on disk at the end."""
    refused: int = 0
    """Not taken: `submit` raised."""
    spool_frames: int | None = None
    """On disk now; None where there is no spool."""
    may_be_stored: int = 0
    """Of the rejected and dropped: those of which an answer was lost or unclear."""
    in_lost_files: int | None = None
    """Of the pending: those that are only in files of a spool that is gone, which can be read until the uploader is closed. None: it
    is not gone."""

    @property
    def in_spool(self) -> int:
        """Of the pending: those that are on disk."""
        return min(self.spool_frames or 0, self.pending)

    @property
    def in_memory(self) -> int:
        """Of the pending: those that end with the process."""
        return self.pending - self.in_spool - (self.in_lost_files or 0)

    @property
    def lost(self) -> int:
        """Frames that nobody will send any more."""
        return self.rejected + self.dropped


@attrs.define
class Trouble:
    """A part is not `ok`, or has not been for long."""

    since: float
    before: Counts
    health: Health
    why: str
    changed_at: float
    """When this kind of trouble began."""
    has_changed: bool = False
    """Whether it was of another kind before."""
    is_told: bool = False
    """Whether this kind of trouble was told."""
    was_told: bool = False
    """Whether any was."""
    is_sure: bool = False
    """Whether it is told at once: an account was found to be refused for good."""
    is_final: bool = False
    """Whether an account is refused for good."""
    told: tuple[Health, bool, bool] | None = None
    """The kind that was told last."""
    is_ours: bool = False
    is_answered: bool = False
    """Whether the service does answer, with an error: that is another kind of being down."""
    is_gone: bool = False
    """Whether nothing of the spool is on disk any more: that is another kind of being degraded, and stays so."""
    returned: int = 0
    """Times that it came back within `WELL_SECONDS`."""
    well_since: float | None = None
    lost: int = 0
    """While it lasted, without its breaks: rejected and dropped, as of when it was well last. What is lost behind it is not its doing."""
    refused: int = 0
    """The same of frames that were not taken."""
    may_be_stored: int = 0
    """The same of those lost of which an answer was lost or unclear."""
    _entered: Counts = attrs.field(default=attrs.Factory(lambda self: self.before, takes_self=True), init=False)
    """The numbers when it began, or came back last."""

    @property
    def kind(self) -> tuple[Health, bool, bool]:
        """What tells one kind of trouble from another."""
        return self.health, self.is_answered, self.is_gone

    def leave(self, now: float, counts: Counts) -> None:
        """It is well from now on.

        Args:
            now: Monotonic seconds.
            counts: As they are now.
        """
        self.well_since = now
        self.lost += counts.lost - self._entered.lost
        self.refused += counts.refused - self._entered.refused
        self.may_be_stored += counts.may_be_stored - self._entered.may_be_stored

    def enter(self, counts: Counts) -> None:
        """It is back, before anybody believed that it was over.

        Args:
            counts: As they are now.
        """
        self.well_since, self.is_sure = None, False
        self.returned += 1
        self._entered = counts

    @property
    def state(self) -> str:
        """What is so, in words."""
        if self.health is Health.DOWN and self.is_answered:
            return "the monitoring host fails"
        if self.is_gone:
            return GONE
        return "no request can be sent" if self.is_ours else STATE[self.health]

    def end(self, *, none_is_taken: bool) -> str:
        """Return that it is over, in words.

        Args:
            none_is_taken: Whether frames were lost since it began, and none was delivered: nobody can say that they are taken.
        """
        if none_is_taken and not self.is_ours and self.health in _OF_SERVICE:
            return "the monitoring host answers again"
        # Where it was of several kinds, the time beside it is that of all together.
        if (self.health is Health.DOWN and self.is_answered) or (self.has_changed and self.health in _OF_SERVICE):
            return "the monitoring host takes frames again"
        return "requests can be sent again" if self.is_ours else _END[self.health]


GONE: Final = "the directory of the spool is gone"
STATE: Final = {
    Health.DOWN: "the monitoring host does not answer",
    Health.THROTTLED: "the monitoring host asks for a pause",
    Health.REFUSED: "the service refuses this account",
    Health.DISK_FULL: "the disk of the spool is full",
    Health.DEGRADED: "the spool has damaged records, or its disk fails",
}

_END: Final = {
    Health.DOWN: "the monitoring host answers again",
    Health.THROTTLED: "the monitoring host takes frames again",
    Health.REFUSED: "the service accepts this account again",
    Health.DISK_FULL: "the disk of the spool has room again",
    Health.DEGRADED: "the spool is well again",
}


_OF_SERVICE: Final = {Health.DOWN, Health.THROTTLED, Health.REFUSED}
