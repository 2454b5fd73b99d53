"""No token, JWT, image, password or signature in what is told: logs of all libraries at DEBUG, spans, metrics, reprs, errors, files."""

from __future__ import annotations

import base64
import contextlib
import gc
import logging
import os
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import attrs
import prometheus_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from picsellia_async import AsyncClient, AsyncDeployment, Frame, PicselliaError, RetryPolicy
from picsellia_async.emulator import Emulator, Fault
from picsellia_async.metrics import PrometheusCollector, register_opentelemetry
from picsellia_async.sources import camera
from picsellia_async.tracing import Tracing

from ..support.client import PREDICTION, QUICK
from ..support.secrets import Secrets
from ..support.spellings import holds_a_part, spellings

pytestmark = pytest.mark.anyio

IMAGE = b"\xff\xd8\xff\xe0" + os.urandom(3000) + b"\xff\xd9"
PASSWORD = "pass-Word.of-a-camera"
PICTURE = "a picture"


class EveryLine(logging.Handler):
    """Scans each record of every library: text, arguments, attributes and traceback."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(logging.NOTSET)
        self.secrets = secrets
        self.loggers: set[str] = set()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.loggers.add(record.name.partition(".")[0])
        text = logging.Formatter().format(record)
        self.told.append(f"{text} {vars(record)}")
        self.secrets.scan(f"log of {record.name}", self.told[-1])


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def lines(secrets: Secrets) -> Iterator[EveryLine]:
    """Everything that any library logs, from DEBUG on."""
    root, handler = logging.getLogger(), EveryLine(secrets)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@attrs.define
class Work:
    """A client that is watched in every way, and the errors that it met."""

    client: AsyncClient
    deployment: AsyncDeployment
    secrets: Secrets
    errors: int = 0

    @contextlib.contextmanager
    def failing(self, kind: type[Exception] = Exception) -> Iterator[None]:
        """Expect an error, and scan all that it says."""
        try:
            yield
        except kind as error:
            self.errors += 1
            told = f"{error} {error!r} {vars(error)} {''.join(traceback.format_exception(error))}"
            self.secrets.scan(f"error {type(error).__name__}", told)
        else:
            pytest.fail("it went well")

    async def call(self, name: str = "a.jpg") -> None:
        await self.deployment.monitor_bytes(IMAGE, "image/jpeg", name, 0.02, 480, 640, PREDICTION)


def frame(number: int) -> Frame:
    return Frame(
        image=IMAGE, filename=f"{number}.jpg", width=640, height=480, latency=0.02, prediction=PREDICTION, source="gate"
    )


@pytest.fixture
async def work(emulator: Emulator, provider: Any, secrets: Secrets, lines: EveryLine) -> AsyncIterator[Work]:
    secrets.plant("the api token", emulator.api_token)
    secrets.plant("a password", PASSWORD)
    secrets.planted[PICTURE] = base64.b64encode(IMAGE)[40:104]
    tracing = Tracing(provider, propagate=True)
    async with AsyncClient(emulator.api_token, host=emulator.url, retry=QUICK, tracing=tracing) as client:
        yield Work(client, await client.get_deployment(emulator.deployment_name), secrets)


def scan_objects(secrets: Secrets) -> int:
    """Scan the repr of every object of the package, the emulator's aside: it is the service, which has the secrets."""
    count = 0
    for one in gc.get_objects():
        module = type(one).__module__
        if (
            isinstance(module, str)
            and module.startswith("picsellia_async")
            and not module.startswith("picsellia_async.emulator")
        ):
            count += 1
            secrets.scan(f"repr of {type(one).__qualname__}", repr(one))
    return count


