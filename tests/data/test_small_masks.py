"""Masks of which little tells what they are: polygons thinner than a pixel, and pixels that went through JPEG."""

from __future__ import annotations

import math

import pytest

from picsellia_async import ConfigurationError, MaskPredictionFormat, SegmentationPredictionFormat
from picsellia_async.predictions import from_coco

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("faster_coco_eval")

SIZE = WIDTH, HEIGHT = 40, 30
BODY = [[20, 10], [30, 10], [30, 20], [20, 20]]
THIN = {
    "upright": [[3.1, 5.2], [3.3, 9.9], [3.2, 7.0]],
    "level": [[5.2, 3.1], [9.9, 3.3], [7.0, 3.2]],
    "slanting": [[1.0, 1.0], [12.0, 7.0], [12.1, 7.1]],
    "within a pixel": [[3.6, 5.6], [3.9, 5.6], [3.9, 5.9]],
    "at the end": [[39.6, 29.6], [39.9, 29.7], [39.8, 29.9]],
    "over the end": [[39.9, 1], [40.4, 9], [39.95, 5]],
}


@pytest.mark.parametrize("thin", THIN.values(), ids=THIN)
def test_a_polygon_without_the_middle_of_a_pixel_keeps_the_pixels_that_it_touches(thin):
    """pycocotools makes nothing of it, and the object was left out."""
    alone = MaskPredictionFormat.from_polygons([thin], [0], [0.5], size=SIZE)
    assert alone.left_out == 0
    [mask] = alone.to_binary_masks(SIZE)
    assert cv2.connectedComponents(mask, connectivity=8)[0] == 2
    points = [[x, y] for y, x in np.argwhere(mask)]
    (left, top), (right, bottom) = np.min(thin, axis=0), np.max(thin, axis=0)
    assert np.min(points, axis=0).tolist() == [int(left), int(top)]
    assert np.max(points, axis=0).tolist() == [
        min(math.ceil(right) - 1, WIDTH - 1),
        min(math.ceil(bottom) - 1, HEIGHT - 1),
    ]


# Number of the pixels that pycocotools takes of each, with their first and last columns and rows.
WHOLE = {
    "one row": ([[5, 5], [25, 5], [25, 6], [5, 6]], (20, 5, 24, 5, 5)),
    "one column": ([[5, 5], [6, 5], [6, 25], [5, 25]], (20, 5, 5, 5, 24)),
    "a row and a little": ([[5, 5], [35, 5], [35, 6.03], [5, 6.03]], (30, 5, 34, 5, 5)),
    "slanting": ([[5, 5], [25, 25], [25.7, 24.3], [5.7, 4.3]], (20, 6, 25, 5, 24)),
    "crossing itself": ([[5, 5], [25, 25], [25, 5], [5, 25]], (200, 5, 24, 5, 23)),
}
BROKEN = {
    "beside the middles": ([[5, 5.5], [25, 5.5], [25, 6.4], [5, 6.4]], (40, 5, 24, 5, 6)),
    "in two pieces": ([[5, 5], [35, 5.8], [35, 6.5], [5, 5.7]], (45, 5, 34, 5, 6)),
    "without one end": ([[5, 6], [35, 6.2], [35, 7.1], [5, 6.3]], (45, 5, 34, 6, 7)),
}


@pytest.mark.parametrize(("polygon", "expected"), (WHOLE | BROKEN).values(), ids=WHOLE | BROKEN)
def test_only_polygons_that_would_break_get_the_pixels_that_they_touch(polygon, expected):
    """A polygon of exactly a row had twice its area, though pycocotools fills it whole."""
    [mask] = MaskPredictionFormat.from_polygons([polygon], [0], [0.5], size=SIZE).to_binary_masks(SIZE)
    rows, columns = mask.nonzero()
    assert (rows.size, columns.min(), columns.max(), rows.min(), rows.max()) == expected
    assert pieces_of(mask) == 1


def pieces_of(mask):
    return cv2.connectedComponents(mask, connectivity=8)[0] - 1


def test_a_thin_polygon_beside_another_of_its_shape_is_kept_too():
    """It vanished unseen, since the shape had other pixels; the other one is as pycocotools draws it."""
    thin = THIN["upright"]
    one, both = (
        MaskPredictionFormat.from_polygons([shape], [0], [0.5], size=SIZE).to_binary_masks(SIZE)[0]
        for shape in ([np.ravel(BODY).tolist()], [np.ravel(BODY).tolist(), np.ravel(thin).tolist()])
    )
    assert one.sum() == 100
    assert both[:, 10:].sum() == 100
    assert both[5:10, 3].all()
    assert both.sum() == 105


def test_annotations_of_thin_polygons_are_kept_as_masks():
    """from_coco and the readers of files draw them alike."""
    polygon = np.ravel(THIN["upright"]).tolist()
    annotation = {"category_id": 1, "score": 0.5, "segmentation": [polygon]}
    found = from_coco([annotation], categories={1: 0}, kind="mask", size=SIZE)
    assert found == MaskPredictionFormat.from_polygons([THIN["upright"]], [0], [0.5], size=SIZE)


@pytest.mark.parametrize("make", [MaskPredictionFormat, SegmentationPredictionFormat])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("quality", [75, 90, 95, 100])
def test_a_mask_that_went_through_jpeg_is_told_its_threshold(make, kind, quality):
    """Its values lie around 0 and 255: one mask for each, as a map of classes has them, made rings of noise."""
    mask = cv2.ellipse(np.zeros((120, 160), np.uint8), (70, 60), (40, 25), 20, 0, 360, 255, -1)
    found = cv2.imdecode(cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)
    assert len(np.unique(found)) > 2
    with pytest.raises(ConfigurationError, match=r"masks\[0\] holds values .*: (threshold it, )?masks > 127$"):
        make.from_binary_masks([found.astype(kind)], [0], [0.9])
    if quality >= 90:
        with pytest.raises(ConfigurationError, match=r"near 0 and near 255, which looks like .* went through JPEG"):
            make.from_binary_masks([found.astype(kind)], [0], [0.9])
    assert make.from_binary_masks([found > 127], [0], [0.9]).left_out == 0


@pytest.mark.parametrize("values", [(3, 250), (1, 2, 254, 255), (12, 243)])
def test_few_values_near_both_ends_look_like_jpeg(values):
    """Those of a small picture are few."""
    pixels = np.resize(np.array((0, *values), np.uint8), (16, 16))
    with pytest.raises(ConfigurationError, match="went through JPEG: threshold it, masks > 127"):
        MaskPredictionFormat.from_binary_masks([pixels], [0], [0.9])
