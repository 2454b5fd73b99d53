"""`OnnxModel`: each family's outputs become boxes in pixels of the picture, and what cannot be told is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

from picsellia_async import ClassificationPredictionFormat, ConfigurationError, DetectionPredictionFormat
from picsellia_async.inference import OnnxModel
from picsellia_async.inference.fitting import fit

from ..support.onnx_models import save_model, save_model_of_side, yolo5, yolo8

NAMES = ["person", "car", "dog"]
WIDE = np.full((100, 200, 3), 90, np.uint8)
"""200 x 100: in an input of 64 x 64 it is 64 x 32, 16 below the top; one pixel there is 3.125 of it."""
# The first class's box from (16, 24) to (48, 40) in the input is (50, 25) to (150, 75) in the picture.
BOX, EXPECTED = [16.0, 24.0, 48.0, 40.0], [25, 50, 75, 150]
CENTERED = [32.0, 32.0, 32.0, 16.0]
NEXT = [33.0, 32.0, 32.0, 16.0]
STRETCHED = [25, 50, 75, 150]


def column(*values: float) -> Any:
    return np.array(values, np.float32)


def final(boxes: Any, scores: Any, classes: Any) -> tuple[Any, Any, Any]:
    return np.array([boxes], np.float32), np.array([scores], np.float32), np.array([classes], np.float32)


def tensorflow() -> dict[str, Any]:
    """Shares as top, left, bottom, right; classes from 1; two of four rows count."""
    boxes, scores, classes = final([[0.25, 0.25, 0.75, 0.75]] * 4, [0.9, 0.1, 0.9, 0.9], [2, 2, 3, 3])
    return {
        "detection_boxes:0": boxes, "detection_scores:0": scores, "detection_classes:0": classes,
        "num_detections:0": column(2),
    }  # fmt: skip


def tensorrt() -> dict[str, Any]:
    boxes, scores, classes = final([BOX, BOX], [0.9, 0.9], [1, 2])
    return {
        "num_dets": np.array([[1]], np.int32), "det_boxes": boxes, "det_scores": scores,
        "det_classes": classes.astype(np.int32),
    }  # fmt: skip


FAMILIES = {
    "yolov8": (yolo8([[*CENTERED, 0.1, 0.9, 0.0], [*NEXT, 0.0, 0.8, 0.0]]), EXPECTED),
    "yolov8 upright": ({"o": yolo8([[*CENTERED, 0.1, 0.9, 0.0]])["output0"].transpose(0, 2, 1)}, EXPECTED),
    "yolov5": (
        yolo5([[*CENTERED, 0.9, 0.1, 1.0, 0.0], [*CENTERED, 0.1, 0.0, 1.0, 0.0], [*NEXT, 0.8, 0, 1.0, 0]]),
        EXPECTED,
    ),
    "with nms": ({"output0": np.array([[[*BOX, 0.9, 1], [*BOX, 0.1, 0]]], np.float32)}, EXPECTED),
    "with nms, yolov7": ({"output": np.array([[0, *BOX, 1, 0.9]], np.float32)}, EXPECTED),
    "tensorrt": (tensorrt(), EXPECTED),
    "tensorflow": (tensorflow(), STRETCHED),
    "ssd": (
        dict(zip(("bboxes", "scores", "labels"), final([[0.25, 0.25, 0.75, 0.75]], [0.9], [2]), strict=True)),
        STRETCHED,
    ),
    "torchvision": (
        {
            "boxes": np.array([[16, 16, 48, 48]], np.float32), "labels": np.array([2], np.int64),
            "scores": column(0.9),
        },
        STRETCHED,
    ),
    "ssd with background": (
        {
            "scores": np.array([[[0, 0, 0.9, 0.1], [0, 0, 0.8, 0.1], [1.0, 0, 0, 0]]], np.float32),
            "boxes": np.array([[[0.25, 0.25, 0.75, 0.75]] * 3], np.float32),
        },
        STRETCHED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_s_boxes_are_right_to_the_pixel(family: str, tmp_path: Path) -> None:
    """The one sure box, after its less sure neighbours were suppressed: in pixels of the picture, of its class."""
    outputs, expected = FAMILIES[family]
    model = OnnxModel.load(save_model(tmp_path / "m.onnx", outputs), NAMES)
    found = model(WIDE)
    assert isinstance(found, DetectionPredictionFormat)
    assert (found.detection_boxes, found.detection_classes) == ([expected], [1])
    assert found.detection_scores == [pytest.approx(0.9, abs=1e-3)]


@pytest.mark.parametrize("size", [(200, 100), (100, 200), (64, 64), (1920, 1080), (1000, 37), (33, 999), (50, 40)])
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_a_box_comes_back_to_where_it_was_drawn(size: tuple[int, int], resize: Any) -> None:
    """A white rectangle is found in the fitted picture and taken back: within a pixel of the input."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    drawn = np.array([width // 4, height // 4, width * 3 // 4, height * 3 // 4])
    picture[drawn[1] : drawn[3], drawn[0] : drawn[2]] = 255
    fitted = fit(picture, (320, 256), resize)
    assert fitted.pixels.shape == (256, 320, 3)
    rows, columns = np.nonzero(fitted.pixels[:, :, 0] > 127)
    found = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
    pixel = 1 / np.array([*fitted.scale, *fitted.scale])
    assert (np.abs(fitted.back(found) - drawn) <= np.maximum(pixel, 1)).all()


