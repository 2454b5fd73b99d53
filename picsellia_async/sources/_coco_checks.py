"""What is looked at in a whole COCO file before its first frame: one look at all tells what no single result does. Blocking: for threads."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from picsellia_async._error_text import name_repr, shown_name
from picsellia_async._log_line import logger
from picsellia_async.errors import PicselliaError, shown
from picsellia_async.image_header import OrientationRule
from picsellia_async.predictions._coco_boxes import NOT_MET, Box, corners_example, four_numbers, lie_apart, outline_of
from picsellia_async.predictions._coco_scale import outline_scale_example, scale_example
from picsellia_async.predictions._mask_order import outline_of_runs
from picsellia_async.predictions._overhang import OVERHANG, overhang
from picsellia_async.sources._beyond_watch import OTHER_PIXELS, BeyondWatch
from picsellia_async.sources._class_names import ClassIndex
from picsellia_async.sources._coco_images import CocoImages, ImageKey
from picsellia_async.sources._errors import Problems, SourceError
from picsellia_async.sources._image_files import image_file
from picsellia_async.sources._order_watch import OrderWatch
from picsellia_async.sources._turn_watch import TurnWatch

Entry: TypeAlias = tuple[int, dict[str, Any]]
"""A result, after its place in the file."""

_LOOKED_AT: Final = 64
"""Images that are opened before the first frame, to look at outlines, or at boxes where the file tells no sizes."""
_DECODED: Final = 512
"""Run-length masks that are decoded before the first frame."""


@attrs.define
class _Sizes:
    """Sizes of images, for one check: those that the file tells, and of those that it does not the first `_LOOKED_AT` that are asked for."""

    _known: CocoImages
    _orientation: OrientationRule
    _read: int = attrs.field(default=0, init=False)

    def may_tell(self, key: ImageKey) -> bool:
        """Return whether `of` has a chance of a size; opens no image."""
        return self._read < _LOOKED_AT or self._known.told_size(key) is not None

    def of(self, key: ImageKey) -> tuple[int, int] | None:
        """Return width and height of an image; None where nothing tells."""
        size = self._known.told_size(key)
        if size is None and self._read < _LOOKED_AT:
            self._read += 1
            with contextlib.suppress(PicselliaError):  # told when its turn comes
                size = image_file(self._known.path(key)).size(self._orientation)
        return size

    def of_file(self, key: ImageKey) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Return width and height of an image's file, and those the other way, as stored or as shown; None where it cannot be read."""
        with contextlib.suppress(PicselliaError):
            file = image_file(self._known.path(key))
            return file.size(self._orientation), file.size("stored" if self._orientation == "shown" else "shown")
        return None


def check_classes(classes: ClassIndex, groups: Mapping[ImageKey, list[Entry]], path: Path, problems: Problems) -> None:
    """Refuse category ids that nobody says how to read; where the file does not say that they are none, tell what they are taken for.

    Raises:
        SourceError: The file names its categories, whose ids are then no indexes of the label map; or one is none of those that are
            named, or of the label map.
    """
    given = (one.get("category_id") for group in groups.values() for _, one in group)
    ids = sorted({int(one) for one in given if type(one) is int or (isinstance(one, str) and one.isdecimal())})
    why = next(filter(None, map(classes.why_unknown, ids)), "")
    if why:
        raise SourceError(f"{os.fspath(path)}: {why}")
    if not classes.names and (classes.are_indexes or not classes.is_told) and _run_from_1(ids):
        problems.warn(
            f"category ids run from 1 to {ids[-1]}, and none is 0: they may be counted from 1, as save_json of ultralytics counts, and "
            "each is then the index of the class behind its own; they are sent as they are",
            os.fspath(path),
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


def _run_from_1(ids: Sequence[int]) -> bool:
    return len(ids) > 1 and ids[0] == 1 and ids[-1] == len(ids)


def check_numbers(known: CocoImages, groups: Mapping[ImageKey, object], path: Path) -> None:
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
            "%s: image ids are taken for the numbers in file names, %s for %s; annotations= tells the names for sure",
            os.fspath(path), example[0], name_repr(example[1]),
            extra={"results": os.fspath(path), "image_id": example[0], "image": shown_name(example[1])},
        )  # fmt: skip


def check_shapes(
    known: CocoImages,
    groups: Mapping[ImageKey, list[Entry]],
    path: Path,
    orientation: OrientationRule,
    problems: Problems,
    *,
    kind: str,
) -> bool:
    """Refuse a file whose shapes together contradict the images or what else the file says; return whether a box tells where its outline is.

    Raises:
        SourceError: They do.
    """
    has_boxes = kind == "detection"
    if has_boxes:
        _check_box_order(groups, path)
        _check_corners(known, groups, path, orientation)
        _check_agreement(known, groups, path, orientation)
    else:
        _check_outlines(known, groups, path, orientation)
    _check_scale(known, groups, path, orientation, has_boxes=has_boxes)
    return has_boxes or _check_places(known, groups, path, orientation, problems, has_runs=kind == "mask")


