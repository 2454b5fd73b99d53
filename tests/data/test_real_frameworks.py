"""The real libraries, where they are installed (`nox -s integrations`): results made by hand, without any weights."""

from __future__ import annotations

import os

import numpy as np
import pytest

from picsellia_async import DetectionPredictionFormat, KeypointPredictionFormat, SegmentationPredictionFormat
from picsellia_async.predictions import from_supervision, from_torchvision, from_ultralytics

LABELS = {"car": 0, "person": 1}
NAMES = {0: "person", 1: "car"}


def test_supervision_itself():
    """Detections with and without masks, and none at all."""
    supervision = pytest.importorskip("supervision")
    mask = np.zeros((1, 30, 40), bool)
    mask[0, 10:21, 10:21] = True
    made = supervision.Detections(
        xyxy=np.array([[10.4, 20, 110, 220]]), confidence=np.array([0.75]), class_id=np.array([1]),
        data={"class_name": np.array(["car"])},
    )  # fmt: skip
    assert from_supervision(made, label_map=LABELS) == DetectionPredictionFormat([0], [[20, 10, 220, 110]], [0.75])
    masked = supervision.Detections(
        xyxy=np.array([[10, 10, 21, 21]]), confidence=np.array([0.5]), class_id=np.array([1]), mask=mask
    )
    assert sorted(from_supervision(masked).detection_masks[0]) == [[10, 10], [10, 20], [20, 10], [20, 20]]
    assert from_supervision(supervision.Detections.empty()).detection_boxes == []


def test_ultralytics_itself():
    """Detect, segment, pose and classify; oriented boxes are refused."""
    os.environ["YOLO_OFFLINE"] = "true"
    torch = pytest.importorskip("torch")
    results = pytest.importorskip("ultralytics.engine.results")

    def make(**parts):
        return results.Results(np.zeros((720, 1280, 3), np.uint8), path="a.jpg", names=NAMES, **parts)

    box = torch.tensor([[10.4, 20, 110, 220, 0.75, 1]])
    assert from_ultralytics(make(boxes=box), label_map=LABELS) == DetectionPredictionFormat(
        [0], [[20, 10, 220, 110]], [0.75]
    )
    mask = torch.zeros(1, 720, 1280)
    mask[0, 100:200, 100:300] = 1
    polygon = from_ultralytics(make(boxes=box, masks=mask)).detection_masks[0]
    assert sorted(polygon) == [[100, 100], [100, 199], [299, 100], [299, 199]]
    mask[0, 120:140, 120:140] = 0
    [holed] = from_ultralytics(make(boxes=box, masks=mask), kind="mask").to_binary_masks((1280, 720))
    assert np.array_equal(holed, mask[0].numpy())
    pose = make(boxes=box, keypoints=torch.tensor([[[5.0, 6.0, 0.9], [7.0, 8.0, 0.2]]]))
    assert from_ultralytics(pose).keypoints[0][0] == [5, 6, 2]
    assert from_ultralytics(make(probs=torch.tensor([0.25, 0.75])), label_map=LABELS).detection_classes == [0]
    with pytest.raises(ValueError, match="oriented boxes"):
        from_ultralytics(make(obb=torch.tensor([[100, 100, 50, 20, 0.3, 0.9, 1]])))
    assert from_ultralytics(make(boxes=torch.zeros(0, 6))).detection_boxes == []


@pytest.mark.parametrize("network", [(384, 640), (640, 640), (353, 641), (160, 160), (720, 1280)])
def test_masks_of_a_network_are_scaled_as_ultralytics_does(network):
    """Pixel by pixel as its `scale_masks`, cut at one half, does with the masks of its network's input."""
    os.environ["YOLO_OFFLINE"] = "true"
    torch = pytest.importorskip("torch")
    results = pytest.importorskip("ultralytics.engine.results")
    ops = pytest.importorskip("ultralytics.utils.ops")
    if not hasattr(ops, "scale_masks"):
        pytest.skip("an ultralytics without scale_masks")
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 1, 9, 12, generator=generator)
    mask = (torch.nn.functional.interpolate(coarse, network, mode="bilinear")[0] > 0.5).byte()
    box = torch.tensor([[10.4, 20, 110, 220, 0.75, 1]])
    made = results.Results(np.zeros((720, 1280, 3), np.uint8), path="a.jpg", names=NAMES, boxes=box, masks=mask)
    [found] = from_ultralytics(made, kind="mask").to_binary_masks((1280, 720))
    [[expected]] = (ops.scale_masks(mask[None], (720, 1280)) > 0.5).byte().numpy()
    assert (found != expected).mean() < 1e-4  # numbers at one half, which two libraries round apart


