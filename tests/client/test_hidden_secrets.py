"""Tokens, JWTs and signatures show in no log, no error, and in no variable of our frames that a traceback may show."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import traceback
from pathlib import Path

import httpx
import pytest
from rich.pretty import pretty_repr
from rich.traceback import Traceback

import picsellia_async
from picsellia_async import (
    AsyncClient,
    ConfigurationError,
    DetectionPredictionFormat,
    PicselliaError,
    RetryPolicy,
    Timeouts,
    UploadError,
)
from picsellia_async._services import storage
from picsellia_async._wire.secret import SecretBytes, SecretStr
from picsellia_async.emulator import Fault

from ..support.client import monitor
from ..support.storage_stub import Stub, upload

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
ONCE = RetryPolicy.none()
LARGE = 100_001
OURS = str(Path(picsellia_async.__file__).parent)


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """On both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


def variables_of(error):
    """Return what the standard library and rich show of an error and its causes, of frames of ours with their variables."""
    chain = [traceback.TracebackException(type(error), error, error.__traceback__, capture_locals=True)]
    parts = []
    while chain:
        one = chain.pop()
        chain += [cause for cause in (one.__cause__, one.__context__) if cause is not None]
        parts += [f"{frame.filename} {frame.locals}" for frame in one.stack if OURS in frame.filename]
        parts += one.format_exception_only()
    return "\n".join([*parts, variables_of_rich(error)])


def variables_of_rich(error):
    """Return what rich shows of the variables of our frames."""
    trace = Traceback.extract(type(error), error, error.__traceback__, show_locals=True)
    frames = [frame for stack in trace.stacks for frame in stack.frames if OURS in frame.filename]
    return "\n".join(f"{name}={value}" for frame in frames for name, value in (frame.locals or {}).items())


@pytest.fixture(params=["fast", "stock"])
def transport(request):
    """None stands for the fast one."""
    return None if request.param == "fast" else httpx.AsyncHTTPTransport()


FAULTS = {
    "status": {"kind": "status", "status": 500},
    "cut": {"kind": "truncate"},
    "late": {"kind": "latency", "seconds": 30.0},
}


@pytest.mark.parametrize("endpoint", ["ping", "oracle_login", "monitor"])
@pytest.mark.parametrize("kind", FAULTS)
async def test_failed_calls_show_no_credential(emulator, transport, kind, endpoint):
    """Platform, sign-in and monitoring: after a refusal, a broken answer and a time-out, in a call of some and of many bytes."""
    timeouts = Timeouts(read=0.2 if kind == "late" else None)
    client = AsyncClient(emulator.api_token, host=emulator.url, retry=ONCE, transport=transport, timeout=timeouts)
    secrets = [emulator.api_token]
    try:
        if endpoint != "ping":
            deployment = await client.get_deployment(emulator.deployment_name)
        if endpoint == "monitor":
            await monitor(deployment)
            lines = await deployment._hosts.oracle().service.credential.acquire(Timeouts())
            secrets.append(bytes(lines).decode().split()[2])
        emulator.faults.add(Fault(endpoint=endpoint, **FAULTS[kind]))
        for size in (10, 600_000) if endpoint == "monitor" else (10,):
            with pytest.raises(PicselliaError) as caught:
                if endpoint == "ping":
                    await client.connect()
                else:
                    await monitor(deployment, b"\xff\xd8\xff" + b"a" * size)
            shown = variables_of(caught.value)
            assert "service.py" in shown
            for secret in secrets:
                assert secret not in shown
    finally:
        await client.aclose()


async def test_a_cancelled_call_shows_no_credential(emulator):
    """Cancelled while a large request is on its way."""
    async with AsyncClient(emulator.api_token, host=emulator.url, retry=ONCE) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await monitor(deployment)
        jwt = bytes(await deployment._hosts.oracle().service.credential.acquire(Timeouts())).decode().split()[2]
        for turns in (1, 3, 5, 8, 12, 20):
            task = asyncio.ensure_future(monitor(deployment, b"\xff\xd8\xff" + b"a" * 1_500_000))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError as error:
                shown = variables_of(error)
                assert jwt not in shown
                assert emulator.api_token not in shown


