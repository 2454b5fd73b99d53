"""Polygons, lines, points, skeletons and pixel masks from what models give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from picsellia_async import (
    ClassificationPredictionFormat,
    ConfigurationError,
    ImplausibleError,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.plausibility import check_prediction

pytest.importorskip("faster_coco_eval")

SQUARE = [[10, 10], [10, 20], [20, 20], [20, 10]]
MASK = np.zeros((30, 40), bool)
MASK[10:21, 10:21] = True
RUNS = {"size": [30, 40], "counts": [310, *[11, 19] * 10, 11, 579]}


@pytest.mark.parametrize(
    "polygon",
    [
        SQUARE,
        [10, 10, 10, 20, 20, 20, 20, 10],
        [[10, 10, 10, 20, 20, 20, 20, 10]],
        [SQUARE],
        np.array(SQUARE, np.float32),
        np.array(SQUARE)[:, None],
    ],
    ids=["pairs", "flat", "COCO list", "list of pairs", "array", "contour"],
)
def test_polygons_in_every_spelling(polygon):
    """Pairs, flat, COCO's list, arrays and OpenCV contours are the same polygon."""
    prediction = SegmentationPredictionFormat.from_polygons([polygon], ["car"], [0.5], label_map={"car": 3})
    assert prediction == SegmentationPredictionFormat([3], [0.5], [SQUARE])


def test_a_shape_in_pieces_becomes_several():
    """Each piece has class, score and text of the whole; what has no three points is left out and counted."""
    other = [[1, 1], [1, 5], [5, 5]]
    prediction = SegmentationPredictionFormat.from_polygons(
        [[SQUARE, other], [], [[1, 2], [3, 4]], other], [0, 1, 2, 3], [0.1, 0.2, 0.3, 0.4], texts=["a", "b", "c", "d"]
    )
    assert prediction == SegmentationPredictionFormat(
        [0, 0, 3], [0.1, 0.1, 0.4], [SQUARE, other, other], ["a", "a", "d"]
    )
    assert prediction.left_out == 2


def test_shapes_are_placed_and_cut():
    """Shares become pixels; points beyond the image move to its edge, and the shape is counted."""
    share = [[0.25, 0.5], [0.25, 1.1], [0.75, 0.5]]
    cut = SegmentationPredictionFormat.from_polygons([share], [0], [0.5], normalized=(40, 30))
    assert (cut.detection_masks, cut.clipped) == ([[[10, 15], [10, 30], [30, 15]]], 1)
    line = LinePredictionFormat.from_lines([[[0.5, 0.5], [1, 1]]], [0], [0.5], normalized=(40, 30))
    assert (line.lines, line.clipped) == ([[[20, 15], [40, 30]]], 0)
    assert PointPredictionFormat.from_points([[0.5, 0.5]], [0], [0.5], normalized=(40, 30)).points == [[20, 15]]
    skeleton = KeypointPredictionFormat.from_keypoints([[[0.5, 0.5, 0.9], [0, 0, 0]]], [0], [0.5], normalized=(40, 30))
    assert skeleton.keypoints == [[[20, 15, 2], [0, 0, 0]]]


@pytest.mark.parametrize(
    "make",
    [
        lambda: SegmentationPredictionFormat([0], [1], [[[0.1, 0.2], [0.3, 0.4], [0.5, 0.1]]]),
        lambda: SegmentationPredictionFormat([0], [1], [[0.1, 0.2, 0.3, 0.4, 0.5, 0.1]]),
        lambda: LinePredictionFormat([0], [1], [[[0.1, 0.2], [0.3, 0.4]]]),
        lambda: PointPredictionFormat([0], [1], np.array([[0.5, 0.25]])),
        lambda: KeypointPredictionFormat([0], [1], [[[0.1, 0.2, 2], [0.3, 0.4, 1]]]),
    ],
    ids=["polygon", "flat polygon", "line", "point", "skeleton"],
)
def test_shares_are_no_pixels(make):
    """Coordinates within 0 to 1 with a fraction among them would round to nothing: refused, with the constructor for them."""
    with pytest.raises(ImplausibleError, match=r"shares of the image.*normalized=\(width, height\)"):
        make()


