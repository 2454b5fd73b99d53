"""What messages advise can be done, and gives what was meant."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from picsellia_async import (
    ConfigurationError,
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    MaskPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import from_coco, from_supervision

from ..support.images import jpeg

NOTHING = DetectionPredictionFormat([], [], [])
LEVELS = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
"""Each level of gray once."""


def frame(**fields):
    """Return a frame of nothing."""
    given = {"image": jpeg(8, 8), "filename": "a.jpg", "width": 8, "height": 8, "latency": 0.1, "prediction": NOTHING}
    return Frame(**given | fields)


@pytest.mark.parametrize("make", [MaskPredictionFormat, SegmentationPredictionFormat])
def test_flat_masks_are_told_so(make):
    """`reshape` makes them masks: they were called one mask alone, and then the mask of another image."""
    pytest.importorskip("faster_coco_eval")
    masks = np.zeros((2, 6, 8), bool)
    masks[:, 1:4, 2:5] = True
    for count in (1, 2):
        flat = masks[:count].reshape(count, -1)
        with pytest.raises(ConfigurationError, match=rf"as flat masks: masks\.reshape\({count}, height, width\)"):
            make.from_binary_masks(flat, [0] * count, [0.9] * count)
        with pytest.raises(ConfigurationError, match=r"masks\[0\] .* shape \(48,\): flat, reshape\(height, width\)"):
            make.from_binary_masks(list(flat), [0] * count, [0.9] * count)
        right = make.from_binary_masks(flat.reshape(count, 6, 8), [0] * count, [0.9] * count)
        assert right == make.from_binary_masks(masks[:count], [0] * count, [0.9] * count)
    with pytest.raises(ConfigurationError, match=r"as one mask alone: \[masks\] makes a list of it"):
        make.from_binary_masks(masks[0], [0], [0.9])


def test_a_list_of_pixels_is_made_an_array():
    """It has no type of numbers, and no `astype`."""
    with pytest.raises(ConfigurationError, match=r"got a list: numpy\.asarray\(pixels, numpy\.uint8\)$"):
        Frame.from_array(LEVELS.tolist(), prediction=NOTHING, latency=0.1)
    with pytest.raises(
        ConfigurationError, match=r"got a list: pixels = numpy\.asarray\(pixels\) makes one; multiply by 255"
    ):
        Frame.from_array((LEVELS / 255).tolist(), prediction=NOTHING, latency=0.1)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_levels_of_gray_survive_the_advice(kind):
    """What `astype` cuts off is a level: of floats that were normalised every fourth got too dark."""
    for mean, std in ((0.485, 0.229), (0.5, 0.5), (0.0, 1.0)):
        pixels = ((LEVELS / 255 - mean) / std).astype(kind)
        with pytest.raises(ConfigurationError, match=r"\.round\(\)\.astype\(numpy\.uint8\)$"):
            Frame.from_array(pixels, prediction=NOTHING, latency=0.1)
        undone = (pixels.astype(np.float32) * std + mean) * 255
        assert np.abs(np.clip(undone, 0, 255).round().astype(np.uint8).astype(int) - LEVELS).max() <= (
            kind == np.float16
        )
    with pytest.raises(ConfigurationError, match=r"got float32: round\(\)\.astype\(numpy\.uint8\)$"):
        Frame.from_array(LEVELS.astype(np.float32), prediction=NOTHING, latency=0.1)


@pytest.mark.parametrize(("order", "format_"), [("BGR", "JPEG"), ("Rgb", "jpg"), ("bgr", "PNG")])
def test_words_of_pixels_in_any_case(order, format_):
    """As of enums: nothing else can be meant."""
    found = Frame.from_array(LEVELS, prediction=NOTHING, latency=0.1, order=order, format=format_)
    plain = {"JPEG": "jpeg", "jpg": "jpeg", "PNG": "png"}[format_]
    assert (
        found.image
        == Frame.from_array(LEVELS, prediction=NOTHING, latency=0.1, order=order.lower(), format=plain).image
    )
    with pytest.raises(ConfigurationError, match=r'order must be "bgr", "rgb" or "gray", got \'BRG\''):
        Frame.from_array(LEVELS, prediction=NOTHING, latency=0.1, order="BRG")


@pytest.mark.parametrize(
    "fields", [{"tags": ["day", "a\0"]}, {"tags": ["a\nb"]}, {"source": "line 1\r"}, {"source": "\x1b[1m"}], ids=str
)
def test_names_with_control_characters(fields):
    """As of file names: no tag and no source has them. Spaces of any script, and names in it, are others."""
    with pytest.raises(ImplausibleError, match="has a control character, such as NUL"):
        frame(**fields)
    frame(**fields, checks="off")
    name = "caméra\u00a01 \u200d北"
    assert frame(tags=[name], source=name).tags == [name]


def test_blank_names():
    """Told as what they are."""
    with pytest.raises(ConfigurationError, match="filename is blank"):
        frame(filename=" ")
    with pytest.raises(ImplausibleError, match="upload_dir is blank: give a prefix of names, or leave it out"):
        frame(upload_dir=" ")


@pytest.mark.parametrize("value", [b"x", {1}, object(), 2**70], ids=["bytes", "set", "object", "integer"])
def test_what_json_takes_is_said(value):
    """With the place of what it does not."""
    with pytest.raises(
        ConfigurationError, match=r"custom_metadata\['a'\] cannot .* It takes text, numbers of up to 64 bits"
    ):
        frame(custom_metadata={"a": value})


def test_a_score_beside_scores():
    """One of both would be lost in silence; where an annotation has none, it is needed."""
    found = SimpleNamespace(xyxy=np.array([[1.0, 2, 30, 40]]), class_id=np.zeros(1, int), confidence=np.full(1, 0.9), mask=None, data={})  # fmt: skip
    with pytest.raises(ConfigurationError, match="score= is for a result without confidences, and this one has them"):
        from_supervision(found, score=0.5)
    found.confidence = None
    assert from_supervision(found, score=0.5).detection_scores == [0.5]
    scored = {"category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9}
    human = {"category_id": 1, "bbox": [5, 2, 30, 40], "score": None}
    with pytest.raises(ConfigurationError, match="score= is the confidence of annotations that have none, and all of"):
        from_coco([scored], categories={1: 0}, score=0.5)
    assert from_coco([scored, human], categories={1: 0}, score=0.5).detection_scores == [0.9, 0.5]
