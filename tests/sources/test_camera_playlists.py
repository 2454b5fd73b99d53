"""A camera that is a live playlist of HLS: no picture that was in it before is handed over as new."""

from __future__ import annotations

import asyncio
import math
import re
from contextlib import asynccontextmanager

import pytest

from picsellia_async import RetryPolicy
from picsellia_async.sources import CameraState, SourceError, camera
from picsellia_async.sources._camera_http import AnswerError
from picsellia_async.sources._live_playlist import LivePlaylist, PlaylistWatch, is_playlist_address, parse_playlist

from ..support.sources import ended, listed, write_h264

pytestmark = pytest.mark.anyio

RATE = FRAMES = 10
END = "#EXT-X-ENDLIST\n"


def written_list(first, last, *, end=False, names="s{}.ts"):
    """Return a playlist of the segments from one number up to another, without the latter."""
    lines = [f"#EXTINF:1,\n{names.format(number)}\n" for number in range(first, last)]
    return f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n{''.join(lines)}{END * end}"


class Recorder:
    """Serves a playlist of four segments as it is at the moment, and segments of a second whose names tell their numbers."""

    def __init__(self, folder):
        self.folder, self.looks, self.port = folder, 0, 0
        self.last, self.is_running, self.is_ended = 4, False, False
        self.looked = asyncio.Condition()

    async def answer(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        if path.startswith("/redirect"):
            writer.write(
                b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: /viewer/master.m3u8\r\n\r\n"
            )
            await writer.drain()
            writer.close()
            return
        if path.startswith(("/master", "/viewer/master")):
            name = b"live" if path.startswith("/master") else b"own"
            data = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000\n%b.m3u8\n" % name
        elif path.startswith(("/live", "/viewer/own")):
            self.last += self.is_running
            data = written_list(max(0, self.last - 4), self.last, end=self.is_ended).encode()
            async with self.looked:
                self.looks += 1
                self.looked.notify_all()
        else:
            number = int(re.search(r"\d+", path)[0])
            data = await asyncio.to_thread(self.segment, number)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))
        await writer.drain()
        writer.close()

    def segment(self, number):
        path = self.folder / f"s{number}.ts"
        if not path.exists():
            write_h264(path, FRAMES, rate=RATE, begins=1.0 + number)
        return path.read_bytes()

    async def is_looked_at(self, times=2):
        """Wait until the playlist, as it is now, was asked for so often."""
        async with self.looked:
            until = self.looks + times
            await self.looked.wait_for(lambda: self.looks >= until)


@asynccontextmanager
async def recording(folder):
    recorder = Recorder(folder)
    server = await asyncio.start_server(recorder.answer, "127.0.0.1", 0)
    recorder.port = server.sockets[0].getsockname()[1]
    try:
        yield recorder
    finally:
        server.close()
        await ended("camera")


OFTEN = RetryPolicy(attempts=2**31, total=None, backoff_initial=0.1, backoff_max=0.1)


async def test_an_ended_playlist_gives_no_picture_until_it_goes_on(tmp_path):
    """It is a recording; its segments are not handed over, once or again and again."""
    async with recording(tmp_path) as recorder:
        recorder.is_ended = True
        source = camera(f"http://127.0.0.1:{recorder.port}/live.m3u8", reconnect=OFTEN, timeout=30)
        async with source:
            taking = asyncio.ensure_future(anext(aiter(source)))
            await recorder.is_looked_at(4)
            assert not taking.done()
            found = source.statistics()
            assert "#EXT-X-ENDLIST" in str(found.last_error)
            assert found.connects == found.received == 0
            recorder.is_ended = False
            await recorder.is_looked_at(3)
            assert not taking.done()
            recorder.is_running = True
            image = await taking
        assert image.width == 64
        assert source.statistics().received >= 1


