"""The fixtures that the package brings for tests of programs that use it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import attrs
import pytest

from picsellia_async import AsyncClient, AsyncDeployment
from picsellia_async.emulator import Fault, Faults, ThreadedEmulator
from picsellia_async.testing import assert_nothing_lost

from ..support.frames import make_frame

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("time", ["first", "second"])
async def test_each_test_begins_anew(
    time: str, picsellia_deployment: AsyncDeployment, picsellia_emulator: ThreadedEmulator
) -> None:
    """What one test stored the next one does not see."""
    assert picsellia_emulator.predictions() == []
    report = await picsellia_deployment.monitor_many([make_frame(n) for n in range(3)])
    assert_nothing_lost(report, picsellia_emulator)
    assert len(picsellia_emulator.predictions()) == 3


@pytest.fixture(scope="module")
def application(picsellia_session_emulator: ThreadedEmulator) -> str:
    """What is started once for several tests; it needs to know where the emulator is."""
    return picsellia_session_emulator.url


def test_a_fixture_of_a_module_has_the_same_emulator(application: str, picsellia_emulator: ThreadedEmulator) -> None:
    """An application that is started once talks to the emulator that each test looks at."""
    assert application == picsellia_emulator.url


@pytest.mark.parametrize("time", ["first", "second"])
async def test_faults_do_not_outlive_their_test(
    time: str, picsellia_deployment: AsyncDeployment, picsellia_faults: Faults
) -> None:
    """Trouble that was scripted in one test is not there in the next."""
    assert picsellia_faults.counts() == {}
    picsellia_faults.add(Fault(kind="status", status=422, endpoint="monitor", times=1))
    report = await picsellia_deployment.monitor_many([make_frame(n) for n in range(3)])
    with pytest.raises(AssertionError, match="1 of 3 frames were not delivered: 1 rejected"):
        assert_nothing_lost(report)


async def test_frames_that_are_stored_twice_are_found(
    picsellia_deployment: AsyncDeployment, picsellia_emulator: ThreadedEmulator
) -> None:
    """With the emulator each frame must be there once."""
    frame = make_frame(1)
    report = await picsellia_deployment.monitor_many([frame])
    await picsellia_deployment.monitor_many([attrs.evolve(frame, id=uuid.uuid4())])
    with pytest.raises(AssertionError, match=re.escape("1 frames were stored more than once, first frame-000001.jpg")):
        assert_nothing_lost(report, picsellia_emulator)


async def test_frames_that_are_not_there_are_found(
    picsellia_deployment: AsyncDeployment, picsellia_emulator: ThreadedEmulator
) -> None:
    """A report of delivered frames is not taken at its word."""
    report = await picsellia_deployment.monitor_many([make_frame(1)])
    picsellia_emulator.reset()
    with pytest.raises(AssertionError, match="1 frames were delivered, and 0 are stored"):
        assert_nothing_lost(report, picsellia_emulator)


def test_a_program_finds_the_emulator_by_its_environment(picsellia_environment: ThreadedEmulator) -> None:
    """A client that the program under test makes itself needs no argument."""

    async def program() -> str:
        async with AsyncClient() as client:
            return (await client.get_deployment("awesome-deploy")).name

    assert asyncio.run(program()) == picsellia_environment.deployment_name


def test_the_client_may_be_closed_by_the_test(picsellia_client: AsyncClient) -> None:
    """Closing it again is nothing."""

    async def use() -> None:
        async with picsellia_client as client:
            await client.get_deployment("awesome-deploy")

    asyncio.run(use())


def test_loading_the_plugin_loads_nothing_else() -> None:
    """Pytest loads it in every run, also in those that have nothing to do with this package."""
    code = "import sys, picsellia_async._pytest_plugin; print([m for m in ('httpx', 'starlette', 'attrs') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"


INNER = """
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def picsellia_emulator_options():
    return {"strict_images": True}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.parametrize("number", range(4))
async def test_a_session(number, picsellia_deployment, picsellia_emulator):
    assert (await picsellia_deployment.get_tags()) == []
    print("port", picsellia_emulator.port)
"""


def test_processes_of_xdist_have_an_emulator_each(tmp_path: Path) -> None:
    """A session of two processes passes without a warning; each has its own server."""
    (tmp_path / "test_inner.py").write_text(INNER)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-n2", "-rP", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {**os.environ, "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=500, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(set(re.findall(r"port (\d+)", done.stdout))) == 2
