"""Shares of the image in place of pixels, and shapes that cutting leaves nothing of: refused, whatever the format."""

from __future__ import annotations

import pytest

from picsellia_async import (
    DetectionPredictionFormat,
    ImplausibleError,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import from_coco

SIZE = (600, 400)
LEGS_BELOW = [[0.48, 0.2], [0.52, 0.2], [0.4, 0.9], [0.6, 0.9], [0.45, 1.8], [0.55, 2.6]]
"""As MediaPipe gives them: the person's feet are not in the image."""
OVERHANGING = [[0.1, 0.2], [0.5, 0.2], [0.5, 1.2]]
BOX = [0.1, 0.2, 0.5, 1.2]
CATEGORIES = {1: 0}

SHARES = {
    "boxes": lambda: DetectionPredictionFormat([0], [BOX], [0.9]),
    "boxes below 0": lambda: DetectionPredictionFormat([0], [[-0.2, -1, 0.5, 2]], [0.9]),
    "from_xyxy": lambda: DetectionPredictionFormat.from_xyxy([BOX], [0], [0.9]),
    "from_xyxy, cut": lambda: DetectionPredictionFormat.from_xyxy([[-0.1, -0.05, 1, 1]], [0], [0.9], clip=SIZE),
    "one of fifty overhangs": lambda: DetectionPredictionFormat.from_xyxy(
        [[0.1, 0.2, 0.5, 0.9]] * 49 + [[0, 0, 0.5, 1.12]], [0] * 50, [0.9] * 50, clip=SIZE
    ),
    "one of two overhangs far": lambda: DetectionPredictionFormat.from_xyxy(
        [[0.1, 0.2, 0.4, 0.9], [0.4, 0.3, 0.9, 1.4]], [0, 0], [0.9, 0.8]
    ),
    "two, both far": lambda: DetectionPredictionFormat.from_xyxy(
        [[0.1, 0.2, 0.9, 1.2], [0.1, 0.1, 1.2, 0.9]], [0, 0], [0.9, 0.8]
    ),
    "two points, one far": lambda: PointPredictionFormat([0, 0], [0.9, 0.8], [[0.2, 0.1], [0.6, 1.15]]),
    "many, one far": lambda: DetectionPredictionFormat.from_xyxy([[0.1, 0.2, 0.9, 2.4]] * 3, [0] * 3, [0.9] * 3),
    "feet below the image": lambda: KeypointPredictionFormat.from_keypoints([LEGS_BELOW], [0], [0.9], clip=SIZE),
    "keypoints, feet below the image": lambda: KeypointPredictionFormat(
        [0], [0.9], [[[x, y, 2] for x, y in LEGS_BELOW]]
    ),
    "points, one far": lambda: PointPredictionFormat.from_points(
        [(0.2, 0.1), (1.12, 0.8), (0.6, -0.6)], [0] * 3, [0.9] * 3, clip=SIZE
    ),
    "from_xywh": lambda: DetectionPredictionFormat.from_xywh([[0.9, 0.9, 0.9, 0.9]], [0], [0.9]),
    "from_cxcywh": lambda: DetectionPredictionFormat.from_cxcywh([[0.5, 0.5, 1.1, 1.0]], [0], [0.9], clip=SIZE),
    "points": lambda: PointPredictionFormat([0], [0.9], [[0.5, 1.08]]),
    "from_points": lambda: PointPredictionFormat.from_points([[0.5, 1.08]], [0], [0.9], clip=SIZE),
    "lines": lambda: LinePredictionFormat([0], [0.9], [OVERHANGING]),
    "from_lines": lambda: LinePredictionFormat.from_lines([OVERHANGING], [0], [0.9], clip=SIZE),
    "polygons": lambda: SegmentationPredictionFormat([0], [0.9], [OVERHANGING]),
    "from_polygons": lambda: SegmentationPredictionFormat.from_polygons([OVERHANGING], [0], [0.9], clip=SIZE),
    "keypoints": lambda: KeypointPredictionFormat([0], [0.9], [[[0.5, 1.15, 2], [0.1, 0.2, 2], [0.3, 0.4, 1]]]),
    "from_keypoints": lambda: KeypointPredictionFormat.from_keypoints([OVERHANGING], [0], [0.9], clip=SIZE),
    "masks": lambda: MaskPredictionFormat.from_polygons([OVERHANGING], [0], [0.9], size=SIZE),
    "mixed masks": lambda: MaskPredictionFormat.from_shapes([OVERHANGING], [0], [0.9], size=SIZE),
    "COCO boxes": lambda: from_coco(
        [{"category_id": 1, "score": 0.9, "bbox": [0.1, 0.2, 0.5, 0.9]}], categories=CATEGORIES, size=SIZE
    ),
    "COCO masks": lambda: from_coco(
        [{"category_id": 1, "score": 0.9, "segmentation": [[0.1, 0.1, 0.5, 0.1, 0.5, 0.5]]}],
        kind="mask",
        categories=CATEGORIES,
        size=SIZE,
    ),
}


@pytest.mark.parametrize("name", SHARES)
def test_shares_are_refused_in_every_format(name):
    """Some may overhang the image, and cutting to it hides nothing."""
    if "masks" in name:
        pytest.importorskip("faster_coco_eval")
    with pytest.raises(ImplausibleError, match="looks like shares of the image"):
        SHARES[name]()


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("boxes", "with x first, use DetectionPredictionFormat.from_xyxy.*top, left, bottom, right.*height, width, height"),
        ("from_cxcywh", r"use DetectionPredictionFormat.from_cxcywh\(\.\.\., normalized="),
        ("COCO boxes", r"use DetectionPredictionFormat.from_xywh\(\.\.\., normalized="),
        ("points", r"use PointPredictionFormat.from_points\(\.\.\., normalized="),
    ],
)  # fmt: skip
def test_the_way_out_of_shares_names_the_order(name, way_out):
    """Advice that is followed must not swap the axes."""
    with pytest.raises(ImplausibleError, match=way_out):
        SHARES[name]()


