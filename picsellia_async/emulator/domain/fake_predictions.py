"""Predictions out of nothing: what the serving host answers. The same image and model version always get the same ones."""

from __future__ import annotations

import math
import random
from typing import Final

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.domain.predictions import Observation
from picsellia_async.emulator.store.documents import Document
from picsellia_async.predictions import _run_length

_SHAPES_MAX: Final = 5


def invent(type_: str, size: tuple[int, int], classes: int, seed: str, *, empty: bool = False) -> JsonObject:
    """Return a prediction in its wire form, inside the image.

    Args:
        type_: Type of the deployment, a member of `InferenceType`.
        size: Width and height of the image in pixels.
        classes: How many classes the label map has.
        seed: Text that decides everything else.
        empty: Whether nothing is found.
    """
    draw = random.Random(seed)  # noqa: S311 - inventions, no secrets
    count = 0 if empty else draw.randint(1, _SHAPES_MAX)
    if type_ == "CLASSIFICATION":
        return _classes_of_an_image(draw, min(count, classes), classes)
    raw: JsonObject = {
        "detection_classes": [draw.randrange(max(1, classes)) for _ in range(count)],
        "detection_texts": None,
    }
    boxes = [_box(draw, *size) for _ in range(count)]
    scores = sorted((round(draw.uniform(0.3, 1.0), 4) for _ in range(count)), reverse=True)
    if type_ == "OBJECT_DETECTION":
        return {**raw, "detection_boxes": boxes, "detection_scores": scores}
    return {**raw, "detection_scores": scores, **_shapes(type_, boxes, size)}


def _classes_of_an_image(draw: random.Random, count: int, classes: int) -> JsonObject:
    """Return the best of the classes, each once, with their shares of 1."""
    weights = [draw.uniform(0.01, 1.0) ** 3 for _ in range(classes)]
    best = sorted(range(classes), key=lambda index: -weights[index])[:count]
    scores = [round(weights[index] / math.fsum(weights), 4) for index in best]
    return {"detection_classes": best, "detection_texts": None, "detection_scores": scores}


def _box(draw: random.Random, width: int, height: int) -> list[int]:
    top, left = draw.randrange(max(1, height - 1)), draw.randrange(max(1, width - 1))
    return [top, left, draw.randint(top + 1, max(top + 1, height)), draw.randint(left + 1, max(left + 1, width))]


def _shapes(type_: str, boxes: list[list[int]], size: tuple[int, int]) -> JsonObject:
    if type_ == "SEGMENTATION":
        return {"detection_masks": [_octagon(*box) for box in boxes]}
    if type_ == "LINE":
        return {"lines": [[[x1, y2], [(x1 + x2) // 2, (y1 + 2 * y2) // 3], [x2, y1]] for y1, x1, y2, x2 in boxes]}
    if type_ == "POINT":
        return {"points": [[(x1 + x2) // 2, (y1 + y2) // 2] for y1, x1, y2, x2 in boxes]}
    if type_ == "KEYPOINT":
        return {"keypoints": [_person(*box) for box in boxes]}
    if type_ == "MASK":
        return {"detection_masks": [_mask(box, size) for box in boxes]}
    return {}


def _cut(top: int, left: int, bottom: int, right: int) -> int:
    """Return how much of each corner an octagon in a box lacks."""
    return min(bottom - top, right - left) // 4


def _octagon(top: int, left: int, bottom: int, right: int) -> list[list[int]]:
    cut = _cut(top, left, bottom, right)
    corners = [
        [left + cut, top], [right - cut, top], [right, top + cut], [right, bottom - cut],
        [right - cut, bottom], [left + cut, bottom], [left, bottom - cut], [left, top + cut],
    ]  # fmt: skip
    return [point for index, point in enumerate(corners) if point != corners[index - 1]]


def _mask(box: list[int], size: tuple[int, int]) -> str:
    """Return the pixels of the octagon in a box, in COCO's run-length text."""
    (top, left, bottom, right), (width, height) = box, size
    cut = _cut(top, left, bottom, right)
    counts, end = [], 0
    for x in range(left, right):
        inset = max(0, left + cut - 1 - x, x - right + cut)
        start = x * height + top + inset
        counts += [start - end, bottom - top - 2 * inset]
        end = start + counts[-1]
    return _run_length.text_from_counts([*counts, width * height - end] if end < width * height else counts)


_PERSON: Final = (
    (50, 6), (54, 4), (46, 4), (58, 6), (42, 6), (68, 20), (32, 20), (78, 36), (22, 36), (84, 50), (16, 50), (60, 52), (40, 52),
    (62, 74), (38, 74), (64, 96), (36, 96),
)  # fmt: skip
"""COCO's 17 points of a person, nose to ankles: x and y in per cent of the box."""


def _person(top: int, left: int, bottom: int, right: int) -> list[list[int]]:
    """Return the skeleton of a person in a box; the left wrist is hidden, the right ear not there, as happens."""
    points = [[left + x * (right - left) // 100, top + y * (bottom - top) // 100, 2] for x, y in _PERSON]
    points[9][2] = 1
    points[4] = [0, 0, 0]
    return points


def invented(deployment: Document, classes: int, name: str, seed: str, *, empty: bool) -> Observation:
    """Return an invented prediction of an image that there is none of, as monitoring would have brought it.

    Args:
        deployment: Whose type it has.
        classes: As for `invent`.
        name: Of the image.
        seed: As for `invent`.
        empty: As for `invent`.
    """
    width, height = 640, 480
    raw = invent(deployment["type"], (width, height), classes, seed, empty=empty)
    return Observation(filename=name, content_type="IMAGE/JPEG", width=width, height=height, latency=0.02, raw=raw)


def above_threshold(raw: JsonObject, threshold: float) -> JsonObject:
    """Return a prediction without the shapes that score lower (docs/wire.md#monitor-fields)."""
    keep = [index for index, score in enumerate(raw["detection_scores"]) if score >= threshold]
    return {
        name: [values[index] for index in keep] if isinstance(values, list) else values for name, values in raw.items()
    }
