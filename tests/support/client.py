"""What tests of the client share: images, a prediction, a quick policy, and what the emulator saw."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx

from picsellia_async import AsyncDeployment, DetectionPredictionFormat, MonitorAnswer, RetryPolicy
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.transport.journal import Entry

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PREDICTION = DetectionPredictionFormat([0, 1], [[1, 2, 3, 4], [5, 6, 7, 8]], [0.9, 0.5])
ONE_BOX = DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.9])
QUICK = RetryPolicy(backoff_initial=0.001, backoff_max=0.002)
"""Hardly waits between attempts."""


async def monitor(
    deployment: AsyncDeployment,
    image: bytes | bytearray | memoryview = JPEG,
    content_type: str = "image/jpeg",
    name: str = "f.jpg",
    **options: Any,
) -> MonitorAnswer:
    """Send one prediction."""
    return await deployment.monitor_bytes(image, content_type, name, 0.02, 480, 640, PREDICTION, **options)


async def stored(emulator: Emulator) -> Any:
    """Return what the monitoring host of the emulator stored."""
    async with httpx.AsyncClient(timeout=60) as control:
        return (await control.get(f"{emulator.url}/emulator/predictions")).json()


def stored_names(emulator: Emulator) -> Counter[str]:
    """Return how often a prediction was stored under each file name."""
    return Counter(item["filename"] for item in emulator.predictions())


async def first_fault(emulator: Emulator) -> None:
    """Wait until a fault has come into effect."""
    while not emulator.faults.account():  # noqa: ASYNC110 - the emulator tells nobody that a request came
        await asyncio.sleep(0.01)


def calls(emulator: Emulator, endpoint: str) -> list[Entry]:
    """Return the requests to an endpoint, in order."""
    return [entry for entry in emulator.journal if entry.endpoint == endpoint]
