"""Messages for values that are nearly right: each says what was meant, in words that can be followed."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from picsellia_async import (
    ConfigurationError,
    DetectionPredictionFormat,
    Frame,
    MaskPredictionFormat,
    PicselliaError,
    SegmentationPredictionFormat,
)
from picsellia_async.inference.onnx_model import names_by_number
from picsellia_async.predictions import from_coco, from_supervision, from_torchvision, from_ultralytics
from picsellia_async.sources._class_names import ClassIndex, names_for

from .framework_results import BOXES, CATEGORIES, detections, one_box

TRIANGLE = [(1, 2), (30, 40), (5, 60)]
NOTHING = DetectionPredictionFormat([], [], [])


class Tensor(np.ndarray[Any, Any]):
    """An array with what tells a tensor of torch."""

    def detach(self) -> Any:
        return self

    def cpu(self) -> Any:
        return np.asarray(self)


def tensor(array: Any) -> Tensor:
    return array.view(Tensor)


def frame_of(pixels: Any) -> Frame:
    return Frame.from_array(pixels, prediction=NOTHING, latency=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SegmentationPredictionFormat.from_polygons(TRIANGLE, [0], [0.5]), r"one polygon alone.*: \[polygons\]"),
        (lambda: SegmentationPredictionFormat.from_polygons(np.array(TRIANGLE), [0], [0.5]), r"one polygon alone.*: \[polygons\]"),
        (lambda: SegmentationPredictionFormat.from_polygons([1, 2, 30, 40, 5, 60], [0], [0.5]), r"one polygon alone.*: \[polygons\]"),
        (lambda: MaskPredictionFormat.from_polygons(TRIANGLE, [0], [0.5], size=(99, 99)), r"one polygon alone.*: \[polygons\]"),
        (lambda: MaskPredictionFormat.from_shapes(TRIANGLE, [0], [0.5], size=(99, 99)), r"one polygon alone.*: \[shapes\]"),
        (lambda: MaskPredictionFormat.from_binary_masks([[0, 1], [1, 1]], [0], [0.5]), r"one mask alone: \[masks\]"),
        (lambda: MaskPredictionFormat.from_rle([TRIANGLE], [0], [0.5]), "polygons are for MaskPredictionFormat.from_shapes"),
        (lambda: MaskPredictionFormat.from_binary_masks(tensor(np.zeros((9, 8, 2))), [0, 0], [0.5, 0.5]), r"masks\.movedim\(-1, 0\)"),
        (lambda: DetectionPredictionFormat([0], [[float("nan"), 2, 3, 4]], [0.5]), "must be a finite number, got nan"),
        (lambda: from_supervision(BOXES), "takes Detections"),
        (lambda: from_supervision(SimpleNamespace(data=np.zeros((3, 4)))), "takes Detections"),
        (lambda: from_supervision(detections(data={"class_name": ["car", "car"]})), r"one entry per shape: got 2 for 1"),
        (lambda: names_for(ClassIndex(), 5, Path()), "names must be a list, got 5"),  # type: ignore[arg-type]
        (lambda: names_by_number(5), "names must be a list, got 5"),  # type: ignore[arg-type]
        (lambda: frame_of(None), "pixels is None.*cv2.imread gives None"),
        (lambda: frame_of("a.jpg"), r"pixels is 'a.jpg'.*Frame\(image=Path"),
        (lambda: frame_of(Path("a.jpg")), r"pixels is PosixPath.*Frame\(image=Path|pixels is WindowsPath"),
        (lambda: frame_of([[1, 2], [3]]), "pixels must be an array of height x width"),
        (lambda: frame_of(np.ma.MaskedArray(np.zeros((9, 9), np.uint8), mask=True)), r"pixels\.filled\(0\)"),
        (lambda: frame_of(tensor(np.zeros((3, 9, 8), np.uint8))), r"pixels\.permute\(1, 2, 0\)"),
        (lambda: frame_of(np.zeros((3, 9, 8), np.uint8)), r"pixels\.transpose\(1, 2, 0\)"),
        (lambda: frame_of(tensor(np.full((9, 8, 3), 0.5))), r"multiply by 255, round and convert, \(pixels \* 255\)\.round\(\)\.to\(torch\.uint8\)"),
        (lambda: frame_of(tensor(np.full((9, 8, 3), -0.5))), r"pixels\.clip\(0, 255\)\.round\(\)\.to\(torch\.uint8\)"),
        (lambda: frame_of(tensor(np.ones((9, 8, 3), bool))), r"pixels\.to\(torch\.uint8\) \* 255"),
        (lambda: frame_of(tensor(np.full((9, 8, 3), 999))), r"\(255 / full\)\)\.round\(\)\.to\(torch\.uint8\)"),
        (lambda: Frame(image=Path("a\x00.jpg"), width=1, height=1, latency=0.1, prediction=NOTHING), "image has a character that no path"),
        (
            lambda: Frame(image=Path("a.jpg"), width=1, height=1, latency=0.1, prediction=NOTHING, timestamp=datetime.date(2024, 1, 1)),  # type: ignore[arg-type]
            "epoch seconds or an aware datetime",
        ),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_the_message_says_what_was_meant(make: Any, message: str) -> None:
    """One thing in place of a list of them, another library's words, nothing where a file could not be read."""
    with pytest.raises(ConfigurationError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: from_ultralytics(one_box(), top="x"), "top must be a whole number"),  # type: ignore[arg-type]
        (lambda: from_supervision(detections(), score=float("nan")), "score must be finite"),
        (lambda: from_supervision(detections(mask=np.ones((1, 720, 1280), bool)), clip="x"), "clip must be"),  # type: ignore[arg-type]
        (
            lambda: from_torchvision(
                {"boxes": BOXES[:1], "labels": np.array([1]), "scores": np.array([0.5])}, first_label=1, mask_threshold="x"  # type: ignore[arg-type]
            ),
            "mask_threshold must be a number",
        ),
        (
            lambda: from_coco(
                [{"category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}], categories={1: 0}, score="x"  # type: ignore[arg-type]
            ),
            "score must be a number",
        ),
        (lambda: from_supervision(detections(xyxy=np.zeros((0, 4))), names=["car"]), "names= needs the label map"),
        (lambda: from_coco([], categories=[{"id": "1", "name": "car"}]), r"categories\[0\] id must be a whole number"),
        (lambda: from_coco([], categories=CATEGORIES, label_map=["car"]), "label_map must be a mapping"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_an_argument_is_looked_at_where_it_has_no_use(make: Any, message: str) -> None:
    """The result of the next image may have one: a mistake that shows with the first detection shows at night."""
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_what_an_array_says_by_itself_is_no_argument() -> None:
    """Sides and type beside an array: the message is about the array, not about the `Frame` that is made of it."""
    with pytest.raises(TypeError, match="an array takes no height, width") as refused:
        Frame.from_array(np.zeros((9, 8, 3), np.uint8), prediction=NOTHING, latency=0.1, height=9, width=8)  # type: ignore[call-arg]
    assert not isinstance(refused.value, PicselliaError)