@pytest.mark.parametrize(
    ("keypoints", "confidences", "found"),
    [
        ([[[5, 6], [7, 8]]], None, [[[5, 6, 2], [7, 8, 2]]]),
        ([[[5, 6, 2], [7, 8, 1], [0, 0, 0]]], None, [[[5, 6, 2], [7, 8, 1], [0, 0, 0]]]),
        ([[[5, 6, 0.9], [7, 8, 0.2], [3, 3, 0.0]]], None, [[[5, 6, 2], [7, 8, 1], [0, 0, 0]]]),
        (np.array([[[5.4, 6], [7, 8]]]), [[0.9, 0.2]], [[[5, 6, 2], [7, 8, 1]]]),
        ([[5, 6, 2, 7.4, 8, 1, 0, 0, 0]], None, [[[5, 6, 2], [7, 8, 1], [0, 0, 0]]]),
        (np.array([[5, 6, 2, 7, 8, 1]]), [[0.9, 0.2]], [[[5, 6, 2], [7, 8, 1]]]),
    ],
    ids=["two values", "visibility", "confidence", "confidence apart", "COCO's flat list", "flat array"],
)
def test_keypoints_of_two_or_three_values(keypoints, confidences, found):
    """The third value is COCO's visibility, a confidence, or missing."""
    prediction = KeypointPredictionFormat.from_keypoints(keypoints, [0], [0.5], confidences=confidences)
    assert prediction.keypoints == found


@pytest.mark.parametrize("polygon", [[[5, 5]] * 4, [[5, 5], [9, 5], [14, 5]], [5.5, 1, 5.5, 9, 5.5, 4]])
def test_a_polygon_without_width_or_height_is_refused(polygon):
    """It is no object, as in files; one of fewer points is left out, as nothing is there."""
    for make in (
        SegmentationPredictionFormat.from_polygons,
        lambda *args: MaskPredictionFormat.from_polygons(*args, size=(40, 30)),
    ):
        with pytest.raises(ConfigurationError, match=r"polygons\[0\]\[0\] is a polygon without width or height"):
            make([polygon], [0], [0.9])
        assert make([polygon[:2]], [0], [0.9]).left_out == 1


NAN = float("nan")


@pytest.mark.parametrize(
    ("keypoints", "confidences"),
    [
        ([[[100, 50], [-1, -1], [120, 60]]], None),
        ([[[100, 50], [-7, -2.5], [120, 60]]], None),
        (np.array([[[100, 50], [NAN, NAN], [120, 60]]]), None),
        ([[[100, 50, 2], [-1, -1, 2], [120, 60, 2]]], None),
        (np.array([[[100, 50, 0.9], [-1, -1, 0.8], [120, 60, 0.7]]], np.float32), None),
        ([[[100, 50, 0.9], [NAN, NAN, NAN], [120, 60, 0.7]]], None),
        ([[[100, 50], [NAN, NAN], [120, 60]]], [[0.9, NAN, 0.7]]),
        ([[100, 50, 2, -1, -1, 0, 120, 60, 2]], None),
    ],
    ids=["-1", "below 0", "NaN", "visible -1", "sure -1", "NaN thrice", "NaN beside", "COCO's flat list"],
)
def test_a_point_that_was_not_found_is_not_there(keypoints, confidences):
    """OpenPose and others write -1, -1 for it, mmpose and DeepLabCut NaN; COCO says 0, 0, 0. Also where it is cut."""
    for clip in (None, (600, 400)):
        made = KeypointPredictionFormat.from_keypoints(keypoints, [0], [0.5], confidences=confidences, clip=clip)
        assert made.keypoints == [[[100, 50, 2], [0, 0, 0], [120, 60, 2]]]


def test_a_point_whose_own_value_says_that_it_is_there_is_kept():
    """A detector that is sure of a joint a little beyond the corner has found it; half a point is none."""
    made = KeypointPredictionFormat.from_keypoints([[[100, 50, 0.9], [-3, -2, 0.9]]], [0], [0.5])
    assert made.keypoints == [[[100, 50, 2], [-3, -2, 2]]]
    with pytest.raises(ConfigurationError, match=r"keypoints\[0\]\[0\]\[0\] must be finite, got nan"):
        KeypointPredictionFormat.from_keypoints([[[NAN, 4], [3, 4]]], [0], [0.5])


