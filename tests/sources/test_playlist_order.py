"""Segments of HLS that share one clock: what is missing is counted as pictures, once, and another order loses nothing."""

from __future__ import annotations

import pytest

from picsellia_async.sources import video
from picsellia_async.sources._playlist import read_playlist

from ..support.sources import listed, write_h264

pytest.importorskip("av")
pytestmark = pytest.mark.anyio

FRAMES, SEGMENTS, RATE = 10, 6, 10
BEGINS = 10.0


@pytest.fixture
def playlist(tmp_path):
    """Return what writes a playlist of segments that follow one another, in the order of the numbers."""
    for number in range(SEGMENTS):
        write_h264(tmp_path / f"s{number}.ts", FRAMES, rate=RATE, begins=BEGINS + number)

    def write(numbers=range(SEGMENTS)):
        lines = [f"#EXTINF:1.0,\ns{number}.ts\n" for number in numbers]
        path = tmp_path / "list.m3u8"
        path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n" + "".join(lines) + "#EXT-X-ENDLIST\n")
        return path

    return write


CONTENTS = {"missing": None, "empty": b"", "page": b"\n<!DOCTYPE html><html>404</html>" * 100}


@pytest.mark.parametrize("content", CONTENTS)
async def test_a_segment_that_lacks_is_counted_by_its_pictures_and_named(playlist, caplog, content):
    """Whatever lies in its place."""
    path = playlist()
    segment = path.parent / "s2.ts"
    segment.unlink()
    if CONTENTS[content] is not None:
        segment.write_bytes(CONTENTS[content])
    source = video(path)
    assert len(await listed(source)) == (SEGMENTS - 1) * FRAMES
    assert source.damaged == FRAMES
    assert [one for one in caplog.records if "'s2.ts' is " in one.getMessage()]


@pytest.mark.parametrize("numbers", [[0, 1, 3, 2, 4, 5], [0, 4, 1, 2, 3, 5], [0, 1, 2, 3, 4, 5, 5]])
async def test_another_order_loses_nothing(playlist, numbers):
    """What was taken for missing comes yet; one that is there twice is read twice."""
    source = video(playlist(numbers))
    assert len(await listed(source)) == len(numbers) * FRAMES
    assert source.damaged == 0


@pytest.mark.parametrize("count", [1, 2])
async def test_the_time_begins_where_the_first_segment_would(playlist, count):
    """It is missing: those behind it keep their places, and their times with `started_at`."""
    path = playlist()
    for number in range(count):
        (path.parent / f"s{number}.ts").unlink()
    images = await listed(video(path, started_at=1000.0))
    assert [image.position for image in images] == pytest.approx(
        [count + number / RATE for number in range((SEGMENTS - count) * FRAMES)], abs=0.02
    )
    assert images[-1].timestamp == pytest.approx(1000.0 + images[-1].position)


async def test_an_encrypted_segment_is_no_page(playlist):
    """Its bytes may begin as they like."""
    path = playlist()
    path.write_text(path.read_text().replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF', 1))
    (path.parent / "k").write_bytes(b"<a" + bytes(14))
    (path.parent / "s0.ts").write_bytes(b"<a" + bytes(1000))
    found = read_playlist(path)
    assert found is not None
    assert found.lacking == ()