def test_small_pixels_are_no_shares():
    """Whole numbers, a coordinate beyond the overhang of a share, and what shares of a tiny image become."""
    assert DetectionPredictionFormat([0], [[0, 0, 1.0, 2]], [1]).detection_boxes == [[0, 0, 1, 2]]
    assert DetectionPredictionFormat.from_xyxy([[0.2, 0.4, 3, 1]], [0], [1]).detection_boxes == [[0, 0, 1, 3]]
    assert DetectionPredictionFormat.from_xyxy([[0.2, 0.3, 1.6, 1.9]], [0], [1]).detection_boxes == [[0, 0, 2, 2]]
    assert DetectionPredictionFormat([0], [[0.3, 0.2, 1.9, 1.6]], [1]).detection_boxes == [[0, 0, 2, 2]]
    cut = DetectionPredictionFormat.from_xywh([[-0.1, 0, 2.0, 1.5]], [0], [1], clip=(2, 2))
    assert cut.detection_boxes == [[0, 0, 2, 2]]
    whole = PointPredictionFormat.from_points([[1.0, 1.0], [1.0, 2.0], [0.0, 2.0]], [0] * 3, [1] * 3)
    assert whole.points == [[1, 1], [1, 2], [0, 2]]
    flat = LinePredictionFormat.from_lines([[(0, 0.4), (1.9, 0.4)]], [0], [1])
    assert flat.lines == [[[0, 0], [2, 0]]]
    assert PointPredictionFormat.from_points([[0.2, 1.4]], [0], [1]).points == [[0, 1]]
    pose = KeypointPredictionFormat.from_keypoints([[[0, 0, 0], [1.2, 0.7, 2], [0, 0, 0]]], [0], [1])
    assert pose.keypoints == [[[0, 0, 0], [1, 1, 2], [0, 0, 0]]]
    assert KeypointPredictionFormat([0], [1], [[[0, 0, 0], [1.2, 0.7, 2]]]).keypoints == [[[0, 0, 0], [1, 1, 2]]]
    line = LinePredictionFormat.from_lines([[[0.05, 0.05], [0.1, 0.1]]], [0], [1], normalized=(10, 10))
    assert line.lines == [[[0, 0], [1, 1]]]


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (lambda: DetectionPredictionFormat.from_xywh([[590, 405, 600, 420]], [0], [1], clip=SIZE), "from_xyxy takes x1"),
        (lambda: DetectionPredictionFormat.from_xyxy([[600, 400, 640, 430]], [0], [1], clip=SIZE), "from_xywh takes x"),
        (lambda: SegmentationPredictionFormat.from_polygons(
            [[[390, 405], [380, 430], [300, 410]]], [0], [1], clip=SIZE), "swap them where they are y, x"),
        (lambda: LinePredictionFormat.from_lines([[[390, 405], [300, 410]]], [0], [1], clip=SIZE), "swap them"),
    ],
)  # fmt: skip
def test_a_shape_of_which_cutting_leaves_nothing_is_refused(make, hint):
    """It would be stored as a line or a point at the edge, and it is nearly always another order."""
    with pytest.raises(ImplausibleError, match=f"lies wholly beside the image of 600 x 400.*{hint}"):
        make()


