"""`picsellia-async replay` on spools that an outage left: the emulator on real TCP, the command in this process."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
from functools import partial
from pathlib import Path

import attrs
import pytest

from picsellia_async import AsyncClient, AsyncDeployment, RetryPolicy
from picsellia_async.cli.main import main
from picsellia_async.emulator import Emulator, Fault
from picsellia_async.errors import TransportError
from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat
from picsellia_async.uploader import Uploader

pytestmark = pytest.mark.anyio

PREDICTION = DetectionPredictionFormat([1], [[1, 2, 3, 4]], [0.5])


def make_frame(number: int) -> Frame:
    image = b"\xff\xd8\xff\xe0%08d" % number
    return Frame(image=image, filename=f"frame-{number}.jpg", width=64, height=48, latency=0.02, prediction=PREDICTION)


@pytest.fixture
async def spool(tmp_path: Path, deployment: AsyncDeployment, emulator: Emulator) -> Path:
    """A spool with twelve frames of the emulator's deployment."""
    directory = tmp_path / "spool"
    down = Fault(kind="status", status=503, endpoint="monitor")
    emulator.faults.add(down)
    async with deployment.uploader(spool=directory, close_timeout=0.0) as uploader:
        for number in range(12):
            await uploader.submit(make_frame(number))
    emulator.faults.clear()
    return directory


async def replay(emulator: Emulator, *arguments: object, token: str | None = None) -> int:
    """Run the command in a thread, which gets an event loop of its own."""
    given = ["replay", *map(str, arguments), "--api-token", token or emulator.api_token]
    return await asyncio.to_thread(main, given)


async def names(deployment: AsyncDeployment) -> list[str]:
    return sorted(asset.filename for asset in await deployment.list_predicted_assets())


