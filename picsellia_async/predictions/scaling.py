"""The same prediction on an image of another size."""

from __future__ import annotations

from itertools import groupby
from typing import Any, TypeVar

import attrs

from picsellia_async.predictions import _masks
from picsellia_async.predictions._geometry import POINTS_MIN
from picsellia_async.predictions._outlines import is_flat, is_one_point, touched, touched_box, whole_outline
from picsellia_async.predictions.base import PredictionFormat, counted, with_class_names
from picsellia_async.predictions.formats import (
    DetectionPredictionFormat,
    KeypointPredictionFormat,
    LinePredictionFormat,
    PointPredictionFormat,
)
from picsellia_async.predictions.mask_formats import MaskPredictionFormat, SegmentationPredictionFormat

P = TypeVar("P", bound=PredictionFormat)


def scaled(prediction: P, old: tuple[int, int], new: tuple[int, int]) -> P:
    """Return the prediction in pixels of the smaller image. Coordinates are rounded; pixel masks need the extra `masks`.

    A shape that gets too small for these pixels becomes the pixels that it touches, and no point leaves the image.

    Args:
        prediction: In pixels of the image before.
        old: (width, height) before.
        new: (width, height) now.
    """
    x_factor, y_factor = new[0] / old[0], new[1] / old[1]
    changes: dict[str, Any] = {}
    if isinstance(prediction, DetectionPredictionFormat):
        changes["detection_boxes"] = [
            _box(left_to_right=_side(left, right, old[0], new[0]), top_to_bottom=_side(top, bottom, old[1], new[1]))
            for top, left, bottom, right in prediction.detection_boxes
        ]
    elif isinstance(prediction, SegmentationPredictionFormat):
        changes["detection_masks"] = [_outline(one, old, new) for one in prediction.detection_masks]
    elif isinstance(prediction, LinePredictionFormat):
        changes["lines"] = [_line(one, old, new) for one in prediction.lines]
    elif isinstance(prediction, PointPredictionFormat):
        changes["points"] = _path(prediction.points, old, new)
    elif isinstance(prediction, KeypointPredictionFormat):
        changes["keypoints"] = [_path(one, old, new) for one in prediction.keypoints]
    elif isinstance(prediction, MaskPredictionFormat):
        changes["detection_masks"] = [_masks.resized(one, old, new) for one in prediction.detection_masks]
    if not changes:
        return prediction
    found = attrs.evolve(prediction, **changes)
    made_for = prediction.image_size
    if made_for is not None:  # of another image than the one before, it stays one of another than the one now
        made_for = new if made_for == old else (round(made_for[0] * x_factor), round(made_for[1] * y_factor))
    return with_class_names(
        counted(found, made_for, prediction.clipped, prediction.left_out, doubt=prediction.doubt),
        prediction.class_names,
    )


def _pixel(place: int, old: int, new: int) -> int:
    """Return where a pixel of one axis goes. The last one stays in the image, where rounding would put it at its edge."""
    found = round(place * new / old)
    return min(found, new - 1) if place < old else found


def _path(points: list[list[int]], old: tuple[int, int], new: tuple[int, int]) -> list[list[int]]:
    return [[_pixel(x, old[0], new[0]), _pixel(y, old[1], new[1]), *rest] for x, y, *rest in points]


def _side(low: int, high: int, old: int, new: int) -> tuple[int, int]:
    """Return both ends of one side of a box; one that rounding would leave no pixel keeps those that it touches."""
    if _gets_flat(low, high, old, new):
        return touched((low * new / old, high * new / old))
    return round(low * new / old), round(high * new / old)


def _gets_flat(low: int, high: int, old: int, new: int) -> bool:
    """Return whether rounding leaves a side no pixel, which had one."""
    return low < high and round(low * new / old) >= round(high * new / old)


def _box(left_to_right: tuple[int, int], top_to_bottom: tuple[int, int]) -> list[int]:
    return [top_to_bottom[0], left_to_right[0], top_to_bottom[1], left_to_right[1]]


def _outline(points: list[list[int]], old: tuple[int, int], new: tuple[int, int]) -> list[list[int]]:
    """Return a polygon without the points that fall together; of one that would have too few, the box of the pixels that it touches."""
    exact = [(x * new[0] / old[0], y * new[1] / old[1]) for x, y in points]
    whole = whole_outline(exact)
    found = [point for point, _ in groupby(whole)]
    if len(found) > POINTS_MIN and found[0] == found[-1] and points[0] != points[-1]:
        found.pop()
    if _is_area(found):
        return found
    return touched_box(exact) if _is_area(points) and not is_flat(points) else whole


def _is_area(points: list[list[int]]) -> bool:
    return len(set(map(tuple, points))) >= POINTS_MIN


def _line(points: list[list[int]], old: tuple[int, int], new: tuple[int, int]) -> list[list[int]]:
    """Return a line without the points that fall together; one of which a single point would be left is a pixel long."""
    moved = _path(points, old, new)
    found = [point for point, _ in groupby(moved)]
    if len(found) > 1:
        return found
    if not points or is_one_point(points):
        return moved
    across, down = (max(side) - min(side) for side in zip(*points, strict=True))
    axis = 0 if across >= down else 1
    start, end = found[0], list(found[0])
    end[axis] += 1 if start[axis] + 1 < new[axis] or start[axis] == 0 else -1
    is_forward = points[0][axis] <= points[-1][axis]
    return [start, end] if is_forward == (end[axis] > start[axis]) else [end, start]


def gets_flat(prediction: PredictionFormat, old: tuple[int, int], new: tuple[int, int]) -> bool:
    """Return whether a shape gets too small for the pixels of a smaller image, so that `scaled` makes it larger than it is."""
    if isinstance(prediction, DetectionPredictionFormat):
        return any(
            _gets_flat(low, high, old[axis], new[axis])
            for top, left, bottom, right in prediction.detection_boxes
            for axis, low, high in ((0, left, right), (1, top, bottom))
        )
    if isinstance(prediction, SegmentationPredictionFormat):
        return any(not is_flat(one) and is_flat(_path(one, old, new)) for one in prediction.detection_masks if one)
    if isinstance(prediction, LinePredictionFormat):
        return any(not is_one_point(one) and is_one_point(_path(one, old, new)) for one in prediction.lines)
    return False


def has_flat_shapes(prediction: PredictionFormat) -> bool:
    """Return whether a box or outline has no width or no height, or a line is a point, as rounding makes of what is too small for pixels."""
    if isinstance(prediction, DetectionPredictionFormat):
        return any(left >= right or top >= bottom for top, left, bottom, right in prediction.detection_boxes)
    if isinstance(prediction, SegmentationPredictionFormat):
        return any(not one or is_flat(one) for one in prediction.detection_masks)
    if isinstance(prediction, LinePredictionFormat):
        return any(is_one_point(one) for one in prediction.lines)
    return False
