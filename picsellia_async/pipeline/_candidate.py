"""`Candidate`: a frame that the model has seen, before it is decided whether it is kept; and what was decided. Values."""

from __future__ import annotations

from typing import Any

import attrs

from picsellia_async.predictions import PredictionFormat
from picsellia_async.sources import Image


@attrs.frozen(kw_only=True, eq=False)
class Candidate:
    """A frame with its prediction, as the rules of `keep=` see it. Two candidates are equal only if they are one object."""

    image: Image
    """The encoded picture, its size, name and time. Without `pixels`: frames may wait in memory."""
    prediction: PredictionFormat
    """What the model said."""
    source: str
    """Name of its source in the pipeline."""
    time: float
    """Seconds of a clock that never goes back: when the frame was decided on."""
    latency: float = 0.0
    """Seconds that the model took."""
    labels: tuple[str | None, ...] | None = None
    """Name of the class of each shape, as the prediction or the pipeline's `label_map` tells it; None where nothing does."""
    picture: Any = attrs.field(default=None, repr=False)
    """Small gray picture, numpy array of 64 x 64 bytes; only where a rule asks for it (`Rule.needs_picture`)."""


@attrs.frozen
class Decision:
    """What a rule decided on a candidate."""

    candidate: Candidate
    is_kept: bool
    rules: tuple[str, ...]
    """Names of the rules that let it through, or of the one that did not."""
    error: BaseException | None = None
    """What a function of the user's raised; such a frame is kept only if another rule, joined by `|`, keeps it."""
