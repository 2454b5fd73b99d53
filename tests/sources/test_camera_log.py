"""What a camera tells the log."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import pytest

from picsellia_async import RetryPolicy
from picsellia_async._log_line import Line
from picsellia_async.sources import CameraState, SourceError, camera
from picsellia_async.sources import _camera_log as camera_log
from picsellia_async.sources._camera_log import CameraLog

from ..support.sources import listed, served, write_h264

pytestmark = pytest.mark.anyio


def texts(*lines: Line | None) -> list[str]:
    return [line.text for line in lines if line is not None]


def ours(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "picsellia_async"]


def batched(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def test_a_camera_that_is_away_tells_at_once_and_every_half_minute():
    """An hour is a beginning, some 120 summaries with count and seconds, and an end."""
    log = CameraLog("rtsp://cam")
    assert texts(log.failed(0, "refused")) == ["camera 'rtsp://cam' fails, and is opened again: refused"]
    summaries = texts(*(log.failed(second, "refused") for second in range(5, 3600, 5)))
    assert 118 <= len(summaries) <= 120
    assert summaries[0] == "camera 'rtsp://cam' gives no frames for 30 s now, failures: 7, the last: refused"
    line = log.picture(3600)
    assert line is not None
    assert (line.text, line.level) == ("camera 'rtsp://cam' is back after 3600 s", logging.WARNING)
    assert line.fields == {"camera": "rtsp://cam", "failures": 720, "ends": 0, "trouble_seconds": 3600}


def test_a_stream_that_stalls_has_been_away_since_its_last_picture():
    """It is given up seconds later; the line says for how long there was nothing."""
    log = CameraLog("http://cam")
    log.opened()
    assert texts(log.failed(70.0, "no data in 10 s", 60.0)) == [
        "camera 'http://cam' gives no frames for 10 s now, failures: 1, the last: no data in 10 s"
    ]
    line = log.picture(71.0)
    assert line is not None
    assert line.text == "camera 'http://cam' is back after 11 s"


def test_a_second_stall_is_told_while_it_lasts():
    """Ten seconds after its last picture, however near the lines about the first one are."""
    log = CameraLog("http://cam")
    log.opened()
    told = texts(
        log.failed(42.0, "no data in 10 s", 32.0), log.picture(43.0), log.failed(62.0, "no data in 10 s", 52.0)
    )
    assert told[2] == "camera 'http://cam' gives no frames for 10 s now, failures: 1, the last: no data in 10 s"
    assert texts(log.picture(63.0)) == ["camera 'http://cam' is back after 11 s"]
    assert texts(log.failed(66.0, "broke off", 66.0), log.waiting(75.9), log.waiting(log.next_at)) == [
        "camera 'http://cam' gives no frames for 10 s now, failures: 1, the last: broke off"
    ]
    assert log.next_at == 76 + 30


@pytest.mark.parametrize(("good", "bad"), [(1, 1), (9, 10), (2, 12), (40, 40)])
def test_a_day_of_stalls_is_under_3000_lines(good, bad):
    """Each that is told has its end told as well: the last word is never that a camera is away which is back."""
    log, lines = CameraLog("http://cam"), []
    log.opened()
    for second in range(good, 24 * 3600, good + bad):
        lines += texts(log.failed(second + min(bad, 10), "no data", float(second)))
        while log.next_at < second + bad:
            lines += texts(log.waiting(log.next_at))
        lines += texts(log.picture(second + bad))
    assert 1000 < len(lines) < 3000
    assert all("is back" in after for line, after in pairwise(lines) if "failures: 1," in line)
    assert "is back" in lines[-1]


def test_opening_a_camera_that_sends_nothing_ends_no_trouble():
    """It is counted and measured on until a picture comes, however often it takes the connection."""
    log = CameraLog("http://cam")
    log.opened()
    lines = []
    for second in range(70, 160, 15):
        lines += texts(log.failed(second, "no answer in time", 60.0 if second == 70 else None), log.opened())
    assert lines == [
        f"camera 'http://cam' gives no frames for {seconds} s now, failures: {failures}, the last: no answer in time"
        for seconds, failures in ((10, 1), (40, 3), (70, 5))
    ]
    back = log.picture(150)
    assert back is not None
    assert back.text == "camera 'http://cam' is back after 90 s"
    assert back.fields["failures"] == 6
    assert log.picture(151) is None


def test_a_day_of_pictures_that_are_damaged_by_tens_is_under_3000_lines():
    """Ten damaged ones and a whole one, over and over."""
    log = CameraLog("http://cam")
    told = sum(
        len(texts(*(log.damaged(second) for _ in range(10)), log.whole(second + 0.5)))
        for second in range(0, 24 * 3600, 15)
    )
    assert 1000 < told < 3000


def test_a_camera_whose_streams_have_no_frames_is_told():
    """It is opened, and ends them at once, again and again: that is a failure, however properly it ends them."""
    log = CameraLog("http://cam")
    log.opened()
    lines = []
    for second in range(1, 62, 2):
        lines += texts(log.stream_ended(second, had_frames=False), log.opened())
    assert "camera 'http://cam' gives no frames for 32 s now: the camera ended its stream" in lines
    assert len(lines) <= 6


def test_a_camera_that_ends_its_stream_and_is_gone_fails():
    """The end is no failure, and the opening right behind it is one: it is told as such, and not as a silence of no length."""
    log = CameraLog("rtsp://cam")
    log.opened()
    log.stream_ended(60.0)
    assert texts(log.failed(60.2, "refused")) == ["camera 'rtsp://cam' fails, and is opened again: refused"]


def test_a_summary_needs_no_attempt():
    """Waits between attempts grow to half a minute; what is told does not wait for the next one."""
    log = CameraLog("rtsp://cam")
    log.failed(0, "refused")
    assert log.next_at == 30
    assert texts(log.waiting(29), log.waiting(30), log.waiting(31)) == [
        "camera 'rtsp://cam' gives no frames for 30 s now, failures: 1, the last: refused"
    ]
    log.picture(40)
    assert log.waiting(90) is None


def test_a_camera_that_comes_and_goes_tells_little():
    """Two lines in half a minute, however often it breaks off."""
    log = CameraLog("rtsp://cam")
    log.opened()
    lines = [
        line
        for second in range(1, 301, 2)
        for line in (log.failed(second, "broke off"), log.picture(second + 1))
        if line
    ]
    assert len(lines) == 20


def test_a_stream_that_the_camera_ends_is_no_failure():
    """Some end it every minute, and are opened again at once: a line at INFO, with their number, each half minute at most."""
    log = CameraLog("http://cam")
    log.opened()
    lines = []
    for second in range(1, 62, 4):
        lines += [log.stream_ended(second), log.waiting(second), log.picture(second + 1)]
    told = [line for line in lines if line is not None]
    assert {(line.text, line.level) for line in told} == {
        ("camera 'http://cam' ended its stream, and is opened again", logging.INFO)
    }
    assert [(line.fields["failures"], line.fields["ends"]) for line in told] == [(0, 1), (0, 8)]


def test_a_camera_that_stays_away_after_its_stream_ended_is_told():
    """At the first opening that fails; or after half a minute, where none was tried."""
    log = CameraLog("http://cam")
    log.opened()
    log.stream_ended(10)
    assert texts(log.waiting(11), log.failed(12, "refused")) == [
        "camera 'http://cam' gives no frames for 2 s now, failures: 1, the last: refused"
    ]
    log = CameraLog("http://cam")
    log.stream_ended(10)
    assert texts(log.waiting(39), log.waiting(40)) == [
        "camera 'http://cam' gives no frames for 30 s now: the camera ended its stream"
    ]


def test_pictures_that_are_all_damaged_are_told():
    """After ten in a row, or five seconds; each half minute while it lasts; and that whole ones come again."""
    log = CameraLog("http://cam")
    log.opened()
    assert texts(*(log.damaged(number / 25) for number in range(9))) == []
    assert texts(log.damaged(9 / 25)) == [
        "camera 'http://cam' sends, and no picture is whole for 0 s now: 10 came damaged"
    ]
    assert log.is_damaged
    lines = texts(*(log.damaged(number / 25) for number in range(10, 25 * 61)))
    assert lines == [
        f"camera 'http://cam' sends, and no picture is whole for {seconds} s now: {count} came damaged"
        for seconds, count in ((30, 760), (60, 1510))
    ]
    line = log.whole(62)
    assert line is not None
    assert (line.text, line.level) == ("camera 'http://cam' gives whole pictures again after 62 s", logging.WARNING)
    assert line.fields["trouble_seconds"] == 62
    assert not log.is_damaged


def test_what_makes_no_picture_is_told_by_its_time():
    """Before a key frame comes, or where what builds on a loss is left out; at any rate of pictures."""
    log = CameraLog("rtsp://cam")
    assert texts(*(log.damaged(second / 10, is_picture=False) for second in range(50))) == []
    assert texts(log.damaged(5, is_picture=False)) == [
        "camera 'rtsp://cam' sends, and no picture is whole for 5 s now: nothing that came makes one"
    ]


def test_a_camera_of_one_picture_a_minute_is_told_of_nothing():
    """What is around a picture makes none itself, and nothing is sent in between."""
    log = CameraLog("http://cam")
    minutes = range(0, 600, 60)
    lines = [
        (log.damaged(at, is_picture=False), log.whole(at + 1), log.damaged(at + 2, is_picture=False)) for at in minutes
    ]
    assert set(lines) == {(None, None, None)}


def test_some_damaged_pictures_are_told_by_their_count_alone():
    """A whole one between them begins the row anew, and is no news itself."""
    log = CameraLog("http://cam")
    lines = [line for row in range(100) for line in (*(log.damaged(row) for _ in range(9)), log.whole(row)) if line]
    assert not lines


@pytest.mark.parametrize("play", ["cut", "no pictures"])
async def test_a_camera_without_one_whole_picture_says_so(mjpeg, caplog, monkeypatch, play):
    """It is open, sends, and gives nothing: a warning, the state, the count; it is live once whole pictures come."""
    if play == "no pictures":
        monkeypatch.setattr(camera_log, "DAMAGED_SECONDS", 0.0)
    mjpeg.plays, states, loop = [play], [], asyncio.get_running_loop()

    def on_state(state):
        states.append(state)
        if state is CameraState.FAILING:
            loop.call_soon_threadsafe(mjpeg.released.set)

    source = camera(mjpeg.url, policy="wait", reconnect=None, on_state=on_state)
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        (image,) = await listed(source)
    assert [line.partition("' ")[2].partition(" for ")[0] for line in ours(caplog)][:2] == [
        "sends, and no picture is whole", "gives whole pictures again after 0 s",
    ]  # fmt: skip
    assert image.width == 64
    assert source.statistics().damaged == (12 if play == "cut" else 0)
    assert states[:3] == [CameraState.CONNECTING, CameraState.FAILING, CameraState.LIVE]


async def test_pictures_that_never_came_are_no_pictures_that_came_damaged(tmp_path, caplog):
    """A second and more of a transport stream is missing, as where a recorder paused: it is counted, and the camera is not failing."""
    packets = batched(write_h264(tmp_path / "a.ts", 100, step=2).read_bytes(), 188)
    states = []
    async with served(b"".join(packets[: len(packets) // 4] + packets[len(packets) * 7 // 10 :])) as url:
        source = camera(url, policy="wait", reconnect=None, on_state=states.append)
        with caplog.at_level(logging.WARNING, "picsellia_async"):
            images = await listed(source)
    assert source.statistics().damaged == 100 - len(images) > camera_log.DAMAGED_MAX
    assert ours(caplog) == []
    assert CameraState.FAILING not in states


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


@pytest.mark.parametrize("error", [RuntimeError("pager"), pytest.fail.Exception("pager")], ids=["Exception", "other"])
async def test_on_state_that_raises_is_told_and_counted_and_ends_no_camera(mjpeg, caplog, error):
    """In the thread, as the camera breaks off, and in the loop: one traceback, the count, and frames go on coming."""
    mjpeg.plays, states = [3], []

    def on_state(state):
        states.append(state)
        raise error

    retry = RetryPolicy(attempts=2**31, total=None, backoff_initial=0.0)
    with caplog.at_level(logging.ERROR, logger="picsellia_async"):
        async with camera(mjpeg.url, reconnect=retry, policy="wait", source="gate", on_state=on_state) as source:
            images = aiter(source)
            for _ in range(10):
                await anext(images)
        await images.aclose()
    assert CameraState.WAITING in states
    assert states[-1] is CameraState.CLOSED
    assert source.statistics().callback_errors == len(states)
    records = [record for record in caplog.records if record.name == "picsellia_async"]
    assert sum(record.raised for record in records) == len(states)
    assert {record.camera for record in records} == {"gate"}
    assert records[0].getMessage().startswith("a callback of camera 'gate' at ")
    assert caplog.text.count("Traceback") == 1
