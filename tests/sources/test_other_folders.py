"""A name in one folder never means the file of that name in another one: every camera has a 0001.jpg."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import SourceError, coco_results, manifest, yolo_labels

from ..support.sources import encoded, listed

pytestmark = pytest.mark.anyio

DETECTION = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


@pytest.fixture
def read(tmp_path, make_image):
    """Return what reads an entry of each form for a path, on the given images."""

    def source(form, path, *images, **options):
        for name in images:
            make_image(tmp_path / "i" / name)
        if form == "yolo":
            label = (tmp_path / "l" / path).with_suffix(".txt")
            label.parent.mkdir(parents=True)
            label.write_text("0 0.5 0.5 0.2 0.4 0.9")
            return yolo_labels(tmp_path / "l", tmp_path / "i", **options)
        if form == "manifest":
            (tmp_path / "i/m.jsonl").write_text(json.dumps({"image": path, "prediction": DETECTION}))
            return manifest(tmp_path / "i/m.jsonl", **options)
        box = {"category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}
        content = [{"file_name": path, **box}]
        if form == "coco images":
            content = {"images": [{"id": 1, "file_name": path}], "annotations": [{"image_id": 1, **box}]}
        (tmp_path / "r.json").write_text(json.dumps(content))
        return coco_results(tmp_path / "r.json", tmp_path / "i", **options)

    return source


@pytest.mark.parametrize(
    ("form", "path"),
    [
        *((form, "cam2/0001.jpg") for form in ("yolo", "coco", "coco images", "manifest")),
        *((form, "cam2/day/0001.jpg") for form in ("yolo", "coco")),
        *((form, "/data/set/cam2/0001.jpg") for form in ("coco", "manifest")),
        *((form, "C:\\data\\cam2\\0001.jpg") for form in ("coco", "manifest")),
        ("coco", "cam2\\0001.jpg"),
        ("coco", "http://images.example/cam2/0001.jpg"),
        ("yolo", "cam2/labels/0001.txt"),
        ("yolo", "labels/cam2/0001.txt"),
    ],
)
async def test_a_missing_image_is_not_that_of_another_folder(read, form, path):
    """Its boxes would be stored with another camera's picture; the message names the one that lies elsewhere."""
    source = read(form, path, "cam1/0001.jpg", "cam2/0002.jpg")
    with pytest.raises(SourceError, match=r"no image .*0001.*'cam1/0001\.jpg' is in another folder"):
        await listed(source)


@pytest.mark.parametrize(
    ("form", "path", "image"),
    [
        *((form, "/data/set/cam1/0001.jpg", "cam1/0001.jpg") for form in ("coco", "manifest")),
        *((form, "C:\\data\\set\\cam1\\0001.jpg", "cam1/0001.jpg") for form in ("coco", "manifest")),
        ("coco", "C:\\data\\set\\CAM1\\0001.JPG", "cam1/0001.jpg"),
        ("manifest", "CAM1/0001.JPG", "cam1/0001.jpg"),
        ("coco", "set/cam1/0001.jpg", "cam1/0001.jpg"),
        ("coco", "0001.jpg", "cam1/0001.jpg"),
        ("coco", "cam1/0001.jpg", "night/cam1/0001.jpg"),
        ("coco", "/upload/7/0001.jpg", "images/0001.jpg"),
        ("yolo", "set/cam1/0001.txt", "cam1/0001.jpg"),
        ("yolo", "0001.txt", "cam1/0001.jpg"),
        ("yolo", "cam1/labels/0001.txt", "cam1/frames/0001.jpg"),
        ("yolo", "predict/labels/0001.txt", "0001.jpg"),
        ("yolo", "predict/labels/0001.txt", "images/0001.jpg"),
    ],
)
async def test_folders_that_are_missing_on_one_side_do_not_matter(read, form, path, image):
    """Where the tool ran, or how deep the images lie, is not what tells one picture from another."""
    (frame,) = await listed(read(form, path, image, "cam2/0002.jpg"))
    assert frame.filename == image


@pytest.mark.parametrize("path", ["cam2/0001.jpg", "0001.jpg"])
async def test_a_relative_path_of_a_manifest_is_that_very_path(read, path):
    """The caller's own path is not searched for anywhere else, above or below."""
    image = "0001.jpg" if "/" in path else "cam1/0001.jpg"
    with pytest.raises(SourceError, match="no image"):
        await listed(read("manifest", path, image))


