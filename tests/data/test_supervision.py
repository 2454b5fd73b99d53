"""Results of supervision, read by their attributes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from picsellia_async import (
    ClassificationPredictionFormat,
    ConfigurationError,
    DetectionPredictionFormat,
    ImplausibleError,
    KeypointPredictionFormat,
    MaskPredictionFormat,
)
from picsellia_async.predictions import (
    from_supervision,
)

from .framework_results import (
    BOXES,
    LABELS,
    MASK,
    NAMES,
    SQUARE,
    detections,
    key_points,
)


def test_supervision_detections():
    """Boxes, and class names where a label map is given."""
    plain = from_supervision(detections())
    assert plain == DetectionPredictionFormat([1], [[20, 10, 220, 110]], [0.75])
    named = detections(class_id=None, data={"class_name": np.array(["person"])})
    assert from_supervision(named, label_map=LABELS) == plain
    assert from_supervision(detections(), names=NAMES, label_map=LABELS).detection_classes == [0]
    assert from_supervision(detections(confidence=None), score=0.75) == plain
    cut = from_supervision(detections(xyxy=BOXES[1:]), clip=(1280, 720))
    assert (cut.detection_boxes, cut.clipped) == ([[5, 0, 700, 1280]], 1)


def test_the_size_of_masks_is_that_of_the_boxes_beside_them():
    """Boxes of a network's size are refused for a larger image, as masks are."""
    pytest.importorskip("faster_coco_eval")
    both = detections(mask=np.ones((1, 360, 640), bool), xyxy=np.array([[10, 20, 110, 220]]))
    for kind in ("detection", "mask", "segmentation"):
        assert from_supervision(both, kind=kind).image_size == (640, 360)
    assert from_supervision(both, kind="detection", clip=(1280, 720)).image_size == (1280, 720)
    assert from_supervision(detections()).image_size is None


def test_masks_and_boxes_of_supervision_meet():
    """Of one shape they are of one object; an empty mask is left out as ever."""
    far = detections(xyxy=np.array([[25.0, 0, 35, 8]]), mask=MASK[None])
    with pytest.raises(
        ImplausibleError, match=r"mask\[0\] is at 10, 10 to 20, 20, and detections\.xyxy\[0\].*do not meet"
    ):
        from_supervision(far)
    assert from_supervision(far, kind="detection").detection_boxes == [[0, 25, 8, 35]]
    assert from_supervision(detections(xyxy=far.xyxy, mask=np.zeros_like(MASK)[None])).left_out == 1


def test_class_ids_and_names_of_supervision_agree():
    """Ids that were edited and names that were not, or another list of names: refused. A name of the model may be translated."""
    two = {"xyxy": BOXES, "confidence": np.array([0.75, 0.5]), "data": {"class_name": np.array(["car", "person"])}}
    for options in ({}, {"label_map": LABELS}):
        with pytest.raises(ConfigurationError, match="calls class id 1 'person', and another shape 'car'"):
            from_supervision(detections(**two, class_id=np.array([1, 1])), **options)
    carried = detections(data={"class_name": np.array(["car"])})
    with pytest.raises(ConfigurationError, match="calls class id 1 'car', and names= 'person'"):
        from_supervision(carried, names=["car", "person"], label_map=LABELS)
    automobile = detections(data={"class_name": np.array(["automobile"])})
    assert from_supervision(automobile, names={1: "car"}, label_map=LABELS).detection_classes == [LABELS["car"]]


def test_supervision_masks_keypoints_and_classifications():
    """Each kind of result becomes the format of its kind."""
    pytest.importorskip("faster_coco_eval")
    masked = detections(mask=MASK[None])
    assert sorted(from_supervision(masked).detection_masks[0]) == sorted(SQUARE)
    assert isinstance(from_supervision(masked, kind="mask"), MaskPredictionFormat)
    assert isinstance(from_supervision(masked, kind="detection"), DetectionPredictionFormat)
    points = SimpleNamespace(
        xy=np.array([[[5, 6]]]), class_id=np.array([1]), keypoint_confidence=np.array([[0.9]]),
        detection_confidence=np.array([0.75]), data={},
    )  # fmt: skip
    assert from_supervision(points) == KeypointPredictionFormat([1], [0.75], [[[5, 6, 2]]])
    classes = SimpleNamespace(class_id=np.array([1, 0]), confidence=np.array([0.75, 0.25]))
    assert from_supervision(classes) == ClassificationPredictionFormat([1, 0], [0.75, 0.25])


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [
        (None, [2, 1, 2, 0]),
        ([[1.0, 1.0, 1.0, 1.0]], [2, 1, 2, 0]),
        ([[0.9, 0.2, 0.3, 0.0]], [2, 1, 2, 0]),
        ([[0.9, 0.0, 0.0, 0.0]], [2, 0, 2, 0]),
    ],
    ids=["none", "sure", "some", "zeros"],
)
def test_what_supervision_calls_visible_is_seen(confidences, expected):
    """Others are hidden, as COCO has it, and keep their place; what was not found is not there."""
    given = key_points(
        visible=np.array([[True, False, True, True]]),
        keypoint_confidence=None if confidences is None else np.array(confidences, np.float32),
    )
    [skeleton] = from_supervision(given).keypoints
    assert [point[2] for point in skeleton] == expected
    assert [point[:2] for point in skeleton] == [[5, 6], [7, 8] if expected[1] else [0, 0], [9, 10], [0, 0]]


def test_points_of_supervision_that_are_no_numbers_are_not_there():
    """Also where they are said to be visible."""
    xy = np.array([[[np.nan, np.nan], [7, 8]]])
    [skeleton] = from_supervision(key_points(xy=xy, visible=np.array([[True, False]]))).keypoints
    assert skeleton == [[0, 0, 0], [7, 8, 1]]


@pytest.mark.parametrize(
    ("visible", "message"),
    [
        ([[True, False]], "visible must have one number per point"),
        ([], "visible must have one number per point"),
        ([[0.9, 0.2, 1, 0]], "visible must be True or False per point, got 0.9"),
    ],
)
def test_visible_that_is_none(visible, message):
    """Another count, or confidences in its place."""
    with pytest.raises(ConfigurationError, match=message):
        from_supervision(key_points(visible=np.array(visible)))
