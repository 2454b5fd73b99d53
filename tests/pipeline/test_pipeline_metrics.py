"""What Prometheus and OpenTelemetry read of a pipeline."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import prometheus_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

from picsellia_async import Pipeline
from picsellia_async.metrics import (
    PIPELINE_FRAME_DURATION,
    PIPELINE_METRICS,
    PREDICT_DURATION,
    PrometheusCollector,
    register_opentelemetry,
)
from picsellia_async.pipeline._statistics import FAIL_REASONS

from ..support.frames import PREDICTION
from ..support.pipelines import Stored, at_once, same

pytestmark = pytest.mark.anyio


def scraped(collector: PrometheusCollector) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return what a Prometheus reads, by name and labels, without the one that tells the pipeline."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    families = text_string_to_metric_families(prometheus_client.generate_latest(registry).decode())
    return {
        (
            sample.name,
            frozenset(pair for pair in sample.labels.items() if pair[1] and pair[0] != "pipeline"),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def every_fourth_fails() -> Any:
    """Return a model that raises for each fourth image, and has nothing to tell of each other fourth."""
    calls = 0

    async def model(_pixels: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 4 == 3:
            raise ValueError("the model broke")
        return None if calls % 4 == 0 else PREDICTION

    return model


async def test_a_scrape_equals_the_statistics() -> None:
    """Frames by outcome and reason, predictions, histograms of the model's time and of the age; by source only if asked."""
    async with Pipeline(
        {"a": at_once("a", 20), "b": at_once("b", 20)}, every_fourth_fails(), Stored().uploader()
    ) as pipeline:
        collector = PrometheusCollector(pipelines={"yard": pipeline})
        collector_by_source = PrometheusCollector(pipelines={"yard": pipeline}, by_source=True)
        await pipeline.run()
        numbers = pipeline.statistics()
        found, by_source = scraped(collector), scraped(collector_by_source)

    def value(name: str, **labels: str) -> float:
        return found[f"picsellia_pipeline_{name}", frozenset(labels.items())]

    assert (numbers.received, numbers.failed, numbers.skipped) == (40, 10, 10)
    assert value("frames_received_total") == 40
    assert value("frames_total", outcome="submitted") == numbers.submitted == 20
    assert value("frames_total", outcome="failed", reason="model") == 10
    assert value("frames_total", outcome="skipped", reason="nothing") == 10
    # There before the first such frame: `increase()` does not see a burst with which a series begins.
    assert [value("frames_total", outcome="failed", reason=one) for one in FAIL_REASONS if one != "model"] == [0] * 4
    assert (value("frames_pending"), value("predictions_total")) == (0, numbers.predicted)
    assert value("predict_duration_seconds_count") == numbers.predicted == 30
    assert value("predict_duration_seconds_bucket", le="+Inf") == 30
    assert value("frame_duration_seconds_count") == value("frame_duration_seconds_bucket", le="86400.0") == 20
    assert numbers.age.p50 is not None
    assert value("frame_duration_seconds_sum") >= 10 * numbers.age.p50  # half of the 20 took that long
    assert not any("source" in name for name, _ in found)
    labels = {"source": "a"}
    submitted = "picsellia_pipeline_source_frames_total", frozenset({**labels, "outcome": "submitted"}.items())
    assert by_source[submitted] == numbers.by_source["a"].submitted == 10
    assert by_source["picsellia_pipeline_source_frame_duration_seconds_count", frozenset(labels.items())] == 10


async def test_opentelemetry_reads_a_pipeline() -> None:
    """Each metric under its own name."""
    reader = InMemoryMetricReader()
    async with Pipeline(at_once("a", 5), same, Stored().uploader()) as pipeline:
        register_opentelemetry(pipelines={"yard": pipeline}, meter_provider=MeterProvider([reader]))
        await pipeline.run()
        data = reader.get_metrics_data()
    assert data is not None
    found = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    expected = (*PIPELINE_METRICS, PREDICT_DURATION, PIPELINE_FRAME_DURATION)
    assert found.keys() == {metric.name for metric in expected}
    for metric in expected[-2:]:
        (point,) = found[metric.name].data.data_points
        assert (point.count, tuple(point.explicit_bounds)) == (5, metric.bounds)
        assert found[metric.name].unit == "s"
    points = found["picsellia.pipeline.frames"].data.data_points
    assert [(dict(point.attributes), point.value) for point in points] == [
        ({"pipeline": "yard", "outcome": "submitted"}, 5),
        *(({"pipeline": "yard", "outcome": "failed", "reason": reason}, 0) for reason in FAIL_REASONS),
    ]


async def test_a_scrape_from_another_thread_finds_what_grows() -> None:
    """Prometheus' own server asks from its thread, while frames come."""
    async with Pipeline(
        {f"cam-{n}": at_once(f"cam-{n}", 300) for n in range(4)}, same, Stored().uploader()
    ) as pipeline:
        collector, errors, ends = (
            PrometheusCollector(pipelines={"yard": pipeline}, by_source=True),
            [],
            threading.Event(),
        )

        def ask() -> None:
            while not ends.is_set():
                try:
                    list(collector.collect())
                except Exception as error:  # noqa: BLE001 - whatever it is
                    errors.append(error)

        asking = asyncio.get_running_loop().run_in_executor(None, ask)
        report = await pipeline.run()
        ends.set()
        await asking
    assert (errors, report.statistics.submitted) == ([], 1200)
