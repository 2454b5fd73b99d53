"""The journal of a job that did not begin is closed, and nothing of it is left; one that loses its file is told."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter

import anyio
import pytest

from picsellia_async import ConfigurationError
from picsellia_async.jobs import Job, JournalLostError, run
from picsellia_async.jobs._journal import Journal

from ..support.sources import encoded_frames

pytestmark = pytest.mark.anyio


async def journal_threads_end():
    with anyio.fail_after(60):
        while any(one.name.startswith("picsellia-journal") for one in threading.enumerate()):  # noqa: ASYNC110 - a thread ends without telling
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_a_job_that_is_cancelled_while_its_journal_opens_leaves_it_closed(
    tmp_path, deployment, monkeypatch, cancellations
):
    """The next run has it, also while the cancelled job is still in hand."""
    begun, goes_on = threading.Event(), threading.Event()
    open_ = Journal.open

    def opened(self):
        begun.set()
        goes_on.wait()
        open_(self)

    monkeypatch.setattr(Journal, "open", opened)
    job = Job(deployment, journal=tmp_path / "j")
    task = asyncio.create_task(job.__aenter__())
    await asyncio.to_thread(begun.wait)
    for _ in range(cancellations):
        task.cancel()
        await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await journal_threads_end()
    monkeypatch.undo()
    assert (await run(encoded_frames([0]), deployment, journal=tmp_path / "j")).is_complete
    assert job.report is None


async def test_a_refused_journal_leaves_no_thread(tmp_path, deployment):
    """Also while the refused job is still in hand."""
    await run(encoded_frames([0]), deployment, journal=tmp_path / "j", input="a")
    refused = [Job(deployment, journal=tmp_path / "j", input="b") for _ in range(3)]
    for job in refused:
        with pytest.raises(ConfigurationError, match="is of input 'a', not 'b'"):
            await job.__aenter__()
    await journal_threads_end()


async def test_a_journal_stays_where_it_is_when_the_process_goes_elsewhere(tmp_path, deployment, monkeypatch):
    """A relative path is that of the folder in which the job began."""
    monkeypatch.chdir(tmp_path)
    async with Job(deployment, journal="j") as job:
        monkeypatch.chdir(tmp_path.parent)
        assert [one async for one in job.uploader.stream(job.pending(encoded_frames([0])))]
    assert job.report is not None
    assert job.report.is_complete


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
@pytest.mark.parametrize("is_replaced", [False, True])
async def test_a_job_whose_journal_is_removed_or_replaced_says_so(tmp_path, emulator, deployment, is_replaced):
    """It would look well, and the next run would send everything again; with `look_up` nothing is stored twice."""

    async def frames():
        for frame in encoded_frames(range(4)):
            yield frame
        while len(emulator.predictions()) < 5:  # noqa: ASYNC110 - the emulator tells nobody what it stores
            await asyncio.sleep(0.01)
        if is_replaced:
            (tmp_path / "other").replace(tmp_path / "j")
        else:
            (tmp_path / "j").unlink()
        for frame in encoded_frames(range(4, 6)):
            yield frame

    await run(encoded_frames([7]), deployment, journal=tmp_path / "other")
    with pytest.raises(JournalLostError, match="look_up=True"):
        await run(frames(), deployment, journal=tmp_path / "j")
    assert (await run(encoded_frames(range(6)), deployment, journal=tmp_path / "j", look_up=True)).is_complete
    found = Counter(item["filename"] for item in emulator.predictions())
    assert found == {f"{number}.jpg": 1 for number in [*range(6), 7]}
