"""Counting outcomes, and what a report keeps of them."""

from __future__ import annotations

from collections import Counter

from picsellia_async._delivery.outcomes import Dropped, DropReason, Rejected, Spooled
from picsellia_async._delivery.tally import Tally
from picsellia_async.errors import BadRequestError

from ..support.frames import make_frame


def test_a_flood_of_drops_hides_no_rejection() -> None:
    """A long outage drops frames without end: the report names the first of them, counts all, and still names who was refused."""
    tally = Tally(accepted=45_000)
    frame = make_frame(1, source="cam-1")
    error = BadRequestError("no", 400, "POST", "x")
    for _ in range(15_000):
        tally.count(Dropped(frame, DropReason.FULL_OLDEST), 0)
        tally.count(Spooled(frame.id), 0)
    for _ in range(15_000):
        tally.count(Rejected(frame, error), 0)
    report = tally.report(retries=0, seconds=1.0)
    assert (report.dropped, report.spooled, report.rejected) == (15_000, 15_000, 15_000)
    assert report.dropped_by_source == {"cam-1": 15_000}
    assert Counter(line.outcome for line in report.failures) == {"dropped": 1000, "spooled": 1000, "rejected": 10_000}
    assert report.is_balanced
