"""Never run: mypy --strict (and pyright) must accept every line. The public API as its users write it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type
from uuid import UUID

import httpx

from picsellia_async import (
    AsyncClient,
    AsyncDeployment,
    ClassificationPredictionFormat,
    DetectionPredictionFormat,
    InferenceType,
    MonitorError,
    RateLimitError,
    RetryPolicy,
    SupportedContentType,
    TransportError,
)


async def connect() -> None:
    """Every way to make a client."""
    async with AsyncClient() as client:
        assert_type(client, AsyncClient)
        assert_type(client.is_closed, bool)
    AsyncClient("token", "00000000-0000-0000-0000-000000000000", host="https://h", timeout=3, max_connections=10)
    AsyncClient(organization_name="o", timeout=httpx.Timeout(1), retry=RetryPolicy(attempts=2, jitter=0.1))
    AsyncClient(transport=httpx.AsyncHTTPTransport())
    AsyncClient(http_client=httpx.AsyncClient())
    client.with_options(timeout=2, retry=RetryPolicy.none())
    assert_type(await client.get_deployment("d"), AsyncDeployment)
    assert_type(await client.list_deployments(limit=3), list[AsyncDeployment])


async def use(deployment: AsyncDeployment, path: Path) -> None:
    """The calls of a request handler."""
    assert_type(deployment.id, UUID)
    assert_type(deployment.type, InferenceType)
    prediction = DetectionPredictionFormat([1], [[1, 2, 3, 4]], [0.5])
    answer = await deployment.monitor(path, 0.1, 10, 20, prediction, source="cam", tags=["a"])
    assert_type(answer["id"], str)
    answer = await deployment.monitor_bytes(
        b"", SupportedContentType.JPEG, "f.jpg", 0.1, 10, 20, prediction, sample=True
    )
    await deployment.predict("f.jpg", tags=["a"], monitor=False)
    await deployment.predict_bytes("f.jpg", memoryview(b""), source="cam")
    ClassificationPredictionFormat(detection_classes=[1], detection_scores=[0.1])


async def handle(deployment: AsyncDeployment) -> None:
    """Errors carry facts."""
    try:
        await deployment.retrieve_information()
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
    except MonitorError as error:
        assert_type(error.status, int)
    except TransportError as error:
        assert_type(error.request_sent, bool)
