"""COCO results against the annotations of another data set or in other pixels: refused as a whole, before the first frame."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import coco_results

from ..support.sources import frames_before, listed

pytestmark = pytest.mark.anyio

COUNT = 12


@pytest.fixture
def read(tmp_path, make_image):
    """Return what reads results, by image id and box, against annotations of 12 images of different sizes."""
    described = []
    for number in range(1, COUNT + 1):
        width, height = 200 + 40 * number, 150 + 30 * number
        make_image(tmp_path / "images" / f"{number:02d}.jpg", width, height)
        described.append({"id": number, "file_name": f"{number:02d}.jpg", "width": width, "height": height})

    def source(results, *, told=True, **options):
        images = described if told else [{"id": one["id"], "file_name": one["file_name"]} for one in described]
        (tmp_path / "gt.json").write_text(json.dumps({"images": images}))
        (tmp_path / "r.json").write_text(json.dumps(results))
        options = {"annotations": tmp_path / "gt.json", "categories": "indexes"} | options
        return coco_results(tmp_path / "r.json", tmp_path / "images", **options)

    return source


def result(image_id, box=(1, 2, 30, 40), **more):
    return {"image_id": image_id, "category_id": 0, "bbox": list(box), "score": 0.5, **more}


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
@pytest.mark.parametrize(
    "ids", [range(COUNT), range(2, COUNT + 2), [*range(1, COUNT), 0]], ids=["from 0", "one too high", "0 at the end"]
)
async def test_ids_that_the_annotations_lack_refuse_the_file(read, ids, on_bad):
    """One such id tells that the others are another data set's, or counted from another number; no box lands on another picture."""
    source = read([result(one) for one in ids], on_bad=on_bad)
    assert (
        await frames_before(source, f"is none of the ids of the COCO file's images, 1 to {COUNT}.*give the annotations")
        == []
    )


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
@pytest.mark.parametrize("told", [True, False], ids=["sizes told", "sizes read"])
async def test_boxes_in_the_networks_pixels_refuse_the_file(read, told, on_bad):
    """Scaled to 640 x 640, they fit some images by chance; those that do not tell of all."""
    results = [result(number, (20 * number, 20, 300, 400)) for number in range(COUNT, 0, -1)]
    assert (
        await frames_before(read(results, told=told, on_bad=on_bad), "reach beyond their images .*network's input")
        == []
    )


async def test_outlines_in_the_networks_pixels_refuse_the_file(read):
    """Polygons are looked at as boxes are."""
    outline = [10, 10, 600, 10, 600, 600]
    results = [{**result(number), "segmentation": [outline]} for number in range(1, COUNT + 1)]
    for one in results:
        del one["bbox"]
    source = read(results, kind="segmentation", on_bad="skip")
    assert await frames_before(source, "reach beyond their images") == []


async def test_one_box_beyond_its_image_is_that_images(read):
    """It is skipped, and the others are delivered."""
    results = [result(number) for number in range(1, COUNT + 1)]
    results.append(result(3, (200, 20, 900, 20)))
    source = read(results, on_bad="skip")
    assert len(await listed(source)) == COUNT - 1
    assert source.skipped == 1
