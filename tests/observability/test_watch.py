"""The watch over the whole suite: a secret in whatever a test makes fails that test."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import prometheus_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from picsellia_async import AsyncClient, AsyncDeployment, PicselliaError, TransportError
from picsellia_async.emulator import Emulator
from picsellia_async.metrics import PrometheusCollector, register_opentelemetry

from ..support.watch import Watch

pytestmark = pytest.mark.anyio


def caught(watch: Watch, *kinds: str) -> bool:
    """Tell whether the token of the emulator was found in things of these kinds alone, and forget it."""
    found = {one.partition(":")[0] for one in watch.secrets.found}
    watch.secrets.found.clear()
    return bool(found) and all(one.startswith(kinds) for one in found)


async def test_a_line_at_debug_of_any_library(watch: Watch, emulator: Emulator) -> None:
    """In its text, in its attributes, and in a traceback; of loggers that propagate nothing too."""
    logger = logging.getLogger("another.library")
    logger.debug("sent %s", emulator.api_token)
    assert caught(watch, "log of another.library")
    logger.debug("sent", extra={"header": emulator.api_token})
    assert caught(watch, "log of another.library")
    try:
        raise ValueError(emulator.api_token)
    except ValueError:
        logger.debug("failed", exc_info=True)
    assert caught(watch, "log of another.library")
    alone = logging.getLogger("alone")
    alone.propagate = False
    alone.debug("authorization: Bearer %s", "0a1b2c3d4e5f6a7b")
    assert watch.secrets.found == ["log of alone: a bearer token: Bearer 0a1b2c3d4e5f6a7b"]
    watch.secrets.found.clear()


def test_an_error_that_ends_in_a_word_is_no_token(watch: Watch) -> None:
    """Text and repr of an error are two things: the last word of one and the first of the other make no secret."""
    error = PicselliaError("they sent no bearer")
    del error
    gc.collect()
    assert watch.secrets.found == []


async def test_a_span(watch: Watch, emulator: Emulator) -> None:
    """In an attribute, or in an event."""
    tracer = TracerProvider().get_tracer("test")
    tracer.start_span("one", attributes={"url.full": f"http://h/?token={emulator.api_token}"}).end()
    assert caught(watch, "span one")
    span = tracer.start_span("two")
    span.add_event("accepted", {"token": emulator.api_token})
    span.end()
    assert caught(watch, "span two")


async def test_a_label_of_a_metric(watch: Watch, emulator: Emulator) -> None:
    """For Prometheus, and for OpenTelemetry."""
    client = AsyncClient(emulator.api_token, host=emulator.url)
    named = {emulator.api_token: client}
    registry = prometheus_client.CollectorRegistry()
    registry.register(PrometheusCollector(clients=named))
    prometheus_client.generate_latest(registry)
    assert caught(watch, "metrics picsellia_client", "metrics http_client")
    reader = InMemoryMetricReader()
    register_opentelemetry(clients=named, meter_provider=MeterProvider([reader]))
    reader.get_metrics_data()
    assert caught(watch, "metrics InMemoryMetricReader")


async def test_a_file_and_its_name(watch: Watch, emulator: Emulator, tmp_path: Path) -> None:
    """What a test leaves in its folder is read when it ends."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / emulator.api_token).write_bytes(b"")
    watch.see_files(tmp_path)
    assert caught(watch, "name of a file", "file ")
    (tmp_path / "spool" / emulator.api_token).rename(tmp_path / "spool" / "segment")
    (tmp_path / "spool" / "segment").write_bytes(b"\0" * 5000 + emulator.api_token.encode() + b"\0")
    watch.see_files(tmp_path)
    assert caught(watch, "file segment")
    (tmp_path / "spool" / "segment").write_bytes(b"")


@attrs.frozen
class Looking:
    """An object of the package, in the client's reach."""

    token: str


async def test_an_error_and_a_repr(
    watch: Watch, emulator: Emulator, deployment: AsyncDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error when nobody holds it any more, also one that is its cause; what a client or an uploader leads to, when it closes."""
    with pytest.raises(PicselliaError):
        raise TransportError("no answer", request_sent=False) from ValueError(emulator.api_token)
    gc.collect()
    assert caught(watch, "error TransportError")
    monkeypatch.setattr(Looking, "__module__", "picsellia_async.looking")
    async with deployment.uploader() as uploader:
        uploader.looking: Any = [Looking(emulator.api_token)]  # type: ignore[attr-defined]
    assert caught(watch, "repr of Looking")
    del uploader.looking  # type: ignore[attr-defined]


def test_what_is_printed(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    """By this process, and by one that it starts."""
    token = "of-nobody-0123456789abcdef"
    watch.secrets.plant("the token of a process", token)
    sys.stdout.write(token)
    capsys.readouterr()
    assert caught(watch, "output CaptureFixture")
    code = "import sys; print(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, token], capture_output=True, check=True)
    assert caught(watch, "output Popen")
    watch.secrets.planted.clear()


async def test_no_kind_is_left_out(watch: Watch, emulator: Emulator, deployment: AsyncDeployment) -> None:
    """A watch that sees nothing finds nothing: lines of asyncio, of httpx and of ours, and reprs, are counted as they come."""
    before = watch.counts.copy()
    async with deployment.uploader():
        await deployment.sync()
    new = watch.counts - before
    assert {"lines of httpx", "lines of picsellia_async", "repr of"} <= new.keys()
    assert watch.counts["lines of asyncio"]
