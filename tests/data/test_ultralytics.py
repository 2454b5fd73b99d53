"""Results of ultralytics, read by their attributes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from picsellia_async import (
    ClassificationPredictionFormat,
    DetectionPredictionFormat,
    ImplausibleError,
    KeypointPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import (
    from_ultralytics,
)

from .framework_results import (
    BOXES,
    LABELS,
    SQUARE,
    one_box,
    ultralytics,
)


def test_ultralytics_boxes():
    """Classes by the names of the result, boxes cut to its image."""
    prediction = from_ultralytics(ultralytics(), label_map=LABELS)
    assert prediction == DetectionPredictionFormat([0, 1], [[20, 10, 220, 110], [5, 0, 700, 1280]], [0.75, 0.5])
    assert prediction.clipped == 1
    assert from_ultralytics(ultralytics()).detection_classes == [1, 0]


def test_ultralytics_segments_poses_and_classes():
    """The task decides which format it becomes; `kind` decides otherwise."""
    segments = one_box(masks=SimpleNamespace(xy=[np.array(SQUARE, np.float32)]))
    assert from_ultralytics(segments, label_map=LABELS) == SegmentationPredictionFormat([0], [0.75], [SQUARE])
    assert from_ultralytics(segments, kind="detection").detection_boxes == [[20, 10, 220, 110]]
    pose = one_box(keypoints=SimpleNamespace(xy=np.array([[[5, 6], [0, 0]]]), conf=np.array([[0.9, 0.0]])))
    assert from_ultralytics(pose) == KeypointPredictionFormat([1], [0.75], [[[5, 6, 2], [0, 0, 0]]])
    probabilities = ultralytics(boxes=None, probs=SimpleNamespace(data=np.array([0.25, 0.75])))
    assert from_ultralytics(probabilities, label_map=LABELS) == ClassificationPredictionFormat([0], [0.75])
    assert from_ultralytics(probabilities, top=5) == ClassificationPredictionFormat([1, 0], [0.75, 0.25])


def test_ultralytics_masks_have_the_size_of_the_image():
    """Pixel masks are the result's own, without the network's padding."""
    pytest.importorskip("faster_coco_eval")
    inside = np.zeros((1, 384, 640), np.float32)
    inside[0, 12 + 5 : 12 + 10, 5:10] = 1  # 640 x 360 between 12 rows of padding
    inside[0, :12] = 1
    segments = one_box(masks=SimpleNamespace(xy=[np.array(SQUARE, np.float32)], data=inside))
    prediction = from_ultralytics(segments, kind="mask")
    assert prediction.to_binary_masks((1280, 720))[0][10:20, 10:20].all()
    assert prediction.to_binary_masks((1280, 720))[0].sum() == 100
    assert prediction.image_size == (1280, 720)


HOLED = np.zeros((720, 1280), bool)

HOLED[100:500, 200:400] = True

HOLED[200:400, 250:350] = False

HOLED[600:650, 800:900] = True


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_holes_and_pieces_of_ultralytics_masks_are_kept(kind):
    """At the image's size the mask is sent pixel by pixel; an empty one is left out with its class."""
    pytest.importorskip("faster_coco_eval")
    boxes = SimpleNamespace(xyxy=BOXES, cls=np.array([1, 0]), conf=np.array([0.75, 0.5]))
    masks = SimpleNamespace(xy=[], data=np.array([np.zeros_like(HOLED), HOLED]).astype(kind))
    prediction = from_ultralytics(ultralytics(boxes=boxes, masks=masks), kind="mask", label_map=LABELS)
    assert (prediction.detection_classes, prediction.detection_scores, prediction.left_out) == ([1], [0.5], 1)
    assert np.array_equal(prediction.to_binary_masks((1280, 720))[0], HOLED)


@pytest.mark.parametrize(
    ("size", "network"),
    [((1280, 720), (640, 384)), ((720, 1280), (384, 640)), ((1280, 720), (640, 640)), ((320, 181), (640, 384)), ((1001, 333), (640, 224)), ((3, 900), (32, 640))],
)  # fmt: skip
def test_ultralytics_masks_of_a_letterbox(size, network):
    """What the network saw as one is one on the image, to half a pixel of the network's; an odd row of padding is below."""
    pytest.importorskip("faster_coco_eval")
    cv2 = pytest.importorskip("cv2")
    (width, height), (network_width, network_height) = size, network
    gain = min(network_width / width, network_height / height)
    inner = max(round(width * gain), 1), max(round(height * gain), 1)
    left, top = (network_width - inner[0]) // 2, (network_height - inner[1]) // 2
    truth = np.zeros((height, width), np.uint8)
    truth[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2 + 1] = 1
    data = np.ones((1, network_height, network_width), np.uint8)  # the padding must not show
    data[0, top : top + inner[1], left : left + inner[0]] = cv2.resize(truth, inner, interpolation=cv2.INTER_AREA)
    boxes = SimpleNamespace(xyxy=np.array([[0, 0, width, height]]), cls=np.array([1]), conf=np.array([0.75]))
    result = ultralytics(boxes=boxes, masks=SimpleNamespace(xy=[], data=data), orig_shape=(height, width))
    [found] = from_ultralytics(result, kind="mask").to_binary_masks(size)
    edge = cv2.dilate(truth, None, iterations=max(1, round(1 / gain))) - cv2.erode(
        truth, None, iterations=max(1, round(1 / gain))
    )
    assert np.array_equal(found[edge == 0], truth[edge == 0])


def test_masks_and_boxes_of_ultralytics_meet():
    """Masks in another order than the boxes would get the classes and scores of others."""
    pytest.importorskip("faster_coco_eval")
    masks = np.zeros((2, 720, 1280), np.uint8)
    masks[0, 30:200, 20:100] = masks[1, 400:600, 700:900] = 1
    boxes = SimpleNamespace(
        xyxy=np.array([[20.0, 30, 100, 200], [700, 400, 900, 600]]), cls=np.array([1, 0]), conf=np.array([0.75, 0.5])
    )
    right = ultralytics(boxes=boxes, masks=SimpleNamespace(xy=[], data=masks))
    assert len(from_ultralytics(right, kind="mask").detection_masks) == 2
    exchanged = ultralytics(boxes=boxes, masks=SimpleNamespace(xy=[], data=masks[::-1]))
    with pytest.raises(
        ImplausibleError, match=r"result\.masks\[0\] is at 700, 400 to 899, 599, and result\.boxes\[0\].*do not meet"
    ):
        from_ultralytics(exchanged, kind="mask")
    corners = [np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) for x1, y1, x2, y2 in boxes.xyxy]
    polygons = ultralytics(boxes=boxes, masks=SimpleNamespace(xy=corners))
    assert len(from_ultralytics(polygons).detection_masks) == 2
    with pytest.raises(ImplausibleError, match=r"result\.masks\[0\] is at 700, 400 to 900, 600, .*do not meet"):
        from_ultralytics(ultralytics(boxes=boxes, masks=SimpleNamespace(xy=corners[::-1])))
