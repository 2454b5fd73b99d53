"""`ImageLookup`: which file of a folder another tool means by a name, a number or a label file. Blocking: for threads."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from picsellia_async.sources._errors import Problems, SourceError
from picsellia_async.sources._folder import IMAGE_PATTERNS, OTHER_PICTURES, matcher, walk
from picsellia_async.sources._layout import Layout

_DRIVE: Final = re.compile(r"^[A-Za-z]:(?=/)")
_NUMBER: Final = re.compile(r"(?:^|[-_ ])(\d+)$")
"""The number of an image: all of its stem, or the digits behind the last separator. The 6 of `bus_exif6` is part of a word."""
_LAST_NUMBER: Final = re.compile(r"(.*?)([0-9]{1,18})")
_WAY_OUT: Final = (
    "give annotations=, the COCO file whose images tell the file name of each id, or write file_name into each result"
)
_NAMED_MAX: Final = 3
"""Files that a message about several names."""

IMAGES: Final = matcher(IMAGE_PATTERNS)
_PICTURES: Final = matcher((*IMAGE_PATTERNS, *(f"*{extension}" for extension in sorted(OTHER_PICTURES))))
"""Tells a file whose name the service takes images by."""


class ImageLookup:
    """The images of one folder. It is listed when a plain look does not find a file, once."""

    def __init__(self, folder: Path, problems: Problems, *, outside: bool = False, is_own: bool = False) -> None:
        """Store the folder.

        Args:
            folder: Where the images are.
            problems: Gets the directories that cannot be listed.
            outside: Whether names may lead out of the folder.
            is_own: Whether names are the caller's, so that one that leads out of the folder is meant so; other tools write from
                where they ran, and there is often no such file.
        """
        self._folder = folder
        self._problems = problems
        self._outside = outside
        self._is_own = is_own
        self._by_name: dict[str, list[str]] | None = None
        self._by_stem: dict[str, list[str]] | None = None
        self._by_number: dict[int, list[str]] | None = None
        self._others_by_stem: dict[str, list[str]] = {}
        """Pictures that the service does not take."""
        self._meant: dict[str, str] = {}
        """By file, the name that led to it by its tail alone."""
        self._expected: Sequence[str] = ()
        self._layout: Layout | None = None
        self._starts: dict[str, int] = {}
        """By name, how many of its leading folders are missing here, where the layout was looked for: what lies there is found once."""
        self._directories: dict[Path, bool] = {}
        """Whether there is such a directory, of those that were looked for."""

    def all(self) -> Iterator[Path]:
        """Yield every image."""
        yield from walk(self._folder, IMAGES, self._problems)

    def filename(self, path: Path) -> str:
        """Return the name on the platform: the path below the folder, or the last name where it is outside."""
        below = path.relative_to(self._folder) if path.is_relative_to(self._folder) else path
        return path.name if below.is_absolute() or ".." in below.parts else below.as_posix()

    def expect(self, names: Sequence[str]) -> None:
        """Tell all names of the file before the first is looked for: where one lies tells where the others are not to be sought."""
        self._expected = names

    def expect_labels(self, labels: Iterable[PurePosixPath]) -> None:
        """Tell all label files before the first image is looked for, as `expect` does."""
        self._layout = layout = Layout()
        for label in labels:
            parts = _label_parts(label)
            if layout.is_exact(parts):
                continue
            found, others, places = self._of_label(label)
            if any(PurePosixPath(one).parts[:-1] in places for one in (*found, *others)):
                layout.add(parts, ())
            for one in found:
                own = PurePosixPath(one).parts[:-1]
                if own and _shared_tail(parts[:-1], list(own)) == len(own):
                    layout.add(parts, parts[: len(parts) - 1 - len(own)])

    def named(self, name: str) -> Path:
        """Return the file that a path of another tool means: as it stands, or by its longest tail below the folder.

        Leading folders of the path may be missing here, and folders here may be missing in the path, but not both:
        `cam2/1.jpg` never means `cam1/1.jpg`. A relative path of the caller's own means that very path, in whatever case.

        Raises:
            SourceError: There is none, several fit, it leads out of the folder, or another name led to the same file.
        """
        spellings = _spellings(name)
        refused = ""
        for spelling in spellings:
            found, refusal = self._straight(spelling)
            if found is not None:
                return found
            refused = refused or refusal
        if refused:
            raise SourceError(refused)
        is_whole = self._is_own and not (name.startswith(("/", "\\")) or "://" in name or _DRIVE.match(spellings[-1]))
        for spelling in spellings:
            tail = self._by_tail(spelling, is_whole=is_whole)
            if tail is not None:
                other = self._meant.setdefault(tail, name)
                if other != name:
                    raise SourceError(f"{name!r} and {other!r} both lead to {tail!r}, and one of them must be wrong")
                return self._folder / tail
        last = posixpath.basename(spellings[-1])
        raise SourceError(self._no_image(name, self._index()[0].get(last.casefold(), [])))

    def numbered(self, image_id: int | str) -> Path:
        """Return the file that an image id means: a text is a name with or without extension, a number is one in the name.

        Raises:
            SourceError: There is none, or several fit.
        """
        if isinstance(image_id, str) and ("/" in image_id or "\\" in image_id):
            return self.named(image_id)
        by_name, by_stem, _ = self._index()
        text = str(image_id)
        found: list[str] = []
        if isinstance(image_id, str):
            found = by_name.get(text.casefold(), []) or by_stem.get(text.casefold(), [])
            found = [one for one in found if PurePosixPath(one).name == text] or found
        if not found and text.isdecimal():
            found = self._of_number(int(text))
        if not found:
            raise SourceError(f"no image of that name or number in {str(self._folder)!r}; {_WAY_OUT}")
        if len(found) == 1:
            self._refuse_nearer([PurePosixPath(found[0]).name], found)
        return self._only(found, f"image id {image_id!r}")

    def check_numbers(self, ids: Iterable[int | str]) -> tuple[int, str] | None:
        """Check that image ids can be the numbers in file names, and no running numbers of a tool of its own.

        Args:
            ids: All ids of a file that tells no file names.

        Returns:
            An id that is found by number, and its file; None where there is none.

        Raises:
            SourceError: Some ids are the number of no image, or no id is 0 while images are counted from 0, and the ids run from 1
                or the number is only a part of the name.
        """
        _, by_stem, by_number = self._index()
        numbers = sorted(
            {int(one) for one in ids if str(one).isdecimal() and (type(one) is int or str(one) not in by_stem)}
        )
        found = [one for one in numbers if one in by_number]
        if not found:
            return None  # each is an error of its own
        first, missing = found[0], next((one for one in numbers if one not in by_number), None)
        if missing is not None:
            raise SourceError(
                f"image ids do not look like the numbers in file names: {first} would be {self._of_number(first)[0]!r}, "
                f"but {missing} is the number of no image (the last is {self._of_number(max(by_number))[0]!r}); {_WAY_OUT}"
            )
        runs_from_1 = numbers[0] == 1 and numbers[-1] == len(numbers)
        is_name = PurePosixPath(self._of_number(first)[0]).stem.isdecimal()  # as COCO names its images, by their ids
        if 0 in by_number and 0 not in numbers and (runs_from_1 or not is_name):
            before = repr(self._of_number(first - 1)[0]) if first - 1 in by_number else "the one before it"
            raise SourceError(
                f"image ids {first} to {numbers[-1]} may be running numbers from 1, and the images are counted from 0: image id "
                f"{first} is {before} or {self._of_number(first)[0]!r}; {_WAY_OUT}"
            )
        return first, self._of_number(first)[0]

    def _of_number(self, number: int) -> list[str]:
        """Return the images of a number.

        1.jpg and 0001.jpg are both number 1, and nobody can tell which one is meant; cam_1.jpg only where there is neither.
        """
        numbered = self._index()[2].get(number, [])
        return [one for one in numbered if PurePosixPath(one).stem.isdecimal()] or numbered

    def labelled(self, label: PurePosixPath) -> Path:
        """Return the image of a label file, given by its path below the labels' folder without extension.

        As with paths, the image may lie in fewer folders than its label or in more, but not in another one.

        Raises:
            SourceError: There is none, or several fit.
        """
        found, others, places = self._of_label(label)
        for place in places:
            here = [one for one in found if PurePosixPath(one).parts[:-1] == place]
            if here:
                return self._only(here, f"label file {label.as_posix()!r}")
            self._refuse_other(label, [one for one in others if PurePosixPath(one).parts[:-1] == place])
        named = _label_parts(label)
        fitting = _fitting(named[:-1], [*found, *others])
        if self._layout is not None:
            layout, is_exact = self._layout, self._layout.is_exact(named)
            fitting = [
                one for one in fitting if not is_exact and layout.allows([*named[:-1], PurePosixPath(one).name], one)
            ]
        if not fitting:
            raise SourceError(self._no_image(label.as_posix(), found))
        self._refuse_other(label, [one for one in fitting if one in others])
        return self._only(fitting, f"label file {label.as_posix()!r}")

    def _of_label(self, label: PurePosixPath) -> tuple[list[str], list[str], list[tuple[str, ...]]]:
        """Return the images of a label file's name, other pictures of that name, and the folders that are its very place."""
        by_name, by_stem, _ = self._index()
        # Label Studio percent-encodes the names of labels and not those of images; some tools write `a.jpg.txt` for `a.jpg`.
        names = [label.name.casefold(), unquote(label.name).casefold()]
        found = next((one for by in (by_stem, by_name) for name in names if (one := by.get(name))), [])
        others = self._others_by_stem.get(names[0], []) or self._others_by_stem.get(names[1], [])
        parts = label.parts[:-1]
        places = [parts]
        if "labels" in parts:  # datasets that keep `images/` beside `labels/`
            last = len(parts) - 1 - parts[::-1].index("labels")
            places.append((*parts[:last], "images", *parts[last + 1 :]))
        return found, others, places

    @staticmethod
    def _refuse_other(label: PurePosixPath, others: list[str]) -> None:
        """Refuse to take a picture of the same name elsewhere for one that cannot be used.

        Raises:
            SourceError: There is one.
        """
        if others:
            raise SourceError(
                f"the image of label file {label.as_posix()!r} is {others[0]!r}, and only JPEG and PNG are taken"
            )

    def check_counted(self, stems: Iterable[str]) -> None:
        """Check that label files are counted as the images are: tools number the frames of a video from 1 or from 0.

        Args:
            stems: Names of all label files, without extension.

        Raises:
            SourceError: Some have no image of their number, and all of that name have one a number further down or up.
        """
        images = _by_prefix(self._index()[1])
        for prefix, labels in _by_prefix(stems).items():
            there = images.get(prefix, set())
            missing = labels - there
            if not missing or missing == labels:  # all are well, or none would find an image
                continue
            for shift, first in ((1, 0), (-1, 1)):
                if min(there) == first and first not in labels and {one - shift for one in labels} <= there:
                    raise SourceError(
                        f"label files may be counted from {first + shift} and images from {first}: {prefix}{min(missing)} has no image, "
                        f"and each label file has one if its number is {'lowered' if shift > 0 else 'raised'} by 1; rename the "
                        "label files or the images"
                    )

    def has(self, label: PurePosixPath) -> bool:
        """Return whether there is an image of that name, with its extension or without."""
        return any(label.name.casefold() in one for one in self._index()[:2])

    def _straight(self, name: str) -> tuple[Path | None, str]:
        """Return the file at that very path, and why a path out of the folder is refused."""
        path = self._folder / name  # the name alone, where it is absolute
        is_absolute = _is_absolute(name)
        if is_absolute:
            path = Path(name)
            is_below = path.is_relative_to(self._folder) and ".." not in path.relative_to(self._folder).parts
        else:
            # Also a path that goes out of the folder and in again, as from an export beside it.
            is_below = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(self._folder))  # noqa: PTH100 - keeps links
        found = path if (is_below or self._outside or not is_absolute) and _is_file(path) else None
        if is_below and found is not None and ".." in path.parts:
            found = self._folder / os.path.relpath(path, self._folder)
        is_missing = found is None and (is_absolute or not self._is_own)
        if is_below or self._outside or is_missing:
            return found, ""
        return None, f"{name!r} leads out of {str(self._folder)!r}: outside=True allows that"

    def _by_tail(self, name: str, *, is_whole: bool) -> str | None:
        """Return the path below the folder that a path's tail is; with `is_whole` no part of it may be missing."""
        parts = _parts(name)
        if not parts:
            return None
        known = self._starts.get(name)
        for start in range(1 if is_whole else len(parts)):
            tail = "/".join(parts[start:])
            if _is_file(self._folder / tail) if known is None else start == known:
                self._refuse_elsewhere(name, [tail])
                return tail
            if not is_whole and start < len(parts) - 1:
                self._refuse_other_kind(tail)
        found = self._index()[0].get(parts[-1].casefold(), [])
        self._refuse_nearer(parts, found)
        if is_whole:
            whole = "/".join(parts).casefold()
            fitting = [one for one in found if one.casefold() == whole]
        else:
            fitting = _fitting(parts[:-1], found)
        if not fitting:
            return None
        self._refuse_elsewhere(name, fitting)
        return self._relative(fitting, name)

    def _refuse_elsewhere(self, name: str, found: list[str]) -> None:
        """Refuse files of a name in folders other than where the other names of the file tell its place: they are other pictures.

        Raises:
            SourceError: Each of them is one.
        """
        if self._layout is None:
            self._layout = self._layout_of_names()
        layout, parts = self._layout, _rooted(name)
        if not any(layout.allows(parts, one) for one in found):
            raise SourceError(self._no_image(name, found))

    def _layout_of_names(self) -> Layout:
        """Look where the names of the file lie; the first of a series that lies exactly at its place tells all of it."""
        layout = Layout()
        for name in self._expected:
            spellings = _spellings(name)
            parts = _parts(spellings[-1])
            if not parts or layout.is_exact(parts):
                continue
            found = next((path for each in spellings if (path := self._straight(each)[0]) is not None), None)
            is_exact = found is not None and found.is_relative_to(self._folder) and ".." not in found.parts
            base = () if is_exact else next((one for each in spellings if (one := self._base(each)) is not None), None)
            if base is not None:
                layout.add(parts, base)
        return layout

    def _base(self, name: str) -> Sequence[str] | None:
        """Return the leading folders of a path without which there is such a file; None where there is none."""
        parts, rooted = _parts(name), _rooted(name)
        tails = ["/".join(parts[start:]) for start in range(len(parts))]
        found = next((one for one in tails if _is_file(self._folder / one)), None)
        if found is not None:
            self._starts[name] = tails.index(found)
        elif parts:
            there = {one.casefold() for one in self._index()[0].get(parts[-1].casefold(), [])}
            found = next((one for one in tails if one.casefold() in there), None)
        return None if found is None else rooted[: len(rooted) - found.count("/") - 1]

    def _refuse_other_kind(self, tail: str) -> None:
        """Refuse a shorter tail where the place of a longer one holds a picture of another kind, `a/1.webp` for `a/1.jpg`.

        Raises:
            SourceError: It does.
        """
        stem = posixpath.splitext(tail)[0]
        if not self._is_directory((self._folder / tail).parent):
            return
        kinds = (kind for one in sorted(OTHER_PICTURES) for kind in (one, one.upper()))
        other = next((f"{stem}{kind}" for kind in kinds if _is_file(self._folder / f"{stem}{kind}")), None)
        if other is not None:
            raise SourceError(
                f"{tail!r} may be {other!r}, and only JPEG and PNG are taken; a file of that name in "
                "another folder may be another picture"
            )

    def _is_directory(self, path: Path) -> bool:
        if path not in self._directories:
            try:
                self._directories[path] = path.is_dir()
            except (OSError, ValueError):  # a name that no directory can have
                self._directories[path] = False
        return self._directories[path]

    def _refuse_nearer(self, parts: Sequence[str], found: list[str]) -> None:
        """Refuse to look further where the very place of a name holds a picture of another kind, `1.webp` for `1.jpg`.

        Raises:
            SourceError: It does, and no file that was found lies there.
        """
        place = "/".join(parts[:-1]).casefold()
        if not found or any(posixpath.dirname(one).casefold() == place for one in found):
            return
        others = self._others_by_stem.get(PurePosixPath(parts[-1]).stem.casefold(), [])
        here = next((one for one in others if posixpath.dirname(one).casefold() == place), None)
        if here is not None:
            raise SourceError(
                f"{'/'.join(parts)!r} may be {here!r}, and only JPEG and PNG are taken; {min(found)!r} is in another folder, and may be another "
                "picture"
            )

    def _no_image(self, name: str, found: list[str]) -> str:
        """Say that there is none, and which one of that name lies elsewhere."""
        other = f"; {min(found)!r} is in another folder, and may be another picture" if found else ""
        return f"no image {name!r} in {str(self._folder)!r}{other}"

    def _only(self, found: list[str], what: str) -> Path:
        return self._folder / self._relative(found, what)

    @staticmethod
    def _relative(found: list[str], what: str) -> str:
        if len(found) > 1:
            names = ", ".join(map(repr, sorted(found)[:_NAMED_MAX]))
            raise SourceError(f"{what} fits {len(found)} files: {names}{', ...' if len(found) > _NAMED_MAX else ''}")
        return found[0]

    def _index(self) -> tuple[dict[str, list[str]], dict[str, list[str]], dict[int, list[str]]]:
        """Return the paths below the folder by name and by stem, both without regard to case, and by number in the name."""
        if self._by_name is None or self._by_stem is None or self._by_number is None:
            self._by_name, self._by_stem, self._by_number = {}, {}, {}
            for path in walk(self._folder, _PICTURES, self._problems):
                below = path.relative_to(self._folder).as_posix()
                extension = path.suffix.lower()
                if extension in OTHER_PICTURES:
                    self._problems.left_out[extension] += 1
                    self._others_by_stem.setdefault(path.stem.casefold(), []).append(below)
                    continue
                self._by_name.setdefault(path.name.casefold(), []).append(below)
                self._by_stem.setdefault(path.stem.casefold(), []).append(below)
                number = _NUMBER.search(path.stem)
                if number:
                    self._by_number.setdefault(int(number[1]), []).append(below)
        return self._by_name, self._by_stem, self._by_number


