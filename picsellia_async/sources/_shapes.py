"""What COCO and YOLO files have in common: their class numbers, and shapes that become a prediction. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import attrs

from picsellia_async.predictions import DetectionPredictionFormat, PredictionFormat, SegmentationPredictionFormat
from picsellia_async.sources._errors import SourceError

ShapeKind: TypeAlias = Literal["detection", "segmentation"]
"""What the shapes become: boxes or polygons."""


@attrs.frozen
class Shape:
    """One object; exactly one of box and polygon is given."""

    label: int
    """Index into the label map of the model version."""
    score: float
    """Confidence."""
    box: tuple[float, float, float, float] | None = None
    """Top, left, bottom, right in pixels."""
    polygon: list[tuple[float, float]] | None = None
    """x, y in pixels."""


def prediction_from(shapes: Iterable[Shape], kind: ShapeKind) -> PredictionFormat:
    """Return the prediction; fractions of pixels are rounded by the format.

    Raises:
        ConfigurationError: A value is not finite.
    """
    found = list(shapes)
    labels, scores = [one.label for one in found], [one.score for one in found]
    if kind == "segmentation":
        return SegmentationPredictionFormat(labels, scores, [one.polygon for one in found])
    return DetectionPredictionFormat(labels, [one.box for one in found], scores)


def label_of(category: int, categories: Mapping[int, int] | None) -> int:
    """Return the index into the label map for a class number of the file.

    Raises:
        SourceError: There is a mapping, and it lacks the number.
    """
    if categories is None:
        return category
    if category not in categories:
        raise SourceError(f"categories has no entry for class {category}")
    return categories[category]


def polygon_from(flat: list[float]) -> list[tuple[float, float]]:
    """Return x, y pairs for `[x1, y1, x2, y2, ...]`.

    Raises:
        SourceError: These are not three points or more.
    """
    if len(flat) < 6 or len(flat) % 2:
        raise SourceError(f"a polygon needs x and y of 3 points or more, got {len(flat)} numbers")
    return list(zip(flat[::2], flat[1::2], strict=True))
