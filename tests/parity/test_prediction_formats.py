"""Random predictions of all seven formats: the vendor's pydantic object and ours are the same JSON, and ours takes the vendor's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picsellia_async import Frame, ImplausibleError
from picsellia_async._wire.oracle_requests import raw_predictions
from picsellia_async.predictions import as_prediction
from picsellia_async.validation import dump_json

from . import sides
from .pictures import png

pixels = st.integers(-(2**31), 2**31)
points = st.tuples(pixels, pixels).map(list)
polygon = st.lists(points, min_size=3, max_size=6)

SHAPES: Final[dict[str, tuple[str, st.SearchStrategy[Any]] | None]] = {
    "ClassificationPredictionFormat": None,
    "DetectionPredictionFormat": ("detection_boxes", st.lists(pixels, min_size=4, max_size=4)),
    "SegmentationPredictionFormat": ("detection_masks", polygon),
    "LinePredictionFormat": ("lines", st.lists(points, min_size=2, max_size=6)),
    "PointPredictionFormat": ("points", points),
    "KeypointPredictionFormat": (
        "keypoints",
        st.lists(st.tuples(pixels, pixels, st.integers(0, 2)).map(list), max_size=6),
    ),
    "MaskPredictionFormat": ("detection_masks", st.text()),
}
"""What each format has per shape, beside a class and a score."""


ONE: Final[dict[str, Any]] = {"detection_classes": [0], "detection_scores": [0.5]}
EXAMPLES: Final[dict[str, Callable[[Any], Any]]] = {
    "ClassificationPredictionFormat": lambda api: api.ClassificationPredictionFormat(**ONE),
    "DetectionPredictionFormat": lambda api: api.DetectionPredictionFormat(**ONE, detection_boxes=[[1, 2, 3, 4]]),
    "SegmentationPredictionFormat": lambda api: api.SegmentationPredictionFormat(
        **ONE, detection_masks=[[[1, 2], [3, 4], [5, 9]]]
    ),
    "LinePredictionFormat": lambda api: api.LinePredictionFormat(**ONE, lines=[[[1, 2], [3, 4]]]),
    "PointPredictionFormat": lambda api: api.PointPredictionFormat(**ONE, points=[[1, 2]]),
    "KeypointPredictionFormat": lambda api: api.KeypointPredictionFormat(**ONE, keypoints=[[[1, 2, 2], [3, 4, 0]]]),
    "MaskPredictionFormat": lambda api: api.MaskPredictionFormat(**ONE, detection_masks=["01oo2"]),
}
"""One of each format that fits an image of 64 x 48."""


@st.composite
def arguments(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Draw valid keyword arguments of a format."""
    count = draw(st.integers(0, 5))

    def column(each: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(each, min_size=count, max_size=count))

    fields: dict[str, Any] = {
        "detection_classes": column(st.integers(0, 2**31)),
        "detection_scores": column(st.integers(0, 1) | st.floats(0.0, 1.0)),
    }
    shape = SHAPES[name]
    if shape is not None:
        fields[shape[0]] = column(shape[1])
    texts = draw(st.sampled_from(["left out", "none", "empty", "given"]))
    if texts != "left out":
        fields["detection_texts"] = {"none": None, "empty": [], "given": column(st.text())}[texts]
    return fields


@pytest.mark.parametrize("name", SHAPES)
@settings(deadline=None)
@given(data=st.data())
def test_random_predictions_are_the_same_json(name: str, data: st.DataObject) -> None:
    """The same keyword arguments are the same bytes on either side, order of keys included; the vendor's object is ours."""
    fields = data.draw(arguments(name))
    theirs = getattr(sides.vendor_names(), name)(**fields)
    ours = getattr(sides.our_names(), name)(**fields)
    wire = orjson.dumps(theirs.model_dump())
    assert dump_json(raw_predictions(ours)) == wire
    taken = as_prediction(theirs)
    assert taken == ours
    assert dump_json(raw_predictions(taken)) == wire


def test_every_format_is_tried() -> None:
    """A format that the vendor adds has to be added to ours, and here."""
    sides.load_vendor()
    from picsellia.types.schemas_prediction import PredictionFormat

    assert {format_.__name__ for format_ in PredictionFormat.__subclasses__()} == set(SHAPES)


def test_the_vendors_objects_are_taken_and_checked() -> None:
    """Whoever migrates hands over the vendor's predictions: to a frame as well, with the same checks as ours."""
    image = png(64, 48)
    for name in SHAPES:
        theirs = EXAMPLES[name](sides.vendor_names())
        frame = Frame(image=image, filename="a.png", width=64, height=48, latency=0.1, prediction=theirs)
        assert frame.prediction == EXAMPLES[name](sides.our_names())
    wrong = sides.vendor_names().DetectionPredictionFormat(
        detection_classes=[0], detection_boxes=[[1, 2, 3, 4]], detection_scores=[93]
    )
    with pytest.raises(ImplausibleError, match="per cent"):
        Frame(image=image, filename="a.png", width=64, height=48, latency=0.1, prediction=wrong)
