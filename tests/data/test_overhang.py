"""Shapes that reach beyond the image: what a detector overhangs is cut, what another order looks like is refused before it is."""

from __future__ import annotations

import numpy as np
import pytest

from picsellia_async import (
    ConfigurationError,
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import from_coco

from ..support.images import jpeg

SIZE = (600, 400)
BOXES = DetectionPredictionFormat
ROWS = [[100, 250], [300, 250], [300, 550], [100, 550]]
"""A polygon of row, column within the image."""


def coco(*boxes):
    """Return the prediction of COCO results with these boxes."""
    found = [{"category_id": 1, "score": 0.9, "bbox": box} for box in boxes]
    return from_coco(found, categories={1: 0}, size=SIZE)


MISTAKES = {
    "center, given corner": (lambda: BOXES.from_cxcywh([[10, 20, 300, 200]], [0], [0.9], clip=SIZE), "mostly beside the image of 600 x 400.*from_xywh takes x, y, width, height"),
    "center, given corner, less": (lambda: BOXES.from_cxcywh([[60, 60, 260, 200]], [0], [0.9], clip=SIZE), "In another order all of them lie in the image: .*from_xywh takes"),
    "size, given corners": (lambda: BOXES.from_xywh([[300, 100, 390, 200], [10, 20, 50, 60]], [0] * 2, [0.9] * 2, clip=SIZE), "In another order all of them .*from_xyxy takes"),
    "center shares, given corners": (lambda: BOXES.from_cxcywh([[0.25, 0.25, 0.9, 0.9]], [0], [0.9], normalized=SIZE), "In another order all of them .*from_xyxy takes"),
    "boxes of an image twice as large": (lambda: BOXES.from_xyxy([[500, 300, 700, 500]], [0], [0.9], clip=SIZE), "mostly beside the image.*pixels of another image"),
    "most boxes far beyond": (lambda: BOXES.from_xyxy([[400, 300, 690, 380], [100, 100, 700, 300], [30, 10, 90, 80]], [0] * 3, [0.9] * 3, clip=SIZE), "So do 2 of 3: give the size of the image that the model saw"),
    "COCO boxes of corners": (lambda: coco([300, 100, 390, 200]), "In another order all of them .*from_xyxy takes"),
    "polygon of rows": (lambda: SegmentationPredictionFormat.from_polygons([ROWS], [0], [0.9], clip=SIZE), "these look like y, x"),
    "mask of rows": (lambda: MaskPredictionFormat.from_polygons([ROWS], [0], [0.9], size=SIZE), "these look like y, x"),
    "line of rows": (lambda: LinePredictionFormat.from_lines([[[10, 20], [390, 500]]], [0], [0.9], clip=SIZE), "these look like y, x"),
    "points of rows": (lambda: PointPredictionFormat.from_points([[390, 500], [10, 20]], [0] * 2, [0.9] * 2, clip=SIZE), "beside the image.*swap them"),
    "skeleton of rows": (lambda: KeypointPredictionFormat.from_keypoints([[[200, 500], [300, 550], [200, 560], [210, 300]]], [0], [0.9], clip=SIZE), "mostly beside the image.*swap them"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_cutting_hides_no_other_order(name):
    """What would lose much of itself, or fits in another order, is refused with that order."""
    if "mask" in name:
        pytest.importorskip("faster_coco_eval")
    make, message = MISTAKES[name]
    with pytest.raises(ImplausibleError, match=message):
        make()


@pytest.mark.parametrize("share", [0.0, 0.03, 0.099])
def test_the_overhang_of_a_detector_is_cut(share):
    """Up to a tenth of a side, at every side, whatever part of a small box that is."""
    width, height = SIZE
    x, y = share * width, share * height
    boxes = [
        [-x, 20, 100, 100],
        [500, 300, width + x, height + y],
        [20, -y, 100, 100],
        [-x, -y, 5, 5],
        [-x, -y, width + x, height + y],
    ]
    prediction = DetectionPredictionFormat.from_xyxy(boxes, [0] * 5, [0.9] * 5, clip=SIZE)
    assert prediction.detection_boxes == [
        [20, 0, 100, 100], [300, 500, 400, 600], [0, 20, 100, 100], [0, 0, 5, 5], [0, 0, 400, 600]
    ]  # fmt: skip
    assert prediction.clipped == (5 if share else 0)


def test_an_object_that_leaves_the_image_is_cut():
    """As trackers foresee it: more than half of it is seen, and no other order of the numbers fits."""
    prediction = DetectionPredictionFormat.from_xyxy(
        [[-100, 50, 150, 300], [10, 10, 20, 20]], [0] * 2, [0.9] * 2, clip=SIZE
    )
    assert (prediction.detection_boxes, prediction.clipped) == ([[50, 0, 300, 150], [10, 10, 20, 20]], 1)


def test_a_person_whom_the_border_cuts():
    """Joints a little beyond move to the edge; those farther out are not in the picture, and so "not there"."""
    skeleton = [[200, 100], [200, 200], [200, 430], [210, 480]]
    prediction = KeypointPredictionFormat.from_keypoints([skeleton], [0], [0.9], clip=SIZE)
    assert (prediction.keypoints, prediction.clipped) == ([[[200, 100, 2], [200, 200, 2], [200, 400, 2], [0, 0, 0]]], 1)
    whole = KeypointPredictionFormat.from_keypoints([skeleton], [0], [0.9])
    with pytest.raises(ImplausibleError, match=r"whom the border cuts: .*from_keypoints\(\.\.\., clip="):
        Frame(image=jpeg(*SIZE), filename="a.jpg", width=600, height=400, latency=0.1, prediction=whole)


@pytest.mark.parametrize("kind", [list, lambda found: np.array(found, np.float32)], ids=["list", "array"])
@pytest.mark.parametrize("confidences", [None, [[0.9, 0.3]]], ids=["two values", "with confidences"])
def test_a_joint_at_zero_is_not_there(kind, confidences):
    """Results of two values write so what was not found, ultralytics with the confidence beside it; a visibility is taken at its word."""
    make = KeypointPredictionFormat.from_keypoints
    assert make(kind([[[20, 10], [0, 0]]]), [0], [0.9], confidences=confidences).keypoints == [[[20, 10, 2], [0, 0, 0]]]
    assert make([[[20, 10, 0.9], [0, 0, 0.4]]], [0], [0.9]).keypoints == [[[20, 10, 2], [0, 0, 0]]]
    assert make([[[20, 10, 2], [0, 0, 2]]], [0], [0.9]).keypoints == [[[20, 10, 2], [0, 0, 2]]]
    assert make(kind([[[20, 10], [0, 5]]]), [0], [0.9]).keypoints == [[[20, 10, 2], [0, 5, 2]]]


@pytest.mark.parametrize(
    "make",
    [
        lambda: DetectionPredictionFormat([0], [[0.0, 0.0, 1.0, 1.0]], [0.9]),
        lambda: DetectionPredictionFormat([0], np.array([[0, 0, 1, 1]], np.float32), [0.9]),
        lambda: DetectionPredictionFormat.from_xyxy(np.array([[0.0, 0.0, 1.0, 1.0]]), [0], [0.9], clip=SIZE),
        lambda: DetectionPredictionFormat.from_xywh([[np.float32(0), np.float32(0), np.float32(1), np.float32(1)]], [0], [0.9]),
        lambda: SegmentationPredictionFormat.from_polygons([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]], [0], [0.9]),
        lambda: KeypointPredictionFormat.from_keypoints([[[0.0, 1.0], [1.0, 1.0], [0, 0]]], [0], [0.9]),
        lambda: KeypointPredictionFormat.from_keypoints(np.array([[[0, 1, 2], [1, 1, 2]]], np.float32), [0], [0.9], clip=SIZE),
        lambda: KeypointPredictionFormat.from_keypoints([np.array([0, 1, 2, 1, 1, 2], np.float32)], [0], [0.9]),
    ],
    ids=["list", "array", "cut", "scalars", "polygon", "skeleton", "array of joints", "flat joints"],
)  # fmt: skip
def test_floats_of_zero_and_one_are_shares(make):
    """A box of the whole image, as a model of shares gives it, is no box of a pixel; integers are, and zeros alone are no shares."""
    with pytest.raises(ImplausibleError, match="looks like shares of the image"):
        make()
    assert DetectionPredictionFormat.from_xyxy([[0, 0, 1, 1]], [0], [0.9]).detection_boxes == [[0, 0, 1, 1]]
    joints = KeypointPredictionFormat.from_keypoints([[[0, 1, 2], [1, 1, 2]]], [0], [0.9])
    assert joints.keypoints == [[[0, 1, 2], [1, 1, 2]]]
    with pytest.raises(ImplausibleError, match="has no width, and is no object"):
        DetectionPredictionFormat.from_xyxy(np.zeros((1, 4)), [0], [0.9])


def test_lines_as_opencv_writes_them():
    """`HoughLinesP` writes two points in a row of four; the angle and distance of `HoughLines` are no points."""
    lines = np.array([[[1, 2, 30, 40]], [[5, 6, 7, 8]]])
    assert LinePredictionFormat.from_lines(lines, [0, 0], [0.9, 0.8]).lines == [[[1, 2], [30, 40]], [[5, 6], [7, 8]]]
    with pytest.raises(ConfigurationError, match=r"lines\[0\] has one point, \[100, 2\].*rho and theta"):
        LinePredictionFormat.from_lines([[[100.0, 1.57]]], [0], [0.9])
    with pytest.raises(ConfigurationError, match=r"points must be a list of points, \[\[x, y\], \.\.\.\]"):
        PointPredictionFormat.from_points([390, 300], [0], [0.9])
