"""Shapes on an image that is made smaller: none is left without an extent, no point leaves the image, none is there twice."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
import simplejpeg
from hypothesis import assume, given
from hypothesis import strategies as st

from picsellia_async import (
    DetectionPredictionFormat,
    Frame,
    KeypointPredictionFormat,
    LinePredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.frames import smaller
from picsellia_async.predictions.scaling import gets_flat, scaled

SIZES = st.tuples(st.integers(20, 4000), st.integers(20, 4000))


@st.composite
def images(draw):
    """Return width and height of an image, and of a smaller one as `max_side` makes it."""
    width, height = draw(SIZES)
    side = draw(st.integers(1, max(width, height) - 1))
    factor = side / max(width, height)
    return (width, height), (max(round(width * factor), 1), max(round(height * factor), 1))


def paths(size, least, edge=1):
    """Return a strategy of paths in an image of that size; `edge` is 1 where its last pixel is the last place, 0 where its edge is."""
    point = st.tuples(st.integers(0, size[0] - edge), st.integers(0, size[1] - edge)).map(list)
    near = st.tuples(point, st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=least, max_size=6)).map(
        lambda found: [
            [min(max(found[0][0] + x, 0), size[0] - edge), min(max(found[0][1] + y, 0), size[1] - edge)] for x, y in found[1]
        ]
    )  # fmt: skip
    return st.lists(point, min_size=least, max_size=6) | near


def extent(points):
    """Return left, top, right and bottom."""
    (left, right), (top, bottom) = ((min(side), max(side)) for side in zip(*points, strict=True))
    return left, top, right, bottom


def is_near(found, points, old, new, off=1.001):
    """Whether a shape has the extent that it had, in the other pixels, but for `off` of these."""
    factors = [new[i % 2] / old[i % 2] for i in range(4)]
    pairs = zip(extent(found), extent(points), factors, strict=True)
    return all(abs(now - before * factor) <= off for now, before, factor in pairs)


@given(st.data(), images())
def test_boxes_keep_a_pixel(data, image):
    """However small the image gets; those that had an extent, and lie in the image, do so in the smaller one."""
    old, new = image
    corners = data.draw(paths(old, 2, edge=0))
    left, top, right, bottom = extent(corners)
    assume(left < right and top < bottom)
    found = scaled(DetectionPredictionFormat([0], [[top, left, bottom, right]], [0.9]), old, new).detection_boxes[0]
    assert 0 <= found[0] < found[2] <= new[1]
    assert 0 <= found[1] < found[3] <= new[0]
    assert is_near([[found[1], found[0]], [found[3], found[2]]], corners, old, new)


@given(st.data(), images())
def test_polygons_and_lines_keep_an_extent(data, image):
    """And have no point twice in turn."""
    old, new = image
    polygon = data.draw(paths(old, 3, edge=0))
    left, top, right, bottom = extent(polygon)
    assume(left < right and top < bottom and len(set(map(tuple, polygon))) >= 3)
    found = scaled(SegmentationPredictionFormat([0], [0.9], [polygon]), old, new).detection_masks[0]
    assert len([*groupby(found)]) == len(found) >= 3
    assert len(set(map(tuple, found))) >= 3
    x1, y1, x2, y2 = extent(found)
    assert 0 <= x1 < x2 <= new[0]
    assert 0 <= y1 < y2 <= new[1]
    assert is_near(found, polygon, old, new)

    line = data.draw(paths(old, 2))
    assume(extent(line)[:2] != extent(line)[2:])
    found = scaled(LinePredictionFormat([0], [0.9], [line]), old, new).lines[0]
    assert len([*groupby(found)]) == len(found) >= 2
    if min(new) > 1:
        assert all(0 <= x < new[0] and 0 <= y < new[1] for x, y in found)
    assert is_near(
        found, line, old, new, 2
    )  # the pixel 16 of 20 is in the last one of 2, and the other end in the one before


@given(st.data(), images())
def test_points_stay_in_the_image(data, image):
    """One of the last row is in the last row of the smaller image: rounding put it below."""
    old, new = image
    points = data.draw(paths(old, 1))
    found = scaled(PointPredictionFormat([0] * len(points), [0.9] * len(points), points), old, new).points
    skeleton = [[x, y, 2] for x, y in points]
    joints = scaled(KeypointPredictionFormat([0], [0.9], [skeleton]), old, new).keypoints[0]
    assert joints == [[x, y, 2] for x, y in found]
    for (x, y), (now_x, now_y) in zip(points, found, strict=True):
        assert 0 <= now_x < new[0]
        assert 0 <= now_y < new[1]
        assert abs(now_x - x * new[0] / old[0]) <= 1
        assert abs(now_y - y * new[1] / old[1]) <= 1


def test_what_is_stored():
    """Of a photograph of 4000 x 3000 at 640 pixels: a person far away, a crack, and a line of some pixels, right to left."""
    pixels = np.zeros((3000, 4000), np.uint8)
    for prediction, field, expected in (
        (DetectionPredictionFormat([0, 0], [[100, 100, 103, 112], [1500, 300, 1512, 303]], [0.9, 0.9]),
         "detection_boxes", [[16, 16, 17, 18], [240, 48, 242, 49]]),
        (SegmentationPredictionFormat([0], [0.9], [[[18, 18], [20, 18], [20, 20], [19, 21], [60, 60]]]),
         "detection_masks", [[[2, 2], [10, 2], [10, 10], [2, 10]]]),
        (LinePredictionFormat([0], [0.9], [[[203, 100], [201, 100]]]), "lines", [[[33, 16], [32, 16]]]),
    ):  # fmt: skip
        frame = Frame.from_array(pixels, prediction=prediction, latency=0.02, max_side=640)
        assert getattr(frame.prediction, field) == expected


@pytest.mark.parametrize(
    "prediction",
    [
        DetectionPredictionFormat([0, 0], [[10, 10, 12, 12], [50, 50, 50, 90]], [0.9, 0.9]),
        SegmentationPredictionFormat([0], [0.9], [[[10, 10], [12, 10], [12, 12]]]),
        LinePredictionFormat([0, 0], [0.9, 0.9], [[[10, 10], [12, 10]], [[5, 5], [5, 5]]]),
    ],
    ids=["boxes", "polygon", "lines"],
)
def test_under_backlog_no_shape_is_made_larger(prediction):
    """The image keeps its size, also where another shape has no extent as it is given: that one hid what became of the others."""
    noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    image = simplejpeg.encode_jpeg(noise, quality=95, colorspace="BGR")
    frame = Frame(
        image=image, filename="a.jpg", width=320, height=240, latency=0.1, prediction=prediction, checks="off"
    )
    assert gets_flat(prediction, (320, 240), (32, 24))
    found = smaller(frame, 50, 32)
    assert (found.width, found.height, found.prediction) == (320, 240, prediction)
    assert len(found.image) < len(image)
