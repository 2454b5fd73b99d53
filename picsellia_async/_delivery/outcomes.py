"""The four outcomes of a frame, and the two summaries, as values. Which one a frame gets is decided in `frame_state` (`judge`)."""

from __future__ import annotations

import enum
from typing import Any, TypeAlias
from uuid import UUID

import attrs

from picsellia_async._error_text import error_repr, error_text, name_repr, shown_name, typed_text
from picsellia_async.errors import PicselliaError
from picsellia_async.frames import Frame


class DropReason(enum.StrEnum):
    """Why a frame was given up without the service's word."""

    FULL_NEWEST = "full_newest"
    """The uploader was full and `when_full="drop_newest"`; or "drop_oldest" had nothing to drop: all that it holds is under way, or
    the spool's disk takes nothing, and dropping frames there would free no memory."""
    FULL_OLDEST = "full_oldest"
    """It made room for a newer one, `when_full="drop_oldest"`."""
    THINNED = "thinned"
    """It stood between two others of its source in a spool without room, `when_full="thin"`."""
    TOO_OLD = "too_old"
    """It was older than `max_age` before it was sent for the first time."""
    CLOSED = "closed"
    """The uploader closed before it could be delivered, and there is no spool."""
    DAMAGED = "damaged"
    """Its record on disk turned out to be damaged or gone; counted in `quarantined` too."""


class Health(enum.StrEnum):
    """How delivery goes.

    Where the service and the disk are both in trouble, the worse counts: `disk_full`, then `refused`, `down`, `throttled`, `degraded`.
    """

    OK = "ok"
    """As it should."""
    THROTTLED = "throttled"
    """The service asked for a pause."""
    DOWN = "down"
    """The service does not answer, and is probed; or none of the requests under way was answered for 15 seconds, or for four usual
    round trips where that is longer."""
    REFUSED = "refused"
    """The service refuses this account (401, 402, 403, 404); with a spool frames are kept, and it is asked from time to time."""
    DISK_FULL = "disk_full"
    """The spool's file system has no room: frames are delivered, and taken again once there is some."""
    DEGRADED = "degraded"
    """Frames are delivered, but the spool has damaged records, or cannot be written."""


@attrs.frozen
class Delivered:
    """The service has it."""

    frame: Frame = attrs.field(repr=lambda frame: str(frame.id))
    receipt: dict[str, Any] = attrs.field(repr=False)
    """The service's answer; empty where the frame was found to be there already."""
    attempts: int = 1
    """Requests it took. One that is repeated at once behind a new sign-in counts once; spans and their `resend_count` have both."""
    is_duplicate: bool = False
    """An answer was lost and the service turned out to have the frame: by its 409 to the repeat, or by looking it up."""
    seconds: float = 0.0
    """From acceptance to delivery."""
    error: BaseException | None = None
    """A `DecodeError` where the status said "stored" but the answer could not be read; else None."""


@attrs.frozen
class Rejected:
    """The service, or the frame's own content, stands against it. Repeating would not help."""

    frame: Frame = attrs.field(repr=lambda frame: str(frame.id))
    error: BaseException
    """What stood against it."""
    attempts: int = 1
    """Requests it took, as of `Delivered`; 0 where none was sent."""
    may_be_stored: bool = False
    """Whether an answer to an earlier attempt was lost, so that the service may have it all the same."""


@attrs.frozen
class Dropped:
    """Given up by the uploader's own rules, or lost by the disk."""

    frame: Frame | None = attrs.field(repr=lambda frame: "None" if frame is None else str(frame.id))
    """The frame; None where its record was damaged: nothing of it is left but its id."""
    reason: DropReason
    """The rule that dropped it."""
    error: BaseException | None = None
    """What the last attempt ended in, if there was one."""
    may_be_stored: bool = False
    """Whether an answer was lost or unclear, so that the service may have it all the same."""
    damaged_id: UUID | None = attrs.field(default=None, repr=False)
    """`Frame.id` of a frame whose record was damaged; None where not even that is known."""


@attrs.frozen
class Spooled:
    """Still on disk when the uploader closed; the next one with this spool, or `picsellia-async replay`, delivers it."""

    frame_id: UUID
    """`Frame.id`."""
    frame: Frame | None = attrs.field(default=None, repr=False)
    """The frame, where it was in memory too."""
    error: BaseException | None = None
    """What the last attempt ended in, if there was one."""


Outcome: TypeAlias = Delivered | Rejected | Dropped | Spooled
"""What becomes of a frame."""


