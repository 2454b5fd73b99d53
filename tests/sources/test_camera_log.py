"""What a camera tells the log."""

from __future__ import annotations

import logging

import pytest

from picsellia_async import RetryPolicy
from picsellia_async._log_line import Line
from picsellia_async.sources import SourceError, camera
from picsellia_async.sources._camera_log import CameraLog

pytestmark = pytest.mark.anyio


def texts(*lines: Line | None) -> list[str]:
    return [line.text for line in lines if line is not None]


def test_a_camera_that_is_away_tells_at_once_and_every_half_minute():
    """An hour is a beginning, some 120 summaries with count and seconds, and an end."""
    log = CameraLog("rtsp://cam")
    assert texts(log.failed(0, "refused")) == ["camera 'rtsp://cam' fails, and is opened again: refused"]
    summaries = texts(*(log.failed(second, "refused") for second in range(5, 3600, 5)))
    assert 118 <= len(summaries) <= 120
    assert summaries[0] == "camera 'rtsp://cam' gives no frames for 30 s now, failures: 7, the last: refused"
    line = log.opened(3600)
    assert line is not None
    assert (line.text, line.level) == ("camera 'rtsp://cam' is back after 3600 s", logging.WARNING)
    assert line.fields == {"camera": "rtsp://cam", "failures": 720, "trouble_seconds": 3600}


def test_a_summary_needs_no_attempt():
    """Waits between attempts grow to half a minute; what is told does not wait for the next one."""
    log = CameraLog("rtsp://cam")
    log.failed(0, "refused")
    assert log.next_at == 30
    assert texts(log.waiting(29), log.waiting(30), log.waiting(31)) == [
        "camera 'rtsp://cam' gives no frames for 30 s now, failures: 1, the last: refused"
    ]
    log.opened(40)
    assert log.waiting(90) is None


def test_a_camera_that_comes_and_goes_tells_little():
    """Two lines in half a minute, however often it breaks off."""
    log = CameraLog("rtsp://cam")
    log.opened(0)
    lines = [
        line
        for second in range(1, 301, 2)
        for line in (log.failed(second, "broke off"), log.opened(second + 1))
        if line
    ]
    assert len(lines) == 20


async def test_a_camera_tells_of_opening_and_its_end(mjpeg, caplog):
    """The first at INFO; user, password and query are in no line."""
    mjpeg.plays = [3]
    with caplog.at_level(logging.INFO, logger="picsellia_async"):
        assert [image async for image in camera(mjpeg.url, reconnect=None, policy="wait")]
    opened, ended = (record for record in caplog.records if record.name == "picsellia_async")
    assert (opened.levelno, ended.levelno) == (logging.INFO, logging.INFO)
    assert "is open" in opened.getMessage()
    assert "end of its stream" in ended.getMessage()
    assert opened.camera == f"http://127.0.0.1:{mjpeg.port}/stream.mjpg"
    assert "secret" not in caplog.text
    assert "hidden" not in caplog.text


async def test_a_camera_that_comes_back_says_so(mjpeg, caplog):
    """Nonsense first, frames then: why it failed, that it is back, and with the last attempt that it is over."""
    mjpeg.plays = ["nonsense", 3, "nonsense"]
    retry = RetryPolicy(attempts=2, total=None, backoff_initial=0.0)
    with caplog.at_level(logging.INFO, logger="picsellia_async"), pytest.raises(SourceError):
        assert [image async for image in camera(mjpeg.url, reconnect=retry, policy="wait")]
    told = [record.getMessage() for record in caplog.records if record.name == "picsellia_async"]
    assert "fails, and is opened again: " in told[0]
    assert any("is back after" in one for one in told)
    assert "failed, and is not opened again: " in told[-1]
