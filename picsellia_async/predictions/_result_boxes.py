"""Boxes of a framework's result, of which it may have cut some to nothing."""

from __future__ import annotations

from typing import Any

from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions._geometry import Size
from picsellia_async.predictions.base import counted
from picsellia_async.predictions.formats import DetectionPredictionFormat
from picsellia_async.validation import sequence


def boxes_of_result(boxes: Any, scores: Any, clip: Size | None, common: dict[str, Any]) -> DetectionPredictionFormat:
    """Return the prediction of boxes of x1, y1, x2, y2, without those that have no width or no height.

    Frameworks cut boxes to the image, and leave such of one in the padding of the network's input: the model's other shapes are sent.
    """
    rows = [sequence(one, f"boxes[{i}]") for i, one in enumerate(sequence(boxes, "boxes"))]
    kept = [i for i, one in enumerate(rows) if len(one) != 4 or (one[0] != one[2] and one[1] != one[3])]
    if len(kept) == len(rows):
        return DetectionPredictionFormat.from_xyxy(boxes, scores=scores, clip=clip, **common)
    given = {"classes": common["classes"], "scores": scores}
    lists = {name: sequence(one, name) for name, one in given.items()}
    for name, one in lists.items():
        if len(one) != len(rows):
            raise ConfigurationError(f"{name} must have one entry per shape: got {len(one)} for {len(rows)}")
    lists = {name: [one[i] for i in kept] for name, one in lists.items()}
    found = DetectionPredictionFormat.from_xyxy([rows[i] for i in kept], clip=clip, **{**common, **lists})
    return counted(
        found, found.image_size, found.clipped, len(rows) - len(kept), label_map=common["label_map"], doubt=found.doubt
    )
