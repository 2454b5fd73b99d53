"""`coco_results`: what a detector wrote in the results format of COCO, with the images it is about."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from picsellia_async.errors import ConfigurationError, PicselliaError, shown
from picsellia_async.frames import Frame
from picsellia_async.image_header import OrientationRule
from picsellia_async.plausibility import check_prediction
from picsellia_async.predictions import MaskPredictionFormat, SegmentationPredictionFormat
from picsellia_async.predictions._coco_boxes import corners_example, four_numbers, repeated
from picsellia_async.predictions._mask_order import goes_along_rows
from picsellia_async.predictions._run_length import check_counts, counts_from_text, text_from_counts
from picsellia_async.predictions._values import OVERHANG
from picsellia_async.sources._class_names import Categories, ClassIndex, checked_classes
from picsellia_async.sources._coco_images import CocoImages, ImageKey, refuse_shared
from picsellia_async.sources._errors import OnBad, Problems, SourceError
from picsellia_async.sources._folder import checked_path
from picsellia_async.sources._image_files import image_file, open_source, parsed_json
from picsellia_async.sources._lookup import ImageLookup
from picsellia_async.sources._order_watch import OrderWatch
from picsellia_async.sources._repeated_keys import refuse_repeated
from picsellia_async.sources._shapes import (
    Shape,
    ShapeKind,
    checked_default_score,
    checked_score,
    polygon_from,
    prediction_from,
)
from picsellia_async.sources._source import Source
from picsellia_async.validation import choice, real_number, sequence, whole_number

logger: logging.Logger = logging.getLogger("picsellia_async")

CocoKind: TypeAlias = ShapeKind | Literal["mask"]
"""What the results become: boxes, polygons or run-length masks."""

_Entry: TypeAlias = tuple[int, dict[str, Any]]
"""A result, after its place in the file."""

_LOOKED_AT: Final = 64
"""Images whose outlines are looked at before the first frame."""

_BEYOND_MIN: Final = 2
_BEYOND_SHARE: Final = 0.1
"""So many images, and this share of them, whose shapes reach beyond tell that all of the file's are in other pixels."""

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
    orientation: OrientationRule = "shown",
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
    name. Where `images` tells width and height, they must be the file's. An image with two ids, or a result that is there twice, is
    a bad item.

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
        label_map: Instead: index by class name. The file's `categories` tell the names.
        score: Confidence of results without one. None refuses them: a file without scores is ground truth.
        empty: Whether images without any result are frames too, with empty predictions. Those of `annotations`, or of the directory.
        orientation: "shown": the results speak of the picture as viewers show it, after the EXIF turn; "stored": as its pixels lie.
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
    choice(orientation, "orientation", get_args(OrientationRule))
    classes = checked_classes(categories, label_map)
    reading = _Reading(classes, kind, checked_default_score(score), orientation)

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
        reader = attrs.evolve(reading, classes=attrs.evolve(classes, names=_names(described)))
        _check_classes(reader.classes, groups, file)
        _check_numbers(known, groups, file)
        if kind == "detection":
            _check_box_order(groups, file)
            _check_corners(known, groups, file, orientation)
        else:
            _check_outlines(known, groups, file, orientation)
        _check_scale(known, groups, file, orientation)
        same = known.named_twice(groups)
        seen: dict[Path, ImageKey] = {}
        problems.total = None if empty else len(groups)

        def frame(key: ImageKey, results: list[_Entry]) -> Frame:
            path = known.path(key)
            refuse_shared(key, same.get(key) or seen.setdefault(path, key), path)
            image = image_file(path)
            size = known.checked_size(key, image, orientation)
            for _, one in results:
                refuse_repeated(one)
            _refuse_twice(results)
            shapes = [shape for number, one in results for shape in reader.shapes(number, one, size)]
            return Frame(
                image=path, filename=known.lookup.filename(path), width=size[0], height=size[1], latency=latency,
                prediction=prediction_from(shapes, kind, reader.classes), source=source, timestamp=modified,
            )  # fmt: skip

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
        f"coco_results {os.fspath(file)!r}", read, on_bad=on_bad, nothing=f"{os.fspath(file)} holds no result"
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


def _grouped(content: Any, path: Path, problems: Problems) -> dict[ImageKey, list[_Entry]]:
    """Return the results by image, each with its place in the file, in the order in which the images appear first."""
    results = content.get("annotations") if isinstance(content, dict) else content
    if isinstance(results, list) and any(isinstance(one, dict) and "segments_info" in one for one in results[:1]):
        raise SourceError(f"{os.fspath(path)} is a panoptic COCO file, whose segments are in pictures, and is not read")
    if not isinstance(results, list):
        raise SourceError(f"{os.fspath(path)} is neither a list of results nor a COCO file with annotations")
    groups: dict[ImageKey, list[_Entry]] = {}
    for number, one in enumerate(results):
        with problems.item(f"{os.fspath(path)} result {number}"):
            groups.setdefault(ImageKey.of(one), []).append((number, one))
    return groups


