"""`Layout`: where the paths of one file begin in a folder of images, so that a missing image is not taken from elsewhere. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

_COUNTED: Final = re.compile(r"(.*?)[0-9]+")


class Layout:
    """The leading folders that paths of a file have and the folder of images lacks: none, where it is the one they begin in.

    Each series of counted names is looked at by itself, and all other names as one: every camera has a 0001.jpg beside its
    0002.jpg, while tools that write no folders mix `belt_1.jpg` with the `frame_2.jpg` of a folder below.
    """

    def __init__(self) -> None:
        self._bases: dict[str | None, set[tuple[str, ...]]] = {}
        self._alone: set[str | None] = set()
        """Series of which a name without any folder lies exactly at its place."""

    def is_exact(self, parts: Sequence[str]) -> bool:
        """Return whether an image of the series lies exactly at its place: for a name alone, one that is a name alone too."""
        series = _series(parts[-1])
        return series in self._alone if len(parts) == 1 else () in self._bases.get(series, ())

    def add(self, parts: Sequence[str], base: Sequence[str]) -> None:
        """Remember the folders that were missing where an image was found by the rest of its path."""
        series = _series(parts[-1])
        self._bases.setdefault(series, set()).add(tuple(one.casefold() for one in base))
        if len(parts) == 1 and not base:
            self._alone.add(series)

    def allows(self, parts: Sequence[str], found: str) -> bool:
        """Return whether a file can be what a path means, by where the others of its series lie that begin with the same folders.

        A name alone may be written by a tool that never tells folders, beside paths of another one: it is judged by names alone.
        """
        if len(parts) == 1:
            return not self.is_exact(parts) or found.casefold() == parts[0].casefold()
        bases = self._bases.get(_series(parts[-1]), ())
        given = tuple(one.casefold() for one in parts)
        for count in range(len(given)):
            if given[:count] in bases:
                return found.casefold() == "/".join(given[count:])
        return True


def _series(name: str) -> str | None:
    counted = _COUNTED.fullmatch(PurePosixPath(name).stem.casefold())
    return counted[1] if counted else None
