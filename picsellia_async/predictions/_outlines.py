"""Outlines of polygons in whole pixels: one that is thinner than a pixel keeps an area. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

_LONG: Final = 3
"""Pixels from which on an outline can be thin: the middle of a pixel lies beside a shorter one or not, as it happens."""


def is_flat(outline: Sequence[Sequence[float]]) -> bool:
    """Return whether all points lie on one upright or level line. Of others the first two or three tell."""
    x, y = outline[0]
    return all(point[0] == x for point in outline) or all(point[1] == y for point in outline)


def is_one_point(path: Iterable[Iterable[float]]) -> bool:
    """Return whether all points of a line are the same."""
    return len({tuple(point) for point in path}) == 1


def perimeter(outline: Sequence[tuple[float, float]]) -> float:
    """Return the length of a closed outline."""
    return math.fsum(math.dist(*edge) for edge in _edges(outline))


def is_thin(outline: Sequence[tuple[float, float]]) -> bool:
    """Return whether an outline is some pixels long, and on the average less than a pixel wide."""
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in _edges(outline)) / 2
    extent = max(max(side) - min(side) for side in zip(*outline, strict=True))
    return extent >= _LONG and 2 * abs(area) < perimeter(outline)  # both long sides are in it


def _edges(outline: Sequence[tuple[float, float]]) -> Iterable[tuple[tuple[float, float], tuple[float, float]]]:
    return zip(outline, [*outline[1:], outline[0]], strict=True)


def whole_outline(points: Iterable[tuple[float, float]]) -> list[list[int]]:
    """Return an outline in whole pixels; of one that rounding would flatten the box of the pixels that it touches.

    One that is flat as it is given stays so, as does one of fewer than three points: these are told where they are refused.
    """
    given = list(points)
    found = [[round(x), round(y)] for x, y in given]
    if len(found) < 3 or not is_flat(found) or is_flat(given):
        return found
    return touched_box(given)


def touched_box(points: Iterable[tuple[float, float]]) -> list[list[int]]:
    """Return the outline of the box of the pixels that a shape touches."""
    (left, right), (top, bottom) = (touched(side) for side in zip(*points, strict=True))
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def touched(side: Sequence[float]) -> tuple[int, int]:
    """Return the edges of the pixels that one side of a shape touches: at least one of them."""
    low = math.floor(min(side))
    return low, max(math.ceil(max(side)), low + 1)