@attrs.frozen
class Failure:
    """A line of the report about a frame that was not delivered. Holds no image."""

    frame_id: UUID
    """`Frame.id`."""
    filename: str
    """`Frame.filename`; empty where the frame was on disk only."""
    source: str | None = attrs.field(repr=name_repr)
    """`Frame.source`."""
    outcome: str
    """`rejected`, `dropped` or `spooled`."""
    reason: str
    """The error's text, or the rule."""
    may_be_stored: bool = False
    """As of the outcome: an answer was lost or unclear, so that sending it once more may store it twice."""


def id_of(outcome: Outcome) -> UUID:
    """Return `Frame.id` of an outcome's frame, also where the frame itself is not in memory."""
    if isinstance(outcome, Spooled):
        return outcome.frame_id
    if outcome.frame is not None:
        return outcome.frame.id
    return outcome.damaged_id or UUID(int=0)


def failure_of(outcome: Rejected | Dropped | Spooled, source: str | None = None) -> Failure:
    """Return the report's line for an outcome.

    Args:
        outcome: What became of the frame.
        source: `Frame.source`, where the frame was on disk only.
    """
    frame = outcome.frame
    frame_id = id_of(outcome)
    reason = typed_text(outcome.error)
    if isinstance(outcome, Dropped):
        reason = f"{outcome.reason.value}; {reason}" if reason else outcome.reason.value
    name, source = ("", source or None) if frame is None else (frame.filename, frame.source)
    may_be_stored = not isinstance(outcome, Spooled) and outcome.may_be_stored
    return Failure(frame_id, name, source, type(outcome).__name__.lower(), reason, may_be_stored)


@attrs.define(slots=False, eq=False, str=False, repr=False)
class DeliveryError(PicselliaError):
    """Frames were not delivered, and the caller asked to hear of it by an error."""

    report: UploadReport
    """The account."""


@attrs.frozen(kw_only=True)
class SourceStatistics:
    """The frames of one source."""

    pending: int
    """Accepted and without outcome yet, on disk or in memory."""
    delivered: int
    """The service has them."""
    rejected: int
    """Refused for good."""
    dropped: int
    """Given up by the uploader's rules."""
    spooled: int
    """Left on disk at the end; 0 before."""


@attrs.frozen(kw_only=True)
class UploaderStatistics:
    """A snapshot of an uploader."""

    accepted: int
    """Frames taken so far, those found in the spool included."""
    pending_frames: int
    """Accepted and without outcome yet, on disk or in memory."""
    pending_bytes: int
    """Bytes of frames held in memory."""
    queued: int
    """Pending in memory, not under way and not waiting to be repeated."""
    in_flight: int
    """Requests under way."""
    waiting: int
    """Frames waiting to be repeated."""
    delivered: int
    """The service has them."""
    rejected: int
    """Refused for good."""
    dropped: int
    """Given up by the uploader's rules."""
    dropped_by_reason: dict[str, int]
    """The same by `DropReason`."""
    dropped_by_source: dict[str, int]
    """The same by `Frame.source`; empty text for none."""
    spooled: int
    """Left on disk at the end; 0 before."""
    retried: int
    """Repeats sent, without those at once behind a new sign-in, as in `Delivered.attempts`."""
    duplicates: int
    """Deliveries with `is_duplicate`."""
    refused: int
    """Frames that were not taken, as `submit` raised; as in `UploadReport.refused`."""
    bytes_delivered: int
    """Image bytes of delivered frames."""
    concurrency: int
    """Requests that may be in flight now."""
    round_trip: float
    """Smoothed seconds from request to answer; 0 before the first."""
    health: Health
    """How delivery goes: the worst of `troubles`."""
    spool_frames: int
    """Frames on disk that are to be delivered. Those that the service refused, and that are kept, are not counted."""
    spool_bytes: int
    """Bytes of their records, and of those that the service refused: `max_spool_bytes` bounds both."""
    quarantined: int
    """Records of the spool that were damaged."""
    callback_errors: int
    """Times that a callback of yours raised: `on_outcome`, `on_health`, `progress`, `allowed`, or what metrics record with."""
    last_error: BaseException | None
    """What the last attempt that failed ended in."""
    oldest_seconds: float = 0.0
    """Since the acceptance of the oldest pending frame in memory, in a former run too; 0 where none is. Frames on disk only are behind
    those of their source in memory."""
    delivery_seconds: float | None = None
    """Since a frame was delivered last; None before the first."""
    bytes_per_second: float = 0.0
    """Image bytes delivered, as a mean since the first `statistics()` of the last minute, or else since the one before, or the opening."""
    spool_free_bytes: int | None = None
    """What may still be written on the spool's file system, as of the last write; None without a spool, or where nothing tells."""
    troubles: tuple[Health, ...] = ()
    """All that is wrong, the worst first: the service and the spool's disk may be in trouble at the same time."""
    is_closed: bool = False
    """Whether it was closed: the other numbers, and health, are those of its end."""
    is_paused: bool = False
    """Whether `pause` keeps it from sending."""
    is_allowed: bool = True
    """What `allowed` said when it was asked last; True without. It is asked only while frames wait."""
    degraded: int = 0
    """Frames whose image was encoded smaller, as `degrade` says."""
    degrade_level: int = 0
    """Which step of `degrade` counts now, from 1; 0: frames are sent as they come."""
    may_be_stored: int = 0
    """Of the rejected and dropped: as in `UploadReport.may_be_stored`."""
    by_source: dict[str, SourceStatistics] = attrs.field(factory=dict)
    """By `Frame.source`, empty text for none; only with the option `by_source=True`. Beyond 1,000 sources the rest is `(others)`."""


