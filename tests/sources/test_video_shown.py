"""Videos as a player shows them: colours, turn, the right stream, time from the beginning."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from picsellia_async.sources import SourceError, video

from ..support.sources import decoded, encoded, listed

av = pytest.importorskip("av")
pytestmark = pytest.mark.anyio

BT709, BT601, BT2020 = 1, 5, 9
LIMITED, FULL = 1, 2
WEIGHTS = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), BT2020: (0.2627, 0.0593)}
"""Shares of red and blue in the brightness, of each matrix."""


def coloured(rgb, matrix, levels):
    """Return a frame of one colour, its planes computed from the definition of the matrix."""
    red_share, blue_share = WEIGHTS[matrix]
    red, green, blue = (one / 255 for one in rgb)
    luma = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    chroma = [(blue - luma) / (2 * (1 - blue_share)), (red - luma) / (2 * (1 - red_share))]
    if levels == LIMITED:
        planes = [16 + 219 * luma, *(128 + 224 * one for one in chroma)]
    else:
        planes = [255 * luma, *(128 + 255 * one for one in chroma)]
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, value in zip(frame.planes, planes, strict=True):
        plane.update(bytes([min(255, round(value))]) * plane.buffer_size)
    return frame


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)], ids=str)
@pytest.mark.parametrize("levels", [LIMITED, FULL], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT601, BT709, BT2020], ids=["601", "709", "2020"])
async def test_colours_are_those_that_ffmpeg_shows(tmp_path, rgb, matrix, levels):
    """In the JPEG and in the pixels, within rounding: matrix and range of the clip are applied, and those of JPEG written."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, levels
        frame = coloured(rgb, matrix, levels)
        frame.colorspace, frame.color_range = matrix, levels
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (image,) = await listed(video(tmp_path / "a.mp4", pixels="rgb"))
    assert np.abs(image.pixels[24, 32].astype(int) - rgb).max() <= 3
    assert np.abs(decoded(image.image)[24, 32].astype(int) - rgb).max() <= 4
    (image,) = await listed(video(tmp_path / "a.mp4"))
    assert np.abs(decoded(image.image)[24, 32].astype(int) - rgb).max() <= 4
    (image,) = await listed(video(tmp_path / "a.mp4", pixels="bgr"))
    assert np.abs(image.pixels[24, 32, ::-1].astype(int) - rgb).max() <= 3
    assert np.abs(decoded(image.image)[24, 32].astype(int) - rgb).max() <= 4


