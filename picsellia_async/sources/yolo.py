"""`yolo_labels`: the text files that YOLO writes beside its predictions, with the images they are about."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, get_args

import attrs

from picsellia_async._log_line import Line, write
from picsellia_async.errors import PicselliaError
from picsellia_async.frames import Frame
from picsellia_async.image_header import OrientationRule
from picsellia_async.sources._class_names import Categories, ClassIndex, Names, checked_classes, names_for
from picsellia_async.sources._errors import OnBad, Problems, SourceError
from picsellia_async.sources._folder import matcher, walk
from picsellia_async.sources._image_files import image_file, open_source, text_encoding
from picsellia_async.sources._label_watch import LabelWatch
from picsellia_async.sources._lookup import ImageLookup
from picsellia_async.sources._shapes import (
    Shape,
    ShapeKind,
    checked_default_score,
    checked_score,
    polygon_from,
    prediction_from,
)
from picsellia_async.sources._source import Source, watched
from picsellia_async.sources._turn_watch import TurnWatch, check_orientation_rule
from picsellia_async.sources._yolo_lines import Object, check_last_number, has_line_end, objects
from picsellia_async.validation import boolean, checked_path, choice

_NO_LABELS: Final = frozenset({"classes", "labels", "obj", "predefined_classes", "train", "val", "valid", "test"})
"""Text files that tools put beside labels: names of classes, lists of images."""

_LABELS: Final = matcher(("*.txt",))

_LOOKED_AT: Final = 64
"""Label files of which is remembered how their last lines end."""
_NAMED_MAX: Final = 3
"""Label files that a message about several names."""
_ENDED_MIN: Final = 2
"""Other files whose last line is ended, from which on a file in which it is not counts as cut off."""


def yolo_labels(
    dir: str | os.PathLike[str],  # noqa: A002 - the documented name
    images: str | os.PathLike[str],
    *,
    kind: ShapeKind = "detection",
    categories: Categories | None = None,
    label_map: Mapping[str, int] | None = None,
    names: Names | None = None,
    score: float | None = None,
    empty: bool = False,
    orientation: OrientationRule | None = None,
    source: str | None = None,
    latency: float = 0.0,
    on_bad: OnBad = "raise",
) -> Source[Frame]:
    """Return a frame for each label file `a/b.txt`, whose image is `a/b` below `images`, with an extension of a JPEG or PNG.

    A line is `class x y width height [score] [track]`, centre and size as shares of the image's width and height. It becomes
    `[(y - height / 2) * H, (x - width / 2) * W, (y + height / 2) * H, (x + width / 2) * W]`, that is top, left, bottom, right in
    pixels, rounded after that. For polygons it is `class x1 y1 x2 y2 ... [score] [track]`; the four corners of an oriented box are
    such a polygon. Boxes with keypoints, pixels instead of shares and lines that can be read in two ways are refused; so are
    images with several label files, and labels whose image lies in a folder of another name only. Before the first frame all label files
    are read once, and the folder is refused where they tell together that it was written in another way: a class that the names, or the
    label map of `categories="indexes"`, do not have; corners (x1 y1 x2 y2), left and top instead of the centre, or the score before the box;
    shapes far beyond their images in two files and a tenth of all; or files counted from 1 and images from 0. With `on_bad="skip"` classes
    and shapes tell so from three files and a tenth of all on. Numbers of tracks are not sent.

    Args:
        dir: Directory of the label files.
        images: Directory of the images; may be the same.
        kind: "detection" reads boxes, "segmentation" polygons.
        categories: Index into the label map of the model version by class number, or by name where `names` are known; a class that
            it does not name is refused. "indexes": the numbers are indexes already. None takes them so too, and where their names are
            known a deployment whose label map has one at another index refuses the frames.
        label_map: Instead: index by class name. Beside "indexes" it tells which there are: a file with another one is refused.
        names: Class names by number, or the file that has them, a text with a name per line or YAML with `names` (extra `yaml`). By
            default `data.yaml` or `classes.txt` beside the labels or one directory above; where several are there, they must agree.
        score: Confidence of lines without one. None refuses them: labels without scores are ground truth.
        empty: Whether images without a label file are frames too, with empty predictions, after the others: YOLO writes no
            file where it finds nothing. A label file with no line, or of no bytes, says that too, and is a frame in any case.
        orientation: "shown": shares are of the picture as viewers show it, after the EXIF turn; "stored": as its pixels lie. None is
            "shown", and tells once where a picture has such a turn: shares say nothing of it.
        source: `Frame.source` of all frames.
        latency: Inference time in seconds, of all frames.
        on_bad: What to do with an image that is not there, or a line that cannot be read: "raise" `SourceError`, or "skip" the image
            and count it.

    Raises:
        ConfigurationError: An argument is of the wrong kind. While iterating: a directory is not there.
    """
    labels, folder = checked_path(dir, "dir"), checked_path(images, "images")
    choice(kind, "kind", get_args(ShapeKind))
    empty = boolean(empty, "empty")
    check_orientation_rule(orientation)
    classes = checked_classes(categories, label_map)
    default = checked_default_score(score)

    def read(problems: Problems) -> Generator[Frame, None, None]:
        lookup = ImageLookup(folder, problems)
        reader = _Reading(attrs.evolve(classes, names=names_for(classes, names, labels)), kind, default)
        files = _Labels.of(labels, lookup)
        files.look(labels, LabelWatch(kind, reader.classes.why_unknown, problems.on_bad), problems)
        problems.total = None if empty else files.count
        done: set[Path] = set()
        turns = TurnWatch(orientation)

        def frame(path: Path, file: Path | None) -> Frame:
            done.add(path)
            image = image_file(path)
            size = image.size(turns.orientation)
            shapes: list[Shape] = []
            modified = image.modified
            if file is not None:
                text, modified = _text(file)
                files.check_end(file, text)
                shapes = reader.shapes(text, size)
            doubt = turns.doubt(repr(os.fspath(path)), image.header, has_shapes=bool(shapes))
            problems.warn(doubt, os.fspath(labels))
            return Frame(
                image=path, filename=lookup.filename(path), width=size[0], height=size[1], latency=latency,
                prediction=prediction_from(shapes, kind, reader.classes), source=source, timestamp=modified, content_type=image.content_type,
            )  # fmt: skip

        for file in walk(labels, _LABELS, problems):
            label = PurePosixPath(file.relative_to(labels).as_posix()).with_suffix("")
            if _is_no_label(label) and not lookup.has(label):
                continue
            made = None
            with problems.item(os.fspath(file)):
                path = lookup.labelled(label)
                files.check_alone(path)
                made = frame(path, file)
            if made is not None:
                yield made
        for path in lookup.all() if empty else ():
            if path in done:
                continue
            made = None
            with problems.item():
                made = frame(path, None)
            if made is not None:
                yield made

    return Source(
        f"yolo_labels {os.fspath(labels)!r}",
        watched(read, os.fspath(labels)),
        on_bad=on_bad,
        nothing=f"no label files in {os.fspath(labels)!r}",
    )


def _is_no_label(label: PurePosixPath) -> bool:
    name = label.name.casefold()
    return name in _NO_LABELS or name.startswith("readme")


@attrs.define
class _Labels:
    """What is known of all label files before the first frame."""

    _files: list[Path]
    """Those that have an image, until they were looked at."""
    _of_one_image: dict[Path, list[Path]]
    """By image, its label files, where there are several."""
    count: int
    """How many there are."""
    _ended: int = attrs.field(default=0, init=False)
    """Of some of them, those whose last line is ended."""
    _not_ended: set[Path] = attrs.field(factory=set, init=False)
    """And those in which it is not."""

    @classmethod
    def of(cls, labels: Path, lookup: ImageLookup) -> _Labels:
        """Find the label files and their images. Blocking.

        Raises:
            SourceError: They are counted from another number than the images.
        """
        used: list[Path] = []
        found: dict[Path, Path] = {}
        several: dict[Path, list[Path]] = {}
        stems: list[str] = []
        unused: list[str] = []
        files = list(walk(labels, _LABELS, Problems("skip")))  # what is wrong is told by the pass that reads them
        names = [PurePosixPath(file.relative_to(labels).as_posix()).with_suffix("") for file in files]
        lookup.expect_labels(names)
        for file, label in zip(files, names, strict=True):
            try:
                image = lookup.labelled(label)
            except SourceError:
                if not _is_no_label(label):
                    stems.append(label.name)
                    unused.append(label.as_posix())
                continue
            stems.append(label.name)
            used.append(file)
            other = found.setdefault(image, file)
            if other != file:
                several.setdefault(image, [other]).append(file)
        lookup.check_counted(stems)
        _tell_unused(labels, unused, len(stems))
        return cls(used, several, len(stems))

    def look(self, labels: Path, watch: LabelWatch, problems: Problems) -> None:
        """Look at all of them, at how the first end, and refuse a folder that was written in another way. Blocking.

        Raises:
            SourceError: It was.
        """
        for number, file in enumerate(self._files):
            if problems.is_left:  # nobody waits for the frames any more
                return
            with contextlib.suppress(PicselliaError, OSError):  # what cannot be read is told when its turn comes
                text = _text(file)[0]
                watch.see(file.relative_to(labels).as_posix(), text)
                if number < _LOOKED_AT and text:
                    is_ended = has_line_end(text)
                    self._ended += is_ended
                    if not is_ended:
                        self._not_ended.add(file)
        self._files.clear()
        if watch.verdict:
            raise SourceError(f"{os.fspath(labels)}: {watch.verdict}")

    def check_end(self, file: Path, text: str) -> None:
        """Refuse a file whose last line alone has no end: a number in it may have lost digits, and nothing else would tell.

        Raises:
            SourceError: It is one.
        """
        check_last_number(text)
        if text and not has_line_end(text) and self._ended >= _ENDED_MIN and not self._not_ended - {file}:
            raise SourceError(
                f"line {len(text.splitlines())}: the file may be cut off: its last line has no end, and those of the other label "
                "files have; write the file again, or end the line"
            )

    def check_alone(self, image: Path) -> None:
        """Refuse an image with several label files: two runs' predictions are not one's.

        Raises:
            SourceError: It has.
        """
        files = self._of_one_image.get(image)
        if files:
            names = " and ".join(repr(os.fspath(one)) for one in files[:2])
            raise SourceError(
                f"{len(files)} label files are of the image {os.fspath(image)!r}: {names}; give the folder of one run"
            )


def _tell_unused(labels: Path, unused: Sequence[str], count: int) -> None:
    """Say once how many label files lead to no image: each is a bad item, and the first one's message tells nothing of the others."""
    if len(unused) > 1:
        named = ", ".join(map(repr, unused[:_NAMED_MAX]))
        more = ", ..." if len(unused) > _NAMED_MAX else ""
        text = f"{os.fspath(labels)}: {len(unused)} of {count} label files lead to no image: {named}{more}"
        write(Line(logging.WARNING, text, {"labels": os.fspath(labels), "unused": len(unused)}))


