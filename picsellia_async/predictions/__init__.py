"""What a model predicted, as the platform takes it: the seven formats, and ways to them from what models and tools give."""

from picsellia_async.predictions._geometry import Size
from picsellia_async.predictions._labels import Classes, LabelMap, Names
from picsellia_async.predictions._masks import Parts, RunLength
from picsellia_async.predictions._skeletons import ThirdValues
from picsellia_async.predictions._values import Number, Numbers, Path, Shapes
from picsellia_async.predictions.base import PredictionFormat
from picsellia_async.predictions.coco import Categories, from_coco
from picsellia_async.predictions.copying import copied
from picsellia_async.predictions.formats import (
    ClassificationPredictionFormat,
    DetectionPredictionFormat,
    KeypointPredictionFormat,
    LinePredictionFormat,
    PointPredictionFormat,
)
from picsellia_async.predictions.frameworks import Kind, from_supervision, from_torchvision, from_ultralytics
from picsellia_async.predictions.mask_formats import MaskPredictionFormat, SegmentationPredictionFormat
from picsellia_async.predictions.registry import PREDICTION_FORMATS, as_prediction, check_prediction_type

__all__ = [
    "PREDICTION_FORMATS",
    "Categories",
    "Classes",
    "ClassificationPredictionFormat",
    "DetectionPredictionFormat",
    "KeypointPredictionFormat",
    "Kind",
    "LabelMap",
    "LinePredictionFormat",
    "MaskPredictionFormat",
    "Names",
    "Number",
    "Numbers",
    "Parts",
    "Path",
    "PointPredictionFormat",
    "PredictionFormat",
    "RunLength",
    "SegmentationPredictionFormat",
    "Shapes",
    "Size",
    "ThirdValues",
    "as_prediction",
    "check_prediction_type",
    "copied",
    "from_coco",
    "from_supervision",
    "from_torchvision",
    "from_ultralytics",
]