def _check_places(
    known: CocoImages,
    groups: Mapping[ImageKey, list[Entry]],
    path: Path,
    orientation: OrientationRule,
    problems: Problems,
    *,
    has_runs: bool,
) -> bool:
    """Refuse a file whose outlines are not where its boxes are; return whether the boxes tell that of a single outline.

    Outlines are sent, and fit the images. So boxes that reach beyond these, or less far than the outlines, are the ones in other pixels: that
    is told. Outlines that reach less far than boxes which fit are in pixels of a smaller size.

    Raises:
        SourceError: It is one.
    """
    beyond, apart, sizes, runs = BeyondWatch(), BeyondWatch(), _Sizes(known, orientation), itertools.count(1)
    outlined: list[tuple[str, Mapping[str, Any], Box]] = []
    for key, results in groups.items():
        found = []
        for _, one in results:
            shape = one.get("segmentation")
            if isinstance(shape, dict):
                # Not of all: a mask takes a good part of a millisecond.
                outline = outline_of_runs(one) if next(runs) <= _DECODED else None
            else:
                outline = None if has_runs and not _is_nested(shape) else outline_of(shape)
            # Shares are refused for that, one by one.
            if outline is not None and max(outline) > 1 + OVERHANG and four_numbers(one.get("bbox")):
                found.append((str(key), one, outline))
        size = sizes.of(key) if found else None
        # Masks of another size are refused for that, one by one.
        found = [one for one in found if (of := _mask_size(one[1])) is None or of[::-1] == size]
        if not found:
            continue
        outlined += found
        apart.see(next((told for _, one, outline in found if (told := lie_apart(one, outline))), ""))
        if size is not None:
            far = (_reach(one, has_boxes=True) for _, one, _ in found)
            beyond.see(next((f"{key} has a bbox to {x:g}, {y:g}" for x, y in far if _is_beyond((x, y), size)), ""))
    example, are_smaller = outline_scale_example(outlined)
    if beyond.is_whole or (example and not are_smaller):
        why = (
            example or f"those of {beyond.beyond} of {beyond.seen} images reach beyond their images ({beyond.example})"
        )
        problems.warn(
            f"the boxes may be in pixels of another size than the images', and only the outlines, which fit them, are sent: {why}",
            os.fspath(path),
        )
        return False
    if example:
        raise SourceError(
            f"{os.fspath(path)}: the outlines may be in pixels of another size than the images', as those of a network's input: {example}; scale "
            "them to the images, or leave bbox out where that is not so"
        )
    if apart.is_whole:
        raise SourceError(
            f"{os.fspath(path)}: in {apart.beyond} of {apart.seen} images a result has a box and an outline ({apart.example}), {NOT_MET}"
        )
    return True


def _is_nested(segmentation: object) -> bool:
    """Return whether a segmentation is a list of polygons; a list of numbers may be run lengths."""
    return isinstance(segmentation, list) and bool(segmentation) and isinstance(segmentation[0], list)


def _check_box_order(groups: Mapping[ImageKey, list[Entry]], path: Path) -> None:
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


def _check_agreement(
    known: CocoImages, groups: Mapping[ImageKey, list[Entry]], path: Path, orientation: OrientationRule
) -> None:
    """Refuse a file whose boxes are at another scale than its own outlines, areas, or sizes of masks.

    Raises:
        SourceError: They are.
    """
    example = scale_example((str(key), one) for key, results in groups.items() for _, one in results)
    if not example:
        example = _mask_example(known, groups, orientation)
    if example:
        raise SourceError(
            f"{os.fspath(path)}: the boxes may be in pixels of another size than the images', as those of a network's input: {example}; scale "
            "them to the images, or leave out what is not so"
        )


def _mask_example(known: CocoImages, groups: Mapping[ImageKey, list[Entry]], orientation: OrientationRule) -> str:
    """Return a result whose box lies within a mask of another size than the image; "" where one does not, as boxes of their own do."""
    example, sizes = "", _Sizes(known, orientation)
    for key, results in groups.items():
        masks = [(one, size) for _, one in results if (size := _mask_size(one)) and four_numbers(one.get("bbox"))]
        if not masks:
            continue
        told = sizes.of(key)
        if told is None:
            continue
        for one, (height, width) in masks:
            x, y = _reach(one, has_boxes=True)
            if (width, height) == told or _is_beyond((x, y), (width, height)):
                return ""
            example = example or (
                f"{key} has bbox {shown(one['bbox'])} and a mask for height and width {shown([height, width])}, the image has "
                f"{shown([told[1], told[0]])}"
            )
    return example


