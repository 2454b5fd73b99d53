"""`yolo_labels`: the text files that YOLO writes beside its predictions, with the images they are about."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import get_args

from picsellia_async.errors import ConfigurationError
from picsellia_async.frames import Frame
from picsellia_async.monitor_options import EXTENSIONS
from picsellia_async.sources._errors import OnBad, Problems, SourceError
from picsellia_async.sources._image_header import known_size, open_source
from picsellia_async.sources._shapes import Shape, ShapeKind, label_of, polygon_from, prediction_from
from picsellia_async.sources._source import Source
from picsellia_async.sources.directory import IMAGE_PATTERNS, checked_path, walk
from picsellia_async.validation import choice, real_number

_SUFFIXES = (*EXTENSIONS, *(extension.upper() for extension in EXTENSIONS))


def yolo_labels(
    dir: str | os.PathLike[str],  # noqa: A002 - the documented name
    images: str | os.PathLike[str],
    *,
    kind: ShapeKind = "detection",
    categories: Mapping[int, int] | None = None,
    empty: bool = False,
    source: str | None = None,
    latency: float = 0.0,
    on_bad: OnBad = "raise",
) -> Source[Frame]:
    """Return a frame for each label file `a/b.txt`, whose image is `a/b.jpg`, `.jpeg` or `.png` below `images`.

    A line is `class x y width height [score]`, centre and size as shares of the image's width and height. It becomes
    `[(y - height / 2) * H, (x - width / 2) * W, (y + height / 2) * H, (x + width / 2) * W]`, that is top, left, bottom, right in
    pixels, rounded after that. For polygons it is `class x1 y1 x2 y2 ... [score]`. A line without score has 1.0.

    Args:
        dir: Directory of the label files.
        images: Directory of the images; may be the same.
        kind: "detection" reads boxes, "segmentation" polygons.
        categories: Index into the label map of the model version by class number. None takes the numbers as they are.
        empty: Whether images without a label file are frames too, with empty predictions, after the others: YOLO writes no
            file where it finds nothing.
        source: `Frame.source` of all frames.
        latency: Inference time in seconds, of all frames.
        on_bad: What to do with an image that is not there, or a line that cannot be read: "raise" `SourceError`, or "skip" the image
            and count it.

    Raises:
        ConfigurationError: An argument is of the wrong kind. While iterating: a directory is not there.
    """
    labels, folder = checked_path(dir, "dir"), checked_path(images, "images")
    choice(kind, "kind", get_args(ShapeKind))

    def frame(image: Path, shapes: list[Shape], size: tuple[int, int], modified: float) -> Frame:
        return Frame(
            image=image, filename=image.relative_to(folder).as_posix(), width=size[0], height=size[1], latency=latency,
            prediction=prediction_from(shapes, kind), source=source, timestamp=modified,
        )  # fmt: skip

    def read(problems: Problems) -> Generator[Frame, None, None]:
        for file in walk(labels, ("*.txt",), problems):
            try:
                image = _image_of(file.relative_to(labels), folder)
                size = known_size(image)
                with open_source(file, "label file") as lines:
                    shapes = list(_shapes(lines.read(), size, kind, categories))
                    modified = os.fstat(lines.fileno()).st_mtime
                yield frame(image, shapes, size, modified)
            except (ConfigurationError, SourceError) as error:
                problems.add(f"{os.fspath(file)}: {error}")
        for image in walk(folder, IMAGE_PATTERNS, problems) if empty else ():
            if (labels / image.relative_to(folder)).with_suffix(".txt").exists():
                continue
            try:
                yield frame(image, [], known_size(image), image.stat().st_mtime)
            except (OSError, SourceError) as error:
                problems.add(str(error))

    return Source(f"yolo_labels {os.fspath(labels)!r}", read, on_bad=on_bad)


def _image_of(label: Path, folder: Path) -> Path:
    for suffix in _SUFFIXES:
        image = (folder / label).with_suffix(suffix)
        if image.is_file():
            return image
    raise SourceError(f"no image {label.with_suffix('').as_posix()!r} (.jpg, .jpeg, .png) in {os.fspath(folder)!r}")


def _shapes(
    content: bytes, size: tuple[int, int], kind: ShapeKind, categories: Mapping[int, int] | None
) -> Iterator[Shape]:
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            yield _shape(words, size, kind, categories)
        except (ValueError, SourceError) as error:
            raise SourceError(f"line {number}: {error}") from None


def _shape(words: list[str], size: tuple[int, int], kind: ShapeKind, categories: Mapping[int, int] | None) -> Shape:
    label = label_of(int(words[0]), categories)
    numbers = [real_number(float(word), "a label file's number") for word in words[1:]]
    width, height = size
    if kind == "detection":
        if len(numbers) not in {4, 5}:
            raise SourceError(f"a box is `class x y width height [score]`, got {len(words)} numbers")
        x, y, across, down = numbers[:4]
        box = ((y - down / 2) * height, (x - across / 2) * width, (y + down / 2) * height, (x + across / 2) * width)
        return Shape(label, numbers[4] if len(numbers) == 5 else 1.0, box=box)
    score = numbers.pop() if len(numbers) % 2 else 1.0
    return Shape(label, score, polygon=[(x * width, y * height) for x, y in polygon_from(numbers)])
