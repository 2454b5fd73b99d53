"""Shapes given with y first beside `clip=`: refused before cutting hides it, while a detector's overhang stays right data."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import (
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import from_coco, from_supervision, from_torchvision

from ..support.images import jpeg

SIZE = (810, 1080)
"""Higher than wide, as a telephone's picture."""
RIGHT = [[48, 398, 245, 903], [669, 392, 810, 877], [221, 405, 345, 858]]
"""Three people, x1, y1, x2, y2."""
ROWS = [[y1, x1, y2, x2] for x1, y1, x2, y2 in RIGHT]
OVERHANGING = [[y1, x1 - 2.5, y2, x2 + 1.5] for x1, y1, x2, y2 in RIGHT]
"""As a detector gives them that does not cut its boxes."""
ONES, SCORES = [0] * 3, [0.9] * 3
BOXES = DetectionPredictionFormat


def rows_of_sizes(boxes):
    """Return y, x, height, width."""
    return [[y1, x1, y2 - y1, x2 - x1] for y1, x1, y2, x2 in boxes]


def rows_of_centers(boxes):
    """Return center y, center x, height, width."""
    return [[(y1 + y2) / 2, (x1 + x2) / 2, y2 - y1, x2 - x1] for y1, x1, y2, x2 in boxes]


def coco(boxes):
    """Return the prediction of COCO results with these boxes."""
    found = [{"category_id": 1, "score": 0.9, "bbox": box} for box in boxes]
    return from_coco(found, categories={1: 0}, size=SIZE)


def supervision(boxes):
    """Return the prediction of what looks like supervision's detections."""
    found = SimpleNamespace(
        xyxy=np.array(boxes, float), class_id=np.zeros(3, int), confidence=np.full(3, 0.9), mask=None, data={}
    )
    return from_supervision(found, clip=SIZE)  # fmt: skip


def torchvision(boxes):
    """Return the prediction of what looks like torchvision's output."""
    return from_torchvision({"boxes": boxes, "labels": [1] * 3, "scores": SCORES}, first_label=1, clip=SIZE)


ITSELF = r"the constructor itself takes y1, x1, y2, x2 \(top, left, bottom, right\)"
GIVEN = {
    "xyxy": (lambda boxes: BOXES.from_xyxy(boxes, ONES, SCORES, clip=SIZE), ITSELF),
    "xywh": (lambda boxes: BOXES.from_xywh(rows_of_sizes(boxes), ONES, SCORES, clip=SIZE), "as y, x, height, width, to be given with x"),
    "cxcywh": (lambda boxes: BOXES.from_cxcywh(rows_of_centers(boxes), ONES, SCORES, clip=SIZE), "as center y, center x, height, width"),
    "COCO": (lambda boxes: coco(rows_of_sizes(boxes)), "as y, x, height, width, to be given with x"),
    "supervision": (supervision, ITSELF),
    "torchvision": (torchvision, ITSELF),
}  # fmt: skip


@pytest.mark.parametrize("boxes", [ROWS, OVERHANGING], ids=["within", "overhanging"])
@pytest.mark.parametrize("name", GIVEN)
def test_boxes_with_y_first_are_not_cut(name, boxes):
    """Every way in that cuts names the order: cut, they were stored as other boxes."""
    make, message = GIVEN[name]
    with pytest.raises(ImplausibleError, match=f"In another order all of them lie in the image: .*{message}"):
        make(boxes)


OUTLINE = [[398, 48], [903, 48], [905, 146], [903, 245], [398, 245], [390, -1.5]]
"""A polygon of y, x that overhangs the image there."""
PATHS = {
    "polygon": lambda: SegmentationPredictionFormat.from_polygons([OUTLINE], [0], [0.9], clip=SIZE),
    "mask": lambda: MaskPredictionFormat.from_polygons([OUTLINE], [0], [0.9], size=SIZE),
    "line": lambda: LinePredictionFormat.from_lines([OUTLINE], [0], [0.9], clip=SIZE),
    "line of few": lambda: LinePredictionFormat.from_lines([[[420, -0.5], [901, 200]]], [0], [0.9], clip=SIZE),
}


@pytest.mark.parametrize("name", PATHS)
def test_paths_with_y_first_that_overhang_are_not_cut(name):
    """As of boxes: a pixel beyond the image made them taken for right ones."""
    if name == "mask":
        pytest.importorskip("faster_coco_eval")
    with pytest.raises(ImplausibleError, match="points are x, y, and these look like y, x"):
        PATHS[name]()


