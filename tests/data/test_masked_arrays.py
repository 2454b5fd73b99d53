"""numpy's masked arrays: what is masked prints as a number, and is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from picsellia_async import ConfigurationError, DetectionPredictionFormat, Frame, MaskPredictionFormat

BOX = [1, 2, 3, 4]
PREDICTION = DetectionPredictionFormat([0], [BOX], [0.5])


def masked(values: Any, mask: Any) -> Any:
    return np.ma.MaskedArray(values, mask=mask)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DetectionPredictionFormat([0, 0], masked([BOX, BOX], [[0] * 4, [1] * 4]), [0.5, 0.5]),
        lambda: DetectionPredictionFormat.from_xyxy(masked([BOX, BOX], [[0] * 4, [1] * 4]), [0, 0], [0.5, 0.5]),
        lambda: DetectionPredictionFormat([0, 0], [BOX, BOX], masked([0.5, 0.5], [0, 1])),
        lambda: DetectionPredictionFormat(masked([1, 2], [0, 1]), [BOX, BOX], [0.5, 0.5]),
        lambda: DetectionPredictionFormat([0], [[1, 2, 3, np.ma.masked]], [0.5]),
        lambda: MaskPredictionFormat.from_binary_masks([masked(np.ones((4, 5)), np.eye(4, 5))], [0], [0.5]),
        lambda: MaskPredictionFormat.from_binary_masks(masked(np.ones((1, 4, 5)), np.ones((1, 4, 5))), [0], [0.5]),
        lambda: Frame.from_array(masked(np.zeros((9, 9, 3), np.uint8), mask=True), prediction=PREDICTION, latency=0.1),
    ],
    ids=["boxes", "named order", "scores", "classes", "one number", "a mask", "masks", "pixels"],
)  # fmt: skip
def test_masked_values_are_refused(make: Any) -> None:
    """The message says that something is masked; nothing is sent as 0."""
    with pytest.raises(ConfigurationError, match="masked"):
        make()


def test_a_mask_that_masks_nothing_is_no_hindrance() -> None:
    """Libraries hand such arrays out by themselves."""
    assert DetectionPredictionFormat(np.ma.array([0]), np.ma.array([BOX]), masked([0.5], [0])) == PREDICTION
