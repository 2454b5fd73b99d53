"""Pictures that are shown before the damaged one that they build on are marked as well."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from picsellia_async.sources import camera, video

from ..support.sources import listed, served

av = pytest.importorskip("av")
pytestmark = pytest.mark.anyio

FRAMES, GROUP = 60, 20


def clip(path, codec):
    """Write moving noise with two pictures between those that they build on, and a key frame each twenty."""
    noise = np.random.default_rng(5).integers(0, 255, (96, 160, 3), np.uint8)
    options = {"g": str(GROUP), "bf": "2"} | ({"x264-params": "b-adapt=0:scenecut=0"} if codec == "libx264" else {})
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 160, 96, "yuv420p", 2_000_000
        for number in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, 3 * number, 1), format="rgb24")))
        container.mux(stream.encode())
    return path


def sent_ahead(path):
    """Return places and sizes of the packets whose pictures are shown behind those that follow, but for the first."""
    with av.open(str(path)) as container:
        found = [one for one in container.demux(video=0) if one.size]
    return [(one.pos, one.size) for one, other in itertools.pairwise(found) if other.pts < one.pts][1:]


def damaged(content, place, size):
    """Return a file with noise in the middle of a picture."""
    noise = np.random.default_rng(1).integers(0, 256, 60, np.uint8).tobytes()
    at = place + size // 2
    return content[:at] + noise + content[at + len(noise) :]


def unlike(found, right):
    """Return the pictures that are not those of the whole video."""
    return [one for one in found if (one.pixels != right[round(one.position * 25)].pixels).any()]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.ts", "mpeg2video")]
)
async def test_each_picture_that_differs_is_marked(tmp_path, name, codec):
    """Wherever the damage is; MPEG-2 shows pictures before a key frame that build on the group before as well."""
    whole = clip(tmp_path / name, codec)
    right = {round(one.position * 25): one for one in await listed(video(whole, pixels="rgb"))}
    content, differed = whole.read_bytes(), 0
    for place, size in sent_ahead(whole):
        (tmp_path / f"damaged-{name}").write_bytes(damaged(content, place, size))
        source = video(tmp_path / f"damaged-{name}", pixels="rgb")
        found = await listed(source)
        wrong = unlike(found, right)
        differed += len(wrong)
        if source.damaged:  # else neither the decoder nor the container knows
            assert all(one.is_corrupted for one in wrong)
        assert [one.position for one in found] == sorted(one.position for one in found)
    assert differed > FRAMES


async def test_a_live_stream_waits_for_what_its_pictures_build_on(tmp_path):
    """A camera that sends pictures ahead; `discard_corrupted` then leaves them out."""
    whole = clip(tmp_path / "a.ts", "libx264")
    right = {round(one.position * 25): one for one in await listed(video(whole, pixels="rgb"))}
    place, size = sent_ahead(whole)[3]
    (tmp_path / "b.ts").write_bytes(damaged(whole.read_bytes(), place, size))
    async with served((tmp_path / "b.ts").read_bytes()) as url:
        source = camera(url, policy="wait", reconnect=None, pixels="rgb", discard_corrupted=True)
        found = await listed(source)
    assert source.statistics().damaged == 1
    assert found
    assert not unlike(found, right)
