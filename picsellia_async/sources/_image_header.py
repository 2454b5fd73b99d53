"""Width and height of a JPEG or PNG from its first bytes, without decoding it. Blocking: for threads."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from picsellia_async.errors import FileNotFoundException, FileNotReadableError
from picsellia_async.sources._errors import SourceError

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15; C4, C8 and CC mean something else (ITU-T T.81, table B.1)."""
_BARE_MARKERS: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length: TEM, RST0 to RST7, SOI."""


def image_size(file: BinaryIO) -> tuple[int, int] | None:
    """Return width and height in pixels as they are stored (EXIF orientation is not applied); None where they are not found."""
    start = file.read(24)
    if start.startswith(_PNG):
        is_whole = len(start) == 24 and start[12:16] == b"IHDR"
        size = (int.from_bytes(start[16:20]), int.from_bytes(start[20:24])) if is_whole else None
    elif start.startswith(b"\xff\xd8"):
        file.seek(2)
        size = _jpeg_size(file)
    else:
        size = None
    return size if size and all(size) else None


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Go from segment to segment until the one that describes the frame."""
    while True:
        if file.read(1) != b"\xff":
            return None
        marker = 0xFF
        while marker == 0xFF:  # any number of fill bytes
            read = file.read(1)
            if not read:
                return None
            marker = read[0]
        if marker in _BARE_MARKERS:
            continue
        length = int.from_bytes(file.read(2))
        if length < 2:
            return None
        if marker in _FRAME_MARKERS:
            body = file.read(5)
            return (int.from_bytes(body[3:5]), int.from_bytes(body[1:3])) if len(body) == 5 else None
        file.seek(length - 2, 1)


def file_facts(path: Path) -> tuple[tuple[int, int] | None, float]:
    """Return size (None where it is not found) and modification time (epoch seconds) of an image file.

    Raises:
        SourceError: The file is not there or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{os.fspath(path)!r} is no file")
        with path.open("rb") as file:
            return image_size(file), status.st_mtime
    except FileNotFoundError:
        raise SourceError(f"there is no file {os.fspath(path)!r}") from None
    except OSError as error:
        raise SourceError(f"{os.fspath(path)!r} cannot be read: {error.strerror}") from error


def known_size(path: Path) -> tuple[int, int]:
    """Return width and height of an image file.

    Raises:
        SourceError: The file is not there, cannot be read, or does not begin as a JPEG or PNG.
    """
    size, _ = file_facts(path)
    if size is None:
        raise SourceError(
            f"{os.fspath(path)!r} does not begin as a JPEG or PNG, so that its width and height are unknown"
        )
    return size


def open_source(path: Path, name: str) -> BinaryIO:
    """Open a file that the caller named.

    Raises:
        ConfigurationError: It is not there, or cannot be read.
    """
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise FileNotFoundException(f"{name}: there is no file {os.fspath(path)!r}") from error
    except OSError as error:
        raise FileNotReadableError(f"{name}: {os.fspath(path)!r} cannot be read: {error.strerror}") from error