async def test_everything_is_delivered_where_the_spool_says(
    spool: Path, emulator: Emulator, deployment: AsyncDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Platform and deployment come from the spool; the sum is told on stdout, and a second run finds nothing."""
    assert await replay(emulator, spool) == 0
    assert capsys.readouterr() == ("12 of 12 delivered, 0 refused, 0 still in the spool, 0 damaged\n", "")
    assert await names(deployment) == sorted(f"frame-{number}.jpg" for number in range(12))
    assert await replay(emulator, spool, "--json", "--concurrency", "auto") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["accepted"], report["delivered"]) == (0, 0)


async def test_refused_frames_are_named(spool: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """A frame that the service refuses makes the exit code 1, and is named on stderr with the reason."""
    emulator.faults.add(Fault(kind="status", status=413, endpoint="monitor", times=2))
    assert await replay(emulator, spool, "--concurrency", 1) == 1
    out, err = capsys.readouterr()
    assert out == "10 of 12 delivered, 2 refused, 0 still in the spool, 0 damaged\n"
    first, second, way_on = err.splitlines()
    assert first.startswith("  rejected frame-0.jpg: ")
    assert second.startswith("  rejected frame-1.jpg: ")
    assert "413" in first
    assert way_on == f"  refused frames are kept: `picsellia-async spool show {spool} --state rejected`"


async def test_what_the_time_does_not_allow_stays(
    spool: Path, emulator: Emulator, deployment: AsyncDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --timeout the command ends though the service is down, and says in a line what is left; the next one delivers it."""
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor"))
    assert await replay(emulator, spool, "--timeout", 3) == 1
    (told,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  ")]
    assert told.startswith("  12 frames are safe in the spool (MonitorServerError: 503")
    assert told.endswith(f": `picsellia-async replay {spool}` goes on, with --wait until all is delivered")
    emulator.faults.clear()
    assert await replay(emulator, spool, "--deduplicate") == 0
    assert len(await names(deployment)) == 12


async def test_the_time_is_over_although_the_platform_was_never_reached(
    spool: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refused port, to which calls are tried again for two minutes: --timeout counts from the start of the command."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert await replay(emulator, spool, "--host", host, "--timeout", 1) == 1
    out, err = capsys.readouterr()
    assert out == ""
    *_, over, told = err.splitlines()
    assert over == "picsellia-async replay: the platform did not answer within 1 s (--timeout)"
    assert told.startswith(f"  12 frames are safe in the spool: `picsellia-async replay {spool}` goes on")


async def test_deduplicate_takes_no_frame_of_another_run_for_one_of_the_spool(
    spool: Path, emulator: Emulator, deployment: AsyncDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names that another run gave too: every frame of the spool is stored, though a gateway fails, and none is a duplicate."""
    others = [attrs.evolve(make_frame(100 + number), filename=f"frame-{number}.jpg") for number in range(12)]
    assert (await deployment.monitor_many(others)).is_complete
    emulator.faults.add(Fault(kind="status", status=502, endpoint="monitor", times=10))
    assert await replay(emulator, spool, "--deduplicate", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["delivered"], report["duplicates"], report["spooled"]) == (12, 0, 0)
    images = [make_frame(number).image for number in (*range(12), *range(100, 112))]
    stored = sorted(row.sha256 for row in emulator.state.store.predictions.select())
    assert stored == sorted(hashlib.sha256(image).hexdigest() for image in images)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_account_ends_it_at_once(
    spool: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """Where the monitoring host refuses the account nothing is gained by waiting: it is said, and the spool is left as it was."""
    emulator.faults.add(Fault(kind="status", status=status, endpoint="monitor"))
    assert await replay(emulator, spool, "--json") == 1
    out, err = capsys.readouterr()
    assert "the service refuses this account: " in err
    assert str(status) in err
    assert json.loads(out)["spooled"] == 12
    doctor = f"`picsellia-async doctor --host {emulator.url} --deployment {emulator.deployment_id}`"
    assert err.splitlines()[-1].endswith(
        f": waiting mends nothing, {doctor} tells what to mend; then `picsellia-async replay {spool}` delivers them"
    )


async def test_a_wrong_token_is_told(spool: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The platform's refusal is one line on stderr, and costs no frame."""
    assert await replay(emulator, spool, token="wrong") == 1
    error, told = capsys.readouterr().err.splitlines()
    assert error.startswith("picsellia-async replay: AuthenticationError: ")
    assert told.startswith("  12 frames are safe in the spool: waiting mends nothing, `picsellia-async doctor --host ")
    assert await replay(emulator, spool) == 0


async def test_a_spool_without_a_deployment_asks_for_one(
    tmp_path: Path, emulator: Emulator, deployment: AsyncDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """A spool that an uploader without an owner left is delivered to the deployment that is named, and not before."""

    async def send(frame: Frame, request: bytes) -> dict[str, object]:
        raise TransportError("refused", "POST", "http://x")

    async with Uploader(send, spool=tmp_path, close_timeout=0.0) as uploader:
        await uploader.submit(make_frame(1))
    assert await replay(emulator, tmp_path, "--host", emulator.url) == 2
    assert "--deployment" in capsys.readouterr().err
    named = (tmp_path, "--host", emulator.url, "--deployment", emulator.deployment_name)
    assert await replay(emulator, *named) == 0
    assert await names(deployment) == ["frame-1.jpg"]


@pytest.mark.parametrize("concurrency", ["many", "-1", "0", "1001"])
async def test_a_concurrency_that_is_none_is_bad_usage(
    spool: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str], concurrency: str
) -> None:
    """Exit code 2, with the argument named."""
    assert await replay(emulator, spool, f"--concurrency={concurrency}") == 2
    assert "concurrency" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["nan", "inf", "-1", "soon"])
async def test_a_timeout_that_is_none_is_bad_usage(
    spool: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str], limit: str
) -> None:
    """Also one that would never be over."""
    with pytest.raises(SystemExit, match="2"):
        await replay(emulator, spool, f"--timeout={limit}")
    assert f"--timeout: must be seconds, 0 or more, got {limit}" in capsys.readouterr().err


async def test_a_directory_without_a_spool_is_told(
    tmp_path: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad usage: one line, and nothing is made there."""
    assert await replay(emulator, tmp_path) == 2
    assert capsys.readouterr().err == f"picsellia-async replay: there is no spool in {str(tmp_path)!r}\n"
    assert not os.listdir(tmp_path)  # noqa: PTH208 - a pathlib call here is what another rule forbids


async def test_a_platform_that_is_away_ends_it_and_the_frames_are_safe(
    spool: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything was sent: the error, how many frames there are, and the command that goes on."""
    monkeypatch.setattr("picsellia_async.cli.replay.AsyncClient", partial(AsyncClient, retry=RetryPolicy.none()))
    emulator.faults.add(Fault(kind="status", status=503, service="platform"))
    assert await replay(emulator, spool) == 1
    error, told = capsys.readouterr().err.splitlines()
    assert error.startswith("picsellia-async replay: ")
    assert told == (
        f"  12 frames are safe in the spool: `picsellia-async replay {spool}` goes on, with --wait until all is delivered"
    )


async def test_wait_stays_until_the_platform_is_back(
    spool: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform that cannot be asked for longer than one call is tried is told once, and asked again until it answers."""
    monkeypatch.setattr("picsellia_async.cli.replay.AsyncClient", partial(AsyncClient, retry=RetryPolicy.none()))
    down = Fault(kind="status", status=503, service="platform", times=2)
    emulator.faults.add(down)
    assert await replay(emulator, spool, "--wait") == 0
    out, err = capsys.readouterr()
    assert emulator.faults.fired(down) == 2
    assert err.count("waiting: ") == 1
    assert out.startswith("12 of 12 delivered")
    assert await replay(emulator, spool, "--wait", "--deployment", "nobody") == 1
    assert "waiting" not in capsys.readouterr().err


async def test_an_interrupted_replay_tells_what_is_safe(
    spool: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 130, and the same line as any other early end."""

    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("picsellia_async.cli.replay._Replay.deliver", interrupted)
    assert await replay(emulator, spool) == 130
    assert capsys.readouterr().err.startswith("  12 frames are safe in the spool: `picsellia-async replay ")


async def test_wait_and_timeout_contradict_each_other(spool: Path, emulator: Emulator) -> None:
    """Refused as bad usage."""
    with pytest.raises(SystemExit) as told:
        await replay(emulator, spool, "--wait", "--timeout", 1)
    assert told.value.code == 2
