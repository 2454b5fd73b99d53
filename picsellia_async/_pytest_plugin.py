"""Fixtures for tests against the emulator; pytest loads them by their entry point.

That happens in every run of pytest on a machine that has this package, so nothing is imported here that is not needed then. An
emulator is started when the first test asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from picsellia_async.client import AsyncClient
    from picsellia_async.deployment import AsyncDeployment
    from picsellia_async.emulator import EmulatorOptions, Faults, ThreadedEmulator

T = TypeVar("T")


@pytest.fixture(scope="session")
def picsellia_emulator_options() -> EmulatorOptions:
    """Options of the emulator; override it in a conftest.py."""
    return {}


@pytest.fixture(scope="session")
def picsellia_session_emulator(picsellia_emulator_options: EmulatorOptions) -> Iterator[ThreadedEmulator]:
    """The emulator that all fixtures share, for fixtures of a larger scope; what tests leave in it stays until one of the others resets it."""
    from picsellia_async.emulator import Emulator  # noqa: PLC0415 - see above

    with Emulator.run_in_thread(**picsellia_emulator_options) as emulator:
        yield emulator


@pytest.fixture
def picsellia_emulator(picsellia_session_emulator: ThreadedEmulator) -> ThreadedEmulator:
    """An emulator of the platform, monitoring, serving and storage, as new at the beginning of each test.

    It runs in a thread for the whole session (of each process, with pytest-xdist), on a free port of 127.0.0.1.
    """
    picsellia_session_emulator.reset()
    return picsellia_session_emulator


@pytest.fixture
def picsellia_faults(picsellia_emulator: ThreadedEmulator) -> Faults:
    """The emulator's scripted trouble, with none at the beginning of each test."""
    return picsellia_emulator.faults


@pytest.fixture
def picsellia_environment(picsellia_emulator: ThreadedEmulator, monkeypatch: pytest.MonkeyPatch) -> ThreadedEmulator:
    """The emulator, with the environment variables that make clients of the program under test use it."""
    monkeypatch.setenv("PICSELLIA_TOKEN", picsellia_emulator.api_token)
    monkeypatch.setenv("PICSELLIA_HOST", picsellia_emulator.url)
    monkeypatch.delenv("PICSELLIA_ORGANIZATION_ID", raising=False)
    monkeypatch.delenv("PICSELLIA_ORGANIZATION_NAME", raising=False)
    return picsellia_emulator


@pytest.fixture
def picsellia_client(picsellia_emulator: ThreadedEmulator) -> Iterator[AsyncClient]:
    """A client of the emulator. It need not be closed."""
    from picsellia_async.client import AsyncClient  # noqa: PLC0415 - see above

    client = AsyncClient(picsellia_emulator.api_token, host=picsellia_emulator.url)
    yield client
    _run(client.aclose())


@pytest.fixture
def picsellia_deployment(picsellia_client: AsyncClient, picsellia_emulator: ThreadedEmulator) -> AsyncDeployment:
    """The emulator's deployment, of `picsellia_client`."""
    return _run(picsellia_client.get_deployment(picsellia_emulator.deployment_name))


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own, in a thread: plugins for asynchronous tests may have a loop in this one."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()
