"""Boxes in the order and unit that a model gives, and classes by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import ConfigurationError, DetectionPredictionFormat, ImplausibleError

WIDTH, HEIGHT = 1280, 720
LABELS = {"person": 0, "bicycle": 1, "car": 2, "truck": 3}

corners = (
    st.tuples(
        st.lists(st.integers(0, WIDTH), min_size=2, max_size=2, unique=True).map(sorted),
        st.lists(st.integers(0, HEIGHT), min_size=2, max_size=2, unique=True).map(sorted),
    )
    .map(lambda sides: (sides[0][0], sides[1][0], sides[0][1], sides[1][1]))
    .filter(lambda box: max(box) > 4)
)
"""x1, y1, x2, y2 of a box within the image; no tiny one in its corner, whose floats look like shares."""


def xyxy(x1, y1, x2, y2):
    return [x1, y1, x2, y2]


def xywh(x1, y1, x2, y2):
    return [x1, y1, x2 - x1, y2 - y1]


def cxcywh(x1, y1, x2, y2):
    return [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]


ORDERS = {"from_xyxy": xyxy, "from_xywh": xywh, "from_cxcywh": cxcywh}


@pytest.mark.parametrize(
    "container", [list, lambda v: np.array(v, dtype=np.float64).reshape(-1, 4)], ids=["list", "array"]
)
@pytest.mark.parametrize("shares", [False, True], ids=["pixels", "shares"])
@pytest.mark.parametrize("name", ORDERS)
@given(boxes=st.lists(corners, max_size=5))
def test_each_named_order_arrives_as_top_left_bottom_right(name, shares, container, boxes):
    """A box written in any named order, in pixels or shares, is the box that was meant."""
    written = [ORDERS[name](*box) for box in boxes]
    if shares:
        written = [[a / WIDTH, b / HEIGHT, c / WIDTH, d / HEIGHT] for a, b, c, d in written]
    make = getattr(DetectionPredictionFormat, name)
    prediction = make(
        container(written), [0] * len(boxes), [0.5] * len(boxes), normalized=(WIDTH, HEIGHT) if shares else None
    )
    assert prediction.detection_boxes == [[y1, x1, y2, x2] for x1, y1, x2, y2 in boxes]
    assert prediction.clipped == 0


def test_boxes_are_cut_to_the_image_and_counted():
    """With the size known, what overhangs is cut, and the prediction says how many were."""
    prediction = DetectionPredictionFormat.from_xyxy(
        [[-5, 10, 50, 730.4], [0, 0, 1280, 720], [1270, 700, 1290, 710]], [0, 0, 0], [0.5] * 3, clip=(WIDTH, HEIGHT)
    )
    assert prediction.detection_boxes == [[10, 0, 720, 50], [0, 0, 720, 1280], [700, 1270, 710, 1280]]
    assert prediction.clipped == 2
    beside = DetectionPredictionFormat.from_xyxy(
        [[1280.4, 10, 1281.3, 20], [-0.9, -0.8, -0.1, -0.2]], [0, 0], [0.5] * 2, clip=(WIDTH, HEIGHT)
    )
    assert (beside.detection_boxes, beside.clipped) == ([[10, 1280, 20, 1280], [0, 0, 0, 0]], 2)
    shares = DetectionPredictionFormat.from_cxcywh([[0.5, 0.5, 1.02, 0.5]], [0], [0.5], normalized=(WIDTH, HEIGHT))
    assert (shares.detection_boxes, shares.clipped) == ([[180, 0, 540, 1280]], 1)


def test_without_the_size_nothing_is_cut():
    """A detector's overhang is sent as it is."""
    prediction = DetectionPredictionFormat.from_xyxy([[-5, 10, 50, 60]], [0], [0.5])
    assert (prediction.detection_boxes, prediction.clipped) == ([[10, -5, 60, 50]], 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DetectionPredictionFormat.from_xyxy([[500, 300, 100, 80]], [0], [1]), "width is below 0.*from_xywh takes x, y, width, height"),
        (lambda: DetectionPredictionFormat.from_xyxy([[5, 300, 100, 80]], [0], [1]), r"boxes\[0\].*height is below 0"),
        (lambda: DetectionPredictionFormat.from_xywh([[5, 5, -1, 8]], [0], [1]), "width is below 0"),
        (lambda: DetectionPredictionFormat.from_xyxy([[10, 20, 110, 220]], [0], [1], normalized=(640, 480)), "no shares of the image.*leave normalized= out"),
        (lambda: DetectionPredictionFormat.from_xyxy([[705, 20, 710, 220]], [0], [1], clip=(640, 480)), "wholly beside the image of 640 x 480"),
        (lambda: DetectionPredictionFormat([0], [[0.1, 0.2, 0.5, 0.9]], [1]), r"shares of the image.*from_xyxy\(\.\.\., normalized=\(width, height\)\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(make, message):
    """The message says what the box looks like, and which constructor takes it."""
    with pytest.raises(ImplausibleError, match=message):
        make()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip": (640,)}, r"clip must be \(width, height\)"),
        ({"normalized": (0, 480)}, "normalized width must be at least 1"),
        ({"normalized": (640, 480), "clip": (480, 640)}, "two sizes of one image"),
        ({"clip": "640x480"}, "clip must be a list"),
    ],
)
def test_a_size_that_is_none_is_refused(options, message):
    """Width and height are checked before any box is."""
    with pytest.raises(ConfigurationError, match=message):
        DetectionPredictionFormat.from_xyxy([], [], [], **options)


