"""What a model predicted: seven formats, one per deployment type. Validated when made; no I/O, no wire.

Numbers may be Python's or numpy's, lists may be tuples or arrays. One rule for coordinates that are no whole pixels: they are
rounded to the nearest one (halves to the even one), since models predict in fractions and the platform stores pixels.
Class indexes with a fraction are refused. Scores must be finite numbers. The vendor's own prediction objects are
accepted wherever one of ours is (`as_prediction`).
"""

from __future__ import annotations

import math
import reprlib
from typing import Any, ClassVar, Final

import attrs

from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.validation import real_number, sequence, text, texts, whole_number

_REPR: Final = reprlib.Repr()
"""Shows six entries of a list and 30 characters of a text."""


def _are(values: Any, kind: type) -> bool:
    """Whether a list holds nothing but that very type: the usual case, for which no path needs to be spelled."""
    return type(values) is list and set(map(type, values)) <= {kind}


def _classes(value: Any) -> list[int]:
    if _are(value, int):
        return list(value)
    return [whole_number(v, f"detection_classes[{i}]") for i, v in enumerate(sequence(value, "detection_classes"))]


def _scores(value: Any) -> list[float]:
    if _are(value, float) and all(map(math.isfinite, value)):
        return list(value)
    return [real_number(v, f"detection_scores[{i}]") for i, v in enumerate(sequence(value, "detection_scores"))]


def _texts(value: Any) -> list[str] | None:
    return None if value is None else texts(value, "detection_texts")


def _pixels(value: Any, name: str, index: int, count: int, what: str) -> list[int]:
    """Return the `count` whole pixels of the entry `index` of a field."""
    if _are(value, int) and len(value) == count:
        return list(value)
    name = f"{name}[{index}]"
    values = sequence(value, name)
    if len(values) != count:
        raise ConfigurationError(f"{name} must have {count} values ({what}), got {len(values)}: {shown(value)}")
    return [whole_number(v, f"{name}[{i}]", rounded=True) for i, v in enumerate(values)]


def _boxes(value: Any) -> list[list[int]]:
    name = "detection_boxes"
    return [_pixels(v, name, i, 4, "top, left, bottom, right") for i, v in enumerate(sequence(value, name))]


def _path(value: Any, name: str) -> list[list[int]]:
    """Return `[[x, y], ...]` for such a list, for a flat `[x1, y1, ...]`, or for an OpenCV contour `[[[x, y]], ...]`."""
    values = sequence(value, name)
    if not values:
        return []
    if not hasattr(values[0], "__len__"):
        if len(values) % 2:
            raise ConfigurationError(
                f"{name} is flat (x1, y1, x2, y2, ...) and must have an even length, got {len(values)}"
            )
        values = [values[i : i + 2] for i in range(0, len(values), 2)]
    points = []
    for i, point in enumerate(values):
        pair = point[0] if _is_wrapped(point) else point
        points.append(_pixels(pair, name, i, 2, "x, y"))
    return points


def _is_wrapped(point: Any) -> bool:
    return isinstance(point, (list, tuple)) and len(point) == 1 and hasattr(point[0], "__len__")


def _polygons(value: Any) -> list[list[list[int]]]:
    return [_path(v, f"detection_masks[{i}]") for i, v in enumerate(sequence(value, "detection_masks"))]


def _lines(value: Any) -> list[list[list[int]]]:
    return [_path(v, f"lines[{i}]") for i, v in enumerate(sequence(value, "lines"))]


def _points(value: Any) -> list[list[int]]:
    return [_pixels(v, "points", i, 2, "x, y") for i, v in enumerate(sequence(value, "points"))]


def _keypoints(value: Any) -> list[list[list[int]]]:
    return [
        [
            _pixels(v, f"keypoints[{i}]", j, 3, "x, y, visibility")
            for j, v in enumerate(sequence(one, f"keypoints[{i}]"))
        ]
        for i, one in enumerate(sequence(value, "keypoints"))
    ]


def _mask_strings(value: Any) -> list[str]:
    return [text(v, f"detection_masks[{i}]", empty=True) for i, v in enumerate(sequence(value, "detection_masks"))]


@attrs.frozen(repr=False)
class PredictionFormat:
    """What all formats share; use one of the subclasses.

    Raises:
        ConfigurationError: Lists of different lengths, or a value of the wrong kind; the message names field, index and value.
    """

    model_type: ClassVar[InferenceType]
    """Type of the deployments that take this format."""
    shape_fields: ClassVar[tuple[str, ...]]
    """Fields with one entry per shape, beside `detection_classes`; in the order in which the wire carries them."""

    detection_classes: list[int] = attrs.field(converter=_classes)
    """One per shape: index into the label map of the model version."""

    def __repr__(self) -> str:
        """Return the class and its fields, long ones cut: there may be a hundred thousand boxes."""
        shown_fields = (f"{field.name}={_REPR.repr(getattr(self, field.name))}" for field in attrs.fields(type(self)))
        return f"{type(self).__name__}({', '.join(shown_fields)})"

    def __attrs_post_init__(self) -> None:
        """Refuse lists of different lengths."""
        count = len(self.detection_classes)
        for name in self.shape_fields:
            found = len(getattr(self, name))
            if found != count:
                raise ConfigurationError(
                    f"{name} must have one entry per class: got {found} for {count} entries in detection_classes"
                )
        found_texts = getattr(self, "detection_texts", None)
        if found_texts and len(found_texts) != count:
            raise ConfigurationError(
                f"detection_texts must be empty or have one entry per class: got {len(found_texts)} for {count}"
            )