def test_supervision_made_of_ultralytics():
    """The usual way through both libraries ends in the same boxes and names as the direct one."""
    os.environ["YOLO_OFFLINE"] = "true"
    torch = pytest.importorskip("torch")
    results = pytest.importorskip("ultralytics.engine.results")
    supervision = pytest.importorskip("supervision")
    box = torch.tensor([[10.4, 20, 110, 220, 0.75, 1], [500.0, 300, 620, 400, 0.5, 0]])
    result = results.Results(np.zeros((720, 1280, 3), np.uint8), path="a.jpg", names=NAMES, boxes=box)
    through = from_supervision(supervision.Detections.from_ultralytics(result), label_map=LABELS)
    assert through == from_ultralytics(result, label_map=LABELS)
    assert through.detection_classes == [0, 1]


def test_supervision_of_keypoints_and_classes():
    """Skeletons, and classes of a whole image."""
    supervision = pytest.importorskip("supervision")
    points = np.array([[[5.0, 6.0], [7.0, 8.0]]], np.float32)
    name = (
        "keypoint_confidence" if "keypoint_confidence" in supervision.KeyPoints.__dataclass_fields__ else "confidence"
    )
    made = supervision.KeyPoints(xy=points, class_id=np.array([1]), **{name: np.array([[0.9, 0.2]], np.float32)})
    skeletons = from_supervision(made, score=0.5)
    assert isinstance(skeletons, KeypointPredictionFormat)
    assert skeletons.keypoints == [[[5, 6, 2], [7, 8, 1]]]
    if hasattr(made, "visible"):
        made.visible = np.array([[False, True]])
        assert from_supervision(made, score=0.5).keypoints == [[[5, 6, 1], [7, 8, 2]]]
    classes = supervision.Classifications(class_id=np.array([1, 0]), confidence=np.array([0.75, 0.25]))
    assert from_supervision(classes).detection_classes == [1, 0]


@pytest.mark.parametrize(
    "name", ["fasterrcnn_mobilenet_v3_large_320_fpn", "maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn"]
)
def test_torchvision_itself(name):
    """What an untrained model of each kind says about noise is read whole: boxes, polygons around masks, skeletons."""
    torch = pytest.importorskip("torch")
    detection = pytest.importorskip("torchvision.models.detection")
    torch.manual_seed(0)
    options = {"box_score_thresh": 0.0, "box_detections_per_img": 3, "min_size": 64, "max_size": 96}
    model = getattr(detection, name)(weights=None, weights_backbone=None, **options).eval()
    with torch.no_grad():
        [output] = model([torch.rand(3, 64, 96)])
    assert len(output["boxes"]) > 0
    prediction = from_torchvision(output, first_label=1, clip=(96, 64), mask_threshold=0.0)
    boxes = from_torchvision(output, first_label=1, kind="detection", clip=(96, 64))
    assert len(boxes.detection_boxes) == len(output["boxes"])
    for (top, left, bottom, right), (x1, y1, x2, y2) in zip(boxes.detection_boxes, output["boxes"], strict=True):
        assert [top, left, bottom, right] == [round(float(side)) for side in (y1, x1, y2, x2)]
    kinds = {"maskrcnn": SegmentationPredictionFormat, "keypoint": KeypointPredictionFormat}
    assert type(prediction) is kinds.get(name[:8], DetectionPredictionFormat)


def test_torch_tensors_are_numbers():
    """Tensors, their scalars and half precision mean the same numbers; one that needs a gradient too."""
    torch = pytest.importorskip("torch")
    boxes = torch.tensor([[10.4, 20, 110, 220]], requires_grad=True)
    expected = DetectionPredictionFormat([1], [[20, 10, 220, 110]], [0.5])
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        scores = torch.tensor([0.5], dtype=kind)
        assert DetectionPredictionFormat.from_xyxy(boxes, torch.tensor([1.0], dtype=kind), scores) == expected
        assert (
            DetectionPredictionFormat([torch.tensor(1)], [[torch.tensor(n) for n in (20, 10, 220, 110)]], list(scores))
            == expected
        )
    output = {"boxes": boxes.detach(), "labels": torch.tensor([1]), "scores": torch.tensor([0.5])}
    assert from_torchvision(output, first_label=0) == expected
