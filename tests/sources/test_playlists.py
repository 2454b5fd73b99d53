"""A playlist of HLS on disk tells what of it is not there."""

from __future__ import annotations

import pytest

from picsellia_async.sources import SourceError, video

from ..support.sources import listed

pytest.importorskip("av")
pytestmark = pytest.mark.anyio

FRAMES, SEGMENTS = 10, 5


@pytest.fixture
def playlist(tmp_path, make_clip):
    """Write segments, and a playlist of them."""

    def write(*, end="#EXT-X-ENDLIST\n", more=""):
        lines = []
        for number in range(SEGMENTS):
            make_clip(tmp_path / f"s{number}.ts", frames=FRAMES)
            lines.append(f"#EXTINF:1,\ns{number}.ts\n")
        path = tmp_path / "list.m3u8"
        path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-VERSION:3\n" + more + "".join(lines) + end)
        return path

    return write


def told(caplog):
    return [
        (one.levelname, one.getMessage())
        for one in caplog.records
        if one.name == "picsellia_async" and "clock" not in one.getMessage()
    ]


@pytest.mark.parametrize("number", [0, 2, SEGMENTS - 1])
@pytest.mark.parametrize("what", ["missing", "empty"])
async def test_a_segment_that_is_not_there_is_counted_and_named(playlist, caplog, number, what):
    """Wherever it stands: FFmpeg goes on with the next one."""
    path = playlist()
    segment = path.parent / f"s{number}.ts"
    if what == "missing":
        segment.unlink()
    else:
        segment.write_bytes(b"")
    source = video(path)
    assert len(await listed(source)) == (SEGMENTS - 1) * FRAMES
    assert source.damaged == 1
    ((level, message),) = told(caplog)
    assert level == "WARNING"
    assert f"'s{number}.ts' is {what}" in message


async def test_a_whole_playlist_says_nothing(playlist, caplog):
    """Its segments are there, and it has an end; an address in it is left alone."""
    source = video(playlist())
    assert len(await listed(source)) == SEGMENTS * FRAMES
    assert source.damaged == 0
    assert not told(caplog)


async def test_a_playlist_without_one_segment_names_them(playlist):
    """FFmpeg calls that invalid data."""
    path = playlist()
    for number in range(SEGMENTS):
        (path.parent / f"s{number}.ts").unlink()
    with pytest.raises(SourceError, match=r"5 of 5 segments are not there: 's0\.ts' is missing, "):
        await listed(video(path))


async def test_a_playlist_without_an_end_is_told_and_read_from_its_beginning(playlist, caplog):
    """A recording that was stopped: FFmpeg takes it for live, and begins with the third segment before its end."""
    source = video(playlist(end=""), timeout=2)
    assert len(await listed(source)) == SEGMENTS * FRAMES
    ((level, message),) = told(caplog)
    assert level == "WARNING"
    assert "#EXT-X-ENDLIST" in message


async def test_a_segment_in_a_closed_folder_is_counted_and_named(playlist, caplog, monkeypatch):
    """FFmpeg passes over it as over one that is missing."""
    path = playlist()
    segment = path.parent / "s2.ts"
    segment.unlink()
    is_file = type(path).is_file

    def closed(one):
        if one.name == segment.name:
            raise PermissionError(13, "Permission denied", str(one))
        return is_file(one)

    monkeypatch.setattr(type(path), "is_file", closed)
    source = video(path)
    assert len(await listed(source)) == (SEGMENTS - 1) * FRAMES
    assert source.damaged == 1
    ((level, message),) = told(caplog)
    assert level == "WARNING"
    assert "'s2.ts' cannot be looked at: Permission denied" in message
