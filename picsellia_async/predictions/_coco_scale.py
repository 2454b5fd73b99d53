"""Whether the boxes of a COCO file are at another scale than what else it says of its objects. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any, Final

from picsellia_async.errors import shown
from picsellia_async.predictions._coco_boxes import four_numbers, outline_of

_SCALE_OFF: Final = 0.1
"""By less a scale is off by rounding, or by what tools make of an edge."""
_EDGE_OFF: Final = 2.0
"""Pixels by which an edge may be off, and this share of it."""
_EDGE_SHARE: Final = 0.01
_SIDE_MIN: Final = 10.0
"""Pixels; narrower boxes are off by their rounding."""
_MOST: Final = 0.5


def scale_example(results: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Return a result whose box is at another scale than its outline or area, with what tells it; "" where most results agree.

    Masks of a model lie within their boxes or a little beyond, in each result otherwise. A scale is the same in all.

    Args:
        results: Each with how messages call it.
    """
    outlines: list[tuple[str, tuple[float, ...], tuple[float, ...], object]] = []
    areas: list[tuple[str, float, object, float]] = []
    for name, one in results:
        box = four_numbers(one.get("bbox"))
        if box is None or min(box[2:]) < _SIDE_MIN:
            continue
        x, y, width, height = box
        outline, area = outline_of(one.get("segmentation")), one.get("area")
        if outline is not None:
            if min(outline[2:]) > 0:
                outlines.append((name, (x, y, x + width, y + height), outline, one["bbox"]))
        elif isinstance(area, (int, float)) and not isinstance(area, bool):
            areas.append((name, area / (width * height), one["bbox"], area))
    return _by_outlines(outlines) or _by_areas(areas)


def _by_outlines(found: list[tuple[str, tuple[float, ...], tuple[float, ...], object]]) -> str:
    if not found:
        return ""
    scales = [statistics.median(box[i] / outline[i] for _, box, outline, _ in found) for i in (2, 3)]
    if all(abs(one - 1) <= _SCALE_OFF for one in scales):
        return ""
    scaled = [
        one for one in found
        if all(
            abs(edge - other * scales[i % 2]) <= _EDGE_OFF + _EDGE_SHARE * abs(edge)
            for i, (edge, other) in enumerate(zip(one[1], one[2], strict=True))
        ) and all(abs(one[1][i] - one[2][i]) > 2 * _EDGE_OFF for i in (0, 1) if abs(scales[i] - 1) > _SCALE_OFF)
    ]  # fmt: skip
    if len(scaled) <= len(found) * _MOST:
        return ""
    name, _, outline, bbox = scaled[0]
    edges = f"{outline[0]:g}, {outline[1]:g} to {outline[2]:g}, {outline[3]:g}"
    return f"{name} has bbox {shown(bbox)} and a segmentation from {edges}, {1 / scales[0]:.3g} and {1 / scales[1]:.3g} times as far"


def _by_areas(found: list[tuple[str, float, object, float]]) -> str:
    # No mask is larger than its box; smaller ones say nothing.
    above = [one for one in found if one[1] > (1 + _SCALE_OFF) ** 2]
    if not above or len(above) < len(found) * (1 - _SCALE_OFF):
        return ""
    name, ratio, bbox, area = above[0]
    return f"{name} has bbox {shown(bbox)} and area {area:g}, {ratio:.3g} times that of the box"
