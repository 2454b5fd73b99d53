"""What is well formed and cannot be meant: refused with what it looks like and the way out, and what is right passes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import (
    ClassificationPredictionFormat,
    ConfigurationError,
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    KeypointPredictionFormat,
    MaskPredictionFormat,
)
from picsellia_async.plausibility import check_image, check_latency, check_prediction, check_timestamp

from ..support.images import jpeg, png
from ..support.mistakes import HEIGHT, MISTAKES, WIDTH, box


def frame(**fields):
    given_fields = {
        "image": jpeg(WIDTH, HEIGHT),
        "filename": "a.jpg",
        "width": WIDTH,
        "height": HEIGHT,
        "latency": 0.02,
    }
    return Frame(**{**given_fields, "prediction": box(10, 20, 110, 220), **fields})


@pytest.mark.parametrize("name", MISTAKES)
def test_a_frame_that_cannot_be_meant_is_refused(name):
    """Field, value, what it looks like, and the way out; `checks="off"` takes it as it is."""
    fields, message = MISTAKES[name]
    with pytest.raises(ImplausibleError, match=message):
        frame(**fields)
    assert frame(**fields, checks="off").checks == "off"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prediction": box(-70, -120, 790, 1400)},
        {"prediction": box(5, 5, 5, 5)},
        {"prediction": ClassificationPredictionFormat([1], [1 + 1e-7])},
        {"prediction": KeypointPredictionFormat([0], [0.5], [[[1, 2, 2], [-900, -900, 0]]])},
        {"image": jpeg(HEIGHT, WIDTH, orientation=6)},
        {"image": jpeg(WIDTH, HEIGHT, orientation=8)},
        {"image": b"\xff\xd8\xff\xe0 a header that cannot be read"},
        {"image": png(WIDTH, HEIGHT), "content_type": "image/png"},
        {"latency": 42.21},
        {"latency": 9},
        {"latency": 30.0},
        {"prediction": MaskPredictionFormat([0], [0.5], ["5koSl0"])},
        {"timestamp": None},
        {"timestamp": time.time() + 80_000},
    ],
    ids=["plain", "overhang of a tenth", "empty box", "rounding", "point that is not there", "turned, as shown",
         "turned, as stored", "no header", "PNG by type", "slow model", "whole seconds", "whole float", "mask of its size", "no timestamp", "clock ahead"],
)  # fmt: skip
def test_what_is_right_passes(fields):
    """A detector's overhang, turned photos, slow models and clocks a little off are no mistakes."""
    assert frame(**fields).checks == "on"


@pytest.mark.parametrize("seconds", [0.0, 1e-6, 9, 10.5, 30.0, 3599.9])
def test_latencies_in_seconds(seconds):
    """Up to an hour; a float is taken at its word, also a whole one."""
    check_latency(seconds, "latency")


def test_a_board_whose_clock_is_not_set_is_not_refused():
    """Before the network tells the time it counts from 1970: nothing can be said about a timestamp then."""
    check_timestamp(12.5, now=13.0)
    with pytest.raises(ImplausibleError):
        check_timestamp(12.5, now=1.8e9)


def test_an_image_in_other_memory_is_checked_alike():
    """Views, of all or of a part of the bytes, read the same header."""
    image = jpeg(30, 40, size=100_000)
    part = memoryview(b"...." + image)[4:]
    for view in (memoryview(image), part, memoryview(bytearray(image))):
        check_image(view, size=(30, 40))
        with pytest.raises(ImplausibleError, match="swapped"):
            check_image(view, size=(40, 30))


@given(
    st.lists(
        st.tuples(
            st.tuples(st.integers(0, HEIGHT), st.integers(0, HEIGHT)).map(sorted),
            st.tuples(st.integers(0, WIDTH), st.integers(0, WIDTH)).map(sorted),
        ).map(lambda s: [s[0][0], s[1][0], s[0][1], s[1][1]]),
        max_size=5,
    )
)
def test_no_box_within_the_image_is_refused(boxes):
    """Whatever the boxes, as long as they lie in the image."""
    check_prediction(DetectionPredictionFormat([0] * len(boxes), boxes, [0.5] * len(boxes)), WIDTH, HEIGHT)


def test_checks_are_on_or_off():
    """Another word is refused by name."""
    with pytest.raises(ConfigurationError, match='checks must be "on" or "off"'):
        frame(checks="no")


def test_the_size_of_the_image_is_said_first() -> None:
    """With width and height swapped every box seems beyond the image, or in another order: that would send people the wrong way."""
    with pytest.raises(ImplausibleError, match=r"width and height are 720 and 1280.*they look swapped"):
        Frame(
            image=jpeg(1280, 720), filename="a.jpg", width=720, height=1280, latency=0.1,
            prediction=DetectionPredictionFormat([0], [[10, 900, 700, 1270]], [0.5]),
        )  # fmt: skip


@pytest.mark.parametrize("box", [[-1, -1, 5, 8], [0, 0, 9, 9]])
def test_one_pixel_beyond_a_tiny_image_is_let_be(box: list[int]) -> None:
    """Rounding puts it there; a tenth of eight pixels is less than one."""
    check_prediction(DetectionPredictionFormat([0], [box], [0.5]), 8, 8)
    with pytest.raises(ImplausibleError, match="beyond the image"):
        check_prediction(DetectionPredictionFormat([0], [[0, 0, 8, 10]], [0.5]), 8, 8)