def _refuse_twice(results: list[_Entry]) -> None:
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


def _check_classes(classes: ClassIndex, groups: Mapping[ImageKey, list[_Entry]], path: Path) -> None:
    """Refuse category ids that nobody says how to read; where the file does not say that they are none, tell what they are taken for.

    Raises:
        SourceError: The file names its categories, whose ids are then no indexes of the label map; or they are looked up by name, and
            one has none there.
    """
    if classes.names and (classes.label_map is not None or classes.categories is not None):
        said = {*classes.names, *(classes.categories or ())}
        given = (one.get("category_id") for group in groups.values() for _, one in group)
        ids = {
            int(one) if isinstance(one, str) and one.isdecimal() else one
            for one in given
            if isinstance(one, (int, str))
        }
        missing = next((one for one in ids if type(one) is int and one not in said), None)
        if missing is not None:
            first, last = min(classes.names), max(classes.names)
            raise SourceError(
                f"{os.fspath(path)}: category {missing} is none of the file that names them, {first} to {last}: the ids may be of "
                "another numbering, and those that are there then of other classes. categories={id: index} says which they are"
            )
    if classes.is_told or not groups:
        return
    if classes.names:
        number, name = min(classes.names.items())
        raise SourceError(
            f"{os.fspath(path)}: category ids are no indexes of the label map: the file calls {number} {name!r}. Give "
            'label_map=await deployment.label_map(), which finds them by name, categories={id: index}, or categories="indexes" where '
            "they are indexes all the same"
        )
    logger.warning(
        "%s: category ids are taken for indexes of the label map, since the file has no names for them; "
        'categories={id: index} says which they are, or categories="indexes" that they are such indexes',
        os.fspath(path), extra={"results": os.fspath(path)},
    )  # fmt: skip


def _check_numbers(known: CocoImages, groups: Mapping[ImageKey, object], path: Path) -> None:
    """Look at all ids before anything is delivered: those of described images, or those that are to be found by the number in a file name.

    One id that is none tells that the others may be none either, so that this is no matter of one image.

    Raises:
        SourceError: They cannot be such ids or numbers.
    """
    try:
        known.check_ids(groups)
        if known.is_described:
            return
        example = known.lookup.check_numbers(key.id for key in groups if key.id is not None)
    except SourceError as error:
        raise SourceError(f"{os.fspath(path)}: {error}") from None
    if example is not None:
        logger.warning(
            "%s: image ids are taken for the numbers in file names, %s for %r; annotations= tells the names for sure",
            os.fspath(path), *example,
            extra={"results": os.fspath(path), "image_id": example[0], "image": example[1]},
        )  # fmt: skip


def _check_box_order(groups: Mapping[ImageKey, list[_Entry]], path: Path) -> None:
    """Refuse a file whose own areas or outlines say that its boxes are corners; sizes of images need not be known for that.

    Raises:
        SourceError: Some results say so, and none says otherwise.
    """
    example = corners_example((str(key), one) for key, results in groups.items() for _, one in results)
    if example:
        raise SourceError(
            f"{os.fspath(path)}: bbox looks like x1, y1, x2, y2, and must be [x, y, width, height]: {example}, which fits corners "
            "alone, and nothing in the file says otherwise; write x2 - x1 and y2 - y1"
        )


def _check_scale(
    known: CocoImages, groups: Mapping[ImageKey, list[_Entry]], path: Path, orientation: OrientationRule
) -> None:
    """Refuse a file whose shapes are in pixels of another size than the images', as those of a network's input.

    One image's may be a slip of its own. Where a good part reaches beyond the images, those that do not fit them by chance. Sizes are those
    that the file tells; without them the first images are read.

    Raises:
        SourceError: It is one.
    """
    beyond = seen = read = 0
    example = ""
    for key, results in groups.items():
        reach = [_reach(one) for _, one in results]
        x, y = max((one[0] for one in reach), default=0), max((one[1] for one in reach), default=0)
        size = known.told_size(key) if x or y else None
        if size is None and (x or y) and read < _LOOKED_AT:
            read += 1
            with contextlib.suppress(PicselliaError):  # told when its turn comes
                size = image_file(known.path(key)).size(orientation)
        if size is None:
            continue
        seen += 1
        if x > size[0] * (1 + OVERHANG) or y > size[1] * (1 + OVERHANG):
            beyond += 1
            example = example or f"{key} reaches {x:g}, {y:g} on {size[0]} x {size[1]} pixels"
    if beyond >= _BEYOND_MIN and beyond >= seen * _BEYOND_SHARE:
        raise SourceError(
            f"{os.fspath(path)}: the shapes of {beyond} of {seen} images reach beyond their images ({example}): they may be in pixels of "
            "the network's input, and those that fit would be at the wrong place; scale them to the images"
        )


