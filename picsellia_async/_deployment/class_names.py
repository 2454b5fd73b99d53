"""What a model calls its classes, against what the label map of a deployment calls them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from picsellia_async.errors import ImplausibleError
from picsellia_async.predictions import PredictionFormat


def check_class_names(
    prediction: PredictionFormat, label_map: Mapping[str, int], name: str = "prediction"
) -> list[str]:
    """Check what the model calls its classes, where the prediction knows that, against a label map.

    Args:
        prediction: The prediction.
        label_map: Index by name.
        name: How messages call it.

    Returns:
        A remark for each class that the label map calls by a name that the model does not have: nobody can tell whether they mean the
        same.

    Raises:
        ImplausibleError: The label map has the model's name at another index.
    """
    own = prediction.class_names or {}
    remarks = []
    labels: dict[int, str] = {}
    for index in dict.fromkeys(prediction.detection_classes):
        called = own.get(index)
        if called is None or label_map.get(called) == index:
            continue  # nearly all: the label map need not be turned around
        labels = labels or {place: label for label, place in label_map.items()}
        label = labels.get(index)
        if label is None:
            continue
        if called in label_map:
            raise ImplausibleError(
                f"{name}: class {index} is {called!r} to the model, but {label!r} in the label map, which has {called!r} as "
                f"{label_map[called]}: give label_map=await deployment.label_map() where the prediction is made"
            )
        remarks.append(f"the model calls class {index} {called!r}, the label map {label!r}")
    return remarks
