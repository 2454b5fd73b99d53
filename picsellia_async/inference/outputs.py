"""What the outputs of a model mean, told by their names and shapes; what cannot be told is refused. Needs NumPy and OpenCV.

A layout is decided once, on the outputs for a gray picture. It must agree with the number of classes: so a model of another kind (with
masks, keypoints, boxes that are still to be decoded) is refused, and not read as boxes beside the objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs
import cv2
import numpy as np

from picsellia_async.errors import ConfigurationError

Coordinates: TypeAlias = Literal["pixels", "shares"]
"""Of the boxes of SSD-style outputs: pixels of the input, or 0 to 1."""

BOXES_MAX: Final = 300
"""Boxes that are kept of a picture: the surest ones."""
_STRIDES: Final = ((8, 16, 32), (8, 16, 32, 64), (16, 32), (4, 8, 16, 32))
"""Cells of the YOLO family, in pixels of the input: the usual ones, and those of models for large, few and small objects."""
_ANCHORS: Final = 3
"""Boxes of a cell in the versions with anchors."""
_SHARES_MAX: Final = 2.0
"""Beyond that, numbers are no shares of a picture."""


@attrs.frozen(eq=False)
class Found:
    """Boxes of one picture."""

    boxes: Any
    """n x 4: x1, y1, x2, y2 in pixels of the input."""
    scores: Any
    """n."""
    classes: Any
    """n: indexes of the model's own classes, from 0."""

    def pick(self, chosen: Any) -> Found:
        """Return some of them."""
        return Found(self.boxes[chosen], self.scores[chosen], self.classes[chosen])


@attrs.frozen(kw_only=True)
class Reading:
    """How outputs are read."""

    size: tuple[int, int]
    """(width, height) of the input."""
    classes: int
    """How many the model knows."""
    threshold: float
    """Boxes below that score are left out."""
    iou: float
    """Of two boxes of a class that overlap by more than that, the less sure one is left out."""
    coordinates: Coordinates | None = None
    """Of SSD-style boxes; None: told by their shape."""
    first_label: int | None = None
    """Number of the first class in SSD-style outputs; None: told by their names."""


Outputs: TypeAlias = Mapping[str, Any]
"""Arrays by the name of the output."""


@attrs.frozen(eq=False)
class Layout:
    """A way of reading outputs."""

    name: str
    """In messages."""
    read: Callable[[Outputs], Found]
    """Returns what was found."""
    resize: Literal["letterbox", "stretch"] = "letterbox"
    """What models of that kind have learnt on."""


def layout_of(outputs: Outputs, reading: Reading) -> Layout:
    """Return how a detector's outputs are read.

    Args:
        outputs: For any picture.
        reading: What is known of the model.

    Raises:
        ConfigurationError: It cannot be told; the message has the shapes and the way out.
    """
    plain = {_plain(name): name for name in outputs}
    found = _single(outputs, reading) if len(outputs) == 1 else _by_name(plain, outputs, reading)
    if found is None:
        raise ConfigurationError(_unknown(outputs, reading))
    return found


def _plain(name: str) -> str:
    """Return the name of an output without what exporters put around it."""
    return name.partition(":")[0].rpartition("/")[2].lower()


def _unknown(outputs: Outputs, reading: Reading) -> str:
    shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
    cells = [_cells(reading.size, strides) for strides in _STRIDES]
    count = reading.classes
    if [value.shape for value in outputs.values()] == [(1, count)]:
        return (
            f"the model is a classifier, and a detector is wanted, as by a deployment of detections: {shapes}, a score for each of {count} "
            "classes and no box"
        )
    return (
        f"what the model's outputs mean cannot be told: {shapes}. With {count} classes and an input of {reading.size[0]} x "
        f"{reading.size[1]}, one of [1, {4 + count}, {cells[0]}] (YOLOv8 and later), [1, {_ANCHORS * cells[0]}, {5 + count}] (YOLOv5, v7), "
        "[1, n, 6] or [n, 7] (with NMS in the model), or boxes, scores and classes as outputs of those names are read. Is the number of "
        "names right (or the size)? Masks, keypoints and boxes that are not decoded are not read: export a detector with decoded boxes, "
        "or call the model in a Pipeline of your own"
    )


# One output: the YOLO family.