def _reach(result: Mapping[str, Any]) -> tuple[float, float]:
    """Return how far right and down a box or outline reaches; 0 of what is none."""
    box = four_numbers(result.get("bbox"))
    if box:
        return box[0] + box[2], box[1] + box[3]
    points = [one for one in _points(result.get("segmentation")) if all(type(number) in {int, float} for number in one)]
    xs, ys = [one[0] for one in points if one], [one[1] for one in points if len(one) > 1]
    return max(xs, default=0), max(ys, default=0)


def _check_corners(
    known: CocoImages, groups: Mapping[ImageKey, list[_Entry]], path: Path, orientation: OrientationRule
) -> None:
    """Refuse a file whose boxes are corners: some are beyond their image as they are documented, and none is as x1, y1, x2, y2.

    Images are read only where each box of the file could be corners, which is rare.

    Raises:
        SourceError: It is one.
    """
    boxes = {
        key: [box for _, one in results if (box := four_numbers(one.get("bbox")))] for key, results in groups.items()
    }
    if not all(x <= x2 and y <= y2 for some in boxes.values() for x, y, x2, y2 in some):
        return
    example = ""
    for key, some in boxes.items():
        try:
            width, height = image_file(known.path(key)).size(orientation)
        except PicselliaError:
            continue  # told when its turn comes
        over_x, over_y = width * OVERHANG, height * OVERHANG
        for x, y, x2, y2 in some:
            if min(x + over_x, y + over_y) < 0 or x2 > width + over_x or y2 > height + over_y:
                return
            is_beyond = x + x2 > width + over_x or y + y2 > height + over_y
            if is_beyond and not example:
                example = f"{key} has bbox {shown([x, y, x2, y2])} on {width} x {height} pixels"
    if example:
        raise SourceError(
            f"{os.fspath(path)}: bbox looks like x1, y1, x2, y2, and must be [x, y, width, height]: {example}, and every box of "
            "the file fits when it is read as corners; write x2 - x1 and y2 - y1"
        )


def _check_outlines(
    known: CocoImages, groups: Mapping[ImageKey, list[_Entry]], path: Path, orientation: OrientationRule
) -> None:
    """Refuse a file whose points are y, x, by the first images with results.

    Raises:
        SourceError: It is one.
    """
    watch = OrderWatch()
    for key, results in itertools.islice(groups.items(), _LOOKED_AT):
        outlines = [(number, points) for number, one in results if (points := _points(one.get("segmentation")))]
        if outlines:  # else the image need not be opened for it
            with contextlib.suppress(PicselliaError):  # told when its turn comes
                size = image_file(known.path(key)).size(orientation)
                for number, points in outlines:
                    watch.see_points(f"result {number}", points, size)
        if watch.is_over:
            return
    if watch.verdict:
        raise SourceError(f"{os.fspath(path)}: {watch.verdict}")


def _points(segmentation: object) -> list[list[Any]]:
    """Return the points of polygons; none of run lengths."""
    polygons = segmentation if isinstance(segmentation, list) else []
    return [one[i : i + 2] for one in polygons if isinstance(one, list) for i in range(0, len(one), 2)]


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
    orientation: OrientationRule

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
            elif self.kind == "segmentation":
                for polygon in _polygons(result.get("segmentation")):
                    yield Shape(label, score, polygon=polygon)
            else:
                yield Shape(label, score, mask=_mask(result.get("segmentation"), result.get("bbox"), size))
        except (SourceError, ConfigurationError) as error:
            raise SourceError(f"result {number}: {error}") from None


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
        check_prediction(SegmentationPredictionFormat([0] * len(value), [0.0] * len(value), value), width, height)
        filled = MaskPredictionFormat.from_polygons([value], [0], [0.0], size=size)
        if filled.left_out:
            raise SourceError(f"segmentation has no polygon of three points, got {shown(value)}")
        if not any(counts_from_text(filled.detection_masks[0])[1::2]):
            raise SourceError(f"segmentation has no pixel, and is no object, got {shown(value)}")
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
    return counts if isinstance(counts, str) else text_from_counts(numbers)
