"""An outage that begins before the first sign-in is an outage like any other: it is seen, told, and over when it is over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from picsellia_async import AsyncClient, AsyncDeployment, Timeouts
from picsellia_async._delivery.outcomes import Health
from picsellia_async.config import RetryPolicy
from picsellia_async.emulator import Emulator, Fault
from picsellia_async.frames import Frame

from ..support.frames import make_frame
from .emulated import stored_names

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

FRAMES = 8
OUTAGE = "the monitoring host "


class Told:
    """What an uploader tells of its health."""

    def __init__(self) -> None:
        self.changes: list[tuple[Health, Health]] = []
        self.errors: list[BaseException | None] = []
        self._came = asyncio.Event()

    def __call__(self, before: Health, now: Health, error: BaseException | None) -> None:
        self.changes.append((before, now))
        self.errors.append(error)
        self._came.set()

    async def first(self) -> None:
        """Wait for the first change."""
        await self._came.wait()


def client_of(emulator: Emulator, **options: Any) -> AsyncClient:
    return AsyncClient(emulator.api_token, emulator.organization_id, host=emulator.url, **options)


async def monitor(deployment: AsyncDeployment, frame: Frame) -> None:
    """Make a call of one's own."""
    assert isinstance(frame.image, bytes)
    await deployment.monitor_bytes(
        frame.image, "image/jpeg", frame.filename, 0.1, frame.height, frame.width, frame.prediction
    )


async def submitted(deployment: AsyncDeployment, told: Told, **options: Any) -> Any:
    """Return an open uploader that has taken the frames."""
    uploader = deployment.uploader(on_health=told, retry=RetryPolicy(backoff_max=0.2), **options)
    await uploader.__aenter__()
    for number in range(FRAMES):
        await uploader.submit(make_frame(number))
    return uploader


async def test_a_host_that_refuses_from_the_start_is_down_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The host is gone before the first sign-in: health is DOWN, the log tells it, and all is delivered when it is back."""
    told = Told()
    async with Emulator(data_dir=tmp_path) as emulator:
        client = client_of(emulator)
        await client.connect()
        deployment = await client.get_deployment(emulator.deployment_name)
    async with client:
        uploader = await submitted(deployment, told)
        await told.first()
        assert uploader.statistics().health is Health.DOWN
        assert told.changes == [(Health.OK, Health.DOWN)]
        assert "/api/auth/login" in str(told.errors[0])
        while OUTAGE + "does not answer" not in caplog.text:  # noqa: ASYNC110 - a line tells nobody
            await asyncio.sleep(0.05)
        async with Emulator(emulator.port, tmp_path) as back:
            await uploader.flush()
            assert uploader.statistics().health is Health.OK
            await uploader.aclose()
            assert sorted(stored_names(back)) == sorted(make_frame(number).filename for number in range(FRAMES))
    assert (uploader.report.delivered, uploader.report.dropped) == (FRAMES, 0)


FAULTS = [
    Fault(kind="stall", endpoint="oracle_login", direction="down"),
    Fault(kind="reset", endpoint="oracle_login", direction="down"),
    Fault(kind="status", endpoint="oracle_login", status=500),
    Fault(kind="garbage", endpoint="oracle_login"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind.value)
async def test_a_sign_in_that_fails_is_seen_as_any_other_failure(emulator: Emulator, fault: Fault) -> None:
    """Each sign-in is one attempt, with the time-outs of one; no frame counts as stored by it, and all arrive afterwards."""
    told = Told()
    async with client_of(emulator, timeout=Timeouts(attempt=0.5)) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(fault)
        uploader = await submitted(deployment, told)
        await told.first()
        assert told.changes == [(Health.OK, Health.DOWN)]
        assert uploader.statistics().delivered == 0
        emulator.faults.clear()
        await uploader.aclose()
    assert (uploader.report.delivered, uploader.report.dropped, uploader.report.duplicates) == (FRAMES, 0, 0)
    assert len(stored_names(emulator)) == FRAMES


@pytest.mark.parametrize("status", [400, 409, 413, 422, 418])
async def test_a_sign_in_that_is_refused_speaks_of_no_frame(emulator: Emulator, tmp_path: Path, status: int) -> None:
    """Whatever its status means for a frame: a spool keeps all, none counts as stored, and all arrive when it is over."""
    told = Told()
    async with client_of(emulator) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(Fault(kind="status", endpoint="oracle_login", status=status))
        uploader = await submitted(deployment, told, spool=tmp_path / "spool")
        await told.first()
        assert told.changes == [(Health.OK, Health.REFUSED)]
        assert "/api/auth/login" in str(told.errors[0])
        numbers = uploader.statistics()
        assert (numbers.pending_frames, numbers.rejected, numbers.delivered) == (FRAMES, 0, 0)
        emulator.faults.clear()
        await uploader.flush()
        await uploader.aclose()
    report = uploader.report
    assert (report.delivered, report.rejected, report.duplicates, report.may_be_stored) == (FRAMES, 0, 0, 0)
    assert len(stored_names(emulator)) == FRAMES


@pytest.mark.parametrize("endpoint", ["oracle_login", "monitor"])
async def test_a_host_that_hangs_is_told_before_anything_times_out(
    emulator: Emulator, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the sign-in as at a frame: DOWN, while no request has failed; all arrive when it answers."""
    monkeypatch.setattr("picsellia_async._delivery.answer_watch.SILENT_SECONDS", 0.3)
    told = Told()
    async with client_of(emulator, timeout=600.0) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(Fault(kind="latency", endpoint=endpoint, seconds=3.0, times=FRAMES))
        uploader = await submitted(deployment, told)
        await told.first()
        assert told.changes == [(Health.OK, Health.DOWN)]
        assert isinstance(told.errors[0], TimeoutError)
        numbers = uploader.statistics()
        assert (numbers.health, numbers.last_error, numbers.pending_frames) == (Health.DOWN, None, FRAMES)
        await uploader.flush()
        await uploader.aclose()
    assert (uploader.report.delivered, uploader.report.retries) == (FRAMES, 0)


async def test_a_jwt_that_ends_in_an_outage_hides_nothing(emulator: Emulator) -> None:
    """The host fails at the sign-in that follows an expired JWT: that is told too."""
    told = Told()
    async with client_of(emulator) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await monitor(deployment, make_frame(FRAMES))
        emulator.faults.add(Fault(kind="jwt_expiry", times=1))
        emulator.faults.add(Fault(kind="reset", endpoint="oracle_login"))
        uploader = await submitted(deployment, told)
        await told.first()
        assert told.changes == [(Health.OK, Health.DOWN)]
        emulator.faults.clear()
        await uploader.aclose()
    assert uploader.report.delivered == FRAMES


async def test_a_call_repeats_its_sign_in_by_its_own_policy(emulator: Emulator) -> None:
    """A call of one's own repeats a sign-in that fails as it repeats itself, an uploader's single attempts notwithstanding."""
    emulator.faults.add(Fault(kind="reset", endpoint="oracle_login", times=2))
    async with client_of(emulator, retry=RetryPolicy(backoff_initial=0.01)) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        frame = make_frame(0)
        await monitor(deployment, frame)
    assert stored_names(emulator) == [frame.filename]
