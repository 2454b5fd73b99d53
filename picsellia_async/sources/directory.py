"""`directory`: the images of a folder, one after the other, however many there are."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Final

from picsellia_async.errors import ConfigurationError, FileNotFoundException, FileNotReadableError, shown
from picsellia_async.monitor_options import EXTENSIONS
from picsellia_async.sources._errors import OnBad, Problems, SourceError
from picsellia_async.sources._image import Image
from picsellia_async.sources._image_header import file_facts
from picsellia_async.sources._source import Source

IMAGE_PATTERNS: Final = tuple(f"*{extension}" for extension in EXTENSIONS)
"""Names that the service takes images by."""


def directory(
    path: str | os.PathLike[str],
    pattern: str | Iterable[str] = IMAGE_PATTERNS,
    *,
    recursive: bool = True,
    hidden: bool = False,
    source: str | None = None,
    on_bad: OnBad = "raise",
) -> Source[Image]:
    """Return the images of a directory, to predict on.

    Within a directory names come in the order of their characters, a subdirectory at its own name; only the names of the
    directories on the way are in memory. A link to a file is a file; a link to a directory is not followed. An image whose
    header cannot be read comes with `width` and `height` None.

    Args:
        path: The directory.
        pattern: Shell patterns for file names, without regard to case: one, or several of which one must match.
        recursive: Whether to go into subdirectories.
        hidden: Whether to take names that begin with a dot.
        source: `Image.source` of all images.
        on_bad: What to do about a file or subdirectory that cannot be read: "raise" `SourceError`, or "skip" and count it.

    Raises:
        ConfigurationError: An argument is of the wrong kind. While iterating: there is no such directory.
    """
    root = checked_path(path, "path")
    patterns = _patterns(pattern)

    def read(problems: Problems) -> Generator[Image, None, None]:
        for file in walk(root, patterns, problems, recursive=recursive, hidden=hidden):
            try:
                size, modified = file_facts(file)
            except SourceError as error:
                problems.add(str(error))
                continue
            width, height = size or (None, None)
            name = file.relative_to(root).as_posix()
            yield Image(image=file, filename=name, width=width, height=height, timestamp=modified, source=source)

    return Source(f"directory {os.fspath(root)!r}", read, on_bad=on_bad)


def checked_path(value: Any, name: str) -> Path:
    """Return the path.

    Raises:
        ConfigurationError: The value is no path.
    """
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ConfigurationError(f"{name} must be a str or Path, got {shown(value)}")
    return Path(value)


def _patterns(value: str | Iterable[str]) -> tuple[str, ...]:
    patterns = (value,) if isinstance(value, str) else tuple(value)
    if not patterns or not all(isinstance(one, str) and one for one in patterns):
        raise ConfigurationError(f"pattern must be a text or several, got {shown(value)}")
    return tuple(one.lower() for one in patterns)


def walk(
    root: Path, patterns: tuple[str, ...], problems: Problems, *, recursive: bool = True, hidden: bool = False
) -> Generator[Path, None, None]:
    """Yield the files of a directory in order. Blocking.

    Raises:
        ConfigurationError: The directory cannot be listed.
    """
    try:
        waiting = [_entries(root)]
    except FileNotFoundError:
        raise FileNotFoundException(f"there is no directory {os.fspath(root)!r}") from None
    except PermissionError:
        raise FileNotReadableError(f"the directory {os.fspath(root)!r} may not be listed by this user") from None
    except OSError as error:
        raise ConfigurationError(f"{os.fspath(root)!r} cannot be listed: {error.strerror}") from error
    while waiting:
        if not waiting[-1]:
            waiting.pop()
            continue
        place, name, is_directory = waiting[-1].pop()
        if name.startswith(".") and not hidden:
            continue
        path = Path(place, name)
        if is_directory and recursive:
            try:
                waiting.append(_entries(path))
            except OSError as error:
                problems.add(f"the directory {os.fspath(path)!r} cannot be listed: {error.strerror}")
        elif not is_directory and any(fnmatch.fnmatchcase(name.lower(), one) for one in patterns):
            yield path


def _entries(path: Path) -> list[tuple[str, str, bool]]:
    """Return place, name and "is a directory" of the files and directories in a directory, the last first."""
    place = os.fspath(path)
    with os.scandir(path) as entries:
        found = [
            (place, entry.name, is_directory)
            for entry in entries
            if (is_directory := entry.is_dir(follow_symlinks=False)) or entry.is_file()
        ]
    found.sort(reverse=True)
    return found