def test_boxes_of_different_classes_do_not_suppress_each_other(tmp_path: Path) -> None:
    """Two classes at one place are two boxes, the surer one first."""
    outputs = yolo8([[*CENTERED, 0.6, 0.0, 0.0], [*CENTERED, 0.0, 0.0, 0.7]])
    found = OnnxModel.load(save_model(tmp_path / "m.onnx", outputs), NAMES)(WIDE)
    assert found.detection_classes == [2, 0]


def test_nothing_found_is_a_prediction_without_boxes(tmp_path: Path) -> None:
    """Below the threshold, in the gray beside the picture, or of a class that was not asked for: no box."""
    outputs = yolo8([[*CENTERED, 0.2, 0.0, 0.0], [32.0, 5.0, 20.0, 6.0, 0.9, 0.0, 0.0], [*CENTERED, 0.0, 0.0, 0.7]])
    model = OnnxModel.load(save_model(tmp_path / "m.onnx", outputs), NAMES, only=["person", "car"])
    assert model(WIDE).detection_boxes == []


def test_classes_are_looked_up_by_name(tmp_path: Path) -> None:
    """With the deployment's label map the prediction has its indexes, whatever the model's are."""
    path = save_model(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.0, 0.9, 0.0]]))
    found = OnnxModel.load(path, NAMES, label_map={"car": 7, "dog": 1, "person": 2})(WIDE)
    assert found.detection_classes == [7]


@pytest.mark.parametrize(
    ("values", "expected"),
    [("0-1", 90 / 255), ("0-255", 90), ("-1-1", 90 / 255 * 2 - 1), ("imagenet", (90 / 255 - 0.485) / 0.229)],
)
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((1, 3, 64, 64), "float32"),
        (("n", "h", "w", 3), "float32"),
        ((3, "h", "w"), "float32"),
        ((1, 3, 64, 64), "float16"),
    ],
)
def test_the_input_gets_what_it_has_learnt(
    values: Any, expected: float, shape: Any, dtype: str, tmp_path: Path
) -> None:
    """Values, order of the axes, and a size where the model has none of its own."""
    path = save_model(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.0, 0.9, 0.0]]), shape=shape, dtype=dtype)
    size = 64 if "h" in shape else None
    model = OnnxModel.load(path, NAMES, values=values, size=size)
    picture = np.full((64, 64, 3), 90, np.uint8)
    tensor = model._tensor(picture)
    assert tensor.dtype == dtype
    assert tensor.shape == tuple(64 if one in {"h", "w"} else 1 if one == "n" else one for one in shape)
    first = tensor.reshape(-1)[0]
    assert float(first) == pytest.approx(expected, rel=1e-2)
    assert "YOLOv8" in repr(model)


def test_bgr_and_bytes(tmp_path: Path) -> None:
    """A model of bytes gets them as they are; `order="bgr"` turns the channels."""
    path = save_model(tmp_path / "m.onnx", tensorflow(), shape=(1, 64, 64, 3), dtype="uint8")
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :, 0] = 200
    assert OnnxModel.load(path, NAMES)._tensor(picture)[0, 0, 0].tolist() == [200, 0, 0]
    assert OnnxModel.load(path, NAMES, order="bgr")._tensor(picture)[0, 0, 0].tolist() == [0, 0, 200]


@pytest.mark.parametrize("logits", [False, True])
def test_a_classifier_gives_its_surest_class(logits: bool, tmp_path: Path) -> None:
    """From probabilities as they are, from other scores by a softmax."""
    shares = np.array([[0.1, 0.7, 0.2]], np.float32)
    path = save_model(tmp_path / "m.onnx", {"probs": np.log(shares) if logits else shares})
    model = OnnxModel.load(path, NAMES, task="classification", label_map={"car": 5, "dog": 1, "person": 2})
    found = model(WIDE)
    assert isinstance(found, ClassificationPredictionFormat)
    assert (found.detection_classes, found.detection_scores) == ([5], [pytest.approx(0.7, abs=1e-4)])
    with pytest.raises(ConfigurationError, match=r"is a classifier, and a detector is wanted.*probs \[1, 3\]"):
        OnnxModel.load(path, NAMES)


