"""Image files that are written anew while their frames wait: another picture than the one predicted on is not sent."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from picsellia_async import AsyncDeployment, DetectionPredictionFormat, Frame, Rejected
from picsellia_async.emulator import Emulator

from ..support.images import jpeg

pytestmark = pytest.mark.anyio

WIDTH, HEIGHT = 64, 48
PREDICTION = DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5])


def made(path: Path, **fields: object) -> Frame:
    return Frame(image=path, width=WIDTH, height=HEIGHT, latency=0.1, prediction=PREDICTION, **fields)  # type: ignore[arg-type]


def overwrite(path: Path) -> None:
    path.write_bytes(jpeg(WIDTH, HEIGHT, size=2000))


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())  # of the same size
    os.utime(other, ns=(1, path.stat().st_mtime_ns + 1))
    other.replace(path)


@pytest.mark.parametrize("change", [overwrite, replace])
@pytest.mark.parametrize("spool", [False, True], ids=["memory", "spool"])
async def test_a_file_that_was_changed_is_refused(
    deployment: AsyncDeployment,
    emulator: Emulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Path], None],
    spool: bool,
) -> None:
    """As `latest.jpg` is, which a camera writes again and again: rejected with the reason, counted, and told in the log."""
    path = tmp_path / "latest.jpg"
    path.write_bytes(jpeg(WIDTH, HEIGHT))
    frame = made(path)
    change(path)
    options = {"spool": tmp_path / "spool"} if spool else {}
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        async with deployment.uploader(**options) as uploader:  # type: ignore[arg-type]
            outcome = await (await uploader.submit(frame))
            assert isinstance(outcome, Rejected)
            assert "'" + str(path) + "' was changed after its frame was made" in str(outcome.error)
            assert (uploader.report.rejected, uploader.report.delivered) == (1, 0)
    assert any("was changed after its frame was made" in record.getMessage() for record in caplog.records)
    assert not [entry for entry in emulator.journal if entry.endpoint == "monitor"]
    report = await deployment.monitor_many([made(path)])
    assert report.is_complete


async def test_a_file_that_changes_while_its_frame_waits(
    deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path
) -> None:
    """With a spool the picture is read when the frame is submitted, and what happens to the file afterwards does not matter."""
    path = tmp_path / "latest.jpg"
    path.write_bytes(jpeg(WIDTH, HEIGHT))
    async with deployment.uploader(spool=tmp_path / "spool") as uploader:
        receipt = await uploader.submit(made(path))
        overwrite(path)
        await receipt
        assert uploader.report.delivered == 1


async def test_checks_that_are_off_send_what_is_there(deployment: AsyncDeployment, tmp_path: Path) -> None:
    """And a file that is made only after its frame is no other one."""
    path = tmp_path / "latest.jpg"
    path.write_bytes(jpeg(WIDTH, HEIGHT))
    unchecked = made(path, checks="off")
    overwrite(path)
    later = made(tmp_path / "later.jpg")
    assert later.file_version is None
    await asyncio.to_thread((tmp_path / "later.jpg").write_bytes, jpeg(WIDTH, HEIGHT))
    assert (await deployment.monitor_many([unchecked, later])).is_complete
