"""Shapes given as iterators: what the types allow, `zip(xs, ys)` for instance, is read as the lists that it stands for."""

from __future__ import annotations

import pytest

from picsellia_async import (
    DetectionPredictionFormat,
    ImplausibleError,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)

SIZE = (20, 20)
TRIANGLE = [(1, 1), (9, 1), (9, 9)]
WHOLE_SHARES = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]
ONE = {"classes": [0], "scores": [0.5]}

ITERATORS = {
    "zip": lambda points: zip(*zip(*points, strict=True), strict=True),
    "generator": lambda points: ((x, y) for x, y in points),
    "map of maps": lambda points: (map(float, point) for point in points),
    "list of maps": lambda points: [map(float, point) for point in points],
}

SHAPES = {
    "from_polygons": lambda shape: SegmentationPredictionFormat.from_polygons([shape], **ONE),
    "from_polygons, pieces": lambda shape: SegmentationPredictionFormat.from_polygons([iter([shape])], **ONE),
    "polygons": lambda shape: SegmentationPredictionFormat([0], [0.5], [shape]),
    "masks": lambda shape: MaskPredictionFormat.from_polygons([shape], **ONE, size=SIZE),
    "masks, mixed": lambda shape: MaskPredictionFormat.from_shapes([shape], **ONE, size=SIZE),
    "from_lines": lambda shape: LinePredictionFormat.from_lines([shape], **ONE),
    "lines": lambda shape: LinePredictionFormat([0], [0.5], [shape]),
    "from_points": lambda shape: PointPredictionFormat.from_points(shape, [0] * 3, [0.5] * 3),
    "points": lambda shape: PointPredictionFormat([0] * 3, [0.5] * 3, shape),
    "from_keypoints": lambda shape: KeypointPredictionFormat.from_keypoints([shape], **ONE),
}


@pytest.mark.parametrize("iterator", ITERATORS.values(), ids=ITERATORS)
@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
def test_iterators_are_read_as_lists(make, iterator):
    """They were taken for numbers, and the polygon for one alone."""
    assert make(iterator(TRIANGLE)) == make(TRIANGLE)


@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
def test_a_flat_shape_may_be_an_iterator(make):
    """As COCO's polygons are flat; what refuses a flat list refuses this in the same words."""

    def told(shape):
        try:
            return make(shape)
        except ValueError as error:
            return str(error)

    flat = [number for point in TRIANGLE for number in point]
    assert told(iter(flat)) == told(flat)


@pytest.mark.parametrize("iterator", ITERATORS.values(), ids=ITERATORS)
@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
def test_shares_in_iterators_are_refused(make, iterator):
    """A shape is looked at more than once, and an iterator is empty the second time: shares of whole sides were stored as pixels."""
    is_skeleton = make is SHAPES["from_keypoints"]  # only a fraction tells shares of these, in a list too
    with pytest.raises(ImplausibleError, match="looks like shares"):
        make(iterator([(0.1, 0.2), (0.9, 0.2), (0.9, 0.8)] if is_skeleton else WHOLE_SHARES))


def test_shares_in_boxes_of_iterators_are_refused():
    """By the constructor, and by those that take other orders."""
    for box in ((0.0, 0.0, 1.0, 1.0), (0.1, 0.2, 0.9, 0.8)):
        with pytest.raises(ImplausibleError, match="looks like shares"):
            DetectionPredictionFormat([0], [map(float, box)], [0.5])
        with pytest.raises(ImplausibleError, match="looks like shares"):
            DetectionPredictionFormat.from_xyxy([map(float, box)], [0], [0.5])
