"""Annotations as COCO has them."""

from __future__ import annotations

import numpy as np
import pytest

from picsellia_async import (
    ConfigurationError,
    DetectionPredictionFormat,
    ImplausibleError,
    KeypointPredictionFormat,
    MaskPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import (
    from_coco,
)

from .framework_results import (
    CATEGORIES,
    LABELS,
    SQUARE,
)


@pytest.mark.parametrize(
    ("kind", "fields", "found"),
    [
        ("detection", {"bbox": [10, 20, 100, 200]}, DetectionPredictionFormat([0], [[20, 10, 220, 110]], [0.5])),
        ("segmentation", {"segmentation": [[n for p in SQUARE for n in p]]}, SegmentationPredictionFormat([0], [0.5], [SQUARE])),
        ("mask", {"segmentation": {"size": [30, 40], "counts": "f9;_k0"}}, MaskPredictionFormat([0], [0.5], ["f9;_k0"])),
        ("keypoint", {"keypoints": [5, 6, 2, 0, 0, 0]}, KeypointPredictionFormat([0], [0.5], [[[5, 6, 2], [0, 0, 0]]])),
    ],
)  # fmt: skip
def test_coco_annotations(kind, fields, found):
    """Each kind of COCO's shapes, with categories looked up by name."""
    annotation = {"category_id": 3, "score": 0.5, **fields}
    assert from_coco([annotation], kind=kind, categories=CATEGORIES, label_map=LABELS, size=None) == found
    assert from_coco([annotation], kind=kind, categories={3: 0}) == found
    assert from_coco([annotation], kind=kind, categories={3: "car"}, label_map=LABELS) == found


def test_coco_files_mix_polygons_and_run_lengths():
    """As annotation tools export them: the run lengths say the size; what encloses nothing is left out and counted."""
    shapes = [[[n for p in SQUARE for n in p]], {"size": [30, 40], "counts": [310, 11, 879]}, [[1, 1, 2, 2]], [[]], []]
    annotations = [{"category_id": 3, "score": 0.1 * i, "segmentation": one} for i, one in enumerate(shapes)]
    masks = from_coco(annotations, kind="mask", categories={3: 0})
    assert isinstance(masks, MaskPredictionFormat)
    assert (masks.detection_scores, masks.left_out, masks.image_size) == ([0.0, 0.1], 3, (40, 30))
    assert [int(mask.sum()) for mask in masks.to_binary_masks((40, 30))] == [100, 11]
    polygons = from_coco(annotations, kind="segmentation", categories={3: 0})
    assert (len(polygons.detection_masks), polygons.left_out) == (2, 3)
    for kind in ("mask", "segmentation"):
        odd = {"category_id": 3, "score": 1, "segmentation": [[1, 1, 10, 1, 10]]}
        with pytest.raises(ConfigurationError, match="must have an even length, got 5"):
            from_coco([odd], kind=kind, categories={3: 0}, size=(40, 30))
        beside = {"category_id": 3, "score": 1, "segmentation": [[100, 1, 110, 1, 110, 9]]}
        with pytest.raises(ConfigurationError, match="wholly beside the image of 40 x 30"):
            from_coco([beside], kind=kind, categories={3: 0}, size=(40, 30))


@pytest.mark.parametrize("kind", ["detection", "mask", "segmentation"])
def test_box_and_outline_of_one_annotation_meet(kind):
    """Where they lie apart, however the box is read, one of them is of another object; touching is enough."""
    pytest.importorskip("faster_coco_eval")
    common = {"category_id": 3, "score": 1, "segmentation": [[10, 10, 100, 10, 100, 100]]}
    with pytest.raises(ImplausibleError, match=r"annotations\[0\] has bbox \[400, 300, 50, 50\] and .* do not meet"):
        from_coco([{**common, "bbox": [400, 300, 50, 50]}], kind=kind, categories={3: 0}, size=(600, 400))
    for box in ([10, 10, 90, 90], [100, 100, 20, 20], [5, 5, 300, 300]):
        found = from_coco([{**common, "bbox": box}], kind=kind, categories={3: 0}, size=(600, 400))
        assert found.detection_classes == [0]


@pytest.mark.parametrize("kind", ["mask", "segmentation"])
def test_run_lengths_along_rows_are_refused(kind):
    """As Kaggle and Label Studio write them: by the box of the same annotation, which they fit along rows alone."""
    pytest.importorskip("faster_coco_eval")
    mask = np.zeros((30, 40), np.uint8)
    mask[3:8, 10:35] = 1
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.ravel(), [0]])))
    by_row = np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()
    down = MaskPredictionFormat.from_binary_masks([mask], [0], [1.0]).to_rle((40, 30), compressed=False)[0]
    common = {"category_id": 3, "score": 1, "bbox": [10, 3, 25, 5]}
    with pytest.raises(
        ImplausibleError, match=r"annotations\[0\] segmentation: its runs go along rows by bbox \[10, 3, 25, 5\]"
    ):
        from_coco([{**common, "segmentation": {"size": [30, 40], "counts": by_row}}], kind=kind, categories={3: 0})
    assert from_coco([{**common, "segmentation": down}], kind=kind, categories={3: 0}).detection_classes == [0]


@pytest.mark.parametrize(
    "told",
    [{"area": 24200}, {"segmentation": [[10, 20, 120, 20, 120, 240, 10, 240]]}, {"bbox_mode": 0}],
    ids=["area", "segmentation", "bbox_mode"],
)
def test_coco_boxes_that_are_corners_are_refused(told):
    """By what else the annotation says; x, y, width and height of the same object are taken."""
    common = {"category_id": 3, "score": 1}
    with pytest.raises(ImplausibleError, match=r"annotations\[0\] has bbox \[10, 20, 120, 240\] and .*write x2 - x1"):
        from_coco([{**common, "bbox": [10, 20, 120, 240], **told}], categories={3: 0})
    right = {**common, "bbox": [10, 20, 110, 220], **told, **({"bbox_mode": 1} if "bbox_mode" in told else {})}
    assert from_coco([right], categories={3: 0}).detection_boxes == [[20, 10, 240, 120]]
