"""The line of a manifest that gives a frame again. Pure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import attrs

from picsellia_async.frames import Frame, StatedId
from picsellia_async.predictions import PredictionFormat
from picsellia_async.predictions.base import field_names

_WRITTEN_APART: Final = frozenset({"image", "data", "id", "checks", "content_type", "prediction", "shadow_prediction"})


def manifest_line(frame: Frame, folder: Path) -> dict[str, Any]:
    """Return the fields of a frame whose image is a file, or lies in the storage, as JSON-ready values.

    Args:
        frame: Its id is left out where it was made for it: the line is known by its content.
        folder: Where the manifest will lie: images below it are named from there, others by their whole path.
    """
    image = frame.image
    line: dict[str, Any] = {"image": image_path(image, folder)} if isinstance(image, Path) else {}
    if isinstance(frame.id, StatedId):
        line["id"] = str(frame.id)
    for field in attrs.fields(Frame):
        value = getattr(frame, field.name)
        if field.init and field.name not in _WRITTEN_APART and value is not None:
            line[field.name] = value
    line["content_type"] = str(getattr(frame.content_type, "value", frame.content_type)).lower()
    line["prediction"] = prediction_object(frame.prediction)
    if frame.shadow_prediction is not None:
        line["shadow_prediction"] = prediction_object(frame.shadow_prediction)
    if frame.checks != "on":
        line["checks"] = frame.checks
    return line


def image_path(image: Path, folder: Path) -> str:
    """Return how a manifest in a folder names an image."""
    path, root = os.path.abspath(image), os.path.abspath(folder)  # noqa: PTH100 - Path.absolute keeps `..`
    return os.path.relpath(path, root) if path.startswith(os.path.join(root, "")) else path  # noqa: PTH118


def prediction_object(prediction: PredictionFormat) -> dict[str, Any]:
    """Return the object that a manifest has for a prediction."""
    names = field_names(type(prediction))  # type: ignore[arg-type]  # classes are hashable
    values = {name: getattr(prediction, name) for name in names}
    return {
        "type": prediction.model_type.value,
        **{name: value for name, value in values.items() if value is not None},
    }
