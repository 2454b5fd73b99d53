"""Result files that mean other images or other boxes than they seem to: refused before a frame is delivered, or said."""

from __future__ import annotations

import json
import logging

import pytest

from picsellia_async.sources import SourceError, coco_results, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio


@pytest.fixture
def coco(tmp_path, make_image):
    """Return what reads results, by id and box, on the images of the given names."""

    def source(images, ids, boxes=((1, 2, 3, 4),), **options):
        for name in images:
            make_image(tmp_path / "images" / name)
        results = [{"image_id": id_, "category_id": 0, "bbox": list(box), "score": 0.5} for id_ in ids for box in boxes]
        (tmp_path / "r.json").write_text(json.dumps(results))
        return coco_results(tmp_path / "r.json", tmp_path / "images", **{"categories": "indexes"} | options)

    return source


def ours(caplog):
    """Return what was logged by us; asyncio tells of slow steps on a busy machine."""
    return [record for record in caplog.records if record.name.startswith("picsellia_async")]


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_running_ids_on_images_counted_from_0_are_refused(coco, on_bad):
    """Every box would be one image off; the message names two images and the way out."""
    source = coco([f"frame_{number:06d}.jpg" for number in range(5)], [1, 2, 3, 4], on_bad=on_bad)
    with pytest.raises(SourceError, match=r"'frame_000000\.jpg' or 'frame_000001\.jpg'; give annotations="):
        await listed(source)


async def test_ids_of_some_images_may_be_shifted_as_well(coco):
    """The first images had no detections: whether id 3 is the third image or number 3 nobody can tell."""
    source = coco([f"frame_{number:06d}.jpg" for number in range(8)], [3, 4, 5, 6])
    with pytest.raises(
        SourceError, match=r"image id 3 is 'frame_000002\.jpg' or 'frame_000003\.jpg'; give annotations="
    ):
        await listed(source)


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_an_id_without_image_refuses_the_whole_file(coco, on_bad):
    """It tells that the ids are no numbers of images: those that happen to fit one are wrong too."""
    source = coco(["frame_1.jpg", "frame_2.jpg"], [1, 2, 3], on_bad=on_bad)
    with pytest.raises(SourceError, match=r"1 would be 'frame_1\.jpg', but 3 is the number of no image"):
        await listed(source)


async def test_a_digit_that_ends_a_word_is_no_number(coco):
    """bus_exif6.jpg is not image 6."""
    with pytest.raises(SourceError, match="no image of that name or number"):
        await listed(coco(["bus_exif6.jpg"], [6]))


@pytest.mark.parametrize("name", ["7.jpg", "000007.jpg", "frame-7.jpg", "frame 7.jpg", "2026_07.png"])
async def test_ids_taken_for_numbers_are_told_once(coco, name, caplog):
    """One line says which id was taken for which image, for formatters as keys too."""
    with caplog.at_level(logging.WARNING, logger="picsellia_async"):
        (frame,) = await listed(coco([name], [7]))
    assert frame.filename == name
    (record,) = ours(caplog)
    assert (record.image_id, record.image) == (7, name)
    assert f"7 for {name!r}" in record.getMessage()


async def test_ids_that_are_names_are_no_numbers(coco, caplog):
    """Names and stems leave nothing to tell, and a missing one is a matter of its own."""
    with caplog.at_level(logging.WARNING, logger="picsellia_async"):
        source = coco(["007.jpg", "b.png"], ["007", "b.png", "gone"], on_bad="skip")
        assert [frame.filename for frame in await listed(source)] == ["007.jpg", "b.png"]
    assert not ours(caplog)
    assert source.skipped == 1


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_corners_in_a_coco_file_refuse_it(coco, on_bad):
    """x1, y1, x2, y2 of a small box at the left passes as width and height; one that does not tells of all."""
    source = coco(["1.jpg", "2.jpg"], [1, 2], [(1, 1, 9, 9), (20, 20, 60, 40)], on_bad=on_bad)
    with pytest.raises(SourceError, match=r"looks like x1, y1, x2, y2.*\[20, 20, 60, 40\] on 64 x 48"):
        await listed(source)


