"""`ImageVersion`: tells whether the picture in a file is still the one that a line of results is about. Blocking: for threads."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import Final

import attrs

from picsellia_async._content_digest import file_digest
from picsellia_async.config import IMAGE_BYTES_MAX

_SETTLED_NS: Final = 2_000_000_000
"""A file may change twice within one tick of the clock of its file system: the time of one written a moment ago says nothing."""


@attrs.frozen
class ImageVersion:
    """The picture that was in a file: its content, known again without reading it by size and time."""

    size: int = 0
    modified_ns: int = 0
    """0 where it was written a moment before; then the content alone tells."""
    digest: str = ""
    """Of the content, XXH3-128; "" of a file that could not be read, which is no version of any picture."""

    @classmethod
    def of(cls, path: Path) -> ImageVersion:
        """Read a file, which may be gone."""
        try:
            state = path.stat()
            is_settled = time.time_ns() - state.st_mtime_ns > _SETTLED_NS
            if not stat.S_ISREG(state.st_mode) or state.st_size > IMAGE_BYTES_MAX:
                return cls()
            return cls(state.st_size, state.st_mtime_ns if is_settled else 0, file_digest(path))
        except OSError:
            return cls()

    @classmethod
    def read(cls, fields: object) -> ImageVersion | None:
        """Return what `fields` of a line says; None where it is none."""
        if not isinstance(fields, dict) or fields.keys() != {one.name for one in attrs.fields(cls)}:
            return None
        size, modified, digest = fields["size"], fields["modified_ns"], fields["digest"]
        if type(size) is not int or type(modified) is not int or not isinstance(digest, str):
            return None
        return cls(size, modified, digest)

    def may_be_in(self, path: Path) -> bool:
        """Return whether the file has as many bytes, which costs no reading.

        Raises:
            OSError: It is not there.
        """
        return bool(self.digest) and path.stat().st_size == self.size

    def is_in(self, path: Path) -> bool:
        """Return whether the file holds this picture.

        Raises:
            OSError: It cannot be read.
        """
        return self.may_be_in(path) and (
            self.modified_ns == path.stat().st_mtime_ns or file_digest(path) == self.digest
        )
