"""Values of a wrong kind are told by the name of their argument, with a way that exists for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from picsellia_async import (
    ConfigurationError,
    ContentTypeUnknown,
    DetectionPredictionFormat,
    Frame,
    MaskPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async._delivery.options import Options
from picsellia_async.predictions import from_supervision
from picsellia_async.sources import SourceError, manifest

from ..support.sources import encoded, listed

np = pytest.importorskip("numpy")

WIDTH, HEIGHT = 1280, 720
NOTHING = DetectionPredictionFormat([], [], [])


@pytest.mark.parametrize("make", [MaskPredictionFormat, SegmentationPredictionFormat])
@pytest.mark.parametrize("masks", [None, 5, True, np.array(1), "masks"], ids=repr)
def test_what_is_no_list_of_masks_is_named(make, masks):
    """`result.masks` is None of an image without anything."""
    with pytest.raises(
        ConfigurationError, match="masks must be a list of arrays of height x width, one per shape, got"
    ):
        make.from_binary_masks(masks, [0], [0.9])


@pytest.mark.parametrize("make", [MaskPredictionFormat, SegmentationPredictionFormat])
def test_a_score_that_is_no_list_is_named(make):
    """An array of no dimension has a length by its type alone."""
    with pytest.raises(ConfigurationError, match="scores must be a list"):
        make.from_binary_masks([np.ones((4, 4), bool)], [0], np.array(5))


@pytest.mark.parametrize("detections", [np.array(5), np.zeros((3, 4))], ids=["number", "boxes"])
def test_an_array_in_place_of_detections_is_named(detections):
    """Such as `detections.xyxy`."""
    with pytest.raises(ConfigurationError, match="from_supervision takes Detections, KeyPoints or Classifications"):
        from_supervision(detections)


class Tensor:
    """Stands for torch's, which has other methods than numpy's arrays."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def cpu(self):
        return self.array


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (None, r"pixels is None: cv2\.imread gives that where it cannot read"),
        ("a.jpg", r"pixels is 'a\.jpg', and no array: .*Frame\(image=Path"),
        (Path("a.jpg"), r"no array: .*Frame\(image=Path"),
        (np.ma.masked_array(np.zeros((4, 4), np.uint8), np.eye(4, dtype=bool)), r"pixels\.filled\("),
        (Tensor(np.zeros((3, 72, 128), np.uint8)), r"transpose\(1, 2, 0\) \(of a tensor: pixels\.cpu\(\)\.numpy\(\) first\)"),
        (Tensor(np.zeros((72, 128, 3), np.float32)), r"astype\(numpy\.uint8\) \(of a tensor"),
    ],
    ids=["None", "text", "path", "masked", "channels first", "shares"],
)  # fmt: skip
def test_pixels_that_are_none_are_told_a_way_that_exists(pixels, message):
    """None is the commonest of all."""
    with pytest.raises(ConfigurationError, match=message):
        Frame.from_array(pixels, prediction=NOTHING, latency=0.1)


def test_a_content_type_that_no_name_tells_is_not_advised_for_others():
    """A WebP that is said to be a JPEG is refused at once."""
    with pytest.raises(ContentTypeUnknown, match="image/jpeg or image/png, which are all that the platform shows"):
        Frame(object_name="z.webp", width=4, height=4, latency=0.1, prediction=NOTHING)


@pytest.mark.parametrize("option", ["deduplicate", "by_source"])
def test_switches_take_no_words(option):
    """A word is true, "no" among them."""
    with pytest.raises(ConfigurationError, match=f"{option} must be True or False, got 'no'"):
        Options(**{option: "no"})


@pytest.mark.anyio
@pytest.mark.parametrize("count", [1, 3])
async def test_a_manifest_with_swapped_sides_is_told_so(tmp_path, count):
    """Right boxes were told to be in another order: the size that the image contradicts comes first."""
    box = [[80, 100, 710, 1200]]
    prediction = {"detection_classes": [0], "detection_scores": [0.9], "detection_boxes": box}
    lines = []
    for number in range(count):
        (tmp_path / f"{number}.png").write_bytes(encoded(WIDTH, HEIGHT, suffix=".png"))
        line = {"image": f"{number}.png", "width": HEIGHT, "height": WIDTH, "prediction": prediction}
        lines.append(json.dumps(line))
    file = tmp_path / "m.jsonl"
    file.write_text("\n".join(lines))
    with pytest.raises(
        SourceError, match=r"line 1: .*width and height are 720 and 1280, but .*says 1280 x 720.*swapped"
    ):
        await listed(manifest(file))
    file.write_text("\n".join(lines).replace('"width": 720, "height": 1280, ', ""))
    assert [frame.prediction.detection_boxes for frame in await listed(manifest(file))] == [box] * count
