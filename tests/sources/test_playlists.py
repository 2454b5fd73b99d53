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


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("s%202.ts", "'s%202.ts' is missing"),
        ("file:///no/where/s2.ts", "'file:///no/where/s2.ts' is missing"),
        ("file://{folder}/s%202.ts", "s%202.ts' is missing"),
        ('#EXT-X-KEY:METHOD=AES-128,URI="gone.key"\n{time}s2.ts\n#EXT-X-KEY:METHOD=NONE', "needs its key 'gone.key', which is missing"),
    ],
    ids=["percent", "file address", "percent in an address", "key"],
)  # fmt: skip
async def test_what_ffmpeg_passes_over_by_its_own_way_of_reading_is_counted_and_named(playlist, caplog, line, why):
    """It takes names as they are written, and leaves out what it has no key for."""
    path = playlist()
    time = "#EXTINF:1,\n"
    (path.parent / "s 2.ts").write_bytes((path.parent / "s2.ts").read_bytes())
    text = path.read_text()
    given = line.format(folder=path.parent, time=time)
    path.write_text(text.replace(f"{time}s2.ts", given if given.startswith("#") else time + given))
    source = video(path)
    assert len(await listed(source)) == (SEGMENTS - 1) * FRAMES
    assert source.damaged == 1
    ((level, message),) = told(caplog)
    assert level == "WARNING"
    assert why in message


async def test_a_segment_without_a_time_is_counted_and_named(playlist, caplog):
    """FFmpeg takes the line for none, though its file is there."""
    path = playlist()
    path.write_text(path.read_text().replace("#EXTINF:1,\ns2.ts", "s2.ts"))
    source = video(path)
    assert len(await listed(source)) == (SEGMENTS - 1) * FRAMES
    assert source.damaged == 1
    ((_, message),) = told(caplog)
    assert "1 of 5 segments cannot be played: 's2.ts' has no time (#EXTINF:) before it" in message


@pytest.mark.parametrize(
    ("tag", "what"),
    [
        ('#EXT-X-KEY:METHOD=AES-128,URI="gone.key"\n', "needs its key 'gone.key', which is missing"),
        ('#EXT-X-MAP:URI="gone.mp4"\n', r"needs its beginning \(#EXT-X-MAP\) 'gone.mp4', which is missing"),
    ],
)
async def test_a_playlist_that_cannot_be_opened_names_the_file_that_it_lacks(playlist, tag, what):
    """FFmpeg calls that invalid data, or no file, without its name."""
    with pytest.raises(SourceError, match=f"5 of 5 segments cannot be played: 's0.ts' {what}"):
        await listed(video(playlist(more=tag)))


async def test_names_as_they_are_written_and_addresses_of_files_are_there(playlist, caplog):
    """A percent sign that is the file's own, `file:`, and a segment behind the end, where the tag may stand anywhere."""
    path = playlist()
    (path.parent / "s2.ts").rename(path.parent / "s%202.ts")
    text = path.read_text().replace("s2.ts", "s%202.ts").replace("s1.ts", f"file://{path.parent}/s1.ts")
    end = "#EXT-X-ENDLIST\n"
    last = "#EXTINF:1,\ns4.ts\n"
    path.write_text(text.replace(last + end, end + last))
    source = video(path)
    assert len(await listed(source)) == SEGMENTS * FRAMES
    assert (source.damaged, told(caplog)) == (0, [])
