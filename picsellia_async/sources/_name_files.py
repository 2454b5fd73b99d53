"""Files with the names of classes, by number: read whole, or refused where a name's number is in doubt. Blocking: for threads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._image_files import decoded_text, open_source

NAME_FILES: Final = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names", "classes.names")
"""Where tools that write YOLO labels put the names of their classes, beside the labels or one directory above."""
_YAML: Final = frozenset({".yaml", ".yml"})
_COMMENTS: Final = ("#", "//")
_WAY: Final = "Correct it, or give the names in another file"


class NoNamesError(SourceError):
    """The file holds no names at all: it may be of another kind."""


def names_beside(folder: Path) -> dict[int, str]:
    """Return class names by number, from the files that tools write beside their labels; all that are there say the same.

    Raises:
        ConfigurationError: The first file is YAML, and the extra is not installed.
        SourceError: The first file holds no names, a file leaves the number of a name in doubt, or two files contradict each other.
    """
    paths = [path for place in (folder, folder.parent) for name in NAME_FILES if (path := place / name).is_file()]
    if not paths:
        return {}
    first, *others = paths
    found = read_names(first)
    for other in others:
        try:
            said = read_names(other)
        except (NoNamesError, ConfigurationError):  # another kind of file, or YAML that cannot be read here
            continue
        number = next((number for number in found if said.get(number, found[number]) != found[number]), None)
        if number is not None:
            raise SourceError(
                f"{os.fspath(first)} calls class {number} {found[number]!r}, and {os.fspath(other)} {said[number]!r}: name the one "
                "that the labels were written with (names=), or remove the other"
            )
        found = {**said, **found}
    return found


def read_names(path: Path) -> dict[int, str]:
    """Return class names by number, of a text with a name per line, or of YAML with `names`.

    Raises:
        ConfigurationError: The file is not there, or YAML and the extra is not installed.
        SourceError: It holds no names, or leaves the number of one in doubt.
    """
    with open_source(path, "names") as file:
        content = file.read()
    try:
        text = decoded_text(content)
    except SourceError as error:
        raise SourceError(f"{os.fspath(path)}: {error}") from None
    found = _of_yaml(path, text) if path.suffix.lower() in _YAML else _of_lines(path, text)
    refuse_repeated_names(found, os.fspath(path))
    return found


def refuse_repeated_names(names: Mapping[int, str], where: str) -> None:
    """Refuse a name of two numbers: a line that was copied, and the name of one of them is not known.

    Raises:
        SourceError: There is one.
    """
    numbers: dict[str, int] = {}
    for number, name in names.items():
        if numbers.setdefault(name, number) != number:
            raise SourceError(
                f"{where}: classes {numbers[name]} and {number} are both called {name!r}, and one of them is another class. {_WAY}"
            )


def _of_lines(path: Path, text: str) -> dict[int, str]:
    """Return the name of each line. Empty lines at the end are none.

    Raises:
        SourceError: A line in between is blank or a comment, and would count as a class.
    """
    names = [line.strip() for line in text.rstrip().splitlines()]
    for number, name in enumerate(names):
        if not name or name.startswith(_COMMENTS):
            what = f"a comment, {shown(name)}" if name else "blank"
            raise SourceError(
                f"{os.fspath(path)}: line {number + 1} is {what}. A line is the name of a class, counted from 0, so that every name "
                f"behind it would be one too high. {_WAY}"
            )
    return dict(enumerate(names))


def _of_yaml(path: Path, text: str) -> dict[int, str]:
    """Return the `names` of a YAML file.

    Raises:
        ConfigurationError: The extra is not installed.
        SourceError: There are none, one is no text, or there are not as many as `nc` says.
    """
    try:
        import yaml  # noqa: PLC0415 - an extra, imported on use
    except ImportError as error:
        raise ConfigurationError(
            f"class names in {path.name} need PyYAML: pip install 'picsellia-async[yaml]', or give names="
        ) from error
    names: Any = None
    count: Any = None
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError:
        loaded = None
    if isinstance(loaded, dict):
        names, count = loaded.get("names"), loaded.get("nc")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(type(number) is int for number in names):
        raise NoNamesError(f"{os.fspath(path)} holds no names, a list or numbers with names")
    for number, name in names.items():
        if type(name) not in {str, int} or not str(name).strip():
            raise SourceError(
                f"{os.fspath(path)}: the name of class {number} is {shown(name)}, and no text (write yes, no, on and off in "
                f"quotes). {_WAY}"
            )
    if type(count) is int and count != len(names):
        raise SourceError(f"{os.fspath(path)}: nc is {count}, and there are {len(names)} names. {_WAY}")
    return {number: str(name).strip() for number, name in names.items()}