async def test_what_was_handed_over_does_not_come_again(tmp_path):
    """When a recorder ended, its last segments are not opened anew."""
    loop, has_ended = asyncio.get_running_loop(), asyncio.Event()

    def on_state(state):
        if state is CameraState.WAITING:
            loop.call_soon_threadsafe(has_ended.set)

    async with recording(tmp_path) as recorder:
        url = f"http://127.0.0.1:{recorder.port}/master.m3u8"
        async with camera(
            url, reconnect=OFTEN, timeout=30, policy="drop_newest", buffer=1000, on_state=on_state
        ) as source:
            taking = asyncio.ensure_future(anext(aiter(source)))
            await recorder.is_looked_at(3)
            recorder.is_running = True
            await taking
            recorder.is_running, recorder.is_ended = False, True
            await has_ended.wait()
            received = source.statistics().received
            await recorder.is_looked_at(4)
            found = source.statistics()
        assert found.received == received
        assert found.ends == found.connects == 1


async def test_a_recording_is_played_where_it_is_opened_once(tmp_path):
    """As a file is: with `reconnect=None` all of it comes."""
    async with recording(tmp_path) as recorder:
        recorder.is_ended = True
        source = camera(f"http://127.0.0.1:{recorder.port}/live.m3u8", reconnect=None, policy="wait", timeout=30)
        assert len(await listed(source)) == 4 * FRAMES


@pytest.mark.parametrize(("policy", "times"), [("drop_oldest", 1), ("wait", 0)])
async def test_a_policy_that_drops_most_of_a_segment_says_so_once(tmp_path, caplog, policy, times):
    """Its pictures come at once, and all but a few are late."""
    async with recording(tmp_path) as recorder:
        recorder.is_running = True
        async with camera(
            f"http://127.0.0.1:{recorder.port}/live.m3u8", reconnect=OFTEN, policy=policy, timeout=30
        ) as source:
            await anext(aiter(source))
    assert sum("come by segments" in one.getMessage() for one in caplog.records) == times


def test_the_line_of_segments_is_said_once():
    """A camera that is opened again says nothing of it."""
    watched, *_ = watch(written_list(0, 3))
    assert watched.line_of_segments() is not None
    assert watched.line_of_segments() is None


def watch(*texts, timeout=10.0, is_once=False, closed_at=math.inf):
    """Return a watch that sees these texts one after the other, the last one over and over, what it slept, and what it asked for.

    A text may come with the address that it came from, or be an error.
    """
    now, slept, left, asked = 0.0, [], list(texts), []

    def rest(seconds):
        nonlocal now
        now += seconds
        slept.append(seconds)
        return now < closed_at

    def fetch(address):
        asked.append(address)
        text = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(text, Exception):
            raise text
        return text if text is None or isinstance(text, tuple) else (text, address.replace("u:p@", ""))

    return PlaylistWatch("http://u:p@cam/a/l.m3u8", "cam", timeout, fetch, rest, is_once, lambda: now), slept, asked


def test_a_playlist_that_grew_has_something_new():
    """Not one that only lost its oldest segment, or is signed anew; and one whose recorder began anew has."""
    before = parse_playlist(written_list(5, 10))
    grown = {
        written_list(5, 10): False,
        written_list(6, 10): False,
        written_list(5, 10, names="s{}.ts?signed=2"): False,
        written_list(6, 11): True,
        written_list(0, 1): True,
        written_list(5, 10, names="t{}.ts"): True,
        written_list(0, 0): False,
    }
    assert {text: parse_playlist(text).has_grown_since(before) for text in grown} == grown


def test_the_first_look_gives_nothing():
    """Whatever is in the playlist then may be of yesterday; the segment that comes next is new."""
    found, slept, _ = watch(*[written_list(0, 3)] * 3, written_list(0, 4))
    assert found.wait()
    assert len(slept) == 3
    found.forget()
    with pytest.raises(SourceError, match="no new segment"):
        found.wait()


def test_a_playlist_that_stands_still_is_no_source():
    """For as long as the time-out, or two of its segments; and what it held counts as seen from attempt to attempt."""
    found, slept, _ = watch(*[written_list(0, 3)] * 80, written_list(0, 4))
    with pytest.raises(SourceError, match="'cam' stands still: its playlist has had no new segment for 10 s"):
        found.wait()
    assert sum(slept) == pytest.approx(10.0)
    assert found.wait()


