"""A prediction belongs to an image of one size: what tells that size is held against what the call says."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from picsellia_async import (
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    MaskPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.plausibility import check_prediction

pytest.importorskip("faster_coco_eval")

WIDTH, HEIGHT = 64, 48
ONE = {"classes": [0], "scores": [0.5]}


def mask(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    found = np.zeros((height, width), bool)
    found[2:6, 3:9] = True
    return found


MADE = {
    "masks": lambda width, height: MaskPredictionFormat.from_binary_masks([mask(height, width)], **ONE),
    "polygons of masks": lambda width, height: SegmentationPredictionFormat.from_binary_masks([mask(height, width)], **ONE),
    "filled polygons": lambda width, height: MaskPredictionFormat.from_polygons([[1, 1, 9, 1, 9, 9]], size=(width, height), **ONE),
    "runs": lambda width, height: MaskPredictionFormat.from_rle([{"size": [height, width], "counts": [0, 9, width * height - 9]}], **ONE),
    "shares": lambda width, height: DetectionPredictionFormat.from_cxcywh([[0.5, 0.5, 0.1, 0.1]], normalized=(width, height), **ONE),
    "cut": lambda width, height: DetectionPredictionFormat.from_xyxy([[1, 1, 5, 5]], clip=(width, height), **ONE),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(("width", "height"), [(HEIGHT, WIDTH), (WIDTH // 4, HEIGHT // 4)], ids=["swapped", "smaller"])
def test_a_prediction_made_for_another_size_is_refused(name, width, height):
    """Swapped sides keep the number of pixels and masks of the network's size lie within the image: only the size tells them."""
    with pytest.raises(ImplausibleError, match=f"was made for an image of {width} x {height}"):
        check_prediction(MADE[name](width, height), WIDTH, HEIGHT)


@pytest.mark.parametrize("name", MADE)
def test_a_prediction_of_the_images_size_passes(name):
    """The size is no part of what is compared or sent."""
    prediction = MADE[name](WIDTH, HEIGHT)
    check_prediction(prediction, WIDTH, HEIGHT)
    assert prediction.image_size == (WIDTH, HEIGHT)
    assert attrs.evolve(prediction) == prediction


@pytest.mark.parametrize("name", MADE)
def test_the_size_moves_along_with_a_smaller_image(name):
    """`max_side` makes image and prediction smaller; one that was made for the smaller image already would be moved twice."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame = Frame.from_array(pixels, prediction=MADE[name](WIDTH, HEIGHT), latency=0.02, max_side=32)
    assert frame.prediction.image_size == (32, 24)


def test_a_prediction_made_for_the_smaller_image_is_not_made_smaller_again():
    """The array is larger than what the model saw: that is refused, not scaled a second time."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    with pytest.raises(ImplausibleError, match="was made for an image of"):
        Frame.from_array(pixels, prediction=MADE["cut"](32, 24), latency=0.02, max_side=32)


@pytest.mark.parametrize("name", MADE)
def test_the_message_has_the_callers_numbers(name):
    """And not those of the smaller image, nor how a mask is decoded."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    shadow = {"shadow_prediction": MADE[name](128, 96), "shadow_latency": 0.1}
    message = "prediction was made for an image of 128 x 96 .*, and pixels is 64 x 48"
    for fields in ({"prediction": MADE[name](128, 96)}, {"prediction": MADE[name](WIDTH, HEIGHT), **shadow}):
        with pytest.raises(ImplausibleError, match=message):
            Frame.from_array(pixels, latency=0.02, max_side=32, **fields)
    if name in {"shares", "cut"}:  # masks of another size cannot be moved along
        assert Frame.from_array(pixels, latency=0.02, max_side=32, prediction=MADE[name](128, 96), checks="off")


def test_a_text_of_runs_is_held_against_its_size():
    """Compressed counts are checked like plain ones."""
    with pytest.raises(ValueError, match="its runs cover 3072 pixels, its image has 100"):
        MaskPredictionFormat.from_rle([{"size": [10, 10], "counts": "PP3"}], **ONE)
