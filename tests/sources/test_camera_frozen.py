"""A camera that stands still, with its connection open: what it left is old, and its state says so before the time is over."""

from __future__ import annotations

import asyncio
import logging
import time
from importlib import import_module

import pytest

from picsellia_async import RetryPolicy
from picsellia_async.sources import CameraState, SourceError, camera
from picsellia_async.sources._lateness import Lateness

from ..support.sources import encoded, ended, served, write_h264

pytestmark = pytest.mark.anyio

RATE = 25


async def test_what_a_frozen_camera_left_is_late(tmp_path, monkeypatch):
    """FFmpeg hands over the last packet when it gives up; its picture is as old as the silence, and no life is seen in it."""
    monkeypatch.setattr(
        import_module("picsellia_async.sources.camera"), "SILENT_SECONDS", 0.1
    )  # the name is a function's too
    states, images = [], []
    data = write_h264(tmp_path / "a.ts", 30, rate=RATE, step=8).read_bytes()
    async with served(data, stays_open=True) as url:
        source = camera(url, timeout=3.0, reconnect=None, on_state=states.append)
        with pytest.raises(SourceError, match="broke off: nothing came for 3 s"):
            async for image in source:
                images.append((time.time() - image.timestamp, image.is_late))
    numbers = source.statistics()
    assert images[-1][0] > 2, "the last picture did not come"
    assert all(is_late for age, is_late in images if age > 1)
    assert numbers.late >= 1
    assert numbers.received == numbers.taken + numbers.dropped
    assert states[-3:] == [CameraState.LIVE, CameraState.FAILING, CameraState.ENDED]


async def test_trouble_is_as_long_as_there_were_no_pictures(tmp_path, caplog):
    """A freeze up to the time-out is a part of it: what was left is handed over at its end, and is no picture of then."""
    data = write_h264(tmp_path / "a.ts", 30, rate=RATE, step=8).read_bytes()
    async with served(data, stays_open=True) as url, camera(url, timeout=3.0) as frames:
        async for _ in frames:
            if any("is back" in one.getMessage() for one in caplog.records):
                break
    (back,) = [one for one in caplog.records if "is back" in one.getMessage()]
    assert back.trouble_seconds > 2


async def test_a_camera_that_takes_connections_and_sends_no_picture_is_not_live(caplog):
    """It answers as if pictures came: it is back, and live, with the first one, and until then each connection is a failure more."""
    part = b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + encoded() + b"\r\n"
    plays = [part, b"", b"--b\r\nContent-Type: image/jpeg\r\n\r\n", b"", part]
    states, released = [], asyncio.Event()

    async def send(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n" + plays.pop(0))
        await released.wait()
        writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    at_once = RetryPolicy(attempts=2**31, total=None, backoff_initial=0.0)
    async with camera(url, timeout=0.5, policy="wait", reconnect=at_once, on_state=states.append) as source:
        images = aiter(source)
        with caplog.at_level(logging.WARNING, "picsellia_async"):
            await anext(images)
            await anext(images)
        numbers = source.statistics()
        released.set()
        await images.aclose()
    server.close()
    await ended("camera")
    assert numbers.connects == 5
    live = [number for number, state in enumerate(states) if state is CameraState.LIVE]
    assert len(live) == 2
    assert states[live[0] + 1 : live[1]] == [CameraState.WAITING, CameraState.CONNECTING] * 4
    (back,) = [one for one in caplog.records if "is back" in one.getMessage()]
    assert back.failures == 4


def test_a_packet_that_stood_still_with_the_camera_is_late():
    """It began before the wait, also where the camera goes on behind it; the one after it, which tells the wait, is in time."""
    late, now = Lateness(is_parsed=True), 0.0
    for number in range(20):
        now = number / RATE
        late.read(0.03, now, 1000.0 + number / RATE)
    now += 8.0
    late.read(7.99, now, 1000.0 + 20 / RATE)
    assert late.until < now
    late.read(0.04, now + 0.04, 1000.0 + 8.0 + 20 / RATE)
    assert late.until > now + 0.04


def test_a_camera_of_a_picture_in_two_seconds_is_in_time():
    """Its packets are handed over when the next begins: that is its frame time, and no standstill."""
    late = Lateness(is_parsed=True)
    for number in range(9):
        late.read(1.99, 2.0 * number, 2.0 * number)
        assert late.until > 2.0 * number