def test_a_playlist_that_ended_is_no_source():
    """Until it goes on with another segment: its end may go first."""
    texts = [written_list(0, 3, end=True), written_list(0, 4, end=True), written_list(0, 4), written_list(0, 5)]
    found, *_ = watch(*texts)
    for _ in range(2):
        with pytest.raises(SourceError, match="has ended"):
            found.wait()
    assert found.wait()
    once, *_ = watch(texts[0], is_once=True)
    assert not once.wait()


def test_a_playlist_is_not_waited_for_once_the_camera_is_closed():
    """Its thread ends at the next look."""
    found, slept, _ = watch(written_list(0, 3), closed_at=1.0)
    with pytest.raises(SourceError, match="was closed"):
        found.wait()
    assert sum(slept) == pytest.approx(1.0)


def test_of_a_playlist_of_playlists_the_first_is_looked_at():
    """With the user of the address; one that names a file of this machine is left to FFmpeg, and so is what is no playlist."""
    master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n../b/low.m3u8\n"
    found, _, asked = watch(master, written_list(0, 3), master, written_list(0, 4))
    assert found.wait()
    assert asked[1] == "http://u:p@cam/b/low.m3u8"
    for text in (master.replace("../b/", "file:///etc/"), "<html>", None):
        other, *_ = watch(text)
        assert not other.wait()


@pytest.mark.parametrize(
    ("behind", "asked_next"),
    [
        ("http://cam/edge/7/l.m3u8", "http://u:p@cam/edge/7/low.m3u8"),
        ("http://CAM:8080/l.m3u8", "http://CAM:8080/low.m3u8"),
        ("https://cam/l.m3u8", "https://cam/low.m3u8"),
        ("http://edge/7/l.m3u8", "http://edge/7/low.m3u8"),
    ],
)
def test_behind_a_redirect_a_playlist_is_looked_for_where_its_master_came_from(behind, asked_next):
    """User and password go to the host alone that they were given for."""
    master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n"
    found, _, asked = watch((master, behind), written_list(0, 3), (master, behind), written_list(0, 4))
    assert found.wait()
    assert asked == ["http://u:p@cam/a/l.m3u8", asked_next] * 2


async def test_a_camera_behind_a_redirect_gives_pictures(tmp_path):
    """Recorders lead each viewer to a playlist in a folder of its own."""
    async with recording(tmp_path) as recorder:
        recorder.is_running = True
        source = camera(f"http://127.0.0.1:{recorder.port}/redirect.m3u8", reconnect=None, timeout=30)
        async with source:
            image = await anext(aiter(source))
        assert image.width == 64
        assert recorder.looks >= 2


@pytest.mark.parametrize("status", [403, 404])
def test_a_playlist_that_is_refused_is_left_to_ffmpeg(status):
    """Which sends other headers. Not one that could be looked at before, and no other refusal."""
    refusal = AnswerError("refused", status)
    found, *_ = watch(refusal, written_list(0, 3), written_list(0, 4), refusal)
    assert not found.wait()
    assert found.wait()
    with pytest.raises(SourceError, match="refused"):
        found.wait()
    other, *_ = watch(AnswerError("refused", 500))
    with pytest.raises(SourceError, match="refused"):
        other.wait()


@pytest.mark.parametrize(
    ("address", "kind", "expected"),
    [
        ("http://u:p@cam/live.m3u8?key=1", None, True),
        ("HTTPS://cam/LIVE.M3U8", None, True),
        ("http://cam/live", "hls", True),
        ("http://cam/live.m3u8", "mpegts", False),
        ("http://cam/live", None, False),
        ("rtsp://cam/live.m3u8", None, False),
    ],
)
def test_a_playlist_is_known_by_its_name(address, kind, expected):
    """Or by the format that the caller says; others are known once FFmpeg has opened them."""
    assert is_playlist_address(address, kind) is expected


def test_a_number_that_is_none_is_as_left_out():
    """Recorders write what they like."""
    text = written_list(0, 2).replace("SEQUENCE:0", "SEQUENCE:x").replace("DURATION:1", "DURATION:nan")
    assert parse_playlist(text) == LivePlaylist(0, ("s0.ts", "s1.ts"), 1.0, has_end=False)
