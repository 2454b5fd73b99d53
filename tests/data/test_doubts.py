"""What may be another thing than was meant, and may be right: sent, and told once by a deployment; and shapes without an extent."""

from __future__ import annotations

import logging
import random
from types import SimpleNamespace

import pytest

from picsellia_async import (
    AsyncDeployment,
    ConfigurationError,
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    KeypointPredictionFormat,
    LinePredictionFormat,
)
from picsellia_async.plausibility import check_prediction
from picsellia_async.predictions import from_coco, from_supervision, from_torchvision, from_ultralytics
from picsellia_async.predictions.base import counted

from ..support.images import jpeg

np = pytest.importorskip("numpy")

WIDTH, HEIGHT = SIZE = 1280, 720
STANDING = [
    (0, 0.06), (-0.02, 0.04), (0.02, 0.04), (-0.05, 0.05), (0.05, 0.05), (-0.13, 0.2), (0.13, 0.2), (-0.16, 0.36), (0.16, 0.36),
    (-0.16, 0.5), (0.16, 0.5), (-0.08, 0.52), (0.08, 0.52), (-0.09, 0.75), (0.09, 0.75), (-0.1, 0.97), (0.1, 0.97),
]  # fmt: skip
"""COCO's seventeen joints of somebody upright, of a height of 1."""


def person(x: float, top: float, height: float) -> list[list[float]]:
    return [[x + across * height, top + down * height] for across, down in STANDING]


def swapped(skeleton: list[list[float]]) -> list[list[float]]:
    return [[y, x] for x, y in skeleton]


def skeletons(*given: list[list[float]]) -> KeypointPredictionFormat:
    return KeypointPredictionFormat.from_keypoints(given, [0] * len(given), [0.9] * len(given), clip=SIZE)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == "picsellia_async"]


def test_skeletons_of_y_x_that_are_cut_are_doubted():
    """One of two people is near the right border, so that half of its joints would lie below the image."""
    people = person(300, 100, 500), person(740, 60, 600)
    found = skeletons(*map(swapped, people))
    assert found.clipped == 1
    assert found.doubt is not None
    assert found.doubt.startswith(
        "10 of 34 joints lie outside of the image of 1280 x 720, and all of them inside as y, x"
    )
    assert skeletons(*people).doubt is None


def test_people_whom_the_border_cuts_are_not_doubted():
    """Upright, of all sizes, at every border, alone and in twos and threes; most of these frames have joints beside the image."""
    rand = random.Random(7)
    taken = cut = 0
    for _ in range(600):
        people = []
        for _ in range(rand.choice((1, 1, 2, 3))):
            height = rand.uniform(0.15, 2) * HEIGHT
            people.append(person(rand.uniform(0, WIDTH), rand.uniform(-0.4 * height, HEIGHT - 0.3 * height), height))
        try:
            found = skeletons(*people)
        except ImplausibleError:  # mostly beside the image
            continue
        taken += 1
        cut += found.clipped > 0
        assert found.doubt is None, people
    assert taken > 300
    assert cut > taken / 2


def test_shares_and_pixels_without_a_size_are_not_doubted():
    """Where nothing was cut nothing is hidden: the check of the image's size tells."""
    far = swapped(person(740, 60, 600))
    assert KeypointPredictionFormat.from_keypoints([far], [0], [0.9]).doubt is None
    shares = [[x / WIDTH, y / HEIGHT] for x, y in person(740, 200, 600)]
    found = KeypointPredictionFormat.from_keypoints([shares], [0], [0.9], normalized=SIZE)
    assert (found.clipped, found.doubt) == (1, None)


@pytest.mark.parametrize("field", ["boxes", "keypoints", "masks"])
def test_a_lone_share_of_ultralytics_is_doubted(field):
    """A pixel of the first corner is right by the name of the field; shares under it would be stored as that pixel."""
    box = np.array([[0.2, 0.3, 0.6, 0.8]], np.float32)
    result = SimpleNamespace(orig_shape=(HEIGHT, WIDTH), names={0: "p"})
    result.boxes = SimpleNamespace(xyxy=box, cls=np.zeros(1), conf=np.array([0.9]))
    if field == "keypoints":
        result.keypoints = SimpleNamespace(xy=np.array([[[0.4, 0.6], [0.9, 0.7]]]), conf=np.array([[0.9, 0.9]]))
    if field == "masks":
        result.masks = SimpleNamespace(xy=[np.array([[0.2, 0.3], [0.6, 0.3], [0.6, 0.8]])])
    found = from_ultralytics(result)
    assert found.doubt is not None
    assert "lie in the first pixels of the image: they are sent as pixels, and look like shares" in found.doubt
    result.boxes.xyxy = box * 100
    result.keypoints = None
    result.masks = None
    assert from_ultralytics(result).doubt is None


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["call", "frame"])
async def test_a_doubt_is_told_once_by_a_deployment(deployment: AsyncDeployment, caplog, way):
    """The prediction is sent as it is."""
    box = DetectionPredictionFormat([0], [[0, 0, 1, 1]], [0.9])
    doubted = counted(box, SIZE, doubt="boxes, [0.2], lie in the first pixels")
    image = jpeg(*SIZE)
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        for number in range(3):
            given = doubted if number else box
            if way == "call":
                await deployment.monitor_bytes(image, "image/jpeg", "a.jpg", 0.1, HEIGHT, WIDTH, given)
            else:
                frame = Frame(image=image, filename="a.jpg", width=WIDTH, height=HEIGHT, latency=0.1, prediction=given)
                assert (await deployment.monitor_many([frame])).is_complete
    [message] = told(caplog)
    assert message.endswith("prediction for 'a.jpg': boxes, [0.2], lie in the first pixels")


