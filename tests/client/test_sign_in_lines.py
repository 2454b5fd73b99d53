"""Which sign-ins the log tells."""

from __future__ import annotations

import logging

import pytest

from picsellia_async import AsyncDeployment
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.transport.fault_register import Fault

from ..support.frames import make_frame

pytestmark = pytest.mark.anyio


async def test_an_account_that_is_refused_again_and_again_fills_no_log(
    emulator: Emulator, deployment: AsyncDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    """The first sign-in is told at INFO, those that follow soon are details."""
    caplog.set_level(logging.DEBUG, "picsellia_async")
    async with deployment.uploader() as uploader:
        await (await uploader.submit(make_frame(0)))
        emulator.faults.add(Fault(kind="status", status=401, endpoint="monitor", times=2))
        await (await uploader.submit(make_frame(1)))
    assert uploader.report.delivered == 2
    levels = [record.levelno for record in caplog.records if record.message.startswith("signed in at")]
    assert levels[0] == logging.INFO
    assert len(levels) >= 2
    assert set(levels[1:]) == {logging.DEBUG}
