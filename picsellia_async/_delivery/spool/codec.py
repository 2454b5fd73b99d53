"""What is said of a frame, as JSON for the spool; `record` has the bytes of a record and the image. Pure.

The description holds every field of `Frame` but the image, under the names of the fields; predictions carry the name of their
type. An image in the storage is known by its `object_name` alone. JSON instead of pickle: a spool may outlive a version of this library, and loading it must never run code.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import attrs
import orjson

from picsellia_async.enums import InferenceType, SupportedContentType
from picsellia_async.errors import ConfigurationError
from picsellia_async.frames import Frame
from picsellia_async.predictions import PREDICTION_FORMATS, PredictionFormat
from picsellia_async.predictions.base import counted, field_names, with_class_names

_PLAIN: Final = tuple(
    one.name
    for one in attrs.fields(Frame)
    if one.init and one.name not in {"image", "data", "prediction", "shadow_prediction", "id"}
)


def encode(frame: Frame) -> bytes:
    """Return the description of a frame.

    Raises:
        ConfigurationError: A value in `metadata`, `custom_metadata` or `custom_metrics` has no JSON form.
    """
    fields = {name: value for name in _PLAIN if (value := getattr(frame, name)) is not None}
    if frame.checks == "on":
        del fields["checks"]  # the rule; what is not said costs no bytes
    fields["id"] = str(frame.id)  # it may be of a class of its own, which orjson does not take
    fields["prediction"] = _prediction(frame.prediction)
    if frame.shadow_prediction is not None:
        fields["shadow_prediction"] = _prediction(frame.shadow_prediction)
    try:
        return orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        raise ConfigurationError(f"frame {frame.filename!r} cannot be spooled: {error}") from error


def decode(description: bytes, image: bytes) -> Frame:
    """Return the frame of a description and its image.

    Raises:
        ValueError: The description is no such thing (`ConfigurationError` and JSON errors are ValueErrors).
    """
    try:
        fields: dict[str, Any] = orjson.loads(description)
        fields["id"] = UUID(fields["id"])
        fields["content_type"] = SupportedContentType(fields["content_type"])
        fields.setdefault("timestamp", None)
        for name in ("prediction", "shadow_prediction"):
            if name in fields:
                fields[name] = _format(fields[name])
        checks = "off" if fields.pop("checks", "on") == "off" else "on"
        # Its meaning was checked when it was submitted; a refusal here would take a good record for a damaged one.
        frame = Frame(image=None if "object_name" in fields else image, checks="off", **fields)
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"no description of a frame: {error!r}") from error
    object.__setattr__(frame, "checks", checks)
    return frame


def _prediction(prediction: PredictionFormat) -> dict[str, Any]:
    names = field_names(type(prediction))  # type: ignore[arg-type]  # classes are hashable
    fields: dict[str, Any] = {name: getattr(prediction, name) for name in names}
    # Notes of the constructor. Those that the checks look at when the frame is sent must not get lost on the way.
    if prediction.class_names is not None:
        fields["class_names"] = {str(index): name for index, name in prediction.class_names.items()}
    if prediction.image_size is not None:
        fields["image_size"] = prediction.image_size
    return {"type": prediction.model_type.value, **fields}


def _format(fields: dict[str, Any]) -> PredictionFormat:
    names, size = fields.pop("class_names", {}), fields.pop("image_size", None)
    found = PREDICTION_FORMATS[InferenceType(fields.pop("type"))](**fields)
    counted(found, None if size is None else (size[0], size[1]))
    return with_class_names(found, {int(index): name for index, name in names.items()})
