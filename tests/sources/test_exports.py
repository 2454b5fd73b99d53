"""Files as labelling tools export them, laid out and named as these tools do: each box lands on its own picture."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import coco_results, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio

BOX = [10.0, 12.0, 20.0, 16.0]
LABEL = "1 0.312500 0.416667 0.312500 0.333333\n"
"""The same box in an image of 64 x 48."""
EDGES = [12, 10, 28, 30]


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def annotation(image_id, category_id, **fields):
    return {
        "id": 0,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": BOX,
        "area": 320.0,
        "iscrowd": 0,
        **fields,
    }


async def boxes(source):
    """Return, by file name, the class and edges of the one box of each frame."""
    found = {}
    for frame in await listed(source):
        (label,), (edges,) = frame.prediction.detection_classes, frame.prediction.detection_boxes
        found[frame.filename] = (label, list(edges))
    return found


@pytest.mark.parametrize(
    "name",
    ["images/5e2f7a31-belt_1.jpg", "images\\5e2f7a31-belt_1.jpg",
     "/label-studio/data/media/upload/1/5e2f7a31-belt_1.jpg", "/data/local-files/?d=shots%2F5e2f7a31-belt_1.jpg"],
    ids=["folder", "Windows", "absolute", "local storage"],
)  # fmt: skip
async def test_coco_of_label_studio(tmp_path, make_image, name):
    """`result.json` beside `images/`, ids from 0; images are named by where the server keeps them."""
    make_image(tmp_path / "images/5e2f7a31-belt_1.jpg")
    export = {
        "images": [{"width": 64, "height": 48, "id": 0, "file_name": name}],
        "categories": [{"id": 0, "name": "belt"}, {"id": 1, "name": "crate"}],
        "annotations": [annotation(0, 1, segmentation=[], ignore=0)],
        "info": {"year": 2026, "version": "1.0", "contributor": "Label Studio"},
    }
    path = written(tmp_path / "result.json", export)
    source = coco_results(path, tmp_path / "images", label_map={"crate": 4}, score=1.0)
    assert await boxes(source) == {"5e2f7a31-belt_1.jpg": (4, EDGES)}
    assert len(await boxes(coco_results(path, tmp_path, label_map={"crate": 4}, score=1.0))) == 1


async def test_yolo_of_label_studio(tmp_path, make_image):
    """`classes.txt` and `notes.json` at the top, `labels/` and `images/` beside each other."""
    make_image(tmp_path / "images/5e2f7a31-belt 1.png")
    written(tmp_path / "labels/5e2f7a31-belt 1.txt", LABEL)
    written(tmp_path / "classes.txt", "belt\ncrate\n")
    written(tmp_path / "notes.json", {"categories": [], "info": {"contributor": "Label Studio"}})
    for labels, images in (("labels", "images"), (".", ".")):
        source = yolo_labels(tmp_path / labels, tmp_path / images, label_map={"crate": 4}, score=1.0)
        assert list((await boxes(source)).values()) == [(4, EDGES)]


async def test_label_files_of_label_studio_are_percent_encoded(tmp_path, make_image):
    """Their names are, where the pictures lie in local storage; a picture whose own name looks so comes first."""
    make_image(tmp_path / "images/belt 1.jpg")
    written(tmp_path / "labels/belt%201.txt", LABEL)
    source = yolo_labels(tmp_path / "labels", tmp_path / "images", categories={1: 4}, score=1.0)
    assert await boxes(source) == {"belt 1.jpg": (4, EDGES)}
    make_image(tmp_path / "images/belt%201.jpg")
    assert await boxes(source) == {"belt%201.jpg": (4, EDGES)}


async def test_coco_of_cvat(tmp_path, make_image):
    """`annotations/instances_default.json`, ids from 1, empty addresses, attributes, sizes as whole numbers."""
    for name in ("night/frame_000000.png", "night/frame_000001.png"):
        make_image(tmp_path / "images" / name)
    rest = {"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
    export = {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": {"contributor": "", "date_created": "", "description": "", "url": "", "version": "", "year": ""},
        "categories": [{"id": 1, "name": "belt", "supercategory": ""}, {"id": 2, "name": "crate", "supercategory": ""}],
        "images": [
            {"id": 1 + n, "width": 64, "height": 48, "file_name": f"night/frame_00000{n}.png", **rest} for n in (0, 1)
        ],
        "annotations": [
            annotation(2, 2, segmentation=[[10, 12, 30, 12, 30, 28]], attributes={"occluded": False, "rotation": 0.0})
        ],
    }
    path = written(tmp_path / "annotations/instances_default.json", export)
    source = coco_results(path, tmp_path / "images", label_map={"crate": 4}, score=1.0)
    assert await boxes(source) == {"night/frame_000001.png": (4, EDGES)}
    source = coco_results(path, tmp_path / "images", label_map={"crate": 4}, score=1.0, kind="segmentation", empty=True)
    frames = {frame.filename: frame.prediction.detection_masks for frame in await listed(source)}
    assert frames == {"night/frame_000000.png": [], "night/frame_000001.png": [[[10, 12], [30, 12], [30, 28]]]}


async def test_masks_of_cvat(tmp_path, make_image):
    """A brush stroke is a crowd with plain run lengths, down the columns; the text is that of the reference implementation."""
    make_image(tmp_path / "frame.png")
    counts = [12, 16, 20, 16, 64 * 48 - 64]
    export = {
        "categories": [{"id": 1, "name": "belt", "supercategory": ""}],
        "images": [{"id": 1, "width": 64, "height": 48, "file_name": "frame.png"}],
        "annotations": [
            annotation(1, 1, segmentation={"counts": counts, "size": [48, 64]}, bbox=[0, 0, 2, 28], iscrowd=1)
        ],
    }
    path = written(tmp_path / "instances_default.json", export)
    (frame,) = await listed(coco_results(path, tmp_path, kind="mask", label_map={"belt": 0}, score=1.0))
    assert frame.prediction.detection_masks == ["<`0d00\\m2"]


async def test_yolo_of_cvat(tmp_path, make_image):
    """The older form: `obj.names` and `train.txt` at the top, labels beside their images."""
    make_image(tmp_path / "obj_train_data/night/frame_000001.png")
    written(tmp_path / "obj_train_data/night/frame_000001.txt", LABEL)
    written(tmp_path / "obj.names", "belt\ncrate\n")
    written(tmp_path / "obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    written(tmp_path / "train.txt", "data/obj_train_data/night/frame_000001.png\n")
    source = yolo_labels(tmp_path, tmp_path, label_map={"crate": 4}, score=1.0)
    assert await boxes(source) == {"obj_train_data/night/frame_000001.png": (4, EDGES)}


async def test_coco_of_roboflow(tmp_path, make_image):
    """`_annotations.coco.json` among the images of each part; a category 0 that names the whole dataset."""
    name = "belt_1_jpg.rf.1f0cb51a9ae9b1c53ba5ac5ef4cc90f0.jpg"
    make_image(tmp_path / "train" / name)
    export = {
        "info": {"year": "2026", "version": "3", "description": "Exported from roboflow.com", "contributor": "", "url": ""},
        "licenses": [{"id": 1, "url": "", "name": "CC BY 4.0"}],
        "categories": [
            {"id": 0, "name": "plant", "supercategory": "none"}, {"id": 1, "name": "crate", "supercategory": "plant"},
        ],
        "images": [{"id": 0, "license": 1, "file_name": name, "height": 48, "width": 64, "extra": {"name": "belt 1.jpg"}}],
        "annotations": [annotation(0, 1, segmentation=[])],
    }  # fmt: skip
    path = written(tmp_path / "train/_annotations.coco.json", export)
    source = coco_results(path, tmp_path / "train", label_map={"crate": 4}, score=1.0)
    assert await boxes(source) == {name: (4, EDGES)}


async def test_yolo_of_roboflow(tmp_path, make_image):
    """`data.yaml` and read-me files at the top, a folder of images and one of labels for each part."""
    pytest.importorskip("yaml")
    name = "belt_1_jpg.rf.1f0cb51a9ae9b1c53ba5ac5ef4cc90f0"
    for part in ("train", "valid"):
        make_image(tmp_path / part / f"images/{name}.jpg")
        written(tmp_path / part / f"labels/{name}.txt", LABEL)
    written(
        tmp_path / "data.yaml",
        "train: ../train/images\nval: ../valid/images\n\nnc: 2\nnames: ['belt', 'crate']\n\nroboflow:\n  version: 3\n",
    )
    for readme in ("README.dataset.txt", "README.roboflow.txt"):
        written(tmp_path / readme, "Provided by a Roboflow user\n")
    source = yolo_labels(tmp_path, tmp_path, label_map={"crate": 4}, score=1.0)
    assert await boxes(source) == {f"{part}/images/{name}.jpg": (4, EDGES) for part in ("train", "valid")}
    part = tmp_path / "valid"
    source = yolo_labels(
        part / "labels", part / "images", label_map={"crate": 4}, score=1.0, names=tmp_path / "data.yaml"
    )
    assert await boxes(source) == {f"{name}.jpg": (4, EDGES)}


async def test_yolo_of_ultralytics_and_cvat(tmp_path, make_image):
    """The newer form: names by number in `data.yaml`, `labels/train` beside `images/train`."""
    pytest.importorskip("yaml")
    for part in ("train", "val"):
        make_image(tmp_path / f"images/{part}/000001.jpg")
        written(tmp_path / f"labels/{part}/000001.txt", LABEL)
    written(tmp_path / "data.yaml", "path: .\ntrain: train.txt\nnames:\n  0: belt\n  1: crate\n")
    source = yolo_labels(tmp_path / "labels", tmp_path / "images", label_map={"crate": 4}, score=1.0)
    assert await boxes(source) == {f"{part}/000001.jpg": (4, EDGES) for part in ("train", "val")}
    source = yolo_labels(tmp_path, tmp_path, label_map={"crate": 4}, score=1.0)
    assert await boxes(source) == {f"images/{part}/000001.jpg": (4, EDGES) for part in ("train", "val")}
