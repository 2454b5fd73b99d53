"""Videos and cameras as sources: real files, real MJPEG over HTTP, streams that break, hang and lie."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import aclosing

import anyio
import cv2
import numpy as np
import pytest

from picsellia_async import ClosedError, ConfigurationError, DetectionPredictionFormat, RetryPolicy
from picsellia_async.sources import CameraState, SourceError, camera, video
from picsellia_async.sources._address import redacted, source_name

pytest.importorskip("av")
pytestmark = pytest.mark.anyio

AT_ONCE = RetryPolicy(attempts=2**31, total=None, backoff_initial=0.0)


async def listed(source):
    return [item async for item in source]


async def ended(kind):
    """Wait for the threads of sources."""
    for thread in threading.enumerate():
        if thread.name.startswith(kind):
            await asyncio.to_thread(thread.join, 20)
            assert not thread.is_alive()


async def test_a_clip_comes_as_jpeg(tmp_path, make_clip):
    """Every frame in order, decodable, with size, position, name; brightness tells which it was."""
    clip = make_clip(tmp_path / "belt.mp4", frames=12)
    images = await listed(video(clip, started_at=1_000))
    assert [one.filename for one in images] == [f"belt.mp4-{number:06d}.jpg" for number in range(12)]
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


async def test_a_clip_that_is_cut_off_gives_what_it_has(tmp_path, make_clip):
    """The frames before the cut come, then it ends or says that it broke off; nothing hangs."""
    whole = make_clip(tmp_path / "a.avi", frames=40).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    images = []
    with contextlib.suppress(SourceError):
        async for image in video(tmp_path / "cut.avi"):
            images.append(image)
    assert 0 < len(images) < 40


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


def test_bad_camera_options_are_refused_at_once():
    """Policy, buffer, and what is no policy of reconnecting."""
    for options in ({"policy": "drop"}, {"buffer": 0}, {"reconnect": 3}):
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            camera("rtsp://x", **options)
    with pytest.raises(ConfigurationError, match="url_or_path"):
        camera("")


async def test_mjpeg_over_http(mjpeg):
    """The frames of a camera that speaks MJPEG; user and password go to the camera, and nowhere else."""
    mjpeg.plays = [8]
    async with aclosing(aiter(video(mjpeg.url, source="gate"))) as stream:
        images = [await anext(stream) for _ in range(6)]
    await ended("video")
    assert images[0].filename == "gate-000000.jpg"
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


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://u:p@cam.local:554/a?token=x", "rtsp://cam.local:554/a"),
        ("rtsp://u:p@ss@cam/a", "rtsp://cam/a"),
        ("rtsp://u:p/ss@cam/a", "rtsp://..."),
        ("rtsp://u:p?ss@cam/a", "rtsp://..."),
        ("rtsp://u:p#ss@cam/a", "rtsp://..."),
        ("http://cam/a", "http://cam/a"),
        ("/data/a@b.mp4", "/data/a@b.mp4"),
    ],
)
def test_addresses_are_redacted(address, expected):
    """Also where the password has characters that part an address."""
    assert redacted(address) == expected
    assert "ss" not in source_name(address)


# Cameras.


@pytest.mark.parametrize("policy", ["wait", "drop_oldest", "drop_newest"])
async def test_waiting_never_drops_and_drops_are_counted(tmp_path, make_clip, policy):
    """A reader that takes the first frame, and the rest once the source has ended: every frame is accounted for, by reason."""
    turned = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_state(state):
        if state is CameraState.ENDED:
            loop.call_soon_threadsafe(turned.set)

    source = camera(
        make_clip(tmp_path / "a.mp4", frames=30), policy=policy, buffer=4, reconnect=None, on_state=on_state
    )
    images = []
    async for image in source:
        images.append(image)
        if policy != "wait":
            await turned.wait()
    found = source.statistics()
    assert (found.received, found.taken, found.state) == (30, len(images), CameraState.ENDED)
    assert found.taken + found.dropped == 30
    numbers = [int(image.filename[-10:-4]) for image in images]
    if policy == "wait":
        assert numbers == list(range(30))
        assert found.dropped == 0
    elif policy == "drop_oldest":
        assert numbers[-4:] == [26, 27, 28, 29]
        assert found.dropped_by_reason == {"full_oldest": 30 - len(images), "full_newest": 0}
    else:
        assert numbers == sorted(numbers)
        assert numbers[:2] == [0, 1]
        assert found.dropped_by_reason == {"full_oldest": 0, "full_newest": 30 - len(images)}
    assert found.dropped > 0 or policy == "wait"


@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_stopping_while_it_connects(mjpeg, how):
    """A camera that takes the connection and never answers: leaving returns at once, and the thread ends by itself."""
    mjpeg.plays = ["hang"]
    source = camera(mjpeg.url, timeout=10)
    task = asyncio.create_task(listed(source))
    await mjpeg.arrived.wait()
    assert source.statistics().state is CameraState.CONNECTING
    with anyio.fail_after(1):  # the row's own figure
        if how == "aclose":
            await source.aclose()
            assert await task == []
        else:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert source.statistics().state is CameraState.CLOSED
    mjpeg.released.set()
    await ended("camera")


async def test_stopping_while_it_waits_to_connect_again(mjpeg):
    """The wait between two attempts ends at once, with its thread."""
    mjpeg.plays = ["nonsense"]
    waiting = asyncio.Event()
    loop = asyncio.get_running_loop()
    source = camera(
        mjpeg.url, reconnect=RetryPolicy(backoff_initial=3600, backoff_max=3600),
        on_state=lambda state: state is CameraState.WAITING and loop.call_soon_threadsafe(waiting.set),
    )  # fmt: skip
    task = asyncio.create_task(listed(source))
    await waiting.wait()
    with anyio.fail_after(1):
        await source.aclose()
        assert await task == []
        await ended("camera")
    assert source.statistics().failures == 1


async def test_a_camera_comes_back(mjpeg):
    """It breaks off, hangs up before the first frame, answers nonsense: frames go on, numbers too, and the account tells."""
    mjpeg.plays = [6, 0, "nonsense", 6]
    states = []
    async with camera(mjpeg.url, reconnect=AT_ONCE, policy="wait", source="gate", on_state=states.append) as source:
        names = []
        async for image in source:
            names.append(image.filename)
            if len(names) == 20:
                break
    assert names == [f"gate-{number:06d}.jpg" for number in range(20)]
    found = source.statistics()
    assert found.connects >= 4
    assert found.failures >= 2
    assert isinstance(found.last_error, SourceError)
    assert "secret" not in str(found.last_error)
    assert states[:3] == [CameraState.CONNECTING, CameraState.LIVE, CameraState.WAITING]
    assert found.state is CameraState.CLOSED
    await ended("camera")


async def test_attempts_that_fail_in_a_row_are_bounded(mjpeg):
    """After the last one the reader gets the error."""
    mjpeg.plays = ["nonsense"]
    source = camera(mjpeg.url, reconnect=RetryPolicy(attempts=3, backoff_initial=0.0))
    with pytest.raises(SourceError, match="cannot open"):
        await listed(source)
    assert len(mjpeg.requests) == source.statistics().failures == 3
    assert source.statistics().state is CameraState.ENDED
    with pytest.raises(ClosedError, match="once"):
        await listed(source)


async def test_a_camera_feeds_the_uploader(mjpeg, deployment):
    """Frames of a camera that waits, through the uploader: as many arrive as were taken."""
    mjpeg.plays = [8]

    async def frames():
        async for image in source:
            yield image.with_prediction(DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.5]), latency=0.01)
            if source.statistics().taken == 20:
                return

    source = camera(mjpeg.url, policy="wait", reconnect=AT_ONCE, source="gate")
    report = await deployment.monitor_many(frames(), ordered_by="source")
    assert (report.is_complete, report.delivered) == (True, 20)
    await source.aclose()
    await ended("camera")


async def test_without_pyav_the_extra_is_named(monkeypatch):
    """The error comes when the source is read, as every error of reading does."""
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    for source in (video("a.mp4"), camera("rtsp://x")):
        with pytest.raises(ConfigurationError, match=r"picsellia-async\[video\]"):
            await listed(source)
