"""`coco_results`: what a detector wrote in the results format of COCO, with the images it is about."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import attrs
import orjson

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.frames import Frame
from picsellia_async.sources._errors import OnBad, Problems, SourceError
from picsellia_async.sources._image_header import known_size, open_source
from picsellia_async.sources._shapes import Shape, ShapeKind, label_of, polygon_from, prediction_from
from picsellia_async.sources._source import Source
from picsellia_async.sources.directory import IMAGE_PATTERNS, checked_path, walk
from picsellia_async.validation import choice, real_number, sequence, whole_number


def coco_results(
    json: str | os.PathLike[str],
    images: str | os.PathLike[str],
    *,
    annotations: str | os.PathLike[str] | None = None,
    kind: ShapeKind = "detection",
    categories: Mapping[int, int] | None = None,
    empty: bool = False,
    source: str | None = None,
    latency: float = 0.0,
    on_bad: OnBad = "raise",
) -> Source[Frame]:
    """Return a frame for each image that COCO results speak of, in the order in which they first do.

    A box `[x, y, width, height]` becomes `[y, x, y + height, x + width]`, that is top, left, bottom, right, and is rounded after
    that. An object of several polygons becomes as many shapes of its class and score. A shape without `score` has 1.0.
    The results are read as a whole in a thread: allow some ten times their size in memory.

    Args:
        json: List of results (`image_id`, `category_id`, `bbox` or `segmentation`, `score`), or a whole COCO file with
            `images` and `annotations`.
        images: Directory of the images.
        annotations: COCO file whose `images` tell the file name of each `image_id`. Without one: the id is the file name, its part
            before the extension, or the number in it (`000000000139.jpg` is 139).
        kind: "detection" makes boxes; "segmentation" polygons (run-length masks are refused).
        categories: Index into the label map of the model version by `category_id`. None takes the ids as they are.
        empty: Whether images without any result are frames too, with empty predictions. Those of `annotations`, or of the directory.
        source: `Frame.source` of all frames.
        latency: Inference time in seconds, of all frames.
        on_bad: What to do with an image that is not there, or a result that cannot be used: "raise" `SourceError`, or "skip" the
            image and count it.

    Raises:
        ConfigurationError: An argument is of the wrong kind. While iterating: the file or directory is not there.
    """
    file, folder = checked_path(json, "json"), checked_path(images, "images")
    names_file = None if annotations is None else checked_path(annotations, "annotations")
    choice(kind, "kind", get_args(ShapeKind))

    def read(problems: Problems) -> Generator[Frame, None, None]:
        content, modified = _load(file)
        known = content if isinstance(content, dict) else {}
        if names_file is not None:
            known = _load(names_file)[0]
        results = content.get("annotations") if isinstance(content, dict) else content
        groups = _grouped(results, file, problems)
        lookup = _Lookup.of(known, folder, problems)
        if empty:
            for image_id in lookup.ids():
                groups.setdefault(image_id, [])
        for image_id in list(groups):
            place = f"{os.fspath(file)} image_id {image_id!r}"
            try:
                shapes = [shape for one in groups.pop(image_id) for shape in _shapes(one, kind, categories)]
                image = lookup.find(image_id)
                width, height = known_size(image)
                yield Frame(
                    image=image, filename=image.relative_to(folder).as_posix(), width=width, height=height, latency=latency,
                    prediction=prediction_from(shapes, kind), source=source, timestamp=modified,
                )  # fmt: skip
            except (ConfigurationError, SourceError) as error:
                problems.add(f"{place}: {error}")

    return Source(f"coco_results {os.fspath(file)!r}", read, on_bad=on_bad)


def _load(path: Path) -> tuple[Any, float]:
    with open_source(path, "COCO file") as file:
        modified = os.fstat(file.fileno()).st_mtime
        try:
            return orjson.loads(file.read()), modified
        except orjson.JSONDecodeError as error:
            raise SourceError(f"{os.fspath(path)} is no JSON: {error}") from None


def _grouped(results: Any, path: Path, problems: Problems) -> dict[Any, list[dict[str, Any]]]:
    """Return the results by image, in the order in which the images appear first."""
    if not isinstance(results, list):
        raise SourceError(f"{os.fspath(path)} is neither a list of results nor a COCO file with annotations")
    groups: dict[Any, list[dict[str, Any]]] = {}
    for number, one in enumerate(results):
        image_id = one.get("image_id") if isinstance(one, dict) else None
        if isinstance(image_id, (int, str)):
            groups.setdefault(image_id, []).append(one)
        else:
            problems.add(f"{os.fspath(path)} result {number}: no image_id")
    return groups


@attrs.frozen
class _Lookup:
    """Finds the file of an image id."""

    folder: Path
    names: dict[Any, str] | None
    """By id, as the COCO file says; None where there is none."""
    files: dict[str | int, Path]
    """By name, stem and number, where there is none."""

    @classmethod
    def of(cls, content: Any, folder: Path, problems: Problems) -> _Lookup:
        """Read the COCO file's images, or list the directory."""
        described = content.get("images") if isinstance(content, dict) else None
        if isinstance(described, list):
            try:
                return cls(folder, {one["id"]: str(one["file_name"]) for one in described}, {})
            except (KeyError, TypeError):
                raise SourceError("each of the COCO file's images needs id and file_name") from None
        files: dict[str | int, Path] = {}
        for path in walk(folder, IMAGE_PATTERNS, problems):
            name = path.relative_to(folder).as_posix()
            files[name] = path
            for key in (path.name, path.stem, int(path.stem) if path.stem.isdecimal() else None):
                if key is not None:
                    files.setdefault(key, path)
        return cls(folder, None, files)

    def ids(self) -> Iterator[Any]:
        """Yield the ids that there are; of a directory, the paths below it."""
        if self.names is not None:
            yield from self.names
            return
        yield from dict.fromkeys(path.relative_to(self.folder).as_posix() for path in self.files.values())

    def find(self, image_id: Any) -> Path:
        """Return the file.

        Raises:
            SourceError: Nothing is known of the id.
        """
        if self.names is not None:
            if image_id not in self.names:
                raise SourceError("the COCO file's images have no such id")
            return self.folder / self.names[image_id]
        if image_id not in self.files:
            raise SourceError(f"no image of that name or number in {os.fspath(self.folder)!r}")
        return self.files[image_id]


def _shapes(result: dict[str, Any], kind: ShapeKind, categories: Mapping[int, int] | None) -> Iterator[Shape]:
    label = label_of(whole_number(result.get("category_id"), "category_id"), categories)
    score = real_number(result.get("score", 1.0), "score")
    if kind == "detection":
        numbers = [real_number(one, "bbox") for one in sequence(result.get("bbox"), "bbox")]
        if len(numbers) != 4:
            raise SourceError(f"bbox must be [x, y, width, height], got {shown(numbers)}")
        x, y, width, height = numbers
        yield Shape(label, score, box=(y, x, y + height, x + width))
        return
    polygons = result.get("segmentation")
    if not isinstance(polygons, list):
        raise SourceError("segmentation must be polygons [[x1, y1, x2, y2, ...], ...]; run-length masks are not read")
    for one in polygons:
        flat = [real_number(number, "segmentation") for number in sequence(one, "segmentation")]
        yield Shape(label, score, polygon=polygon_from(flat))
