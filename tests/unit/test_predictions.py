"""Seven formats: what they accept, what they refuse, and how the message says it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._wire.oracle_requests import raw_predictions
from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions import (
    PREDICTION_FORMATS,
    ClassificationPredictionFormat,
    DetectionPredictionFormat,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
    as_prediction,
    check_prediction_type,
)

EXAMPLES = {
    InferenceType.CLASSIFICATION: ClassificationPredictionFormat([1, 2], [0.9, 0.5]),
    InferenceType.OBJECT_DETECTION: DetectionPredictionFormat([1], [[1, 2, 3, 4]], [0.9]),
    InferenceType.SEGMENTATION: SegmentationPredictionFormat([1], [0.9], [[[1, 2], [3, 4], [5, 6]]]),
    InferenceType.LINE: LinePredictionFormat([1], [0.9], [[[1, 2], [3, 4]]]),
    InferenceType.POINT: PointPredictionFormat([1], [0.9], [[1, 2]]),
    InferenceType.KEYPOINT: KeypointPredictionFormat([1], [0.9], [[[1, 2, 2], [3, 4, 1]]]),
    InferenceType.MASK: MaskPredictionFormat([1], [0.9], ["PPYo0"]),
}


@pytest.mark.parametrize("type_", EXAMPLES, ids=str)
def test_a_format_names_its_type(type_):
    """Each of the seven types has exactly one format."""
    assert set(EXAMPLES) == set(PREDICTION_FORMATS)
    assert EXAMPLES[type_].model_type is type_
    check_prediction_type(EXAMPLES[type_], type_)


@pytest.mark.parametrize(
    ("type_", "keys"),
    [
        (InferenceType.CLASSIFICATION, ["detection_scores"]),
        (InferenceType.OBJECT_DETECTION, ["detection_boxes", "detection_scores"]),
        (InferenceType.SEGMENTATION, ["detection_scores", "detection_masks"]),
        (InferenceType.LINE, ["detection_scores", "lines"]),
        (InferenceType.POINT, ["detection_scores", "points"]),
        (InferenceType.KEYPOINT, ["detection_scores", "keypoints"]),
        (InferenceType.MASK, ["detection_scores", "detection_masks"]),
    ],
    ids=str,
)
def test_the_wire_order_of_each_format(type_, keys):
    """docs/wire.md#prediction-formats: classes, texts (null when not given), then the format's own keys in its order."""
    wire = raw_predictions(EXAMPLES[type_])
    assert list(wire) == ["detection_classes", "detection_texts", *keys]
    assert wire["detection_texts"] is None


def test_numpy_means_the_same_numbers():
    """Arrays and scalars become plain lists and numbers."""
    prediction = DetectionPredictionFormat(
        np.array([1, 2], dtype=np.int64),
        np.array([[1, 2, 3, 4], [5.4, 6, 7.6, 8]], dtype=np.float32),
        [np.float32(0.5), np.int8(1)],
    )
    assert prediction == DetectionPredictionFormat([1, 2], [[1, 2, 3, 4], [5, 6, 8, 8]], [0.5, 1.0])
    assert {type(v) for box in prediction.detection_boxes for v in box} == {int}
    assert {type(v) for v in prediction.detection_scores} == {float}


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.uint64])
def test_numbers_of_every_kind(kind):
    """Scalars, lists and arrays of any float or whole type are the numbers that they print."""
    expected = DetectionPredictionFormat([1], [[1, 2, 30, 40]], [1.0])
    box = np.array([[1, 2, 30, 40]], dtype=kind)
    assert DetectionPredictionFormat(np.array([1], kind), box, [kind(1)]) == expected
    assert DetectionPredictionFormat([kind(1)], [list(box[0])], np.array([1], kind)) == expected


@pytest.mark.parametrize(("score", "found"), [(1 + 2**-10, 1.0), (np.float32(1.0000001), 1.0), (-1e-9, 0.0), (1, 1.0)])
def test_a_score_beyond_one_by_rounding_is_one(score, found):
    """What arithmetic in half precision adds is taken off; what is more is left for the checks of meaning."""
    assert ClassificationPredictionFormat([0], [score]).detection_scores == [found]
    assert ClassificationPredictionFormat([0], [1.01]).detection_scores == [1.01]