def _text(file: Path) -> tuple[str, float]:
    """Return the content of a label file, and when it was modified."""
    with open_source(file, "label file") as lines:
        content = lines.read()
        modified = os.fstat(lines.fileno()).st_mtime
    return content.decode(text_encoding(content), "replace"), modified


@attrs.frozen
class _Reading:
    """How label files are read."""

    classes: ClassIndex
    kind: ShapeKind
    score: float | None

    def shapes(self, text: str, size: tuple[int, int]) -> list[Shape]:
        """Return the shapes of a label file.

        Raises:
            SourceError: A line cannot be used.
        """
        return [self._shape(one, size) for one in objects(text, self.kind, has_score=self.score is not None)]

    def _shape(self, one: Object, size: tuple[int, int]) -> Shape:
        width, height = size
        try:
            label, score = self.classes.of(one.label), checked_score(one.score, self.score)
        except SourceError as error:
            raise SourceError(f"line {one.line}: {error}") from None
        if self.kind == "segmentation":
            return Shape(label, score, polygon=[(x * width, y * height) for x, y in polygon_from(one.numbers)])
        x, y, across, down = one.numbers
        box = ((y - down / 2) * height, (x - across / 2) * width, (y + down / 2) * height, (x + across / 2) * width)
        return Shape(label, score, box=box)
