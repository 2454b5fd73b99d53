"""How far a shape may lie beyond its image: a detector's small overhang is sent as it is, or cut where asked."""

from __future__ import annotations

from typing import Final

OVERHANG: Final = 0.1
"""Share of a side."""


def overhang(side: float) -> float:
    """Return the pixels beyond a side of that length. One may always be: rounding puts it there."""
    return max(side * OVERHANG, 1.0)


def overhang_exchanged(size: tuple[int, int]) -> float:
    """Return the pixels by which shapes may lie beyond an image of that width and height with x and y exchanged, and still fit there.

    The smaller of the two: what lies left of or above the image by more than its own side allows must not fit because the other allows it.
    """
    return overhang(min(size))