@pytest.mark.parametrize("name", [name for name in SHARES if "masks" in name or name.split("_")[-1] in {
    "points", "lines", "polygons", "keypoints"}])  # fmt: skip
def test_the_advice_for_points_that_are_shares_names_their_order(name):
    """MoveNet gives y, x: taken as they are, with their size said, they would be stored with the axes swapped."""
    if "masks" in name:
        pytest.importorskip("faster_coco_eval")
    with pytest.raises(ImplausibleError, match=r"with x first, .*; with y first.*, swap each pair before"):
        SHARES[name]()


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 2), (2, 3)])
def test_images_of_a_few_pixels_have_no_shares(size):
    """Where `clip` says so: all of their pixels lie where shares do."""
    width, height = float(size[0]), float(size[1])
    box = DetectionPredictionFormat.from_xyxy([[0.0, 0.0, width, height]], [0], [1], clip=size)
    assert box.detection_boxes == [[0, 0, size[1], size[0]]]
    outline = [[0.0, 0.0], [width, 0.0], [width, height - 0.4]]
    polygon = SegmentationPredictionFormat.from_polygons([outline], [0], [1], clip=size)
    assert polygon.detection_masks == [[[round(x), round(y)] for x, y in outline]]


PIXEL = {
    "boxes": lambda box: DetectionPredictionFormat.from_xyxy(box, [0], [1]),
    "boxes, cut": lambda box: DetectionPredictionFormat.from_xyxy(box, [0], [1], clip=SIZE),
    "points": lambda box: PointPredictionFormat.from_points(box[:, 2:], [0], [1]),
}


@pytest.mark.parametrize("name", PIXEL)
def test_the_way_out_of_a_pixel_that_looks_like_shares_works_with_arrays(name):
    """Every detector gives floats, and rounding alone leaves them floats."""
    np = pytest.importorskip("numpy")
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    with pytest.raises(ImplausibleError, match=r"give integers \(\.round\(\)\.astype\(int\) of an array"):
        PIXEL[name](box)
    PIXEL[name](box.round().astype(int))


def test_joints_far_below_the_image_are_not_there():
    """The right call with shares, as with pixels: a person whose legs the border cuts is kept."""
    shares = KeypointPredictionFormat.from_keypoints([LEGS_BELOW], [0], [0.9], normalized=SIZE)
    pixels = [[x * SIZE[0], y * SIZE[1]] for x, y in LEGS_BELOW]
    assert shares.keypoints == KeypointPredictionFormat.from_keypoints([pixels], [0], [0.9], clip=SIZE).keypoints
    assert [point[2] for point in shares.keypoints[0]] == [2, 2, 2, 2, 0, 0]


@pytest.mark.parametrize(
    ("box", "way_out"),
    [([0.1, 0.2, 0.5, 1.8], "cut it to 0 to 1 before"), ([10, 20, 50, 180], "leave normalized= out")],
)
def test_what_is_no_share_is_told_what_to_do(box, way_out):
    """Shares far beyond the image are none of pixels, and advised so they would be stored as such."""
    with pytest.raises(ImplausibleError, match=f"which are no shares of the image.*{way_out}"):
        DetectionPredictionFormat.from_xyxy([box], [0], [0.9], normalized=SIZE)


def test_pixels_of_a_skeleton_given_as_shares_are_refused():
    with pytest.raises(ImplausibleError, match=r"keypoints\[0\] has .*leave normalized= out"):
        KeypointPredictionFormat.from_keypoints([[[300, 200], [310, 220]]], [0], [0.9], normalized=SIZE)


def test_people_whom_the_border_cuts_are_kept_together():
    """As y, x all of their joints would lie in the image, which tells nothing: cameras see upper halves for minutes."""
    people = [[[100, 200], [110, 390], [120, 500]], [[300, 210], [310, 380], [320, 470]]]
    found = KeypointPredictionFormat.from_keypoints(people, [0, 0], [0.9, 0.8], clip=SIZE).keypoints
    assert [[point[2] for point in one] for one in found] == [[2, 2, 0], [2, 2, 0]]


def test_a_pixel_among_shares_of_a_skeleton_is_refused():
    """A wrong divisor is no person that the border cuts."""
    with pytest.raises(ImplausibleError, match=r"keypoints\[0\] has 520, 170.*leave normalized= out"):
        KeypointPredictionFormat.from_keypoints([[*LEGS_BELOW, [520, 170]]], [0], [0.9], normalized=SIZE)
