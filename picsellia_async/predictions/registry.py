"""Which format belongs to which type of deployment, and reading the vendor's own prediction objects."""

from __future__ import annotations

from typing import Any, Final

from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, PredictionMismatchError, shown
from picsellia_async.predictions.base import PredictionFormat
from picsellia_async.predictions.formats import (
    ClassificationPredictionFormat,
    DetectionPredictionFormat,
    KeypointPredictionFormat,
    LinePredictionFormat,
    PointPredictionFormat,
)
from picsellia_async.predictions.frameworks import FORMATS
from picsellia_async.predictions.mask_formats import MaskPredictionFormat, SegmentationPredictionFormat

PREDICTION_FORMATS: Final[dict[InferenceType, type[PredictionFormat]]] = {
    format_.model_type: format_
    for format_ in (
        ClassificationPredictionFormat,
        DetectionPredictionFormat,
        SegmentationPredictionFormat,
        LinePredictionFormat,
        PointPredictionFormat,
        KeypointPredictionFormat,
        MaskPredictionFormat,
    )
}
"""Format of each deployment type; NOT_CONFIGURED and MULTI have none and cannot be monitored."""


_KINDS: Final = {format_.model_type: kind for kind, format_ in FORMATS.items()}
"""What `kind=` of the constructors of results makes a prediction for each of these types of deployments."""


def as_prediction(value: Any, name: str = "prediction") -> PredictionFormat:
    """Return the prediction; read the vendor's pydantic objects by their fields, without importing pydantic.

    Raises:
        ConfigurationError: The value is no prediction format.
    """
    if isinstance(value, PredictionFormat):
        return value
    kind = getattr(value, "model_type", None)
    if kind is not None and not isinstance(value, type):
        format_ = PREDICTION_FORMATS[InferenceType.of(kind)]
        fields = ("detection_classes", *format_.shape_fields, "detection_texts")
        missing = [field for field in fields[:-1] if not hasattr(value, field)]
        if missing:
            raise ConfigurationError(f"{name} says that it is for {kind}, but has no {missing[0]}: {shown(value)}")
        given: dict[str, Any] = {field: getattr(value, field, None) for field in fields}
        return format_(**given)
    raise ConfigurationError(
        f"{name} must be a prediction format such as DetectionPredictionFormat, got {shown(value)}"
    )


def check_prediction_type(prediction: PredictionFormat, type_: InferenceType, name: str = "prediction") -> None:
    """Refuse a prediction that the deployment cannot take.

    Raises:
        PredictionMismatchError: The format does not belong to the deployment's type.
    """
    if prediction.model_type is not type_:
        kind = _KINDS.get(type_) if prediction.model_type in _KINDS else None
        way_out = (
            ""
            if kind is None
            else f'. Where it was made of a result, give kind="{kind}" (from_ultralytics and the like)'
        )
        if kind is not None and not prediction.detection_classes:
            way_out += ": a result that holds nothing does not tell what its model looks for"
        raise PredictionMismatchError(
            f"{name} is for {prediction.model_type} deployments, but this deployment's type is {type_}{way_out}"
        )
