"""A collector of OpenTelemetry's SDK, and a client that traces into it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from picsellia_async import AsyncClient, AsyncDeployment
from picsellia_async.emulator import Emulator
from picsellia_async.tracing import Tracing

from ..support.client import QUICK


@pytest.fixture
def collector() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(collector: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(collector))
    return provider


@pytest.fixture
async def traced(emulator: Emulator, provider: TracerProvider) -> AsyncIterator[AsyncClient]:
    """A client of the emulator that traces; it does not look at the label map, which would be calls of its own."""
    async with AsyncClient(
        emulator.api_token, host=emulator.url, retry=QUICK, checks="off", tracing=Tracing(provider)
    ) as client:
        yield client


@pytest.fixture
async def traced_deployment(
    traced: AsyncClient, emulator: Emulator, collector: InMemorySpanExporter
) -> AsyncDeployment:
    """Signed in to both hosts, with an empty collector."""
    deployment = await traced.get_deployment(emulator.deployment_name)
    await deployment.retrieve_information()
    collector.clear()
    return deployment
