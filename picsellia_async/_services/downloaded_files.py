"""Which object each downloaded file is of: names need not be unique, and one picture must not be taken for another."""

from __future__ import annotations

import contextlib
import os
from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self
from uuid import UUID

import attrs

from picsellia_async.errors import DownloadError

_FILES_MAX: Final = 100_000
"""Files that are remembered; the oldest are forgotten first."""


@attrs.frozen
class File:
    """Where an object is to be written."""

    path: Path
    key: str
    """The same for all spellings of one place."""
    is_there: bool
    """Whether there is a file."""

    @classmethod
    def at(cls, path: Path) -> Self:
        """Look at a place; blocks."""
        return cls(path, os.path.normcase(os.path.realpath(path)), path.is_file())


@attrs.define(eq=False)
class DownloadedFiles:
    """The files that the handles of one account have written, or are writing."""

    _owners: OrderedDict[str, UUID] = attrs.field(factory=OrderedDict, init=False)
    _writing: Counter[str] = attrs.field(factory=Counter, init=False)
    _told: OrderedDict[str, None] = attrs.field(factory=OrderedDict, init=False)

    @contextlib.contextmanager
    def claimed(self, file: File, owner: UUID, *, may_replace: bool) -> Iterator[UUID | None]:
        """Take a file for an object while it is written; yield whose it was before.

        After a failure it is whose it was.

        Args:
            file: Which.
            owner: Id of the object.
            may_replace: Whether another object's file may be taken.

        Raises:
            DownloadError: It is another object's, and is there or on its way. Nothing was sent.
        """
        before = self._owners.get(file.key)
        if file.key in self._writing and not may_replace:
            _refuse_anothers(file.path, before, owner)
        self.check(file, before, owner, may_replace=may_replace)
        self._set(file.key, owner)
        self._writing[file.key] += 1
        try:
            yield before
        except BaseException:  # also a cancellation
            if self._owners.get(file.key) == owner:
                self._set(file.key, before)
            raise
        finally:
            self._writing -= Counter([file.key])

    @staticmethod
    def check(file: File, before: UUID | None, owner: UUID, *, may_replace: bool) -> None:
        """Refuse a file that is there and another object's. Parameters: `claimed`; `before` is whose it is.

        Raises:
            DownloadError: It is.
        """
        if file.is_there and not may_replace:
            _refuse_anothers(file.path, before, owner)

    def _set(self, key: str, owner: UUID | None) -> None:
        self._owners.pop(key, None)
        if owner is not None:
            self._owners[key] = owner
        if len(self._owners) > _FILES_MAX:
            self._owners.popitem(last=False)

    def is_first(self, directory: Path) -> bool:
        """Return whether this is the first file that was in a directory before anything was downloaded."""
        key = str(directory.absolute())
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > _FILES_MAX:
            self._told.popitem(last=False)
        return True


def _refuse_anothers(path: Path, before: UUID | None, owner: UUID) -> None:
    if before not in (None, owner):
        raise DownloadError(
            f"{path.name!r} in {str(path.parent)!r} is another picture, {before}, which was downloaded before, and {owner} has the same "
            "name: use_id=True names files by id, which are unique; force_replace=True replaces it"
        )
