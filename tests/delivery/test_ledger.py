"""The account of the frames: counts, and what a report keeps of them."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._delivery.flow_control import FlowControl
from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.outcomes import Delivered, Dropped, DropReason, Rejected, Spooled
from picsellia_async._delivery.receipt import Item, Receipt
from picsellia_async.errors import BadRequestError

from ..support.frames import make_frame

pytestmark = pytest.mark.anyio

REFUSAL = BadRequestError("no", 400, "POST", "x")


def make_item(ledger: Ledger, number: int) -> Item:
    frame = make_frame(number, source="cam-1")
    ledger.memory.occupy(1024)
    return Item(frame, b"", Receipt(frame.id), ledger.next_seq(), 1024, 0.0, "cam-1")


def test_a_flood_of_drops_hides_no_rejection() -> None:
    """A long outage drops frames without end: the report names the first of them, counts all, and still names who was refused."""
    ledger = Ledger(FlowControl(2**20))
    frame = make_frame(1, source="cam-1")
    for _ in range(15_000):
        ledger.accept_ended(frame, Dropped(frame, DropReason.FULL_OLDEST))
    for _ in range(15_000):
        ledger.accept_ended(frame, Rejected(frame, REFUSAL))
    report = ledger.report(retries=0, seconds=1.0)
    assert (report.dropped, report.rejected) == (15_000, 15_000)
    assert report.dropped_by_source == {"cam-1": 15_000}
    assert Counter(line.outcome for line in report.failures) == {"dropped": 1000, "rejected": 10_000}
    assert report.is_balanced


def test_an_end_counts_once() -> None:
    """A late answer for a frame that has its outcome changes no number, though the frame was submitted anew meanwhile."""
    ledger = Ledger(FlowControl(2**20))
    first = make_item(ledger, 1)
    ledger.accept(first)
    ledger.end(first, Dropped(first.frame, DropReason.CLOSED))
    again = Item(first.frame, b"", Receipt(first.frame.id), ledger.next_seq(), 1024, 0.0)
    ledger.memory.occupy(1024)
    ledger.accept(again)
    ledger.end(first, Delivered(first.frame, {}))
    assert (ledger.accepted, ledger.dropped, ledger.delivered, ledger.pending) == (2, 1, 0, 1)
    assert again.receipt.outcome is None


async def test_a_flush_waits_for_what_came_before_it_alone() -> None:
    """Frames that are accepted, or end as they come, after it began neither keep nor end it."""
    ledger = Ledger(FlowControl(2**20))
    before = make_item(ledger, 1)
    ledger.accept(before)
    flushing = asyncio.create_task(ledger.flush())
    await asyncio.sleep(0)
    after = make_item(ledger, 2)
    ledger.accept(after)
    ledger.accept_ended(after.frame, Rejected(after.frame, REFUSAL))
    ledger.end(after, Delivered(after.frame, {}))
    await asyncio.sleep(0)
    assert not flushing.done()
    ledger.end(before, Delivered(before.frame, {}))
    assert await flushing == 0


@pytest.mark.parametrize("seconds", [None, 0.01])
async def test_the_end_of_a_frame_that_was_being_written_is_not_that_of_another(seconds: float | None) -> None:
    """It has its order before the flush began, and is accepted and ends while that waits."""
    ledger = Ledger(FlowControl(2**20))
    before, being_written, late = (make_item(ledger, number) for number in range(3))
    ledger.accept(before)
    flushing = asyncio.create_task(ledger.flush(seconds))
    await asyncio.sleep(0)
    ledger.accept(being_written)
    ledger.end(being_written, Delivered(being_written.frame, {}))
    if seconds is not None:
        assert await flushing == 1
        return
    for _ in range(5):
        await asyncio.sleep(0)
    assert not flushing.done()
    ledger.end(before, Delivered(before.frame, {}))
    ledger.accept(late)  # all that it waited for has ended
    assert await flushing == 0


@given(st.lists(st.sampled_from(["accept", "end", "ended", "refuse", "recover", "lose", "spool", "leave", "merge"])))
def test_no_order_of_events_unbalances_the_account(steps: list[str]) -> None:
    """Whatever happens in whatever order: what was accepted is pending or has one outcome, and memory holds what is in memory."""
    ledger = Ledger(FlowControl(2**30))
    on_disk = 0
    for number, step in enumerate(steps):
        item = next(iter(ledger.known.values()), None)
        if step == "accept":
            ledger.accept(make_item(ledger, number))
        elif step == "end" and item is not None:
            ledger.end(item, Delivered(item.frame, {}))
        elif step == "ended":
            frame = make_frame(number)
            ledger.accept_ended(frame, Rejected(frame, REFUSAL))
        elif step == "refuse":
            ledger.refuse(REFUSAL)
        elif step == "recover":
            ledger.recover(2, ledger.last_seq + 2, 0)
            on_disk += 2
        elif step == "lose" and on_disk:
            ledger.end_damaged(Receipt(make_frame(number).id), REFUSAL, "", is_of_former_run=number % 2 == 0)
            on_disk -= 1
        elif step == "spool" and on_disk:
            frame = make_frame(number)
            ledger.end_on_disk(Receipt(frame.id), Spooled(frame.id), "")
            on_disk -= 1
        elif step == "leave" and item is not None:
            ledger.leave_memory(item)
            on_disk += 1
        elif step == "merge" and item is not None:
            ledger.merge(item)
        assert ledger.pending == len(ledger.known) + on_disk
        assert ledger.memory.used_bytes == 1024 * len(ledger.known)