@pytest.mark.parametrize("thirds", [[1.0, 1.0], [1, 0], [1, 1]])
def test_third_values_that_fit_both_are_refused_until_somebody_says(thirds):
    """0 and 1 alone are sure confidences, or points that are all hidden; what is certain needs no word."""
    points = [[5, 6, thirds[0]], [7, 8, thirds[1]]]
    make = KeypointPredictionFormat.from_keypoints
    with pytest.raises(ConfigurationError, match='third_values="confidence" or third_values="visibility"'):
        make([points], [0], [0.5])
    [seen] = make([points], [0], [0.5], third_values="confidence").keypoints
    [hidden] = make([points], [0], [0.5], third_values="visibility").keypoints
    assert [point[2] for point in seen] == [2 if third else 0 for third in thirds]
    assert [point[2] for point in hidden] == thirds
    flat = [value for point in points for value in point]
    assert make([flat], [0], [0.5]).keypoints == [hidden]
    certain = make([points, [[5, 6, 0.25], [7, 8, 1]]], [0, 0], [0.5, 0.5])
    assert certain.keypoints == [seen, [[5, 6, 1], [7, 8, 2]]]
    assert make([[[5, 6, 0], [7, 8, 2]]], [0], [0.5]).keypoints == [[[0, 0, 0], [7, 8, 2]]]
    with pytest.raises(ConfigurationError, match=r"must be visibilities, 0, 1 or 2, got 0\.25"):
        make([[[5, 6, 0.25]]], [0], [0.5], third_values="visibility")


def test_a_third_value_that_is_neither_is_refused():
    """Seven is neither a visibility nor a confidence."""
    with pytest.raises(ImplausibleError, match="neither COCO's visibility"):
        KeypointPredictionFormat.from_keypoints([[[5, 6, 7]]], [0], [0.5])
    with pytest.raises(ConfigurationError, match="one number per point"):
        KeypointPredictionFormat.from_keypoints([[[5, 6]]], [0], [0.5], confidences=[[0.1, 0.2]])
    for flat in ([5, 6, 7, 8], [5, 6, 7, 8, 9, 10]):
        with pytest.raises(ConfigurationError, match=r"COCO's x, y, visibility .* in turn, and is not that"):
            KeypointPredictionFormat.from_keypoints([flat], [0], [0.5])


def test_classes_of_an_image_by_name():
    """Classification has no shapes, and takes names all the same."""
    prediction = ClassificationPredictionFormat.from_classes(["cat"], [0.5], label_map={"dog": 0, "cat": 1})
    assert prediction == ClassificationPredictionFormat([1], [0.5])


def test_the_outline_of_a_mask():
    """An array becomes the polygon around it; an empty one is left out."""
    prediction = SegmentationPredictionFormat.from_binary_masks([MASK, np.zeros_like(MASK)], [1, 2], [0.5, 0.6])
    assert (prediction.detection_classes, prediction.left_out) == ([1], 1)
    assert sorted(prediction.detection_masks[0]) == [*SQUARE[:2], [20, 10], [20, 20]]


def test_the_pieces_of_a_mask():
    """All of them, or the largest; a single pixel is a piece too."""
    mask = MASK.copy()
    mask[0, 0] = mask[25:28, 30:33] = True
    every = SegmentationPredictionFormat.from_binary_masks([mask], [1], [0.5])
    assert (every.detection_classes, every.detection_scores) == ([1] * 3, [0.5] * 3)
    largest = SegmentationPredictionFormat.from_binary_masks([mask], [1], [0.5], parts="largest")
    assert largest.detection_masks == every.detection_masks[:1]


@given(st.lists(arrays(bool, (7, 9)).filter(np.any), max_size=3))  # the empty ones are left out
def test_masks_survive_both_run_length_forms(masks):
    """Array, compressed and uncompressed run-length are the same mask, there and back."""
    labels, scores = [0] * len(masks), [0.5] * len(masks)
    prediction = MaskPredictionFormat.from_binary_masks(masks, labels, scores)
    for compressed in (True, False):
        form = prediction.to_rle((9, 7), compressed=compressed)
        assert MaskPredictionFormat.from_rle(form, labels, scores, size=(9, 7)) == prediction
    for mask, back in zip(masks, prediction.to_binary_masks((9, 7)), strict=True):
        assert np.array_equal(mask, back)


EMPTY = {"size": [30, 40], "counts": [1200]}


