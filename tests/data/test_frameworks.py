"""Results of other libraries, read by their attributes: stand-ins with the attributes of the real ones."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from picsellia_async import (
    ClassificationPredictionFormat,
    ConfigurationError,
    DetectionPredictionFormat,
    KeypointPredictionFormat,
    MaskPredictionFormat,
    PredictionMismatchError,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import (
    check_prediction_type,
    from_coco,
    from_supervision,
    from_torchvision,
    from_ultralytics,
)

from .framework_results import (
    BOXES,
    CATEGORIES,
    LABELS,
    detections,
    ultralytics,
)


@pytest.mark.parametrize("kind", [None, "detection", "segmentation", "mask", "keypoint"])
def test_an_ultralytics_result_without_anything(kind):
    """An image with nothing in it is a prediction of the wanted format."""
    empty = SimpleNamespace(xyxy=np.zeros((0, 4)), cls=np.zeros(0), conf=np.zeros(0))
    assert from_ultralytics(ultralytics(boxes=empty), kind=kind, label_map=LABELS).detection_classes == []


NOTHING = {
    "ultralytics": lambda **options: from_ultralytics(
        ultralytics(boxes=SimpleNamespace(xyxy=np.zeros((0, 4)), cls=np.zeros(0), conf=np.zeros(0))), **options
    ),
    "supervision": lambda **options: from_supervision(
        detections(xyxy=np.zeros((0, 4)), class_id=np.zeros(0), confidence=np.zeros(0)), **options
    ),
    "supervision without fields": lambda **options: from_supervision(
        detections(xyxy=np.zeros((0, 4)), class_id=None, confidence=None), **options
    ),
    "supervision of points": lambda **options: from_supervision(
        SimpleNamespace(xy=np.zeros((0, 0, 2)), class_id=None, keypoint_confidence=None, data={}), **options
    ),
    "torchvision": lambda **options: from_torchvision(
        {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, int), "scores": np.zeros(0)}, first_label=1, **options
    ),
    "coco": lambda **options: from_coco([], categories={1: 0}, **options),
}


@pytest.mark.parametrize("kind", ["detection", "segmentation", "mask", "keypoint"])
@pytest.mark.parametrize("tool", NOTHING)
def test_a_result_without_anything_becomes_the_kind_that_is_asked_for(tool, kind):
    """Whatever fields an empty result lacks; with a label map too."""
    wanted = {
        "detection": DetectionPredictionFormat,
        "segmentation": SegmentationPredictionFormat,
        "mask": MaskPredictionFormat,
        "keypoint": KeypointPredictionFormat,
    }[kind]
    for options in ({}, {"label_map": LABELS}):
        found = NOTHING[tool](kind=kind, **options)
        assert type(found) is wanted
        assert (found.detection_classes, getattr(found, found.shape_fields[-1])) == ([], [])


@pytest.mark.parametrize("tool", NOTHING)
def test_a_result_without_anything_of_no_kind(tool):
    """Boxes, and skeletons where the result is of skeletons."""
    wanted = KeypointPredictionFormat if tool == "supervision of points" else DetectionPredictionFormat
    assert type(NOTHING[tool]()) is wanted


def test_the_image_of_an_empty_result_is_known():
    """As that of others, so that it goes with no image of another size."""
    assert NOTHING["ultralytics"](kind="mask").image_size == (1280, 720)
    assert NOTHING["supervision"](kind="mask", clip=(64, 48)).image_size == (64, 48)
    assert NOTHING["torchvision"](kind="keypoint", clip=(64, 48)).image_size == (64, 48)


@pytest.mark.parametrize("kind", ["detection", "segmentation", "mask", "keypoint"])
def test_a_deployment_of_another_type_names_the_kind(kind):
    """The way out is in the message, for an empty result with its reason."""
    type_ = NOTHING["ultralytics"](kind=kind).model_type
    other = "mask" if kind == "detection" else "detection"
    way_out = f'this deployment\'s type is {type_}.*give kind="{kind}"'
    with pytest.raises(PredictionMismatchError, match=f"{way_out}.*holds nothing does not tell"):
        check_prediction_type(NOTHING["ultralytics"](kind=other), type_)
    if kind != "detection":
        with pytest.raises(PredictionMismatchError, match=way_out) as raised:
            check_prediction_type(from_supervision(detections()), type_)
        assert "holds nothing" not in str(raised.value)
    with pytest.raises(PredictionMismatchError) as raised:
        check_prediction_type(ClassificationPredictionFormat([], []), type_)
    assert "kind=" not in str(raised.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: from_ultralytics(ultralytics(boxes=None, obb=object())), r"oriented boxes.*from_polygons\(result\.obb\.xyxyxyxy"),
        (lambda: from_ultralytics([ultralytics()]), "takes one result: model"),
        (lambda: from_ultralytics(ultralytics(boxes=None, semantic_mask=object())), r"map of classes.*from_binary_masks\(\[pixels == value"),
        (lambda: from_ultralytics({}), "takes a result of ultralytics"),
        (lambda: from_ultralytics(ultralytics(), kind="mask"), r"needs result\.masks, which is None"),
        (lambda: from_ultralytics(ultralytics(), kind="obb"), "kind must be"),
        (lambda: from_ultralytics(ultralytics(), label_map={"carriage": 0}), r"no 'car'; nearest"),
        (lambda: from_supervision(detections(data={"xyxyxyxy": [[1]]})), r"oriented boxes.*from_polygons\(detections"),
        (lambda: from_supervision(detections(class_id=None)), "class_id is None"),
        (lambda: from_supervision(detections(confidence=None)), "confidence is None: give score="),
        (lambda: from_supervision(detections(), kind="mask"), r"detections\.mask, which is None"),
        (lambda: from_supervision(detections(), kind="keypoint"), "give supervision.KeyPoints"),
        (lambda: from_supervision(None), "takes Detections, KeyPoints or Classifications"),
        (lambda: from_torchvision({"boxes": []}), "boxes, labels and scores"),
        (lambda: from_torchvision({"boxes": BOXES[:1], "labels": [1], "scores": [0.5]}, kind="mask", first_label=1), r"needs output\['masks'\]"),
        (lambda: from_coco([{"category_id": 1}]), "category ids are no indexes"),
        (lambda: from_coco([{"category_id": 1, "bbox": [1, 2, 3, 4]}], categories={1: 0}), "has no score, as ground truth"),
        (lambda: from_coco([{"category_id": 2, "score": 1, "bbox": [1, 2, 3, 4]}], categories={1: 0}), "has category 2, which categories= lacks"),
        (lambda: from_coco([{"category_id": 1, "score": 1}], categories={1: 0}), r"annotations\[0\] has no bbox"),
        (lambda: from_coco([], categories=CATEGORIES), "category 1 is named 'person': give label_map="),
        (lambda: from_coco([], categories=CATEGORIES, label_map={"cart": 0}), "category 1: the label map has no 'person'"),
        (lambda: from_coco([{"category_id": 1, "score": 1, "segmentation": [[1, 1, 1, 5, 5, 5]]}], categories={1: 0}, kind="mask"), r"size=\(width, height\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(make, message):
    """The message says what is missing, and the way out."""
    with pytest.raises(ConfigurationError, match=message):
        make()
