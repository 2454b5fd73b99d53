"""Predictions out of nothing: what the serving host answers. The same image and model version always get the same ones."""

from __future__ import annotations

import random
from typing import Final

from picsellia_async._wire.converter import JsonObject

_SHAPES_MAX: Final = 5


def invent(type_: str, size: tuple[int, int], classes: int, seed: str) -> JsonObject:
    """Return a prediction in its wire form, inside the image.

    Args:
        type_: Type of the deployment, a member of `InferenceType`.
        size: Width and height of the image in pixels.
        classes: How many classes the label map has.
        seed: Text that decides everything else.
    """
    draw = random.Random(seed)  # noqa: S311 - inventions, no secrets
    count = draw.randint(1, _SHAPES_MAX)
    raw: JsonObject = {
        "detection_classes": [draw.randrange(max(1, classes)) for _ in range(count)],
        "detection_texts": None,
    }
    boxes = [_box(draw, *size) for _ in range(count)]
    scores = sorted((round(draw.uniform(0.3, 1.0), 4) for _ in range(count)), reverse=True)
    if type_ == "OBJECT_DETECTION":
        return {**raw, "detection_boxes": boxes, "detection_scores": scores}
    return {**raw, "detection_scores": scores, **_shapes(type_, boxes)}


def _box(draw: random.Random, width: int, height: int) -> list[int]:
    top, left = draw.randrange(max(1, height - 1)), draw.randrange(max(1, width - 1))
    return [top, left, draw.randint(top + 1, max(top + 1, height)), draw.randint(left + 1, max(left + 1, width))]


def _shapes(type_: str, boxes: list[list[int]]) -> JsonObject:
    if type_ == "SEGMENTATION":
        return {"detection_masks": [[[x1, y1], [x2, y1], [x2, y2], [x1, y2]] for y1, x1, y2, x2 in boxes]}
    if type_ == "LINE":
        return {"lines": [[[x1, y1], [x2, y2]] for y1, x1, y2, x2 in boxes]}
    if type_ == "POINT":
        return {"points": [[(x1 + x2) // 2, (y1 + y2) // 2] for y1, x1, y2, x2 in boxes]}
    if type_ == "KEYPOINT":
        return {"keypoints": [[[x1, y1, 2], [x2, y2, 2]] for y1, x1, y2, x2 in boxes]}
    if type_ == "MASK":
        return {"detection_masks": ["PPYo1" for _ in boxes]}  # assumed: an opaque run-length text
    return {}


def above_threshold(raw: JsonObject, threshold: float) -> JsonObject:
    """Return a prediction without the shapes that score lower (docs/wire.md#monitor-fields)."""
    keep = [index for index, score in enumerate(raw["detection_scores"]) if score >= threshold]
    return {
        name: [values[index] for index in keep] if isinstance(values, list) else values for name, values in raw.items()
    }
