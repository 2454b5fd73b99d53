"""`coco_results`: frames from results in the format of COCO."""

from __future__ import annotations

import json

import pytest

from picsellia_async import ConfigurationError
from picsellia_async.predictions import DetectionPredictionFormat, SegmentationPredictionFormat
from picsellia_async.sources import SourceError, coco_results, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio


def coco_result(image_id, **fields):
    return {"image_id": image_id, "category_id": 3, "bbox": [10.4, 20.2, 30.3, 5.0], "score": 0.75, **fields}


async def test_coco_boxes_are_converted(tmp_path, make_image):
    """[x, y, width, height] becomes [top, left, bottom, right], rounded at the end; results are grouped by image."""
    make_image(tmp_path / "images/000000000139.jpg", 64, 48)
    make_image(tmp_path / "images/b.png", 50, 40)
    path = tmp_path / "r.json"
    path.write_text(json.dumps([coco_result(139), coco_result("b"), coco_result(139, category_id=1, score=1)]))
    first, second = await listed(coco_results(path, tmp_path / "images", categories={3: 0, 1: 7}, source="val"))
    assert first.prediction == DetectionPredictionFormat([0, 7], [[20, 10, 25, 41], [20, 10, 25, 41]], [0.75, 1.0])
    assert (first.filename, first.width, first.height, first.source) == ("000000000139.jpg", 64, 48, "val")
    assert (second.filename, second.width, second.height) == ("b.png", 50, 40)


async def test_coco_names_come_from_the_annotations(tmp_path, make_image):
    """A COCO file tells the file names, and with `empty` the images in which nothing was found."""
    for name in ("x/one.jpg", "two.jpg"):
        make_image(tmp_path / name)
    names = {"images": [{"id": 7, "file_name": "x/one.jpg"}, {"id": 8, "file_name": "two.jpg"}]}
    (tmp_path / "names.json").write_text(json.dumps(names))
    (tmp_path / "r.json").write_text(json.dumps([coco_result(7)]))
    arguments = (tmp_path / "r.json", tmp_path)
    frames = await listed(coco_results(*arguments, annotations=tmp_path / "names.json"))
    assert [frame.filename for frame in frames] == ["x/one.jpg"]
    frames = await listed(coco_results(*arguments, annotations=tmp_path / "names.json", empty=True))
    assert [len(frame.prediction.detection_boxes) for frame in frames] == [1, 0]
    (tmp_path / "whole.json").write_text(json.dumps({**names, "annotations": [coco_result(8)]}))
    frames = await listed(coco_results(tmp_path / "whole.json", tmp_path))
    assert [frame.filename for frame in frames] == ["two.jpg"]
    (tmp_path / "r.json").write_text(json.dumps([coco_result("gone")]))
    frames = await listed(coco_results(tmp_path / "r.json", tmp_path / "x", empty=True, on_bad="skip"))
    assert [(frame.filename, len(frame.prediction.detection_boxes)) for frame in frames] == [("one.jpg", 0)]


async def test_coco_polygons(tmp_path, make_image):
    """Each polygon of an object is a shape of its class and score."""
    make_image(tmp_path / "a.jpg")
    polygons = [[0, 0, 10.4, 0, 10, 10], [1, 1, 2, 1, 2, 2]]
    result = coco_result("a.jpg", segmentation=polygons, bbox=[0, 0, 10.4, 10])
    (tmp_path / "r.json").write_text(json.dumps([result]))
    (frame,) = await listed(coco_results(tmp_path / "r.json", tmp_path, kind="segmentation"))
    polygons = [[[0, 0], [10, 0], [10, 10]], [[1, 1], [2, 1], [2, 2]]]
    assert frame.prediction == SegmentationPredictionFormat([3, 3], [0.75, 0.75], polygons)


@pytest.mark.parametrize(
    ("results", "options", "message"),
    [
        ([coco_result("gone")], {}, "no image of that name or number"),
        ([coco_result("a", bbox=[1, 2, 3])], {}, "bbox must be"),
        ([coco_result("a", bbox=None)], {}, "bbox"),
        ([coco_result("a", score="high")], {}, "score"),
        ([coco_result("a")], {"categories": {1: 1}}, "no entry for class 3"),
        ([coco_result("a", segmentation={"counts": "x"})], {"kind": "segmentation"}, "run-length"),
        ([coco_result("a", segmentation=[[1, 2, 3, 4]])], {"kind": "segmentation"}, "3 points"),
        ([{"category_id": 1}], {}, "no image_id"),
    ],
)
async def test_bad_coco_results_are_named_or_skipped(tmp_path, make_image, results, options, message):
    """The error names file and image; skipping leaves the other images."""
    make_image(tmp_path / "a.jpg")
    make_image(tmp_path / "b.jpg")
    good = coco_result("b", category_id=1, segmentation=[[0, 0, 1, 0, 1, 1]], bbox=[0, 0, 1, 1])
    (tmp_path / "r.json").write_text(json.dumps([*results, good]))
    with pytest.raises(SourceError, match=r"r\.json") as caught:
        await listed(coco_results(tmp_path / "r.json", tmp_path, **options))
    assert message in str(caught.value)
    source = coco_results(tmp_path / "r.json", tmp_path, on_bad="skip", **options)
    assert [frame.filename for frame in await listed(source)] == ["b.jpg"]
    assert source.skipped == 1


@pytest.mark.parametrize("content", ["{", "3", "{}", '{"annotations": [], "images": [{}]}'])
async def test_what_is_no_coco_file_is_refused(tmp_path, content):
    """Broken JSON and other JSON give a SourceError, whatever is asked for."""
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(SourceError):
        await listed(coco_results(tmp_path / "r.json", tmp_path, on_bad="skip"))


RESULT = '{"image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}'


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
@pytest.mark.parametrize(
    ("text", "line", "characters"),
    [
        (f"[{RESULT}, {RESULT[:30]}", 1, 1 + len(RESULT) + 2 + 30),
        (f"[{RESULT},\n {RESULT},\n {RESULT[:8]}", 3, 9),
        (f"[{RESULT},\n{RESULT}", 2, len(RESULT)),
        ('{"info": NaN, "images": [', 1, 25),
        ('{"info": NaN, "images": [{"file_name": "a.j', 1, 43),
        ('{"info": NaN, "images": [{"id": tr', 1, 34),
    ],
    ids=["value", "key", "between results", "with NaN", "name", "word"],
)
async def test_a_file_that_is_cut_off_says_where(tmp_path, text, line, characters, on_bad):
    """File, line and place of its end: whether the writer was killed or the copy ended early is then soon seen."""
    (tmp_path / "r.json").write_text(text)
    place = (
        f"in line {line} after {characters} characters \\({len(text)} in all\\)"
        if line > 1
        else f"after {characters} characters"
    )
    with pytest.raises(SourceError, match=rf"r\.json: no JSON: it is cut off, and ends {place}"):
        await listed(coco_results(tmp_path / "r.json", tmp_path, on_bad=on_bad))


async def test_a_file_that_is_wrong_in_its_middle_is_not_called_cut(tmp_path):
    """Line and column of the fault."""
    (tmp_path / "r.json").write_text(f"[{RESULT}\n {RESULT}]")
    with pytest.raises(SourceError, match=r"no JSON: Expecting ',' delimiter: line 2 column 2"):
        await listed(coco_results(tmp_path / "r.json", tmp_path))


def test_an_option_that_is_none_is_refused(tmp_path):
    """Wrong options show when the source is made."""
    for make in (coco_results, yolo_labels):
        with pytest.raises(ConfigurationError, match="kind"):
            make(tmp_path, tmp_path, kind="masks")
