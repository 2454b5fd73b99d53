"""Paths that callers name, and walking a folder: in order, with patterns, one directory at a time. Blocking: for threads."""

from __future__ import annotations

import functools
import heapq
import os
import re
from collections.abc import Callable, Generator, Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final, Literal, TypeAlias

import attrs

from picsellia_async.errors import ConfigurationError, FileNotFoundException, FileNotReadableError, shown
from picsellia_async.monitor_options import EXTENSIONS, OTHER_TYPES
from picsellia_async.sources._errors import Problems

Matcher: TypeAlias = Callable[[str], bool]
"""Tells whether a path below the folder, with `/`, is asked for."""

IMAGE_PATTERNS: Final = tuple(f"*{extension}" for extension in EXTENSIONS)
"""Names that the service takes images by."""

OTHER_PICTURES: Final = frozenset({*OTHER_TYPES, ".jp2", ".jxl", ".dng"})
"""Pictures that the service does not take."""

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_SET: Final = re.compile(r"\[(!?)([^/]+?)\]")


def checked_patterns(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return the shell patterns.

    Raises:
        ConfigurationError: It is neither a text nor several.
    """
    try:
        patterns = (value,) if isinstance(value, str) else tuple(value)
    except TypeError:
        patterns = ()
    if not patterns or not all(isinstance(one, str) and one for one in patterns):
        raise ConfigurationError(f"pattern must be a text or several, got {shown(value)}")
    return patterns


def matcher(patterns: Iterable[str]) -> Matcher:
    """Return what tells whether a path fits one of the shell patterns, without regard to case.

    `*`, `?` and `[...]` stay within a name, `**` stands for any number of directories, `{a,b}` for either. A pattern without `/`
    is for the name alone, in whatever directory.
    """
    sources = [_regex(one) for pattern in patterns for one in alternatives(pattern)]
    fits = re.compile("|".join(f"(?:{one})" for one in sources), re.IGNORECASE | re.DOTALL).fullmatch
    return lambda path: fits(path) is not None


def alternatives(pattern: str) -> list[str]:
    """Return the patterns that the innermost braces stand for, until none are left."""
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [one for word in found[1].split(",") for one in alternatives(f"{before}{word}{after}")]


def pattern_doubts(patterns: Iterable[str]) -> str:
    """Return what is wrong with patterns that matched nothing, in brackets; "" where nothing tells."""
    found = [f"{pattern!r} {doubt}" for pattern in patterns if (doubt := _doubt(pattern))]
    return f" ({'; '.join(found)})" if found else ""


def _doubt(pattern: str) -> str:
    if pattern.startswith("/") or PureWindowsPath(pattern).is_absolute():
        return "is absolute, and a pattern is for paths below the folder"
    if ".." in pattern.split("/"):
        return "leads out of the folder, and a pattern is for paths below it"
    left = "".join(alternatives(pattern))
    for sign, words in (("{", "a brace that is not closed"), ("}", "a brace that is not opened")):
        if sign in left:
            return f"has {words}"
    if "[" in _SET.sub("", left):
        return "has a bracket that is not closed"
    return "has a backslash, and folders are parted by /" if "\\" in pattern else ""


def _regex(pattern: str) -> str:
    parts = pattern.removeprefix("./").split("/") if "/" in pattern else ["**", pattern]
    words = []
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            words.append(".*" if is_last else "(?:.*/)?")
        else:
            words.append(_segment(part) + ("" if is_last else "/"))
    return "".join(words)


@functools.lru_cache(maxsize=64)
def _segment(part: str) -> str:
    """Return the expression for one name; `fnmatch` would let `*` run over `/`."""
    words = []
    rest = part
    while rest:
        found = _SET.match(rest)
        if found:
            words.append(f"[{'^/' if found[1] else ''}{re.escape(found[2]).replace(chr(92) + '-', '-')}]")
            rest = rest[found.end() :]
            continue
        words.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0])))
        rest = rest[1:]
    return "".join(words)


def walk(
    root: Path, matches: Matcher, problems: Problems, *, recursive: bool = True, hidden: bool = False
) -> Generator[Path, None, None]:
    """Yield the files of a directory in order; what does not match, and pipes and devices, is counted in `problems.left_out`. Blocking.

    A link whose file is gone is yielded like the file, so that who opens it tells of it.

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
    above = [""]
    while waiting:
        if not waiting[-1].names:
            waiting.pop()
            above.pop()
            continue
        name = heapq.heappop(waiting[-1].names)
        kind = waiting[-1].others.get(name, "file")
        if name.startswith(".") and not hidden:
            continue
        below = above[-1] + name
        if kind != "directory":
            if kind == "file" and matches(below):
                yield root / below
            else:
                problems.left_out[PurePosixPath(name).suffix.lower()] += 1
        elif recursive:
            with problems.item(f"the directory {os.fspath(root / below)!r} cannot be listed"):
                waiting.append(_entries(root / below))
                above.append(f"{below}/")


@attrs.frozen
class _Entries:
    """What is in a directory: little for each file, since there may be a million."""

    names: list[str]
    """Of files and directories, as a heap: the first one is there long before a hundred thousand are sorted."""
    others: dict[str, Literal["file", "directory", "device"]]
    """Of names that are no plain files, what each is: a link to a file is that file; nothing of pipes and devices is ever opened."""


def _entries(path: Path) -> _Entries:
    """Return the files and directories in a directory.

    A link to a file is a file; a link to a directory, which may lead in a circle, is not followed.
    """
    found = _Entries([], {})
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                is_directory = entry.is_dir(follow_symlinks=False)
                is_gone = entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110 - a folder may hold millions
                if not is_directory and entry.is_dir():  # a link to a directory
                    continue
                is_file = is_gone or entry.is_file()
                found.others[entry.name] = "directory" if is_directory else "file" if is_file else "device"
            found.names.append(entry.name)
    heapq.heapify(found.names)
    return found
