"""Cameras, a model and an uploader in one program, and rules for what is worth sending. Here are only the public names."""

from picsellia_async.pipeline._candidate import Candidate
from picsellia_async.pipeline._rule import Rule
from picsellia_async.pipeline._statistics import (
    Percentiles,
    PipelineReport,
    PipelineSourceStatistics,
    PipelineStatistics,
)
from picsellia_async.pipeline.pipeline import Pipeline
from picsellia_async.pipeline.rules import around, changed, classes, cooldown, every, quota, sample, scores

__all__ = [
    "Candidate",
    "Percentiles",
    "Pipeline",
    "PipelineReport",
    "PipelineSourceStatistics",
    "PipelineStatistics",
    "Rule",
    "around",
    "changed",
    "classes",
    "cooldown",
    "every",
    "quota",
    "sample",
    "scores",
]
