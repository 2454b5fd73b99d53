"""Pieces of a mask that a smaller image would break or lose, and polygons that pixels do, since they are thinner than these."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from picsellia_async.predictions._outlines import is_thin, perimeter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LONG: Final = 3
"""Pixels of the smaller image from which on a piece is kept. A shorter one that covers none by half is a speck beside an object."""


def _libraries() -> tuple[Any, Any]:
    """Return numpy and OpenCV, which are there: `_masks` asked for them, by the name of the extra."""
    return import_module("numpy"), import_module("cv2")


def is_broken(outline: Sequence[tuple[float, float]], drawn: NDArray[np.uint8]) -> bool:
    """Return whether the pixels whose middle lies in a polygon are none, or those of a thin one are in pieces or leave out an end."""
    numpy, cv2 = _libraries()
    rows, columns = drawn.nonzero()
    if not rows.size:
        return True
    # The halves of an outline that crosses itself cancel each other in its area, not in its pixels.
    if not is_thin(outline) or rows.size >= perimeter(outline):
        return False
    if cv2.connectedComponents(drawn, connectivity=8)[0] > 1 + 1:
        return True
    ends = numpy.clip(outline, 0, drawn.shape[::-1])
    return any(
        one.min() - end.min() >= _LONG or end.max() - (one.max() + 1) >= _LONG
        for one, end in zip((columns, rows), ends.T, strict=True)
    )


def touched_by(outline: Sequence[tuple[float, float]], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the mask of the pixels that a thin polygon touches; its right and lower border are no part of it."""
    numpy, cv2 = _libraries()
    points = numpy.array(outline)
    low, high = numpy.floor(points.min(axis=0)), numpy.ceil(points.max(axis=0)) - 1
    corners = numpy.clip(numpy.floor(points), low, numpy.maximum(low, high)).clip(0, numpy.array(size) - 1)
    found: NDArray[np.uint8] = numpy.zeros(size[::-1], numpy.uint8)
    cv2.fillPoly(found, corners.astype(numpy.int32)[None], 1)
    return found


def keep_whole(mask: NDArray[np.uint8], found: NDArray[np.uint8]) -> None:
    """Let each long piece of a mask be one piece of the smaller mask, too, and let none become empty.

    Added are the pixels that the thin parts of such a piece touch and, should it still be broken, all that it touches: neighbours touch
    the same pixel, or neighbours. A piece of which nothing is missing stays as it is.

    Args:
        mask: Of 0 and 1.
        found: The same on the smaller image, as the pixels that it covers by half or more; it is changed.
    """
    numpy, cv2 = _libraries()
    (height, width), (new_height, new_width) = mask.shape, found.shape
    # What is as wide as a pixel of the smaller image covers half of one, wherever it lies. An even size would move the mask.
    wide = -(-width // new_width) | 1, -(-height // new_height) | 1
    # The rest of the image costs time only. The margin is for what looks at neighbours.
    x, y, across, down = cv2.boundingRect(mask)
    left, top = max(x - wide[0], 0), max(y - wide[1], 0)
    mask = mask[top : y + down + wide[1], left : x + across + wide[0]]
    row_of = numpy.arange(top, top + mask.shape[0]) * new_height // height
    column_of = numpy.arange(left, left + mask.shape[1]) * new_width // width
    # The margin is a pixel of the smaller image and more: nothing of it lies beside these rows and columns.
    found = found[row_of[0] : row_of[-1] + 1, column_of[0] : column_of[-1] + 1]
    row_of, column_of = row_of - row_of[0], column_of - column_of[0]
    beside = numpy.ones((3, 3), numpy.uint8)

    def pixels(of: Any) -> tuple[Any, Any]:
        """Return set pixels, one at least for each smaller pixel that each piece touches: all of them are ten times as many and more.

        One whose left or upper neighbour is set and touches the same says nothing new.
        """
        is_new = of.copy()
        is_new[:, 1:] &= 1 - (of[:, :-1] & (column_of[1:] == column_of[:-1]))
        is_new[1:] &= 1 - (of[:-1] & (row_of[1:] == row_of[:-1])[:, None])
        # In one dimension, where numpy finds them several times as fast.
        rows, columns = numpy.divmod(numpy.flatnonzero(is_new.view(bool)), is_new.shape[1])
        return rows, columns

    count, labels = cv2.connectedComponents(mask, connectivity=8)
    every = cv2.transpose(_reduced(cv2.transpose(_reduced(mask, row_of)), column_of))
    if _is_whole(every, found, count):
        return
    rows, columns = pixels(mask)
    touched = row_of[rows], column_of[columns]
    piece = labels[rows, columns]

    def is_long(of: Any) -> Any:
        """Return which pieces are some smaller pixels long, by the rows or columns that these touch."""
        first, last = numpy.full(count, of.max(initial=0)), numpy.zeros(count, of.dtype)
        numpy.minimum.at(first, piece, of)
        numpy.maximum.at(last, piece, of)
        return last - first >= _LONG - 1

    are_long = is_long(touched[0]) | is_long(touched[1])

    def add(rows: Any, columns: Any) -> None:
        """Add what these of the pixels touch, if their piece is broken."""
        part_count, parts = cv2.connectedComponents(found, connectivity=8)
        part = parts[touched]
        pairs = numpy.unique(piece[part > 0] * numpy.int64(part_count) + part[part > 0])
        are_broken = numpy.bincount(pairs // part_count, minlength=count) != 1
        # Of a thin part that is gone wholly the number of parts tells nothing: beside an edge that was only rounded is the object.
        are_broken[piece[cv2.dilate(found, beside)[touched] == 0]] = True
        is_added = (are_broken & are_long)[labels[rows, columns]]
        found[row_of[rows[is_added]], column_of[columns[is_added]]] = 1

    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, wide)
    add(*pixels(mask & (1 - cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel))))
    add(rows, columns)
    if not found.any():
        found[touched] = 1


def _reduced(mask: NDArray[np.uint8], row_of: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the rows of a mask as those of the smaller image, by the number of each: with the pixels that are set in any of several.

    Row by row and in whole rows: where each set pixel lies costs several times as much, and most masks need no more than this.
    """
    numpy, _ = _libraries()
    starts = numpy.flatnonzero(numpy.diff(row_of, prepend=row_of[0] - 1))
    last = numpy.append(starts[1:], row_of.size) - 1
    found: NDArray[np.uint8] = mask[starts]
    for step in range(1, int((last - starts).max()) + 1):
        found |= mask[numpy.minimum(starts + step, last)]
    return found


def _is_whole(every: NDArray[np.uint8], found: NDArray[np.uint8], count: int) -> bool:
    """Whether the smaller mask has each of the pieces once, as most have: the rest costs several times what the reduction does.

    Pieces are those of what they touch where these are as many. So are the parts of the smaller mask then, if all lies in or beside one.

    Args:
        every: The pixels that the mask touches.
        found: The smaller mask.
        count: Pieces of the mask, and the background.
    """
    numpy, cv2 = _libraries()
    if (every > cv2.dilate(found, numpy.ones((3, 3), numpy.uint8))).any():
        return False
    return all(cv2.connectedComponents(one, connectivity=8)[0] == count for one in (found, every | found))
