"""Whether the boxes of a COCO file are at another scale than what else it says of its objects. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from picsellia_async.errors import shown
from picsellia_async.predictions._coco_boxes import EDGE_OFF, Box, area_of, four_numbers, outline_of, shown_outline

_SCALE_OFF: Final = 0.1
"""By less a scale is off by rounding, or by what tools make of an edge."""
_EDGE_SHARE: Final = 0.01
"""Of an edge, by which it may be off besides the pixels that tools differ by."""
_SIDE_MIN: Final = 10.0
"""Pixels; narrower boxes are off by their rounding."""
_MOST: Final = 0.5


class _Outlined(NamedTuple):
    """A result with an outline."""

    name: str
    """How messages call it."""
    box: Box
    """Left, top, right and bottom."""
    outline: Box
    bbox: object
    """As it stands in the file."""


class _Measured(NamedTuple):
    """A result with an area and no outline."""

    name: str
    """How messages call it."""
    ratio: float
    """The area by that of the box."""
    bbox: object
    """As it stands in the file."""
    area: float


def scale_example(results: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Return a result whose box is at another scale than its outline or area, with what tells it; "" where most results agree.

    Masks of a model lie within their boxes or a little beyond, in each result otherwise. A scale is the same in all.

    Args:
        results: Each with how messages call it.
    """
    outlines: list[_Outlined] = []
    areas: list[_Measured] = []
    for name, one in results:
        box = four_numbers(one.get("bbox"))
        if box is None or min(box[2:]) < _SIDE_MIN:
            continue
        x, y, width, height = box
        outline, area = outline_of(one.get("segmentation")), area_of(one)
        if outline is not None:
            if min(outline[2:]) > 0:
                outlines.append(_Outlined(name, (x, y, x + width, y + height), outline, one["bbox"]))
        elif area is not None:
            areas.append(_Measured(name, area / (width * height), one["bbox"], area))
    return _by_outlines(outlines)[0] or _by_areas(areas)


def outline_scale_example(results: Iterable[tuple[str, Mapping[str, Any], Box]]) -> tuple[str, bool]:
    """Return a result whose outline is at another scale than its box, as `scale_example` does, and whether outlines are the smaller ones.

    Args:
        results: Each with how messages call it, and its outline.
    """
    found = []
    for name, one, outline in results:
        box = four_numbers(one.get("bbox"))
        if box is not None and min(box[2:]) >= _SIDE_MIN and min(outline[2:]) > 0:
            found.append(_Outlined(name, (box[0], box[1], box[0] + box[2], box[1] + box[3]), outline, one["bbox"]))
    return _by_outlines(found)


def _by_outlines(found: list[_Outlined]) -> tuple[str, bool]:
    if not found:
        return "", False
    scales = [statistics.median(one.box[i] / one.outline[i] for one in found) for i in (2, 3)]
    if all(abs(one - 1) <= _SCALE_OFF for one in scales):
        return "", False
    scaled = [
        one for one in found
        if all(
            abs(edge - other * scales[i % 2]) <= EDGE_OFF + _EDGE_SHARE * abs(edge)
            for i, (edge, other) in enumerate(zip(one.box, one.outline, strict=True))
        ) and all(abs(one.box[i] - one.outline[i]) > 2 * EDGE_OFF for i in (0, 1) if abs(scales[i] - 1) > _SCALE_OFF)
    ]  # fmt: skip
    if len(scaled) <= len(found) * _MOST:
        return "", False
    first = scaled[0]
    example = (
        f"{first.name} has bbox {shown(first.bbox)} and {shown_outline(first.outline)}, {1 / scales[0]:.3g} and {1 / scales[1]:.3g} times as "
        "far"
    )
    return example, max(scales) > 1 + _SCALE_OFF


def _by_areas(found: list[_Measured]) -> str:
    # No mask is larger than its box; smaller ones say nothing.
    above = [one for one in found if one.ratio > (1 + _SCALE_OFF) ** 2]
    if not above or len(above) < len(found) * (1 - _SCALE_OFF):
        return ""
    first = above[0]
    return f"{first.name} has bbox {shown(first.bbox)} and area {first.area:g}, {first.ratio:.3g} times that of the box"