def corners(width=64, height=48):
    """Return a picture whose corners are red, green, blue and white, clockwise from the left top."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (255, 0, 0)
    picture[: height // 2, width // 2 :] = (0, 255, 0)
    picture[height // 2 :, width // 2 :] = (0, 0, 255)
    picture[height // 2 :, : width // 2] = (255, 255, 255)
    return picture


def colours(pixels):
    """Return the names of the corners, clockwise from the left top."""
    height, width, _ = pixels.shape
    places = [(0, 0), (0, width - 1), (height - 1, width - 1), (height - 1, 0)]
    names = {(1, 0, 0): "r", (0, 1, 0): "g", (0, 0, 1): "b", (1, 1, 1): "w"}
    return "".join(names[tuple(int(one > 128) for one in pixels[place])] for place in places)


def clip(path, *, turn=None, aspect=None, codec="libx264", frames=2, options=None):
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=10, options={"crf": "1"} if codec == "libx264" else {})
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if isinstance(turn, int):
            stream.set_display_rotation(turn)
        elif turn is not None:
            stream.set_display_matrix(turn)
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
@pytest.mark.parametrize(
    ("degrees", "size", "expected"),
    [(0, (64, 48), "rgbw"), (90, (48, 64), "gbwr"), (180, (64, 48), "bwrg"), (-90, (48, 64), "wrgb")],
)
async def test_a_turned_video_is_upright(tmp_path, codec, degrees, size, expected):
    """As a phone writes it: size, pixels and JPEG are those of the turned picture; `orientation="stored"` leaves them."""
    path = clip(tmp_path / "a.mov", turn=degrees, codec=codec)
    for image in await listed(video(path, pixels="rgb")):
        assert (image.width, image.height) == size == image.pixels.shape[1::-1]
        assert colours(image.pixels) == colours(decoded(image.image)) == expected
    for image in await listed(video(path, orientation="stored")):
        assert (image.width, image.height, colours(decoded(image.image))) == (64, 48, "rgbw")


@pytest.mark.parametrize("pixels", [None, "rgb"])
@pytest.mark.parametrize(
    ("name", "aspect", "turn", "size", "expected"),
    [
        ("a.mp4", (2, 1), None, (128, 48), "rgbw"),
        ("a.mkv", (1, 2), None, (32, 48), "rgbw"),
        ("a.mov", (2, 1), 90, (48, 128), "gbwr"),
        ("a.h264", (16, 11), None, (93, 48), "rgbw"),
        ("a.mp4", (100, 1), None, (64, 48), "rgbw"),
    ],
    ids=["wide", "narrow", "turned", "in the stream", "a mistake"],
)
async def test_pixels_that_are_not_square_are_stretched(tmp_path, name, aspect, turn, size, expected, pixels):
    """As a player shows them, and before the turn; `orientation="stored"` leaves them."""
    path = clip(tmp_path / name, turn=turn, aspect=Fraction(*aspect))
    for image in await listed(video(path, pixels=pixels)):
        shown = decoded(image.image)
        assert (image.width, image.height) == size == shown.shape[1::-1]
        assert colours(shown) == expected
        assert image.pixels is None or image.pixels.shape[1::-1] == size
    for image in await listed(video(path, orientation="stored")):
        assert (image.width, image.height, colours(decoded(image.image))) == (64, 48, "rgbw")


def two_streams(path, first, second, *, cover=None):
    """Write two videos of these sizes into one file, and a cover picture before them."""
    with av.open(str(path), "w") as container:
        streams = []
        for width, height in (first, second):
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = *cover, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            container.mux(picture.encode(av.VideoFrame(*cover, "yuvj420p")))
            container.mux(picture.encode())
        for _ in range(3):
            for stream in streams:
                container.mux(stream.encode(av.VideoFrame(stream.width, stream.height, "yuv420p")))
        for stream in streams:
            container.mux(stream.encode())
    return path


async def test_the_largest_video_is_the_one(tmp_path):
    """A small preview first, and a large cover, do not matter."""
    path = two_streams(tmp_path / "a.mkv", (32, 32), (64, 48))
    assert {(image.width, image.height) for image in await listed(video(path))} == {(64, 48)}
    path = two_streams(tmp_path / "b.mp4", (32, 32), (64, 48), cover=(640, 480))
    assert {(image.width, image.height) for image in await listed(video(path))} == {(64, 48)}


async def test_a_cover_picture_is_no_video(tmp_path):
    """A song with a cover holds none."""
    tag = b"APIC" + b"%b" + b"\0\0\0image/jpeg\0\x03\0"
    body = tag[4 + 2 :] + encoded(64, 48)
    frame = b"APIC" + len(body).to_bytes(4) + b"\0\0" + body
    size = len(frame)
    header = b"ID3\x03\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    sound = (b"\xff\xfb\x90\xc4" + bytes(413)) * 20
    (tmp_path / "song.mp3").write_bytes(header + frame + sound)
    with pytest.raises(SourceError, match=r"song\.mp3' holds (only a cover picture|no video)"):
        await listed(video(tmp_path / "song.mp3"))


@pytest.mark.parametrize("name", ["12:30:05.mp4", "http:x.mp4", "50%.mp4", "a b#c?.mp4"])
async def test_a_name_with_a_colon_is_a_file(tmp_path, monkeypatch, name):
    """Recorders name files after the time of day."""
    clip(tmp_path / "plain.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(await listed(video(name))) == 2
    (image, *_) = await listed(video(tmp_path / name))
    assert ":" not in image.filename


async def test_positions_count_from_the_beginning(tmp_path):
    """Also where the file's own clock begins elsewhere, as that of MPEG transport streams does."""
    with av.open(str(tmp_path / "a.ts"), "w") as container:
        stream = container.add_stream("mpeg2video", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(corners(), format="rgb24")
            frame.pts, frame.time_base = 12_345 + number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    positions = [round(image.position, 3) for image in await listed(video(tmp_path / "a.ts"))]
    assert positions == [0, 0.1, 0.2, 0.3, 0.4]


async def test_positions_of_a_playlist_count_from_its_beginning(tmp_path):
    """HLS whose older segments are gone: the clock of those that are left begins at hours, and runs on over their joins."""
    frames, begin = 12, 36_000
    with av.open(
        str(tmp_path / "a.m3u8"), "w", format="hls", options={"hls_time": "0.5", "hls_list_size": "0"}
    ) as container:
        stream = container.add_stream(
            "libx264", rate=10, options={"g": "5", "keyint_min": "5", "sc_threshold": "0", "bf": "0"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(corners(), format="rgb24")
            frame.pts, frame.time_base = 10 * begin + number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert len(list(tmp_path.glob("*.ts"))) >= 2
    positions = [round(image.position, 2) for image in await listed(video(tmp_path / "a.m3u8"))]
    assert positions == [number / 10 for number in range(frames)]


async def test_streams_without_a_clock_have_the_time_of_their_frame_rate(tmp_path):
    """Bare H.264 has frames and no time; players show it at its rate."""
    clip(tmp_path / "a.h264", frames=4, options={})
    images = await listed(video(tmp_path / "a.h264"))
    steps = {round(b.position - a.position, 4) for a, b in pairwise(images)}
    assert images[0].position == 0
    assert len(steps) == 1


async def test_names_of_frames_are_those_of_one_run(tmp_path):
    """No second run, on any host, gives its frames the same names, and every file system takes them."""
    path = clip(tmp_path / "gate 3: in.mp4")
    names = [image.filename for _ in range(2) for image in await listed(video(path))]
    assert len(set(names)) == 4
    assert all(name.startswith("gate-3-in.mp4-") and name.endswith(".jpg") for name in names)


@pytest.mark.parametrize("source", ['a:b/c\\d*e?f"g<h>i|j\n\0', "é" * 200, "...", ""])
async def test_names_of_frames_are_names_of_files(tmp_path, source):
    """Whatever the source is called, its frames can be written under their names."""
    path = clip(tmp_path / "a.mp4")
    for image in await listed(video(path, source=source)):
        assert not set('<>:"/\\|?*\0\n') & set(image.filename)
        (tmp_path / image.filename).write_bytes(image.image)
    assert len(list(tmp_path.glob("*.jpg"))) == 2