async def test_boxes_that_fit_as_documented_are_no_corners(coco):
    """Wide boxes at the left could be either; nothing says that they are not what they should be."""
    assert len(await listed(coco(["1.jpg", "2.jpg"], [1, 2], [(1, 1, 9, 9), (20, 20, 40, 25)]))) == 2


@pytest.fixture
def told(tmp_path, make_image):
    """Return what reads results of one image, 64 x 48, each a box with what else is said of it."""

    def source(*results, **options):
        make_image(tmp_path / "1.jpg")
        entries = [{"image_id": 1, "category_id": 0, "score": 0.5, **one} for one in results]
        (tmp_path / "r.json").write_text(
            json.dumps({"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": entries})
        )
        return coco_results(tmp_path / "r.json", tmp_path, **options)

    return source


SQUARE = [[10, 5, 20, 5, 20, 15, 10, 15]]


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"bbox": [10, 5, 20, 15], "area": 100}, "area 100"),
        ({"bbox": [10.4, 5, 20, 15], "area": 96.0}, "area 96"),
        ({"bbox": [10, 5, 20, 15], "segmentation": SQUARE}, "a segmentation from 10, 5 to 20, 15"),
        ({"bbox": [10, 5, 20, 15], "segmentation": SQUARE, "area": 81.5}, "a segmentation from 10, 5 to 20, 15"),
        ({"bbox": [10, 5, 20, 15], "bbox_mode": 0}, "bbox_mode 0"),
    ],
    ids=["area", "area of fractions", "outline", "outline and a mask's area", "mode"],
)
@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_corners_that_fit_are_told_by_what_else_the_file_says(told, result, why, on_bad):
    """Inside the image either way; area, outline or mode fit corners alone."""
    with pytest.raises(SourceError, match=rf"looks like x1, y1, x2, y2.*image_id 1 has bbox .* and {why}"):
        await listed(told(result, {"bbox": [1, 1, 9, 9]}, on_bad=on_bad))


@pytest.mark.parametrize(
    "results",
    [
        [{"bbox": [10, 5, 20, 15], "area": 300}],
        [{"bbox": [10, 5, 20, 15], "area": 212.5}],
        [{"bbox": [10, 5, 10, 10], "segmentation": SQUARE, "area": 100}],
        [{"bbox": [10, 5, 20, 15], "segmentation": [], "area": 0}],
        [{"bbox": [0, 0, 20, 15], "area": 300}],
        [{"bbox": [10, 5, 20, 15], "area": 100}, {"bbox": [10, 5, 10, 15], "area": 150}],
        [{"bbox": [10, 5, 20, 15], "segmentation": {"counts": "x", "size": [48, 64]}}],
        [{"bbox": [10, 5, 20, 15], "bbox_mode": 1}],
    ],
    ids=["area", "a mask's area", "outline", "empty", "both", "another result", "run lengths", "mode"],
)
async def test_boxes_that_the_file_bears_out_are_read(told, results):
    """What says that a box is as documented wins over what may be chance."""
    (frame,) = await listed(told(*results))
    assert len(frame.prediction.detection_boxes) == len(results)


