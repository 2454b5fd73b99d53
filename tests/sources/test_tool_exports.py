"""Files as tools wrote them (see `exports/README.md`): each box lands on its own picture, and what is no box is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from picsellia_async.sources import SourceError, coco_results, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio

EXPORTS = Path(__file__).parent / "exports"
LABEL_MAP = {"belt": 0, "crate": 4}
EDGES = [12, 10, 28, 30]


@pytest.fixture
def pictures(make_image):
    """Return what writes the pictures below a folder, under the names that the tool's user has them."""

    def make(folder, *names):
        for name in names:
            make_image(folder / name)
        return folder

    return make


async def found(source):
    """Return, by file name, classes, edges and scores."""
    return {
        frame.filename: (
            frame.prediction.detection_classes,
            [list(one) for one in frame.prediction.detection_boxes],
            frame.prediction.detection_scores,
        )
        for frame in await listed(source)
    }


BELT, NIGHT = "belt 1.jpg", "night/frame_2.jpg"
UPLOADED = "5e2f7a31-belt 1.jpg"


@pytest.mark.parametrize(
    ("export", "names"),
    [
        ("label_studio/coco/result.json", (UPLOADED, NIGHT)),
        ("label_studio/coco/result.json", (f"upload/1/{UPLOADED}", f"img/{NIGHT}")),
        ("label_studio/brush/result_coco.json", (UPLOADED,)),
        ("label_studio/polygons/result.json", (UPLOADED,)),
        ("datumaro/coco/annotations/instances_default.json", (BELT, NIGHT)),
        ("datumaro/coco/annotations/instances_default.json", (f"images/default/{BELT}", f"images/default/{NIGHT}")),
        ("datumaro/coco_polygons/annotations/instances_default.json", (BELT, NIGHT)),
        ("datumaro/coco_masks/annotations/instances_default.json", (BELT, NIGHT)),
        ("supervision/coco/a.json", (BELT, "frame_2.jpg")),
        ("supervision/coco_masks/a.json", (BELT, NIGHT)),
        ("others/sahi.json", (BELT, NIGHT)),
        ("others/labelme2coco.json", (BELT,)),
    ],
)
async def test_boxes_of_coco_files(tmp_path, pictures, export, names):
    """Paths out of the export's folder, of servers, and of names alone, beside boxes, polygons and masks."""
    folder = pictures(tmp_path, *names)
    source = coco_results(EXPORTS / export, folder, label_map=LABEL_MAP, score=1.0)
    assert await found(source) == {name: ([4], [EDGES], [1.0]) for name in names}


@pytest.mark.parametrize(
    ("export", "names", "options"),
    [
        ("datumaro/coco_scores/annotations/instances_default.json", (BELT, NIGHT), {"label_map": LABEL_MAP}),
        ("ultralytics/predictions.json", (NIGHT, "000000000139.jpg"), {"categories": {2: 4}}),
        ("others/pycocotools.json", (NIGHT,), {"categories": {1: 4}}),
        (
            "others/sahi_pred.json", (BELT, NIGHT),
            {"label_map": LABEL_MAP, "annotations": EXPORTS / "others/sahi.json"},
        ),
    ],
)  # fmt: skip
async def test_predictions_in_coco_files(tmp_path, pictures, export, names, options):
    """With the tool's own scores; ultralytics counts its classes from 1 there."""
    source = coco_results(EXPORTS / export, pictures(tmp_path, *names), **options)
    assert await found(source) == {name: ([4], [EDGES], [0.75]) for name in names}


@pytest.mark.parametrize(
    ("export", "names", "score"),
    [
        ("label_studio/yolo", (UPLOADED, "frame_2.jpg"), 1.0),
        ("label_studio/yolo", (f"images/{UPLOADED}", f"images/{NIGHT}"), 1.0),
        ("datumaro/yolo", (f"obj_train_data/{BELT}", f"obj_train_data/{NIGHT}"), 1.0),
        ("datumaro/yolo_ultralytics", (f"images/val/{BELT}", f"images/train/{NIGHT}"), 1.0),
        ("supervision/yolo", (BELT, "frame_2.jpg"), 1.0),
        ("ultralytics/box", (BELT, NIGHT), 1.0),
        ("ultralytics/conf", (BELT, NIGHT), 0.75),
        ("ultralytics/track", (BELT, NIGHT), 0.75),
        ("ultralytics/track_nc", (BELT, NIGHT), 1.0),
    ],
)
async def test_boxes_in_label_files(tmp_path, pictures, export, names, score):
    """The dataset's root given as labels, names of classes found beside them or given, tracks left out."""
    names_given = ["belt", "crate"] if export.startswith("ultralytics") else None
    source = yolo_labels(
        EXPORTS / export, pictures(tmp_path, *names), label_map=LABEL_MAP, names=names_given,
        score=None if score == 0.75 else score,
    )  # fmt: skip
    assert await found(source) == {name: ([4], [EDGES], [score]) for name in names}