async def test_calls_tell_no_secret(work: Work, emulator: Emulator, secrets: Secrets, lines: EveryLine, tmp_path: Path):
    """Calls to all hosts that go well, are refused, lose their answer, renew their sign-in; uploads and downloads."""
    await work.call()
    await work.deployment.predict_bytes("a.jpg", IMAGE)
    emulator.state.tokens.expire()
    await work.call()
    for fault in ({"kind": "status", "status": 422}, {"kind": "status", "status": 401}, {"kind": "html"}, {"kind": "stored_then_dropped"}, {"kind": "garbage"}):  # fmt: skip
        emulator.faults.add(Fault(endpoint="monitor", **fault))
        with work.failing():
            await work.call()
        emulator.faults.clear()
    with work.failing():
        await work.client.request("GET", "/api/none", query={"signature": "0123456789abcdef"})
    with work.failing():
        async with AsyncClient(emulator.api_token + "x", host=emulator.url, retry=QUICK):
            pass
    (tmp_path / "a.jpg").write_bytes(IMAGE)
    data = await (await work.client.get_datalake()).upload_data(tmp_path / "a.jpg")
    await data.download(tmp_path / "new")
    emulator.faults.add(Fault(kind="status", service="storage", status=403))
    with work.failing():
        await data.download(tmp_path / "other")
    assert scan_objects(secrets) > 100
    assert {"picsellia_async", "httpx", "asyncio"} <= lines.loggers
    assert work.errors == 8
    assert secrets.found == []


async def test_uploaders_tell_no_secret(
    work: Work, emulator: Emulator, secrets: Secrets, collector: Any, tmp_path: Path
):
    """Frames through an outage, refused, lost and left on disk; spans, both kinds of metrics, the report, the spool's files."""
    reader, registry = InMemoryMetricReader(), prometheus_client.CollectorRegistry()
    spool = tmp_path / "spool"
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, times=2))
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=1))
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=1))
    retry = RetryPolicy(backoff_initial=0.001, backoff_max=0.002)
    async with work.deployment.uploader(spool=spool, close_timeout=0, retry=retry, by_source=True) as uploader:
        named, clients = {"yard": uploader}, {"main": work.client}
        registry.register(PrometheusCollector(named, clients=clients, by_source=True))
        register_opentelemetry(named, clients=clients, by_source=True, meter_provider=MeterProvider([reader]))
        receipts = [await uploader.submit(frame(number)) for number in range(8)]
        await uploader.flush()
        emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
        receipts += [await uploader.submit(frame(number)) for number in range(8, 12)]
        scan_objects(secrets)
        secrets.scan("Prometheus", prometheus_client.generate_latest(registry))
        secrets.scan("OpenTelemetry's metrics", str(reader.get_metrics_data()))
        secrets.scan("statistics", f"{uploader.statistics()} {work.client.statistics()} {uploader!r}")
    for path in spool.rglob("*"):
        if path.is_file():
            secrets.scan(f"file {path.name}", path.read_bytes(), forms=False)
    report = uploader.report
    assert report.spooled == 4
    assert report.rejected == 1
    secrets.scan("report", f"{report} {report.to_json()} {[receipt.outcome for receipt in receipts]}")
    with work.failing():
        report.raise_for_failures()
    for span in collector.get_finished_spans():
        secrets.scan(f"span {span.name}", span.to_json())
    assert len(collector.get_finished_spans()) > 20
    assert secrets.found == []


