"""Pieces of a mask that a smaller image would break or lose, since they are thinner than its pixels."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LONG: Final = 3
"""Pixels of the smaller image from which on a piece is kept. A shorter one that covers none by half is a speck beside an object."""


def keep_whole(mask: NDArray[np.uint8], found: NDArray[np.uint8]) -> None:
    """Let each long piece of a mask be one piece of the smaller mask, too, and let none become empty.

    Added are the pixels that the thin parts of such a piece touch and, should it still be broken, all that it touches: neighbours touch
    the same pixel, or neighbours. A piece of which nothing is missing stays as it is.

    Args:
        mask: Of 0 and 1.
        found: The same on the smaller image, as the pixels that it covers by half or more; it is changed.
    """
    numpy: Any = import_module("numpy")
    cv2: Any = import_module("cv2")
    (height, width), (new_height, new_width) = mask.shape, found.shape
    rows, columns = mask.nonzero()
    touched = rows * new_height // height, columns * new_width // width
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    piece = labels[rows, columns]
    x, y, across, down, _ = stats.T
    is_long = (x + across - 1) * new_width // width - x * new_width // width >= _LONG - 1
    is_long |= (y + down - 1) * new_height // height - y * new_height // height >= _LONG - 1
    beside = numpy.ones((3, 3), numpy.uint8)

    def add(is_added: Any) -> None:
        """Add what these of the pixels touch, if their piece is broken."""
        part_count, parts = cv2.connectedComponents(found, connectivity=8)
        part = parts[touched]
        pairs = numpy.unique(piece[part > 0] * numpy.int64(part_count) + part[part > 0])
        is_broken = numpy.bincount(pairs // part_count, minlength=count) != 1
        # Of a thin part that is gone wholly the number of parts tells nothing: beside an edge that was only rounded is the object.
        is_broken[piece[cv2.dilate(found, beside)[touched] == 0]] = True
        is_added = is_added & (is_broken & is_long)[piece]
        found[touched[0][is_added], touched[1][is_added]] = 1

    # What is as wide as a pixel of the smaller image covers half of one, wherever it lies. An even kernel would move the mask.
    wide = cv2.getStructuringElement(cv2.MORPH_RECT, (-(-width // new_width) | 1, -(-height // new_height) | 1))
    add(cv2.morphologyEx(mask, cv2.MORPH_OPEN, wide)[rows, columns] == 0)
    add(True)
    if not found.any():
        found[touched] = 1
