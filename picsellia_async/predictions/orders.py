"""The orders in which models write the four numbers of a box, by their names in the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

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
