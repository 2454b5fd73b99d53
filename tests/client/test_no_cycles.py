"""A failed call lets go of its image at once, not when the garbage collector comes by: an outage must not fill the memory."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from picsellia_async import AsyncClient, PicselliaError, RetryPolicy
from picsellia_async.emulator import Emulator, Fault

from ..support.client import ONE_BOX

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Asyncio without debug mode, which keeps tracebacks on purpose."""
    return "asyncio", {"debug": False}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=400, endpoint="monitor"),
        Fault(kind="status", status=503, endpoint="monitor", times=2),
        Fault(kind="garbage", endpoint="monitor"),
        Fault(kind="reset", endpoint="monitor"),
    ],
    ids=["refused", "unavailable", "garbage", "reset"],
)
@pytest.mark.parametrize("size", [1000, 1 << 20])
@pytest.mark.usefixtures("uncollected")
async def test_a_failed_call_lets_go_of_its_image(fault: Fault, size: int) -> None:
    """Refused, unreadable and broken answers, after one attempt or two, leave no reference to the image."""
    image = b"\xff\xd8\xff" + bytes(size)
    retry = RetryPolicy(attempts=2, backoff_initial=0.001)
    async with Emulator() as emulator, AsyncClient(emulator.api_token, host=emulator.url, retry=retry) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await deployment.monitor_bytes(image, "image/jpeg", "f.jpg", 0.1, 48, 64, ONE_BOX)
        before = sys.getrefcount(image)
        emulator.faults.add(fault)
        failed = False
        try:
            await deployment.monitor_bytes(image, "image/jpeg", "f.jpg", 0.1, 48, 64, ONE_BOX)
        except PicselliaError:
            failed = True
        for _ in range(5):
            await asyncio.sleep(0)
        assert failed
        assert sys.getrefcount(image) == before
