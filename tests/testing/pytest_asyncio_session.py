"""A session of somebody who uses pytest-asyncio; run by `nox -s plugin`."""

from __future__ import annotations

import pytest

from picsellia_async import AsyncClient, AsyncDeployment, DetectionPredictionFormat, Frame
from picsellia_async.emulator import Fault, Faults, ThreadedEmulator
from picsellia_async.testing import assert_nothing_lost

IMAGE = (
    b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x48\x00\x80\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    b"\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00\x00\xff\xd9"
)
"""As much of a JPEG of 128 x 72 as is looked at."""


def frame(number: int) -> Frame:
    prediction = DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5])
    return Frame(image=IMAGE, filename=f"{number}.jpg", width=128, height=72, latency=0.1, prediction=prediction)


@pytest.mark.parametrize("number", range(3))
async def test_a_frame_arrives(
    number: int, picsellia_deployment: AsyncDeployment, picsellia_emulator: ThreadedEmulator
) -> None:
    """Each test begins anew."""
    assert (await picsellia_deployment.monitor_many([frame(number)])).is_complete
    assert [one["filename"] for one in picsellia_emulator.predictions()] == [f"{number}.jpg"]


async def test_the_client(picsellia_client: AsyncClient) -> None:
    """It is closed by nobody."""
    assert (await picsellia_client.get_deployment("awesome-deploy")).name == "awesome-deploy"


async def test_an_outage_loses_nothing(
    picsellia_deployment: AsyncDeployment, picsellia_faults: Faults, picsellia_emulator: ThreadedEmulator
) -> None:
    """Trouble is scripted, and the account holds."""
    picsellia_faults.add(Fault(kind="status", status=503, endpoint="monitor", times=3))
    async with picsellia_deployment.uploader() as uploader:
        for number in range(20):
            await uploader.submit(frame(number))
    assert_nothing_lost(uploader.report, picsellia_emulator)
    assert picsellia_faults.counts() == {"status": 3}
