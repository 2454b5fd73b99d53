"""A service that is being started again refuses connections for a while; calls wait for it."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl

import pytest
import trustme

from picsellia_async import AsyncClient, RetryPolicy
from picsellia_async.emulator import Emulator

from ..support.client import monitor

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


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_calls_wait_for_a_service_that_starts_again(tmp_path, caplog, secured):
    """Ten calls meet a port where nobody listens, many more times than they have attempts; the service comes back: all succeed."""
    authority, context, tls = trustme.CA(), None, None
    if secured:
        leaf = authority.issue_cert("127.0.0.1")
        leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
        leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        context, tls = ssl.create_default_context(), (tmp_path / "cert.pem", tmp_path / "key.pem")
        authority.configure_trust(context)
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    refused, logger = Refused(), logging.getLogger("picsellia_async")
    logger.addHandler(refused)
    retry = RetryPolicy(attempts=2, total=100, backoff_initial=0.01, backoff_max=0.02)
    before = Emulator(port, data_dir=tmp_path / "data", tls=tls)
    try:
        with caplog.at_level(logging.DEBUG, "picsellia_async"):
            async with before, AsyncClient(before.api_token, host=before.url, retry=retry, verify=context) as client:
                deployment = await client.get_deployment(before.deployment_name)
                await monitor(deployment)
                await before.stop()
                calls = [asyncio.ensure_future(monitor(deployment, name=f"{number}.jpg")) for number in range(10)]
                await refused.enough.wait()
                assert not any(call.done() for call in calls)
                async with Emulator(port, data_dir=tmp_path / "data", tls=tls):
                    assert len({answer["id"] for answer in await asyncio.gather(*calls)}) == 10
    finally:
        logger.removeHandler(refused)
