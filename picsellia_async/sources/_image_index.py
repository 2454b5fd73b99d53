"""`ImageIndex`: the images of a folder by name, by stem and by number, and whether ids or labels can be such numbers. Blocking: for threads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from picsellia_async.sources._errors import Problems, SourceError
from picsellia_async.sources._folder import IMAGE_PATTERNS, OTHER_PICTURES, matcher, walk
from picsellia_async.sources._tool_paths import Namesakes, folded, folders_of, label_parts, names_before_export, tails

_NUMBER: Final = re.compile(r"(?:^|[-_ ])(\d+)$")
"""The number of an image: all of its stem, or the digits behind the last separator. The 6 of `bus_exif6` is part of a word."""
_LAST_NUMBER: Final = re.compile(r"(.*?)([0-9]{1,18})")
WAY_OF_IDS: Final = (
    "give annotations=, the COCO file whose images tell the file name of each id, or write file_name into each result"
)

IMAGES: Final = matcher(IMAGE_PATTERNS)
_PICTURES: Final = matcher((*IMAGE_PATTERNS, *(f"*{extension}" for extension in sorted(OTHER_PICTURES))))
"""Tells a file whose name the service takes images by."""


class ImageIndex:
    """The paths below a folder, without regard to case."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        """List the folder."""
        self.by_name: dict[str, list[str]] = {}
        self.by_stem: dict[str, list[str]] = {}
        self.by_number: dict[int, list[str]] = {}
        self.others_by_stem: dict[str, list[str]] = {}
        """Pictures that the service does not take."""
        self._namesakes: dict[tuple[str, str], Namesakes] = {}
        for path in walk(folder, _PICTURES, problems):
            below = path.relative_to(folder).as_posix()
            extension = path.suffix.lower()
            if extension in OTHER_PICTURES:
                problems.left_out[extension] += 1
                self.others_by_stem.setdefault(folded(path.stem), []).append(below)
                continue
            self.by_name.setdefault(folded(path.name), []).append(below)
            self.by_stem.setdefault(folded(path.stem), []).append(below)
            number = _NUMBER.search(path.stem)
            if number:
                self.by_number.setdefault(int(number[1]), []).append(below)

    def of_name(self, name: str) -> list[str]:
        """Return the images of a file name."""
        return self.by_name.get(folded(name), [])

    def near_name(self, parts: Sequence[str]) -> list[str]:
        """Return the images that a path means but for its extension, below no other folders than its own, or what a tool made of the name."""
        named = {folded(one) for one in tails([*parts[:-1], PurePosixPath(parts[-1]).stem])}
        same = self.by_stem.get(folded(PurePosixPath(parts[-1]).stem), [])
        found = [one for one in same if folded(PurePosixPath(one).with_suffix("").as_posix()) in named]
        return found or [one for name in names_before_export(parts[-1]) for one in self.of_path([*parts[:-1], name])]

    def of_path(self, parts: Sequence[str]) -> list[str]:
        """Return those images of a path's last part that can be meant below the others."""
        return self._near("name", parts[-1], self.of_name(parts[-1]), parts[:-1])

    def of_id(self, image_id: int | str) -> list[str]:
        """Return the images of an id: a text is a name with or without extension, a number is one in the name."""
        text = str(image_id)
        found: list[str] = []
        if isinstance(image_id, str):
            found = self.of_name(text) or self.by_stem.get(folded(text), [])
            found = [one for one in found if PurePosixPath(one).name == text] or found
        if not found and text.isdecimal():
            found = self.of_number(int(text))
        return found

    def of_number(self, number: int) -> list[str]:
        """Return the images of a number.

        1.jpg and 0001.jpg are both number 1, and nobody can tell which one is meant; cam_1.jpg only where there is neither.
        """
        numbered = self.by_number.get(number, [])
        return [one for one in numbered if PurePosixPath(one).stem.isdecimal()] or numbered

    def of_label(self, label: PurePosixPath) -> tuple[list[str], list[str]]:
        """Return the images of a label file's name, and other pictures of that name."""
        # Label Studio percent-encodes the names of labels and not those of images; some tools write `a.jpg.txt` for `a.jpg`.
        names = [folded(label.name), folded(unquote(label.name))]
        found = next((one for by in (self.by_stem, self.by_name) for name in names if (one := by.get(name))), [])
        return found, self.others_by_stem.get(names[0], []) or self.others_by_stem.get(names[1], [])

    def near_label(self, label: PurePosixPath) -> tuple[list[str], list[str]]:
        """Return what `of_label` does, without those that cannot be meant by the label's folders."""
        images, others = self.of_label(label)
        folders = label_parts(label)[:-1]
        near = _in_case(label.name, self._near("label", label.name, images, folders))
        return near, self._near("other", label.name, others, folders)

    def _near(self, kind: str, name: str, found: list[str], folders: Sequence[str]) -> list[str]:
        if len(found) <= 1:
            return found
        key = kind, folded(name)
        if key not in self._namesakes:
            self._namesakes[key] = Namesakes(found)
        return self._namesakes[key].near(folders)

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
        numbers = sorted(
            {int(one) for one in ids if str(one).isdecimal() and (type(one) is int or str(one) not in self.by_stem)}
        )
        found = [one for one in numbers if one in self.by_number]
        if not found:
            return None  # each is an error of its own
        first, missing = found[0], next((one for one in numbers if one not in self.by_number), None)
        if missing is not None:
            raise SourceError(
                f"image ids do not look like the numbers in file names: {first} would be {self.of_number(first)[0]!r}, "
                f"but {missing} is the number of no image (the last is {self.of_number(max(self.by_number))[0]!r}); {WAY_OF_IDS}"
            )
        runs_from_1 = numbers[0] == 1 and numbers[-1] == len(numbers)
        is_name = PurePosixPath(self.of_number(first)[0]).stem.isdecimal()  # as COCO names its images, by their ids
        if 0 in self.by_number and 0 not in numbers and (runs_from_1 or not is_name):
            before = repr(self.of_number(first - 1)[0]) if first - 1 in self.by_number else "the one before it"
            raise SourceError(
                f"image ids {first} to {numbers[-1]} may be running numbers from 1, and the images are counted from 0: image id "
                f"{first} is {before} or {self.of_number(first)[0]!r}; {WAY_OF_IDS}"
            )
        return first, self.of_number(first)[0]

    def check_counted(self, stems: Iterable[str]) -> None:
        """Check that label files are counted as the images are: tools number the frames of a video from 1 or from 0.

        Args:
            stems: Names of all label files, without extension.

        Raises:
            SourceError: Some have no image of their number, and all of that name have one a number further down or up.
        """
        images = _by_prefix(self.by_stem)
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


def _in_case(name: str, found: list[str]) -> list[str]:
    """Return the images without those beside one that has the label's very name: `a.txt` is not of `A.jpg` where there is an `a.jpg`."""
    exact = {one for one in found if name in {PurePosixPath(one).stem, PurePosixPath(one).name}}
    folders = {folders_of(one) for one in exact}
    return [one for one in found if one in exact or folders_of(one) not in folders]


def _by_prefix(stems: Iterable[str]) -> dict[str, set[int]]:
    """Return the numbers that names end with, by what is before them."""
    found: dict[str, set[int]] = {}
    for stem in stems:
        match = _LAST_NUMBER.fullmatch(folded(stem))
        if match:
            found.setdefault(match[1], set()).add(int(match[2]))
    return found
