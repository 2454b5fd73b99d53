"""Settings and fixtures that all tests share."""

from __future__ import annotations

import gc
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import settings

from picsellia_async import AsyncClient, AsyncDeployment
from picsellia_async.emulator import Emulator

from .support.watch import Watch

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's job in the background: the commands that tests interrupt would inherit it, and run on.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _watch() -> Iterator[Watch]:
    watch = Watch()
    with watch.installed():
        yield watch


@pytest.fixture(autouse=True)
def watch(_watch: Watch, request: pytest.FixtureRequest) -> Iterator[Watch]:
    """No test of the whole suite makes anything that has a secret, or the form of one."""
    secrets = _watch.secrets
    secrets.found.clear()
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield _watch
    if folder is not None:
        _watch.see_files(folder)
    assert secrets.found == []


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run every async test on asyncio, in debug mode."""
    return "asyncio", {"debug": True}


@pytest.fixture(autouse=True)
def state_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands, in this process and others, keep their journals away from the user's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing but reference counts frees memory."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A fresh emulator on real TCP."""
    async with Emulator() as running:
        yield running


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[AsyncClient]:
    """A connected client of the emulator."""
    async with AsyncClient(emulator.api_token, emulator.organization_id, host=emulator.url) as connected:
        yield connected


@pytest.fixture
async def deployment(client: AsyncClient, emulator: Emulator) -> AsyncDeployment:
    """The emulator's deployment (object detection)."""
    return await client.get_deployment(emulator.deployment_name)
