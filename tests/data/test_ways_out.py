"""What a stranger found: messages whose advice made other data, right data that was refused, and shapes that vanished."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from picsellia_async import (
    ClassificationPredictionFormat,
    ImplausibleError,
    KeypointPredictionFormat,
)
from picsellia_async.cli.wording import in_options
from picsellia_async.plausibility import check_prediction
from picsellia_async.predictions import from_torchvision, from_ultralytics
from picsellia_async.sources import SourceError, coco_results

from ..support.sources import encoded, listed

np = pytest.importorskip("numpy")

WIDTH, HEIGHT = 1280, 720


@pytest.mark.anyio
async def test_shares_in_a_coco_file_are_told_in_the_order_of_the_file(tmp_path):
    """The prediction has top, left, bottom, right: followed, advice in that order stored other boxes."""
    (tmp_path / "1.png").write_bytes(encoded(WIDTH, HEIGHT, suffix=".png"))
    file = tmp_path / "r.json"

    async def read(box):
        file.write_text(json.dumps([{"image_id": 1, "category_id": 0, "score": 0.9, "bbox": box}]))
        [frame] = await listed(coco_results(file, tmp_path, categories="indexes"))
        return frame.prediction.detection_boxes

    box = [100 / WIDTH, 80 / HEIGHT, 60 / WIDTH, 40 / HEIGHT]
    with pytest.raises(SourceError) as caught:
        await read(box)
    for message in (str(caught.value), in_options(str(caught.value))):
        assert f"bbox are all about 0 to 1, {box!r} for instance" in message
        assert "multiply x and width by the width, y and height by the height of the image" in message
        assert "top" not in message
    assert await read([one * by for one, by in zip(box, (WIDTH, HEIGHT) * 2, strict=True)]) == [[80, 100, 120, 160]]
    assert await read([0, 0, 1, 1]) == [[0, 0, 1, 1]]
    # A box of a pixel in the first corner: its sides are below 1, and it ends beyond that.
    assert await read([0.6, 0.7, 1.0, 1.0]) == [[1, 1, 2, 2]]
    assert await read([0.9, 0.9, 0.9, 0.9]) == [[1, 1, 2, 2]]


@pytest.mark.parametrize(("box", "found"), [([0, 0, 1, 1], [0, 0, 1, 1]), ([0.2, 0.3, 1.05, 1.1], [0, 0, 1, 1])])
def test_a_box_of_a_pixel_of_ultralytics_is_no_share(box, found):
    """Its xyxy are pixels by their name: there is xyxyn for shares, and nobody can make integers of its tensors."""
    boxes = SimpleNamespace(xyxy=np.array([box], np.float32), cls=np.zeros(1), conf=np.array([0.9]))
    result = SimpleNamespace(orig_shape=(HEIGHT, WIDTH), names={0: "p"}, boxes=boxes)
    assert from_ultralytics(result).detection_boxes == [found]
    result.keypoints = SimpleNamespace(xy=np.array([[[0.4, 0.6], [1.0, 0.7]]]), conf=np.array([[0.9, 0.9]]))
    assert from_ultralytics(result).keypoints == [[[0, 1, 2], [1, 1, 2]]]


@pytest.mark.parametrize("first", [[0.1, 0.2, 0.9, 0.8], [0.4, 0.3, 0.9, 0.8], [0.2, 0.3, 1.05, 1.1]], ids=str)
def test_several_shares_of_ultralytics_are_shares(first):
    """A model of normalized outputs, or a result made by hand, has them under the name of pixels; all became one box of a pixel."""
    given = np.array([first, [0.3, 0.1, 0.7, 0.9], [0.05, 0.4, 0.6, 0.95]], np.float32)
    boxes = SimpleNamespace(xyxy=given, cls=np.zeros(3), conf=np.full(3, 0.9))
    result = SimpleNamespace(orig_shape=(HEIGHT, WIDTH), names={0: "p"}, boxes=boxes)
    with pytest.raises(ImplausibleError, match="looks like shares"):
        from_ultralytics(result)
    result.keypoints = SimpleNamespace(xy=given.reshape(3, 2, 2), conf=np.full((3, 2), 0.9))
    with pytest.raises(ImplausibleError, match="looks like shares"):
        from_ultralytics(result)


@pytest.mark.parametrize("threshold", [1, 5, 50])
def test_a_threshold_that_no_probability_reaches_is_refused(threshold):
    """Per cent: each mask was left out as empty. Masks of 0 and 255 may have it."""
    random = np.random.default_rng(0).random((1, 1, 8, 8))
    output = {"boxes": np.array([[0.0, 0, 8, 8]]), "labels": np.array([1]), "scores": np.array([0.9]), "masks": random}
    with pytest.raises(ImplausibleError, match=rf"mask_threshold is {threshold}, and .* 0\.5 for instance"):
        from_torchvision(output, kind="mask", first_label=1, mask_threshold=threshold)
    output["masks"] = (random > 0.5) * 255.0
    found = from_torchvision(output, kind="mask", first_label=1, mask_threshold=threshold)
    assert found.left_out == 0


def test_a_classification_has_a_class_once():
    """A vector of 0 and 1 is no list of indexes: class 0 was stored three times."""
    check_prediction(ClassificationPredictionFormat([0, 2, 1], [0.1, 0.7, 0.2]), WIDTH, HEIGHT)
    with pytest.raises(ImplausibleError, match="detection_classes has 0 3 times"):
        check_prediction(ClassificationPredictionFormat([0, 0, 1, 0], [0.1, 0.1, 0.7, 0.1]), WIDTH, HEIGHT)


def test_a_skeleton_without_a_point_is_no_object():
    """As a mask without a pixel: constructors leave it out and count it, and given itself it is refused."""
    points = np.zeros((2, 17, 2))
    points[1, 3] = 40, 50
    found = KeypointPredictionFormat.from_keypoints(points, [0, 1], [0.9, 0.8])
    assert (found.detection_classes, found.detection_scores, found.left_out) == ([1], [0.8], 1)
    check_prediction(found, WIDTH, HEIGHT)
    with pytest.raises(ImplausibleError, match=r"prediction\.keypoints\[0\] is a skeleton of which no point is there"):
        check_prediction(KeypointPredictionFormat([0], [0.9], [[[0, 0, 0]] * 17]), WIDTH, HEIGHT)
