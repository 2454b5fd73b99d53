"""Random predictions of all seven formats: the vendor's pydantic object and ours are the same JSON, and ours takes the vendor's."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picsellia_async._wire.encoding import dump_json
from picsellia_async._wire.oracle_requests import raw_predictions
from picsellia_async.predictions import as_prediction

from . import sides

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
