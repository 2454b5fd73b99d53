"""Histograms of attempts and frames, and the numbers of a client: for Prometheus and OpenTelemetry, on the emulator."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

import prometheus_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from picsellia_async import AsyncClient
from picsellia_async._histogram import OVERFLOW, SERIES_MAX, Histogram
from picsellia_async.emulator import Fault
from picsellia_async.metrics import ATTEMPT_DURATION, FRAME_DURATION, PrometheusCollector, register_opentelemetry

from ..support.client import QUICK, monitor
from ..support.frames import make_frame

pytestmark = pytest.mark.anyio


def samples(collector: PrometheusCollector, name: str) -> list[Any]:
    """Return what a Prometheus reads under a name."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    return [sample for family in registry.collect() for sample in family.samples if sample.name == name]


async def test_attempts_are_counted_by_status_and_error(deployment, client, emulator):
    """Each attempt once, in OpenTelemetry's buckets, with its host and status; one that was not answered with its error."""
    quick = client.with_options(retry=QUICK)
    collector = PrometheusCollector(clients={"main": client})
    again = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, times=2))
    await monitor(again)
    found = {
        sample.labels["http_response_status_code"]: sample
        for sample in samples(collector, "http_client_request_duration_seconds_count")
        if sample.labels["http_request_method"] == "POST"
    }
    assert {status: sample.value for status, sample in found.items()} == {"200": 1, "503": 2, "201": 1}
    assert found["503"].labels["error_type"] == "503"
    assert found["201"].labels["server_address"] == "127.0.0.1"
    assert found["201"].labels["server_port"] == emulator.url.rpartition(":")[2]
    buckets = [sample for sample in samples(collector, "http_client_request_duration_seconds_bucket") if sample.labels["http_response_status_code"] == "503"]  # fmt: skip
    bounds = [float(sample.labels["le"]) for sample in buckets]
    assert bounds == [*ATTEMPT_DURATION.bounds, float("inf")]
    assert buckets[-1].value == 2
    assert [b.value for b in buckets] == sorted(b.value for b in buckets)


async def test_frames_are_counted_when_they_are_delivered(deployment, emulator):
    """From acceptance to delivery; a frame that is refused is not among them. The user's callback still hears of all."""
    heard = []
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=1))
    async with deployment.uploader(on_outcome=heard.append) as uploader:
        collector = PrometheusCollector({"yard": uploader})
        for number in range(5):
            await uploader.submit(make_frame(number))
        await uploader.flush()
        (count,) = samples(collector, "picsellia_uploader_frame_duration_seconds_count")
    assert (count.value, count.labels) == (4, {"uploader": "yard"})
    assert len(heard) == 5


async def test_opentelemetry_has_histograms_of_the_same_names(deployment, client, emulator):
    """With its stable attributes, numbers as numbers, and the buckets that were asked for."""
    reader = InMemoryMetricReader()
    async with deployment.uploader() as uploader:
        register_opentelemetry({"yard": uploader}, clients={"main": client}, meter_provider=MeterProvider([reader]))
        await uploader.submit(make_frame())
        await uploader.flush()
        data = reader.get_metrics_data()
    assert data is not None
    metrics = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    points = metrics["http.client.request.duration"].data.data_points
    (stored,) = [point for point in points if point.attributes.get("http.response.status_code") == 201]
    assert stored.count == 1
    assert tuple(stored.explicit_bounds) == ATTEMPT_DURATION.bounds
    assert stored.attributes == {
        "client": "main",
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": int(emulator.url.rpartition(":")[2]),
        "http.response.status_code": 201,
    }
    (frames,) = metrics["picsellia.uploader.frame.duration"].data.data_points
    assert tuple(frames.explicit_bounds) == FRAME_DURATION.bounds
    assert frames.count == 1
    assert metrics["http.client.open_connections"].unit == "{connection}"


async def test_a_client_tells_its_connections_and_sign_ins(emulator):
    """Open ones by host and use, callers that wait, and JWTs that were fetched; a renewal is one more."""
    async with AsyncClient(emulator.api_token, host=emulator.url, max_connections=2, checks="off") as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await monitor(deployment)
        emulator.state.tokens.expire()
        await monitor(deployment)
        host = emulator.url.removeprefix("http://")
        numbers = client.statistics()
        assert numbers.sign_ins == 2
        assert (numbers.connections_active, numbers.waiting) == ({host: 0}, 0)
        assert numbers.connections_idle[host] >= 1
        emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=60))
        calls = [asyncio.create_task(monitor(deployment, name=f"{number}.jpg")) for number in range(5)]
        while client.statistics().waiting < 3:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        numbers = client.statistics()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert numbers.connections_active[host] + numbers.connections_opening <= 2
    assert client.statistics().connections_active == {}


async def test_a_frame_of_a_former_run_is_as_old_as_it_is(deployment, emulator, tmp_path, monkeypatch):
    """Its age counts from its acceptance by the process before, by the clock on the wall; the disk's room is told too."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
    async with deployment.uploader(spool=tmp_path, close_timeout=0) as uploader:
        await uploader.submit(make_frame())
        assert (uploader.statistics().spool_free_bytes or 0) > 2**20
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 3600)
    async with deployment.uploader(spool=tmp_path, close_timeout=0) as uploader:
        while not uploader.statistics().oldest_seconds:  # noqa: ASYNC110 - it is read back from disk
            await asyncio.sleep(0.01)
        assert uploader.statistics().oldest_seconds >= 3600


async def test_nothing_is_recorded_before_somebody_registers(client, deployment):
    """A client that nobody measures has nobody to tell."""
    assert client._account.session.observer is None
    PrometheusCollector(clients={"main": client})
    assert client._account.session.observer is not None


def test_attributes_are_bounded():
    """Beyond so many sets the rest is one, named as OpenTelemetry does it; no value is lost."""
    histogram = Histogram((1.0,))
    for number in range(SERIES_MAX + 10):
        histogram.record(0.5, (("name", number),))
    series = {attributes: counts for attributes, counts, _ in histogram.read()}
    assert len(series) == SERIES_MAX + 1
    assert series[OVERFLOW] == [10, 0]


def test_a_bound_belongs_to_its_bucket():
    """As Prometheus' `le` says."""
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.record(value)
    assert [(counts, total) for _, counts, total in histogram.read()] == [([2, 2, 1], 14.0)]


async def test_a_scrape_from_another_thread_sees_frames_come_and_go(deployment, tmp_path):
    """Frames enter and leave memory and disk while a thread reads the numbers without a pause: no scrape fails."""
    interval = sys.getswitchinterval()
    is_over = threading.Event()

    def scrape(uploader: Any) -> int:
        scrapes = 0
        while not is_over.is_set():
            uploader.statistics()
            scrapes += 1
        return scrapes

    async with deployment.uploader(spool=tmp_path, durability="interval", by_source=True) as uploader:
        sys.setswitchinterval(1e-6)
        try:
            scraping = asyncio.create_task(asyncio.to_thread(scrape, uploader))
            for number in range(100):
                await uploader.submit(make_frame(number, source=f"cam-{number % 7}"))
            await uploader.flush()
        finally:
            is_over.set()
            sys.setswitchinterval(interval)
        assert await scraping > 20
