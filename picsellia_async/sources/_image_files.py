"""Files that a source reads: what an image file holds, and text of other tools in whatever encoding. Blocking: for threads."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

import attrs
import orjson

from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import FileNotFoundException, FileNotReadableError
from picsellia_async.image_header import (
    CGBI,
    SIGNATURE_BYTES,
    TAIL_BYTES,
    WINDOW_BYTES,
    ImageHeader,
    OrientationRule,
    ends_at_once,
    has_end,
    looks_like,
    read_file_header,
    read_header,
)
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._other_text import what_it_is
from picsellia_async.sources._repeated_keys import has_repeated, parsed_slowly

GZIP: Final = b"\x1f\x8b"
"""First bytes of what gzip packed."""
ZIP: Final = b"PK\x03\x04"
"""First bytes of a zip."""


@attrs.frozen
class ImageFile:
    """What is known of an image without decoding it."""

    path: Path
    header: ImageHeader
    modified: float
    """Epoch seconds."""

    @property
    def content_type(self) -> SupportedContentType:
        """What the file holds, whatever its name says."""
        return SupportedContentType.of(self.header.format)

    def size(self, orientation: OrientationRule) -> tuple[int, int]:
        """Return width and height in pixels, as shown or as stored."""
        return self.header.shown_size if orientation == "shown" else self.header.stored_size


def image_file(path: Path) -> ImageFile:
    """Return the facts of an image file.

    Raises:
        SourceError: The file is not there, cannot be read, is no JPEG or PNG whatever its name says, or is cut off.
    """
    name = repr(os.fspath(path))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
            raise SourceError(f"{name} is no file")
        with path.open("rb", buffering=0) as file:
            start = file.read(WINDOW_BYTES)
            header = read_header(start) or (read_file_header(path) if len(start) == WINDOW_BYTES else None)
            if header is None:
                raise SourceError(f"{name} cannot be used as JPEG or PNG: {looks_like(start[:SIGNATURE_BYTES])}")
            if header.format == "CgBI":
                raise SourceError(f"{name} is {CGBI}")
            if _is_cut(file, status.st_size):
                raise SourceError(f"{name} is cut off: its picture has no end")
    except FileNotFoundError:
        gone = f"{name} is a link to a file that is gone" if path.is_symlink() else f"there is no file {name}"
        raise SourceError(gone) from None
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}") from error
    return ImageFile(path, header, status.st_mtime)


def _is_cut(file: BinaryIO, size: int) -> bool:
    """Return whether the picture's end is missing; nearly always the last bytes tell."""
    file.seek(max(0, size - TAIL_BYTES))
    if ends_at_once(file.read()):
        return False
    file.seek(0)
    return not has_end(file.read())


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


def text_encoding(start: bytes) -> str:
    """Return the encoding of a text by its first bytes: UTF-8 or UTF-16, with or without a byte order mark."""
    encoding = json.detect_encoding(start[:4])
    return "utf-8-sig" if encoding == "utf-8" else encoding


def parsed_json(content: bytes) -> object:
    """Return what JSON says; NaN and Infinity, which JSON does not have but many tools write, are read as such.

    Objects that say a key twice are `RepeatedKeys`: parsers take the last one in silence.

    Raises:
        SourceError: It is no JSON.
    """
    is_over = False
    try:
        found = orjson.loads(content)
        if not has_repeated(content, found):
            return found  # nearly all
    except orjson.JSONDecodeError as error:
        is_over = "unexpected end of data" in str(error)
    if content.startswith(GZIP):
        raise SourceError("it is packed with gzip: unpack it first")
    if content.startswith(ZIP):
        raise SourceError("it is a zip: unpack it first")
    text = decoded_text(content)
    try:
        return parsed_slowly(text)
    except json.JSONDecodeError as error:
        if what := what_it_is(text):
            raise SourceError(f"no JSON: {what}") from None
        rest = text[error.pos :]
        # Behind a place where a text was cut no bracket is closed.
        if is_over or error.msg.startswith("Unterminated string") or not ("]" in rest or "}" in rest):
            raise SourceError(f"no JSON: it is cut off, and ends {_place(text)}: {error.msg}") from None
        raise SourceError(f"no JSON: {error}") from None
    except (ValueError, RecursionError) as error:
        raise SourceError(f"no JSON: {error}") from None


def decoded_text(content: bytes) -> str:
    """Return a text in UTF-8 or UTF-16.

    Raises:
        SourceError: It is in neither.
    """
    try:
        return content.decode(text_encoding(content))
    except UnicodeDecodeError as error:
        raise SourceError(
            f"it is not in {error.encoding.upper()}: byte {content[error.start]:#04x} at position {error.start}; Latin-1, perhaps? Write "
            "it in UTF-8"
        ) from None


def _place(text: str) -> str:
    """Return where a text ends."""
    line = text.count("\n") + 1
    if line == 1:
        return f"after {len(text)} characters"
    return f"in line {line} after {len(text) - text.rfind(chr(10)) - 1} characters ({len(text)} in all)"
