"""`coco_results`: what a detector wrote in the results format of COCO, with the images it is about."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.frames import Frame
from picsellia_async.image_header import OrientationRule
from picsellia_async.plausibility import check_prediction
from picsellia_async.predictions import MaskPredictionFormat, SegmentationPredictionFormat
from picsellia_async.predictions._coco_boxes import NOT_MET, Box, lie_apart, repeated
from picsellia_async.predictions._geometry import POINTS_MIN
from picsellia_async.predictions._mask_order import goes_along_rows, run_bounds
from picsellia_async.predictions._run_length import check_counts, counts_from_text, text_from_counts
from picsellia_async.predictions._shares import refuse_shares
from picsellia_async.predictions._values import pairs
from picsellia_async.sources._class_names import Categories, ClassIndex, checked_classes
from picsellia_async.sources._coco_checks import (
    Entry,
    check_classes,
    check_numbers,
    check_orientation,
    check_shapes,
)
from picsellia_async.sources._coco_images import CocoImages, ImageKey, refuse_shared
from picsellia_async.sources._errors import OnBad, Problems, SourceError
from picsellia_async.sources._image_files import image_file, open_source, parsed_json
from picsellia_async.sources._lookup import ImageLookup
from picsellia_async.sources._repeated_keys import refuse_repeated
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
from picsellia_async.validation import boolean, checked_path, choice, real_number, sequence, whole_number

CocoKind: TypeAlias = ShapeKind | Literal["mask"]
"""What the results become: boxes, polygons or run-length masks."""

_SHARES: Final = "write pixels: multiply x and width by the width, y and height by the height of the image"

_KINDS: Final = (*get_args(ShapeKind), "mask")


def coco_results(
    json: str | os.PathLike[str],
    images: str | os.PathLike[str],
    *,
    annotations: str | os.PathLike[str] | None = None,
    kind: CocoKind = "detection",
    categories: Categories | None = None,
    label_map: Mapping[str, int] | None = None,
    score: float | None = None,
    empty: bool = False,
    orientation: OrientationRule | None = None,
    outside: bool = False,
    source: str | None = None,
    latency: float = 0.0,
    on_bad: OnBad = "raise",
) -> Source[Frame]:
    """Return a frame for each image that COCO results speak of, in the order in which they first do.

    A box `[x, y, width, height]` becomes `[y, x, y + height, x + width]`, that is top, left, bottom, right, and is rounded after
    that. An object of several polygons becomes as many shapes of its class and score. An image is delivered with all of its
    results or not at all, since a part would be taken for what the model said. The results are read as a whole in a thread: allow
    some ten times their size in memory.

    An image is found by `file_name`, of the result or of `images`, else by its id. A file name is a path below `images`; absolute
    paths, those of Windows and percent-encoded ones are tried by their longest tail, and never lead into a folder of another
    name. Where one image of a series (`0001`, `0002`) lies exactly at its place, each must; other images in another folder than the
    rest are in `Source.elsewhere`, since they may be other pictures. Where `images` tells width and height, they must be the file's. An
    image with two ids, or a result that is there twice, is a bad item.

    Args:
        json: List of results (`image_id` or `file_name`, `category_id`, `bbox` or `segmentation`, `score`), or a whole COCO file with
            `images` and `annotations`.
        images: Directory of the images.
        annotations: COCO file whose `images` tell the file name of each `image_id`. Without one: the id is the file name, its part
            before the extension, or the number at its end (139 is `000000000139.jpg` or `frame_139.jpg`), which the log tells.
            Ids that cannot be such numbers refuse the whole file: some fit no image, or they run from 1 and the images from 0.
        kind: "detection" makes boxes; "segmentation" polygons; "mask" run-length masks, from COCO's run lengths as text or
            numbers, or from the pixels inside polygons (extra `masks`), which some tools mix with them.
        categories: Index into the label map of the model version by `category_id`, or by name where the file has `categories`; a class
            that it does not name is refused. "indexes": the ids are indexes already. None takes them so too, with a line in the log, and
            refuses a file that has `categories`.
        label_map: Instead: index by class name. The file's `categories` tell the names. Beside "indexes" it tells which there are: a
            file with another one is refused.
        score: Confidence of results without one. None refuses them: a file without scores is ground truth.
        empty: Whether images without any result are frames too, with empty predictions. Those of `annotations`, or of the directory.
        orientation: "shown": the results speak of the picture as viewers show it, after the EXIF turn; "stored": as its pixels lie. None
            is "shown", and tells once where a picture has such a turn and no size in the file agrees. A file whose sizes agree the other
            way, on two pictures with a turn or more, is refused as a whole before the first frame.
        outside: Whether paths may lead out of `images`.
        source: `Frame.source` of all frames.
        latency: Inference time in seconds, of all frames.
        on_bad: What to do with an image that is not there, or a result that cannot be used: "raise" `SourceError`, or "skip" the
            image and count it.

    Raises:
        ConfigurationError: An argument is of the wrong kind. While iterating: the file or directory is not there.
    """
    file, folder = checked_path(json, "json"), checked_path(images, "images")
    names_file = None if annotations is None else checked_path(annotations, "annotations")
    choice(kind, "kind", _KINDS)
    empty = boolean(empty, "empty")
    outside = boolean(outside, "outside")
    check_orientation_rule(orientation)
    classes = checked_classes(categories, label_map)
    reading = _Reading(classes, kind, checked_default_score(score))

    def read(problems: Problems) -> Generator[Frame, None, None]:
        content, modified = _load(file)
        described = content if names_file is None else _load(names_file)[0]
        groups = _grouped(content, file, problems)
        if (
            reading.score is None
            and groups
            and not any("score" in one for group in groups.values() for _, one in group)
        ):
            raise SourceError(
                f"{file}: no result has a score: this is ground truth; if it is a prediction, give score="
            )
        known = CocoImages(described, ImageLookup(folder, problems, outside=outside))
        known.expect(groups)
        reader = attrs.evolve(reading, classes=attrs.evolve(classes, names=_names(described)))
        check_classes(reader.classes, groups, file, problems)
        check_numbers(known, groups, file)
        turns = TurnWatch(orientation)
        check_orientation(known, groups, file, turns, problems)
        heeds_boxes = check_shapes(known, groups, file, turns.orientation, problems, kind=kind)
        reader = attrs.evolve(reader, heeds_boxes=heeds_boxes)
        same = known.named_twice(groups)
        seen: dict[Path, ImageKey] = {}
        problems.total = None if empty else len(groups)

        def frame(key: ImageKey, results: list[Entry]) -> Frame:
            path = known.path(key)
            refuse_shared(key, same.get(key) or seen.setdefault(path, key), path)
            image = image_file(path)
            size = known.checked_size(key, image, turns.orientation)
            doubt = turns.doubt(repr(os.fspath(path)), image.header, has_shapes=bool(results))
            problems.warn(doubt, os.fspath(file))
            for _, one in results:
                refuse_repeated(one)
            _refuse_twice(results)
            shapes = [shape for number, one in results for shape in reader.shapes(number, one, size)]
            _refuse_shares(shapes, results)
            made = Frame(
                image=path, filename=known.lookup.filename(path), width=size[0], height=size[1], latency=latency,
                prediction=prediction_from(shapes, kind, reader.classes), source=source, timestamp=modified, content_type=image.content_type,
            )  # fmt: skip
            # Last, since it says less than what an outline alone does: that it is in shares, for instance.
            for number, one in results:
                reader.check_place(number, one)
            return made

        for key in list(groups):
            made = None
            with problems.item(f"{os.fspath(file)} {key}"):
                made = frame(key, groups.pop(key))
            if made is not None:
                yield made
        for key in known.keys() if empty else ():
            made = None
            with problems.item(f"{os.fspath(file)} {key}"):
                # An image whose results cannot be used is no image in which nothing was found.
                made = None if known.path(key) in seen else frame(key, [])
            if made is not None:
                yield made

    return Source(
        f"coco_results {os.fspath(file)!r}",
        watched(read, os.fspath(file)),
        on_bad=on_bad,
        nothing=f"{os.fspath(file)} holds no result",
    )


def _load(path: Path) -> tuple[Any, float]:
    with open_source(path, "COCO file") as file:
        modified = os.fstat(file.fileno()).st_mtime
        content = file.read()
    try:
        found = parsed_json(content)
        _check_index(found)
    except SourceError as error:
        raise SourceError(f"{os.fspath(path)}: {error}") from None
    return found, modified


def _check_index(content: Any) -> None:
    """Refuse a key twice in what all results are read by, which may concern any of them.

    Raises:
        SourceError: There is one in the file's own object, an image or a category.
    """
    refuse_repeated(content, own=True)
    for name in ("images", "categories") if isinstance(content, dict) else ():
        described = content.get(name)
        for one in described if isinstance(described, list) else ():
            refuse_repeated(one)


def _grouped(content: Any, path: Path, problems: Problems) -> dict[ImageKey, list[Entry]]:
    """Return the results by image, each with its place in the file, in the order in which the images appear first."""
    results = content.get("annotations") if isinstance(content, dict) else content
    if isinstance(results, list) and any(isinstance(one, dict) and "segments_info" in one for one in results[:1]):
        raise SourceError(f"{os.fspath(path)} is a panoptic COCO file, whose segments are in pictures, and is not read")
    if not isinstance(results, list):
        raise SourceError(f"{os.fspath(path)} is neither a list of results nor a COCO file with annotations")
    groups: dict[ImageKey, list[Entry]] = {}
    for number, one in enumerate(results):
        with problems.item(f"{os.fspath(path)} result {number}"):
            groups.setdefault(ImageKey.of(one), []).append((number, one))
    return groups


def _refuse_twice(results: list[Entry]) -> None:
    """Refuse a result that is there twice: no detector finds one object twice to the last digit.

    Raises:
        SourceError: There is one.
    """
    found = repeated(results)
    if found is not None:
        first, number = found
        raise SourceError(
            f"result {number} repeats result {first}: two runs in one file, perhaps, and each object would count twice; remove it"
        )


def _refuse_shares(shapes: list[Shape], results: list[Entry]) -> None:
    """Refuse boxes that are shares in the words of the file: the prediction has them in another order, and so would the advice be.

    Raises:
        ImplausibleError: They are.
    """
    boxes = [list(shape.box) for shape in shapes if shape.box is not None]
    if boxes:  # one of each result; by its corners, since a box of about a pixel may have sides of less than 1
        whole = [[*map(round, box)] for box in boxes]
        refuse_shares(whole, boxes, "bbox", _SHARES, [one["bbox"] for _, one in results])


def _names(content: Any) -> dict[int, str]:
    """Return the class names by id of a COCO file; entries that say nothing of use are passed over.

    Raises:
        SourceError: An id has two names.
    """
    found = content.get("categories") if isinstance(content, dict) else None
    names: dict[int, str] = {}
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict) and isinstance(one.get("id"), int) and isinstance(one.get("name"), str):
            other = names.setdefault(one["id"], one["name"])
            if other != one["name"]:
                raise SourceError(f"category id {one['id']} has two names in the COCO file: {other!r}, {one['name']!r}")
    return names


@attrs.frozen
class _Reading:
    """How results are read."""

    classes: ClassIndex
    kind: CocoKind
    score: float | None
    heeds_boxes: bool = True
    """Whether `bbox` tells where an outline must be; not so where all of the file's are in other pixels."""

    def shapes(self, number: int, result: dict[str, Any], size: tuple[int, int]) -> Iterator[Shape]:
        """Yield the shapes of one result.

        Raises:
            SourceError: It cannot be used; the message has its place in the file.
        """
        try:
            category = result.get("category_id")
            label = self.classes.of(
                category if isinstance(category, str) and not category.isdecimal() else _category(category)
            )
            score = checked_score(result.get("score"), self.score)
            if self.kind == "detection":
                yield Shape(label, score, box=_box(result.get("bbox")))
                return
            bbox = result.get("bbox") if self.heeds_boxes else None
            if self.kind == "segmentation":
                for polygon in _polygons(result.get("segmentation")):
                    yield Shape(label, score, polygon=polygon)
            else:
                yield Shape(label, score, mask=_mask(result.get("segmentation"), bbox, size))
        except (SourceError, ConfigurationError) as error:
            raise SourceError(f"result {number}: {error}") from None

    def check_place(self, number: int, result: dict[str, Any]) -> None:
        """Refuse a polygon that is not where the box of its result is. Masks are looked at where they are read.

        Raises:
            SourceError: It is not; the message has its place in the file.
        """
        if self.heeds_boxes and self.kind == "segmentation":
            try:
                _refuse_apart(result)
            except SourceError as error:
                raise SourceError(f"result {number}: {error}") from None