@pytest.mark.parametrize(
    "arguments", [{"timeout": -1}, {"host": "no url"}, {"organization_id": "x"}, {"max_connections": 0}], ids=str
)
def test_a_client_that_cannot_be_made_shows_no_token(arguments, monkeypatch):
    """Neither given nor of the environment; what is half made has a `repr`."""
    with pytest.raises(ConfigurationError) as caught:
        AsyncClient("t0ps3cret", **arguments)
    assert "api_token=" in (shown := variables_of_rich(caught.value))
    assert "t0ps3cret" not in shown
    monkeypatch.setenv("PICSELLIA_TOKEN", "t0ps3cret")
    with pytest.raises(ConfigurationError) as caught:
        AsyncClient(**arguments)
    assert "t0ps3cret" not in variables_of_rich(caught.value)
    assert repr(AsyncClient.__new__(AsyncClient)) == "<AsyncClient unfinished>"


@pytest.mark.parametrize("kind", [{"kind": "status", "status": 404}, {"kind": "truncate"}], ids=["status", "cut"])
async def test_a_presigned_address_keeps_its_signature(emulator, caplog, tmp_path, kind):
    """A download logs, and raises, addresses without their query; httpx's own log too."""
    with caplog.at_level(logging.DEBUG):
        async with AsyncClient(emulator.api_token, host=emulator.url, retry=ONCE) as client:
            deployment = await client.get_deployment(emulator.deployment_name)
            prediction = DetectionPredictionFormat([], [], [])
            answer = await deployment.monitor_bytes(PNG, "png", "f.png", 0.1, 4, 4, prediction)
            asset = await deployment.find_predicted_asset(oracle_prediction_id=answer["id"])
            signature = asset.url.rpartition("signature=")[2]
            assert len(signature) > 20
            await asset.download(tmp_path)
            emulator.faults.add(Fault(service="storage", **kind))
            with pytest.raises(PicselliaError) as caught:
                await asset.download(tmp_path, force_replace=True)
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("picsellia", "httpx")))
    assert "/storage/" in ours
    assert signature not in ours
    assert "/storage/" in str(caught.value)
    assert signature not in variables_of(caught.value)
    assert "?" not in caught.value.__cause__.url


@pytest.mark.parametrize("failing", ["status", "cut"])
@pytest.mark.parametrize(
    ("kind", "size"), [("nameless", 1000), ("nameless", 600_000), ("azure", 1000), ("minio", LARGE), ("google", LARGE)]
)
async def test_a_failed_upload_shows_no_signature(tmp_path, monkeypatch, kind, size, failing):
    """Neither a form's signed fields nor an address: whole, by PUT, in parts and in ranges."""
    monkeypatch.setattr(storage, "MULTIPART_FROM_BYTES", 100_000 if size == LARGE else 2**24)
    path = tmp_path / "a.pdf"
    path.write_bytes(bytes(size))
    async with Stub(kind, "t0ps3cret", failing) as stub:
        with pytest.raises(UploadError) as caught:
            await upload(stub, path)
    shown = variables_of(caught.value)
    assert "storage.py" in shown
    assert "t0ps3cret" not in shown


def test_secrets_are_hidden_and_else_what_they_are():
    """No way to show them but asking for it: `repr`, parts of them, rich; values, JSON and pickles are those of str and bytes."""
    text, data = SecretStr("t0ps3cret" * 20), SecretBytes(b"t0ps3cret" * 20)
    for shown in (
        repr(text),
        repr(data),
        repr([text[:9], data[:9], data + b"x"]),
        pretty_repr([text, data], max_string=20),
    ):
        assert "t0ps3cret" not in shown
    assert (text, data) == ("t0ps3cret" * 20, b"t0ps3cret" * 20)
    assert (f"{text}", json.loads(json.dumps(text)), data[0]) == (text, text, ord("t"))
    assert type(pickle.loads(pickle.dumps(text))) is SecretStr
