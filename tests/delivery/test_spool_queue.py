"""The queue whose far end is on disk: turns of the sources, the account at closing, frames that are submitted again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from picsellia_async._delivery.outcomes import Delivered, Outcome, Rejected, Spooled
from picsellia_async._delivery.spool.index import Index
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import AuthenticationError, BadRequestError, ServerError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader, deliver_all

from ..spool.makers import OWNER, Service, fill, uploader
from ..support.frames import make_frame

pytestmark = pytest.mark.anyio


def test_the_index_takes_turns_and_keeps_order() -> None:
    """Sources take turns; within one the order stays, also of what is put back; the oldest of all is found."""
    index = Index()
    for seq, source in enumerate("aaaabca"):
        index.add(seq, source, 10)
    assert len(index) == 7
    taken = [index.pop() for _ in range(4)]
    assert [entry.seq for entry in taken if entry] == [0, 4, 5, 1]
    assert taken[3] is not None
    index.put_back(taken[3])
    assert index.oldest_seq() == 1
    assert index.pop_oldest() == (1, "a", 10)
    index.remove(3, "a")
    assert list(index.in_order()) == [(2, "a"), (6, "a")]
    index.clear()
    assert (len(index), index.pop(), index.pop_oldest(), index.oldest_seq()) == (0, None, None, None)


@pytest.mark.parametrize("ordered_by", [None, "source"])
async def test_sources_take_turns_on_disk_too(tmp_path: Path, ordered_by: Any) -> None:
    """A camera with four hundred frames on disk does not keep there the few of others that came later; within each the order stays."""
    order: list[tuple[str, str]] = []

    async def send(frame: Frame, request: bytes) -> dict[str, Any]:
        await asyncio.sleep(0)
        order.append((frame.source or "", frame.filename))
        return {}

    hog = [make_frame(number, 5000, source="hog") for number in range(400)]
    calm = [make_frame(1000 + number, 5000, source=f"cam-{number % 4}") for number in range(40)]
    async with uploader(Service(is_up=False), tmp_path) as up:
        for frame in hog + calm:
            await up.submit(frame)
    async with Uploader(
        send, spool=tmp_path, owner=OWNER, max_pending_bytes=200_000, concurrency=4, ordered_by=ordered_by
    ) as up:
        assert await up.flush(timeout=300) == 0
    last = max(place for place, (source, _) in enumerate(order) if source != "hog")
    assert last <= 40 + 40
    for source in {source for source, _ in order}:
        own = [name for one, name in order if one == source]
        assert len(own) == (400 if source == "hog" else 10)
        if ordered_by:
            assert own == sorted(own)


@pytest.mark.parametrize("durability", ["commit", "interval"])
async def test_a_burst_and_a_close_leave_no_receipt_open(tmp_path: Path, durability: Any) -> None:
    """Thousands of frames and an immediate close: every receipt has its outcome, and what is called spooled is on disk."""
    outcomes: list[Outcome] = []
    service = Service(is_up=False)
    options: dict[str, Any] = {"durability": durability, "max_pending_bytes": 2 * 2**20, "on_outcome": outcomes.append}
    async with uploader(service, tmp_path, **options) as up:
        submits = [asyncio.create_task(up.submit(make_frame(number, 2000))) for number in range(3000)]
        flushing = asyncio.create_task(up.flush())
        receipts = await asyncio.gather(*submits)
    assert await flushing == 0
    report = up.report
    assert (report.accepted, report.spooled, report.is_balanced) == (3000, 3000, True)
    assert all(isinstance(receipt.outcome, Spooled) for receipt in receipts)
    assert {outcome.frame_id for outcome in outcomes if isinstance(outcome, Spooled)} == {r.frame_id for r in receipts}
    again = Service()
    async with uploader(again, tmp_path, close_timeout=60.0) as up:
        assert up.report.recovered == 3000
        assert await up.flush(timeout=90) == 0
    assert len(set(again.stored)) == len(again.stored) == 3000


@pytest.mark.parametrize("durability", ["commit", "interval"])
async def test_a_frame_submitted_again_after_its_outcome_is_a_new_one(tmp_path: Path, durability: Any) -> None:
    """`outcome.frame`, submitted right after its outcome, is accepted, stored and delivered once more."""
    service = Service()
    async with uploader(service, tmp_path, durability=durability) as up:
        frame = make_frame(1)
        for _ in range(20):
            outcome = await (await up.submit(frame))
            assert isinstance(outcome, Delivered)
            frame = outcome.frame
        assert (up.report.accepted, up.report.delivered) == (20, 20)
    assert service.stored == ["frame-000001.jpg"] * 20


async def test_a_rejected_frame_submitted_again_is_a_new_one(tmp_path: Path) -> None:
    """Its dead letter gives way."""
    service = Service(is_up=False, error=BadRequestError("no", 400, "POST", "http://x"))
    async with uploader(service, tmp_path, close_timeout=10.0) as up:
        outcome = await (await up.submit(make_frame(1)))
        assert isinstance(outcome, Rejected)
        service.is_up = True
        assert isinstance(await (await up.submit(outcome.frame)), Delivered)


async def test_with_a_spool_a_refused_account_ends_a_run_and_keeps_every_frame(tmp_path: Path) -> None:
    """`monitor_many` comes back by itself; its frames are on disk, and the next run delivers them."""
    service = Service(is_up=False, error=AuthenticationError("who", 401, "POST", "http://x"))
    report = await deliver_all(uploader(service, tmp_path, close_timeout=5.0), [make_frame(n) for n in range(100)])
    assert (report.accepted, report.spooled, report.is_balanced) == (100, 100, True)
    again = Service()
    async with uploader(again, tmp_path) as up:
        assert await up.flush(timeout=300) == 0
    assert len(set(again.stored)) == 100


@pytest.mark.parametrize(
    "error", [RuntimeError("cannot schedule new futures after shutdown"), MemoryError(), KeyError("bug")]
)
async def test_an_error_that_is_not_the_librarys_ends_no_frame_on_disk(tmp_path: Path, error: BaseException) -> None:
    """Forty frames meet it while the interpreter ends: none is rejected, and the next run delivers all."""
    service = Service(is_up=False, error=error)
    async with uploader(service, tmp_path, close_timeout=1.0) as up:
        for number in range(40):
            await up.submit(make_frame(number))
    assert (up.report.spooled, up.report.rejected) == (40, 0)
    again = Service()
    async with uploader(again, tmp_path) as up:
        assert await up.flush(timeout=300) == 0
    assert len(again.stored) == 40


async def test_a_poisoned_frame_becomes_a_dead_letter_where_order_is_kept(tmp_path: Path) -> None:
    """The others of its source arrive, it is counted, and the next run does not send it."""
    tries: list[str] = []

    async def send(frame: Frame, request: bytes) -> dict[str, Any]:
        tries.append(frame.filename)
        if frame.filename == "frame-000001.jpg":
            raise ServerError("no", 500, "POST", "http://x")
        return {}

    retry = RetryPolicy(backoff_initial=0.001, backoff_max=0.01)
    async with Uploader(send, spool=tmp_path, owner=OWNER, ordered_by="source", retry=retry) as up:
        for number in range(30):
            await up.submit(make_frame(number, source=f"cam-{number % 2}"))
        assert await up.flush(timeout=300) == 0
    assert (up.report.delivered, up.report.rejected) == (29, 1)
    async with uploader(Service(), tmp_path) as up:
        assert up.report.recovered == 0


async def test_time_counts_from_acceptance_also_for_frames_read_back(tmp_path: Path) -> None:
    """`Delivered.seconds` and `max_age` know how long a frame lay on disk."""
    await fill(tmp_path, 2)
    await asyncio.sleep(0.3)
    outcomes: list[Outcome] = []
    async with uploader(Service(), tmp_path, on_outcome=outcomes.append) as up:
        assert await up.flush(timeout=300) == 0
    assert all(isinstance(outcome, Delivered) and outcome.seconds >= 0.3 for outcome in outcomes)


async def test_a_reused_metadata_dict_is_copied(tmp_path: Path) -> None:
    """A loop that fills the same dict again and again spools each frame with its own values."""
    service = Service(is_up=False, keeps_frames=True)
    metadata: dict[str, Any] = {"nested": {}}
    async with uploader(service, tmp_path) as up:
        for number in range(50):
            metadata["nested"]["number"] = number
            await up.submit(make_frame(number, custom_metadata=metadata))
        service.is_up = True
        assert await up.flush(timeout=300) == 0
    seen = {frame.filename: frame.custom_metadata for frame in service.frames}
    assert seen == {f"frame-{number:06d}.jpg": {"nested": {"number": number}} for number in range(50)}
