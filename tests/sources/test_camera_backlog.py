"""A camera that sends faster than its pictures can be made stays live: what is late is decoded, and no more."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from picsellia_async.sources import _backlog as backlog_module
from picsellia_async.sources import camera
from picsellia_async.sources._backlog import BURST_SECONDS, IN_A_ROW, Backlog

from ..support.sources import ended, listed

pytestmark = pytest.mark.anyio

FRAMES = 60


def left_out(waits, makes=0.001):
    """Return for each packet, by the seconds that it was waited for, whether its picture was left out."""
    backlog, now, found = Backlog(), 0.0, []
    for waited in waits:
        now += waited
        backlog.read(waited)
        found.append(backlog.leaves_out(now))
        if not found[-1]:
            backlog.made(now, now + makes)
            now += makes
    return found


def test_a_camera_that_is_waited_for_loses_nothing():
    """Nor does one whose packets come in small bursts, where their pictures are soon made."""
    assert not any(left_out([0.03] * 50 + [0.1, *[0.0] * IN_A_ROW] * 20))


def test_a_picture_that_takes_as_long_as_the_next_needs_to_come_makes_that_late():
    """So of large pictures fewer come, and each is one that was waited for."""
    found = left_out([0.03, 0.0, 0.0, 0.01] * 20, makes=2 * BURST_SECONDS)
    assert found == [False, True, True, False] * 20


def test_of_what_waits_some_pictures_come_all_the_same():
    """However long the backlog is: one a second."""
    found = left_out([0.001] * 10_000)
    assert not any(found[:IN_A_ROW])
    assert found[IN_A_ROW:].count(False) == 9


def test_a_backlog_ends_with_a_wait():
    """The next picture is made."""
    assert left_out([*[0.0] * 6, 0.02, 0.0])[-3:] == [True, False, False]


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "wait"])
async def test_what_is_late_is_in_its_own_count(tmp_path, monkeypatch, policy):
    """All pictures are there at once: with `drop_oldest` late ones are left out; who asked for the others or for all has them made."""
    av = pytest.importorskip("av")
    monkeypatch.setattr(
        backlog_module, "READY_SECONDS", 60.0
    )  # a busy machine reads what is there as slowly as what is not
    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "25"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES):
            array = np.full((48, 64, 3), 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())

    async def serve(_, writer):
        writer.write(path.read_bytes())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = camera(f"tcp://127.0.0.1:{port}", policy=policy, buffer=FRAMES, reconnect=None)
    images = await listed(source)
    server.close()
    await ended("camera")
    found = source.statistics()
    assert found.received == FRAMES == found.taken + found.dropped
    assert found.dropped_by_reason["late"] == FRAMES - len(images)
    assert (found.dropped_by_reason["late"] > 0) is (policy == "drop_oldest")
    assert images[0].filename.endswith("-000000.jpg")
