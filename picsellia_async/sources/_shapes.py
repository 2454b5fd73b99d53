"""What COCO and YOLO files have in common: shapes that become a prediction. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import attrs

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.predictions import (
    DetectionPredictionFormat,
    MaskPredictionFormat,
    PredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions.base import with_class_names
from picsellia_async.sources._class_names import ClassIndex
from picsellia_async.sources._errors import SourceError
from picsellia_async.validation import real_number

ShapeKind: TypeAlias = Literal["detection", "segmentation"]
"""What the shapes become: boxes or polygons."""

Point: TypeAlias = tuple[float, float]


@attrs.frozen
class Shape:
    """One object; exactly one of box, polygon and mask is given."""

    label: int
    """Index into the label map of the model version."""
    score: float
    """Confidence."""
    box: tuple[float, float, float, float] | None = None
    """Top, left, bottom, right in pixels."""
    polygon: list[Point] | None = None
    """x, y in pixels."""
    mask: str | None = None
    """Run lengths in COCO's text form."""


def prediction_from(shapes: Iterable[Shape], kind: str, classes: ClassIndex) -> PredictionFormat:
    """Return the prediction, which remembers the names of its classes; fractions of pixels are rounded by the format.

    Raises:
        ConfigurationError: A value is not finite.
    """
    found = list(shapes)
    return with_class_names(_prediction(found, kind), classes.names_of({one.label for one in found}))


def _prediction(shapes: list[Shape], kind: str) -> PredictionFormat:
    labels, scores = [one.label for one in shapes], [one.score for one in shapes]
    if kind == "segmentation":
        return SegmentationPredictionFormat(labels, scores, [one.polygon or [] for one in shapes])
    if kind == "mask":
        return MaskPredictionFormat(labels, scores, [one.mask or "" for one in shapes])
    return DetectionPredictionFormat(labels, [one.box or () for one in shapes], scores)


def checked_score(value: object, default: float | None) -> float:
    """Return the confidence of a shape.

    Args:
        value: What the file says; None where it says nothing.
        default: What the caller says of shapes without one.

    Raises:
        SourceError: There is neither, so that this may be ground truth; or the score is not within 0 to 1.
    """
    if value is None:
        if default is None:
            raise SourceError("no score, as in ground truth; if these are predictions all the same, give score=")
        return default
    score = real_number(value, "score")
    if not 0 <= score <= 1:
        raise SourceError(f"score must be 0 to 1, got {score:g}")
    return score


def checked_default_score(score: float | None) -> float | None:
    """Return what the caller says of shapes without a score.

    Raises:
        ConfigurationError: It is no number from 0 to 1.
    """
    if score is None:
        return None
    found = real_number(score, "score")
    if not 0 <= found <= 1:
        raise ConfigurationError(f"score must be 0 to 1, got {found:g}")
    return found


def polygon_from(flat: Sequence[float]) -> list[Point]:
    """Return x, y pairs for `[x1, y1, x2, y2, ...]`.

    Raises:
        SourceError: These are not three points or more, or lie on one upright or level line.
    """
    if len(flat) < 6 or len(flat) % 2:
        raise SourceError(f"a polygon needs x and y of 3 points or more, got {len(flat)} numbers")
    across, down = flat[::2], flat[1::2]
    if min(across) == max(across) or min(down) == max(down):
        raise SourceError(f"a polygon without width or height is no object, got {shown(list(flat))}")
    return list(zip(across, down, strict=True))