def boxes_of(size, far):
    """Return a strategy of right boxes that overhang the image by up to that share of its sides."""
    width, height = size

    def box(numbers):
        x, y, wide, high = numbers
        x1, y1 = x * width, y * height
        return [x1, y1, min(x1 + wide * width, width * (1 + far)), min(y1 + high * height, height * (1 + far))]

    place, side = st.floats(-far, 0.9), st.floats(0.12 + far, 1)
    return st.lists(st.tuples(place, place, side, side).map(box), min_size=1, max_size=5)


@given(st.data(), st.integers(50, 3000), st.integers(50, 3000))
def test_the_overhang_of_a_detector_is_no_other_order(data, width, height):
    """Right boxes, polygons and lines that overhang by less than a tenth are cut, whatever the sides of the image."""
    boxes = data.draw(boxes_of((width, height), 0.099))
    classes, scores, size = [0] * len(boxes), [0.9] * len(boxes), (width, height)
    expected = [
        [round(max(y1, 0)), round(max(x1, 0)), round(min(y2, height)), round(min(x2, width))] for x1, y1, x2, y2 in boxes
    ]  # fmt: skip
    sizes = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes]
    assert BOXES.from_xyxy(boxes, classes, scores, clip=size).detection_boxes == expected
    found = BOXES.from_xywh(sizes, classes, scores, clip=size).detection_boxes
    assert np.abs(np.array(found) - expected).max() <= 1  # a sum is rounded otherwise
    corners = [[[x1, y1], [x2, y1], [x2, y2], [x1, y2]] for x1, y1, x2, y2 in boxes]
    assert len(SegmentationPredictionFormat.from_polygons(corners, classes, scores, clip=size).detection_masks) == len(
        boxes
    )
    assert len(LinePredictionFormat.from_lines(corners, classes, scores, clip=size).lines) == len(boxes)
    ends = [[x2, y2] for _, _, x2, y2 in boxes]
    assert len(PointPredictionFormat.from_points(ends, classes, scores, clip=size).points) == len(boxes)


@pytest.mark.parametrize("size", [(810, 1080), (1080, 810), (900, 900)])
def test_what_leaves_the_image_at_the_left_is_no_other_order(size):
    """A tracker's box beyond the left edge by more than a tenth of the width lies beyond the upper one by less of a higher image."""
    boxes = [[-0.105 * size[0], 200, 300, 500], [400, 300, 600, 700]]
    assert BOXES.from_xyxy(boxes, [0, 0], [0.9, 0.8], clip=size).clipped == 1


def test_one_box_that_alone_leaves_the_image_is_sent_and_told():
    """It would fit as y, x, and a tracker's box that leaves the image looks alike: nothing right is refused."""
    leaving, within = [1000, 100, 1500, 300], [100, 200, 300, 400]
    found = BOXES.from_xyxy([leaving, within], [0, 0], [0.9, 0.8], clip=(1280, 1600))
    assert found.detection_boxes == [[100, 1000, 300, 1280], [200, 100, 400, 300]]
    assert found.doubt is not None
    assert (
        "boxes[0] is 1000, 100, 1500, 300 (x1, y1, x2, y2), which reaches beyond the image of 1280 x 1600"
        in found.doubt
    )
    also = [1100, 500, 1300, 700]
    with pytest.raises(ImplausibleError, match=ITSELF):
        BOXES.from_xyxy([leaving, also], [0, 0], [0.9, 0.8], clip=(1280, 1600))


def test_boxes_with_y_first_are_told_without_clip_too():
    """The advice names no constructor that was called already, without saying what was given to it."""
    prediction = BOXES.from_xyxy(ROWS, ONES, SCORES)
    with pytest.raises(
        ImplausibleError,
        match=r"Where a constructor such as from_xyxy made it, that was given y first: DetectionPredictionFormat\(\.\.\.\) itself takes y1, x1",
    ):
        Frame(image=jpeg(*SIZE), filename="a.jpg", width=810, height=1080, latency=0.1, prediction=prediction)
    given = BOXES(ONES, ROWS, SCORES)
    assert given.detection_boxes == ROWS
    Frame(image=jpeg(*SIZE), filename="a.jpg", width=810, height=1080, latency=0.1, prediction=given)
