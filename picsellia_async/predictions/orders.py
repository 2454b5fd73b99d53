"""The orders in which models write the four numbers of a box, by their names in the field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from picsellia_async.predictions._overhang import lie_exchanged, overhang, overhang_exchanged

Box: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2: left, top, right, bottom."""


def _xyxy(a: float, b: float, c: float, d: float) -> Box:
    return a, b, c, d


def _xywh(a: float, b: float, c: float, d: float) -> Box:
    return a, b, a + c, b + d


def _cxcywh(a: float, b: float, c: float, d: float) -> Box:
    return a - c / 2, b - d / 2, a + c / 2, b + d / 2


ORDERS: Final[dict[str, Callable[[float, float, float, float], Box]]] = {
    "xyxy": _xyxy,
    "xywh": _xywh,
    "cxcywh": _cxcywh,
}
"""How the four numbers of a box become its corners, by the name of the order."""
ORDER_WORDS: Final = {
    "xyxy": "x1, y1, x2, y2",
    "xywh": "x, y, width, height",
    "cxcywh": "center x, center y, width, height",
}

EXCHANGED_WORDS: Final = {
    "xyxy": "the constructor itself takes y1, x1, y2, x2 (top, left, bottom, right)",
    "xywh": "as y, x, height, width, to be given with x and width first",
    "cxcywh": "as center y, center x, height, width, to be given with x and width first",
}
"""The other order that is named where boxes of this one fit with y first."""


def fitting(boxes: Iterable[Sequence[float]], size: tuple[int, int], *, may_overhang: bool = False) -> list[str]:
    """Return the orders in which all boxes lie in an image of that size, or beyond it as a detector's boxes may."""
    given = list(boxes)
    over_x, over_y = (overhang(size[0]), overhang(size[1])) if may_overhang else (0, 0)
    return [
        order
        for order, corners in ORDERS.items()
        if all(
            -over_x <= x1 <= x2 <= size[0] + over_x and -over_y <= y1 <= y2 <= size[1] + over_y
            for x1, y1, x2, y2 in (corners(*box) for box in given)
        )
    ]


def fit_exchanged(boxes: Iterable[Sequence[float]], order: str, size: tuple[int, int]) -> bool:
    """Return whether all boxes of that order lie in an image of that size as y, x, or overhang it there as a detector's boxes may."""
    over = overhang_exchanged(size)
    corners = (ORDERS[order](*box) for box in boxes)
    return all(x1 <= x2 and y1 <= y2 and lie_exchanged((x1, x2), (y1, y2), size, over) for x1, y1, x2, y2 in corners)
