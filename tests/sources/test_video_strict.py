"""What FFmpeg's decoder of MJPEG says of damage counts, though it goes on; pictures of H.265 that it merely objects to are given."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from picsellia_async.sources import video

from ..support.sources import listed

av = pytest.importorskip("av")
simplejpeg = pytest.importorskip("simplejpeg")
pytestmark = pytest.mark.anyio

FRAMES, GROUP = 40, 10
STRICT = {"err_detect": "explode"}
TOLD = 3
"""Damages that are tried, of those that FFmpeg tells."""


def hevc(path, before, first, size):
    """Write moving noise, a key frame each ten, with a unit of one's own before each picture from one on."""
    width, height = size
    noise = np.random.default_rng(5).integers(0, 255, (height, width, 3), np.uint8)
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", Fraction(1, 25)
    encoder.options = {
        "preset": "ultrafast",
        "x265-params": f"keyint={GROUP}:min-keyint={GROUP}:scenecut=0:bframes=0:log-level=none:pools=1",
    }
    packets = []
    for number in range(FRAMES):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, 3 * number, 1), format="rgb24")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, one in enumerate(packets):
            packet = av.Packet((before if number >= first else b"") + bytes(one))
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, one.pts, one.pts, Fraction(1, 25)
            container.mux(packet)
    return path


def refused(path, options):
    """Return how many packets FFmpeg fails at, and how many pictures it gives."""
    count = frames = 0
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.options = options
        for packet in container.demux(video=0):
            try:
                frames += len(packet.decode())
            except av.InvalidDataError:
                count += 1
    return count, frames


@pytest.mark.parametrize("size", [(160, 96), (1280, 720)], ids=["small", "threads"])
@pytest.mark.parametrize("first", [0, GROUP + 5], ids=["all", "later"])
async def test_hevc_with_remarks_that_ffmpeg_objects_to_is_given_whole(tmp_path, first, size):
    """Some encoders write such: the pictures are right."""
    remark = b"\x00\x00\x00\x01\x4e\x01" + bytes([5, 4, 1, 2, 3, 4, 0x80])  # user data, too short for their name
    path = hevc(tmp_path / "a.ts", remark, first, size)
    assert refused(path, STRICT)[0]
    source = video(path)
    assert len(await listed(source)) == FRAMES
    assert (source.damaged, source.corrupted) == (0, 0)


def jpeg(number=0, size=(128, 96), options=(), *, is_grey=False):
    picture = cv2.resize(np.random.default_rng(number).integers(0, 255, (12, 16, 3), np.uint8), size)
    return cv2.imencode(".jpg", picture[:, :, 0] if is_grey else picture, options)[1].tobytes()


def is_told(data):
    """Return whether FFmpeg tells of damage in a JPEG."""
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options = STRICT
    try:
        return not decoder.decode(av.Packet(data))
    except av.InvalidDataError:
        return True


def damaged_jpegs():
    """Return pictures with damage that FFmpeg tells and libjpeg lets pass."""
    found = []
    for seed in range(400):
        data, random = jpeg(), np.random.default_rng(seed)
        at = int(random.integers(len(data) * 2 // 3, len(data) - 40))
        broken = data[:at] + random.integers(0, 255, 8, np.uint8).tobytes() + data[at + 8 :]
        if b"\xff" in broken[at : at + 8]:
            continue
        if is_told(broken):
            try:
                simplejpeg.decode_jpeg(broken)
            except ValueError:
                continue
            found.append(broken)
            if len(found) == TOLD:
                break
    return found


@pytest.mark.parametrize("name", ["a.mjpeg", "a.avi"])
async def test_damage_of_a_jpeg_that_only_ffmpeg_tells_is_counted(tmp_path, name):
    """With pixels, which are decoded; without them pictures are passed on as they came."""
    broken = damaged_jpegs()
    assert broken
    write(tmp_path / name, [jpeg(1), *broken, jpeg(2)])
    source = video(tmp_path / name, pixels="rgb")
    assert [image.image for image in await listed(source)] == [jpeg(1), jpeg(2)]
    assert source.damaged == len(broken)


def write(path, jpegs):
    if path.suffix == ".mjpeg":
        path.write_bytes(b"".join(jpegs))
        return
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuvj420p"
        for number, data in enumerate(jpegs):
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 10)
            container.mux(packet)


async def test_the_first_picture_of_an_mjpeg_is_passed_on_as_it_came(tmp_path):
    """It is decoded, as it tells how the video is turned, and needs no writing."""
    pictures = [jpeg(number) for number in range(4)]
    write(tmp_path / "a.avi", pictures)
    assert [image.image for image in await listed(video(tmp_path / "a.avi"))] == pictures


@pytest.mark.parametrize("is_grey", [False, True], ids=["colours", "grey"])
@pytest.mark.parametrize(
    "options",
    [
        [],
        [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
        [cv2.IMWRITE_JPEG_QUALITY, 3],
        [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
        [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 8],
        [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
        [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422],
        [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440],
    ],
    ids=["usual", "progressive", "optimized", "coarse", "restarts", "progressive restarts", "444", "422", "440"],
)
async def test_no_kind_of_whole_jpeg_is_called_damaged(tmp_path, options, is_grey):
    """Whatever a camera's encoder does, and at sizes that are no multiple of a block."""
    pictures = [jpeg(1, size, options, is_grey=is_grey) for size in [(128, 96), (121, 83), (9, 7)]]
    write(tmp_path / "a.avi", pictures)
    source = video(tmp_path / "a.avi", pixels="rgb")
    assert [image.image for image in await listed(source)] == pictures
    assert source.damaged == 0
