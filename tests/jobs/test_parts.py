"""A job in parts: each frame is in one of them, and their journals become one."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from picsellia_async import ConfigurationError
from picsellia_async.emulator import Fault
from picsellia_async.jobs import JournalError, merge, partition, run

from ..support.sources import encoded_frames

pytestmark = pytest.mark.anyio

PARTS = 3


def frames():
    return encoded_frames([*range(12), 5])


async def test_each_frame_is_in_one_part():
    """Whatever order they come in; equal ones are together."""
    for order in (list(frames()), list(frames())[::-1]):
        parts = [[one.filename async for one in partition(order, part, PARTS)] for part in range(PARTS)]
        assert sorted(name for part in parts for name in part) == sorted(one.filename for one in frames())
        assert sum("5.jpg" in part for part in parts) == 1
        assert all(parts)
    for part, parts in ((3, 3), (-1, 3), (0, 0)):
        with pytest.raises(ConfigurationError, match="part"):
            [one async for one in partition(frames(), part, parts)]
    with pytest.raises(ConfigurationError, match="takes Frames, got str"):
        [one async for one in partition(["x"], 0, 1)]


async def test_journals_of_parts_become_one(tmp_path, deployment, emulator):
    """It tells the account of all, and a run with it sends what no part has delivered."""
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=2))
    journals = [tmp_path / f"{part}.j" for part in range(PARTS)]
    for part, journal in enumerate(journals):
        await run(partition(frames(), part, PARTS), deployment, journal=journal)
    emulator.faults.remove(fault.id)
    for _ in range(2):
        merged = merge(tmp_path / "all.j", journals)
        assert (merged.delivered, merged.rejected, merged.left) == (11, 2, 0)
    report = await run(frames(), deployment, journal=tmp_path / "all.j")
    assert (report.delivered_before, report.upload.accepted, report.is_complete) == (11, 2, True)
    merged = merge(tmp_path / "all.j", journals)  # what is known better stays
    assert (merged.delivered, merged.rejected) == (13, 0)


async def test_parts_may_be_merged_into_the_journal_of_one(tmp_path, deployment):
    """It is of all of the input then, and a run goes on with it."""
    journals = [tmp_path / f"{part}.j" for part in range(PARTS)]
    for part, journal in enumerate(journals):
        await run(partition(frames(), part, PARTS), deployment, journal=journal)
    merge(journals[0], journals[1:])
    report = await run(frames(), deployment, journal=journals[0])
    assert (report.delivered_before, report.upload.accepted, report.is_complete) == (13, 0, True)


async def test_journals_of_different_jobs_are_not_merged(tmp_path, deployment):
    """Nor what is no journal, or not there."""
    for name in ("a", "b"):
        await run(frames(), deployment, journal=tmp_path / name, input=name)
    with pytest.raises(ConfigurationError, match="is of input 'b', not 'a'"):
        merge(tmp_path / "all", [tmp_path / "a", tmp_path / "b"])
    with closing(sqlite3.connect(tmp_path / "all")) as file:
        assert file.execute("SELECT count(*) FROM items").fetchone() == (0,), "all of them, or none"
    assert merge(tmp_path / "all", [tmp_path / "a"]).delivered == 13
    (tmp_path / "text").write_text("text" * 2000)
    for path, message in (("gone", "there is no journal"), ("text", "text")):
        with pytest.raises(JournalError, match=message):
            merge(tmp_path / "all", [tmp_path / path])
    with pytest.raises(ConfigurationError, match="at least one file"):
        merge(tmp_path / "all", [])


@pytest.mark.parametrize("other", [(1, 3), (0, 2), None])
async def test_a_journal_is_of_one_part(tmp_path, deployment, other):
    """What it has not seen, the other parts have delivered: another part, and all of the input, are refused."""
    first = await run(partition(frames(), 0, 3), deployment, journal=tmp_path / "j")
    assert (
        await run(partition(frames(), 0, 3), deployment, journal=tmp_path / "j")
    ).delivered_before == first.delivered
    again = frames() if other is None else partition(frames(), *other)
    with pytest.raises(ConfigurationError, match="is of part 0 of 3 of its input, not"):
        await run(again, deployment, journal=tmp_path / "j")


async def test_a_base_is_asked_about_what_a_journal_does_not_know(tmp_path, deployment, emulator):
    """What it has as delivered is passed over, and what was under way there is looked up; it is not written to."""
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=1))
    first = await run(frames(), deployment, journal=tmp_path / "base", max_attempts=1, concurrency=1)
    assert (first.delivered, first.left) == (12, 1)
    before = (tmp_path / "base").read_bytes()
    for journal in ("a", "b"):
        report = await run(frames(), deployment, journal=tmp_path / journal, base=tmp_path / "base")
        assert (report.delivered_before, report.found, report.upload.accepted, report.is_complete) == (13, 1, 0, True)
    assert (tmp_path / "base").read_bytes() == before
    with pytest.raises(ConfigurationError, match="is of input '', not 'other'"):
        await run(frames(), deployment, journal=tmp_path / "c", input="other", base=tmp_path / "base")


async def test_a_base_that_cannot_be_read_is_refused(tmp_path, deployment):
    """One that is not there is told so, and not made; one of another format is refused by name, in `merge` too."""
    with pytest.raises(JournalError, match=r"there is no journal '.*base'"):
        await run(frames(), deployment, journal=tmp_path / "a", base=tmp_path / "base")
    assert not (tmp_path / "base").exists()
    await run(frames(), deployment, journal=tmp_path / "base")
    with closing(sqlite3.connect(tmp_path / "base")) as file, file:
        file.execute("UPDATE facts SET value = '1' WHERE name = 'format'")
    with pytest.raises(ConfigurationError, match="is of format '1', not '3'"):
        await run(frames(), deployment, journal=tmp_path / "a", base=tmp_path / "base")
    with pytest.raises(ConfigurationError, match="is of format '1', not '3'"):
        merge(tmp_path / "all", [tmp_path / "base"])
    assert not (tmp_path / "all").exists()
