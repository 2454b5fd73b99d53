"""The short way of the checks, which most frames of a camera take, lets nothing through that the checks refuse."""

from __future__ import annotations

import math
import time

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import DetectionPredictionFormat, ImplausibleError
from picsellia_async.monitor_options import MonitorOptions
from picsellia_async.plausibility import check_classes, check_image, check_options, is_right_at_a_glance

from ..support.images import jpeg, png

WIDTH, HEIGHT = 64, 48
INDEXES = frozenset({0, 1, 2, 5})
COORDINATES = st.integers(-8, 72)
BOXES = st.lists(st.tuples(COORDINATES, COORDINATES, COORDINATES, COORDINATES).map(list), max_size=3)
IMAGES = (
    jpeg(WIDTH, HEIGHT), jpeg(HEIGHT, WIDTH), jpeg(WIDTH, HEIGHT, orientation=6), jpeg(WIDTH, HEIGHT)[:-2],
    jpeg(WIDTH, HEIGHT) + b"more", png(WIDTH, HEIGHT), b"raw",
)  # fmt: skip


def options(prediction: DetectionPredictionFormat, **fields: object) -> MonitorOptions:
    said: dict[str, object] = {"filename": "a.jpg", "width": WIDTH, "height": HEIGHT, "latency": 0.02, **fields}
    return MonitorOptions(prediction=prediction, **said)  # type: ignore[arg-type]


def are_refused(one: MonitorOptions, image: bytes, indexes: frozenset[int] | None) -> bool:
    """Whether the checks refuse it, one by one."""
    try:
        check_options(one)
        check_image(image, one.content_type, (one.width, one.height))  # type: ignore[arg-type]
        check_classes(one.prediction, indexes)
    except ImplausibleError:
        return True
    return False


@given(
    boxes=BOXES,
    class_=st.sampled_from((0, 1, 2, 1, 5, -1, 3, 6)),
    score=st.sampled_from((0.0, 0.5, 1.0, 0.5, -0.5, 1.5)),
    latency=st.sampled_from((0.02, 0.02, 9, 10, 10.0, 3601.0)),
    age=st.sampled_from((None, None, 0.0, 86_000.0, -86_000.0, -90_000.0, math.inf)),
    image=st.sampled_from((*IMAGES, *IMAGES[:1] * 4)),
    size=st.sampled_from(((WIDTH, HEIGHT), (WIDTH, HEIGHT), (HEIGHT, WIDTH))),
    content_type=st.sampled_from(("image/jpeg", "image/jpeg", "image/png")),
    indexes=st.sampled_from((INDEXES, None)),
)
def test_what_is_let_through_is_right(boxes, class_, score, latency, age, image, size, content_type, indexes):
    """Whatever is right at a glance, each check lets pass."""
    count = len(boxes)
    prediction = DetectionPredictionFormat([class_] * count, boxes, [score] * count)
    timestamp = None if age is None else 0.0 if age == math.inf else time.time() - age
    one = options(
        prediction, width=size[0], height=size[1], latency=latency, timestamp=timestamp, content_type=content_type
    )
    assert not (is_right_at_a_glance(one, image, indexes) and are_refused(one, image, indexes))


PREDICTION = DetectionPredictionFormat([1], [[4, 4, 20, 20]], [0.5])


@pytest.mark.parametrize(
    ("one", "is_right"),
    [
        (options(PREDICTION), True),
        (options(PREDICTION, timestamp=time.time() - 60), True),
        (options(DetectionPredictionFormat([], [], [])), True),
        (options(DetectionPredictionFormat.from_xyxy([[1, 1, 9, 9]], [1], [0.5], clip=(32, 32))), False),
        (options(PREDICTION, shadow_prediction=PREDICTION, shadow_latency=0.1), False),
    ],
    ids=["boxes", "with a timestamp", "no boxes", "made for an image", "with a shadow"],
)
def test_the_usual_frame_takes_it(one, is_right):
    """The usual frame is right at a glance; one with more to it is left to the checks."""
    assert is_right_at_a_glance(one, jpeg(WIDTH, HEIGHT), INDEXES) is is_right
    assert is_right_at_a_glance(attrs.evolve(one, width=HEIGHT), jpeg(WIDTH, HEIGHT), INDEXES) is False
