"""A file whose coordinates are in another order is refused as a whole: what of it fits by chance would be sent wrong."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import SourceError, coco_results, manifest

from ..support.sources import listed

pytestmark = pytest.mark.anyio


@pytest.fixture
def lines(tmp_path, make_image):
    """Write a manifest of predictions on an image of 200 x 100, and return what reads it."""
    make_image(tmp_path / "a.jpg", 200, 100)

    def source(*predictions, **options):
        text = "".join(json.dumps({"image": "a.jpg", "prediction": one}) + "\n" for one in predictions)
        (tmp_path / "m.jsonl").write_text(text)
        return manifest(tmp_path / "m.jsonl", **options)

    return source


def boxes(*found):
    return {
        "detection_classes": [0] * len(found), "detection_boxes": list(found), "detection_scores": [0.5] * len(found),
    }  # fmt: skip


CHANCE = boxes([10, 20, 30, 40])
"""Fits whichever way it is read."""
KEYPOINTS = {"detection_classes": [0], "detection_scores": [0.5]}


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (boxes([150, 60, 40, 30]), "x, y, width, height"),
        (boxes([150, 60, 170, 90]), "boxes look like x1, y1, x2, y2, and must be top, left, bottom, right"),
        ({**KEYPOINTS, "points": [[60, 150]]}, "points look like y, x, and must be x, y: line 4"),
        ({**KEYPOINTS, "detection_masks": [[[10, 10], [60, 150], [60, 10]]]}, "y, x"),
        ({**KEYPOINTS, "keypoints": [[[10, 10, 2], [60, 150, 2]]]}, "y, x"),
        ({**KEYPOINTS, "lines": [[[10, 10], [60, 150]]]}, "y, x"),
    ],
    ids=["sizes", "corners", "points", "outlines", "keypoints", "lines"],
)
async def test_nothing_of_a_manifest_in_another_order_is_sent(lines, mistaken, words, on_bad):
    """Not the lines before the mistake, and not those after it."""
    seen = []
    with pytest.raises(SourceError, match=words) as caught:
        async for frame in lines(CHANCE, CHANCE, CHANCE, mistaken, CHANCE, on_bad=on_bad):
            seen.append(frame)
    assert not seen
    assert "line 4 has" in str(caught.value)


async def test_a_mistake_far_behind_ends_the_reading(lines):
    """Also where bad lines are skipped: what comes after it is in the wrong order too."""
    seen = []
    with pytest.raises(SourceError, match=r"line 1003 has .* not read any further"):
        async for frame in lines(*[CHANCE] * 1002, boxes([150, 10, 190, 60]), CHANCE, on_bad="skip"):
            seen.append(frame)
    assert len(seen) == 1002


async def test_one_wrong_line_among_right_ones_is_that_lines_problem(lines):
    """Where other boxes of the file fit in the documented order alone."""
    source = lines(CHANCE, boxes([10, 120, 90, 195]), boxes([150, 10, 190, 60]), CHANCE, on_bad="skip")
    assert len(await listed(source)) == 3
    assert source.skipped == 1
    assert "line 3: " in source.problems[0]


@pytest.mark.parametrize("box", [[10, 20, 10, 40], [10, 20, 30, 20], [10.5, 20, 10.5, 40]])
async def test_a_box_without_width_or_height_is_refused(lines, box):
    """As in the other files."""
    with pytest.raises(SourceError, match=r"line 1: prediction\.detection_boxes\[0\] .* no object"):
        await listed(lines(boxes(box)))


@pytest.mark.parametrize("kind", ["segmentation", "mask"])
async def test_nothing_of_a_coco_file_in_another_order_is_sent(tmp_path, make_image, kind):
    """Outlines of row and column, some of which fit as x and y too."""
    one = {"category_id": 0, "score": 0.5}
    outlines = {"a.jpg": [10, 10, 10, 30, 30, 30], "b.jpg": [10, 150, 10, 190, 60, 190]}
    for name in outlines:
        make_image(tmp_path / name, 200, 100)
    results = [{"file_name": name, "segmentation": [outline], **one} for name, outline in outlines.items()]
    (tmp_path / "r.json").write_text(json.dumps(results))
    with pytest.raises(SourceError, match="points look like y, x, and must be x, y: result 1 has"):
        await listed(coco_results(tmp_path / "r.json", tmp_path, kind=kind, categories="indexes", on_bad="skip"))
