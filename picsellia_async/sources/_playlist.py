"""Playlists of HLS on disk: FFmpeg passes over a segment that is missing without a word. Blocking."""

from __future__ import annotations

import itertools
import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from picsellia_async._log_line import Line, write

HEAD: Final = "#EXTM3U"
END: Final = "#EXT-X-ENDLIST"
NESTED: Final = "#EXT-X-STREAM-INF"
_TIME: Final = "#EXTINF:"
_KEY: Final = "#EXT-X-KEY:"
_MAP: Final = "#EXT-X-MAP:"
_URI: Final = re.compile(r'[:,]URI="([^"]*)"')
_NAMED_MAX: Final = 5
_PAGE_BYTES: Final = 64
_PAGE: Final = re.compile(rb"\s*<[!?A-Za-z]")
"""How HTML and XML begin."""
_BYTES_MAX: Final = 2**24
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@attrs.frozen
class Playlist:
    """What a playlist says, and what of that is not there."""

    lacking: tuple[str, ...]
    """Segments that FFmpeg will pass over, and why, in words."""
    segments: int
    """Lines with a segment."""
    is_readable: bool
    """Whether all of these are there, and something else is not: a key, the beginning of MP4 pieces, a time."""
    has_end: bool
    """Whether it says that it is complete."""
    begins: float = 0.0
    """Seconds of the segments before the first one that is there."""

    @property
    def what_lacks(self) -> str:
        """The first of them by name, and how many there are."""
        more = len(self.lacking) - _NAMED_MAX
        what = "cannot be played" if self.is_readable else "are not there"
        return (
            f"{len(self.lacking)} of {self.segments} segments {what}: {', '.join(self.lacking[:_NAMED_MAX])}"
            f"{f', and {more} more' if more > 0 else ''}"
        )


def read_playlist(path: Path) -> Playlist | None:
    """Return what a playlist of segments says; None for one of playlists, for any other file, and for one that cannot be read."""
    try:
        with path.open("rb") as file:
            if not file.read(len(HEAD) + 3).removeprefix(b"\xef\xbb\xbf").startswith(HEAD.encode()):
                return None
            file.seek(0)
            lines = [line.strip() for line in file.read(_BYTES_MAX).decode("utf-8-sig", "replace").splitlines()]
    except OSError:  # FFmpeg, which opens it next, says why
        return None
    if any(line.startswith(NESTED) for line in lines):
        return None
    segments = list(_segments(lines))
    lacking = {number: why for number, one in enumerate(segments) if (why := _why_lacking(path.parent, one))}
    return Playlist(
        tuple(f"{segments[number].name!r} {why}" for number, why in lacking.items()),
        len(segments),
        is_readable=not any(_why_missing(path.parent, segments[number].name) for number in lacking),
        has_end=END in lines,
        begins=sum(one.seconds for _, one in itertools.takewhile(lambda item: item[0] in lacking, enumerate(segments))),
    )


def tell_what_lacks(playlist: Playlist | None, shown: str) -> int:
    """Tell the log of the segments that FFmpeg will pass over; return how many there are."""
    if playlist is None:
        return 0
    if playlist.lacking:
        text = f"{shown}: {playlist.what_lacks}"
        write(Line(logging.WARNING, text, {"video": shown, "missing": len(playlist.lacking)}))
    if not playlist.has_end:
        text = (
            f"{shown}: the playlist has no end ({END}), as of a recording that was stopped or goes on: frames may be missing behind its "
            "last one"
        )
        write(Line(logging.WARNING, text, {"video": shown}))
    return len(playlist.lacking)


@attrs.frozen
class _Segment:
    name: str
    has_time: bool
    seconds: float
    """By the playlist; 0 where it does not say."""
    key: str
    """What it is encrypted with; empty for none."""
    beginning: str
    """The file that pieces of MP4 begin with; empty for none."""


def _segments(lines: list[str]) -> Iterator[_Segment]:
    """Yield the segments; one may stand behind the end, which RFC 8216 allows anywhere, and FFmpeg plays it."""
    key = beginning = ""
    has_time, seconds = False, 0.0
    for line in lines:
        if line.startswith(_TIME):
            has_time, seconds = True, _seconds(line)
        elif line.startswith((_KEY, _MAP)):
            found = _URI.search(line)
            name = found[1] if found else ""
            key, beginning = (name, beginning) if line.startswith(_KEY) else (key, name)
        elif line and not line.startswith("#"):
            yield _Segment(line, has_time, seconds, key, beginning)
            has_time, seconds = False, 0.0


def _seconds(line: str) -> float:
    try:
        found = float(line.removeprefix(_TIME).partition(",")[0])
    except ValueError:
        return 0.0
    return found if math.isfinite(found) and found > 0 else 0.0


def _why_lacking(folder: Path, segment: _Segment) -> str:
    """Return why FFmpeg passes over a segment; empty where it does not."""
    if not segment.has_time:
        return f"has no time ({_TIME}) before it"
    for needed, what in ((segment.key, "key"), (segment.beginning, "beginning (#EXT-X-MAP)")):
        why = _why_missing(folder, needed) if needed else ""
        if why:
            return f"needs its {what} {needed!r}, which {why}"
    why = _why_missing(folder, segment.name)
    if not why and not segment.key and not _URL.match(segment.name) and _is_page(folder / segment.name):
        return "is a page of text"
    return why


def _is_page(path: Path) -> bool:
    """Return whether a server answered with a page, which was stored in place of a segment."""
    with path.open("rb") as file:
        return _PAGE.match(file.read(_PAGE_BYTES)) is not None


def _why_missing(folder: Path, name: str) -> str:
    """Return what is wrong with a file of a playlist; empty for none, and for an address.

    FFmpeg takes names as they are written: `a%20b.ts` is no `a b.ts`, and behind `file:` is a path of the system.
    """
    path = Path(name.removeprefix("file:")) if name.startswith("file:") else folder / name
    if _URL.match(name) and not name.startswith("file:"):
        return ""
    try:
        if not path.is_file():
            return "is missing"
        return "" if path.stat().st_size else "is empty"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
