"""Whether a COCO result's `bbox` is x, y, width, height or corners, by what else it says of its object. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from picsellia_async.errors import shown

Order: TypeAlias = Literal["size", "corners", ""]
"""What the last two numbers of a box are: width and height, or the right and lower edge; "" where nothing tells."""

_CORNERS_MODE: Final = 0
"""Detectron2's `BoxMode.XYXY_ABS`; its 1 is x, y, width, height."""
_AREA_OFF: Final = 0.01
"""Share by which an area may be off and still be that of its box: numbers are rounded."""
EDGE_OFF: Final = 2.0
"""Pixels by which an outline may be off: tools differ by one at each end."""

NOT_MET: Final = "which do not meet: one of them is of another object, or of an image of another size"
"""What is said of a box and an outline that lie apart."""

Box: TypeAlias = tuple[float, float, float, float]
"""Four numbers; those of an outline are left, top, right and bottom."""


def four_numbers(value: object) -> Box | None:
    """Return the four numbers of a box; None where it is none."""
    if isinstance(value, list) and len(value) == 4 and all(type(one) in {int, float} for one in value):
        x, y, width, height = value
        return x, y, width, height
    return None


def box_order(result: Mapping[str, Any]) -> tuple[Order, str]:
    """Return what the last two numbers of a result's box are, and what tells it.

    Args:
        result: With `bbox`; `segmentation`, `area` and `bbox_mode` tell, the outline before the area, which may be that of a mask.
    """
    box = four_numbers(result.get("bbox"))
    if box is None:
        return "", ""
    mode = result.get("bbox_mode")
    if type(mode) is int and mode in {_CORNERS_MODE, 1}:
        return ("corners" if mode == _CORNERS_MODE else "size"), f"bbox_mode {mode}"
    outline = outline_of(result.get("segmentation"))
    if outline is not None:
        return _by_outline(box, outline), shown_outline(outline)
    area = area_of(result)
    return ("", "") if area is None else (_by_area(box, area), f"area {area:g}")


def repeated(results: Iterable[tuple[int, Mapping[str, Any]]]) -> tuple[int, int] | None:
    """Return the numbers of two results that say the same, the first one first: no detector finds an object twice to the last digit."""
    seen: dict[str, int] = {}
    for number, one in results:
        what = repr([one.get(field) for field in ("category_id", "bbox", "segmentation", "keypoints", "score")])
        first = seen.setdefault(what, number)
        if first != number:
            return first, number
    return None


def lie_apart(result: Mapping[str, Any], outline: Box | None = None) -> str:
    """Say where box and outline of a result are, if they do not even touch, however the box is read; "" where they do, or one is missing.

    Args:
        result: With `bbox`; one without width or height is none, as Mask2Former's [0, 0, 0, 0] beside a mask.
        outline: Of its run lengths; None: that of its polygons.
    """
    box, outline = four_numbers(result.get("bbox")), outline or outline_of(result.get("segmentation"))
    if box is None or outline is None or not all(box[2:]):
        return ""
    x, y, third, fourth = box
    left, top, right, bottom = outline
    if any(
        left <= far + EDGE_OFF and x <= right + EDGE_OFF and top <= low + EDGE_OFF and y <= bottom + EDGE_OFF
        for far, low in ((x + third, y + fourth), (third, fourth))
    ):
        return ""
    return f"bbox {shown(result['bbox'])} and {shown_outline(outline)}"


def corners_example(results: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Return a result that says that its box is corners, with what tells it; "" where none does, or another one says otherwise.

    Args:
        results: Each with how messages call it.
    """
    example = ""
    for name, one in results:
        says, why = box_order(one)
        if says == "size":
            return ""
        if says == "corners" and not example:
            example = f"{name} has bbox {shown(one['bbox'])} and {why}"
    return example


def _by_outline(box: Box, outline: Box) -> Order:
    x, y, third, fourth = box
    is_size = _are_near((x, y, x + third, y + fourth), outline)
    is_corners = _are_near((x, y, third, fourth), outline)
    return "" if is_size == is_corners else "size" if is_size else "corners"


def _are_near(one: Box, other: Box) -> bool:
    return all(abs(a - b) <= EDGE_OFF for a, b in zip(one, other, strict=True))


def _by_area(box: Box, area: float) -> Order:
    x, y, third, fourth = box
    is_size = _is_area(third, fourth, area)
    is_corners = _is_area(third - x, fourth - y, area)
    return "" if is_size == is_corners else "size" if is_size else "corners"


def _is_area(width: float, height: float, area: float) -> bool:
    return min(width, height, area) > 0 and abs(width * height - area) <= _AREA_OFF * area


def outline_of(segmentation: object) -> Box | None:
    """Return left, top, right and bottom of polygons; None where there are none."""
    if not isinstance(segmentation, list) or not segmentation:
        return None
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    numbers = [number for one in polygons if isinstance(one, list) and len(one) % 2 == 0 for number in one]
    if not numbers or not all(type(number) in {int, float} for number in numbers):
        return None
    across, down = numbers[::2], numbers[1::2]
    return min(across), min(down), max(across), max(down)


def shown_outline(outline: Box) -> str:
    """Return an outline as messages write it."""
    left, top, right, bottom = outline
    return f"a segmentation from {left:g}, {top:g} to {right:g}, {bottom:g}"


def area_of(result: Mapping[str, Any]) -> float | None:
    """Return the area of a result; None where there is no number."""
    area = result.get("area")
    return area if isinstance(area, (int, float)) and not isinstance(area, bool) else None
