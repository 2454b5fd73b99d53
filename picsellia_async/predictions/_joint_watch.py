"""Skeletons of y, x that are cut as if the border cut people: told by where joints are before they are cut, and by their form."""

from __future__ import annotations

from typing import Final

import attrs

from picsellia_async.predictions._overhang import lie_exchanged

BESIDE_MIN: Final = 0.2
"""Share of the joints beside the image from which on skeletons may be y, x."""
LYING_MIN: Final = 1.5
"""How many times as wide as high a skeleton is, at least, that may be one of y, x: people whom a border cuts are mostly higher than wide."""


@attrs.define
class JointWatch:
    """Looks at the skeletons of a prediction, one after the other, and tells whether they look like y, x."""

    size: tuple[int, int]
    """Width and height of the image."""
    seen: int = 0
    """Joints that are there."""
    beside: int = 0
    """Those of them beside the image."""
    is_right_swapped: bool = True
    """Whether all of them would lie in the image as y, x."""
    are_lying: bool = True
    """Whether all skeletons that reach beyond the image are wider than high, as people are in y, x."""

    def look(self, points: list[tuple[float, float]], beside: int) -> None:
        """Note what one skeleton tells, by its joints that are there and how many of these lie beside the image."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        self.seen += len(points)
        self.beside += beside
        self.is_right_swapped = self.is_right_swapped and lie_exchanged(xs, ys, self.size)
        if beside:
            self.are_lying = self.are_lying and max(xs) - min(xs) >= LYING_MIN * (max(ys) - min(ys))

    @property
    def doubt(self) -> str | None:
        """What is said of skeletons that look like y, x; None of others. They are not refused: of one person alone nobody can be sure."""
        is_told = self.beside and self.beside >= self.seen * BESIDE_MIN and self.is_right_swapped and self.are_lying
        if not is_told:
            return None
        width, height = self.size
        return (
            f"{self.beside} of {self.seen} joints lie outside of the image of {width} x {height}, and all of them inside as y, x, which "
            "they look like: points are x, y. They were cut, which is right for a person whom the border cuts"
        )
