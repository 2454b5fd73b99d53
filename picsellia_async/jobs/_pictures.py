"""The digests of pictures: those of files are read once, and known again by path, size and time. Blocking: for threads."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from picsellia_async._content_digest import content_digest
from picsellia_async.config import IMAGE_BYTES_MAX
from picsellia_async.frames import Frame
from picsellia_async.jobs._identity import UNREADABLE
from picsellia_async.jobs._journal import Journal

_SETTLED_NS: Final = 2_000_000_000
"""A file may change twice within one tick of the clock of its file system: what was written a moment ago is read again."""


def pictures(frames: Sequence[Frame], journal: Journal) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return the digest of each frame's picture, and those of files that the journal does not know yet.

    A picture in the storage is known by its name there.

    Raises:
        JournalError: The journal cannot be read.
    """
    versions = {frame.image: _version_of(frame.image) for frame in frames if isinstance(frame.image, Path)}
    known = journal.pictures([version for version, _ in versions.values() if version])
    read: dict[bytes, bytes] = {}
    found: list[bytes] = []
    for frame in frames:
        image = frame.image
        if isinstance(image, bytes):
            found.append(content_digest(image))
            continue
        if image is None:
            found.append(content_digest(f"object {frame.object_name}".encode()))
            continue
        version, is_settled = versions[image]
        picture = known.get(version)
        if picture is None:
            picture = known[version] = _read(image) if version else UNREADABLE
            if is_settled and picture != UNREADABLE:
                read[version] = picture
        found.append(picture)
    return found, read


def _version_of(path: Path) -> tuple[bytes, bool]:
    """Return what tells a file and its version, and whether it has been so for a while; nothing where it cannot be sent."""
    try:
        state = path.stat()
    except OSError:
        return b"", False
    if not stat.S_ISREG(state.st_mode) or state.st_size > IMAGE_BYTES_MAX:
        return b"", False  # the uploader refuses it, and says why
    facts = f"{os.path.abspath(path)}\0{state.st_size}\0{state.st_mtime_ns}"  # noqa: PTH100 - Path.absolute keeps `..`
    return content_digest(facts.encode(errors="surrogateescape")), time.time_ns() - state.st_mtime_ns > _SETTLED_NS


def _read(path: Path) -> bytes:
    try:
        return content_digest(path.read_bytes())
    except OSError:
        return UNREADABLE
