"""Whether run lengths go along rows, as some tools write them, instead of down columns: the result's own box tells. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions._coco_boxes import Box, four_numbers
from picsellia_async.predictions._overhang import overhang
from picsellia_async.predictions._run_length import counts_from_text

Bounds = tuple[int, int, int, int]
"""Left, top, right, bottom."""


def goes_along_rows(counts: Sequence[int], bbox: Any, size: tuple[int, int]) -> bool:
    """Return whether a mask lies in its box when it is read along rows, and does not as COCO's run lengths are read.

    Args:
        counts: Run lengths of an image of that size, beginning with background.
        bbox: `[x, y, width, height]` of the same result; what is none tells nothing.
        size: Width and height.
    """
    box = four_numbers(bbox)
    if box is None:
        return False
    width, height = size
    columns = run_bounds(counts, height)
    if columns is None or _is_within(columns, box, size):
        return False
    rows = run_bounds(counts, width)
    return rows is not None and _is_within((rows[1], rows[0], rows[3], rows[2]), box, size)


def outline_of_runs(result: Mapping[str, Any]) -> Box | None:
    """Return left, top, right and bottom of a result's run lengths with their size; None where there are none, or they cannot be used."""
    segmentation = result.get("segmentation")
    if not isinstance(segmentation, Mapping):
        return None
    counts, size = segmentation.get("counts"), segmentation.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(type(one) is int and one > 0 for one in size):
        return None
    if isinstance(counts, str):
        try:
            counts = counts_from_text(counts)
        except ConfigurationError:  # told when its turn comes
            return None
    if not isinstance(counts, list) or not all(type(one) is int and one >= 0 for one in counts):
        return None
    if goes_along_rows(counts, result.get("bbox"), (size[1], size[0])):
        return None
    return run_bounds(counts, size[0])


def run_bounds(counts: Sequence[int], length: int) -> Bounds | None:
    """Return the bounds of the pixels that are set, where lines of that length follow each other from left to right; None: none is."""
    start, lines, places = 0, [], []
    for index, count in enumerate(counts):
        if index % 2 and count:
            (first, top), (last, bottom) = divmod(start, length), divmod(start + count - 1, length)
            lines += [first, last]
            # A run that goes over the end of a line covers its end and the beginning of the next one.
            places += [top, bottom] if first == last else [0, length - 1]
        start += count
    return (min(lines), min(places), max(lines) + 1, max(places) + 1) if lines else None


def _is_within(bounds: Bounds, box: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    over_x, over_y = overhang(size[0]), overhang(size[1])
    x, y, width, height = box
    left, top, right, bottom = bounds
    return x - over_x <= left and right <= x + width + over_x and y - over_y <= top and bottom <= y + height + over_y
