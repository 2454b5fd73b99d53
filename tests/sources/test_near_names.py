"""Names that are nearly those of images: another case, another extension, or label files that lead to none."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import coco_results, manifest, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio

BOX = {"category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}
DETECTION = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


@pytest.fixture
def coco(tmp_path, make_image):
    """Return what reads a result of each name, on the given images."""

    def source(names, images, key="file_name"):
        for image in images:
            make_image(tmp_path / "i" / image)
        (tmp_path / "r.json").write_text(json.dumps([{key: name, **BOX} for name in names]))
        return coco_results(tmp_path / "r.json", tmp_path / "i", on_bad="skip")

    return source


@pytest.fixture
def yolo(tmp_path, make_image):
    """Return what reads label files of these names, on the given images."""

    def source(names, images):
        for image in images:
            make_image(tmp_path / "i" / image)
        for name in names:
            label = tmp_path / "l" / f"{name}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("0 0.5 0.5 0.2 0.4 0.9\n")
        return yolo_labels(tmp_path / "l", tmp_path / "i", on_bad="skip")

    return source


@pytest.mark.parametrize(
    ("name", "image"),
    [("1.jpg", "1.png"), ("1.jpg", "1.jpeg"), ("1.png", "1.JPG"), ("a/1.jpg", "a/1.png"), ("x/1.jpg", "1.png"), ("C:\\x\\1.jpg", "1.png")],
)  # fmt: skip
@pytest.mark.parametrize("key", ["file_name", "image_id"])
async def test_an_image_of_another_extension_is_named_and_not_taken(coco, key, name, image):
    """It may be another picture: a folder of masks has the names of its photographs."""
    source = coco([name], [image, "b.jpg"], key)
    assert await listed(source) == []
    assert f"there is {image!r}, which may be another picture" in source.problems[0]


async def test_the_same_in_a_manifest(tmp_path, make_image):
    """Its messages are those of the other files."""
    make_image(tmp_path / "a/1.png")
    (tmp_path / "m.jsonl").write_text(json.dumps({"image": "a/1.jpg", "prediction": DETECTION}))
    source = manifest(tmp_path / "m.jsonl", on_bad="skip")
    assert await listed(source) == []
    assert "there is 'a/1.png', which may be another picture" in source.problems[0]


async def test_one_in_another_folder_is_not_named(coco):
    """Each camera has one of that name."""
    source = coco(["cam1/1.jpg"], ["cam2/1.png"])
    assert await listed(source) == []
    assert "cam2" not in source.problems[0]


@pytest.mark.parametrize("name", ["1.JPG", "1.jpg"])
async def test_another_case_is_the_same_name(coco, name):
    """As on file systems that know no case."""
    (frame,) = await listed(coco([name], ["1.Jpg"]))
    assert frame.filename == "1.Jpg"


@pytest.mark.parametrize("folder", ["", "cam1/"])
@pytest.mark.parametrize("extension", ["", ".jpg"])
async def test_of_labels_that_differ_in_case_alone_each_is_of_its_image(yolo, folder, extension):
    """Where both images are there, the very name tells: both were refused."""
    source = yolo([f"{folder}A{extension}", f"{folder}a{extension}"], [f"{folder}A.jpg", f"{folder}a.jpg"])
    found = [frame.filename for frame in await listed(source)]
    assert (found, source.problems) == ([f"{folder}A.jpg", f"{folder}a.jpg"], ())


async def test_of_labels_that_differ_in_case_alone_neither_is_taken_for_one_image(yolo):
    """Two label files of one image are a bad item each, as before."""
    source = yolo(["A", "a"], ["A.jpg"])
    assert await listed(source) == []
    assert source.skipped == 2


async def test_a_case_that_is_none_of_the_two_is_not_told(yolo):
    """Nobody knows which one is meant."""
    source = yolo(["aB"], ["AB.jpg", "ab.jpg"])
    assert await listed(source) == []
    assert "fits 2 files: 'AB.jpg', 'ab.jpg'" in source.problems[0]


async def test_the_log_counts_label_files_that_lead_to_no_image(yolo, caplog):
    """Before the first frame, with the first names; each is a bad item too."""
    source = yolo(["a", *(f"gone {number}" for number in range(4))], ["a.jpg"])
    assert len(await listed(source)) == 1
    assert source.skipped == 4
    (record,) = [one for one in caplog.records if one.name == "picsellia_async"]
    assert "4 of 5 label files lead to no image: 'gone 0', 'gone 1', 'gone 2', ..." in record.getMessage()
    assert record.unused == 4


async def test_the_log_says_nothing_where_all_are_used(yolo, caplog):
    """Nor of the files that tools put beside labels."""
    assert len(await listed(yolo(["a", "classes"], ["a.jpg"]))) == 1
    assert not [
        one for one in caplog.records if one.name == "picsellia_async" and "lead to no image" in one.getMessage()
    ]
