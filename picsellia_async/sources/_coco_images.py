"""`CocoImages`: what a COCO file says of its images, how results name them, and their files. Blocking: for threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from picsellia_async.errors import shown
from picsellia_async.image_header import OrientationRule
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._image_files import ImageFile
from picsellia_async.sources._lookup import ImageLookup
from picsellia_async.sources._tool_paths import is_path


@attrs.frozen
class ImageKey:
    """How an image is named: by file name, which wins, or by id."""

    name: str | None = None
    id: int | str | None = None

    @classmethod
    def of(cls, entry: object) -> ImageKey:
        """Return the key of a result; 1, 1.0 and "1" are one id.

        Raises:
            SourceError: It names no image.
        """
        if not isinstance(entry, dict):
            raise SourceError(f"must be a JSON object, got {shown(entry)}")
        name = entry.get("file_name")
        if isinstance(name, str) and name:
            return cls(name=name)
        return cls(id=_id(entry.get("image_id")))

    def __str__(self) -> str:
        return f"file_name {self.name!r}" if self.name is not None else f"image_id {self.id!r}"


def _id(value: object) -> int | str:
    if isinstance(value, str) and value:
        return int(value) if value.isdecimal() and str(int(value)) == value else value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1:
        return int(value)
    raise SourceError(f"no image_id, got {shown(value)}")


class CocoImages:
    """What the COCO file says of its images, and their files."""

    def __init__(self, content: Any, lookup: ImageLookup) -> None:
        self.lookup = lookup
        described = content.get("images") if isinstance(content, dict) else None
        self.is_described = isinstance(described, list)
        """Whether the file tells its images, so that ids are looked up there."""
        self._by_id: dict[int | str, list[dict[str, Any]]] = {}
        self._by_name: dict[str, dict[str, Any]] = {}
        for one in described if isinstance(described, list) else ():
            if not isinstance(one, dict):
                continue
            name = one.get("file_name")
            if isinstance(name, str):
                self._by_name.setdefault(name, one)
            try:
                same = self._by_id.setdefault(_id(one.get("id")), [])
            except SourceError:
                continue
            if all(_name_of(other) != _name_of(one) for other in same):
                same.append(one)

    def keys(self) -> Iterator[ImageKey]:
        """Yield every image: those that the file describes, or else those of the folder."""
        if self.is_described:
            yield from (ImageKey(id=image_id) for image_id in self._by_id)
        else:
            yield from (ImageKey(name=self.lookup.filename(path)) for path in self.lookup.all())

    def expect(self, keys: Iterable[ImageKey]) -> None:
        """Tell the lookup all names of the file, and the ids that stand for names: where some lie tells that others are missing."""
        keys = tuple(keys)
        described = (_name_of(one) for same in self._by_id.values() for one in same)
        ids = [] if self.is_described else [key.id for key in keys if key.name is None and key.id is not None]
        paths = [one for one in ids if isinstance(one, str) and is_path(one)]
        names = (*self._by_name, *described, *(key.name for key in keys), *paths)
        self.lookup.expect(
            list(dict.fromkeys(name for name in names if name)),
            [one for one in ids if not (isinstance(one, str) and is_path(one))],
        )

    def path(self, key: ImageKey) -> Path:
        """Return the file of an image.

        Raises:
            SourceError: There is none, or several fit.
        """
        if key.name is not None:
            return self.lookup.named(key.name)
        entry = self._entry(key)
        if entry is None:
            return self.lookup.numbered(key.id if key.id is not None else "")
        name = _name_of(entry)
        if name is None:
            raise SourceError("the entry in images has neither file_name nor coco_url")
        return self.lookup.named(name)

    def named_twice(self, keys: Iterable[ImageKey]) -> dict[ImageKey, ImageKey]:
        """Return, for each image that results name in several ways, another one of these: merged files have two ids for one name."""
        first: dict[str, ImageKey] = {}
        found: dict[ImageKey, ImageKey] = {}
        for key in keys:
            entries = self._by_id.get(key.id, []) if key.name is None and key.id is not None else []
            name = key.name if key.name is not None else _name_of(entries[0]) if len(entries) == 1 else None
            if name is not None:
                other = first.setdefault(name, key)
                if other != key:
                    found[key] = other
                    found.setdefault(other, key)
        return found

    def check_ids(self, keys: Iterable[ImageKey]) -> None:
        """Refuse ids that the described images do not have: the others are then of another numbering too, and fit by chance.

        Raises:
            SourceError: There is one.
        """
        if not self.is_described:
            return
        missing = next((key for key in keys if key.id is not None and key.id not in self._by_id), None)
        if missing is None:
            return
        numbers = [one for one in self._by_id if type(one) is int]
        there = f", {min(numbers)} to {max(numbers)}" if numbers else ""
        raise SourceError(
            f"{missing} is none of the ids of the COCO file's images{there}: the results may be counted from another number, or be of another "
            "data set, and every other id would then be another image; give the annotations that the model was run on, or write "
            "the ids that it read there"
        )

    def told_size(self, key: ImageKey) -> tuple[int, int] | None:
        """Return width and height as the COCO file tells them; None where it does not, or not of one image."""
        try:
            entry = self._entry(key)
        except SourceError:
            return None  # told when its turn comes
        told = (entry.get("width"), entry.get("height")) if entry is not None else (None, None)
        return told if type(told[0]) is type(told[1]) is int else None  # type: ignore[return-value]  # just seen

    def checked_size(self, key: ImageKey, image: ImageFile, orientation: OrientationRule) -> tuple[int, int]:
        """Return width and height of the picture that the results speak of.

        Raises:
            SourceError: The COCO file tells another size: it speaks of another picture, or of its stored form.
        """
        size = image.size(orientation)
        entry = self._entry(key)
        told = (entry.get("width"), entry.get("height")) if entry is not None else (None, None)
        if not all(isinstance(one, (int, float)) and one > 0 for one in told) or told == size:
            return size
        other: OrientationRule = "stored" if orientation == "shown" else "shown"
        hint = f": orientation={other!r} reads it so" if told == image.size(other) else ""
        if hint and other == "stored":
            hint += (
                ", and sends it with a warning: viewers turn the photo, and show its shapes beside their objects. Right shapes come from a "
                "model that gets the turned image"
            )
        raise SourceError(
            f"{os.fspath(image.path)!r} has {size[0]} x {size[1]} pixels, the COCO file says {told[0]} x {told[1]}{hint}"
        )

    def _entry(self, key: ImageKey) -> dict[str, Any] | None:
        if key.name is not None:
            return self._by_name.get(key.name)
        if not self.is_described or key.id is None:
            return None
        entries = self._by_id[key.id]  # `check_ids` was before
        if len(entries) > 1:
            names = ", ".join(repr(_name_of(one)) for one in entries[:3])
            raise SourceError(f"{len(entries)} of the COCO file's images have this id: {names}")
        return entries[0]


def _name_of(entry: dict[str, Any]) -> str | None:
    """Return the file name of an image, or what stands for it: LVIS has addresses only."""
    found = (entry.get(field) for field in ("file_name", "path", "coco_url", "flickr_url"))
    return next((one for one in found if isinstance(one, str) and one), None)


def refuse_shared(key: ImageKey, other: ImageKey, image: Path) -> None:
    """Refuse an image that results name in two ways.

    Raises:
        SourceError: The other key of the image is not this one.
    """
    if other != key:
        raise SourceError(
            f"{key} and {other} are one image, {os.fspath(image)!r}, which would be sent as two frames with a part of the results "
            "each; give them one id"
        )
