"""Folders of namesakes, `day/1` and `night/1`, with a file above them, `1` too: each name that says its folder is found there."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import coco_results, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio

BELOW = [f"{folder}/{number}" for folder in ("day", "night") for number in (1, 2, 3)]


@pytest.fixture
def read(tmp_path, make_image):
    """Return what reads results of the given names, on the given images."""

    def source(form, names, images):
        for image in images:
            make_image(tmp_path / "i" / f"{image}.jpg")
        if form == "yolo":
            for name in names:
                label = tmp_path / "l" / f"{name}.txt"
                label.parent.mkdir(parents=True, exist_ok=True)
                label.write_text("0 0.5 0.5 0.2 0.4 0.9\n")
            return yolo_labels(tmp_path / "l", tmp_path / "i", on_bad="skip")
        box = {"category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}
        (tmp_path / "r.json").write_text(json.dumps([{"file_name": f"{name}.jpg", **box} for name in names]))
        return coco_results(tmp_path / "r.json", tmp_path / "i", on_bad="skip")

    return source


WAYS = [
    *(("coco", before) for before in ("", "x/", "images/", "x/images/", "/data/x/", "C:/data/x/")),
    *(("yolo", before) for before in ("", "x/", "labels/", "x/labels/", "train/labels/")),
]


@pytest.mark.parametrize("has_result", [True, False])
@pytest.mark.parametrize("top", ["1", "9", "cover"])
@pytest.mark.parametrize(("form", "before"), WAYS)
async def test_a_name_that_says_its_folder_is_found_there(read, form, before, top, has_result):
    """Whatever leading folders all names have besides, and whether there is a result of the file above."""
    names = [*BELOW, top] if has_result else BELOW
    source = read(form, [f"{before}{name}" for name in names], [*BELOW, top])
    found = [frame.filename.removesuffix(".jpg") for frame in await listed(source)]
    assert (sorted(found), source.problems, source.elsewhere) == (sorted(names), (), {})


@pytest.mark.parametrize(("form", "before"), WAYS)
async def test_one_that_is_gone_is_not_the_file_above(read, form, before):
    """It is a bad item, and the others are delivered."""
    names = [*BELOW, "1"]
    source = read(form, [f"{before}{name}" for name in names], [*BELOW[1:], "1"])
    found = [frame.filename.removesuffix(".jpg") for frame in await listed(source)]
    assert sorted(found) == sorted(names[1:])
    assert source.skipped == 1
    assert "day/1" in source.problems[0]


@pytest.mark.parametrize("form", ["coco", "yolo"])
async def test_a_name_without_its_folder_fits_both(read, form):
    """Nobody can tell which one is meant; all are named."""
    source = read(form, ["1"], [*BELOW, "cover"])
    assert await listed(source) == []
    assert "'day/1.jpg', 'night/1.jpg'" in source.problems[0]