@pytest.mark.parametrize(
    "make",
    [
        lambda *given, **options: MaskPredictionFormat.from_binary_masks(
            [np.zeros_like(MASK), MASK, np.zeros_like(MASK)], *given, **options
        ),
        lambda *given, **options: MaskPredictionFormat.from_rle([EMPTY, RUNS, EMPTY], *given, **options),
        lambda *given, **options: MaskPredictionFormat.from_rle(
            [{"size": [30, 40], "counts": "`U1"}, RUNS, {"size": [30, 40], "counts": [1200, 0]}], *given, **options
        ),
        lambda *given, **options: MaskPredictionFormat.from_rle(["`U1", RUNS, "`U1"], *given, **options),
        lambda *given, **options: MaskPredictionFormat.from_shapes([EMPTY, RUNS, [[1, 1, 2, 2]]], *given, **options),
    ],
    ids=["arrays", "run lengths", "compressed ones", "texts alone", "mixed"],
)
def test_empty_masks_are_left_out(make):
    """However they come, with their class, score and text; they are counted, and the image keeps its size."""
    prediction = make(["car", "cat", "car"], [0.1, 0.2, 0.3], texts=["a", "b", "c"], label_map={"car": 0, "cat": 1})
    assert (prediction.detection_classes, prediction.detection_scores) == ([1], [0.2])
    assert (prediction.detection_texts, prediction.left_out, prediction.image_size) == (["b"], 2, (40, 30))
    assert np.array_equal(prediction.to_binary_masks((40, 30))[0], MASK)


def test_nothing_but_empty_masks():
    """Nothing is sent of them, and the size of their image is known."""
    prediction = MaskPredictionFormat.from_binary_masks([np.zeros_like(MASK)] * 2, [0, 1], [0.5, 0.6])
    assert (prediction.detection_classes, prediction.left_out, prediction.image_size) == ([], 2, (40, 30))


def test_a_mask_from_a_polygon_covers_it():
    """Pixels inside the polygon, and the polygon around run-length masks."""
    prediction = MaskPredictionFormat.from_polygons([SQUARE, []], [0, 1], [0.5, 0.6], size=(40, 30))
    assert (prediction.detection_classes, prediction.left_out) == ([0], 1)
    assert prediction.to_binary_masks((40, 30))[0].sum() == 100
    around = SegmentationPredictionFormat.from_rle(prediction.to_rle((40, 30)), [0], [0.5])
    assert sorted(around.detection_masks[0]) == [[10, 10], [10, 19], [19, 10], [19, 19]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaskPredictionFormat.from_binary_masks([MASK * 0.7], [0], [1]), "values from 0 to 0.7, and a mask is 0 and 1: compare with the model's threshold"),
        (lambda: MaskPredictionFormat.from_binary_masks([MASK, MASK.T], [0, 0], [1, 1]), "has shape"),
        (lambda: MaskPredictionFormat.from_binary_masks(MASK, [0], [1]), r"as one mask alone: \[masks\]"),
        (lambda: MaskPredictionFormat.from_rle([{"size": [7, 9], "counts": [3, 4]}], [0], [1]), "its runs cover 7 pixels, its image has 63"),
        (lambda: MaskPredictionFormat.from_rle([{"size": [7, 9], "counts": "0"}], [0], [1], size=(7, 9)), "of an image of 9 x 7, not of 7 x 9"),
        (lambda: MaskPredictionFormat.from_rle([{"counts": "0"}], [0], [1]), "must be a run-length mask"),
        (lambda: SegmentationPredictionFormat.from_rle(["0"], [0], [1]), "must say its size"),
        (lambda: MaskPredictionFormat([0], [1], ["PPYo0"]).to_binary_masks((4, 4)), "no run-length mask of 4 x 4"),
        (lambda: SegmentationPredictionFormat.from_binary_masks([MASK], [0, 1], [1]), "classes must have one entry per shape: got 2 for 1"),
        (lambda: SegmentationPredictionFormat.from_binary_masks([MASK], [0], [1], parts="most"), "parts must be"),
    ],
)  # fmt: skip
def test_what_is_no_mask_is_refused(make, message):
    """The message names the mask and what is wrong with it."""
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_run_lengths_are_those_of_the_pixels():
    """As numbers they go down the columns and begin with background; another size is refused."""
    prediction = MaskPredictionFormat.from_binary_masks([MASK], [0], [0.5])
    (form,) = prediction.to_rle((40, 30), compressed=False)
    assert form == {"size": [30, 40], "counts": [310, *[11, 19] * 10, 11, 579]}
    with pytest.raises(ConfigurationError, match="cover 1200 pixels, its image has 1271"):
        prediction.to_rle((41, 31), compressed=False)


