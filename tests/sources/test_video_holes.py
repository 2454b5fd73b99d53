"""Zeros in place of data, as a lost sector leaves them: H.264 and H.265 take them for a picture, and what builds on it is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from picsellia_async.sources import video
from picsellia_async.sources._holes import Holes

from ..support.sources import listed

av = pytest.importorskip("av")

FRAMES, GROUP, RATE = 40, 20, 25
LOST = 27
HOLE = 600
OPTIONS = {
    "libx264": {"preset": "veryfast", "x264-params": "scenecut=0:b-adapt=0"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:scenecut=0:b-adapt=0:open-gop=0:bframes=0"},
}


def clip(path, codec="libx264", **options):
    """Write noise that moves, a key frame each twenty; its packets are larger than a hole."""
    if codec not in av.codecs_available:
        pytest.skip(f"FFmpeg is without {codec}")
    noise = np.random.default_rng(5).integers(0, 255, (192, 320, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=RATE, options={"g": str(GROUP), "crf": "20", **OPTIONS[codec], **options}
        )
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for number in range(FRAMES):
            more = np.random.default_rng(number).integers(0, 99, noise.shape, np.uint8)
            picture = np.roll(noise, 3 * number, 1) // 2 + more
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def make_hole(path, number, share=0.4):
    """Put zeros within the packet of a picture, and return the packet's place among all."""
    with av.open(str(path)) as container:
        found = [
            (one.pos, one.size, round(float(one.pts * one.time_base) * RATE))
            for one in container.demux(video=0)
            if one.size
        ]
    first = min(shown for _, _, shown in found)
    place, size, _ = next(one for one in found if one[2] - first == number)
    assert int(size * share) + HOLE < size
    content = bytearray(path.read_bytes())
    begin = place + int(size * share)
    content[begin : begin + HOLE] = bytes(HOLE)
    path.write_bytes(content)