@attrs.frozen(kw_only=True)
class UploadReport:
    """The account of an uploader. Once closed, `accepted == delivered + rejected + dropped + spooled`."""

    accepted: int
    """Frames taken, those found in the spool included."""
    delivered: int
    """The service has them."""
    rejected: int
    """Refused for good."""
    dropped: int
    """Given up by the uploader's rules."""
    spooled: int
    """Left on disk."""
    recovered: int
    """Of the accepted: found in the spool at the start."""
    quarantined: int
    """Records of the spool that were damaged or gone. Those that were accepted are `dropped` too; those that were found at the opening
    are part of no other number, since nobody knows what they were."""
    retries: int
    """Repeats sent, without those at once behind a new sign-in, as in `Delivered.attempts`."""
    duplicates: int
    """Deliveries that turned out to be there already."""
    bytes: int
    """Image bytes of delivered frames."""
    seconds: float
    """From opening to closing, or to now."""
    dropped_by_reason: dict[str, int]
    """`dropped` by `DropReason`."""
    dropped_by_source: dict[str, int]
    """`dropped` by `Frame.source`; empty text for none."""
    failures: tuple[Failure, ...] = attrs.field(repr=False)
    """A line for each frame that was not delivered, without image; at most for the first 10,000 rejected, 1,000 dropped and 1,000
    spooled ones."""
    undelivered: tuple[Dropped | Spooled, ...] = attrs.field(repr=False)
    """The frames that were still in memory at the end of closing."""
    refused: int = 0
    """Frames that were not taken, as `submit` raised: part of none of the other numbers. Those count that waited for room when closing
    began; those that came after that do not, nor those whose `submit` was cancelled by its caller."""
    may_be_stored: int = 0
    """Of the rejected and dropped: those of which an answer was lost or unclear, so that the service may have them all the same."""
    error: BaseException | None = attrs.field(default=None, repr=error_repr)
    """What the iterable given to `monitor_many` raised, or that it gave something that is no `Frame`; the frames before were delivered.
    None elsewhere."""

    @property
    def is_balanced(self) -> bool:
        """Whether every accepted frame is accounted for; always True once closed."""
        return self.accepted == self.delivered + self.rejected + self.dropped + self.spooled

    @property
    def is_complete(self) -> bool:
        """Whether every accepted frame was delivered, no record of the spool was damaged, and the iterable came to its end."""
        return self.accepted == self.delivered and not self.quarantined and self.error is None

    def raise_for_failures(self) -> None:
        """Raise where a frame was not delivered, or the iterable that gave them raised: for jobs that must not end well then.

        Raises:
            DeliveryError: It has this report, and the error of the iterable as its cause.
        """
        if self.is_complete:
            return
        missing = self.accepted - self.delivered
        text = f"{missing} of {self.accepted} frames were not delivered: {self.rejected} rejected, {self.dropped} dropped, {self.spooled} left in the spool"
        text += f" ({self.may_be_stored} may be stored all the same)" if self.may_be_stored else ""
        first = "; ".join(f"{shown_name(line.filename) or line.frame_id} ({line.reason})" for line in self.failures[:3])
        text += f", first {first}" if first else ""
        text += f"; {self.quarantined} records of the spool were damaged" if self.quarantined else ""
        if self.error is not None:
            text += f"; reading the frames ended with {error_text(self.error)}"
        raise DeliveryError(text, self) from self.error

    def to_json(self) -> dict[str, Any]:
        """Return the numbers and the failures as JSON-ready values."""
        fields = attrs.asdict(self, filter=attrs.filters.exclude("undelivered", "failures", "error"))
        return {
            **fields,
            "error": None if self.error is None else error_text(self.error),
            "failures": [{**attrs.asdict(line), "frame_id": str(line.frame_id)} for line in self.failures],
        }
