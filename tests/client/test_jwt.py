"""Signing in at the monitoring and serving hosts: once, shared, renewed."""

from __future__ import annotations

import asyncio

import pytest

from picsellia_async import (
    AuthenticationError,
)
from picsellia_async.emulator import Fault

from ..support.client import calls, monitor, stored

pytestmark = pytest.mark.anyio


async def test_an_expired_jwt_under_200_calls_is_renewed_once(deployment, emulator):
    """All JWTs are void, 200 calls are under way: exactly one login, and all succeed."""
    await monitor(deployment)
    emulator.state.tokens.expire()
    before = len(calls(emulator, "oracle_login"))
    receipts = await asyncio.gather(*(monitor(deployment, name=f"{i}.jpg") for i in range(200)))
    assert len(calls(emulator, "oracle_login")) == before + 1
    assert len({r["id"] for r in receipts}) == 200
    assert (await stored(emulator))["count"] == 201


async def test_two_handles_of_one_deployment_share_the_sign_in(client, emulator):
    """A handle that is fetched again brings no login of its own, and neither do other limits."""
    for _ in range(3):
        await monitor(await client.get_deployment(emulator.deployment_name))
    await monitor(await client.with_options(timeout=5).get_deployment(emulator.deployment_name))
    assert len(calls(emulator, "oracle_login")) == 1


async def test_a_refused_login(quick, emulator):
    """The monitoring host refuses the token: AuthenticationError at the call, and the next call asks again."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", service="oracle", endpoint="login", status=403, times=1))
    with pytest.raises(AuthenticationError) as caught:
        await monitor(deployment)
    assert caught.value.status == 403
    assert await monitor(deployment)


async def test_a_second_401_is_final(deployment, emulator):
    """A host that refuses fresh tokens too ends the call after one renewal."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=401))
    with pytest.raises(AuthenticationError):
        await monitor(deployment)
    assert len(calls(emulator, "oracle_login")) == 2
    assert len(calls(emulator, "monitor")) == 2
