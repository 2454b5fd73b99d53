"""The room of a spool: what ends while its write is under way gives its room back once, whatever the write comes to."""

from __future__ import annotations

import pytest

from picsellia_async._delivery.outcomes import Delivered, Dropped, DropReason, Outcome, Rejected
from picsellia_async._delivery.receipt import Item, Receipt
from picsellia_async._delivery.spool.quota import SpoolQuota

from ..support.frames import make_frame

FRAME = make_frame()


class Writes:
    """A spool that is told what becomes of records, and does nothing."""

    is_gone = False

    def acknowledge(self, seq: int) -> None:
        """Nothing is there to delete."""

    def reject(self, seq: int, reason: str) -> None:
        """Nor to keep."""


@pytest.mark.parametrize(
    "outcome", [Delivered(FRAME, {}), Dropped(FRAME, DropReason.FULL_OLDEST), Rejected(FRAME, ValueError("bad")), None],
    ids=["delivered", "dropped", "rejected", "pending"],
)  # fmt: skip
def test_a_write_that_fails_leaves_nothing_behind(outcome: Outcome | None) -> None:
    """Neither room nor a dead letter, whether its frame has ended before."""
    quota = SpoolQuota(Writes(), 1000)  # type: ignore[arg-type]  # all that is asked of it
    assert quota.room.try_reserve(400)
    item = Item(FRAME, b"", Receipt(FRAME.id), 1, 0, 0.0, disk_bytes=400)
    if outcome is not None:
        quota.end(item, outcome)
        item.receipt.resolve(outcome)
    quota.not_written(item)
    assert (quota.room.used_bytes, quota.room.used_frames, quota.pending_bytes) == (0, 0, 0)


def test_a_dead_letter_keeps_its_room() -> None:
    """It is on disk, and no frame to be delivered."""
    quota = SpoolQuota(Writes(), 1000)  # type: ignore[arg-type]
    assert quota.room.try_reserve(400)
    item = Item(FRAME, b"", Receipt(FRAME.id), 1, 0, 0.0, disk_bytes=400)
    quota.end(item, Rejected(FRAME, ValueError("bad")))
    assert (quota.room.used_bytes, quota.pending_bytes) == (400, 0)
