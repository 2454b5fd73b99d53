"""From the classes of a file, numbers or names, to the label map of a model version."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.predictions._labels import checked_label_map, index_of
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._name_files import NoNamesError, names_beside, read_names, refuse_repeated_names
from picsellia_async.validation import sequence, whole_number

Categories: TypeAlias = Mapping[int, int] | Mapping[str, int] | Literal["indexes"]
"""Index into the label map by class number or class name of the file; "indexes": its numbers are such indexes already."""
Names: TypeAlias = Mapping[int, str] | Sequence[str] | str | os.PathLike[str]
"""Class names by number, or the file that has them."""


@attrs.frozen
class ClassIndex:
    """Finds the index of a class in the label map."""

    categories: Mapping[int | str, int] | None = None
    """What the caller says, by number or name."""
    label_map: Mapping[str, int] | None = None
    """Index by name."""
    names: Mapping[int, str] = attrs.field(factory=dict[int, str])
    """Names by number, as the file has them."""
    are_indexes: bool = False
    """Whether the caller says that the file's numbers are indexes."""
    _by_index: Mapping[int, str] = attrs.field(init=False)
    """Names by index of `label_map`."""

    @_by_index.default
    def _(self) -> Mapping[int, str]:
        return {int(index): name for name, index in (self.label_map or {}).items()}

    @property
    def is_told(self) -> bool:
        """Whether the caller says which index a class is."""
        return self.are_indexes or self.categories is not None or self.label_map is not None

    def why_unknown(self, category: int) -> str:
        """Return why a class number of the file is of another numbering than the one that is known; "" where nothing tells.

        One such number tells of all: those that are known are then other classes.
        """
        if self.are_indexes:
            if self.label_map is None or category in self._by_index:
                return ""
            return (
                f"class {category} is no index of the label map, {_range(self._by_index)}: the numbers may be counted from 1, as "
                "save_json of ultralytics counts, or be another model's; categories={id: index} says which they are"
            )
        # Names that nobody asked for may be a text that happens to lie there.
        if self.is_told and self.names and category not in self.names and category not in (self.categories or {}):
            return (
                f"category {category} is none of the file that names them, {_range(self.names)}: the ids may be of another numbering, "
                "and those that are there then of other classes. categories={id: index} says which they are"
            )
        return ""

    def names_of(self, indexes: Iterable[int]) -> dict[int, str]:
        """Return what the classes of these indexes are called, as far as it is known."""
        known = self._by_index if self.label_map is not None else {} if self.is_told else self.names
        return {index: known[index] for index in indexes if index in known}

    def of(self, category: int | str) -> int:
        """Return the index for a class number or class name of the file.

        Raises:
            SourceError: There is a mapping, and it lacks the class; or there is none, and the class is a name.
        """
        name = category if isinstance(category, str) else self.names.get(category)
        if self.categories is not None:
            told = {key: self.categories[key] for key in (category, name) if key is not None and key in self.categories}
            if len(set(told.values())) > 1:
                raise SourceError(f"categories gives class {_called(category, name)} two indexes: {shown(told)}")
            if told:
                return next(iter(told.values()))
            raise SourceError(f"categories has no entry for class {_called(category, name)}")
        if self.label_map is not None and not self.are_indexes:
            if name is None:
                raise SourceError(
                    f"class {category} has no name to look up in the label map: name it (COCO's categories, YOLO's names=), or "
                    'say its index with categories=; categories="indexes" where it is an index already, counted from 0'
                )
            try:
                return index_of(name.strip(), f"class {_called(category, name)}", self.label_map)
            except ConfigurationError as error:
                raise SourceError(str(error)) from None
        if isinstance(category, str):
            raise SourceError(
                f"class {category!r} is a name, which needs label_map=await deployment.label_map(), or categories="
            )
        why = self.why_unknown(category)
        if why:
            raise SourceError(why)
        return category


def _range(numbers: Iterable[int]) -> str:
    found = sorted(numbers)
    return f"{found[0]} to {found[-1]}" if found else "which is empty"


def _called(category: int | str, name: str | None) -> str:
    return repr(category) if name is None or name == category else f"{category} ({name})"


def checked_classes(categories: Categories | None, label_map: Mapping[str, int] | None) -> ClassIndex:
    """Return what the caller says of classes.

    Raises:
        ConfigurationError: Both are given, or one is no mapping.
    """
    are_indexes = isinstance(categories, str) and categories == "indexes"
    if categories is not None and not are_indexes and label_map is not None:
        raise ConfigurationError('categories and label_map must not be given together, but for categories="indexes"')
    known = None if label_map is None else checked_label_map(label_map)
    if are_indexes:
        return ClassIndex(label_map=known, are_indexes=True)
    if categories is not None and not isinstance(categories, Mapping):
        raise ConfigurationError(f'categories must be a mapping, or "indexes", got {shown(categories)}')
    return ClassIndex(
        None
        if categories is None
        else {key: whole_number(to, f"categories[{key!r}]") for key, to in categories.items()},
        known,
    )


def names_for(classes: ClassIndex, value: Names | None, beside: Path) -> dict[int, str]:
    """Return class names by number: as given, or from the files that tools write beside their labels.

    Raises:
        ConfigurationError: A file that was named is not there.
        SourceError: A file holds no class names, leaves the number of one in doubt, or two files contradict each other.
    """
    if classes.are_indexes and value is None:
        return {}
    if value is not None:
        return _given_names(value)
    try:
        return names_beside(beside)
    except (NoNamesError, ConfigurationError):
        if classes.is_told:
            raise
        return {}  # nobody asked for them


def _given_names(value: Names) -> dict[int, str]:
    if isinstance(value, Mapping):
        return {whole_number(key, "names"): str(name) for key, name in value.items()}
    if isinstance(value, (str, os.PathLike)):
        return read_names(Path(value))
    found = {number: str(name) for number, name in enumerate(sequence(value, "names"))}
    refuse_repeated_names(found, "names")
    return found