@attrs.frozen(repr=False)
class ClassificationPredictionFormat(PredictionFormat):
    """Classes of a whole image."""

    model_type: ClassVar[InferenceType] = InferenceType.CLASSIFICATION
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores",)

    detection_scores: list[float] = attrs.field(converter=_scores)
    """One per class: confidence, usually 0 to 1. Must be finite."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_texts)
    """One per class (recognised text, for instance), or None."""


@attrs.frozen(repr=False)
class DetectionPredictionFormat(PredictionFormat):
    """Rectangles."""

    model_type: ClassVar[InferenceType] = InferenceType.OBJECT_DETECTION
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_boxes", "detection_scores")

    detection_boxes: list[list[int]] = attrs.field(converter=_boxes)
    """One per shape: `[top, left, bottom, right]` in pixels. Fractions are rounded."""
    detection_scores: list[float] = attrs.field(converter=_scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_texts)
    """One per shape (recognised text, for instance), or None."""


@attrs.frozen(repr=False)
class SegmentationPredictionFormat(PredictionFormat):
    """Polygons."""

    model_type: ClassVar[InferenceType] = InferenceType.SEGMENTATION
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "detection_masks")

    detection_scores: list[float] = attrs.field(converter=_scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    detection_masks: list[list[list[int]]] = attrs.field(converter=_polygons)
    """One polygon per shape, `[[x, y], ...]` in pixels; the flat `[x1, y1, ...]` and OpenCV contours are accepted."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_texts)
    """One per shape (recognised text, for instance), or None."""
    detection_boxes: list[list[int]] | None = attrs.field(default=None, converter=attrs.converters.optional(_boxes))
    """Accepted for code written for older versions of the service; never sent (docs/wire.md#prediction-formats)."""


@attrs.frozen(repr=False)
class LinePredictionFormat(PredictionFormat):
    """Open lines."""

    model_type: ClassVar[InferenceType] = InferenceType.LINE
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "lines")

    detection_scores: list[float] = attrs.field(converter=_scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    lines: list[list[list[int]]] = attrs.field(converter=_lines)
    """One line per shape, `[[x, y], ...]` in pixels."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_texts)
    """One per shape (recognised text, for instance), or None."""


@attrs.frozen(repr=False)
class PointPredictionFormat(PredictionFormat):
    """Single points."""

    model_type: ClassVar[InferenceType] = InferenceType.POINT
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "points")

    detection_scores: list[float] = attrs.field(converter=_scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    points: list[list[int]] = attrs.field(converter=_points)
    """One `[x, y]` per shape, in pixels."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_texts)
    """One per shape (recognised text, for instance), or None."""


@attrs.frozen(repr=False)
class KeypointPredictionFormat(PredictionFormat):
    """Skeletons."""

    model_type: ClassVar[InferenceType] = InferenceType.KEYPOINT
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "keypoints")

    detection_scores: list[float] = attrs.field(converter=_scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    keypoints: list[list[list[int]]] = attrs.field(converter=_keypoints)
    """One skeleton per shape: `[[x, y, visibility], ...]`, pixels for x and y."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_texts)
    """One per shape (recognised text, for instance), or None."""


@attrs.frozen(repr=False)
class MaskPredictionFormat(PredictionFormat):
    """Pixel masks."""

    model_type: ClassVar[InferenceType] = InferenceType.MASK
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "detection_masks")

    detection_scores: list[float] = attrs.field(converter=_scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    detection_masks: list[str] = attrs.field(converter=_mask_strings)
    """One per shape: COCO compressed-RLE `counts` over height x width of the image, as the platform's datasets use it."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_texts)
    """One per shape (recognised text, for instance), or None."""


PREDICTION_FORMATS: Final[dict[InferenceType, type[PredictionFormat]]] = {
    format_.model_type: format_
    for format_ in (
        ClassificationPredictionFormat,
        DetectionPredictionFormat,
        SegmentationPredictionFormat,
        LinePredictionFormat,
        PointPredictionFormat,
        KeypointPredictionFormat,
        MaskPredictionFormat,
    )
}
"""Format of each deployment type; NOT_CONFIGURED and MULTI have none and cannot be monitored."""


def as_prediction(value: Any, name: str = "prediction") -> PredictionFormat:
    """Return the prediction; read the vendor's pydantic objects by their fields, without importing pydantic.

    Raises:
        ConfigurationError: The value is no prediction format.
    """
    if isinstance(value, PredictionFormat):
        return value
    kind = getattr(value, "model_type", None)
    if kind is not None and not isinstance(value, type):
        format_ = PREDICTION_FORMATS[InferenceType.of(kind)]
        fields = ("detection_classes", *format_.shape_fields, "detection_texts")
        return format_(**{field: getattr(value, field) for field in fields})
    raise ConfigurationError(
        f"{name} must be a prediction format such as DetectionPredictionFormat, got {shown(value)}"
    )


def check_prediction_type(prediction: PredictionFormat, type_: InferenceType, name: str = "prediction") -> None:
    """Refuse a prediction that the deployment cannot take.

    Raises:
        ConfigurationError: The format does not belong to the deployment's type.
    """
    if prediction.model_type is not type_:
        raise ConfigurationError(
            f"{name} is for {prediction.model_type} deployments, but this deployment's type is {type_}"
        )
