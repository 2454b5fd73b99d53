"""How far a shape may lie beyond its image: a detector's small overhang is sent as it is, or cut where asked."""

from __future__ import annotations

from typing import Final

OVERHANG: Final = 0.1
"""Share of a side."""


def overhang(side: float) -> float:
    """Return the pixels beyond a side of that length. One may always be: rounding puts it there."""
    return max(side * OVERHANG, 1.0)
