"""Statistics of the monitoring host."""

from __future__ import annotations

import datetime
import time

import pytest

from picsellia_async import (
    ConfigurationError,
    NotFoundError,
    ServiceMetrics,
    StatusError,
)
from picsellia_async.emulator import Fault

from ..support.client import ONE_BOX, calls

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


async def monitor(deployment, name="f.png", **options):
    return await deployment.monitor_bytes(PNG, "image/png", name, 0.02, 480, 640, ONE_BOX, **options)


@pytest.mark.parametrize("service", list(ServiceMetrics), ids=lambda service: service.name)
async def test_statistics(deployment, emulator, service, dataset_versions):
    """Every service answers a dict, by the route that is its own."""
    await deployment.set_training_data(dataset_versions[0])
    await monitor(deployment, tags=["t"])
    version = await deployment.get_model_version()
    now = time.time()
    assert isinstance(await deployment.get_stats(service), dict)
    assert isinstance(await deployment.get_stats(service.name.lower(), version, now - 60, now + 60, tags=["t"]), dict)
    endpoint = "get_aggregated_stats" if service.is_aggregated else "get_prediction_stats"
    assert len(calls(emulator, endpoint)) == 2


async def test_statistics_that_fail_raise(deployment, emulator):
    """An error body is an error; the vendor's SDK returns it as if it were the statistics (docs/wire.md#statuses)."""
    emulator.faults.add(Fault(kind="status", status=404, endpoint="get_prediction_stats"))
    with pytest.raises(NotFoundError):
        await deployment.get_stats(ServiceMetrics.PREDICTIONS_DATA)
    emulator.faults.add(Fault(kind="status", status=418, match="^GET /api/deployment/[^/]+$"))
    with pytest.raises(StatusError):
        await deployment.retrieve_information()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"service": "speed"}, "'speed' is no ServiceMetrics; accepted are PREDICTIONS_OUTLYING_SCORE"),
        (
            {"from_timestamp": "yesterday"},
            "from_timestamp must be a number of epoch seconds or an aware datetime, got 'yesterday'",
        ),
        ({"to_timestamp": datetime.datetime(2024, 1, 1)}, "to_timestamp must have a time zone"),  # noqa: DTZ001
        ({"since": 1.5}, "since must be a whole number, got 1.5"),
        ({"since": -1}, "since must be at least 0, got -1"),
        ({"tags": "t"}, "tags must be a list, got 't'"),
        ({"includes": [3]}, r"includes\[0\] must be a non-empty str, got 3"),
        ({"model_version": "latest"}, "model_version must be a ModelVersion, got 'latest'"),
    ],
)
async def test_statistics_that_cannot_be_asked_for(deployment, emulator, arguments, message):
    """Each bad value is named, and nothing is sent."""
    with pytest.raises(ConfigurationError, match=message):
        await deployment.get_stats(**{"service": ServiceMetrics.PREDICTIONS_DATA, **arguments})
    assert calls(emulator, "get_prediction_stats") == []
