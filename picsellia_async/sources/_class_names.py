"""From the classes of a file, numbers or names, to the label map of a model version. Reading names is blocking: for threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs

from picsellia_async.errors import ConfigurationError, PicselliaError, shown
from picsellia_async.predictions._labels import index_of
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._image_files import open_source, text_encoding
from picsellia_async.validation import whole_number

Categories: TypeAlias = Mapping[int, int] | Mapping[str, int] | Literal["indexes"]
"""Index into the label map by class number or class name of the file; "indexes": its numbers are such indexes already."""
Names: TypeAlias = Mapping[int, str] | Sequence[str] | str | os.PathLike[str]
"""Class names by number, or the file that has them."""

NAME_FILES: Final = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names", "classes.names")
"""Where tools that write YOLO labels put the names of their classes, beside the labels or one directory above."""
_YAML: Final = frozenset({".yaml", ".yml"})


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
            for key in (category, name):
                if key is not None and key in self.categories:
                    return self.categories[key]
            raise SourceError(f"categories has no entry for class {_called(category, name)}")
        if self.label_map is not None:
            if name is None:
                raise SourceError(
                    f"class {category} has no name to look up in the label map: name it (COCO's categories, YOLO's names=), or "
                    'say its index with categories=; categories="indexes" where it is an index already'
                )
            try:
                return index_of(name.strip(), f"class {_called(category, name)}", self.label_map)
            except ConfigurationError as error:
                raise SourceError(str(error)) from None
        if isinstance(category, str):
            raise SourceError(
                f"class {category!r} is a name, which needs label_map=await deployment.label_map(), or categories="
            )
        return category


def _called(category: int | str, name: str | None) -> str:
    return repr(category) if name is None or name == category else f"{category} ({name})"


def checked_classes(categories: Categories | None, label_map: Mapping[str, int] | None) -> ClassIndex:
    """Return what the caller says of classes.

    Raises:
        ConfigurationError: Both are given, or one is no mapping.
    """
    if categories is not None and label_map is not None:
        raise ConfigurationError("categories and label_map must not be given together")
    if categories == "indexes":
        return ClassIndex(are_indexes=True)
    for name, value in (("categories", categories), ("label_map", label_map)):
        if value is not None and not isinstance(value, Mapping):
            raise ConfigurationError(f"{name} must be a mapping, got {shown(value)}")
    return ClassIndex(
        None
        if categories is None
        else {key: whole_number(to, f"categories[{key!r}]") for key, to in categories.items()},
        label_map,
    )


def names_for(classes: ClassIndex, value: Names | None, beside: Path) -> dict[int, str]:
    """Return class names by number: as given, or from the files that tools write beside their labels.

    Raises:
        ConfigurationError: A file that was named is not there.
        SourceError: A file holds no class names.
    """
    if classes.are_indexes and value is None:
        return {}
    try:
        return _names_from(value, beside)
    except PicselliaError:
        if value is not None or classes.is_told:
            raise
        return {}  # nobody asked for them


def _names_from(value: Names | None, beside: Path) -> dict[int, str]:
    """Return class names by number.

    Raises:
        ConfigurationError: A file that was named is not there.
        SourceError: A file holds no class names.
    """
    if value is None:
        places = (folder / name for folder in (beside, beside.parent) for name in NAME_FILES)
        found = next((one for one in places if one.is_file()), None)
        return {} if found is None else _read(found)
    if isinstance(value, Mapping):
        return {whole_number(key, "names"): str(name) for key, name in value.items()}
    if isinstance(value, (str, os.PathLike)):
        return _read(Path(value))
    return {number: str(name) for number, name in enumerate(value)}


def _read(path: Path) -> dict[int, str]:
    with open_source(path, "names") as file:
        content = file.read()
    text = content.decode(text_encoding(content), "replace")
    if path.suffix.lower() not in _YAML:
        lines = [line.strip() for line in text.splitlines()]
        return {number: name for number, name in enumerate(lines) if name}
    try:
        import yaml  # noqa: PLC0415 - an extra, imported on use
    except ImportError as error:
        raise ConfigurationError(
            f"class names in {path.name} need PyYAML: pip install 'picsellia-async[yaml]', or give names="
        ) from error
    try:
        names = (yaml.safe_load(text) or {}).get("names")
    except (yaml.YAMLError, AttributeError):
        names = None
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, dict) and all(isinstance(key, int) for key in names):
        return {key: str(name) for key, name in names.items()}
    raise SourceError(f"{os.fspath(path)} holds no names, a list or numbers with names")
