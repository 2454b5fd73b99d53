"""Values of a wrong kind are told by the name of their argument, with a way that exists for them."""

from __future__ import annotations

import json

import pytest

from picsellia_async import (
    ConfigurationError,
    DetectionPredictionFormat,
    MaskPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import from_supervision
from picsellia_async.sources import SourceError, manifest

from ..support.sources import encoded, listed

np = pytest.importorskip("numpy")

WIDTH, HEIGHT = 1280, 720
NOTHING = DetectionPredictionFormat([], [], [])


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
