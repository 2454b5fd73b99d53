"""Playlists of HLS on disk: FFmpeg passes over a segment that is missing without a word. Blocking."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import attrs

from picsellia_async._log_line import Line, write

HEAD: Final = "#EXTM3U"
END: Final = "#EXT-X-ENDLIST"
NESTED: Final = "#EXT-X-STREAM-INF"
_NAMED_MAX: Final = 5
_BYTES_MAX: Final = 2**24
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@attrs.frozen
class Playlist:
    """What a playlist says, and what of that is not there."""

    lacking: tuple[str, ...]
    """Segments that are missing or empty, or cannot be looked at, in words."""
    segments: int
    """Lines with a segment."""
    has_end: bool
    """Whether it says that it is complete."""

    @property
    def what_lacks(self) -> str:
        """The first of them by name, and how many there are."""
        more = len(self.lacking) - _NAMED_MAX
        return (
            f"{len(self.lacking)} of {self.segments} segments are not there: {', '.join(self.lacking[:_NAMED_MAX])}"
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
    names = [line for line in lines if line and not line.startswith("#")]
    lacking = [f"{name!r} {why}" for name in names if (why := _why_lacking(path.parent, name))]
    return Playlist(tuple(lacking), len(names), END in lines)


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


def _why_lacking(folder: Path, name: str) -> str:
    """Return what is wrong with a segment; empty for none, and for an address."""
    if _URL.match(name):
        return ""
    try:
        found = next((one for one in (folder / name, folder / unquote(name)) if one.is_file()), None)
        if found is None:
            return "is missing"
        return "" if found.stat().st_size else "is empty"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
