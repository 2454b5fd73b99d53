"""Metrics that are registered more than once in a process: everything is measured once, or refused by its name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import prometheus_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from picsellia_async import AsyncClient, ConfigurationError
from picsellia_async.metrics import PrometheusCollector, register_opentelemetry

from ..support.frames import make_frame
from .service import Service, uploader

pytestmark = pytest.mark.anyio

ACCEPTED = "picsellia.uploader.frames.accepted"


def exported(reader: InMemoryMetricReader) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield what is exported: name, attributes, value."""
    data = reader.get_metrics_data()
    for resource in () if data is None else data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    yield (
                        metric.name,
                        dict(point.attributes or {}),
                        getattr(point, "value", getattr(point, "count", None)),
                    )


def accepted(reader: InMemoryMetricReader) -> dict[str, int]:
    return {attributes["uploader"]: value for name, attributes, value in exported(reader) if name == ACCEPTED}


async def test_an_uploader_that_is_registered_later_is_measured() -> None:
    """By a call of its own: its numbers, those by source, and its durations."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    async with uploader(Service()) as one, uploader(Service(), by_source=True) as two:
        register_opentelemetry({"a": one}, meter_provider=provider)
        register_opentelemetry({"b": two}, by_source=True, meter_provider=provider)
        for number in range(5):
            await one.submit(make_frame(number))
            await two.submit(make_frame(number, source="gate"))
        await one.submit(make_frame(9))
        await one.flush()
        await two.flush()
        assert accepted(reader) == {"a": 6, "b": 5}
        found = list(exported(reader))
        durations = {at["uploader"]: value for name, at, value in found if name == "picsellia.uploader.frame.duration"}
        assert durations == {"a": 6, "b": 5}
        by_source = [at["uploader"] for name, at, _ in found if at.get("source") == "gate"]
        assert set(by_source) == {"b"}


async def test_a_name_belongs_to_one_until_it_is_closed() -> None:
    """A second one of that name would be measured in place of the first; a job's uploader has the name of the job before."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    async with uploader(Service()) as one:
        register_opentelemetry({"job": one}, meter_provider=provider)
        async with uploader(Service()) as two:
            with pytest.raises(
                ConfigurationError, match="the uploader 'job' is measured already, and another one is not closed"
            ):
                register_opentelemetry({"job": two}, meter_provider=provider)
            with pytest.raises(ConfigurationError, match="the uploader 'job' is measured already"):
                register_opentelemetry({"other": two, "job": one}, meter_provider=provider)
        await one.submit(make_frame(0))
        await one.flush()
        assert accepted(reader) == {"job": 1}
    async with uploader(Service()) as three:
        register_opentelemetry({"job": three}, meter_provider=provider)
        assert accepted(reader) == {"job": 0}
    register_opentelemetry({"job": uploader(Service())}, meter_provider=provider)  # nobody holds it
    register_opentelemetry({"job": uploader(Service())}, meter_provider=provider)
    register_opentelemetry({"job": one}, meter_provider=MeterProvider([InMemoryMetricReader()]))


def test_what_is_registered_before_there_is_an_sdk_counts_too() -> None:
    """The API's stand-in hands its instruments over; those that come afterwards are on the same ones."""
    program = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from picsellia_async.metrics import register_opentelemetry
from tests.uploader.service import Service, uploader
from tests.uploader.test_metrics_twice import accepted

ups = [uploader(Service()) for _ in range(4)]
reader = InMemoryMetricReader()
register_opentelemetry({"a": ups[0]})
register_opentelemetry({"b": ups[1]})
metrics.set_meter_provider(MeterProvider([reader]))
register_opentelemetry({"c": ups[2]})
register_opentelemetry({"d": ups[3]}, meter_provider=metrics.get_meter_provider())
print(sorted(accepted(reader)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "['a', 'b', 'c', 'd']\n"


def test_a_registry_takes_no_second_collector_of_the_same() -> None:
    """Each family would be there twice, which no parser has to take; one of other things is taken."""
    one, two = uploader(Service()), uploader(Service())
    for registry in (prometheus_client.CollectorRegistry(), prometheus_client.CollectorRegistry(auto_describe=True)):
        first = PrometheusCollector({"a": one})
        registry.register(first)
        with pytest.raises(ValueError, match="picsellia_uploader"):
            registry.register(PrometheusCollector({"b": two}))
        text = prometheus_client.generate_latest(registry).decode()
        helps = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
        assert len(helps) == len(set(helps)) > 10
        registry.unregister(first)
        registry.register(PrometheusCollector({"a": one, "b": two}))


def test_a_collector_describes_what_it_collects() -> None:
    """The same names and kinds, of each of its tables."""
    collector = PrometheusCollector({"a": uploader(Service())}, by_source=True)
    described = {(family.name, family.type) for family in collector.describe()}
    assert described == {(family.name, family.type) for family in collector.collect()}


def test_a_provider_that_is_not_known_again_is_registered_with(provider_of_slots: object) -> None:
    """One of somebody's own, of whose class nothing can be referred to weakly."""
    first, second = AsyncClient("t"), AsyncClient("t")
    register_opentelemetry(clients={"a": first}, meter_provider=provider_of_slots)  # type: ignore[arg-type]
    register_opentelemetry(clients={"b": second}, meter_provider=provider_of_slots)  # type: ignore[arg-type]


@pytest.fixture
def provider_of_slots() -> object:
    """A provider with `__slots__`, over the API's own without an SDK."""
    from opentelemetry.metrics import NoOpMeterProvider

    class Provider:
        __slots__ = ()

        def get_meter(self, *args: object, **options: object) -> object:
            return NoOpMeterProvider().get_meter("none")

    return Provider()
