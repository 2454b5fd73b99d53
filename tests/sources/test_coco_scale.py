"""A COCO file whose boxes contradict its own outlines, areas or masks by a scale is refused before the first frame."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import SourceError, coco_results

from ..support.sources import encoded, listed

pytestmark = pytest.mark.anyio

BOXES = [[100, 60, 200, 160], [300, 100, 120, 80], [40, 20, 60, 90]]
SCALES = [0.5, 0.25, 0.8, 1.2]


@pytest.fixture
def read(tmp_path):
    """Return a function that reads results of three images of 640 x 480."""
    for number in (1, 2, 3):
        (tmp_path / f"{number}.jpg").write_bytes(encoded(640, 480))

    async def frames(extras, scale=1.0, shift=0.0):
        results = [
            {"image_id": n, "category_id": 0, "score": 0.9, "bbox": [one * scale + shift for one in box], **extras(box)}
            for n, box in enumerate(BOXES, start=1)
        ]
        (tmp_path / "r.json").write_text(json.dumps(results))
        source = coco_results(tmp_path / "r.json", tmp_path, categories="indexes", on_bad="skip")
        return await listed(source)

    return frames


def polygon(box, inset=0.0):
    x, y, width, height = box
    x, y, right, low = x + inset, y + inset, x + width - inset, y + height - inset
    return {"segmentation": [[x, y, right, y, right, low, x, low]]}


def area(box):
    return {"area": box[2] * box[3]}


def mask(width, height):
    return lambda _: {"segmentation": {"size": [height, width], "counts": "PP3"}}


@pytest.mark.parametrize("scale", SCALES)
async def test_boxes_at_another_scale_than_their_outlines_are_refused(read, scale):
    """The message says how many times as far the outline reaches."""
    with pytest.raises(SourceError, match=f"bbox .* and a segmentation from .*{1 / scale:.3g} times as far"):
        await read(polygon, scale)


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.8])
async def test_boxes_smaller_than_their_areas_are_refused(read, scale):
    """No object is larger than its box."""
    with pytest.raises(SourceError, match=f"area .*, {1 / scale**2:.3g} times that of the box"):
        await read(area, scale)


async def test_boxes_within_masks_of_another_size_are_refused(read):
    """They are in the pixels of the masks, as far as one can see."""
    with pytest.raises(SourceError, match=r"a mask for height and width \[240, 320\], the image has \[480, 640\]"):
        await read(mask(320, 240), 0.5)


@pytest.mark.parametrize(
    ("extras", "scale", "shift"),
    [
        (polygon, 1.0, 1.0),
        (polygon, 1.02, 0.0),
        (lambda box: polygon(box, 15.0), 1.0, 0.0),
        (area, 1.0, 0.4),
        (area, 1.02, 0.0),
        (lambda box: {"area": box[2] * box[3] / 5}, 1.0, 0.0),
        (lambda box: {"area": 0}, 1.0, 0.0),
        (mask(640, 480), 1.0, 0.0),
        (mask(160, 120), 1.0, 0.0),
        (lambda box: {**mask(640, 480)(box), "iscrowd": 1, **area(box)}, 1.0, 0.0),
    ],
    ids=["a pixel off", "rounded outlines", "masks within their boxes", "rounded areas", "areas a little off", "areas of masks", "no area", "masks", "small masks of whole boxes", "crowd"],
)  # fmt: skip
async def test_what_real_tools_write_is_read(read, extras, scale, shift):
    """Rounding, masks that fill their boxes in part, and masks of a network whose boxes are the image's."""
    assert len(await read(extras, scale, shift)) == len(BOXES)


@pytest.mark.parametrize(("box", "outline"), [
    ([0, 0, 100, 100], [0, 0, 80, 80]), ([2, 3, 50, 50], [2, 3, 38, 37]), ([0, 200, 100, 100], [0, 200, 80, 100]),
])  # fmt: skip
async def test_a_mask_smaller_than_its_box_at_the_edge_of_a_picture_is_no_scale(tmp_path, box, outline):
    """Edges at 0 are the same at any scale."""
    (tmp_path / "1.jpg").write_bytes(encoded(640, 480))
    result = {"image_id": 1, "category_id": 0, "score": 0.9, "bbox": box, **polygon(outline)}
    (tmp_path / "r.json").write_text(json.dumps([result]))
    assert len(await listed(coco_results(tmp_path / "r.json", tmp_path, categories="indexes"))) == 1