FLAT = {
    "from_xyxy": [20, 10, 20, 40], "from_xyxy, height": [20, 10, 40, 10], "from_xywh": [20, 10, 0, 40], "from_cxcywh": [20, 10, 5, 0],
}  # fmt: skip


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("options", [{}, {"clip": SIZE}, {"normalized": SIZE}], ids=str)
@pytest.mark.parametrize("kind", [list, np.array], ids=["list", "array"])
def test_a_box_without_an_extent_is_no_object(name, options, kind):
    """As in files of COCO and YOLO, and as polygons; whole pixels, shares, arrays alike."""
    by = 0.01 if "normalized" in options else 1
    box = [one * by for one in FLAT[name]]
    make = getattr(DetectionPredictionFormat, name.split(",")[0])
    missing = "height" if name in {"from_xyxy, height", "from_cxcywh"} else "width"
    with pytest.raises(
        ImplausibleError, match=rf"boxes\[1\] is .* it has no {missing}, and is no object. Leave it out"
    ):
        make(kind([[by * one for one in (50, 50, 60, 70)], box]), [0, 0], [0.9, 0.8], **options)


def test_a_coco_box_without_an_extent_is_no_object():
    annotation = {"category_id": 1, "score": 0.9, "bbox": [10, 20, 0, 30]}
    with pytest.raises(ImplausibleError, match="it has no width, and is no object"):
        from_coco([annotation], categories={1: 0})


def test_results_leave_out_boxes_without_an_extent():
    """Frameworks cut boxes to the image, and nothing may be left of one: the others are sent, and it is counted."""
    xyxy = np.array([[10, 20, 30, 40], [0, 50, 0, 90], [60, 60, 90, 60], [1, 2, 3, 4]], np.float32)
    scores, labels = np.array([0.9, 0.8, 0.7, 0.6], np.float32), np.array([0, 1, 2, 3])
    boxes = SimpleNamespace(xyxy=xyxy, cls=labels, conf=scores)
    made = {
        "ultralytics": from_ultralytics(SimpleNamespace(orig_shape=(HEIGHT, WIDTH), names=dict(enumerate("abcd")), boxes=boxes)),
        "supervision": from_supervision(SimpleNamespace(xyxy=xyxy, class_id=labels, confidence=scores, mask=None, data={})),
        "torchvision": from_torchvision({"boxes": xyxy, "labels": labels + 1, "scores": scores}, first_label=1, clip=SIZE),
    }  # fmt: skip
    for name, found in made.items():
        assert found.detection_boxes == [[20, 10, 40, 30], [2, 1, 4, 3]], name
        assert found.detection_classes == [0, 3], name
        assert found.detection_scores == pytest.approx([0.9, 0.6]), name
        assert found.left_out == 2, name


@pytest.mark.parametrize("options", [{}, {"clip": SIZE}, {"normalized": SIZE}], ids=str)
def test_a_line_of_one_point_is_no_line(options):
    """However often it is there; one of no point is left out, and a short one is a line."""
    by = 0.001 if "normalized" in options else 1
    line = [[by * 300, by * 400]] * 2
    with pytest.raises(ImplausibleError, match=r"lines\[0\] has one point 2 times, .* and is no line. Leave it out"):
        LinePredictionFormat.from_lines([line], [0], [0.9], **options)
    found = LinePredictionFormat.from_lines([[], [line[0], [by * 300.2, by * 400]]], [0, 1], [0.9, 0.8], **options)
    assert (found.detection_classes, len(found.lines), found.left_out) == ([1], 1, 1)
    with pytest.raises(ConfigurationError, match="has one point"):
        LinePredictionFormat.from_lines([line[:1]], [0], [0.9], **options)


@pytest.mark.parametrize("line", [[], [[3, 4]]], ids=str)
def test_a_line_of_fewer_than_two_points_is_refused_when_it_is_sent(line):
    prediction = LinePredictionFormat([0], [0.9], [line])
    with pytest.raises(ImplausibleError, match=r"prediction\.lines\[0\] has [01] points, .*a line has two or more"):
        check_prediction(prediction, *SIZE)


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["call", "frame", "array"])
async def test_a_shape_without_an_extent_in_whole_pixels_is_told_once(deployment: AsyncDeployment, caplog, way):
    """Rounding makes such of a thin one, so that it is sent; given so by mistake it shows in the log."""
    thin = DetectionPredictionFormat.from_xyxy([[20.1, 10, 20.3, 40]], [0], [0.9])
    assert thin.detection_boxes == [[10, 20, 40, 20]]
    whole = DetectionPredictionFormat([0], [[10, 20, 40, 21]], [0.9])
    image = jpeg(64, 48)
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        for given in (whole, thin, thin):
            if way == "call":
                await deployment.monitor_bytes(image, "image/jpeg", "a.jpg", 0.1, 48, 64, given)
            elif way == "array":
                pixels = np.zeros((48, 64, 3), np.uint8)
                await deployment.monitor_array(pixels, 0.1, given, filename="a.jpg", order="bgr")
            else:
                frame = Frame(image=image, filename="a.jpg", width=64, height=48, latency=0.1, prediction=given)
                assert (await deployment.monitor_many([frame])).is_complete
    [message] = told(caplog)
    assert "the prediction for 'a.jpg' has a box without width or height" in message
