"""A camera that is behind: packets that are passed over leave its clock alone, and a slow callback leaves the loop alone."""

from __future__ import annotations

import asyncio
import logging
import math
import threading

import pytest

from picsellia_async.sources import CameraState, camera
from picsellia_async.sources._lateness import Lateness

from ..support.sources import ended, listed, served, write_h264

pytestmark = pytest.mark.anyio

RATE = 10
GROUP = 20
FRAMES = 3 * GROUP


REORDERED = {"g": str(GROUP), "bf": "3", "b-adapt": "0", "sc_threshold": "0", "x264-params": "open-gop=0"}
"""Frames are sent in another order than they are shown."""


class PassesOverTheSecondGroup(Lateness):
    """No picture is late, and the packets from the second key frame to the third are passed over."""

    keys = 0
    until = math.inf

    def leaves_out(self, now, *, is_awaited=False):
        return False

    @property
    def is_passing_over(self):
        return self.keys == 2

    def passes_over(self, now, *, is_key):
        self.keys += is_key
        return self.is_passing_over


async def test_packets_that_are_passed_over_leave_the_clock_alone(tmp_path, monkeypatch, caplog):
    """Those of B-frames go back in time: that is no join, none is told, and no later picture is ahead of its time."""
    monkeypatch.setattr("picsellia_async.sources._decoder.Lateness", PassesOverTheSecondGroup)
    path = write_h264(tmp_path / "a.ts", FRAMES, rate=RATE, options=REORDERED)
    with caplog.at_level(logging.INFO, "picsellia_async"):
        async with served(path.read_bytes()) as url:
            source = camera(url, buffer=FRAMES, reconnect=None)
            images = await listed(source)
    assert source.statistics().dropped_by_reason["late"] == GROUP
    positions = [image.position for image in images]
    assert positions[-GROUP:] == pytest.approx([number / RATE for number in range(2 * GROUP, FRAMES)])
    assert not [record for record in caplog.records if hasattr(record, "clock_step")]


async def test_closing_does_not_wait_for_a_callback(mjpeg):
    """While `on_state` runs in the thread that reads, the loop goes on; the states come in their order."""
    mjpeg.plays = [30]
    loop, entered, released, told = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), asyncio.Event()
    states, was_released = [], []

    def on_state(state):
        states.append(state)
        if state is CameraState.LIVE:
            loop.call_soon_threadsafe(entered.set)
            was_released.append(released.wait(10))
        if state is CameraState.CLOSED:
            loop.call_soon_threadsafe(told.set)

    source = camera(mjpeg.url, reconnect=None, on_state=on_state)
    taking = asyncio.ensure_future(anext(aiter(source)))
    await entered.wait()
    await source.aclose()
    assert source.statistics().state is CameraState.CLOSED
    released.set()
    await told.wait()
    await asyncio.gather(taking, return_exceptions=True)
    await ended("camera")
    assert was_released == [True]
    assert states == [CameraState.CONNECTING, CameraState.LIVE, CameraState.CLOSED]