async def test_hosts_that_echo_the_token_tell_it_to_nobody(
    work: Work, emulator: Emulator, secrets: Secrets, lines: EveryLine, collector: Any, tmp_path: Path
):
    """In whatever coding: lines, errors, spans, the report, its file of failures and the spool's letters hold no part of it."""
    token = emulator.api_token
    bodies = spellings(token)
    for body in bodies.values():
        emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, body=body, times=1))
    spool = tmp_path / "spool"
    async with work.deployment.uploader(spool=spool, retry=RetryPolicy.none()) as uploader:
        receipts = [await uploader.submit(frame(number)) for number in range(len(bodies))]
    report = uploader.report
    assert report.rejected == len(bodies)
    errors = [receipt.outcome.error for receipt in receipts]
    told = [f"{error} {error!r} {error.detail} {error.body!r}" for error in errors]
    told += [str(report.to_json()), *(span.to_json() for span in collector.get_finished_spans())]
    told += [path.read_bytes().decode("latin-1") for path in spool.rglob("*") if path.is_file()]
    for body in bodies.values():
        emulator.faults.add(Fault(kind="status", service="platform", status=500, body=body, times=1))
        with pytest.raises(PicselliaError) as caught:
            await work.client.with_options(retry=RetryPolicy.none()).request("GET", "/api/none")
        told.append(f"{caught.value} {caught.value!r} {caught.value.body!r}")
    told += lines.told
    assert len(told) > 3 * len(bodies)
    assert [one for one in told if holds_a_part(one, token)] == []


@pytest.fixture
def ffmpeg() -> Iterator[None]:
    """FFmpeg tells all that it can, through PyAV, to loggers below `libav`."""
    told = pytest.importorskip("av.logging")
    level = told.get_level()
    told.set_level(told.TRACE)
    yield
    told.set_level(level)


@pytest.mark.usefixtures("ffmpeg")
async def test_cameras_and_proxies_tell_no_password(
    work: Work, emulator: Emulator, secrets: Secrets, lines: EveryLine, monkeypatch: pytest.MonkeyPatch
):
    """An address with user and password that cannot be reached: as camera, as proxy, as host of the platform."""
    for scheme in ("rtsp", "http"):
        eye = camera(f"{scheme}://user:{PASSWORD}@127.0.0.1:1/stream?token={PASSWORD}", reconnect=None)
        with work.failing():
            async for _ in eye:
                pass
        secrets.scan("camera", f"{eye!r} {eye.statistics()}")
    assert "libav" in lines.loggers
    for address in (f"http://user:{PASSWORD}@127.0.0.1:1", f"socks9://user:{PASSWORD}@127.0.0.1:1"):
        monkeypatch.setenv("ALL_PROXY", address)
        with work.failing():
            async with AsyncClient(emulator.api_token, host="http://picsellia.invalid", retry=RetryPolicy.none()):
                pass
    monkeypatch.delenv("ALL_PROXY")
    with work.failing():
        AsyncClient(emulator.api_token, host=f"ftp://user:{PASSWORD}@127.0.0.1")
    with work.failing():
        AsyncClient(emulator.api_token + "\n")
    scan_objects(secrets)
    assert secrets.found == []


@pytest.mark.parametrize(
    "text",
    [
        "token-of-mine-0123456789",
        "see a%20token%2Fof mine?",
        base64.b64encode(b"xy" + b"token-of-mine-0123456789" + b"zz").decode(),
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJlLW9m",
        "authorization: Bearer 0a1b2c3d4e5f6a7b",
        base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(60)).decode(),
        base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode(),
        "rtsp://user:pw@10.0.0.1/stream",
        "GET http://h/x?expires=1&signature=0123456789abcdef",
    ],
)
def test_the_scanner_finds(text: str) -> None:
    """Each kind of secret, planted or by its form, also within other text."""
    secrets = Secrets()
    secrets.plant("token", "token-of-mine-0123456789")
    secrets.plant("odd", "a token/of mine?"[:16])
    secrets.planted["odd, quoted"] = b"a%20token%2Fof mine?"
    secrets.scan("here", f"before {text} after")
    assert secrets.found


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://***:***@10.0.0.1/stream",
        "http://h/x?signature=REDACTED",
        "the header 'authorization: Bearer ...'",
        "frame 8f0c1e6a-58b0-4c64-a3a6-4a4f1c3f2b11 failed",
        "rtsp://10.0.0.1:554/stream",
    ],
)
def test_the_scanner_lets_pass(text: str) -> None:
    """What only resembles a secret."""
    secrets = Secrets()
    secrets.scan("here", text)
    assert secrets.found == []