def _is_file(path: Path) -> bool:
    """Return whether a file is there; a link whose file is gone stands for it, and no other file does."""
    try:
        return path.is_file() or (path.is_symlink() and not path.exists())
    except (OSError, ValueError):  # a name that no file can have: too long, or with a zero byte
        return False


def _label_parts(label: PurePosixPath) -> list[str]:
    """Return the folders and the name of a label, without the folders that every label of some tools is in."""
    return [*(one for one in label.parts[:-1] if one != "labels"), f"{label.name}.txt"]


def _parts(name: str) -> list[str]:
    """Return the folders and the name of a path, without what leads up."""
    return [one for one in posixpath.normpath(_DRIVE.sub("", name)).split("/") if one not in {"", ".", ".."}]


def _is_absolute(name: str) -> bool:
    return name.startswith("/") or _DRIVE.match(name) is not None


def _rooted(name: str) -> list[str]:
    """Return the parts of a path, behind one of an absolute path's own: those of a relative one begin elsewhere."""
    return ["/", *_parts(name)] if _is_absolute(name) else _parts(name)


def _by_prefix(stems: Iterable[str]) -> dict[str, set[int]]:
    """Return the numbers that names end with, by what is before them."""
    found: dict[str, set[int]] = {}
    for stem in stems:
        match = _LAST_NUMBER.fullmatch(stem.casefold())
        if match:
            found.setdefault(match[1], set()).add(int(match[2]))
    return found


def _fitting(folders: Sequence[str], found: list[str]) -> list[str]:
    """Return the files that share most of the folders before a name, without those that lie in another folder than the name.

    Where both have folders that the other lacks, the names agree by chance: every camera has a 0001.jpg. A folder `images`
    tells no picture from another one.
    """
    shared: dict[str, int] = {}
    for one in found:
        own = [part for part in one.split("/")[:-1] if part != "images"]
        given = [part for part in folders if part != "images"]
        count = _shared_tail(given, own)
        rest = iter([part.casefold() for part in own])
        if count == len(own) or all(part.casefold() in rest for part in given):  # in that order, others between them
            shared[one] = count
    most = max(shared.values(), default=0)
    return [one for one, count in shared.items() if count == most]


def _shared_tail(one: list[str], other: list[str]) -> int:
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a.casefold() != b.casefold():
            break
        count += 1
    return count


def _spellings(name: str) -> list[str]:
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