@pytest.mark.anyio
@pytest.mark.parametrize("number", [GROUP, LOST], ids=["key frame", "other"])
@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.mp4", "libx265"), ("a.flv", "libx264")]
)
async def test_a_picture_with_a_hole_is_left_out_and_what_builds_on_it_marked(tmp_path, name, codec, number):
    """The decoder of H.265 never says a word, and that of H.264 at times: each picture with a hole counts once."""
    path = clip(tmp_path / name, codec, bf="0")
    whole = await listed(video(path, pixels="rgb"))
    make_hole(path, number)
    source = video(path, pixels="rgb")
    images = await listed(source)
    right = {round(one.position * RATE): one.pixels for one in whole}
    marks = {round(one.position * RATE): one.is_corrupted for one in images}
    assert marks == {n: number < n < (number // GROUP + 1) * GROUP for n in range(FRAMES) if n != number}
    assert (source.damaged, source.corrupted) == (1, sum(marks.values()))
    assert all((one.pixels == right[round(one.position * RATE)]).all() for one in images if not one.is_corrupted)


@pytest.mark.anyio
async def test_pictures_that_are_shown_before_the_one_with_the_hole_are_marked_too(tmp_path):
    """B pictures build on the one after them."""
    path = clip(tmp_path / "a.mp4", bf="2")
    whole = {round(one.position * RATE): one.pixels for one in await listed(video(path, pixels="rgb"))}
    make_hole(path, LOST)
    source = video(path, pixels="rgb")
    images = await listed(source)
    assert (len(images), source.damaged) == (FRAMES - 1, 1)
    unlike = [one for one in images if (one.pixels != whole[round(one.position * RATE)]).any()]
    assert unlike
    assert all(one.is_corrupted for one in unlike)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.flv", "a.h264"])
@pytest.mark.parametrize(
    "parameters",
    ["bframes=3:ref=4", "cabac=0", "qp=0", "interlaced=1", "intra-refresh=1", "slices=4", "nal-hrd=cbr:vbv-maxrate=4000:vbv-bufsize=4000:bitrate=4000"],
)  # fmt: skip
async def test_no_hole_is_seen_in_a_whole_video(tmp_path, name, parameters):
    """Pictures of one colour, and of noise behind them."""
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"g": "20", "x264-params": parameters})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(30):
            picture = np.zeros((96, 160, 3), np.uint8)
            picture[:, : 5 * number] = np.random.default_rng(number).integers(0, 255, (96, 5 * number, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        holes = Holes("h264", stream.codec_context.extradata or b"")
        found = [holes.is_holed(bytes(one)) for one in container.demux(stream)]
    assert len(found) >= 30
    assert not any(found)


AVC = b"\x01d\x00\x0a\xff\xe1"
HEVC = b"\x01" + bytes(20) + b"\x0f" + b"\x00"
DATA, ZEROS = b"\x88" * 40, bytes(100)
SLICE, REMARK, HEVC_SLICE, HEVC_REMARK = b"\x65", b"\x06", b"\x02\x01", b"\x4e\x01"


def lengths(*units):
    return b"".join(len(one).to_bytes(4, "big") + one for one in units)


def starts(*units):
    return b"".join(b"\x00\x00\x00\x01" + one for one in units)


@pytest.mark.parametrize(
    ("joined", "avc", "hevc"), [(lengths, AVC, HEVC), (starts, b"", b"")], ids=["lengths", "starts"]
)
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_zeros_are_a_hole_where_pixels_are_and_something_follows(joined, avc, hevc, codec):
    """Padding at the end, and remarks that break the rule, are none; nor is anything of another codec."""
    picture, remark = (SLICE, REMARK) if codec == "h264" else (HEVC_SLICE, HEVC_REMARK)
    holes = Holes(codec, avc if codec == "h264" else hevc)
    holed = {
        "whole": [picture + DATA],
        "hole": [picture + DATA + ZEROS + DATA],
        "hole in the second": [picture + DATA, picture + DATA + ZEROS + DATA],
        "padding": [picture + DATA + ZEROS],
        "padding between": [picture + DATA + ZEROS, picture + DATA],
        "remark": [remark + DATA + ZEROS + DATA, picture + DATA],
        "few zeros": [picture + DATA + bytes(8) + DATA],
    }
    assert {name for name, units in holed.items() if holes.is_holed(joined(*units))} == {"hole", "hole in the second"}
    assert not Holes("mpeg4", b"").is_holed(joined(*holed["hole"]))


def test_zeros_in_place_of_a_length_are_a_hole():
    """What follows cannot be told apart any more; zeros up to the end of the packet are padding."""
    packet = lengths(REMARK + DATA, SLICE + DATA)
    assert Holes("h264", AVC).is_holed(packet[:40] + bytes(20) + packet[60:])
    assert not Holes("h264", AVC).is_holed(lengths(SLICE + DATA) + ZEROS)


def test_a_packet_with_start_codes_where_lengths_are_told_is_read_by_them():
    """Some recorders write so, and FFmpeg plays it."""
    holes = Holes("h264", AVC)
    assert not holes.is_holed(starts(SLICE + DATA + ZEROS, SLICE + DATA))
    assert holes.is_holed(starts(SLICE + DATA + ZEROS + DATA))


@pytest.mark.parametrize("data", [b"\x00\x00\x01\x20", b"\x00\x00\x01\xa1"], ids=["no temporal id", "forbidden bit"])
def test_data_of_a_remark_are_no_start_code(data):
    """Cameras write remarks as they like: `00 00 01` in one, a number say, begins no unit where no head of one follows."""
    remark = b"\x00\x00\x00\x01\x4e\x01\x05" + data + bytes(24) + b"text"
    picture = b"\x00\x00\x01\x26\x01" + b"\xaf" * 40
    assert not Holes("hevc", b"").is_holed(remark + picture)
    assert Holes("hevc", b"").is_holed(remark + picture + bytes(24) + b"\xaf")
