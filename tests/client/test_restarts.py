"""A service that is being started again refuses connections for a while; calls wait for it.

PICSELLIA_ASYNC_SOAK=1 lets it take ten seconds, with the default policy.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import attrs
import pytest
import trustme

from picsellia_async import AsyncClient, RetryPolicy
from picsellia_async.emulator import Emulator

from ..support.client import monitor, stored_names

pytestmark = pytest.mark.anyio

REFUSALS = 60
"""Far more than the policy has attempts."""


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """On both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


class Refused(logging.Handler):
    """Counts attempts that were refused."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.count = 0
        self.enough = asyncio.Event()

    def emit(self, record):
        if "attempt" in (said := record.getMessage()) and "cannot connect" in said:
            self.count += 1
            if self.count >= REFUSALS:
                self.enough.set()


@attrs.frozen
class Place:
    """Where a service is started, and started again."""

    port: int
    folder: Path
    tls: tuple[Path, Path] | None
    context: ssl.SSLContext | None

    def service(self) -> Emulator:
        return Emulator(self.port, data_dir=self.folder / "data", tls=self.tls)

    def client(self, service: Emulator, **options: Any) -> AsyncClient:
        return AsyncClient(service.api_token, host=service.url, verify=self.context, **options)


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def place(request, tmp_path):
    """A port and a folder for a service, which speaks TLS or not."""
    context, tls = None, None
    if request.param:
        authority = trustme.CA()
        leaf = authority.issue_cert("127.0.0.1")
        leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
        leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        context, tls = ssl.create_default_context(), (tmp_path / "cert.pem", tmp_path / "key.pem")
        authority.configure_trust(context)
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        return Place(placeholder.getsockname()[1], tmp_path, tls, context)


async def test_calls_wait_for_a_service_that_starts_again(place, caplog):
    """Ten calls meet a port where nobody listens, many more times than they have attempts; the service comes back: all succeed."""
    refused, logger = Refused(), logging.getLogger("picsellia_async")
    logger.addHandler(refused)
    retry = RetryPolicy(attempts=2, total=100, backoff_initial=0.01, backoff_max=0.02)
    before = place.service()
    try:
        with caplog.at_level(logging.DEBUG, "picsellia_async"):
            async with before, place.client(before, retry=retry) as client:
                deployment = await client.get_deployment(before.deployment_name)
                await monitor(deployment)
                await before.stop()
                calls = [asyncio.ensure_future(monitor(deployment, name=f"{number}.jpg")) for number in range(10)]
                await refused.enough.wait()
                assert not any(call.done() for call in calls)
                async with place.service():
                    assert len({answer["id"] for answer in await asyncio.gather(*calls)}) == 10
    finally:
        logger.removeHandler(refused)


@pytest.mark.skipif(not os.environ.get("PICSELLIA_ASYNC_SOAK"), reason="takes ten seconds: PICSELLIA_ASYNC_SOAK=1")
async def test_the_default_policy_outlives_a_restart_of_ten_seconds(place):
    """Twenty calls begin when the service is gone, and it comes back ten seconds later: twenty are stored."""
    before = place.service()
    async with before, place.client(before) as client:
        deployment = await client.get_deployment(before.deployment_name)
        await monitor(deployment)
        await before.stop()
        calls = [asyncio.ensure_future(monitor(deployment, name=f"{number}.jpg")) for number in range(20)]
        await asyncio.sleep(10)
        assert not any(call.done() for call in calls)
        async with place.service() as after:
            assert len({answer["id"] for answer in await asyncio.gather(*calls)}) == 20
            assert stored_names(after) == dict.fromkeys(["f.jpg", *(f"{number}.jpg" for number in range(20))], 1)
