"""A `SyncUploader` in Prometheus and OpenTelemetry: the numbers of its report, read from other threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import prometheus_client
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from picsellia_async import SyncUploader
from picsellia_async.emulator import Fault, ThreadedEmulator
from picsellia_async.metrics import PrometheusCollector, register_opentelemetry

from ..support.frames import make_frame


def sync_uploader(emulator: ThreadedEmulator, **options: Any) -> SyncUploader:
    return SyncUploader(emulator.deployment_name, api_token=emulator.api_token, host=emulator.url, **options)


def scraped(registry: prometheus_client.CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"picsellia_uploader_{name}", {"uploader": "yard", **labels})


def exported(reader: InMemoryMetricReader) -> dict[str, Any]:
    data = reader.get_metrics_data()
    found = [] if data is None else [m for one in data.resource_metrics for s in one.scope_metrics for m in s.metrics]
    return {metric.name: metric.data.data_points for metric in found}


def test_numbers_equal_the_report(picsellia_emulator: ThreadedEmulator) -> None:
    """Registered before it is opened it has no values, then those of the report, also once it is closed; durations count from then on."""
    picsellia_emulator.faults.add(Fault(kind="status", status=422, endpoint="monitor", times=3))
    registry, reader = prometheus_client.CollectorRegistry(), InMemoryMetricReader()
    uploader = sync_uploader(picsellia_emulator)
    registry.register(PrometheusCollector({"yard": uploader}))
    register_opentelemetry({"yard": uploader}, meter_provider=MeterProvider([reader]))
    assert scraped(registry, "frames_accepted_total") is None
    with uploader:
        assert scraped(registry, "frames_accepted_total") == 0
        for number in range(20):
            uploader.submit(make_frame(number))
        assert uploader.flush() == 0
        late = prometheus_client.CollectorRegistry()
        late.register(PrometheusCollector({"yard": uploader}))
        uploader.submit(make_frame(20)).result(30)
    report = uploader.report
    assert (report.accepted, report.delivered, report.rejected) == (21, 18, 3)
    for name, value in (("frames_accepted_total", 21), ("frame_duration_seconds_count", 18), ("spool_frames", 0)):
        assert scraped(registry, name) == value
    assert scraped(registry, "frames_total", outcome="rejected", reason="") == 3
    assert scraped(late, "frame_duration_seconds_count") == 1
    found = exported(reader)
    assert [point.value for point in found["picsellia.uploader.frames.accepted"]] == [21]
    assert [point.count for point in found["picsellia.uploader.frame.duration"]] == [18]


def test_numbers_may_be_read_in_any_thread_meanwhile(picsellia_emulator: ThreadedEmulator, tmp_path: Any) -> None:
    """Two threads scrape again and again while two submit: nothing is raised, counters never go back, the last ones are right."""
    registry, is_over = prometheus_client.CollectorRegistry(), threading.Event()
    with sync_uploader(picsellia_emulator, spool=tmp_path / "spool", by_source=True) as uploader:
        registry.register(PrometheusCollector({"yard": uploader}, by_source=True))

        def read() -> list[tuple[int, int]]:
            found = []
            while not is_over.wait(0.001):
                prometheus_client.generate_latest(registry)
                numbers = uploader.statistics()
                found.append((numbers.accepted, numbers.delivered))
            return found

        with ThreadPoolExecutor(4) as pool:
            readings = [pool.submit(read) for _ in range(2)]
            list(pool.map(lambda number: uploader.submit(make_frame(number, source=f"cam-{number % 7}")), range(100)))
            assert uploader.flush() == 0
            is_over.set()
    for reading in readings:
        found = reading.result()
        assert found == sorted(found, key=lambda one: one[0])
        assert [delivered for _, delivered in found] == sorted(delivered for _, delivered in found)
    assert uploader.statistics().delivered == scraped(registry, "frames_total", outcome="delivered", reason="") == 100