async def test_a_category_of_two_names_is_refused(tmp_path, make_image):
    """Merged files have ids twice; the last name would win unseen."""
    make_image(tmp_path / "1.jpg")
    content = {
        "images": [{"id": 1, "file_name": "1.jpg"}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}],
    }
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match="category id 1 has two names in the COCO file: 'cat', 'dog'"):
        await listed(coco_results(tmp_path / "r.json", tmp_path, label_map={"cat": 0, "dog": 1}))


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_corners_in_label_files_refuse_the_folder(tmp_path, make_image, on_bad):
    """Before the first frame, whose box happens to pass."""
    for name, line in (("a", "0 0.1 0.1 0.2 0.3 0.9"), ("b", "0 0.7 0.5 0.95 0.8 0.9")):
        make_image(tmp_path / f"{name}.jpg")
        (tmp_path / f"{name}.txt").write_text(line)
    with pytest.raises(SourceError, match=r"looks like x1, y1, x2, y2.*'0 0\.7 0\.5 0\.95 0\.8 0\.9'"):
        await listed(yolo_labels(tmp_path, tmp_path, on_bad=on_bad))


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_corners_that_reach_a_little_beyond_refuse_the_folder(tmp_path, make_image, on_bad):
    """Less than a tenth of a side each, which is a detector's overhang; but most of them do, and none does as corners."""
    lines = ("0 0.1 0.1 0.25 0.3 0.9", "0 0.2 0.2 0.45 0.5 0.8", "0 0.1 0.2 0.3 0.45 0.7", "0 0.3 0.3 0.5 0.5 0.7")
    for number, line in enumerate(lines):
        make_image(tmp_path / f"{number}.jpg")
        (tmp_path / f"{number}.txt").write_text(f"{line}\n")
    with pytest.raises(SourceError, match=r"looks like x1, y1, x2, y2.*'0 0\.1 0\.1 0\.25 0\.3 0\.9'"):
        await listed(yolo_labels(tmp_path, tmp_path, on_bad=on_bad))
    (tmp_path / "0.txt").write_text("0 0.5 0.5 0.2 0.3 0.9\n")  # no corners: the others overhang as documented
    assert len(await listed(yolo_labels(tmp_path, tmp_path))) == 4


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_a_category_that_the_file_does_not_name_refuses_it(tmp_path, make_image, on_bad):
    """The ids are of another numbering then: what happens to have a name has a wrong one."""
    make_image(tmp_path / "1.jpg")
    content = {
        "images": [{"id": 1, "file_name": "1.jpg"}],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        "annotations": [{"image_id": 1, "category_id": id_, "bbox": [1, 2, 3, 4], "score": 0.5} for id_ in (1, 2)],
    }
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match=r"category 2 is none of the file that names them, 1 to 3"):
        await listed(coco_results(tmp_path / "r.json", tmp_path, label_map={"person": 0, "car": 2}, on_bad=on_bad))
    with pytest.raises(SourceError, match=r"category 2 is none of the file that names them, 1 to 3"):
        await listed(coco_results(tmp_path / "r.json", tmp_path, categories={"person": 0, "car": 2}, on_bad=on_bad))
    frames = await listed(coco_results(tmp_path / "r.json", tmp_path, categories={1: 0, 2: 1}))
    assert frames[0].prediction.detection_classes == [0, 1]


async def test_a_box_beyond_its_image_is_named_by_line_and_columns(tmp_path, make_image):
    """In the words of the file: no one who writes label files knows of top, left, bottom, right."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.1 0.9\n0 0.9 0.5 0.6 0.4 0.9\n")
    with pytest.raises(SourceError, match=r"a\.txt: line 2: x_center 0\.9 with width 0\.6 is a box from 0\.6 to 1\.2"):
        await listed(yolo_labels(tmp_path, tmp_path))


async def test_two_label_files_of_one_image_are_refused(tmp_path, make_image):
    """The folder of all runs: nothing of such an image is delivered, and the message names both files."""
    for name in ("a", "b"):
        make_image(tmp_path / f"images/{name}.jpg")
    for run, names in (("predict", "ab"), ("predict2", "a")):
        (tmp_path / f"runs/{run}/labels").mkdir(parents=True)
        for name in names:
            (tmp_path / f"runs/{run}/labels/{name}.txt").write_text("0 0.5 0.5 0.2 0.4 0.9")
    with pytest.raises(SourceError, match=r"predict/labels/a\.txt.* and .*predict2/labels/a\.txt"):
        await listed(yolo_labels(tmp_path / "runs", tmp_path / "images"))
    source = yolo_labels(tmp_path / "runs", tmp_path / "images", on_bad="skip")
    assert [frame.filename for frame in await listed(source)] == ["b.jpg"]
    assert source.skipped == 2
