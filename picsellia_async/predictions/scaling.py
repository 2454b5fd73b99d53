"""The same prediction on an image of another size."""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

from picsellia_async.predictions import _masks
from picsellia_async.predictions._outlines import is_flat, is_one_point, whole_outline
from picsellia_async.predictions.base import PredictionFormat, counted, with_class_names
from picsellia_async.predictions.formats import (
    DetectionPredictionFormat,
    KeypointPredictionFormat,
    LinePredictionFormat,
    PointPredictionFormat,
)
from picsellia_async.predictions.mask_formats import MaskPredictionFormat, SegmentationPredictionFormat

P = TypeVar("P", bound=PredictionFormat)


def scaled(prediction: P, old: tuple[int, int], new: tuple[int, int], *, keeps_area: bool = True) -> P:
    """Return the prediction in pixels of the resized image. Coordinates are rounded; pixel masks need the extra `masks`.

    Args:
        prediction: In pixels of the image before.
        old: (width, height) before.
        new: (width, height) now.
        keeps_area: Whether a polygon that gets thinner than a pixel becomes the box of the pixels that it touches; else it becomes flat.
    """
    x_factor, y_factor = new[0] / old[0], new[1] / old[1]

    def path(points: list[list[int]]) -> list[list[int]]:
        return [[round(x * x_factor), round(y * y_factor), *rest] for x, y, *rest in points]

    changes: dict[str, Any] = {}
    if isinstance(prediction, DetectionPredictionFormat):
        changes["detection_boxes"] = [
            [round(top * y_factor), round(left * x_factor), round(bottom * y_factor), round(right * x_factor)]
            for top, left, bottom, right in prediction.detection_boxes
        ]
    elif isinstance(prediction, SegmentationPredictionFormat):
        changes["detection_masks"] = [
            whole_outline((x * new[0] / old[0], y * new[1] / old[1]) for x, y in one) if keeps_area else path(one)
            for one in prediction.detection_masks
        ]
    elif isinstance(prediction, LinePredictionFormat):
        changes["lines"] = [path(one) for one in prediction.lines]
    elif isinstance(prediction, PointPredictionFormat):
        changes["points"] = path(prediction.points)
    elif isinstance(prediction, KeypointPredictionFormat):
        changes["keypoints"] = [path(one) for one in prediction.keypoints]
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


def has_flat_shapes(prediction: PredictionFormat) -> bool:
    """Return whether a box or outline has no width or no height, or a line is a point, as rounding makes of what is too small for pixels."""
    if isinstance(prediction, DetectionPredictionFormat):
        return any(left >= right or top >= bottom for top, left, bottom, right in prediction.detection_boxes)
    if isinstance(prediction, SegmentationPredictionFormat):
        return any(not one or is_flat(one) for one in prediction.detection_masks)
    if isinstance(prediction, LinePredictionFormat):
        return any(is_one_point(one) for one in prediction.lines)
    return False
