"""Jobs over Ray Data: actors that hold one client each, of which one is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from picsellia_async.integrations.ray import deliver

ray = pytest.importorskip("ray")

# Ray uses what it has deprecated itself.
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(3600), pytest.mark.filterwarnings("ignore")]


@pytest.fixture
async def cluster(emulator):
    """Ray on this machine, whose actors have the token in their environment."""
    environment = {"PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url}

    def begin():
        for attempt in range(5):
            try:
                ray.init(
                    num_cpus=4, include_dashboard=False, runtime_env={"env_vars": environment}, log_to_driver=False
                )
                return
            except Exception:
                if attempt == 4:
                    raise
                ray.shutdown()  # a busy machine: Ray gives its own processes half a minute to start

    await asyncio.to_thread(begin)
    yield
    await asyncio.to_thread(ray.shutdown)


async def test_a_killed_actor_loses_and_doubles_nothing(tmp_path, emulator, cluster, pictures, troubles, stored, frame):
    """Lost answers included: each picture is stored once, the failures are the bad ones, and a second run sends nothing."""

    def run():
        dataset = ray.data.from_items([{"path": path} for path in pictures.paths], override_num_blocks=8)
        return deliver(
            dataset, emulator.deployment_name, journals=tmp_path / "journals", frame=frame, actors=2,
            batch_size=len(pictures.paths) // 16, concurrency=8,
        )  # fmt: skip

    def marked():
        found = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it has ended
                if process.read_bytes().startswith(b"ray::MapWorker"):
                    found.append(int(process.parent.name))
        return found

    work = asyncio.create_task(asyncio.to_thread(run))
    while sum((await stored()).values()) < len(pictures.good) // 4:
        await asyncio.sleep(0.2)
        assert not work.done()
    actors = await asyncio.to_thread(marked)
    os.kill(min(actors), signal.SIGKILL)
    report = await work
    assert await stored() == pictures.good
    assert (report.merged.delivered, report.merged.rejected, report.merged.left) == (
        len(pictures.good), len(pictures.bad), 0
    )  # fmt: skip
    assert sorted(name for name, _ in report.failures) == sorted(pictures.bad)
    assert report.processes >= 2
    again = await asyncio.to_thread(run)
    assert again.delivered_before == len(pictures.good)
    assert await stored() == pictures.good
