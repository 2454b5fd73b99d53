"""A frame as the spool writes it: every field of every format comes back."""

from __future__ import annotations

import attrs
import pytest

from picsellia_async._delivery.spool import codec
from picsellia_async.frames import Frame
from picsellia_async.predictions import (
    ClassificationPredictionFormat,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)

from ..support.frames import PREDICTION, make_frame

PREDICTIONS = [
    PREDICTION,
    ClassificationPredictionFormat([1], [0.5], ["a"]),
    SegmentationPredictionFormat([1], [0.5], [[[1, 2], [3, 4], [5, 2]]]),
    LinePredictionFormat([1], [0.5], [[[1, 2], [3, 4]]]),
    PointPredictionFormat([1], [0.5], [[1, 2]]),
    KeypointPredictionFormat([1], [0.5], [[[1, 2, 1]]]),
    MaskPredictionFormat([1], [0.5], ["01oo2"]),
]


@pytest.mark.parametrize("prediction", PREDICTIONS, ids=lambda prediction: str(prediction.model_type))
def test_a_frame_comes_back_as_it_went(prediction: object) -> None:
    """Every field of every format survives, also those that were left out, and None stays None."""
    full = make_frame(
        1, prediction=prediction, source="cam", tags=["a"], metadata={"m": [1]}, custom_metadata={"c": None}, sample=False,
        custom_metrics={"q": 1.5}, shadow_latency=0.1, shadow_prediction=prediction, upload_dir="u/", timestamp=1.7e9 + 0.5,
    )  # fmt: skip
    plain = make_frame(2, prediction=prediction, timestamp=None)
    for frame in (full, plain):
        back = codec.decode(codec.encode(frame), frame.image)  # type: ignore[arg-type]
        for field in attrs.fields(Frame):
            assert getattr(back, field.name) == getattr(frame, field.name), field.name
