"""From what a model returns to a prediction. Runs where the model runs, since masks take their time; may be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.predictions import (
    Kind,
    LabelMap,
    Names,
    PredictionFormat,
    Size,
    as_prediction,
    from_supervision,
    from_torchvision,
    from_ultralytics,
)
from picsellia_async.predictions._labels import checked_label_map


@attrs.frozen
class Conversion:
    """What a pipeline was told of its model's results; see `Pipeline`."""

    kind: Kind | None = None
    names: Names | None = None
    label_map: LabelMap | None = attrs.field(default=None, converter=attrs.converters.optional(checked_label_map))
    first_label: int | None = None

    def prediction(self, result: Any, size: Size) -> PredictionFormat | None:
        """Return the prediction behind one result; None for None, which is nothing to send.

        Args:
            result: A prediction format, or a result of ultralytics, supervision or torchvision; or a list with one of them, as
                many models return for one image.
            size: (width, height) of the image, to which shapes of frameworks are cut.

        Raises:
            ConfigurationError: It is none of these, or cannot be read.
        """
        if isinstance(result, (list, tuple)) and len(result) == 1:
            result = result[0]
        if self.names is not None and (isinstance(result, PredictionFormat) or hasattr(result, "model_type")):
            raise ConfigurationError(
                "names= of a pipeline are for results of frameworks, and a prediction format holds indexes of the label map already: give "
                "names= and label_map= where the model makes it (from_xyxy and the like)"
            )
        if result is None or isinstance(result, PredictionFormat):
            return result
        if hasattr(result, "orig_shape") and hasattr(result, "names"):
            return from_ultralytics(result, kind=self.kind, label_map=self.label_map)
        given: dict[str, Any] = {"names": self.names, "label_map": self.label_map}
        if isinstance(result, Mapping):
            return from_torchvision(result, kind=self.kind, clip=size, first_label=self.first_label, **given)
        if hasattr(result, "model_type"):
            return as_prediction(result, "the model's result")
        if hasattr(result, "class_id"):
            return from_supervision(result, kind=self.kind, clip=size, **given)
        raise ConfigurationError(
            "the model must return a prediction format, a result of ultralytics, supervision or torchvision, or None, got "
            f"{shown(result)}"
        )
