"""An answer whose head is no head: it says nothing, whatever its status line says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from picsellia_async import AsyncClient
from picsellia_async._delivery.outcomes import Delivered
from picsellia_async.config import RetryPolicy
from picsellia_async.emulator import Emulator

from ..support.frames import make_frame
from .emulated import stored_names

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """On both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@asynccontextmanager
async def damaging(port: int, damage: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """Relay to a port; the first 201 is damaged, and the connection ends behind it."""
    tasks: set[asyncio.Task[None]] = set()
    damaged = 0

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal damaged
        upstream, upward = await asyncio.open_connection("127.0.0.1", port)

        async def up() -> None:
            while data := await reader.read(65536):
                upward.write(data)

        sending = asyncio.ensure_future(up())
        tasks.add(sending)
        try:
            while data := await upstream.read(65536):
                if not damaged and data.startswith(b"HTTP/1.1 201 "):
                    damaged += 1
                    writer.write(damage(data))
                    break
                writer.write(data)
        finally:
            sending.cancel()
            for one in (writer, upward):
                one.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(relay(reader, writer)))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task
    assert damaged == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"\r\n", b"\r\nno colon\r\n", 1),
        lambda data: data.replace(b"\r\n", b"\r\ncontent-length: 1\r\ncontent-length: 2\r\n", 1),
        lambda data: data[:20],
    ],
    ids=["no header", "two lengths", "cut"],
)
async def test_a_201_with_a_malformed_head_is_a_lost_answer(
    emulator: Emulator, damage: Callable[[bytes], bytes]
) -> None:
    """A frame whose 201 has a malformed head, or one that breaks off, is sent again: a duplicate is better than a loss."""
    retry = RetryPolicy(backoff_initial=0.01, backoff_max=0.05)
    async with damaging(emulator.port, damage) as url, AsyncClient(emulator.api_token, host=url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        async with deployment.uploader(retry=retry) as uploader:
            outcome = await (await uploader.submit(make_frame(1, 20_000)))
    assert isinstance(outcome, Delivered)
    assert (outcome.attempts, outcome.error) == (2, None)
    assert stored_names(emulator) == ["frame-000001.jpg"] * 2
