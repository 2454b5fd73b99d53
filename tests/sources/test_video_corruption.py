"""Pictures that build on a lost one are marked, left out if asked, and counted; no other one is."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest

from picsellia_async.sources import video

from ..support.sources import listed

av = pytest.importorskip("av")
pytestmark = pytest.mark.anyio

FRAMES, GROUP = 60, 20
CODEC_OPTIONS = {"g": str(GROUP), "preset": "ultrafast", "tune": "zerolatency"}


@pytest.fixture(scope="module")
def packets():
    """H.264 of moving noise, two slices a picture and a key frame each twenty."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 160, 96, "yuv420p", Fraction(1, 25)
    encoder.options = {**CODEC_OPTIONS, "x264-params": "slices=2:scenecut=0:sliced-threads=0"}
    noise = np.random.default_rng(5).integers(0, 255, (96, 160, 3), np.uint8)
    found = []
    for number in range(FRAMES):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, 3 * number, 1), format="rgb24")
        frame.pts = number
        found += [(packet.pts, bytes(packet)) for packet in encoder.encode(frame)]
    return found + [(packet.pts, bytes(packet)) for packet in encoder.encode(None)]


def units(packet):
    """Return the units of a packet, each with its start code."""
    return [one for one in re.split(rb"(?=\x00\x00\x00\x01)|(?=(?<!\x00)\x00\x00\x01)", packet) if one]


def written(path, packets):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number, data in packets:
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
            container.mux(packet)
    return path


LOSSES = {
    "picture": lambda data: b"",
    "slice": lambda data: b"".join(units(data)[:-1]),
    "end of a slice": lambda data: data[: -len(units(data)[-1]) // 2],
}
"""What is left of a packet."""


@pytest.mark.parametrize("loss", LOSSES)
async def test_what_builds_on_a_loss_is_marked(tmp_path, packets, loss):
    """From the lost picture to the next key frame, exactly; what lacks data itself is left out and counted as damaged."""
    lost = 27
    left = [(number, LOSSES[loss](data) if number == lost else data) for number, data in packets]
    source = video(written(tmp_path / "a.ts", [one for one in left if one[1]]))
    images = await listed(source)
    marks = {round(image.position * 25): image.is_corrupted for image in images}
    assert marks == {n: lost < n < 2 * GROUP for n in range(FRAMES) if n != lost}
    assert (source.corrupted, source.damaged) == (2 * GROUP - 1 - lost, 0 if loss == "picture" else 1)


async def test_nothing_is_marked_where_whole_pieces_were_joined(tmp_path, packets):
    """The container cannot tell the end of a piece from a loss; the decoder says that nothing lacks, and a key frame follows."""
    piece = written(tmp_path / "a.ts", packets).read_bytes()
    (tmp_path / "joined.ts").write_bytes(3 * piece)
    source = video(tmp_path / "joined.ts")
    images = await listed(source)
    assert len(images) == 3 * FRAMES
    assert (source.corrupted, source.damaged) == (0, 0)


TS_PACKET = 188


def lacking(data, pieces, count):
    """Return MPEG-TS without so many of its packets, from a share of it on."""
    start = len(data) // TS_PACKET * pieces // 100 * TS_PACKET
    return data[:start] + data[start + count * TS_PACKET :]


@pytest.mark.parametrize("share", [37, 44, 52])
@pytest.mark.parametrize("count", [1, 2, 40])
async def test_pictures_that_differ_after_a_loss_of_the_container_are_marked(tmp_path, packets, share, count):
    """Whatever was lost, at the end of a picture, within it, or whole pictures: each that is unlike the whole video's."""
    whole = written(tmp_path / "a.ts", packets)
    (tmp_path / "lossy.ts").write_bytes(lacking(whole.read_bytes(), share, count))
    right = {round(one.position * 25): one for one in await listed(video(whole, pixels="rgb"))}
    found = await listed(video(tmp_path / "lossy.ts", pixels="rgb"))
    unlike = [one for one in found if (one.pixels != right[round(one.position * 25)].pixels).any()]
    assert all(one.is_corrupted for one in unlike)
    assert len(found) < FRAMES or unlike


@pytest.mark.parametrize("before_key", [2, 7])
async def test_a_lost_picture_that_nothing_builds_on_is_counted(tmp_path, before_key):
    """All others are whole: the container's mark and the gap in its clock tell."""
    options = {"g": "20", "bf": "1", "x264-params": "b-adapt=0:scenecut=0:keyint=20:min-keyint=20"}
    noise = np.random.default_rng(5).integers(0, 255, (96, 160, 3), np.uint8)
    with av.open(str(tmp_path / "a.ts"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, 3 * number, 1), format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(tmp_path / "a.ts")) as container:
        found = [one for one in container.demux(video=0) if one.size]
    key = [place for place, one in enumerate(found) if one.is_keyframe][2]
    lost = next(place for place in range(key - before_key, 0, -1) if found[place].pts < found[place - 1].pts)
    data = (tmp_path / "a.ts").read_bytes()
    (tmp_path / "lossy.ts").write_bytes(data[: found[lost].pos] + data[found[lost + 1].pos :])
    whole, source = video(tmp_path / "a.ts"), video(tmp_path / "lossy.ts")
    assert (len(await listed(whole)), whole.damaged, whole.corrupted) == (FRAMES, 0, 0)
    assert (len(await listed(source)), source.damaged) == (FRAMES - 1, 1)


async def test_what_builds_on_a_loss_is_left_out_if_asked(tmp_path, packets):
    """The good ones come, the others are counted all the same."""
    path = written(tmp_path / "a.ts", [one for one in packets if one[0] != 27])
    source = video(path, discard_corrupted=True)
    images = await listed(source)
    assert [round(image.position * 25) for image in images] == [*range(27), *range(40, FRAMES)]
    assert not any(image.is_corrupted for image in images)
    assert source.corrupted == 12


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.ts", "libx264", {"bf": "3", "x264-params": "b-pyramid=normal:ref=4"}),
        ("a.h264", "libx264", {"bf": "2", "x264-params": "interlaced=1"}),
        ("a.ts", "libx264", {"x264-params": "cqm=jvt:bframes=0"}),
        ("a.mp4", "libx264", {"bf": "3"}),
        ("a.ts", "mpeg2video", {"bf": "2"}),
        ("a.avi", "mpeg4", {}),
    ],
    ids=["pyramid", "interlaced", "scaling lists", "mp4", "MPEG-2", "MPEG-4"],
)
async def test_nothing_of_a_whole_video_is_marked(tmp_path, name, codec, options):
    """Also where pictures are coded in another order than they are shown, or by fields."""
    noise = np.random.default_rng(5).integers(0, 255, (96, 160, 3), np.uint8)
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "20", **options})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, number, 0), format="rgb24")))
        container.mux(stream.encode())
    source = video(tmp_path / name)
    assert len(await listed(source)) >= 49
    assert (source.corrupted, source.damaged) == (0, 0)