UNREADABLE = {
    "another number of names": yolo8([[*CENTERED, 0.9, 0.0]]),
    "masks": {**yolo8([[*CENTERED, 0.9, 0.0, 0.0]]), "output1": np.zeros((1, 32, 16, 16), np.float32)},
    "keypoints": yolo8([[*CENTERED, 0.9, *[1.0] * 51]]),
    "another number of cells": yolo8([[*CENTERED, 0.9, 0.0, 0.0]], cells=100),
    "boxes that are not decoded": {"loc": np.zeros((1, 50, 4), np.float32), "conf": np.zeros((1, 50, 4), np.float32)},
    "raw heads": {f"head{i}": np.zeros((1, 24, i, i), np.float32) for i in (8, 4, 2)},
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_told_is_refused_with_its_shapes(what: str, tmp_path: Path) -> None:
    """When it is loaded, with what would be read and the way out."""
    outputs = UNREADABLE[what]
    with pytest.raises(ConfigurationError, match=r"cannot be told: .*\[1, \d+.*names right.*Pipeline"):
        OnnxModel.load(save_model(tmp_path / "m.onnx", outputs), NAMES)


def test_other_inputs_and_files_are_refused(tmp_path: Path) -> None:
    """Two inputs, four channels, a batch of eight, a size of its own, no file, no model: each told."""
    output = yolo8([[*CENTERED, 0.9, 0.0, 0.0]])
    for options in ({"inputs": 2}, {"shape": (1, 4, 64, 64)}, {"shape": (8, 3, 64, 64)}, {"shape": (1, 10)}):
        with pytest.raises(ConfigurationError, match="the model must take one picture"):
            OnnxModel.load(save_model(tmp_path / "m.onnx", output, **options), NAMES)
    with pytest.raises(ConfigurationError, match="size=96"):
        OnnxModel.load(save_model(tmp_path / "m.onnx", output), NAMES, size=96)
    with pytest.raises(ConfigurationError, match="there is no model"):
        OnnxModel.load(tmp_path / "none.onnx", NAMES)
    (tmp_path / "text.onnx").write_text("names")
    with pytest.raises(ConfigurationError, match="no model that ONNX Runtime can run"):
        OnnxModel.load(tmp_path / "text.onnx", NAMES)


@pytest.mark.parametrize(
    "options",
    [
        {"only": ["cat"]},
        {"only": []},
        {"values": "0-2"},
        {"order": "gbr"},
        {"task": "pose"},
        {"resize": "crop"},
        {"size": 3},
        {"threshold": 7},
        {"threshold": -0.1},
        {"iou": 1.5},
    ],
)
def test_arguments_out_of_range_are_refused(options: Any, tmp_path: Path) -> None:
    """Each with its name."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        OnnxModel.load(save_model(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.9, 0.0, 0.0]])), NAMES, **options)


OWN = repr({0: "person", 1: "car", 2: "dog"})


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({}, ""),
        ({"names": OWN}, ""),
        ({"names": "['Person', 'car', 'dog']"}, ""),
        ({"names": "no dict", "imgsz": "none"}, ""),
        ({"names": repr({0: "personne", 1: "car", 2: "chien"})}, "2 of its classes.*class 0 is 'personne' there and 'person' here"),
        ({"names": repr({0: "person", 1: "car", 2: "dog", 3: "cat"})}, "class 3 is 'cat' there and None here"),
    ],
)  # fmt: skip
def test_names_in_the_file_are_compared_with_those_given(
    metadata: dict[str, str], told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Exporters write them into the model: what is called otherwise is told once, with the first differences."""
    path = save_model(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.9, 0.0, 0.0]]), metadata=metadata)
    model = OnnxModel.load(path, NAMES)
    model(WIDE)
    model(WIDE)
    assert len(caplog.messages) == bool(told)
    assert re.search(told, caplog.text)


