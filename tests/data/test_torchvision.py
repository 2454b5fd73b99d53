"""Outputs of torchvision's models, and what their labels are."""

from __future__ import annotations

import numpy as np
import pytest

from picsellia_async import (
    ConfigurationError,
    DetectionPredictionFormat,
    ImplausibleError,
)
from picsellia_async.predictions import (
    from_torchvision,
)

from .framework_results import (
    BOXES,
    LABELS,
    MASK,
    SQUARE,
)


def test_logits_of_torchvision_are_told_so():
    """A threshold of probabilities cuts them elsewhere; 0 is theirs."""
    pytest.importorskip("faster_coco_eval")
    logits = np.where(MASK, 4.0, -4.0).astype(np.float32)[None, None]
    output = {"boxes": BOXES[:1], "labels": [1], "scores": [0.5], "masks": logits}
    with pytest.raises(
        ImplausibleError, match=r"output\['masks'\]\[0\] holds values from -4 to 4.*sigmoid.*mask_threshold=0"
    ):
        from_torchvision(output, kind="mask", first_label=1)
    found = from_torchvision(output, kind="mask", first_label=1, mask_threshold=0)
    assert found == from_torchvision({**output, "masks": MASK[None, None]}, kind="mask", first_label=1)


def test_torchvision_outputs():
    """Boxes, masks of probabilities, and keypoints whose third value says nothing."""
    pytest.importorskip("faster_coco_eval")
    output = {"boxes": BOXES[:1], "labels": np.array([1]), "scores": np.array([0.75])}
    assert from_torchvision(output, first_label=1) == DetectionPredictionFormat([0], [[20, 10, 220, 110]], [0.75])
    named = from_torchvision(output, names=["__background__", "person"], label_map={"person": 4})
    assert named.detection_classes == [4]
    masks = {**output, "masks": (MASK * 0.75)[None, None]}
    assert sorted(from_torchvision(masks, first_label=1).detection_masks[0]) == sorted(SQUARE)
    assert from_torchvision(masks, first_label=1, mask_threshold=0.8).left_out == 1
    points = {**output, "keypoints": np.array([[[5.0, 6.0, 1.0]]])}
    assert from_torchvision(points, first_label=0).keypoints == [[[5, 6, 2]]]


@pytest.mark.parametrize("label_map", [None, LABELS])
@pytest.mark.parametrize("count", [0, 1])
def test_labels_of_torchvision_are_no_indexes(label_map, count):
    """They leave 0 to the background: taken as indexes they are off by one, so something has to say which class is the first."""
    output = {"boxes": BOXES[:count], "labels": np.array([1] * count, int), "scores": np.array([0.75] * count)}
    with pytest.raises(
        ConfigurationError, match=r"leave 0 to the background.*91 categories.*first_label=1 where 0 is the background"
    ):
        from_torchvision(output, label_map=label_map)
    assert from_torchvision(output, first_label=1, label_map=label_map).detection_classes == [0] * count
    assert from_torchvision(output, first_label=0, label_map=label_map).detection_classes == [1] * count


def test_names_of_torchvision_begin_with_the_background():
    """A list without it is off by one as well, until `first_label` says which label its first name has; a dict is by label."""
    output = {"boxes": BOXES[:1], "labels": np.array([1]), "scores": np.array([0.75])}
    with pytest.raises(ConfigurationError, match="leave 0 to the background"):
        from_torchvision(output, names=["person", "car"], label_map=LABELS)
    for names, first in (
        (["person", "car"], 1),
        (["car", "person"], 0),
        ({1: "person"}, None),
        (["BG", "person"], None),
    ):
        found = from_torchvision(output, names=names, label_map=LABELS, first_label=first)
        assert found.detection_classes == [LABELS["person"]]
    for names, first, message in (
        (["__background__", "person"], 1, "begins with the background"),
        ({1: "person"}, 1, "by label already"),
        (["person"], 2, r"has 1, which is below first_label=2"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            from_torchvision(output, names=names, label_map=LABELS, first_label=first)
