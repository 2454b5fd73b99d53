"""`camera`: real MJPEG over HTTP, streams that break, hang and lie."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time

import anyio
import pytest

from picsellia_async import ClosedError, ConfigurationError, DetectionPredictionFormat, RetryPolicy
from picsellia_async.sources import CameraState, SourceError, camera, video

from ..support.sources import ended, listed, served, write_h264

pytest.importorskip("av")

pytestmark = pytest.mark.anyio

AT_ONCE = RetryPolicy(attempts=2**31, total=None, backoff_initial=0.0)


def test_bad_camera_options_are_refused_at_once():
    """Policy, buffer, and what is no policy of reconnecting."""
    for options in ({"policy": "drop"}, {"buffer": 0}, {"reconnect": 3}):
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            camera("rtsp://x", **options)
    with pytest.raises(ConfigurationError, match="url_or_path"):
        camera("")


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
        assert found.dropped_by_reason == {"full_oldest": 30 - len(images), "full_newest": 0, "late": 0, "closed": 0}
    else:
        assert numbers == sorted(numbers)
        assert numbers[:2] == [0, 1]
        assert found.dropped_by_reason == {"full_oldest": 0, "full_newest": 30 - len(images), "late": 0, "closed": 0}
    assert found.dropped > 0 or policy == "wait"


@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_stopping_while_it_connects(mjpeg, how):
    """A camera that takes the connection and never answers: leaving returns at once, and the thread ends by itself."""
    mjpeg.plays = ["hang"]
    source = camera(mjpeg.url, timeout=3600)  # so that nothing but leaving ends it
    task = asyncio.create_task(listed(source))
    await mjpeg.arrived.wait()
    assert source.statistics().state is CameraState.CONNECTING
    with anyio.fail_after(60):
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
    with anyio.fail_after(60):
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
    assert [name[-11:] for name in names] == [f"-{number:06d}.jpg" for number in range(20)]
    assert len({name[:-11] for name in names}) == 1
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


async def test_every_frame_is_in_one_count(mjpeg):
    """Also those that wait, or come, when the camera is closed: received is taken, buffered, and dropped by reason."""
    mjpeg.plays = [60]
    source = camera(mjpeg.url, policy="wait", buffer=7, reconnect=AT_ONCE)
    stream = aiter(source)
    for _ in range(5):
        await anext(stream)
    while source.statistics().buffered < 7:  # noqa: ASYNC110 - the thread tells nobody that its buffer is full
        await asyncio.sleep(0.01)
    await source.aclose()
    await ended("camera")
    found = source.statistics()
    assert found.received == found.taken + found.buffered + found.dropped
    assert (found.taken, found.buffered) == (5, 0)
    assert found.dropped_by_reason["closed"] == found.received - 5 >= 7


async def test_the_newest_frame_is_handed_over(mjpeg):
    """To a reader that is slow: with a buffer of one, the frame that it takes is the last that came."""
    mjpeg.plays = [60]
    source = camera(mjpeg.url, reconnect=None)
    stream = aiter(source)
    names = [(await anext(stream)).filename]  # whichever had come: the thread runs ahead as it likes
    while source.statistics().received < 60:  # noqa: ASYNC110 - the thread tells nobody how many frames came
        await asyncio.sleep(0.01)
    names += [image.filename async for image in stream]
    assert names[-1].endswith("-000059.jpg")
    assert len(names) <= 2, "more than one frame was buffered"


async def test_a_frame_has_the_time_at_which_it_came(mjpeg):
    """Not that at which it is handed over: a reader that takes it late learns how old it is."""
    mjpeg.plays = [2]
    source = camera(mjpeg.url, policy="wait", reconnect=None)
    stream = aiter(source)
    before = time.time()
    await anext(stream)
    while source.statistics().buffered < 1:  # noqa: ASYNC110 - the thread tells nobody that a frame waits
        await asyncio.sleep(0.01)
    waiting = time.time()
    image = await anext(stream)
    await stream.aclose()
    assert before <= image.timestamp <= waiting


async def test_decoding_holds_no_frames_back(tmp_path):
    """Of 60 frames of H.264 that were sent, all but two have come while the camera sends nothing more."""
    path = write_h264(tmp_path / "a.ts", 60, size=(320, 240))
    async with served(path.read_bytes(), stays_open=True) as url:
        source = camera(url, policy="wait", buffer=60, reconnect=None)
        stream = aiter(source)
        with anyio.fail_after(60):
            images = [await anext(stream) for _ in range(58)]
        assert images[-1].filename.endswith("-000057.jpg")
        await source.aclose()


@pytest.mark.parametrize("scheme", ["tcp", "rtsp"])
async def test_a_camera_that_sends_nothing_is_told_by_its_time(scheme):
    """FFmpeg says that it was asked to exit, or that the data are invalid, which tells nobody what happened."""
    silent = asyncio.Event()

    async def serve(_, writer):
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(SourceError, match=r"cannot open .* as a video: nothing came for 0\.2 s"):
        await listed(camera(f"{scheme}://127.0.0.1:{port}", timeout=0.2, reconnect=None))
    silent.set()
    server.close()
    await ended("camera")


@pytest.mark.parametrize("scheme", ["rtsp", "tcp"])
async def test_a_host_that_nobody_knows_is_named(scheme, monkeypatch):
    """FFmpeg calls it an input/output error. The password is not shown."""

    def look_up(*_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(SourceError, match=r"the name 'no-such\.invalid' cannot be looked up \(Name or") as caught:
        await listed(camera(f"{scheme}://user:hunter2@no-such.invalid:554/main", timeout=5, reconnect=None))
    assert "hunter2" not in str(caught.value)
    await ended("camera")


async def test_a_file_is_no_camera(tmp_path, make_clip):
    """It would be read again and again, most of it dropped: refused with the ways out, each of which works."""
    path = make_clip(tmp_path / "clip.mp4", frames=5)
    source = camera(path)
    with pytest.raises(ConfigurationError, match=r"clip\.mp4' is a file: video\(\.\.\.\) gives every frame"):
        await listed(source)
    assert (source.statistics().state, source.statistics().connects) == (CameraState.ENDED, 0)
    assert len(await listed(camera(path, policy="wait", reconnect=None))) == 5
    async with camera(path, policy="wait", reconnect=AT_ONCE) as again:
        images = aiter(again)
        names = [(await anext(images)).filename for _ in range(12)]
    assert [name[-10:-4] for name in names] == [f"{number:06d}" for number in range(12)]
    await ended("camera")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
async def test_a_pipe_is_a_camera(tmp_path, make_clip):
    """What another program writes into it is live, though it has a name among files."""
    content = make_clip(tmp_path / "clip.ts", frames=20).read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writing = asyncio.create_task(asyncio.to_thread((tmp_path / "pipe").write_bytes, content))
    async with camera(tmp_path / "pipe", policy="wait") as source:
        image = await anext(aiter(source))
    assert (image.width, image.height) == (130, 48)
    await asyncio.gather(writing, return_exceptions=True)
    await ended("camera")


async def test_cameras_give_names_of_their_own(tmp_path, make_clip):
    """Two cameras with one name, as on two hosts, tell their frames apart."""
    path = make_clip(tmp_path / "a.mp4", frames=5)
    first, second = [
        {image.filename async for image in camera(path, source="gate", policy="wait", reconnect=None)} for _ in range(2)
    ]
    assert len(first | second) == 10
