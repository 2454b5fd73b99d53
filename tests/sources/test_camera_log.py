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
    assert line.fields == {"camera": "rtsp://cam", "failures": 720, "ends": 0, "trouble_seconds": 3600}


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


def test_a_stream_that_the_camera_ends_is_no_failure():
    """Some end it every minute, and are opened again at once: a line at INFO, with their number, each half minute at most."""
    log = CameraLog("http://cam")
    log.opened(0)
    lines = []
    for second in range(1, 62, 4):
        lines += [log.stream_ended(second), log.waiting(second), log.opened(second + 1)]
    told = [line for line in lines if line is not None]
    assert {(line.text, line.level) for line in told} == {
        ("camera 'http://cam' ended its stream, and is opened again", logging.INFO)
    }
    assert [(line.fields["failures"], line.fields["ends"]) for line in told] == [(0, 1), (0, 8)]


def test_a_camera_that_stays_away_after_its_stream_ended_is_told():
    """At the first opening that fails; or after half a minute, where none was tried."""
    log = CameraLog("http://cam")
    log.opened(0)
    log.stream_ended(10)
    assert texts(log.waiting(11), log.failed(12, "refused")) == [
        "camera 'http://cam' gives no frames for 2 s now, failures: 1, the last: refused"
    ]
    log = CameraLog("http://cam")
    log.stream_ended(10)
    assert texts(log.waiting(39), log.waiting(40)) == [
        "camera 'http://cam' gives no frames for 30 s now: the camera ended its stream"
    ]


async def test_streams_that_end_are_counted_apart(mjpeg, caplog):
    """The server closes properly after its frames: no warning, no failure, and the number of ends."""
    mjpeg.plays = [3]
    retry = RetryPolicy(attempts=2**31, total=None, backoff_initial=0.0)
    with caplog.at_level(logging.INFO, logger="picsellia_async"):
        async with camera(mjpeg.url, reconnect=retry, policy="wait") as source:
            images = aiter(source)
            for _ in range(10):
                await anext(images)
    found = source.statistics()
    assert (found.failures, found.last_error) == (0, None)
    assert found.ends >= 3
    assert {record.levelno for record in caplog.records if record.name == "picsellia_async"} == {logging.INFO}


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