async def test_the_folder_of_a_label_tells_among_several_images(read):
    """With `cam1/0001` only that of cam1 can be meant, whatever folder is above it."""
    (frame,) = await listed(read("yolo", "run/cam1/0001.txt", "cam1/0001.jpg", "cam2/0001.jpg", "0002.jpg"))
    assert frame.filename == "cam1/0001.jpg"


@pytest.mark.parametrize("file_name", ["a/0002.jpg", "/data/a/0002.jpg", "C:\\data\\a\\0002.jpg"])
async def test_a_picture_of_another_kind_in_its_place_is_not_passed_over_for_one_nearer_to_the_root(
    tmp_path, file_name
):
    """The WebP is what the path means, converted; the JPEG of the same name above it is another picture."""
    images = tmp_path / "images"
    (images / "a").mkdir(parents=True)
    (images / "a" / "0002.webp").write_bytes(b"RIFF....WEBP")
    (images / "0002.jpg").write_bytes(encoded())
    result = {"image_id": 1, "category_id": 0, "bbox": [1, 2, 30, 40], "score": 0.5}
    content = {"images": [{"id": 1, "file_name": file_name}], "annotations": [result]}
    (tmp_path / "r.json").write_text(json.dumps(content))
    source = coco_results(tmp_path / "r.json", images, categories="indexes", on_bad="skip")
    assert await listed(source) == []
    assert "'a/0002.jpg' may be 'a/0002.webp'" in source.problems[0]


@pytest.mark.parametrize(
    ("form", "name", "images", "elsewhere", "beside"),
    [
        ("coco", "{}.jpg", "", "cam2/", ""),
        *(
            (form, "{}.jpg", "", "cam2/", beside)
            for form in ("coco images", "yolo")
            for beside in ("", "0001.CR2", "0001.jpg.part", "0001.mp4", ".0001.jpg")
        ),
        *((form, "cam1/{}.jpg", "cam1/", "", "") for form in ("coco", "coco images")),
        *((form, "cam1/{}.jpg", "cam1/", "night/cam1/", "") for form in ("coco", "coco images", "yolo")),
        ("yolo", "labels/{}.jpg", "images/", "cam2/", ""),
        ("yolo", "run/cam1/{}.jpg", "cam1/", "", ""),
        ("coco images", "/data/cam1/{}.jpg", "cam1/", "", ""),
        ("coco images", "C:\\data\\cam1\\{}.jpg", "cam1/", "", ""),
        ("coco images", "http://images.example/cam1/{}.jpg?key=3", "cam1/", "", ""),
        ("coco images", "cam1%2F{}.jpg", "cam1/", "night/cam1/", ""),
        ("coco images", "CAM1/{}.JPG", "cam1/", "night/cam1/", ""),
    ],
)
async def test_an_image_that_is_gone_is_not_one_elsewhere_while_the_others_lie_at_their_places(
    tmp_path, make_image, form, name, images, elsewhere, beside
):
    """It is a bad item, whatever else lies at its place; the others are delivered."""
    folder = tmp_path / "i"
    described = [name.format(f"{number:04d}") for number in (1, 2, 3)]
    there = [f"{images}{number:04d}.jpg" for number in (2, 3)]
    for image in (f"{elsewhere}0001.jpg", *there):
        make_image(folder / image)
    if beside:
        (folder / images / beside).write_bytes(b"other")
    box = {"category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}
    for one in described if form == "yolo" else ():
        label = (tmp_path / "l" / one).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 0.2 0.4 0.9\n")
    content = [{"file_name": one, **box} for one in described]
    if form == "coco images":
        content = {
            "images": [{"id": number, "file_name": one} for number, one in enumerate(described)],
            "annotations": [{"image_id": number, **box} for number in range(3)],
        }
    (tmp_path / "r.json").write_text(json.dumps(content))

    def source(on_bad):
        if form == "yolo":
            return yolo_labels(tmp_path / "l", folder, on_bad=on_bad)
        return coco_results(tmp_path / "r.json", folder, on_bad=on_bad)

    lenient = source("skip")
    assert [frame.filename for frame in await listed(lenient)] == there
    assert lenient.skipped == 1
    assert f"'{elsewhere}0001.jpg' is in another folder, and may be another picture" in lenient.problems[0]
    with pytest.raises(SourceError, match="is in another folder, and may be another picture"):
        await listed(source("raise"))
