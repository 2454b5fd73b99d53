"""Paths as other tools write them: their spellings, their parts, and which files of a folder they can mean. Pure."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

_EXPORTED: Final = (
    re.compile(r"[0-9a-f]{8}-(.+)()"),
    re.compile(r"(.+)_(jpg|jpeg|png)\.rf\.[0-9a-zA-Z]{8,}\.\w+", re.IGNORECASE),
)
_DRIVE: Final = re.compile(r"^[A-Za-z]:(?=/)")


def folded(name: str) -> str:
    """Return a name without regard to case and to how Unicode writes it: a Mac takes the dots off an umlaut, and other systems do not."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name.casefold())


def spellings(name: str) -> list[str]:
    """Return the path as it stands, and as it is meant by tools on Windows, with percent encoding, or with an address."""
    found = [name]
    if "\\" in name:
        found.append(name.replace("\\", "/"))
    if "://" in name or "?" in name:
        parts = urlsplit(name)
        # Label Studio: /data/local-files/?d=folder/1.jpg
        found += [unquote(one) for one in parse_qs(parts.query).get("d", [])]
        found.append(unquote(parts.path))
    if "%" in name:
        found.append(unquote(found[1] if "\\" in name else name))
    return list(dict.fromkeys(one for one in found if one))


def names_before_export(name: str) -> list[str]:
    """Return what a name may have been before a tool exported it: `3f2a91cc-1.jpg` of Label Studio, `1_jpg.rf.<hash>.jpg` of Roboflow."""
    return [found[1] + (f".{found[2]}" if found[2] else "") for way in _EXPORTED if (found := way.fullmatch(name))]


def path_parts(name: str) -> list[str]:
    """Return the folders and the name of a path, without what leads up."""
    return [one for one in posixpath.normpath(_DRIVE.sub("", name)).split("/") if one not in {"", ".", ".."}]


def is_absolute(name: str) -> bool:
    """Return whether a path is absolute, also on Windows."""
    return name.startswith("/") or _DRIVE.match(name) is not None


def is_path(image_id: str) -> bool:
    """Return whether an id is a path rather than a name."""
    return "/" in image_id or "\\" in image_id


def rooted_parts(name: str) -> list[str]:
    """Return the parts of a path, behind one of an absolute path's own: those of a relative one begin elsewhere."""
    return ["/", *path_parts(name)] if is_absolute(name) else path_parts(name)


def tails(parts: Sequence[str]) -> Iterator[str]:
    """Yield the path and its tails, the longest first."""
    return ("/".join(parts[start:]) for start in range(len(parts)))


def label_parts(label: PurePosixPath) -> list[str]:
    """Return the folders and the name of a label, without the folders that every label of some tools is in."""
    return [*(one for one in label.parts[:-1] if one != "labels"), f"{label.name}.txt"]


def label_places(label: PurePosixPath) -> list[tuple[str, ...]]:
    """Return the folders that are the very place of a label's image."""
    parts = label.parts[:-1]
    places = [parts]
    if "labels" in parts:  # datasets that keep `images/` beside `labels/`
        last = len(parts) - 1 - parts[::-1].index("labels")
        places.append((*parts[:last], "images", *parts[last + 1 :]))
        places.append((*parts[:last], *parts[last + 1 :]))
    return places


def folders_of(path: str) -> tuple[str, ...]:
    """Return the folders in which a file below the folder of images lies."""
    return PurePosixPath(path).parts[:-1]


def lying_in(place: Sequence[str], found: Sequence[str]) -> list[str]:
    """Return the files that lie in these folders; without any, those in folders of the same names in another case or form of Unicode."""
    exact = [one for one in found if folders_of(one) == tuple(place)]
    return exact or [one for one in found if [*map(folded, folders_of(one))] == [*map(folded, place)]]


def fitting(folders: Sequence[str], found: Sequence[str]) -> list[str]:
    """Return the files that share most of the folders before a name, without those that lie in another folder than the name.

    Where both have folders that the other lacks, the names agree by chance: every camera has a 0001.jpg. A folder `images`
    tells no picture from another one.
    """
    shared: dict[str, int] = {}
    for one in found:
        own = [part for part in one.split("/")[:-1] if part != "images"]
        given = [part for part in folders if part != "images"]
        count = shared_tail(given, own)
        rest = iter([folded(part) for part in own])
        if count == len(own) or all(folded(part) in rest for part in given):  # in that order, others between them
            shared[one] = count
    most = max(shared.values(), default=0)
    return [one for one, count in shared.items() if count == most]


class Namesakes:
    """The files of one name, by their folders: in a set of many cameras each has a 0001.jpg, and few of them can be meant."""

    def __init__(self, found: Sequence[str]) -> None:
        """Index the files by all of their folders, and by each."""
        self._found = found
        self._by_path: dict[tuple[str, ...], list[int]] = {}
        self._by_folder: dict[str, list[int]] = {}
        for number, one in enumerate(found):
            own = _telling(one.split("/")[:-1])
            self._by_path.setdefault(own, []).append(number)
            for part in set(own):
                self._by_folder.setdefault(part, []).append(number)

    def near(self, folders: Sequence[str]) -> list[str]:
        """Return the files that can be meant below these folders: at least those that `fitting` looks at, in their order."""
        given = _telling(folders)
        if not given:
            return list(self._found)
        fewest = min((self._by_folder.get(part, []) for part in given), key=len)
        numbers = set(fewest)  # those with all of these folders are among them
        for start in range(len(given) + 1):  # with the last of them alone, or with none
            numbers.update(self._by_path.get(given[start:], ()))
        return [self._found[number] for number in sorted(numbers)]


def _telling(folders: Sequence[str]) -> tuple[str, ...]:
    """Return the folders that tell a picture from another one, without regard to case."""
    return tuple(folded(part) for part in folders if part != "images")


def shared_tail(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many of their last parts two paths have in common."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if folded(a) != folded(b):
            break
        count += 1
    return count
