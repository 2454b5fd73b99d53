"""`VideoVersion`: which video a frame is of, known again where it was touched, moved or linked. Blocking: for threads."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import attrs

from picsellia_async._content_digest import content_digest

_PART_BYTES: Final = 2**20


@attrs.frozen
class VideoVersion:
    """A video as it was in a file."""

    path: str
    digest: str
    """XXH3-128 of its size and its first, middle and last MiB: a video of many GB is not read to know it."""

    @classmethod
    def of(cls, path: Path) -> VideoVersion | None:
        """Look at a file; None where it cannot be read, or is none, as a pipe or a device."""
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe waits, and reading it takes what it holds
                return None
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                parts = [b"%d" % size]
                for start in sorted({0, max(0, (size - _PART_BYTES) // 2), max(0, size - _PART_BYTES)}):
                    file.seek(start)
                    parts.append(file.read(_PART_BYTES))
        except OSError:
            return None
        return cls(os.path.abspath(path), content_digest(b"".join(parts)).hex())  # noqa: PTH100 - Path.absolute keeps `..`

    @classmethod
    def read(cls, fields: object) -> VideoVersion | None:
        """Return what `fields` of a line says; None where it is none."""
        if not isinstance(fields, dict) or fields.keys() != {"path", "digest"}:
            return None
        path, digest = fields["path"], fields["digest"]
        return cls(path, digest) if isinstance(path, str) and isinstance(digest, str) else None
