"""Jobs over a real cluster of Dask: four worker processes, of which one is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from picsellia_async import ConfigurationError
from picsellia_async.integrations.dask import deliver

from ..support.sources import encoded

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
pytest.importorskip("dask.bag")
pytest.importorskip("dask.dataframe")

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(3600)]


@pytest.fixture
async def cluster(emulator, monkeypatch):
    """A client of four worker processes, which have the token in their environment."""
    monkeypatch.setenv("PICSELLIA_TOKEN", emulator.api_token)
    monkeypatch.setenv("PICSELLIA_HOST", emulator.url)

    def opened():
        started = distributed.LocalCluster(n_workers=4, threads_per_worker=1, dashboard_address=None)
        return started, distributed.Client(started)

    started, client = await asyncio.to_thread(opened)
    yield client
    await asyncio.to_thread(client.close)
    await asyncio.to_thread(started.close)


def mend(path):
    """Make a whole picture of a file."""
    Path(path).write_bytes(encoded(value=len(path) + int(Path(path).stem) // 100))


async def test_a_killed_worker_loses_and_doubles_nothing(
    tmp_path, emulator, cluster, pictures, troubles, stored, frame
):
    """Lost answers included: each picture is stored once, the failures are the bad ones, and a second run sends nothing."""
    bag = dask.bag.from_sequence(pictures.paths, npartitions=16)

    def run():
        return deliver(
            bag, emulator.deployment_name, journals=tmp_path / "journals", frame=frame, limit=32, concurrency=8
        )

    work = asyncio.create_task(asyncio.to_thread(run))
    while sum((await stored()).values()) < len(pictures.good) // 4:
        await asyncio.sleep(0.2)
        assert not work.done()
    processes = await asyncio.to_thread(cluster.run, os.getpid)
    os.kill(min(processes.values()), signal.SIGKILL)
    report = await work
    assert await stored() == pictures.good
    assert (report.merged.delivered, report.merged.rejected, report.merged.left) == (
        len(pictures.good), len(pictures.bad), 0
    )  # fmt: skip
    assert sorted(name for name, _ in report.failures) == sorted(pictures.bad)
    assert report.processes > 1

    # Cut otherwise, with the bad ones repaired.
    for path in pictures.paths:
        if Path(path).name in pictures.bad:
            mend(path)
    bag = dask.bag.from_sequence(pictures.paths, npartitions=5)
    again = await asyncio.to_thread(run)
    assert (again.merged.delivered, again.merged.rejected) == (len(pictures.paths), len(pictures.bad))
    assert again.delivered_before == len(pictures.good)
    assert set((await stored()).values()) == {1}


async def test_a_dataframe_and_delayed_lists_are_delivered_too(tmp_path, emulator, cluster, pictures, stored, frame):
    """Rows are named tuples; a process has one client, whatever it delivers; no more requests are in flight than the limit."""
    pandas = pytest.importorskip("pandas")
    frames = dask.dataframe.from_pandas(pandas.DataFrame({"path": pictures.paths[1:61]}), npartitions=6)
    name, options = emulator.deployment_name, {"journals": tmp_path / "j", "frame": frame, "concurrency": 2, "limit": 4}
    report = await asyncio.to_thread(lambda: deliver(frames, name, **options))
    assert (report.delivered, report.is_complete) == (60, True)
    lists = [dask.delayed(list)(pictures.paths[start : start + 10]) for start in (61, 71)]
    report = await asyncio.to_thread(lambda: deliver(lists, name, **options))
    assert (report.delivered, report.merged.delivered, report.is_complete) == (20, 80, True)
    assert set((await stored()).values()) == {1}
    signed_in = [entry for entry in emulator.journal if entry.endpoint == "oracle_login"]
    assert len(signed_in) <= 4
    with pytest.raises(ConfigurationError, match="items must be a bag"):
        await asyncio.to_thread(lambda: deliver("x", name, **options))
    with pytest.raises(ConfigurationError, match="limit is 1, and one part has a concurrency of 2"):
        await asyncio.to_thread(lambda: deliver(lists, name, **{**options, "limit": 1}))
