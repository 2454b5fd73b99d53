"""How far a shape may lie beyond its image: a detector's small overhang is sent as it is, or cut where asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

OVERHANG: Final = 0.1
"""Share of a side."""


def overhang(side: float) -> float:
    """Return the pixels beyond a side of that length. One may always be: rounding puts it there."""
    return max(side * OVERHANG, 1.0)


def lie_exchanged(xs: Iterable[float], ys: Iterable[float], size: tuple[int, int], over: float = 0.0) -> bool:
    """Return whether points lie in an image of that width and height with x and y exchanged, or beyond it by so many pixels at most."""
    width, height = size
    return all(-over <= x <= height + over for x in xs) and all(-over <= y <= width + over for y in ys)


def overhang_exchanged(size: tuple[int, int]) -> float:
    """Return the pixels by which shapes may lie beyond an image of that width and height with x and y exchanged, and still fit there.

    The smaller of the two: what lies left of or above the image by more than its own side allows must not fit because the other allows it.
    """
    return overhang(min(size))
