"""Pipelines beside each other in one process: numbers and lines of each are its own, though their sources have one name."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import prometheus_client
import pytest

from picsellia_async import ClosedError, Pipeline
from picsellia_async.metrics import PrometheusCollector

from ..support.pipelines import Stored, at_once, balanced, same

pytestmark = pytest.mark.anyio


def failing(_pixels: Any) -> Any:
    raise RuntimeError("out of memory")


async def test_lines_numbers_and_metrics_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    """Each has an uploader, whose number and deployment its lines have too; statistics and labels are by pipeline."""
    well, ill = Stored().uploader(owner={"deployment_id": "a"}), Stored().uploader(owner={"deployment_id": "b"})
    with caplog.at_level(logging.INFO, "picsellia_async"):
        async with (
            Pipeline({"gate": at_once("cam", 4)}, same, well) as one,
            Pipeline({"gate": at_once("cam", 3)}, failing, ill) as two,
        ):
            reports = await asyncio.gather(one.run(), two.run())
    assert all(map(balanced, reports))
    assert [report.statistics.by_source["gate"].received for report in reports] == [4, 3]
    registry = prometheus_client.CollectorRegistry()
    registry.register(PrometheusCollector(pipelines={"one": one, "two": two}, by_source=True))
    for name, count in (("one", 4.0), ("two", 3.0)):
        labels = {"pipeline": name, "source": "gate"}
        received = registry.get_sample_value("picsellia_pipeline_frames_received_total", {"pipeline": name})
        assert received == count
        assert registry.get_sample_value("picsellia_pipeline_source_frames_pending", labels) == 0
    told = [one for one in caplog.records if "pipeline" in one.getMessage()]
    numbers = {one.uploader: one.deployment_id for one in told}  # type: ignore[attr-defined]  # of `extra=`
    assert sorted(numbers.values()) == ["a", "b"]
    for one in told:
        number = one.uploader  # type: ignore[attr-defined]
        assert one.getMessage().startswith(f"uploader {number} of deployment {numbers[number]}: ")
    failed = next(one for one in told if "frames failed" in one.getMessage())
    assert failed.deployment_id == "b"  # type: ignore[attr-defined]


async def test_one_uploader_serves_one_pipeline() -> None:
    """Frames of two in one account would belong to neither: refused when the second is opened."""
    uploader = Stored().uploader()
    async with Pipeline(at_once("gate", 1), same, uploader) as pipeline:
        with pytest.raises(ClosedError):
            async with Pipeline(at_once("gate", 1), same, uploader):
                pass
        await pipeline.run()