def test_pixels_of_zero_and_one_are_pixels():
    """Whole numbers are no shares, however small."""
    assert DetectionPredictionFormat([0], [[0, 0, 1.0, 1]], [1]).detection_boxes == [[0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("classes", "options"),
    [
        ([2, 0], {}),
        (["car", "person"], {"label_map": LABELS}),
        ([7, 5], {"names": {5: "person", 7: "car"}, "label_map": LABELS}),
        ([1, 0], {"names": {"0": "person", "1": "car"}, "label_map": LABELS}),
        (np.array([1.0, 0.0]), {"names": ["person", "car"], "label_map": LABELS}),
        (None, {"names": ["car", "person"], "label_map": LABELS}),
        ([2, 0], {"label_map": LABELS}),
    ],
)
def test_classes_become_indexes_of_the_label_map(classes, options):
    """By index, by name, by the model's own index, or a name per shape."""
    prediction = DetectionPredictionFormat.from_xyxy([[1, 2, 3, 4]] * 2, classes, [0.5, 0.6], **options)
    assert prediction.detection_classes == [2, 0]


@pytest.mark.parametrize(
    ("classes", "options", "message"),
    [
        ([99], {"label_map": LABELS}, "Where these are the model's own numbers give names="),
        (["Car"], {"label_map": LABELS}, "no 'Car'; nearest: 'car'"),
        (["motorbike"], {"label_map": {**LABELS, "motorcycle": 4}}, "nearest: 'motorcycle'"),
        (
            ["car"],
            {},
            r"classes\[0\] is the name 'car', which needs the label map: label_map=await deployment\.label_map\(\)",
        ),
        ([0], {"names": ["car"]}, "names= needs the label map"),
        ([3], {"names": ["car"], "label_map": LABELS}, r"classes\[0\] is 3, which names= lacks"),
        ([99], {"label_map": LABELS}, "is 99, which is no index of the label map: it has 0 to 3"),
        (None, {"label_map": LABELS}, "without classes, names must be a list"),
        ([0], {"label_map": {"0": "person"}}, "label_map must be name to index, got index to name"),
        (["car"], {"label_map": {"car": "1"}}, r"label_map\['car'\] must be a whole number, got '1'"),
        ([0], {"label_map": ["person"]}, "label_map must be a mapping"),
        ([0], {"names": "person", "label_map": LABELS}, "names must be a list of names"),
        ([0, 1], {}, "one entry per class"),
    ],
)
def test_a_class_that_is_not_known_is_refused(classes, options, message):
    """The message names the nearest labels, or what is missing."""
    with pytest.raises(ConfigurationError, match=message):
        DetectionPredictionFormat.from_xyxy([[1, 2, 3, 4]], classes, [0.5], **options)


def test_names_where_indexes_belong_are_told_the_way():
    """The plain constructor takes indexes alone."""
    with pytest.raises(ConfigurationError, match=r"got the name 'car'.*label_map=await deployment\.label_map\(\)"):
        DetectionPredictionFormat(["car"], [[1, 2, 3, 4]], [0.5])