def _refuse_apart(result: Mapping[str, Any], outline: Box | None = None) -> None:
    """Refuse a result whose box and outline are of two objects, as `from_coco` does.

    Raises:
        SourceError: They are.
    """
    apart = lie_apart(result, outline)
    if apart:
        raise SourceError(f"{apart}, {NOT_MET}")


def _category(value: object) -> int:
    return whole_number(int(value) if isinstance(value, str) else value, "category_id")


def _number(value: object, name: str) -> float:
    """Return a number as the file has it: floats of 0 and 1 are shares, integers are pixels."""
    return value if type(value) is int else real_number(value, name)


def _box(value: object) -> tuple[float, float, float, float]:
    numbers = [_number(one, "bbox") for one in sequence(value, "bbox")]
    if len(numbers) != 4:
        raise SourceError(f"bbox must be [x, y, width, height], got {shown(numbers)}")
    x, y, width, height = numbers
    if width < 0 or height < 0:
        raise SourceError(f"bbox must not have a negative width or height, got {shown(numbers)}")
    if width == 0 or height == 0:
        raise SourceError(f"bbox {shown(numbers)} has no width or no height, and is no object")
    return (y, x, y + height, x + width)


def _polygons(value: object) -> Iterator[list[tuple[float, float]]]:
    if isinstance(value, (str, dict)):
        raise SourceError('segmentation is a run-length mask: kind="mask" reads it, for MASK deployments')
    polygons = sequence(value, "segmentation")
    if not polygons:
        raise SourceError("segmentation has no polygon")
    for one in [polygons] if isinstance(polygons[0], (int, float)) else polygons:
        yield polygon_from([_number(number, "segmentation") for number in sequence(one, "segmentation")])


