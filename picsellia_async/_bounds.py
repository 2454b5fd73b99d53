"""Whether the shapes of a prediction lie in their image. Pure.

One comparison per coordinate where all is well; what a shape looks like is worked out only for a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.predictions import (
    DetectionPredictionFormat,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    PredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions._geometry import POINTS_MIN
from picsellia_async.predictions._masks import checked_text
from picsellia_async.predictions._outlines import is_flat
from picsellia_async.predictions._overhang import overhang
from picsellia_async.predictions._run_length import has_pixels
from picsellia_async.predictions.orders import ORDER_WORDS, fitting

_CUT_PERSON: Final = (
    ". Of a person whom the border cuts: KeypointPredictionFormat.from_keypoints(..., clip=(width, height))"
)


def _check_boxes(prediction: DetectionPredictionFormat, width: int, height: int, name: str) -> None:
    for top, left, bottom, right in prediction.detection_boxes:
        # Only integers have bits: a fraction that was put in afterwards is a TypeError here.
        if top | left | bottom | right >= 0 and top <= bottom <= height and left <= right <= width:
            continue  # the usual case
        over_x, over_y = overhang(width), overhang(height)
        high_x, high_y = width + over_x, height + over_y
        if not (-over_y <= top <= bottom <= high_y and -over_x <= left <= right <= high_x):
            _refuse_box(prediction.detection_boxes, (top, left, bottom, right), (width, height), name)


def _refuse_box(boxes: list[list[int]], box: tuple[int, int, int, int], size: tuple[int, int], name: str) -> None:
    top, left, bottom, right = box
    place = boxes.index(list(box))
    if bottom < top:
        what = f"its bottom {bottom} is above its top {top}"
    elif right < left:
        what = f"its right {right} is left of its left {left}"
    else:
        what = f"it reaches beyond the image of {size[0]} x {size[1]} by more than a tenth"
    orders = fitting(boxes, size, may_overhang=True)
    if orders:
        looks = " or ".join(f"{ORDER_WORDS[order]} (DetectionPredictionFormat.from_{order})" for order in orders)
        way_out = f"It looks like {looks}"
        if "xyxy" in orders:  # which is what from_xyxy makes of y, x
            way_out += (
                ". Where a constructor such as from_xyxy made it, that was given y first: DetectionPredictionFormat(...) itself takes "
                "y1, x1, y2, x2 (top, left, bottom, right)"
            )
    else:
        way_out = (
            "Give boxes in pixels of the image that is sent, of the size that the call says; from_xyxy, from_xywh and "
            "from_cxcywh take other orders, and cut with clip=(width, height)"
        )
    raise ImplausibleError(
        f"{name}.detection_boxes[{place}] is {list(box)}, read as top, left, bottom, right: {what}. {way_out}"
    )


def _check_points(points: Iterable[Any], width: int, height: int, field: str, way_out: str = "") -> None:
    """Check x and y of each point; a third value is let be. `way_out` is what else the message offers."""
    over_x, over_y = overhang(width), overhang(height)
    high_x, high_y = width + over_x, height + over_y
    for x, y, *_ in points:
        x | y
        if not (-over_x <= x <= high_x and -over_y <= y <= high_y):
            swapped = -over_x <= y <= high_x and -over_y <= x <= high_y
            hint = "it looks like y, x: points are x, y" if swapped else "give pixels of the image that is sent"
            raise ImplausibleError(
                f"{field} has a point x={x}, y={y}, which is beyond the image of {width} x {height} by more than a tenth: {hint}{way_out}"
            )


KNOWN_SIDE_MIN: Final = 8
"""Pixels. A side that an answer says is shorter is a placeholder, or a mistake: nobody predicts on such an image."""


def known_size(data: Any) -> tuple[int, int] | None:
    """Return the width and height that the platform says of an image; None where it says none, or none that an image has."""
    width, height = getattr(data, "width", None), getattr(data, "height", None)
    if type(width) is not int or type(height) is not int or min(width, height) < KNOWN_SIDE_MIN:
        return None
    return width, height


def check_drawn(field: str, points: Iterable[tuple[int, int]], size: tuple[int, int]) -> None:
    """Check the corners or points of a shape that a reviewer drew.

    Raises:
        ImplausibleError: One is beyond the image by more than a tenth of a side.
    """
    _check_points(points, *size, field)


def _check_polygons(prediction: SegmentationPredictionFormat, width: int, height: int, name: str) -> None:
    for i, polygon in enumerate(prediction.detection_masks):
        if len(polygon) < POINTS_MIN:
            corners = "; the two corners of a box are none: write all four" if len(polygon) == 2 else ""
            raise ImplausibleError(
                f"{name}.detection_masks[{i}] has {len(polygon)} points, {shown(polygon)}, and a polygon has three or more{corners}. "
                f'Leave the shape out, as SegmentationPredictionFormat.from_polygons does; checks="off" sends it'
            )
        if is_flat(polygon):
            raise ImplausibleError(
                f"{name}.detection_masks[{i}] is a polygon without width or height, which is no object: {shown(polygon)}. Leave the shape out; "
                'checks="off" sends it'
            )
        _check_points(polygon, width, height, f"{name}.detection_masks[{i}]")


def _check_masks(prediction: MaskPredictionFormat, width: int, height: int, name: str) -> None:
    if prediction.image_size is not None:
        return  # checked when it was made
    for i, counts in enumerate(prediction.detection_masks):
        try:
            checked_text(counts, (width, height), f"{name}.detection_masks[{i}]")
        except ConfigurationError as error:
            raise ImplausibleError(f"{error}. It is COCO's compressed text over {height} x {width} pixels") from None
        if not has_pixels(counts):
            raise ImplausibleError(
                f"{name}.detection_masks[{i}] is a mask without a pixel, which is no object. Leave the shape out, as "
                'MaskPredictionFormat.from_rle does; checks="off" sends it'
            )


def _check_lines(prediction: LinePredictionFormat, width: int, height: int, name: str) -> None:
    for i, line in enumerate(prediction.lines):
        if len(line) < len(("start", "end")):
            raise ImplausibleError(
                f'{name}.lines[{i}] has {len(line)} points, {shown(line)}, and a line has two or more. Leave the shape out; checks="off" sends it'
            )
        _check_points(line, width, height, f"{name}.lines[{i}]")


def _check_single_points(prediction: PointPredictionFormat, width: int, height: int, name: str) -> None:
    _check_points(prediction.points, width, height, f"{name}.points")


def _check_skeletons(prediction: KeypointPredictionFormat, width: int, height: int, name: str) -> None:
    for i, skeleton in enumerate(prediction.keypoints):
        there = [point for point in skeleton if point[2]]
        if not there:
            raise ImplausibleError(
                f"{name}.keypoints[{i}] is a skeleton of which no point is there, which is no object. Leave the shape out, as "
                'KeypointPredictionFormat.from_keypoints does; checks="off" sends it'
            )
        _check_points(there, width, height, f"{name}.keypoints[{i}]", _CUT_PERSON)


def _check_once(prediction: PredictionFormat, _width: int, _height: int, name: str) -> None:
    classes = prediction.detection_classes
    if len(set(classes)) < len(classes):
        twice = next(one for one in classes if classes.count(one) > 1)
        raise ImplausibleError(
            f"{name}.detection_classes has {twice} {classes.count(twice)} times, and a classification has a class once, with its score: "
            "give the indexes of the classes, not a vector of 0 and 1"
        )


SHAPE_CHECKS: Final[dict[InferenceType, Callable[[Any, int, int, str], None]]] = {
    InferenceType.CLASSIFICATION: _check_once,
    InferenceType.OBJECT_DETECTION: _check_boxes,
    InferenceType.SEGMENTATION: _check_polygons,
    InferenceType.MASK: _check_masks,
    InferenceType.LINE: _check_lines,
    InferenceType.POINT: _check_single_points,
    InferenceType.KEYPOINT: _check_skeletons,
}
"""By type of the prediction; the others have nothing that an image or another class could contradict."""
