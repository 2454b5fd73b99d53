"""Damaged videos: what can be decoded is delivered, what cannot is counted, and a file that is cut off says so."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from picsellia_async.sources import SourceError, video

from ..support.sources import decoded, listed

av = pytest.importorskip("av")
pytestmark = pytest.mark.anyio

FRAMES = 40


def clip(path, codec, options=None):
    """Write a clip of noise whose brightness tells the number of the frame; a key frame each ten."""
    noise = np.random.default_rng(5)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=10, options={"g": "10", "bf": "0"})
        stream.width, stream.height, stream.bit_rate = 128, 96, 2_000_000
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(FRAMES):
            picture = np.full((96, 128, 3), 20 + 5 * number, np.uint8) + noise.integers(0, 20, (96, 128, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def packets(path):
    """Return place and size of the packets of a file."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def numbers(images):
    return [round((float(decoded(image.image).mean()) - 29.5) / 5) for image in images]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.avi", "mjpeg"), ("a.avi", "mpeg4"), ("a.mp4", "libx264"), ("a.mkv", "libx264")],
    ids=["intra", "inter", "mp4", "mkv"],
)
async def test_a_damaged_packet_costs_its_own_frames(tmp_path, name, codec):
    """Within a clip, a packet of zeros: frames before it and, from the next key frame at the latest, after it are delivered."""
    path = clip(tmp_path / name, codec)
    place, size = packets(path)[15]
    content = bytearray(path.read_bytes())
    # Behind what the file format has before a packet: its damage is the format's affair.
    content[place + 16 : place + size] = bytes(size - 16)
    path.write_bytes(content)
    source = video(path)
    images = await listed(source)
    found = [round(image.position * 10) for image in images]
    assert found[:15] == list(range(15))
    assert set(range(20, FRAMES)) <= set(found)
    assert 15 not in found or codec != "mjpeg"
    assert source.damaged >= 1


async def test_the_frames_after_the_damage_are_themselves(tmp_path):
    """Pictures that need no other one are right from the very next."""
    path = clip(tmp_path / "a.avi", "mjpeg")
    place, size = packets(path)[15]
    content = bytearray(path.read_bytes())
    content[place + 200 : place + size] = bytes(size - 200)
    path.write_bytes(content)
    source = video(path)
    found = numbers(await listed(source))
    assert found == [*range(15), *range(16, FRAMES)]
    assert source.damaged == 1


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.avi", "mpeg4", {}),
        ("a.avi", "mjpeg", {}),
        ("a.mp4", "libx264", {"movflags": "faststart"}),
        ("a.mkv", "libx264", {}),
    ],
    ids=["avi", "mjpeg", "mp4", "mkv"],
)
async def test_a_file_that_is_cut_off_says_so_at_its_end(tmp_path, name, codec, options):
    """The frames that are there come first."""
    path = clip(tmp_path / name, codec, options)
    whole = path.read_bytes()
    assert len(await listed(video(path))) == FRAMES
    path.write_bytes(whole[: len(whole) // 2])
    images = []
    with pytest.raises(SourceError, match="cut off"):
        async for image in video(path):
            images.append(image)
    assert 5 < len(images) < FRAMES
    assert numbers(images[:5]) == [0, 1, 2, 3, 4]


async def test_a_file_without_one_good_frame_is_an_error(tmp_path):
    """Nothing to predict on is no success: it says how many packets were damaged."""
    path = clip(tmp_path / "a.avi", "mjpeg")
    content = bytearray(path.read_bytes())
    for place, size in packets(path):
        content[place + 16 : place + size] = bytes(size - 16)
    path.write_bytes(content)
    with pytest.raises(SourceError, match=f"gave no frame: {FRAMES} packets"):
        await listed(video(path))


@pytest.mark.parametrize(
    ("share", "what"), [(0.5, r"index \(moov\) is missing"), (0.999, r"cut off within its index \(moov\)")]
)
async def test_a_file_whose_index_is_cut_off_says_so(tmp_path, share, what):
    """An MP4 whose recorder was killed, or which is not wholly copied: the index stands at the end."""
    path = clip(tmp_path / "a.mp4", "libx264")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SourceError, match=f"cannot open.*{what}"):
        await listed(video(path))


async def test_a_file_that_is_no_video_is_not_called_cut(tmp_path):
    """Only an MP4 is looked into."""
    (tmp_path / "a.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(SourceError, match="Invalid data") as caught:
        await listed(video(tmp_path / "a.mp4"))
    assert "cut off" not in str(caught.value)


@pytest.fixture
def jpegs():
    """Thirty pictures of noise, of several kilobytes each."""
    noise = np.random.default_rng(5)
    return [cv2.imencode(".jpg", noise.integers(0, 255, (96, 128, 3), np.uint8))[1].tobytes() for _ in range(30)]


@pytest.mark.parametrize(
    ("first", "last", "skip"),
    [(10, 10, 700), (10, 15, 700), (10, 10, 0), (10, 15, 0), (10, 10, 200), (10, 15, 200)],
    ids=["pixels", "pixels of several", "head", "head of several", "tables", "tables of several"],
)
@pytest.mark.parametrize("is_noise", [True, False], ids=["noise", "zeros"])
async def test_damage_in_a_file_of_jpegs_costs_what_it_covers(tmp_path, jpegs, first, last, skip, is_noise):
    """Whatever is damaged, and for how long: the next picture begins with its own mark."""
    content = bytearray(b"".join(jpegs))
    start, end = sum(map(len, jpegs[:first])) + skip, sum(map(len, jpegs[: last + 1])) - 50
    noise = np.random.default_rng(1).integers(0, 256, end - start, np.uint8).tobytes().replace(b"\xff\xd8", b"\xff\xd7")
    content[start:end] = noise if is_noise else bytes(end - start)
    (tmp_path / "a.mjpeg").write_bytes(content)
    found = [image.image for image in await listed(video(tmp_path / "a.mjpeg"))]
    assert [one for one in found if one in jpegs] == [*jpegs[:first], *jpegs[last + 1 :]]
    # Zeros within the pixels, behind a whole head, are pixels: nothing in a JPEG tells.
    damaged = [one for one in found if one not in jpegs]
    assert len(damaged) == (not is_noise and skip == 700)


async def test_pictures_of_a_file_of_jpegs_are_passed_on_as_they_are(tmp_path, jpegs):
    """All of them, at FFmpeg's rate for files without a clock; a cut one is said at the end."""
    (tmp_path / "a.mjpeg").write_bytes(b"".join(jpegs))
    images = await listed(video(tmp_path / "a.mjpeg"))
    assert [image.image for image in images] == jpegs
    assert [image.position for image in images[:3]] == [0.0, 0.04, 0.08]
    (tmp_path / "a.mjpeg").write_bytes(b"".join(jpegs)[:-100])
    source, found = video(tmp_path / "a.mjpeg"), []
    with pytest.raises(SourceError, match="cut off"):
        async for image in source:
            found.append(image.image)
    assert (found, source.damaged) == (jpegs[:-1], 1)
