"""Every argument of everything that makes a prediction or a frame, given what nobody means: a ConfigurationError at most.

The arguments are found by reflection, so that a new one is tried without a row. What is taken is other tests' matter: here a value may be
taken or refused, and an error of Python's own names no argument.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import pytest

from picsellia_async import ConfigurationError, Frame, predictions, sources
from picsellia_async.frames import FrameDetails

from ..support.images import jpeg
from .framework_results import BOXES, CATEGORIES, LABELS, MASK, detections, key_points, ultralytics

RLE: Final = {"size": [10, 10], "counts": [5, 10, 85]}
PIXELS: Final = np.zeros((40, 60, 3), np.uint8)


class TensorOfOne:
    """What a tensor of torch of one number is like: it has a length and an iterator, and raises when asked for either."""

    ndim, shape, dtype = 0, (), "torch.float32"

    def item(self) -> float:
        return 1.0

    def tolist(self) -> float:
        return 1.0

    def detach(self) -> TensorOfOne:
        return self

    def cpu(self) -> TensorOfOne:
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(1.0)

    def __len__(self) -> int:
        raise TypeError("len() of a 0-d tensor")

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("iteration over a 0-d tensor")

    def __contains__(self, one: object) -> bool:
        raise RuntimeError("Tensor.__contains__ only supports Tensor or scalar")

    def __bool__(self) -> bool:
        return True


async def forgotten() -> dict[str, int]:
    """Return what nobody awaits."""
    return {}


def odd_values() -> list[Any]:
    """Return values that hardly any argument takes; new ones, since some can be used once."""
    return [
        None, 0, 5, -1, 10**400, True, "x", "", "\x00", "\ud800", b"x", {}, {"a": 1}, {0: "person"}, [], [None], [[None]], [[[]]],
        math.nan, math.inf, object(), np.float32(3), np.array(5), np.array(None), np.zeros(0), np.zeros((2, 2)), np.array(["a"]),
        {1, 2}, (i for i in ()), lambda: 1, TensorOfOne(), [math.nan], [object()], [[1, 2, "x", 4]], [{}], [{"id": [], "name": "x"}],
        SimpleNamespace(), PIXELS, Path("\x00"), Path("\ud800"), ["person", "car"], np.datetime64("NaT"), np.ma.masked,
    ]  # fmt: skip


FIRST: Final[dict[str, Any]] = {
    "from_xyxy": [[1, 2, 30, 40]], "from_xywh": [[1, 2, 30, 40]], "from_cxcywh": [[50, 50, 30, 40]],
    "from_polygons": [[(1, 2), (30, 40), (5, 60)]], "from_binary_masks": MASK[None], "from_rle": [RLE], "from_shapes": [RLE],
    "from_keypoints": [[(1, 2), (30, 40), (5, 60)]], "from_lines": [[(1, 2), (30, 40)]], "from_points": [(1, 2)],
}  # fmt: skip
"""The shapes that each constructor takes."""

TORCHVISION: Final = {
    "boxes": BOXES[:1], "labels": np.array([1]), "scores": np.array([0.75]), "masks": np.full((1, 1, 30, 40), 0.9),
}  # fmt: skip
ANNOTATION: Final = {"image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40], "score": 0.9}
FRAME: Final = {"image": jpeg(60, 40), "filename": "a.jpg", "width": 60, "height": 40}

Call = tuple[Callable[..., Any], dict[str, Any]]


def calls() -> dict[str, Call]:
    """Return each call, with arguments that are right."""
    found: dict[str, Call] = {}
    for format_ in predictions.PREDICTION_FORMATS.values():
        for name in (one for one in dir(format_) if one.startswith("from_")):
            make = getattr(format_, name)
            arguments = dict(
                zip(inspect.signature(make).parameters, [FIRST.get(name, [0]), [0], [0.5]], strict=False)
                if name in FIRST
                else {"classes": [0], "scores": [0.5]}.items()
            )
            if "size" in inspect.signature(make).parameters and name != "from_rle":
                arguments["size"] = (100, 100) if name == "from_polygons" else (10, 10)
            found[f"{format_.__name__}.{name}"] = make, arguments
        found[format_.__name__] = format_, {
            "detection_classes": [0], "detection_scores": [0.5], "detection_boxes": [[1, 2, 3, 4]], "lines": [[(1, 2), (3, 4)]],
            "detection_masks": ["0"] if "Mask" in format_.__name__ else [[(1, 2), (30, 40), (5, 60)]], "points": [(1, 2)],
            "keypoints": [[(1, 2, 2)]],
        }  # fmt: skip
    box = predictions.DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5])
    one = {"boxes": SimpleNamespace(xyxy=BOXES[:1], cls=np.array([1.0]), conf=np.array([0.75]))}
    probs = ultralytics(probs=SimpleNamespace(data=np.array([0.25, 0.75])))
    return found | {
        "from_ultralytics": (predictions.from_ultralytics, {"result": ultralytics(**one), "label_map": LABELS}),
        "from_ultralytics of a classification": (predictions.from_ultralytics, {"result": probs}),
        "from_supervision": (predictions.from_supervision, {"detections": detections()}),
        "from_supervision of points": (predictions.from_supervision, {"detections": key_points()}),
        "from_supervision of nothing": (predictions.from_supervision, {"detections": detections(xyxy=np.zeros((0, 4)))}),
        "from_torchvision": (predictions.from_torchvision, {"output": TORCHVISION, "first_label": 1}),
        "from_coco": (
            predictions.from_coco, {"annotations": [ANNOTATION], "categories": CATEGORIES, "label_map": LABELS},
        ),
        "Frame": (Frame, {**FRAME, "prediction": box, "latency": 0.1}),
        "Frame.from_array": (Frame.from_array, {"pixels": PIXELS, "prediction": box, "latency": 0.1}),
        "directory": (sources.directory, {"path": "a"}),
        "coco_results": (sources.coco_results, {"json": "a", "images": "b"}),
        "yolo_labels": (sources.yolo_labels, {"dir": "a", "images": "b"}),
        "manifest": (sources.manifest, {"path": "a"}),
    }  # fmt: skip


def arguments_of(call: Callable[..., Any]) -> list[str]:
    """Return the names of all arguments; of a frame's options too."""
    parameters = inspect.signature(call).parameters
    return [
        name
        for one in parameters.values()
        for name in (FrameDetails.__annotations__ if one.kind is one.VAR_KEYWORD else [one.name])
        if one.kind is one.VAR_KEYWORD or name in parameters
    ]


