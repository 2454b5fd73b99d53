"""`directory`: the images of a folder, one after the other, however many there are."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from typing import get_args

from picsellia_async.image_header import OrientationRule
from picsellia_async.sources._errors import OnBad, Problems
from picsellia_async.sources._folder import (
    IMAGE_PATTERNS,
    checked_patterns,
    matcher,
    pattern_doubts,
    walk,
)
from picsellia_async.sources._image import Image
from picsellia_async.sources._image_files import image_file
from picsellia_async.sources._source import Source
from picsellia_async.validation import boolean, checked_path, choice


def directory(
    path: str | os.PathLike[str],
    pattern: str | Iterable[str] = IMAGE_PATTERNS,
    *,
    recursive: bool = True,
    hidden: bool = False,
    orientation: OrientationRule = "shown",
    source: str | None = None,
    on_bad: OnBad = "raise",
) -> Source[Image]:
    """Return the images of a directory, to predict on.

    Within a directory names come in the order of their characters, a subdirectory at its own name; only the names of the
    directories on the way are in memory. A link to a file is a file; a link to a directory is not followed. `left_out` of the
    source counts the other files by extension; a pass that finds no image at all ends with a `SourceError`.

    Args:
        path: The directory.
        pattern: Shell patterns, without regard to case: one, or several of which one must match. `*`, `?` and `[...]` stay within a
            name, `**` stands for any number of directories, `{a,b}` for either. With `/` a pattern is for the path below the
            directory, without for the name.
        recursive: Whether to go into subdirectories.
        hidden: Whether to take names that begin with a dot.
        orientation: Whether `width` and `height` are those of the picture as viewers show it ("shown", after the EXIF turn), or of
            its pixels as they lie in the file ("stored").
        source: `Image.source` of all images.
        on_bad: What to do about a file that is no JPEG or PNG whatever its name says, is cut off or cannot be read, or a
            subdirectory that cannot be listed: "raise" `SourceError`, or "skip" and count it.

    Raises:
        ConfigurationError: An argument is of the wrong kind. While iterating: there is no such directory.
    """
    root = checked_path(path, "path")
    patterns = checked_patterns(pattern)
    matches = matcher(patterns)
    choice(orientation, "orientation", get_args(OrientationRule))
    recursive = boolean(recursive, "recursive")
    hidden = boolean(hidden, "hidden")

    def read(problems: Problems) -> Generator[Image, None, None]:
        for file in walk(root, matches, problems, recursive=recursive, hidden=hidden):
            image = None
            with problems.item():
                found = image_file(file)
                width, height = found.size(orientation)
                image = Image(
                    image=file, filename=file.relative_to(root).as_posix(), width=width, height=height,
                    timestamp=found.modified, source=source, content_type=found.content_type,
                )  # fmt: skip
            if image is not None:
                yield image

    nothing = f"nothing in {os.fspath(root)!r} matches {', '.join(patterns)}{pattern_doubts(patterns)}"
    return Source(f"directory {os.fspath(root)!r}", read, on_bad=on_bad, nothing=nothing)
