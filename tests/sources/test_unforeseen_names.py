"""Names that another system or tool wrote: other forms of Unicode, no folders, whole paths and links that lead out of the folder."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from picsellia_async.sources import SourceError, coco_results, manifest, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio

PREDICTION = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="one name in two forms of Unicode are two files")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")


@pytest.fixture
def read(tmp_path):
    """Return what reads one shape for each name, from results, labels or a manifest beside the folder `images`."""

    def source(form, *names, **options):
        if form == "yolo":
            for name in names:
                label = (tmp_path / "labels" / name).with_suffix(".txt")
                label.parent.mkdir(parents=True, exist_ok=True)
                label.write_text("0 0.5 0.5 0.2 0.4 0.9\n")
            return yolo_labels(tmp_path / "labels", tmp_path / "images", **options)
        if form == "manifest":
            lines = [json.dumps({"image": name, "prediction": PREDICTION}, ensure_ascii=False) for name in names]
            (tmp_path / "images/m.jsonl").write_text("\n".join(lines), encoding="utf-8")
            return manifest(tmp_path / "images/m.jsonl", **options)
        field = "image_id" if form == "ids" else "file_name"
        results = [{field: name, "category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5} for name in names]
        (tmp_path / "r.json").write_text(json.dumps(results))
        return coco_results(tmp_path / "r.json", tmp_path / "images", categories="indexes", **options)

    return source


@LINUX
@pytest.mark.parametrize("form", ["coco", "ids", "yolo", "manifest"])
@pytest.mark.parametrize(("here", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
async def test_a_name_in_another_form_of_unicode_is_found(tmp_path, make_image, read, form, here, there):
    """As zip files and exports of a Mac have umlauts; folders too. Where both forms are there, each is its own."""
    folder = "" if form == "ids" else "Straße ö/"
    name = f"{folder}Bild_üä.jpg"
    make_image(tmp_path / "images" / unicodedata.normalize(there, name))
    (frame,) = await listed(read(form, unicodedata.normalize(here, name)))
    assert frame.filename == unicodedata.normalize(there, name)
    make_image(tmp_path / "images" / unicodedata.normalize(here, name))
    (frame,) = await listed(read(form, unicodedata.normalize(here, name)))
    assert frame.filename == unicodedata.normalize(here, name)


async def test_a_folder_in_another_case_is_the_labels_place(make_image, read, tmp_path):
    """As Windows has one folder of both names."""
    make_image(tmp_path / "images/day/a.jpg")
    (frame,) = await listed(read("yolo", "Day/a.jpg"))
    assert frame.filename == "day/a.jpg"


@pytest.mark.parametrize("form", ["coco", "ids", "yolo"])
async def test_names_without_folders_are_found_beside_one_at_the_top(tmp_path, make_image, read, form):
    """As save_json and save_txt of ultralytics write a folder with subfolders: most lie in these, and each name is there once."""
    files = ["top.jpg", "a/cat.jpg", "a/dog.jpg", "b/bird.jpg"]
    for name in files:
        make_image(tmp_path / "images" / name)
    names = [name.rpartition("/")[2] for name in files]
    frames = await listed(read(form, *names))
    assert sorted(frame.filename for frame in frames) == sorted(files)


@pytest.mark.parametrize("form", ["coco", "ids", "yolo"])
@pytest.mark.parametrize(
    ("files", "missing"),
    [
        (["top.jpg", "cat.jpg", "a/dog.jpg", "b/bird.jpg"], "dog"),
        (["top.jpg", "a/cat.jpg", "a/dog.jpg", "b/bird.jpg", "b/top.jpg"], "cat"),
        (["3.jpg", "a/1.jpg", "a/2.jpg"], "1"),
    ],
    ids=["as many at the top", "one name is there twice", "counted"],
)
async def test_names_without_folders_elsewhere_stay_in_doubt(tmp_path, make_image, read, form, files, missing):
    """Where the folders may hold another set, one that lies elsewhere is a bad item."""
    for name in files:
        make_image(tmp_path / "images" / name)
    names = list(dict.fromkeys(name.rpartition("/")[2] for name in files))
    source = read(form, *names, on_bad="skip")
    await listed(source)
    assert any(missing in one for one in source.problems)


@pytest.mark.parametrize("form", ["coco", "manifest"])
async def test_a_whole_path_to_a_file_out_of_the_folder_says_the_way(tmp_path, make_image, read, form):
    """As a relative one does."""
    make_image(tmp_path / "images/a.jpg")
    other = make_image(tmp_path / "other/x.jpg")
    with pytest.raises(SourceError, match=r"no image .*x\.jpg' is out of that folder: outside=True allows that"):
        await listed(read(form, str(other)))
    (frame,) = await listed(read(form, str(other), outside=True))
    assert frame.filename == "x.jpg"


@POSIX
@pytest.mark.parametrize("form", ["coco", "manifest"])
async def test_a_link_to_a_directory_out_of_the_folder_leads_out_of_it(tmp_path, make_image, read, form):
    """It needs what other paths out of the folder need; a link to a directory within, or to a file, does not."""
    make_image(tmp_path / "other/x.jpg")
    make_image(tmp_path / "images/in/y.jpg")
    (tmp_path / "images/out").symlink_to(tmp_path / "other", target_is_directory=True)
    (tmp_path / "images/again").symlink_to(tmp_path / "images/in", target_is_directory=True)
    (tmp_path / "images/file.jpg").symlink_to(tmp_path / "other/x.jpg")
    for name in ("out/x.jpg", *(["gone/out/x.jpg"] if form == "coco" else [])):
        with pytest.raises(SourceError, match=r"leads out of .* by a link to a directory: outside=True allows that"):
            await listed(read(form, name))
    assert len(await listed(read(form, "out/x.jpg", outside=True))) == 1
    assert len(await listed(read(form, "again/y.jpg", "file.jpg"))) == 2


@pytest.mark.parametrize("name", ["3f2a91cc-IMG_0001.jpg", "IMG_0001_jpg.rf.0a1b2c3d4e5f.jpg"])
async def test_the_name_before_an_export_is_told(tmp_path, make_image, read, name):
    """Label Studio and Roboflow rename what they export; whether the picture is the same nobody can tell."""
    make_image(tmp_path / "images/IMG_0001.jpg")
    with pytest.raises(SourceError, match=r"there is 'IMG_0001\.jpg', which may be another picture: if it is meant"):
        await listed(read("coco", name))
