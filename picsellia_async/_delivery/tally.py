"""Counting what became of the frames: from outcomes to `UploadReport`. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Final

import attrs

from picsellia_async._delivery.outcomes import (
    Delivered,
    Dropped,
    Failure,
    Outcome,
    Rejected,
    Spooled,
    UploadReport,
    failure_of,
)

REJECTED_LINES_MAX: Final = 10_000
"""Lines about rejected frames that a report keeps; the counters count all."""
OTHER_LINES_MAX: Final = 1_000
"""Lines about dropped and about spooled frames. Fewer: a long outage drops many, all for one reason, and memory must stay flat."""


@attrs.define(eq=False)
class Tally:
    """Counters of one uploader. `pending` is what keeps the books balanced: accepted, and not ended yet."""

    accepted: int = 0
    """Frames taken."""
    delivered: int = 0
    """Frames the service has."""
    rejected: int = 0
    """Frames refused for good."""
    dropped: int = 0
    """Frames given up."""
    spooled: int = 0
    """Frames left on disk."""
    recovered: int = 0
    """Frames found on disk."""
    quarantined: int = 0
    """Damaged records."""
    refused: int = 0
    """Frames not taken."""
    duplicates: int = 0
    """Deliveries that were there already."""
    bytes_delivered: int = 0
    """Image bytes of delivered frames."""
    callback_errors: int = 0
    """Times that a callback of the user raised."""
    dropped_by_reason: Counter[str] = attrs.field(factory=Counter)
    """Dropped frames by rule."""
    dropped_by_source: Counter[str] = attrs.field(factory=Counter)
    """Dropped frames by source."""
    failures: list[Failure] = attrs.field(factory=list)
    """The first lines about frames that were not delivered."""
    undelivered: list[Dropped | Spooled] = attrs.field(factory=list)
    """Frames in memory at the end of closing."""

    @property
    def pending(self) -> int:
        """Frames accepted and not ended yet."""
        return self.accepted - self.delivered - self.rejected - self.dropped - self.spooled

    def count(self, outcome: Outcome, size: int) -> None:
        """Count an end.

        Args:
            outcome: The end.
            size: Image bytes of the frame.
        """
        if isinstance(outcome, Delivered):
            self.delivered += 1
            self.bytes_delivered += size
            self.duplicates += outcome.is_duplicate
            return
        if isinstance(outcome, Rejected):
            self.rejected += 1
            has_room = self.rejected <= REJECTED_LINES_MAX
        elif isinstance(outcome, Dropped):
            self.dropped += 1
            self.dropped_by_reason[outcome.reason.value] += 1
            self.dropped_by_source[outcome.frame.source or ""] += 1
            has_room = self.dropped <= OTHER_LINES_MAX
        else:
            self.spooled += 1
            has_room = self.spooled <= OTHER_LINES_MAX
        if has_room:
            self.failures.append(failure_of(outcome))

    def lose(self, count: int) -> None:
        """Count records that were found and then turned out to be damaged: they were never really taken."""
        self.accepted -= count
        self.recovered -= min(count, self.recovered)
        self.quarantined += count

    def report(self, *, retries: int, seconds: float) -> UploadReport:
        """Return the account as it stands."""
        return UploadReport(
            accepted=self.accepted,
            delivered=self.delivered,
            rejected=self.rejected,
            dropped=self.dropped,
            spooled=self.spooled,
            recovered=self.recovered,
            quarantined=self.quarantined,
            retries=retries,
            duplicates=self.duplicates,
            bytes=self.bytes_delivered,
            seconds=seconds,
            dropped_by_reason=dict(self.dropped_by_reason),
            dropped_by_source=dict(self.dropped_by_source),
            failures=tuple(self.failures),
            undelivered=tuple(self.undelivered),
        )
