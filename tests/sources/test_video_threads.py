"""Large videos, which FFmpeg decodes by several threads, lose no good picture to damage, and each one that came is given or counted."""

from __future__ import annotations

import numpy as np
import pytest

from picsellia_async.sources import video
from picsellia_async.sources._corruption import Corruption

from ..support.sources import listed

av = pytest.importorskip("av")
pytestmark = pytest.mark.anyio

FRAMES, GROUP = 48, 12
"""The damage is farther from the end than FFmpeg has threads, which are 16 at most."""
SIZES = [(320, 240), (1280, 720)]
"""Without threads by frame, and with them."""
X264 = f"keyint={GROUP}:min-keyint={GROUP}:scenecut=0:bframes=0"
X265 = f"{X264}:log-level=none:pools=none:frame-threads=1"
OPTIONS = {
    "libx264": {"preset": "ultrafast", "threads": "1", "x264-params": X264},
    "libx265": {"preset": "ultrafast", "x265-params": X265},
    "mpeg4": {"g": str(GROUP)},
}
OPEN = {"preset": "ultrafast", "x265-params": X265.replace("bframes=0", "bframes=3:open-gop=1:repeat-headers=1")}


def written(path, codec, size, change, options=None):
    """Write a bar that moves, each packet as `change` makes it from its number and content; None leaves it out."""
    width, height = size
    noise = np.random.default_rng(5).integers(0, 255, (50, 100, 3), np.uint8)
    whole = path.with_stem("whole")
    with av.open(str(whole), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or OPTIONS[codec])
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(FRAMES):
            picture = np.zeros((height, width, 3), np.uint8)
            picture[:, number * 8 : number * 8 + 40], picture[50:100, :100] = 200, noise
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(whole)) as container, av.open(str(path), "w") as other:
        stream = other.add_stream_from_template(container.streams.video[0])
        for number, one in enumerate(one for one in container.demux(video=0) if one.size):
            data = change(number, bytes(one))
            if data is not None:
                packet = av.Packet(data)
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, one.pts, one.dts, one.time_base
                # Without it PyAV before 18.1 writes an MP4 whose last picture has no time, which FFmpeg then leaves out.
                packet.duration, packet.is_keyframe = one.duration, one.is_keyframe
                other.mux(packet)
    return path


def garbled(data):
    return bytes((7 * one + place) & 255 for place, one in enumerate(data))


@pytest.mark.parametrize("size", SIZES, ids=["small", "threads"])
@pytest.mark.parametrize(
    "damage", [lambda data: None, garbled, lambda data: data[: len(data) // 3]], ids=["dropped", "garbled", "cut"]
)
@pytest.mark.parametrize("lost", [GROUP + 3, 2 * GROUP - 1], ids=["middle", "last of its group"])
@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mp4", "libx265"), ("a.mp4", "mpeg4"), ("a.mkv", "mpeg4")]
)
async def test_damage_costs_no_picture_that_does_not_build_on_it(tmp_path, name, codec, lost, damage, size):
    """Those before it, and all from the next key frame on, are given as whole; the others are given marked, or counted."""
    path = written(tmp_path / name, codec, size, lambda number, data: damage(data) if number == lost else data)
    source = video(path)
    marks = {round(image.position * 25): image.is_corrupted for image in await listed(source)}
    is_dropped = damage(b"abc") is None
    whole = {number for number, is_corrupted in marks.items() if not is_corrupted}
    assert {*range(lost), *range(2 * GROUP, FRAMES)} <= whole
    assert len(marks) + source.damaged == FRAMES - is_dropped
    assert source.corrupted == sum(marks.values())
    if not is_dropped:
        assert whole.isdisjoint(range(lost, 2 * GROUP))


@pytest.mark.parametrize("size", SIZES, ids=["small", "threads"])
async def test_a_recording_that_begins_between_key_frames_gives_all_from_the_first_on(tmp_path, size):
    """In H.265 with pictures before a key frame that build on the group before."""
    path = written(tmp_path / "a.ts", "libx265", size, lambda number, data: data if number >= GROUP else None, OPEN)
    source = video(path)
    marks = [image.is_corrupted for image in await listed(source)]
    assert len(marks) >= FRAMES - 2 * GROUP
    assert not any(marks[-(FRAMES - 2 * GROUP) :])
    assert len(marks) + source.damaged == FRAMES - GROUP


def test_nothing_waits_for_a_packet_that_could_not_be_decoded():
    """Pictures that are shown before it are final, and marked."""
    corruption = Corruption()
    corruption.read(0, is_key=True, is_damaged=False)
    corruption.came(0, is_damaged=False)
    corruption.read(3, is_key=False, is_damaged=False)
    corruption.lost(is_failed=True)
    corruption.read(1, is_key=False, is_damaged=False)
    place = corruption.came(1, is_damaged=False)
    assert corruption.is_final(place)
    assert corruption.is_corrupted(place)