def _mask_size(result: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return height and width that run lengths are for."""
    mask = result.get("segmentation")
    size = mask.get("size") if isinstance(mask, dict) else None
    if isinstance(size, list) and len(size) == 2 and all(type(one) is int and one > 0 for one in size):
        return size[0], size[1]
    return None


def check_orientation(
    known: CocoImages, groups: Mapping[ImageKey, object], path: Path, turns: TurnWatch, problems: Problems
) -> None:
    """Refuse a file whose sizes are those of pictures the other way than what is taken: stored, or as shown.

    Where it tells sizes, images are opened up to the first one that agrees; of a file without any such photo all are.

    Raises:
        SourceError: It is one.
    """
    for key in groups:
        if problems.is_left or turns.is_sure:
            return
        told = known.told_size(key)
        if told is not None:
            with contextlib.suppress(PicselliaError):  # told when its turn comes
                turns.see(str(key), image_file(known.path(key)).header, told)
    if turns.verdict:
        raise SourceError(f"{os.fspath(path)}: {turns.verdict}")


def _check_scale(
    known: CocoImages,
    groups: Mapping[ImageKey, list[Entry]],
    path: Path,
    orientation: OrientationRule,
    *,
    has_boxes: bool,
) -> None:
    """Refuse a file whose shapes are in pixels of another size than the images', as those of a network's input.

    One image's may be a slip of its own. Where a good part reaches beyond the images, those that do not fit them by chance. Sizes are those
    that the file tells; without them the first images are read.

    Raises:
        SourceError: It is one.
    """
    watch, sizes = BeyondWatch(), _Sizes(known, orientation)
    are_swapped = True
    are_turned = are_misnamed = True
    misnamed = ""
    for key, results in groups.items():
        if not sizes.may_tell(key):
            continue
        reach = [_reach(one, has_boxes=has_boxes) for _, one in results]
        x, y = max((one[0] for one in reach), default=0), max((one[1] for one in reach), default=0)
        if not x and not y:
            continue
        size = sizes.of(key)
        if size is None:
            continue
        is_beyond = _is_beyond((x, y), size)
        watch.see(f"{key} reaches {x:g}, {y:g} on {size[0]} x {size[1]} pixels" if is_beyond else "")
        are_swapped = are_swapped and not _is_beyond((y, x), size)
        if is_beyond and (are_turned or are_misnamed):
            own, other = sizes.of_file(key) or (size, size)
            are_turned = are_turned and own == size != other and not _is_beyond((x, y), other)
            are_misnamed = are_misnamed and size not in {own, other} and not _is_beyond((x, y), own)
            misnamed = misnamed or f"{key} has {own[0]} x {own[1]} pixels, the COCO file says {size[0]} x {size[1]}"
    if not watch.is_whole:
        return
    why = OTHER_PIXELS
    if are_turned:
        other_way = "stored" if orientation == "shown" else "shown"
        why = f"all of these have an EXIF turn, and fit the picture as {other_way}: orientation={other_way!r} reads them so"
    elif are_misnamed:
        why = (
            f"all of these fit their pictures, whose sizes are others than the file says, stored and shown: {misnamed}"
        )
    elif are_swapped:
        why = "every shape fits with x and y changed: bbox must be [x, y, width, height], and a polygon x, y, x, y, ..."
    raise SourceError(f"{os.fspath(path)}: {watch.told('images')}: {why}")


def _is_beyond(reach: tuple[float, float], size: tuple[int, int]) -> bool:
    return reach[0] > size[0] + overhang(size[0]) or reach[1] > size[1] + overhang(size[1])


def _reach(result: Mapping[str, Any], *, has_boxes: bool) -> tuple[float, float]:
    """Return how far right and down a box or outline reaches; 0 of what is none. Where outlines are sent, a box beside them tells nothing."""
    box = four_numbers(result.get("bbox")) if has_boxes else None
    if box:
        return box[0] + box[2], box[1] + box[3]
    polygons = result.get("segmentation")
    lists = [one for one in polygons if isinstance(one, list)] if isinstance(polygons, list) else []
    # Not point by point: all outlines of a file whose sizes are told come here.
    told = [one for one in lists if set(map(type, one)) <= {int, float}]
    xs, ys = [max(one[::2], default=0) for one in told], [max(one[1::2], default=0) for one in told]
    return max(xs, default=0), max(ys, default=0)


def _check_corners(
    known: CocoImages, groups: Mapping[ImageKey, list[Entry]], path: Path, orientation: OrientationRule
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
        over_x, over_y = overhang(width), overhang(height)
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
    known: CocoImages, groups: Mapping[ImageKey, list[Entry]], path: Path, orientation: OrientationRule
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