def _mask(value: object, bbox: object, size: tuple[int, int]) -> str:
    """Return the text form of run lengths: `{"size", "counts"}` with text or numbers, or one of these alone; or of polygons' pixels."""
    width, height = size
    if isinstance(value, list) and value and isinstance(value[0], list):
        # What is beyond the image has no pixels: without the checks of outlines it would be cut off unseen.
        areas = [one for one in value if len(pairs(one, "segmentation")) >= POINTS_MIN]
        check_prediction(SegmentationPredictionFormat([0] * len(areas), [0.0] * len(areas), areas), width, height)
        filled = MaskPredictionFormat.from_polygons([value], [0], [0.0], size=size)
        if filled.left_out:
            what = "lies beside the image by less than a pixel" if areas else "has no polygon of three points"
            raise SourceError(f"segmentation {what}, and is no object, got {shown(value)}")
        _refuse_apart({"segmentation": value, "bbox": bbox})
        return filled.detection_masks[0]
    counts = value
    if isinstance(value, dict):
        counts = value.get("counts")
        told = value.get("size")
        if told is not None and told != [height, width]:
            raise SourceError(f"segmentation is for height and width {shown(told)}, the image has [{height}, {width}]")
    if isinstance(counts, str) and counts:
        numbers = counts_from_text(counts)
    elif isinstance(counts, list) and counts and all(type(one) is int for one in counts):
        numbers = counts
    else:
        raise SourceError(f"segmentation must be run lengths or polygons, got {shown(value)}")
    check_counts(numbers, size, "segmentation")
    if not any(numbers[1::2]):
        raise SourceError("segmentation has no pixel, and is no object")
    if goes_along_rows(numbers, bbox, size):
        raise SourceError(
            f"segmentation: its runs go along rows by bbox {shown(bbox)} of the same result, and COCO's go down columns; encode the mask "
            "in that order (numpy.asfortranarray)"
        )
    _refuse_apart({"bbox": bbox}, run_bounds(numbers, height))
    return counts if isinstance(counts, str) else text_from_counts(numbers)
