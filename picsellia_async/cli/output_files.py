"""Files that a command writes: none of what it reads, and none of another kind that is there already. Blocking."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

from picsellia_async.errors import ConfigurationError
from picsellia_async.monitor_options import EXTENSIONS

_LINE_BYTES_MAX: Final = 2**26
"""Of a first line that is looked at: a manifest may hold masks."""
_READ: Final = frozenset({*EXTENSIONS, ".txt", ".yaml", ".yml", ".names"})
"""Extensions of what is read in a folder; a file of failures may lie beside the images."""


def check_output(path: Path, option: str, inputs: Iterable[Path]) -> None:
    """Refuse a file to be written that is an input, under whatever name, or lies as one in a folder that is read.

    Args:
        path: The file; it need not be there.
        option: Names it in messages.
        inputs: Files and folders that are read.

    Raises:
        ConfigurationError: It is one, or a folder.
    """
    if path.is_dir():
        raise ConfigurationError(f"{option}: {str(path)!r} is a folder")
    if not path.is_file():
        return  # not there, or a pipe or device, which holds nothing that could be lost
    file = path.stat()
    for one in inputs:
        # By identity: links and other spellings of the path are the same file.
        if any(found == (file.st_dev, file.st_ino) for found in _files(one)):
            raise ConfigurationError(f"{option}: {str(path)!r} is an input, read for {str(one)!r}, which would be lost")


def _files(path: Path) -> Iterator[tuple[int, int]]:
    """Yield device and number of a file, or of each file of a folder that may be read."""
    if not path.is_dir():
        if path.exists():
            status = path.stat()
            yield status.st_dev, status.st_ino
        return
    for folder, _, names in os.walk(path, followlinks=False):
        for name in names:
            if os.path.splitext(name)[1].lower() not in _READ:  # noqa: PTH122 - a folder may hold millions
                continue
            try:
                status = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 - see above
            except OSError:
                continue  # a link to nothing
            yield status.st_dev, status.st_ino


def check_own_lines(path: Path, option: str, fields: frozenset[str], what: str) -> None:
    """Refuse a file that is there, holds something, and was not written by the command.

    Args:
        path: The file; it need not be there.
        option: Names it in messages.
        fields: What each line of the command's own files has.
        what: What such a file is.

    Raises:
        ConfigurationError: Its first line is none of these; or it cannot be read.
    """
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            first = file.readline(_LINE_BYTES_MAX)
    except OSError as error:
        raise ConfigurationError(f"{option}: {error}") from error
    try:
        line = json.loads(first) if first else None
    except ValueError:
        line = {}
    if first and not (isinstance(line, dict) and fields <= line.keys()):
        raise ConfigurationError(
            f"{option}: {str(path)!r} is there and {what}: what is in it would be lost; give another file, or remove it"
        )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, unless it holds this already. It has its name once it is whole and on the disk: a part of it is of no use.

    Raises:
        OSError: It cannot be written; one that was there is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # it is not there
        if path.read_bytes() == content:
            return
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
