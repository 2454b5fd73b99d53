"""`video`: real files, and streams that may wait."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing

import cv2
import numpy as np
import pytest

from picsellia_async import ConfigurationError
from picsellia_async.sources import SourceError, camera, video

from ..support.sources import ended, listed

pytest.importorskip("av")

pytestmark = pytest.mark.anyio


async def test_a_clip_comes_as_jpeg(tmp_path, make_clip):
    """Every frame in order, decodable, with size, position, name; brightness tells which it was."""
    clip = make_clip(tmp_path / "belt.mp4", frames=12)
    images = await listed(video(clip, started_at=1_000))
    assert [one.filename[-11:] for one in images] == [f"-{number:06d}.jpg" for number in range(12)]
    assert [round(one.position, 3) for one in images] == [round(number / 10, 3) for number in range(12)]
    assert [round(one.timestamp, 3) for one in images] == [round(1_000 + number / 10, 3) for number in range(12)]
    for number, one in enumerate(images):
        pixels = cv2.imdecode(np.frombuffer(one.image, np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape == (48, 130, 3) == (one.height, one.width, 3)
        assert abs(float(pixels.mean()) - 8 * number) < 6


@pytest.mark.parametrize(
    ("options", "numbers"),
    [({"every": 5}, [0, 5, 10]), ({"every_seconds": 0.3}, [0, 3, 6, 9]), ({"every_seconds": 0.25}, [0, 3, 5, 8, 10])],
    ids=["count", "seconds", "between"],
)
async def test_frames_are_stepped(tmp_path, make_clip, options, numbers):
    """By count, or by the video's clock with the mean rate kept."""
    images = await listed(video(make_clip(tmp_path / "a.mp4", frames=12), **options))
    assert [round(one.position * 10) for one in images] == numbers


async def test_pixels_come_where_asked_for(tmp_path, make_clip):
    """The array is the frame, in the order of channels that was asked for."""
    (image, *_) = await listed(video(make_clip(tmp_path / "a.mp4", frames=2), pixels="bgr"))
    assert image.pixels.shape == (48, 130, 3)
    assert image.pixels.dtype == np.uint8
    with pytest.raises(ConfigurationError, match="pixels"):
        video("a.mp4", pixels="hsv")


async def test_leaving_early_closes_the_file(tmp_path, make_clip):
    """The thread ends, whether the loop is left, cancelled or simply forgotten."""
    clip = make_clip(tmp_path / "a.mp4", frames=40)
    async with aclosing(aiter(video(clip))) as images:
        await anext(images)
    await ended("video")
    taken = asyncio.Event()

    async def read():
        async for _ in video(clip):
            taken.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(read())
    await taken.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ended("video")


async def test_the_end_of_a_block_closes_the_file(tmp_path, make_clip):
    """Where the loop was left early, with the iteration still held; the same video can be read again."""
    source = video(make_clip(tmp_path / "a.mp4", frames=40))
    async with source as images:
        assert images is source
        held = aiter(images)
        await anext(held)
    await ended("video")
    assert [image async for image in held] == []
    assert len(await listed(source)) == 40


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp4", b"no video at all" * 100, "cannot open"),
        ("b.mp4", b"", "cannot open"),
        ("c.mp4", None, "there is no file"),
    ],
    ids=["text", "empty", "missing"],
)
async def test_what_is_no_video_gives_a_typed_error(tmp_path, name, content, message):
    """A SourceError with the path."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        await listed(video(tmp_path / name))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every"), ({"every": 2, "every_seconds": 1.0}, "together"), ({"quality": 0}, "quality"),
        ({"timeout": 0}, "timeout"), ({"started_at": "now"}, "started_at"), ({"every_seconds": -1}, "every_seconds"),
    ],
    ids=["every", "both", "quality", "timeout", "started_at", "every_seconds"],
)  # fmt: skip
def test_bad_options_are_refused_at_once(options, message):
    """Before anything is opened."""
    with pytest.raises(ConfigurationError, match=message):
        video("a.mp4", **options)


async def test_mjpeg_over_http(mjpeg):
    """The frames of a camera that speaks MJPEG; user and password go to the camera, and nowhere else."""
    mjpeg.plays = [8]
    async with aclosing(aiter(video(mjpeg.url, source="gate"))) as stream:
        images = [await anext(stream) for _ in range(6)]
    await ended("video")
    assert re.fullmatch(r"gate-\d{8}T\d{6}Z-[0-9a-f]{12}-000000\.jpg", images[0].filename)
    assert (images[0].width, images[0].height) == (64, 48)
    assert b"GET /stream.mjpg?key=hidden" in mjpeg.requests[0]


@pytest.mark.parametrize("play", ["nonsense", 0])
async def test_no_password_in_errors(mjpeg, play):
    """Neither message, nor repr, nor the chain of causes has user, password or query."""
    mjpeg.plays = [play]
    source = video(mjpeg.url, timeout=5)
    with pytest.raises(SourceError) as caught:
        await listed(source)
    error = caught.value
    shown = [repr(source), repr(camera(mjpeg.url)), repr(source._settings)]
    while error is not None:
        shown += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    for text in shown:
        assert "secret" not in text
        assert "hidden" not in text
    assert f"127.0.0.1:{mjpeg.port}/stream.mjpg" in shown[3]


async def test_time_goes_on_where_pieces_were_joined(tmp_path, make_clip):
    """Joined MPEG-TS, as of dashcams and HLS: each piece has a clock of its own, back or far ahead, and players go on."""
    piece = make_clip(tmp_path / "a.ts", frames=20, rate=10).read_bytes()
    ahead = tmp_path / "ahead.ts"
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.ts")) as source, av.open(str(ahead), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts + 9_000_000, packet.dts + 9_000_000, stream
                target.mux(packet)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(piece + ahead.read_bytes() + piece)
    async with video(joined, started_at=1e9) as frames:
        found = [(image.position, image.timestamp) async for image in frames]
    assert [round(position, 3) for position, _ in found] == [round(0.1 * number, 3) for number in range(60)]
    assert all(timestamp == pytest.approx(1e9 + position) for position, timestamp in found)
