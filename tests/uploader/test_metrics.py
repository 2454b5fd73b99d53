"""Metrics for Prometheus and OpenTelemetry: the numbers of `statistics()` and of the report, under documented names."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

from picsellia_async._delivery.outcomes import DropReason
from picsellia_async.errors import BadRequestError, ConfigurationError
from picsellia_async.frames import Frame
from picsellia_async.metrics import (
    ATTEMPT_DURATION,
    CAMERA_METRICS,
    CLIENT_METRICS,
    FRAME_DURATION,
    PIPELINE_FRAME_DURATION,
    PIPELINE_METRICS,
    PIPELINE_SOURCE_FRAME_DURATION,
    PIPELINE_SOURCE_METRICS,
    PREDICT_DURATION,
    SOURCE_METRICS,
    UPLOADER_METRICS,
    PrometheusCollector,
    prometheus_name,
    register_opentelemetry,
)
from picsellia_async.sources import camera
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame
from .service import Service, down, uploader

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parent.parent.parent / "docs" / "metrics.md"


def odd_ones_are_bad(frame: Frame, attempt: int) -> BaseException | None:
    """Every fourth frame is refused, and the first attempt of every other one fails."""
    number = int(re.findall(r"\d+", frame.filename)[0])
    if number % 4 == 3:
        return BadRequestError("refused", 422, "POST", "http://x")
    return down() if number % 2 and attempt == 1 else None


def scraped(collector: PrometheusCollector) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return what a Prometheus reads, by name and labels."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    text = prometheus_client.generate_latest(registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: dict[Any, float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def test_a_scrape_equals_the_report() -> None:
    """Frames by outcome and reason, repeats and bytes are those of the report, while frames come and at the end."""
    up = uploader(Service(script=odd_ones_are_bad), when_full="drop_newest", max_pending_frames=20)
    collector = PrometheusCollector({"yard": up})
    async with up:
        for number in range(40):
            await up.submit(make_frame(number))
        during = scraped(collector)
        await up.flush()
    report, found = up.report, scraped(collector)
    assert min(report.dropped, report.rejected, report.retries) > 0
    assert of(during, "picsellia_uploader_frames_pending", uploader="yard") > 0
    counts = {
        "delivered": of(found, "picsellia_uploader_frames_total", uploader="yard", outcome="delivered", reason=""),
        "rejected": of(found, "picsellia_uploader_frames_total", uploader="yard", outcome="rejected", reason=""),
        "dropped": of(
            found, "picsellia_uploader_frames_total", uploader="yard", outcome="dropped", reason="full_newest"
        ),
    }
    assert counts == {"delivered": report.delivered, "rejected": report.rejected, "dropped": report.dropped}
    assert of(found, "picsellia_uploader_retries_total", uploader="yard") == report.retries
    assert of(found, "picsellia_uploader_delivered_bytes_total", uploader="yard") == report.bytes
    assert of(found, "picsellia_uploader_frames_pending", uploader="yard") == 0
    assert of(during, "picsellia_uploader_health", uploader="yard", state="ok") == 1


async def test_each_reason_is_there_before_its_first_frame() -> None:
    """`increase()` of Prometheus does not see a burst with which a series begins."""
    async with uploader(Service()) as up:
        found = scraped(PrometheusCollector({"yard": up}))
    for reason in DropReason:
        assert (
            of(found, "picsellia_uploader_frames_total", uploader="yard", outcome="dropped", reason=reason.value) == 0
        )


async def test_opentelemetry_reads_the_same_numbers() -> None:
    """With units and the attribute `uploader`; two uploaders of one process are told apart."""
    reader = InMemoryMetricReader()
    one, two = uploader(Service()), uploader(Service())
    register_opentelemetry({"yard": one, "gate": two}, meter_provider=MeterProvider([reader]))
    async with one, two:
        for number in range(5):
            await one.submit(make_frame(number))
        await one.flush()
        data = reader.get_metrics_data()
    assert data is not None
    metrics = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    # One has a value only with a spool.
    expected = {metric.name for metric in (*UPLOADER_METRICS, FRAME_DURATION)} - {"picsellia.uploader.spool.free"}
    assert set(metrics) == expected
    points = {
        point.attributes["uploader"]: point for point in metrics["picsellia.uploader.frames.accepted"].data.data_points
    }
    assert {name: point.value for name, point in points.items()} == {"yard": 5, "gate": 0}
    assert metrics["picsellia.uploader.delivered"].unit == "By"


async def test_sources_are_counted_only_where_asked() -> None:
    """A label's values must be few; how many sources there are is the user's to know."""
    up = uploader(
        Service(hold=asyncio.Event()), concurrency=1, when_full="drop_newest", max_pending_frames=1, close_timeout=0.0
    )
    async with up:
        for number in range(3):
            await up.submit(make_frame(number, source="cam-1"))
        asked = scraped(PrometheusCollector({"yard": up}, by_source=True))
        unasked = scraped(PrometheusCollector({"yard": up}))
    assert of(asked, "picsellia_uploader_frames_dropped_by_source_total", uploader="yard", source="cam-1") == 2
    assert not any("source" in name for name, _ in unasked)


async def test_cameras_are_measured_too() -> None:
    """By the name that is given, which is no address and no password."""
    found = scraped(PrometheusCollector(cameras={"gate": camera("rtsp://user:secret@127.0.0.1:1/x")}))
    # The collector holds it weakly, and it is gone.
    assert found == {}
    gate = camera("rtsp://user:secret@127.0.0.1:1/x")
    found = scraped(PrometheusCollector(cameras={"gate": gate}))
    assert of(found, "picsellia_camera_state", camera="gate", state="idle") == 1
    assert "secret" not in repr(found)


async def test_being_measured_keeps_no_uploader_alive() -> None:
    """One that was let go gives no values, rather than its last ones for ever."""
    collector = PrometheusCollector({"yard": Uploader(Service().send)})
    assert scraped(collector) == {}


@pytest.mark.parametrize(
    ("module", "extra", "call"),
    [
        ("prometheus_client.core", "prometheus", lambda up: PrometheusCollector({"yard": up})),
        ("opentelemetry", "otel", lambda up: register_opentelemetry({"yard": up})),
    ],
)
async def test_without_its_package_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str, call: Any
) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=rf"picsellia-async\[{extra}\]"):
        call(Uploader(Service().send))


async def test_nothing_to_measure_is_refused() -> None:
    """A collector of nothing would look as if all were well."""
    with pytest.raises(ConfigurationError, match="nothing to measure"):
        PrometheusCollector()


def test_the_page_names_every_metric() -> None:
    """And no other: the table of docs/metrics.md is that of the code."""
    table = set(re.findall(r"^\| `([a-z_.]+)` \| `([a-z_]+)` \|", PAGE.read_text(), re.MULTILINE))
    tables = (
        *UPLOADER_METRICS, FRAME_DURATION, *CLIENT_METRICS, ATTEMPT_DURATION, *CAMERA_METRICS, *PIPELINE_METRICS,
        PREDICT_DURATION, PIPELINE_FRAME_DURATION, *SOURCE_METRICS, *PIPELINE_SOURCE_METRICS, PIPELINE_SOURCE_FRAME_DURATION,
    )  # fmt: skip
    assert table == {(metric.name, prometheus_name(metric)) for metric in tables}


async def test_how_a_closed_uploader_is_has_an_end() -> None:
    """It was closed in an outage: its gauges have no value any more, in both exporters; its counters stay for the last scrape."""
    reader = InMemoryMetricReader()
    up = uploader(Service(script=lambda frame, attempt: down()), close_timeout=1.0)
    collector = PrometheusCollector({"yard": up})
    register_opentelemetry({"yard": up}, meter_provider=MeterProvider([reader]))
    async with up:
        for number in range(10):
            await up.submit(make_frame(number))
        await asyncio.sleep(5.0)
        state = ("picsellia_uploader_health", frozenset({("uploader", "yard"), ("state", "down")}))
        assert scraped(collector)[state] == 1
    assert (up.statistics().is_closed, up.statistics().health.value) == (True, "down")
    gauges = {prometheus_name(metric) for metric in UPLOADER_METRICS if metric.kind == "gauge"}
    left = {name for name, _ in scraped(collector)}
    assert len(gauges) == 9
    assert not gauges & left
    assert {prometheus_name(metric) for metric in UPLOADER_METRICS} - gauges <= left
    data = reader.get_metrics_data()
    assert data is not None
    exported = {metric.name for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert not {metric.name for metric in UPLOADER_METRICS if metric.kind == "gauge"} & exported
    assert "picsellia.uploader.frames.accepted" in exported
