"""`order="newest"`: what came last is sent first, in memory and on disk; on a clock that jumps."""

from __future__ import annotations

import asyncio
import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import ConfigurationError
from picsellia_async._delivery.fair_queue import FairQueue
from picsellia_async._delivery.receipt import Item, Receipt
from picsellia_async._delivery.spool.index import Index

from ..support.frames import make_frame
from .service import Service, uploader

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("disk")]


def make_item(seq: int, source: str) -> Item:
    frame = make_frame(seq)
    return Item(frame, b"", Receipt(frame.id), seq, 0, 0.0, source)


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=20), st.integers())
def test_the_newest_of_each_source_is_next(sources: list[str], seed: int) -> None:
    """However items come in, each source gives its own from the last to the first, and the oldest of all is known."""
    items = [make_item(seq, source) for seq, source in enumerate(sources)]
    queue: FairQueue[Item] = FairQueue(newest_first=True)
    index = Index(newest_first=True)
    for item in random.Random(seed).sample(items, len(items)):
        queue.push(item)
        index.add(item.seq, item.source, 10)
    first = queue.pop()
    assert first is not None
    queue.put_back(first)
    assert index.oldest_seq() == 0
    taken, found = [], []
    while (item := queue.pop()) is not None:
        taken.append(item)
    while (entry := index.pop()) is not None:
        found.append(entry)
    for source in "ab":
        wanted = [item.seq for item in items if item.source == source][::-1]
        assert [item.seq for item in taken if item.source == source] == wanted
        assert [entry.seq for entry in found if entry.source == source] == wanted


@pytest.mark.parametrize("spool", [None, "commit", "interval"])
async def test_a_backlog_is_delivered_from_its_end(tmp_path: Path, spool: Any) -> None:
    """Also where most of it is on disk alone; what comes meanwhile goes first, and nothing is lost."""
    options: dict[str, Any] = {}
    if spool:
        options = {"spool": tmp_path, "durability": spool, "max_pending_bytes": 30_000}
    service = Service(seconds=0.1)
    async with uploader(service, order="newest", concurrency=1, **options) as up:
        up.pause()
        for number in range(60):
            await up.submit(make_frame(number, size=2000))
        await asyncio.sleep(1)
        up.resume()
        while len(service.stored) < 20:  # noqa: ASYNC110 - the service tells nobody
            await asyncio.sleep(0.01)
        await up.submit(make_frame(100, size=2000))
        begun = len(service.arrivals)
        assert await up.flush() == 0
    order = [int(name[6:12]) for name in service.stored]
    assert sorted(order) == [*range(60), 100]
    assert 20 <= order.index(100) <= begun
    order.remove(100)
    # In interval mode one that is just being written may be a little late.
    assert all(before > after - 3 for before, after in itertools.pairwise(order))
    assert order[0] == 59


async def test_frames_of_a_former_run_come_behind_new_ones(tmp_path: Path) -> None:
    """What a run left on disk is sent when nothing newer waits."""
    async with uploader(Service(), spool=tmp_path) as up:
        up.pause()
        for number in range(30):
            await up.submit(make_frame(number, size=2000))
    service = Service(seconds=0.1)
    async with uploader(service, spool=tmp_path, order="newest", concurrency=1, max_pending_bytes=30_000) as up:
        for number in range(100, 105):
            await up.submit(make_frame(number, size=2000))
        assert await up.flush() == 0
    order = [int(name[6:12]) for name in service.stored]
    assert sorted(order) == [*range(30), *range(100, 105)]
    assert max(order.index(number) for number in range(100, 105)) <= 8


def test_orders_that_contradict_each_other() -> None:
    """The order within a source cannot be kept from its end."""
    with pytest.raises(ConfigurationError, match="contradict"):
        uploader(Service(), order="newest", ordered_by="source")
    with pytest.raises(ConfigurationError, match="order must be one of"):
        uploader(Service(), order="fifo")