def test_coordinates_are_rounded_to_whole_pixels():
    """The documented rule: nearest pixel, halves to the even one."""
    assert PointPredictionFormat([0], [1], [[1.5, 2.5]]).points == [[2, 2]]


def test_masks_in_every_spelling():
    """Pairs, the flat form of the older reference, and OpenCV contours are one polygon."""
    pairs = SegmentationPredictionFormat([1], [1], [[[1, 2], [3, 4], [5, 6]]])
    assert SegmentationPredictionFormat([1], [1], [[1, 2, 3, 4, 5, 6]]) == pairs
    assert SegmentationPredictionFormat([1], [1], [np.array([[[1, 2]], [[3, 4]], [[5, 6]]])]) == pairs
    assert SegmentationPredictionFormat([1], [1], [np.array([1, 2, 3, 4, 5, 6])]) == pairs


def test_empty_is_a_prediction_too():
    """An image with nothing in it is valid, and so are empty texts with shapes."""
    assert DetectionPredictionFormat([], [], []).detection_boxes == []
    assert DetectionPredictionFormat([1], [[1, 2, 3, 4]], [1], []).detection_texts == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DetectionPredictionFormat([1], [], [1.0]), r"detection_boxes .* got 0 for 1"),
        (lambda: DetectionPredictionFormat([1], [[1, 2, 3, 4]], []), r"detection_scores .* got 0 for 1"),
        (lambda: DetectionPredictionFormat([1, 2], [[1, 2, 3, 4]] * 2, [1, "x"]), r"detection_scores\[1\].*'x'"),
        (lambda: DetectionPredictionFormat([1], [[1, 2, 3]], [1]), r"detection_boxes\[0\] must have 4 values.*got 3"),
        (lambda: DetectionPredictionFormat([1], [[1, 2, None, 4]], [1]), r"detection_boxes\[0\]\[2\].*None"),
        (lambda: DetectionPredictionFormat([1], [[1, 2, float("nan"), 4]], [1]), r"detection_boxes\[0\]\[2\].*nan"),
        (lambda: DetectionPredictionFormat([1.5], [[1, 2, 3, 4]], [1]), r"detection_classes\[0\].*1\.5"),
        (lambda: DetectionPredictionFormat([True], [[1, 2, 3, 4]], [1]), r"detection_classes\[0\].*True"),
        (lambda: DetectionPredictionFormat(["1"], [[1, 2, 3, 4]], [1]), r"detection_classes\[0\].*'1'"),
        (lambda: DetectionPredictionFormat("12", [], []), r"detection_classes must be a list"),
        (lambda: DetectionPredictionFormat(3, [], []), r"detection_classes must be a list, got 3"),
        (lambda: ClassificationPredictionFormat([1], [float("inf")]), r"detection_scores\[0\] must be finite"),
        (lambda: ClassificationPredictionFormat([1], [True]), r"detection_scores\[0\] must be a number"),
        (lambda: ClassificationPredictionFormat([1], [1], ["a", "b"]), r"detection_texts .* got 2 for 1"),
        (lambda: ClassificationPredictionFormat([1], [1], [3]), r"detection_texts\[0\]"),
        (lambda: SegmentationPredictionFormat([1], [1], [[1, 2, 3]]), r"detection_masks\[0\] is flat"),
        (lambda: SegmentationPredictionFormat([1], [1], [[[1, 2, 3]]]), r"detection_masks\[0\]\[0\] must have 2 values"),
        (lambda: LinePredictionFormat([1], [1], [[[1, 2], [3]]]), r"lines\[0\]\[1\] must have 2 values"),
        (lambda: PointPredictionFormat([1], [1], [[1, 2, 3]]), r"points\[0\] must have 2 values"),
        (lambda: KeypointPredictionFormat([1], [1], [[[1, 2]]]), r"keypoints\[0\]\[0\] must have 3 values"),
        (lambda: MaskPredictionFormat([1], [1], [[1, 2]]), r"detection_masks\[0\] must be a str"),
        (lambda: MaskPredictionFormat([1], [1], [{"size": [4, 3], "counts": "a"}]), r"\[0\] must be a str.*from_rle takes run lengths"),
        (lambda: MaskPredictionFormat([1], [1], [np.ones((4, 3))]), r"\[0\] must be a str.*from_binary_masks arrays"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(make, message):
    """Field, index and value are in the message, before anything is sent."""
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_values_do_not_follow_the_callers_lists():
    """What was checked is what is sent, even if the caller's lists change afterwards."""
    box, classes = [1, 2, 3, 4], [1]
    prediction = DetectionPredictionFormat(classes, [box], [0.5])
    box[0] = "broken"
    classes.append(2)
    assert prediction == DetectionPredictionFormat([1], [[1, 2, 3, 4]], [0.5])


def test_a_duck_is_a_prediction():
    """An object with the vendor's fields is read by them."""

    class Duck:
        model_type = InferenceType.POINT
        detection_classes = (1,)
        detection_scores = (1,)
        points = ((3, 4),)
        detection_texts = None

    assert as_prediction(Duck()) == PointPredictionFormat([1], [1.0], [[3, 4]])


def test_half_a_duck_is_refused():
    """An object that names a type and lacks its shapes is told which."""

    class Half:
        model_type = "POINT"
        detection_classes = (1,)
        detection_scores = (1,)

    with pytest.raises(ConfigurationError, match="prediction says that it is for POINT, but has no points"):
        as_prediction(Half())


@pytest.mark.parametrize("value", [None, {}, "x", DetectionPredictionFormat])
def test_what_is_no_prediction_is_refused(value):
    """A dict or a class in place of a prediction is named."""
    with pytest.raises(ConfigurationError, match="shadow_prediction must be a prediction format"):
        as_prediction(value, "shadow_prediction")


@pytest.mark.parametrize("type_", [InferenceType.MULTI, InferenceType.NOT_CONFIGURED, InferenceType.POINT], ids=str)
def test_a_prediction_of_another_type_is_refused(type_):
    """Both types are in the message."""
    with pytest.raises(ConfigurationError, match=f"OBJECT_DETECTION.*{type_}"):
        check_prediction_type(EXAMPLES[InferenceType.OBJECT_DETECTION], type_)


# As floats, boxes of 0 and 1 alone are refused: they look like shares of the image.
BOXES = st.lists(st.integers(-9, 9999), min_size=4, max_size=4).filter(lambda box: not set(box) <= {0, 1})


@given(st.lists(st.tuples(st.integers(0, 99), BOXES, st.floats(0, 1))))
def test_plain_and_numpy_input_are_equal(shapes):
    """The quick way for plain lists and the careful way for everything else agree."""
    classes, boxes, scores = [c for c, _, _ in shapes], [b for _, b, _ in shapes], [s for _, _, s in shapes]
    plain = DetectionPredictionFormat(classes, boxes, scores)
    careful = DetectionPredictionFormat(tuple(classes), [np.array(b, dtype=float) for b in boxes], np.array(scores))
    assert plain == careful


@pytest.mark.parametrize("score", [10**400, float("inf"), float("nan")], ids=["huge", "inf", "nan"])
def test_a_score_that_no_float_holds_is_refused(score):
    """An error of ours that names the place, whatever kind of number it is."""
    with pytest.raises(ConfigurationError, match=r"detection_scores\[0\] must be finite"):
        ClassificationPredictionFormat([0], [score])


def test_the_repr_stays_short():
    """A hundred thousand boxes do not fill a log."""
    many = DetectionPredictionFormat([0] * 100_000, [[1, 2, 3, 4]] * 100_000, [0.5] * 100_000)
    assert len(repr(many)) < 500
    assert repr(ClassificationPredictionFormat([1], [0.5])) == (
        "ClassificationPredictionFormat(detection_classes=[1], detection_scores=[0.5], detection_texts=None)"
    )
