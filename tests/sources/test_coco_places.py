"""Outlines of a COCO file that are sent must lie where the boxes of their own results are, as `from_coco` asks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from picsellia_async import ImplausibleError, MaskPredictionFormat
from picsellia_async.predictions import from_coco
from picsellia_async.sources import SourceError, coco_results

from ..support.sources import encoded, frames_before, listed

pytestmark = pytest.mark.anyio

WIDTH, HEIGHT = 640, 480
BOXES = [[100, 60, 200, 160], [300, 100, 120, 80], [40, 20, 60, 90], [420, 300, 90, 120]]
KINDS = ["polygons", "masks of polygons", "run lengths"]


@pytest.fixture
def source(tmp_path):
    """Return what reads results of four images of 640 x 480, each with the boxes and the outlines that are asked for."""
    pytest.importorskip("faster_coco_eval")
    for number in range(len(BOXES)):
        (tmp_path / f"{number}.jpg").write_bytes(encoded(WIDTH, HEIGHT))

    def read(form, boxes, outlines, on_bad="skip"):
        results = [
            {"image_id": n, "category_id": 0, "score": 0.9, "bbox": box, "segmentation": shape(outline, form)}
            for n, (box, outline) in enumerate(zip(boxes, outlines, strict=True))
        ]
        (tmp_path / "r.json").write_text(json.dumps(results))
        kind = "segmentation" if form == "polygons" else "mask"
        return coco_results(tmp_path / "r.json", tmp_path, kind=kind, categories="indexes", on_bad=on_bad)

    return read


def shape(box, form):
    x, y, width, height = box
    if form != "run lengths":
        return [[x, y, x + width, y, x + width, y + height, x, y + height]]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[round(y) : round(y + height), round(x) : round(x + width)] = 1
    mask[round(y + height / 2), round(x + width / 2)] = 0
    return MaskPredictionFormat.from_binary_masks([mask], [0], [1.0]).to_rle((WIDTH, HEIGHT), compressed=False)[0]


def scaled(scale):
    return [[one * scale for one in box] for box in BOXES]


@pytest.mark.parametrize("form", KINDS)
@pytest.mark.parametrize("scale", [0.5, 0.75, 0.9])
async def test_outlines_at_a_smaller_scale_than_their_boxes_refuse_the_file(source, form, scale):
    """They fit the images as well, at the wrong place."""
    message = f"the outlines may be in pixels of another size .*image_id 0 has bbox .*{scale:.3g} times as far"
    assert await frames_before(source(form, BOXES, scaled(scale)), message) == []


@pytest.mark.parametrize("form", KINDS)
@pytest.mark.parametrize("scale", [0.5, 0.75, 2.0])
async def test_boxes_at_another_scale_than_right_outlines_are_told(source, form, scale):
    """They are not sent: those that reach less far than the outlines, and those beyond the images."""
    reading = source(form, scaled(scale), BOXES)
    assert len(await listed(reading)) == len(BOXES)
    assert reading.skipped == 0
    (warning,) = reading.warnings
    assert "the boxes may be in pixels of another size" in warning


@pytest.mark.parametrize("form", KINDS)
async def test_exchanged_outlines_refuse_the_file(source, form):
    """Where they are those of two images and a tenth of all, the others may be exchanged unseen."""
    first, second, third, last = BOXES
    message = r"in 2 of 4 images a result has a box and an outline \(bbox \[40, 20, 60, 90\] .*which do not meet"
    assert await frames_before(source(form, BOXES, [first, second, last, third]), message) == []


@pytest.mark.parametrize("form", KINDS)
@pytest.mark.parametrize("box", [[40, 20, 60, 90], [1, 1, 5, 5]])
async def test_one_outline_elsewhere_is_refused_as_from_coco_does(source, form, box):
    """It is a bad item of its own."""
    outlines = [*BOXES[:3], box]
    reading = source(form, BOXES, outlines)
    assert len(await listed(reading)) == 3
    assert "result 3: bbox [420, 300, 90, 120]" in reading.problems[0]
    with pytest.raises(SourceError, match="which do not meet"):
        await listed(source(form, BOXES, outlines, "raise"))
    result = {"category_id": 0, "score": 0.9, "bbox": BOXES[3], "segmentation": shape(box, form)}
    kind = "segmentation" if form == "polygons" else "mask"
    with pytest.raises(
        ImplausibleError, match=r"annotations\[0\] has bbox \[420, 300, 90, 120\] and .*which do not meet"
    ):
        from_coco([result], kind=kind, categories={0: 0}, size=(WIDTH, HEIGHT))


@pytest.mark.parametrize("form", KINDS)
@pytest.mark.parametrize(
    "boxes",
    [
        [[x + 1.6, y - 1.7, w - 1.2, h + 1.9] for x, y, w, h in BOXES],
        [[x - 20, y - 15, w + 30, h + 40] for x, y, w, h in BOXES],
        [[x + w / 2, y, w / 2, h] for x, y, w, h in BOXES],
        [[0, 0, 0, 0]] * len(BOXES),
        [None] * len(BOXES),
    ],
    ids=["rounded", "a network's", "of half the object", "none, as Mask2Former writes it", "none"],
)
async def test_boxes_of_real_tools_are_let_be(source, form, boxes):
    """A box is the network's own, or a rough one, and touching is enough."""
    reading = source(form, boxes, BOXES)
    assert len(await listed(reading)) == len(BOXES)
    assert (reading.warnings, reading.skipped) == ((), 0)
