"""`Row`, one call of the table, and the values that rows share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import attrs

from . import ids

DATE: Final = dt.date(2026, 12, 31)


MOMENT: Final = dt.datetime(2024, 1, 2, tzinfo=dt.UTC)


RAW: Final = b"\xff\xd8\xff raw \x00 bytes"


@attrs.frozen
class Row:
    """One call.

    Args:
        name: Names the test.
        method: The vendor's class and method.
        call: The call, for both sides.
        ours: The call on our side, where it cannot be the same.
        deployment: Name of the deployment to fetch; it decides the type.
        differs: Field of the comparison -> why ours may differ there. Fields: `order` (of the
            requests), `result`, `error`, `requests` (then `instead` says what ours sends).
        instead: What ours sends where the vendor's request is a fault, as `VERB path`.
    """

    name: str
    method: str
    call: Callable[..., Any]
    ours: Callable[..., Any] | None = None
    deployment: str = "awesome-deploy"
    differs: Mapping[str, str] = attrs.field(factory=dict)
    instead: tuple[str, ...] = ()


TYPED: Final = {"result": "ours is the typed description where the vendor hands out the raw dict; the id agrees"}
"""Of `sync()`."""


ONE: Final = {"result": "ours returns a list, whether one path was given or several"}
"""Of `upload_data()`."""


_TWO: Final = {"detection_classes": [1, 2], "detection_scores": [0.9, 0.5]}


FORMATS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "awesome-deploy": (
        "DetectionPredictionFormat",
        _TWO | {"detection_boxes": [[1, 2, 3, 4], [5, 6, 7, 8]]},
    ),
    "classification": ("ClassificationPredictionFormat", _TWO),
    "segmentation": (
        "SegmentationPredictionFormat",
        _TWO | {"detection_masks": [[[0, 0], [1, 0], [1, 1]], [[2, 2], [3, 2], [3, 3], [2, 3]]]},
    ),
    "line": ("LinePredictionFormat", _TWO | {"lines": [[[0, 0], [4, 4]], [[1, 2], [3, 4], [5, 6]]]}),
    "point": ("PointPredictionFormat", _TWO | {"points": [[1, 2], [3, 4]]}),
    "keypoint": ("KeypointPredictionFormat", _TWO | {"keypoints": [[[1, 2, 2]], [[3, 4, 1], [5, 6, 0]]]}),
    "mask": ("MaskPredictionFormat", _TWO | {"detection_masks": ["Ze03", "0fQ1N"]}),
}
"""Deployment name -> prediction class, and the least that makes one."""


TEXTS: Final[Mapping[str, Any]] = {"detection_texts": ["x", "\u00e9"]}


def made(api: Any, deployment: str = "awesome-deploy", **more: Any) -> Any:
    name, fields = FORMATS[deployment]
    return getattr(api, name)(**{**fields, **more})


def everything(api: Any, deployment: str = "awesome-deploy") -> dict[str, Any]:
    return {
        "source": "camera 1",
        "tags": ["a", "b c", ""],
        "metadata": {"latitude": 1.5, "weather": "\u2602"},
        "custom_metadata": {"at": MOMENT, "id": UUID(ids.TAG), "nested": {"list": [1, None, True]}},
        "timestamp": 1700000000.5,
        "shadow_latency": 0.125,
        "shadow_prediction": made(api, deployment),
        "sample": False,
        "custom_metrics": {"quality": 0.1},
    }
