"""The formats of classes, boxes, lines, points and skeletons."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self, TypeVar

import attrs

from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.predictions import _values
from picsellia_async.predictions._geometry import (
    Placement,
    Size,
    boxes_from,
    paths_from,
    whole_paths,
)
from picsellia_async.predictions._labels import Classes, LabelMap, Names, indexes
from picsellia_async.predictions._outlines import is_one_point
from picsellia_async.predictions._shares import points_way_out
from picsellia_async.predictions._skeletons import ThirdValues, skeletons_from
from picsellia_async.predictions._values import Numbers, Path, Shapes
from picsellia_async.predictions.base import PredictionFormat, SplitShapes, counted, with_label_map
from picsellia_async.validation import is_scalar

P = TypeVar("P", bound=PredictionFormat)


@attrs.frozen(repr=False)
class ClassificationPredictionFormat(PredictionFormat):
    """Classes of a whole image."""

    model_type: ClassVar[InferenceType] = InferenceType.CLASSIFICATION
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores",)

    detection_scores: list[float] = attrs.field(converter=_values.scores)
    """One per class: confidence, usually 0 to 1. Must be finite."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_values.optional_texts)
    """One per class (recognised text, for instance), or None."""

    @classmethod
    def from_classes(
        cls,
        classes: Classes,
        scores: Numbers,
        *,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for classes by name or index. Keywords: `PredictionFormat`."""
        return with_label_map(cls(indexes(classes, names, label_map), scores, texts), label_map)


@attrs.frozen(repr=False)
class DetectionPredictionFormat(PredictionFormat):
    """Rectangles."""

    model_type: ClassVar[InferenceType] = InferenceType.OBJECT_DETECTION
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_boxes", "detection_scores")

    detection_boxes: list[list[int]] = attrs.field(converter=_values.boxes)
    """One per shape: `[top, left, bottom, right]` in pixels. Fractions are rounded."""
    detection_scores: list[float] = attrs.field(converter=_values.scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_values.optional_texts)
    """One per shape (recognised text, for instance), or None."""

    @classmethod
    def from_xyxy(
        cls,
        boxes: Shapes,
        classes: Classes,
        scores: Numbers,
        *,
        normalized: Size | None = None,
        clip: Size | None = None,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for boxes of x1, y1, x2, y2: left, top, right, bottom (torchvision, supervision, ultralytics, Pascal VOC). Keywords: `PredictionFormat`.

        Raises:
            ImplausibleError: A side of 0 or below, shares that are none, or a box that is wholly or mostly beside the image.
        """
        place = Placement.of(normalized, clip)
        found = boxes_from(boxes, "xyxy", place)
        return _placed(cls(indexes(classes, names, label_map), found, scores, texts), place, label_map)

    @classmethod
    def from_xywh(
        cls,
        boxes: Shapes,
        classes: Classes,
        scores: Numbers,
        *,
        normalized: Size | None = None,
        clip: Size | None = None,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for boxes of x, y, width, height, from the top left corner (COCO). Keywords: `PredictionFormat`.

        Raises:
            ImplausibleError: A side of 0 or below, shares that are none, or a box that is wholly or mostly beside the image.
        """
        place = Placement.of(normalized, clip)
        found = boxes_from(boxes, "xywh", place)
        return _placed(cls(indexes(classes, names, label_map), found, scores, texts), place, label_map)

    @classmethod
    def from_cxcywh(
        cls,
        boxes: Shapes,
        classes: Classes,
        scores: Numbers,
        *,
        normalized: Size | None = None,
        clip: Size | None = None,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for boxes of center x, center y, width, height (YOLO, DETR). Keywords: `PredictionFormat`.

        Raises:
            ImplausibleError: A side of 0 or below, shares that are none, or a box that is wholly or mostly beside the image.
        """
        place = Placement.of(normalized, clip)
        found = boxes_from(boxes, "cxcywh", place)
        return _placed(cls(indexes(classes, names, label_map), found, scores, texts), place, label_map)


@attrs.frozen(repr=False)
class LinePredictionFormat(PredictionFormat):
    """Open lines."""

    model_type: ClassVar[InferenceType] = InferenceType.LINE
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "lines")

    detection_scores: list[float] = attrs.field(converter=_values.scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    lines: list[list[list[int]]] = attrs.field(converter=_values.lines)
    """One line per shape, `[[x, y], ...]` in pixels."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_values.optional_texts)
    """One per shape (recognised text, for instance), or None."""

    @classmethod
    def from_lines(
        cls,
        lines: Iterable[Path],
        classes: Classes,
        scores: Numbers,
        *,
        normalized: Size | None = None,
        clip: Size | None = None,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for lines of x, y points, without those of no point. Keywords: `PredictionFormat`.

        Raises:
            ConfigurationError: A line of one point.
            ImplausibleError: A line whose points are all the same, shares that are none, or a line that is wholly or mostly beside the image.
        """
        place = Placement.of(normalized, clip)
        given = _values.listed(lines, "lines")
        found = whole_paths(paths_from(given, "lines", place))
        for i, line in enumerate(found):
            if len(line) == 1:
                raise ConfigurationError(
                    f"lines[{i}] has one point, {line[0]}, and a line has two or more (rho and theta of HoughLines are no points)"
                )
            if line and is_one_point(line) and is_one_point(_values.pairs(given[i], "lines")):
                raise ImplausibleError(
                    f"lines[{i}] has one point {len(line)} times, {line[0]}, and is no line. Leave it out, with its class and score; "
                    "PointPredictionFormat has points"
                )
        place.refuse_shares(
            "lines", points_way_out("use LinePredictionFormat.from_lines(..., normalized=(width, height))")
        )
        place.refuse_far_paths()
        split = SplitShapes.of([[one] if one else [] for one in found], classes, scores, texts, names, label_map)
        return split.prediction(cls, place.bounds, place.clipped, place.doubt)


@attrs.frozen(repr=False)
class PointPredictionFormat(PredictionFormat):
    """Single points."""

    model_type: ClassVar[InferenceType] = InferenceType.POINT
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "points")

    detection_scores: list[float] = attrs.field(converter=_values.scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    points: list[list[int]] = attrs.field(converter=_values.points)
    """One `[x, y]` per shape, in pixels."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_values.optional_texts)
    """One per shape (recognised text, for instance), or None."""

    @classmethod
    def from_points(
        cls,
        points: Shapes,
        classes: Classes,
        scores: Numbers,
        *,
        normalized: Size | None = None,
        clip: Size | None = None,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for points of x, y. Keywords: `PredictionFormat`.

        Raises:
            ImplausibleError: Shares that are none, or a point that is beside the image by more than a tenth of a side.
        """
        place = Placement.of(normalized, clip)
        given = _values.listed(points, "points")
        if given and is_scalar(given[0]):
            raise ConfigurationError(f"points must be a list of points, [[x, y], ...], got {shown(given)}")
        paths = paths_from([[one] for one in given], "points", place)
        found = [path[0] for path in whole_paths(paths)]
        place.refuse_shares(
            "points", points_way_out("use PointPredictionFormat.from_points(..., normalized=(width, height))")
        )
        place.refuse_far_paths()
        return _placed(cls(indexes(classes, names, label_map), scores, found, texts), place, label_map)


@attrs.frozen(repr=False)
class KeypointPredictionFormat(PredictionFormat):
    """Skeletons."""

    model_type: ClassVar[InferenceType] = InferenceType.KEYPOINT
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "keypoints")

    detection_scores: list[float] = attrs.field(converter=_values.scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    keypoints: list[list[list[int]]] = attrs.field(converter=_values.keypoints)
    """One skeleton per shape: `[[x, y, visibility], ...]`, pixels for x and y."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_values.optional_texts)
    """One per shape (recognised text, for instance), or None."""

    @classmethod
    def from_keypoints(
        cls,
        keypoints: Iterable[Shapes | Numbers],
        classes: Classes,
        scores: Numbers,
        *,
        confidences: Shapes | None = None,
        third_values: ThirdValues | None = None,
        normalized: Size | None = None,
        clip: Size | None = None,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for skeletons of two or three values per point. Keywords: `PredictionFormat`.

        Args:
            keypoints: Per shape, points of x, y (seen), or of x, y and a third value. Or COCO's flat list of x, y, visibility in turn.
                A shape of whose points none is there is left out.
                A point that was not found is "not there": at exactly 0, 0 with no visibility of its own (ultralytics), at -1, -1
                (OpenPose), NaN twice (mmpose, DeepLabCut), and, where x and y are all that is known, with both below 0.
            classes: One per shape.
            scores: One per shape.
            confidences: Per shape, one confidence per point. 0 becomes "not there", below 0.5 "hidden", the others "seen".
            third_values: What the third values are: "visibility", COCO's 0 (not there), 1 (hidden) or 2 (seen), or "confidence", read as
                `confidences` are. By default a 2 among whole numbers tells visibilities, and a fraction confidences; 0 and 1 alone fit
                both, and are refused, except in COCO's flat list.
            normalized: See `PredictionFormat`.
            clip: See `PredictionFormat`. Points beyond the image by up to a tenth of a side move to its edge; those farther out, of
                a person whom the border cuts, are "not there".
            names: See `PredictionFormat`.
            label_map: See `PredictionFormat`.
            texts: See `PredictionFormat`.

        Raises:
            ConfigurationError: Third values of 0 and 1 alone, and `third_values` does not say what they are.
            ImplausibleError: Shares that are none, or a skeleton that is wholly or mostly beside the image.
        """
        place = Placement.of(normalized, clip)
        found = skeletons_from(keypoints, confidences, third_values, place)
        kept = [[one] if any(visibility for _, _, visibility in one) else [] for one in found]
        split = SplitShapes.of(kept, classes, scores, texts, names, label_map)
        return split.prediction(cls, place.bounds, place.clipped, place.doubt)


def _placed(prediction: P, place: Placement, label_map: LabelMap | None) -> P:
    """Return the prediction, with a note of what its placement did."""
    return counted(prediction, place.bounds, place.clipped, label_map=label_map, doubt=place.doubt)
