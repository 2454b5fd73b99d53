"""Requests that the end of closing gives up: a frame whose request never left whole is not told as stored perhaps, any other one is."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from picsellia_async import AsyncClient, AsyncDeployment, Timeouts
from picsellia_async._delivery.outcomes import UploadReport
from picsellia_async.emulator import Emulator, Fault

from ..support.frames import make_frame

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

FRAMES = 8
PATIENT = Timeouts(connect=600.0, read=600.0, write=600.0, pool=600.0, attempt=600.0)
BEYOND_ALL_BUFFERS = 48 << 20


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run every test on asyncio and on uvloop, in debug mode."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"debug": True, "use_uvloop": request.param == "uvloop"}


def client_of(emulator: Emulator, **options: Any) -> AsyncClient:
    return AsyncClient(emulator.api_token, emulator.organization_id, host=emulator.url, timeout=PATIENT, **options)


async def given_up(
    deployment: AsyncDeployment, until: Callable[[], bool], size: int = 1000, frames: int = FRAMES
) -> UploadReport:
    """Submit frames, close when it is so, and return the report."""
    async with deployment.uploader(close_timeout=0.5, concurrency=4) as uploader:
        for number in range(frames):
            await uploader.submit(make_frame(number, size))
        while uploader.statistics().in_flight < min(4, frames) or not until():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    report = uploader.report
    assert (report.delivered, report.dropped) == (0, frames)
    assert sum(line.may_be_stored for line in report.failures) == report.may_be_stored
    return report


async def test_a_sign_in_that_hangs(emulator: Emulator) -> None:
    """Nothing of a frame was sent."""
    async with client_of(emulator) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(Fault(kind="stall", endpoint="oracle_login"))
        report = await given_up(deployment, lambda: True)
    assert report.may_be_stored == 0
    assert not [entry for entry in emulator.journal if entry.endpoint == "monitor"]


async def test_a_new_sign_in_that_hangs(emulator: Emulator) -> None:
    """The request was sent, and refused for its credential: it stored nothing, and the one behind the sign-in was not sent."""
    async with client_of(emulator) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        async with deployment.uploader() as uploader:
            await uploader.submit(make_frame(FRAMES))
        emulator.faults.add(Fault(kind="jwt_expiry", times=1))
        emulator.faults.add(Fault(kind="stall", endpoint="oracle_login"))

        def refused() -> int:
            return sum(entry.endpoint == "monitor" and entry.status == 401 for entry in emulator.journal)

        report = await given_up(deployment, lambda: refused() >= 4)
    assert report.may_be_stored == 0


@contextlib.contextmanager
def full_listener(port: int) -> Iterator[None]:
    """Listen where connects hang: the queue is full, and SYNs are dropped."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield


async def test_a_connect_that_hangs(tmp_path: Path) -> None:
    """No connection, no request."""
    async with Emulator(data_dir=tmp_path) as emulator:
        client = client_of(emulator)
        await client.connect()
        deployment = await client.get_deployment(emulator.deployment_name)
        async with deployment.uploader() as uploader:
            await uploader.submit(make_frame(FRAMES))  # it signs in
    async with client:
        with full_listener(emulator.port):
            report = await given_up(deployment, lambda: True)
    assert report.may_be_stored == 0


async def test_a_slot_that_stays_taken(emulator: Emulator) -> None:
    """Who waits for a connection has sent nothing; who has it may be stored."""
    async with client_of(emulator, max_connections=1) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(Fault(kind="stall", direction="down", endpoint="monitor"))
        report = await given_up(deployment, lambda: any(entry.endpoint == "monitor" for entry in emulator.journal))
    assert report.may_be_stored == 1


async def test_a_body_that_is_not_up(emulator: Emulator) -> None:
    """The rest of it never left."""
    async with client_of(emulator) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(Fault(kind="stall", direction="up", endpoint="monitor"))
        report = await given_up(deployment, lambda: True, BEYOND_ALL_BUFFERS, 1)
    assert report.may_be_stored == 0


async def test_an_answer_that_does_not_come(emulator: Emulator) -> None:
    """Each request left whole: the service may have its frame, and has."""
    async with client_of(emulator) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(Fault(kind="stall", direction="down", endpoint="monitor"))

        def came() -> int:
            return sum(entry.endpoint == "monitor" for entry in emulator.journal)

        report = await given_up(deployment, lambda: came() >= 4)
    assert report.may_be_stored == 4
