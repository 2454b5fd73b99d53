"""Rows of the table of docs/delivery-guarantees.md that need more than one answer: accounts, files, bounds, order, certificates."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
import trustme

from picsellia_async import AsyncClient, AsyncDeployment
from picsellia_async._delivery.outcomes import Delivered, Dropped, Rejected, Spooled
from picsellia_async.config import RetryPolicy
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.transport.fault import Fault
from picsellia_async.errors import ClosedError, ConfigurationError, StatusError, TransportError, UploaderFullError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame
from .emulated import stored_names

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(backoff_initial=0.01, backoff_max=0.05)


def always(code: int) -> Fault:
    return Fault(kind="status", status=code, endpoint="monitor")


@pytest.mark.parametrize(("code", "has_spool"), [(401, False), (401, True), (402, False), (403, True), (404, False)])
async def test_a_refused_account(
    deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path, code: int, has_spool: bool
) -> None:
    """401 after a new sign-in, 402, 403, 404 for everybody: without a spool all are rejected, with one all are kept."""
    emulator.faults.add(always(code))
    options: dict[str, Any] = {"spool": tmp_path} if has_spool else {}
    report = await deployment.monitor_many(
        [make_frame(number) for number in range(5)], retry=QUICK, close_timeout=0.5 if has_spool else 30.0, **options
    )
    assert (report.rejected, report.spooled) == ((0, 5) if has_spool else (5, 0))
    assert f"{code}" in report.failures[0].reason
    assert stored_names(emulator) == []


@attrs.frozen
class Secure:
    """A service over TLS with its authority, and how to start it again with a certificate of another one."""

    deployment: AsyncDeployment
    restart: Callable[[], Any]


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Secure]:
    """A client that trusts the certificate that the service has until it starts again."""

    def files(name: str) -> tuple[trustme.CA, tuple[Path, Path]]:
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        chain, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        leaf.private_key_pem.write_to_path(str(key))
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(str(chain), append=True)
        return authority, (chain, key)

    authority, tls = files("known")
    running = Emulator(data_dir=tmp_path / "data", tls=tls)
    await running.start()

    async def restart() -> None:
        nonlocal running
        port = running.port
        await running.stop()
        running = Emulator(port, tmp_path / "data", tls=files("foreign")[1])
        await running.start()

    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with AsyncClient(running.api_token, host=running.url, verify=context) as client:
        yield Secure(await client.get_deployment(running.deployment_name), restart)
    await running.stop()


@pytest.mark.parametrize("has_spool", [False, True])
async def test_a_certificate_that_cannot_be_verified(
    secure: Secure, tmp_path: Path, has_spool: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """As an account that is refused: rejected without a spool, kept with one."""
    await secure.restart()
    # The server's side of a handshake that fails is an exception in this loop too.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    failed = asyncio.Event()
    async with secure.deployment.uploader(
        spool=tmp_path / "spool" if has_spool else None,
        retry=QUICK,
        close_timeout=0.5 if has_spool else 30.0,
        on_health=lambda *_: failed.set(),
    ) as uploader:
        receipt = await uploader.submit(make_frame(1))
        with anyio.fail_after(100):
            await failed.wait()  # an attempt has ended, however busy the machine is
    outcome = receipt.outcome
    assert isinstance(outcome, Spooled if has_spool else Rejected)
    assert isinstance(outcome.error, TransportError)
    assert "certificate" in str(outcome.error).lower()
    assert "no request can be sent" in caplog.text


@pytest.mark.parametrize("has_spool", [False, True])
async def test_a_client_that_was_closed(emulator: Emulator, tmp_path: Path, has_spool: bool) -> None:
    """As an account that is refused: rejected without a spool, kept with one."""
    client = AsyncClient(emulator.api_token, host=emulator.url)
    async with client:
        deployment = await client.get_deployment(emulator.deployment_name)
    async with deployment.uploader(
        spool=tmp_path if has_spool else None, retry=QUICK, close_timeout=0.5 if has_spool else 30.0
    ) as uploader:
        receipt = await uploader.submit(make_frame(1))
    assert isinstance(receipt.outcome, Spooled if has_spool else Rejected)
    assert isinstance(receipt.outcome.error, ClosedError)


async def test_a_file_that_cannot_be_read(deployment: AsyncDeployment, tmp_path: Path) -> None:
    """It is rejected before anything is sent, and the next one is delivered."""
    missing = attrs.evolve(make_frame(1), image=tmp_path / "missing.jpg")
    async with deployment.uploader() as uploader:
        outcome = await (await uploader.submit(missing))
        assert isinstance(await (await uploader.submit(make_frame(2))), Delivered)
    assert isinstance(outcome, Rejected)
    assert outcome.attempts == 0
    assert isinstance(outcome.error, ConfigurationError)


async def test_values_without_json() -> None:
    """Metadata that cannot be written are refused when their frame is made: nothing of it is accepted."""
    with pytest.raises(ConfigurationError, match="cannot be written as JSON"):
        attrs.evolve(make_frame(1), custom_metadata={"key": {1, 2}})


@pytest.mark.parametrize("has_spool", [False, True])
async def test_an_exception_that_is_not_the_librarys(tmp_path: Path, has_spool: bool) -> None:
    """With a spool it is repeated; without, the frame is rejected with it."""
    attempts = 0

    async def send(frame: Frame, request: bytes) -> dict[str, Any]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return {}

    async with Uploader(send, spool=tmp_path if has_spool else None, retry=QUICK) as uploader:
        outcome = await (await uploader.submit(make_frame(1)))
    assert isinstance(outcome, Delivered if has_spool else Rejected)
    assert attempts == (2 if has_spool else 1)


@pytest.mark.parametrize(("when_full", "reason"), [("drop_newest", "full_newest"), ("drop_oldest", "full_oldest")])
async def test_the_uploader_was_full(
    deployment: AsyncDeployment, emulator: Emulator, when_full: Any, reason: str
) -> None:
    """The frame that the policy chooses is dropped, with the policy as its reason."""
    emulator.faults.add(Fault(kind="stall", direction="down", endpoint="monitor"))
    async with deployment.uploader(
        concurrency=1, max_pending_frames=2, when_full=when_full, close_timeout=0
    ) as uploader:
        receipts = [await uploader.submit(make_frame(number)) for number in range(3)]
        outcomes = [receipt.outcome for receipt in receipts]
    (dropped,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(dropped, Dropped)
    assert dropped.reason.value == reason


async def test_a_full_uploader_that_raises(deployment: AsyncDeployment, emulator: Emulator) -> None:
    """The frame is not accepted at all."""
    emulator.faults.add(Fault(kind="stall", direction="down", endpoint="monitor"))
    async with deployment.uploader(max_pending_frames=1, when_full="raise", close_timeout=0) as uploader:
        await uploader.submit(make_frame(1))
        with pytest.raises(UploaderFullError):
            await uploader.submit(make_frame(2))
    assert uploader.report.accepted == 1


@pytest.mark.parametrize("code", [503, 500])
async def test_max_attempts(deployment: AsyncDeployment, emulator: Emulator, code: int) -> None:
    """Rejected with the last error, and may be stored if an answer did not say that it is not."""
    emulator.faults.add(always(code))
    async with deployment.uploader(max_attempts=3, retry=QUICK) as uploader:
        outcome = await (await uploader.submit(make_frame(1)))
    assert isinstance(outcome, Rejected)
    assert isinstance(outcome.error, StatusError)
    assert (outcome.attempts, outcome.error.status, outcome.may_be_stored) == (3, code, code == 500)


async def test_max_age(deployment: AsyncDeployment, emulator: Emulator) -> None:
    """No further attempt begins."""
    emulator.faults.add(always(503))
    async with deployment.uploader(max_age=0.2, retry=QUICK) as uploader:
        outcome = await (await uploader.submit(make_frame(1)))
    assert isinstance(outcome, Rejected)


async def test_a_frame_that_is_too_old_is_not_sent() -> None:
    """It waited for another one, and is dropped when its turn comes."""

    async def send(frame: Frame, request: bytes) -> dict[str, Any]:
        await asyncio.sleep(0.3)
        return {}

    async with Uploader(send, concurrency=1, max_age=0.2) as uploader:
        receipts = [await uploader.submit(make_frame(number)) for number in range(2)]
        outcomes = [await receipt for receipt in receipts]
    assert isinstance(outcomes[0], Delivered)
    assert isinstance(outcomes[1], Dropped)
    assert outcomes[1].reason.value == "too_old"


async def test_a_frame_that_always_fails_gives_way() -> None:
    """With order kept, after ten attempts while others are delivered; the ones behind it follow."""
    attempts = 0

    async def send(frame: Frame, request: bytes) -> dict[str, Any]:
        nonlocal attempts
        if frame.filename == "frame-000001.jpg":
            attempts += 1
            raise TransportError("ReadError: reset", "POST", "http://x", request_sent=True)
        return {}

    async with Uploader(send, ordered_by="source", retry=QUICK) as uploader:
        poisoned = await uploader.submit(make_frame(1, source="a"))
        behind = await uploader.submit(make_frame(2, source="a"))
        number = 3
        while poisoned.outcome is None:
            await (await uploader.submit(make_frame(number, source="b")))
            number += 1
        assert isinstance(await behind, Delivered)
    assert isinstance(poisoned.outcome, Rejected)
    assert attempts >= 10
