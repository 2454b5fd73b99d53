"""Whether all coordinates of a file are in another order than the documented one. Pure.

Theory of operation. One shape that reaches beyond its image may be a mistake of one item. Where every shape of the file fits in another
order, the file is in that order, and those of its shapes that fit as documented fit by chance: sent, they would be wrong unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from picsellia_async.errors import shown
from picsellia_async.predictions._overhang import overhang
from picsellia_async.predictions.orders import ORDER_WORDS, ORDERS

_POINTS: Final = {"detection_masks": 1, "lines": 1, "points": 0, "keypoints": 1}
"""Fields of points, and how many lists there are around each list of points."""
NUMBER_END: Final = 2**53
"""No side or place in pixels. Integers of JSON have no end, and one of hundreds of digits is no float; its line is refused at its turn."""
_BOXES: Final = "detection_boxes"
_BOX: Final = 4

Size = tuple[int, int]
Corners = tuple[float, float, float, float]


def has_coordinates(prediction: object) -> bool:
    """Return whether `OrderWatch.see` has anything to look at: else nobody needs the size of the image for it."""
    if not isinstance(prediction, dict):
        return False
    fields = (prediction.get(name) for name in (_BOXES, *_POINTS))
    return any(isinstance(one, list) and one for one in fields)


@attrs.define
class OrderWatch:
    """Follows the shapes of a file. Where no other order is left, which is soon, it costs nothing."""

    _boxes: set[str] = attrs.field(factory=lambda: set(ORDERS), init=False)
    """Other orders in which all boxes so far fit."""
    _are_points_swapped: bool = attrs.field(default=True, init=False)
    """Whether all points so far fit as y, x."""
    _bad_box: str = attrs.field(default="", init=False)
    """A box that does not fit as documented."""
    _bad_point: str = attrs.field(default="", init=False)
    _has_boxes: bool = attrs.field(default=False, init=False)
    _has_points: bool = attrs.field(default=False, init=False)

    @property
    def is_over(self) -> bool:
        """Whether there were shapes, and no other order is left for them."""
        are_boxes_sure = not (self._has_boxes and self._boxes)
        are_points_sure = not (self._has_points and self._are_points_swapped)
        return (self._has_boxes or self._has_points) and are_boxes_sure and are_points_sure

    @property
    def verdict(self) -> str:
        """Why the file is in another order; "" where it need not be."""
        if self._bad_box and self._boxes:
            words = " or ".join(ORDER_WORDS[one] for one in ORDERS if one in self._boxes)
            return (
                f"boxes look like {words}, and must be top, left, bottom, right: {self._bad_box}, and every box so far fits in the "
                "other order"
            )
        if self._bad_point and self._are_points_swapped:
            return f"points look like y, x, and must be x, y: {self._bad_point}, and every point so far fits as y, x"
        return ""

    def see(self, place: str, prediction: Mapping[str, Any], size: Size) -> None:
        """Take note of a prediction's fields; what is no list of numbers is passed over, since it is refused anyway.

        Args:
            place: How messages call it.
            prediction: Fields of a prediction format.
            size: Width and height of the image.
        """
        boxes = prediction.get(_BOXES)
        if self._boxes and isinstance(boxes, list):
            for box in boxes:
                self._see_box(place, box, size)
        for field, depth in _POINTS.items() if self._are_points_swapped else ():
            self.see_points(place, _flattened(prediction.get(field), depth), size)

    def _see_box(self, place: str, box: Any, size: Size) -> None:
        if not _are_numbers(box) or len(box) != _BOX:
            return
        self._has_boxes = True
        top, left, bottom, right = box
        if not _fits((left, top, right, bottom), size):
            self._bad_box = self._bad_box or f"{place} has {shown(box)} on {size[0]} x {size[1]} pixels"
        self._boxes = {order for order in self._boxes if _fits(ORDERS[order](*box), size)}

    def see_points(self, place: str, points: Iterable[Any], size: Size) -> None:
        """Take note of points, as pairs or with a third value."""
        for point in points:
            if not _are_numbers(point) or len(point) not in {2, 3}:
                continue
            self._has_points = True
            x, y = point[:2]
            if not _fits((x, y, x, y), size):
                self._bad_point = self._bad_point or f"{place} has {shown(point)} on {size[0]} x {size[1]} pixels"
            self._are_points_swapped = self._are_points_swapped and _fits((y, x, y, x), size)


def shape_beyond(place: str, prediction: Mapping[str, Any], size: Size) -> str:
    """Return a shape of a prediction's fields that reaches beyond its image by more than a detector's overhang; "" where none does.

    Args:
        place: How messages call the prediction.
        prediction: Fields of a prediction format.
        size: Width and height of the image.
    """
    boxes = prediction.get(_BOXES)
    shapes = (
        [(box, (box[1], box[0], box[3], box[2])) for box in boxes if _are_numbers(box) and len(box) == _BOX]
        if isinstance(boxes, list)
        else []
    )
    for field, depth in _POINTS.items():
        points = [one for one in _flattened(prediction.get(field), depth) if _are_numbers(one) and len(one) in {2, 3}]
        points = [one for one in points if one[2:] != [0]]  # a keypoint that nobody sees is anywhere
        shapes += [(one, (one[0], one[1], one[0], one[1])) for one in points]
    far = next((one for one, corners in shapes if not _fits(_in_order(corners), size)), None)
    return "" if far is None else f"{place} has {shown(far)} on {size[0]} x {size[1]} pixels"


def _in_order(corners: Corners) -> Corners:
    x1, y1, x2, y2 = corners
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(one) is float or (type(one) is int and abs(one) < NUMBER_END) for one in value
    )


def _flattened(value: Any, depth: int) -> list[Any]:
    """Return the points of a field, whatever of it is a list."""
    found = value if isinstance(value, list) else []
    for _ in range(depth):
        found = [point for one in found if isinstance(one, list) for point in one]
    return found


def _fits(corners: Corners, size: Size) -> bool:
    x1, y1, x2, y2 = corners
    over_x, over_y = overhang(size[0]), overhang(size[1])
    return -over_x <= x1 <= x2 <= size[0] + over_x and -over_y <= y1 <= y2 <= size[1] + over_y
