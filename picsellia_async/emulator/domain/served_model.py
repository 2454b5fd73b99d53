"""A model behind the serving host: the user's own, run in a thread; without one, predictions are invented."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import anyio.to_thread
import attrs

from picsellia_async._error_text import error_text
from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.refusal import Refusal, bad_request
from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.predictions import PredictionFormat, as_prediction

Model: TypeAlias = Callable[[Any], PredictionFormat]
"""Takes pixels, a numpy array of height x width x 3 as RGB, and returns a prediction; `OnnxModel.load(...)`, for instance."""
Labels: TypeAlias = Sequence[str] | Mapping[int, str]
"""Names of classes by index."""

_LOG: Final = logging.getLogger(__name__)


@attrs.frozen
class Models:
    """What the serving host asks on behalf of one deployment; None invents."""

    deployment_id: str = ""
    champion: Model | None = None
    shadow: Model | None = None
    """None: the champion's model."""

    def type_of(self, asked: InferenceType | str | None) -> InferenceType | None:
        """Return the deployment's type: what was asked for, else what the champion's model says of itself.

        Raises:
            ConfigurationError: A model is no function, or says that it is of another type.
        """
        for name, model in (("model", self.champion), ("shadow_model", self.shadow)):
            if model is not None and not callable(model):
                raise ConfigurationError(f"{name} must be a function of pixels, or an OnnxModel, got {shown(model)}")
        told = [
            *([] if asked is None else [asked]),
            *(getattr(one, "model_type", None) for one in (self.champion, self.shadow)),
        ]
        types = list(dict.fromkeys(InferenceType.of(one, "deployment_type") for one in told if one is not None))
        if len(types) > 1:
            raise ConfigurationError(f"a deployment has one type, and {' and '.join(types)} are asked for")
        return types[0] if types else None

    def labels(self, asked: Labels | None) -> Labels | None:
        """Return the names of the deployment's classes: what was asked for, else the model's own."""
        found: Labels | None = getattr(self.champion, "names", None) if asked is None else asked
        return found

    def of(self, deployment_id: str, *, is_shadow: bool) -> Model | None:
        """Return the model behind a deployment's champion or shadow."""
        if deployment_id != self.deployment_id:
            return None
        return (self.shadow if is_shadow else None) or self.champion


@attrs.frozen
class Said:
    """What a model says about an image."""

    raw: JsonObject
    """In its wire form."""
    seconds: float
    size: tuple[int, int]
    """Width and height of the image as it is shown, which the shapes are about."""


async def run(model: Model, image: bytes, type_: str) -> Said:
    """Return what a model says about an image.

    Args:
        model: Which.
        image: JPEG or PNG.
        type_: Of the deployment.

    Raises:
        Refusal: 400, the image cannot be decoded; 500, the model raised, or predicts something else than the deployment's type.
    """
    return await anyio.to_thread.run_sync(_run, model, image, type_)


def _run(model: Model, image: bytes, type_: str) -> Said:
    pixels = _pixels(image)
    started = time.perf_counter()
    try:
        prediction = as_prediction(model(pixels), "the model's result")
    except Exception as error:
        _LOG.exception("the model behind predict failed")
        raise Refusal(500, f"the model failed: {error_text(error)}") from error
    seconds = time.perf_counter() - started
    if prediction.model_type != type_:
        raise Refusal(
            500, f"the model gives a prediction for {prediction.model_type}, and the deployment is of type {type_}"
        )
    fields = ("detection_classes", *prediction.shape_fields, "detection_texts")
    raw = {field: getattr(prediction, field, None) for field in fields}
    return Said(raw, seconds, (pixels.shape[1], pixels.shape[0]))


def _pixels(image: bytes) -> Any:
    import cv2  # noqa: PLC0415 - an extra, imported on use
    import numpy as np  # noqa: PLC0415 - as above

    try:
        pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise bad_request("the image cannot be decoded")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
