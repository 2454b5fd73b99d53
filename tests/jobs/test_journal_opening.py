"""The journal of a job that did not begin is closed, and nothing of it is left."""

from __future__ import annotations

import asyncio
import threading

import anyio
import pytest

from picsellia_async import ConfigurationError
from picsellia_async.jobs import Job, run
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
