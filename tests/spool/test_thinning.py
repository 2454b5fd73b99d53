"""A spool without room that is thinned: a long outage leaves a sparser record, evenly spread, and counted to the frame."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from pathlib import Path

import attrs
import pytest

from picsellia_async._delivery.outcomes import DropReason
from picsellia_async._delivery.spool.index import Index

from ..support.frames import make_frame
from .makers import Service, uploader

pytestmark = pytest.mark.anyio


def gaps(orders: list[int]) -> list[int]:
    return [after - before for before, after in itertools.pairwise(orders)]


@pytest.mark.parametrize("count", [150, 1000, 5000])
def test_what_stays_is_spread_evenly(count: int) -> None:
    """However long it lasts: between two frames that stay there are about as many as between any other two."""
    index = Index()
    for seq in range(count):
        if len(index) == 100:
            assert index.pop_between() is not None
        index.add(seq, "", 1)
    left = [seq for seq, _ in index.in_order()]
    assert (len(left), left[0], left[-1]) == (100, 0, count - 1)
    assert max(gaps(left)) <= 4 * count / 100


@pytest.mark.parametrize("count", [150, 1000, 5000])
def test_several_sources_are_spread_evenly_beside_each_other(count: int) -> None:
    """None of them pays for the others, however long it lasts."""
    index = Index()
    for seq in range(count):
        if len(index) == 100:
            assert index.pop_between() is not None
        index.add(seq, f"cam{seq % 4}", 1)
    left = [seq for seq, _ in index.in_order()]
    assert (left[:4], left[-4:]) == ([0, 1, 2, 3], [count - 4, count - 3, count - 2, count - 1])
    assert max(gaps(left)) <= 8 * count / 100
    assert all(number >= 10 for number in index.counts().values())


def test_sources_of_all_rates_keep_the_same_distance() -> None:
    """Of a camera that gives ten times as much, ten times as much goes; a slow one keeps what it has."""
    index = Index()
    for seq in range(2000):
        if len(index) == 400:
            assert index.pop_between() is not None
        index.add(seq, "slow" if seq % 10 == 0 else "fast", 1)
    assert index.counts()["slow"] == 200
    assert index.counts()["fast"] == 200


def test_a_new_outage_begins_with_every_frame() -> None:
    """Where all was delivered meanwhile, nothing is as sparse as at the end of the outage before."""
    index = Index()
    for seq in range(1000):
        if len(index) == 100:
            index.pop_between()
        index.add(seq, "", 1)
    while index.pop() is not None:
        pass
    for seq in range(1000, 1100):
        index.add(seq, "", 1)
    taken = [index.pop_between() for _ in range(3)]
    assert [entry.seq for entry in taken if entry is not None] == [1001, 1003, 1005]


def test_the_first_and_the_last_of_a_source_stay() -> None:
    """With two frames of each source there is nothing to thin."""
    index = Index()
    for seq in range(6):
        index.add(seq, f"cam{seq % 3}", 1)
    assert index.pop_between() is None
    assert len(index) == 6


@pytest.mark.parametrize("durability", ["commit", "interval"])
async def test_a_long_outage_leaves_a_sparser_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, durability: str
) -> None:
    """Beginning and end are there, what went is counted under its own reason and told once, and the rest is delivered once."""
    caplog.set_level(logging.WARNING, "picsellia_async")
    options = {"max_spool_bytes": 60_000, "max_pending_bytes": 8192, "when_full": "thin", "commit_interval": 0.01}
    service = Service(is_up=False)
    async with uploader(service, tmp_path, durability=durability, **options) as up:
        for number in range(200):
            await up.submit(attrs.evolve(make_frame(number, 2000), source=f"cam{number % 2}"))
        numbers = up.statistics()
        assert numbers.dropped_by_reason == {DropReason.THINNED: numbers.dropped}
        assert numbers.dropped > 150
        assert numbers.spool_bytes <= 60_000
    assert up.report.is_balanced
    assert len([record for record in caplog.records if "is thinned" in record.message]) == 1
    again = Service()
    async with uploader(again, tmp_path) as up:
        await up.flush()
    stored = sorted(int(name[6:12]) for name in again.stored)
    assert len(stored) == len(set(stored)) == 200 - numbers.dropped
    assert {0, 1, 198, 199} <= set(stored)
    assert all(count >= len(stored) // 3 for count in Counter(number % 2 for number in stored).values())
    assert max(gaps(stored)) <= 50


@pytest.mark.parametrize("order", ["oldest", "newest"])
async def test_a_spool_that_memory_could_hold_is_thinned(tmp_path: Path, order: str) -> None:
    """However small it is beside `max_pending_bytes`: what stays is spread over the whole outage."""
    service = Service()
    async with uploader(service, tmp_path, max_spool_bytes=300_000, when_full="thin", order=order) as up:
        up.pause()
        for number in range(500):
            await up.submit(make_frame(number, 4000))
        numbers = up.statistics()
        assert numbers.dropped_by_reason == {DropReason.THINNED: numbers.dropped}
        assert numbers.spool_bytes > 200_000
        up.resume()
        await up.flush()
    stored = sorted(int(name[6:12]) for name in service.stored)
    assert len(stored) == 500 - numbers.dropped
    assert (stored[0], stored[-1]) == (0, 499)
    assert max(gaps(stored)) <= 40