CALLS: Final = calls()


@pytest.mark.filterwarnings("ignore:coroutine 'forgotten' was never awaited")
@pytest.mark.parametrize("name", CALLS)
def test_no_odd_value_ends_in_an_error_of_python(name: str) -> None:
    """Whatever an argument is given: taken, or refused by an error that says what was wrong."""
    call, right = CALLS[name]
    taken = inspect.signature(call).parameters
    right = {key: value for key, value in right.items() if key in taken or "options" in taken}
    call(**right)
    wrong = []
    for argument in arguments_of(call):
        for value in [*odd_values(), forgotten()]:
            try:
                call(**right | {argument: value})
            except ConfigurationError as error:
                if len(str(error)) > 800:
                    wrong.append(f"{argument}={value!a:.60}: {len(str(error))} characters")
            except Exception as error:  # noqa: BLE001 - which is what no call may raise
                wrong.append(f"{argument}={value!a:.60}: {error!r:.120}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.filterwarnings("ignore:coroutine 'forgotten' was never awaited")
@pytest.mark.parametrize("name", [name for name, (call, _) in CALLS.items() if "label_map" in arguments_of(call)])
def test_a_label_map_that_is_none_is_told_alike(name: str) -> None:
    """An `await` that was forgotten, names in a list, a map the other way round: refused also where nothing is looked up."""
    call, right = CALLS[name]
    for value in (forgotten(), ["person", "car"], {0: "person"}, "person", 5, {"person", "car"}, frozenset({"person"})):
        with pytest.raises(ConfigurationError, match=r"label_map must be .*name to index, got"):
            call(**right | {"label_map": value})
    for value in ({"person": "x"}, {"person": "0"}, {"person": -1}):
        with pytest.raises(ConfigurationError, match="label_map"):
            call(**right | {"label_map": value})
