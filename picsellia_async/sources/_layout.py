"""Where the images of one file of results lie, so that a missing one is not taken from elsewhere. Pure."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from picsellia_async.sources._tool_paths import folded, shared_tail

_COUNTED: Final = re.compile(r"(.*?)[0-9]+")
_HEX: Final = re.compile(r"(?<![0-9a-z])(?=[a-f]*[0-9])[0-9a-f]{6,}(?![0-9a-z])")
_DIGITS: Final = re.compile(r"[0-9]+")

_Way: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]


def is_uncounted(name: str) -> bool:
    """Return whether a name has no digits: of those that have, each camera may have one."""
    return not _DIGITS.search(PurePosixPath(name).stem)


def are_without_folders(found: Iterable[tuple[Sequence[str], bool]]) -> bool:
    """Return whether uncounted names without folders say nothing of where their files lie, as some tools write all names.

    So it is where each is found once at most, whatever the folder, and more lie elsewhere than at their places: then those that lie
    there do so by chance, and tell nothing of the others.

    Args:
        found: By name, the files that have it, and whether one lies exactly at its place.
    """
    exact = elsewhere = 0
    for files, is_exact in found:
        if len(files) > 1:
            return False
        exact += is_exact
        elsewhere += bool(files) and not is_exact
    return elsewhere > exact


class Layout:
    """The leading folders that paths of a file have and the folder of images lacks: none, where it is the one they begin in.

    Each series of names is looked at by itself: every camera has a 0001.jpg beside its 0002.jpg, while tools that write no folders
    mix `belt_1.jpg` with the `frame_2.jpg` of a folder below. One series are the names that differ in their digits alone (in
    numbers, times, places of tiles, hashes), those that differ in the number at their end, and all that have none there.
    """

    def __init__(self) -> None:
        self._series: dict[tuple[str, str | None], _Bases] = {}
        self._all = _Bases()

    def is_exact(self, parts: Sequence[str]) -> bool:
        """Return whether an image of the series lies exactly at its place: for a name alone, one that is a name alone too."""
        return any(one.is_exact(parts) for one in self._of(parts))

    @classmethod
    def of(cls, found: Iterable[tuple[Sequence[str], Sequence[str] | None]]) -> Layout:
        """Return the layout of the paths of a file: parts, and what was missing of them; None where the file has folders besides.

        What was missing of a few paths counts for nothing where more paths that begin so are whole, in folders further down: a stray
        file at the top has the name of one of them.
        """
        paths = list(found)
        missing = Counter(tuple(base) for _, base in paths if base)
        deeper = Counter(
            tuple(parts[:count]) for parts, base in paths if base is None for count in range(1, len(parts))
        )
        layout = cls()
        for parts, base in paths:
            if base is not None and (not base or missing[tuple(base)] > deeper[tuple(base)]):
                layout.add(parts, base)
        return layout

    def add(self, parts: Sequence[str], base: Sequence[str]) -> None:
        """Remember the folders that were missing where an image was found by the rest of its path."""
        for series in _series(parts[-1]):
            self._series.setdefault(series, _Bases()).add(parts, base)
        self._all.add(parts, base)

    def allows(self, parts: Sequence[str], found: str) -> bool:
        """Return whether a file can be what a path means, by where the others of its series lie that begin with the same folders."""
        return all(one.allows(parts, found) for one in self._of(parts))

    def agrees(self, parts: Sequence[str], found: str) -> bool:
        """Return whether a file lies where all other names of the file say, whatever their series."""
        return self._all.allows(parts, found)

    def _of(self, parts: Sequence[str]) -> list[_Bases]:
        return [found for one in _series(parts[-1]) if (found := self._series.get(one)) is not None]


class _Bases:
    """The leading folders that some paths have and the folder of images lacks."""

    def __init__(self) -> None:
        self._found: set[tuple[str, ...]] = set()
        self._is_alone = False
        """Whether a name without any folder lies exactly at its place."""

    def is_exact(self, parts: Sequence[str]) -> bool:
        return self._is_alone if len(parts) == 1 else () in self._found

    def add(self, parts: Sequence[str], base: Sequence[str]) -> None:
        self._found.add(tuple(folded(one) for one in base))
        self._is_alone = self._is_alone or (len(parts) == 1 and not base)

    def allows(self, parts: Sequence[str], found: str) -> bool:
        """Return whether a file lies where the others are.

        A name alone may be written by a tool that never tells folders, beside paths of another one: it is judged by names alone.
        """
        if len(parts) == 1:
            return not self._is_alone or folded(found) == folded(parts[0])
        given = tuple(folded(one) for one in parts)
        for count in range(len(given)):
            if given[:count] in self._found:
                return folded(found) == "/".join(given[count:])
        return True


def _series(name: str) -> tuple[tuple[str, str | None], ...]:
    """Return what a name has in common with others: the text before its last number, and its text with the digits masked."""
    stem = folded(PurePosixPath(name).stem)
    counted = _COUNTED.fullmatch(stem)
    return ("before", counted[1] if counted else None), ("shape", _DIGITS.sub("#", _HEX.sub("#", stem)))


class Spread:
    """Where the names of one file are found: in which folders, and which of these the names lack or have besides."""

    def __init__(self) -> None:
        self._is_exact = False
        """Whether an image lies exactly where its name says."""
        self._others: set[str] = set()
        """Folders with namesakes of images that lie where their names say, in another folder."""
        self._alone: Counter[str] = Counter()
        """By folder, names that are found nowhere else."""
        self._shared: Counter[str] = Counter()
        """By folder, names that are found in others too."""
        self._ways: Counter[_Way] = Counter()
        """How often a name is found in that way."""
        self._count = 0
        """Names that are found in some way, counted here: a sum over the ways would be one of as many as there are names."""
        self._together = 0
        """Names whose way is that of others too."""

    def add(self, folders: Sequence[str], found: Sequence[str], place: str | None, *, is_exact: bool) -> None:
        """Remember the files that fit a name.

        Args:
            folders: Those of the name.
            found: The files.
            place: The one of them that is the end of the name's path, if any.
            is_exact: Whether that is the whole path.
        """
        # Names that differ in case alone are namesakes in one folder, which is no other one for that.
        there = {posixpath.dirname(one) for one in found}
        if place is not None:
            self._others |= there - {posixpath.dirname(place)}
        elif len(there) == 1:
            self._alone.update(there)
        else:
            self._shared.update(there)
            return
        if is_exact:
            self._is_exact = True
            return
        way = _way(folders, place or found[0])
        self._ways[way] += 1
        self._count += 1
        self._together += {1: 0, 2: 2}.get(self._ways[way], 1)  # the second makes the first one of two

    def is_of_another_set(self, folders: Sequence[str], found: str) -> bool:
        """Return whether the folder of a file holds another set of the same names as the name has that is in these folders.

        So it is where it has namesakes of images that lie at their places, and where it has more names that other folders have
        too than names of its own: two folders with few names in common are parts of one set. Namesakes are none of another set where
        leading folders are missing of all names, and this one says the folder itself.
        """
        folder = posixpath.dirname(found)
        own = folder.split("/") if folder else []
        is_said = not self._is_exact and bool(own) and shared_tail(folders, own) == len(own)
        return (folder in self._others and not is_said) or self._shared[folder] > self._alone[folder]

    def may_be_of_another_set(self, folders: Sequence[str], found: str) -> bool:
        """Return whether nothing tells that, and the file is unlike the rest.

        So it is where no image lies exactly at its place, and this one is the only one that is found in its way while most are
        found as others are, or its folder shares half of its names with others.
        """
        if self._is_exact:
            return False
        folder = posixpath.dirname(found)
        is_odd = self._ways[_way(folders, found)] == 1 and 2 * self._together > self._count
        return is_odd or 0 < self._alone[folder] <= self._shared[folder]


def _way(folders: Sequence[str], found: str) -> _Way:
    """Return the leading folders that a name has and its file lacks, and those that the file has besides."""
    own = folded(posixpath.dirname(found)).split("/") if "/" in found else []
    given = [folded(one) for one in folders]
    count = shared_tail(given, own)
    return tuple(given[: len(given) - count]), tuple(own[: len(own) - count])