def test_a_name_that_two_classes_have_is_in_its_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the file has it twice too, another difference makes no other order of it."""
    told = {"names": repr({0: "a", 1: "a", 2: "b"})}
    path = save_model(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.9, 0.0, 0.0]]), metadata=told)
    OnnxModel.load(path, ["a", "a", "c"])
    assert "class 2 is 'b' there and 'c' here" in caplog.text


def test_names_in_another_order_than_in_the_file_are_refused(tmp_path: Path) -> None:
    """Every box would be of another class."""
    path = save_model(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.9, 0.0, 0.0]]), metadata={"names": OWN})
    with pytest.raises(ConfigurationError, match=r"another order.*'car' is class 0 here and class 1 there"):
        OnnxModel.load(path, ["car", "person", "dog"])


@pytest.mark.parametrize(
    ("told", "given"),
    [
        (["face_male", "face_female"], ["Face Female", "Face Male"]),
        (["Face-Male", "Face-Female"], ["face_female", "face_male"]),
        (["C", "C++"], ["c++", "c"]),
    ],
)
def test_another_order_is_seen_in_another_spelling(told: list[str], given: list[str], tmp_path: Path) -> None:
    """Case, spaces and punctuation make no other class, unless nothing else tells two classes apart; the same order is taken."""
    path = save_model(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.9, 0.0]]), metadata={"names": repr(told)})
    with pytest.raises(ConfigurationError, match="another order"):
        OnnxModel.load(path, given)
    assert OnnxModel.load(path, given[::-1]).names == dict(enumerate(given[::-1]))


def test_a_model_that_fails_on_pictures_of_the_size_is_refused(tmp_path: Path) -> None:
    """While it is loaded, by the option, whatever the runtime raises."""
    path = save_model_of_side(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.9, 0.0, 0.0]]), 64)
    assert "64 x 64" in repr(OnnxModel.load(path, NAMES, size=64))
    with pytest.raises(ConfigurationError, match=r"^size=65: the model fails on a picture of 65 x 65"):
        OnnxModel.load(path, NAMES, size=65)
    with pytest.raises(ConfigurationError, match=r"^the model fails on a picture of 640 x 640.*`size` gives another"):
        OnnxModel.load(path, NAMES)


@pytest.mark.parametrize(
    ("metadata", "size", "expected"),
    [
        ({"imgsz": "[64, 96]"}, None, "96 x 64"),
        ({"imgsz": "[64, 64]"}, None, "64 x 64"),
        ({"imgsz": "640"}, 64, "64 x 64"),
    ],
)
def test_the_size_that_the_file_tells_is_the_default(metadata: Any, size: Any, expected: str, tmp_path: Path) -> None:
    """Of an input that may have any: height and width as exporters write them; `size=` wins."""
    cells = 126 if "96" in expected else 84
    output = yolo8([[*CENTERED, 0.9, 0.0, 0.0]], cells=cells)
    path = save_model(tmp_path / "m.onnx", output, shape=(1, 3, "h", "w"), metadata=metadata)
    assert expected in repr(OnnxModel.load(path, NAMES, size=size))


@pytest.mark.parametrize("names", [[], "person", [""], {0: "a", 2: "b"}])
def test_names_without_one_for_each_class_are_refused(names: Any, tmp_path: Path) -> None:
    """None, a text, a blank one, a gap."""
    with pytest.raises(ConfigurationError, match="names must"):
        OnnxModel.load(save_model(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.9]])), names)


def test_ssd_numbers_that_contradict_what_was_told_fail_the_frame(tmp_path: Path) -> None:
    """Boxes that are no shares, and classes beyond the names, name the option that says otherwise."""
    names = ("bboxes", "scores", "labels")
    pixels = save_model(tmp_path / "p.onnx", dict(zip(names, final([[16, 16, 48, 48]], [0.9], [2]), strict=True)))
    with pytest.raises(ConfigurationError, match="coordinates='pixels'"):
        OnnxModel.load(pixels, NAMES)(WIDE)
    assert OnnxModel.load(pixels, NAMES, coordinates="pixels")(WIDE).detection_boxes == [STRETCHED]
    zero = save_model(tmp_path / "z.onnx", dict(zip(names, final([[0, 0, 0.5, 0.5]], [0.9], [0]), strict=True)))
    with pytest.raises(ConfigurationError, match="first_label="):
        OnnxModel.load(zero, NAMES)(WIDE)
    assert OnnxModel.load(zero, NAMES, first_label=0)(WIDE).detection_classes == [0]


def test_the_picture_is_given_as_it_was_decoded() -> None:
    """OpenCV's array of a wide picture keeps its channels in the letterbox."""
    picture = cv2.cvtColor(np.full((10, 20, 3), (1, 2, 3), np.uint8), cv2.COLOR_BGR2RGB)
    fitted = fit(picture, (40, 40), "letterbox")
    assert fitted.pixels[20, 20].tolist() == [3, 2, 1]
    assert fitted.pixels[0, 0].tolist() == [114] * 3


@pytest.mark.parametrize(("cores", "threads", "expected"), [(8, None, 7), (1, None, 1), (8, 8, 8)])
def test_a_core_is_left_to_the_event_loop(
    cores: int, threads: int | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime takes one core less than there are, unless it is told otherwise, and does not spin between two calls."""
    made = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self.get_session_options())

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    options = {} if threads is None else {"threads": threads}
    OnnxModel.load(save_model(tmp_path / "m.onnx", yolo8([[*CENTERED, 0.9, 0.0, 0.0]])), NAMES, **options)
    assert [one.intra_op_num_threads for one in made] == [expected]
    assert made[0].get_session_config_entry("session.intra_op.allow_spinning") == "0"