@pytest.mark.parametrize("make", [MaskPredictionFormat, SegmentationPredictionFormat])
def test_the_threshold_of_logits_is_not_that_of_probabilities(make):
    """The message says what was seen, and both thresholds."""
    logits = np.linspace(-4, 4, 100, dtype=np.float32).reshape(10, 10)
    with pytest.raises(ConfigurationError, match=r"values from -4 to 4, .*masks > 0 for logits, masks > 0\.5 for"):
        make.from_binary_masks([logits], [0], [0.9])
    with pytest.raises(ConfigurationError, match=r"masks\[0\] holds NaN"):
        make.from_binary_masks([np.full((10, 10), NAN)], [0], [0.9])


def test_a_polygon_thinner_than_a_pixel_keeps_an_area():
    """Rounding would leave a line, which is refused as no object: it becomes the box of the pixels that it touches."""
    thin = [[3.1, 5.2], [3.3, 9.9], [3.2, 7.0]]
    found = [[3, 5], [4, 5], [4, 10], [3, 10]]
    for prediction in (
        SegmentationPredictionFormat([0], [0.5], [thin]),
        SegmentationPredictionFormat.from_polygons([thin], [0], [0.5]),
        SegmentationPredictionFormat.from_polygons([thin], [0], [0.5], clip=(40, 30)),
    ):
        assert prediction.detection_masks == [found]
        check_prediction(prediction, 40, 30)
    # At the edge the box stays in the image, and of less than a pixel beside it nothing is left.
    at_edge = SegmentationPredictionFormat.from_polygons([[[39.8, 1], [40.4, 9], [39.9, 5]]], [0], [0.5], clip=(40, 30))
    assert at_edge.detection_masks == [[[39, 1], [40, 1], [40, 9], [39, 9]]]
    beside = SegmentationPredictionFormat.from_polygons([[[40.1, 1], [40.6, 9], [40.3, 5]]], [0], [0.5], clip=(40, 30))
    assert (beside.detection_masks, beside.left_out) == ([], 1)


@pytest.mark.parametrize("make", [MaskPredictionFormat, SegmentationPredictionFormat])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_a_mask_with_soft_edges_is_told_its_threshold(make, kind):
    """Resized or blurred, 0 and 255 have steps between them: `> 127` gives the object, a mask for each value a dozen of rings."""
    cv2 = pytest.importorskip("cv2")
    small = np.zeros((36, 64), np.uint8)
    small[10:25, 20:45] = 255
    for soft in (cv2.resize(small, (128, 72)), cv2.GaussianBlur(small, (5, 5), 0)):
        with pytest.raises(
            ConfigurationError, match=r"masks\[0\] holds values between 0 and 255, .*soft edges: masks > 127$"
        ):
            make.from_binary_masks([soft.astype(kind)], [0], [0.9])
    assert make.from_binary_masks([small.astype(kind)], [0], [0.9]) == make.from_binary_masks([small > 0], [0], [0.9])


@pytest.mark.parametrize(
    "values", [(1, 2, 3), (1, 15, 255), (100, 240), (60, 120, 240), (7, 80, 160, 240), tuple(range(1, 256))]
)
def test_a_map_of_instances_is_no_mask_with_soft_edges(values):
    """Nor is one of classes where 255 is "ignore": one mask for each."""
    pixels = np.zeros((64, 64), np.uint8)
    pixels[8:40, 8:40] = np.resize(np.array(values, np.uint8), (32, 32))
    with pytest.raises(ConfigurationError, match="a map of classes or of instances: one mask for each"):
        MaskPredictionFormat.from_binary_masks([pixels], [0], [0.9])


@pytest.mark.parametrize("make", [MaskPredictionFormat, SegmentationPredictionFormat])
def test_masks_along_the_last_axis_are_told_so(make):
    """Height x width x masks: each row of pixels was taken for a mask."""
    masks = np.stack([MASK, MASK], axis=-1)
    with pytest.raises(ConfigurationError, match=r"shape \(30, 40, 2\).*numpy\.moveaxis\(masks, -1, 0\)"):
        make.from_binary_masks(masks, [0, 1], [0.9, 0.8])
    assert len(make.from_binary_masks(np.moveaxis(masks, -1, 0), [0, 1], [0.9, 0.8]).detection_masks) == 2


def test_an_outline_thinner_than_a_pixel_may_be_read_once():
    """`zip(xs, ys)` gives its points one time; read twice, nothing of the outline was left."""
    points = [(100.1, 10), (100.3, 50), (100.2, 30)]
    listed = SegmentationPredictionFormat([0], [0.9], [points])
    assert listed.detection_masks[0]
    for once in (zip(*zip(*points, strict=True), strict=True), (point for point in points)):
        assert SegmentationPredictionFormat([0], [0.9], [once]) == listed
