"""Shapes of the dicts that the monitoring and serving hosts answer with, for type checkers.

The services' answers are handed on unchanged. The vendor documents next to nothing of them, so most keys are marked as not
always there, and more keys than these may come (docs/wire.md#sample-responses).
"""

from __future__ import annotations

from typing import Any, Required, TypedDict


class MonitorAnswer(TypedDict, total=False):
    """Answer to `monitor` and its variants."""

    id: Required[str]
    """Identifier at the monitoring host, for `find_predicted_asset(oracle_prediction_id=...)` and the shadow calls."""
    deployment_id: str
    filename: str
    """Name of the image."""
    timestamp: Any
    """When the prediction was made."""


class PredictionAnswer(TypedDict, total=False):
    """Answer to `predict` and its variants: which keys there are depends on the deployment's type."""

    id: str
    """Identifier at the monitoring host, where the prediction was monitored."""
    detection_classes: list[int]
    """Class indexes, one per shape."""
    detection_scores: list[float]
    """Confidences, one per shape."""
    detection_boxes: list[list[int]]
    """`[top, left, bottom, right]` in pixels, one per shape."""
    detection_masks: list[Any]
    """Polygons or mask strings, one per shape."""


class DeploymentInformation(TypedDict, total=False):
    """Answer to `retrieve_information`."""

    id: str
    name: str


class StatisticsInfos(TypedDict, total=False):
    """Remarks about statistics."""

    info: str
    """There when aggregated statistics are outdated, or were never computed."""


class Statistics(TypedDict, total=False):
    """Answer to `get_stats`: its keys depend on the service that was asked."""

    infos: StatisticsInfos
    """Remarks, on aggregated statistics."""


class AssetPrediction(TypedDict, total=False):
    """One prediction of a predicted asset, as the platform says it."""

    is_shadow: Required[bool]
    """Whether the shadow model made it."""


class AssetReview(TypedDict, total=False):
    """One review of a predicted asset, as the platform says it."""

    id: str
