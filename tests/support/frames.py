"""Frames and predictions that tests make."""

from __future__ import annotations

from typing import Any

from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat

PREDICTION = DetectionPredictionFormat([1, 0], [[1, 2, 3, 4], [5, 6, 7, 8]], [0.5, 0.75])
JPEG = b"\xff\xd8\xff\xe0"
"""The first bytes of a JPEG; enough where nobody decodes it."""


def make_frame(number: int = 0, size: int = 1000, **fields: Any) -> Frame:
    """Return a frame whose name and image tell its number."""
    image = (JPEG + b"%08d" % number).ljust(size, b".")
    values = {"filename": f"frame-{number:06d}.jpg", "width": 64, "height": 48, "latency": 0.02}
    return Frame(image=image, **{"prediction": PREDICTION, **values, **fields})