def _cells(size: tuple[int, int], strides: Sequence[int]) -> int:
    return sum((size[0] // stride) * (size[1] // stride) for stride in strides)


def _single(outputs: Outputs, reading: Reading) -> Layout | None:  # noqa: PLR0911 - a table of layouts
    (name,) = outputs
    shape = outputs[name].shape
    cells = {_cells(reading.size, strides) for strides in _STRIDES}
    if len(shape) == 2 and shape[1] == 7:
        return Layout("with NMS", lambda given: _of_rows(given[name][:, 1:], reading, score=5, class_=4))
    if len(shape) != 3 or shape[0] != 1:
        return None
    rows, columns = shape[1:]
    if columns in cells and rows == 4 + reading.classes:
        return Layout("YOLOv8", lambda given: _of_yolo(given[name][0].T, reading, has_objectness=False))
    if rows in cells and columns == 4 + reading.classes:
        return Layout("YOLOv8", lambda given: _of_yolo(given[name][0], reading, has_objectness=False))
    if rows in {_ANCHORS * count for count in cells} and columns == 5 + reading.classes:
        return Layout("YOLOv5", lambda given: _of_yolo(given[name][0], reading, has_objectness=True))
    if columns == 6 and rows not in cells:
        return Layout("with NMS", lambda given: _of_rows(given[name][0], reading, score=4, class_=5))
    return None


def _of_yolo(rows: Any, reading: Reading, *, has_objectness: bool) -> Found:
    """Read rows of center x, center y, width, height, maybe objectness, and a score per class."""
    scores = rows[:, 5:] * rows[:, 4:5] if has_objectness else rows[:, 4:]
    best = scores.argmax(axis=1)
    sure = scores[np.arange(len(best)), best]
    chosen = sure >= reading.threshold
    middle, half = rows[chosen, :2], rows[chosen, 2:4] / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    return _suppressed(Found(boxes, sure[chosen], best[chosen]), reading)


def _of_rows(rows: Any, reading: Reading, *, score: int, class_: int) -> Found:
    """Read rows of x1, y1, x2, y2 with score and class, from a model that suppresses by itself."""
    found = Found(rows[:, :4], rows[:, score], rows[:, class_].astype(int))
    return _surest(found.pick(found.scores >= reading.threshold))


def _suppressed(found: Found, reading: Reading) -> Found:
    """Leave out boxes that overlap a surer one of their class."""
    found = Found(found.boxes.astype(np.float32), found.scores.astype(np.float32), found.classes.astype(np.int32))
    sides = np.concatenate([found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(sides, found.scores, found.classes, reading.threshold, reading.iou)  # type: ignore[arg-type]
    return _surest(found.pick(np.asarray(kept, dtype=int).reshape(-1)))


def _surest(found: Found) -> Found:
    return found.pick(np.argsort(-found.scores, kind="stable")[:BOXES_MAX])


# Several outputs, by their names.


def _by_name(plain: Mapping[str, str], outputs: Outputs, reading: Reading) -> Layout | None:
    def named(*names: str) -> str | None:
        return next((plain[name] for name in names if name in plain), None)

    boxes = named("detection_boxes", "det_boxes", "bboxes", "boxes")
    scores = named("detection_scores", "det_scores", "scores")
    classes = named("detection_classes", "det_classes", "labels", "classes")
    if boxes is None or scores is None or outputs[boxes].shape[-1] != 4:
        return None
    is_tensorflow, is_tensorrt = "detection_boxes" in plain, "det_boxes" in plain
    told: Coordinates = "pixels" if is_tensorrt or outputs[boxes].ndim == 2 else "shares"
    coordinates = reading.coordinates or told
    first = reading.first_label if reading.first_label is not None else 0 if is_tensorrt else 1

    def placed(given: Outputs) -> Any:
        found = given[boxes].reshape(-1, 4)
        if is_tensorflow:
            found = found[:, [1, 0, 3, 2]]  # y before x
        return _pixels(found, coordinates, reading.size)

    if classes is None:
        return _with_background(boxes, scores, outputs, placed, reading)
    count = named("num_detections", "num_dets")

    def read(given: Outputs) -> Found:
        found = Found(placed(given), given[scores].reshape(-1), given[classes].reshape(-1).astype(int) - first)
        valid = found.scores >= reading.threshold
        if count is not None:  # what stands behind them is filled up
            valid &= np.arange(len(valid)) < int(given[count].reshape(-1)[0])
        return _surest(found.pick(valid))

    if outputs[scores].size != outputs[classes].size:
        return None
    return Layout("with NMS" if is_tensorrt else "SSD", read, "letterbox" if is_tensorrt else "stretch")


def _with_background(
    boxes: str, scores: str, outputs: Outputs, placed: Callable[[Outputs], Any], reading: Reading
) -> Layout | None:
    """Read boxes with a score for each class, the first of which may be the background."""
    shape = outputs[scores].shape
    if len(shape) != 3 or shape[:2] != outputs[boxes].shape[:2] or shape[2] - reading.classes not in {0, 1}:
        return None
    skipped = shape[2] - reading.classes

    def read(given: Outputs) -> Found:
        table = given[scores][0][:, skipped:]
        best = table.argmax(axis=1)
        found = Found(placed(given), table[np.arange(len(best)), best], best)
        return _suppressed(found.pick(found.scores >= reading.threshold), reading)

    return Layout("SSD", read, "stretch")


def _pixels(boxes: Any, coordinates: Coordinates, size: tuple[int, int]) -> Any:
    if coordinates == "pixels":
        return boxes
    if boxes.size and float(boxes.max()) > _SHARES_MAX:
        raise ConfigurationError(
            f"the model's boxes are no shares of the picture (up to {float(boxes.max()):g}): say coordinates='pixels'"
        )
    return boxes * np.array([*size, *size])


# Classifiers.


def class_scores(outputs: Outputs, classes: int) -> Any:
    """Return the probability of each class, from probabilities or from what a softmax makes probabilities of.

    Args:
        outputs: One, of a score per class.
        classes: How many the model knows.

    Raises:
        ConfigurationError: It is something else.
    """
    values = [value for value in outputs.values() if value.ndim == 2 and value.shape == (1, classes)]
    if len(outputs) != 1 or not values:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
        raise ConfigurationError(
            f"the model is no classifier of {classes} classes, which has one output [1, {classes}]: {shapes}. The deployment wants a "
            "classification; is the number of names right?"
        )
    scores = values[0][0].astype(np.float64)
    if scores.min() < 0 or abs(scores.sum() - 1) > 0.01:
        scores = np.exp(scores - scores.max())
        scores /= scores.sum()
    return scores
