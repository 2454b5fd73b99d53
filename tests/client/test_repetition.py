"""Which calls are repeated, after what, and what is told in the end."""

from __future__ import annotations

import anyio
import pytest

from picsellia_async import (
    AsyncClient,
    ConflictError,
    MonitorError,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    TransportError,
)
from picsellia_async.emulator import Fault

from ..support.client import QUICK, calls, monitor, stored

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524])
async def test_an_answer_for_now_is_repeated(quick, emulator, status):
    """408, 425, 429, 500, 502 to 504, 520 to 524: twice refused, then stored once."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=status, times=2))
    await monitor(deployment)
    assert len(calls(emulator, "monitor")) == 3
    assert (await stored(emulator))["count"] == 1


@pytest.mark.parametrize(
    ("status", "error"), [(400, MonitorError), (409, ConflictError), (413, MonitorError), (422, MonitorError)]
)
async def test_an_answer_for_good_is_not_repeated(quick, emulator, status, error):
    """One attempt, the error of its real status."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=status))
    with pytest.raises(error) as caught:
        await monitor(deployment)
    assert (caught.value.status, caught.value.attempts) == (status, 1)
    assert isinstance(caught.value, MonitorError)


def test_no_other_status_is_repeated():
    """The table of statuses is exactly this one, so that none is left out and none slips in."""
    assert RetryPolicy().statuses == {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}


async def test_the_last_failure_is_raised_with_the_attempts(quick, emulator):
    """After the policy's attempts the error of the last answer reaches the caller."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="html", endpoint="monitor"))
    with pytest.raises(MonitorError) as caught:
        await monitor(deployment)
    assert isinstance(caught.value, ServerError)
    assert (caught.value.status, caught.value.attempts) == (502, QUICK.attempts)
    assert f"/api/deployment/{emulator.deployment_id}/predictions" in caught.value.url
    assert caught.value.message
    assert emulator.api_token not in str(caught.value)


async def test_retry_after_is_reported(emulator):
    """With a single attempt the seconds asked for are on the error, in each form."""
    async with AsyncClient(emulator.api_token, host=emulator.url, retry=RetryPolicy.none()) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        for form in ("seconds", "ms", "date"):
            emulator.faults.add(
                Fault(kind="status", endpoint="monitor", status=429, retry_after=7, retry_after_form=form, times=1)
            )
            with pytest.raises(RateLimitError) as caught:
                await monitor(deployment)
            # From a date the answer's Date is taken, which uvicorn renews about once a second, later on a busy machine.
            assert caught.value.retry_after == pytest.approx(7, abs=4 if form == "date" else 0)


async def test_a_lost_answer_stores_one_prediction(quick, emulator):
    """The service stored the frame and dropped the connection: the error says so, and nothing is sent twice."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    await monitor(deployment)
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=1))
    with pytest.raises(TransportError) as caught:
        await monitor(deployment, name="once.jpg")
    assert caught.value.request_sent
    names = [item["filename"] for item in (await stored(emulator))["items"]]
    assert names.count("once.jpg") == 1


async def test_a_lost_answer_of_an_idempotent_call_is_repeated(quick, emulator):
    """Reading again harms nobody."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="retrieve_information", times=2))
    assert await deployment.retrieve_information()


async def test_a_reset_before_the_body_ended_is_repeated(quick, emulator):
    """The service cannot have the whole frame: it is sent again, and stored once."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="reset", endpoint="monitor", after_bytes=100_000, times=1))
    image = b"\xff\xd8\xff" + bytes(8_000_000)
    await monitor(deployment, image)
    assert (await stored(emulator))["count"] == 1


async def test_a_stalled_answer_times_out(emulator):
    """The read timeout ends the call with its own class; the connection is not used again."""
    async with AsyncClient(emulator.api_token, host=emulator.url, timeout=0.2, retry=QUICK) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await monitor(deployment)
        emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=30, times=1))
        with pytest.raises(RequestTimeoutError) as caught:
            await monitor(deployment)
        assert caught.value.request_sent
        assert await monitor(deployment)


async def test_waits_are_cancelled_at_once(emulator):
    """A call that waits for its next attempt ends when it is cancelled."""
    async with AsyncClient(emulator.api_token, host=emulator.url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, retry_after=100))
        with anyio.move_on_after(0.3) as scope:
            await monitor(deployment)
        assert scope.cancelled_caught
