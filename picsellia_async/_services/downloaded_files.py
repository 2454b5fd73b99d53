"""Which object each downloaded file is of: names need not be unique, and one picture must not be taken for another. Pure."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Final
from uuid import UUID

import attrs

from picsellia_async.errors import DownloadError

_FILES_MAX: Final = 100_000
"""Files that are remembered; the oldest are forgotten first."""


@attrs.define(eq=False)
class DownloadedFiles:
    """The files that the handles of one account have written, or are writing."""

    _owners: OrderedDict[str, UUID] = attrs.field(factory=OrderedDict, init=False)
    _told: OrderedDict[str, None] = attrs.field(factory=OrderedDict, init=False)

    def claim(self, path: Path, owner: UUID, *, may_replace: bool) -> bool:
        """Take a file for an object; return whether it has been the object's before.

        Args:
            path: The file.
            owner: Id of the object.
            may_replace: Whether another object's file may be taken.

        Raises:
            DownloadError: It is another object's. Nothing was sent.
        """
        key = str(path.absolute())
        before = self._owners.get(key)
        if before not in (None, owner) and not may_replace:
            raise DownloadError(
                f"{path.name!r} in {str(path.parent)!r} is another picture, {before}, which was downloaded before, and {owner} has the "
                "same name: use_id=True names files by id, which are unique; force_replace=True replaces it"
            )
        self._owners[key] = owner
        self._owners.move_to_end(key)
        if len(self._owners) > _FILES_MAX:
            self._owners.popitem(last=False)
        return before == owner

    def release(self, path: Path) -> None:
        """Give a file back that was not written."""
        self._owners.pop(str(path.absolute()), None)

    def is_first(self, directory: Path) -> bool:
        """Return whether this is the first file that was in a directory before anything was downloaded."""
        key = str(directory.absolute())
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > _FILES_MAX:
            self._told.popitem(last=False)
        return True