@pytest.mark.parametrize(
    ("export", "corner"),
    [("label_studio/yolo_obb", [10, 12]), ("supervision/yolo_masks", [10, 12]), ("ultralytics/seg", [10, 12]), ("ultralytics/obb", [27, 31])],
)  # fmt: skip
async def test_polygons_in_label_files(tmp_path, pictures, export, corner):
    """Outlines of masks and corners of oriented boxes."""
    folder = pictures(tmp_path, UPLOADED if "studio" in export else BELT, NIGHT)
    source = yolo_labels(EXPORTS / export, folder, kind="segmentation", categories={1: 4}, score=1.0)
    frames = await listed(source)
    assert len(frames) == 2
    for frame in frames:
        (polygon,) = frame.prediction.detection_masks
        assert (list(polygon[0]), len(polygon)) == (corner, 4)


@pytest.mark.parametrize(
    "export",
    [
        "datumaro/coco_masks/annotations/instances_default.json",
        "datumaro/coco_polygons/annotations/instances_default.json",
        "others/pycocotools.json",
    ],
)
async def test_masks_in_coco_files(tmp_path, pictures, export):
    """Run lengths as numbers and as text, and the pixels inside polygons, are one mask."""
    folder = pictures(tmp_path, BELT, NIGHT)
    source = coco_results(EXPORTS / export, folder, kind="mask", categories={1: 4, 2: 4}, score=1.0)
    masks = {mask for frame in await listed(source) for mask in frame.prediction.detection_masks}
    assert len(masks) == 1


@pytest.mark.parametrize(
    ("export", "kind", "message"),
    [
        ("label_studio/yolo_obb", "detection", 'an oriented box or a polygon, which kind="segmentation" reads'),
        ("supervision/yolo_masks", "detection", 'an oriented box or a polygon, which kind="segmentation" reads'),
        ("ultralytics/obb", "detection", 'an oriented box or a polygon, which kind="segmentation" reads'),
        ("ultralytics/pose", "detection", "a box with keypoints, which is not read"),
        ("ultralytics/pose", "segmentation", "a box with keypoints is no polygon"),
        ("ultralytics/cls", "detection", "the result of a classifier"),
        ("ultralytics/box", "segmentation", 'a box, which kind="detection" reads'),
        ("ultralytics/box", "detection", "give score="),
    ],
)
async def test_what_tools_write_and_no_one_asked_for_is_refused(tmp_path, pictures, export, kind, message):
    """The message says what the lines are."""
    folder = pictures(tmp_path, UPLOADED, BELT, NIGHT)
    score = None if "give score" in message else 1.0
    with pytest.raises(SourceError) as caught:
        await listed(yolo_labels(EXPORTS / export, folder, kind=kind, score=score))
    assert message in str(caught.value)


async def test_a_panoptic_file_is_refused(tmp_path, pictures):
    """Its file names are those of pictures of segments."""
    export = EXPORTS / "datumaro/coco_panoptic/annotations/panoptic_default.json"
    with pytest.raises(SourceError, match="panoptic"):
        await listed(coco_results(export, pictures(tmp_path, BELT, NIGHT), score=1.0))


async def test_a_second_run_into_the_same_label_files_is_refused(tmp_path, pictures):
    """Ultralytics appends: every box would be sent twice."""
    text = (EXPORTS / "ultralytics/conf/labels/belt 1.txt").read_text()
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/belt 1.txt").write_text(text + text)
    source = yolo_labels(tmp_path / "labels", pictures(tmp_path / "images", BELT))
    with pytest.raises(SourceError, match=r"line 2 repeats line 1.*appends"):
        await listed(source)


async def test_a_path_out_of_the_export_may_lead_into_the_folder(tmp_path, pictures):
    """`../lsroot/upload/1/...` is a file of `lsroot`, where that is the folder of the images; another one's is refused."""
    for folder in ("lsroot", "other"):
        pictures(tmp_path, f"{folder}/upload/1/{UPLOADED}", f"{folder}/{NIGHT}")
    export = EXPORTS / "label_studio/coco/result.json"
    frames = await listed(coco_results(export, tmp_path / "lsroot", categories={1: 4}, score=1.0))
    assert [frame.filename for frame in frames] == [f"upload/1/{UPLOADED}", NIGHT]
    with pytest.raises(SourceError, match="leads out of"):
        await listed(coco_results(export, tmp_path / "other", categories={1: 4}, score=1.0))
