"""Which file a COCO result speaks of: never another picture's boxes on this one."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import SourceError, coco_results

from ..support.sources import listed, turned

pytestmark = pytest.mark.anyio


def result(image_id=1, **fields):
    return {"image_id": image_id, "category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5, **fields}


def coco(tmp_path, results, images=None, **more):
    content = results if images is None else {"images": images, "annotations": results, **more}
    (tmp_path / "r.json").write_text(json.dumps(content))
    return tmp_path / "r.json"


async def names(*arguments, **options):
    return [frame.filename for frame in await listed(coco_results(*arguments, **options))]


@pytest.fixture
def folder(tmp_path, make_image):
    """A folder with images in two subfolders."""
    for name in ("train/1.jpg", "train/2.jpg", "val/3.jpg"):
        make_image(tmp_path / "images" / name)
    return tmp_path / "images"


@pytest.mark.parametrize(
    "name",
    [
        "train/1.jpg",
        "1.jpg",
        "/home/me/data/train/1.jpg",
        "/elsewhere/train/1.jpg",
        "train\\1.jpg",
        "C:\\data\\train\\1.jpg",
        "train%2F1.jpg",
        "/data/local-files/?d=images/train/1.jpg",
        "http://images.example/train/1.jpg?key=3",
        "file:///home/me/train/1.jpg",
        "TRAIN/1.JPG",
    ],
)
async def test_a_path_is_found_by_its_longest_tail(tmp_path, folder, name):
    """As the tool wrote it, wherever it ran: absolute, of Windows, percent-encoded, as an address, in another case."""
    path = coco(tmp_path, [result()], [{"id": 1, "file_name": name}])
    assert await names(path, folder) == ["train/1.jpg"]


async def test_the_file_name_wins_over_the_id(tmp_path, folder):
    """Also in a list of results: the id of one tool is not the number in the name of another."""
    results = [result(2, file_name="1.jpg"), result(3, file_name="train/2.jpg")]
    assert await names(coco(tmp_path, results), folder) == ["train/1.jpg", "train/2.jpg"]


async def test_an_id_that_fits_several_files_names_them(tmp_path, folder, make_image):
    """1.jpg and 1.png, or 1.jpg and 0001.jpg: which one is meant nobody can tell; the others go on."""
    make_image(folder / "val/0001.png")
    path = coco(tmp_path, [result(1), result("1"), result(3)])
    with pytest.raises(SourceError, match=r"fits 2 files: 'train/1\.jpg', 'val/0001\.png'"):
        await names(path, folder)
    source = coco_results(path, folder, on_bad="skip")
    assert [frame.filename for frame in await listed(source)] == ["val/3.jpg"]
    assert source.skipped == 1


async def test_a_name_that_fits_several_files_names_them(tmp_path, folder, make_image):
    """A bare name in two subfolders; the folder in the name tells which."""
    make_image(folder / "val/1.jpg")
    with pytest.raises(SourceError, match="fits 2 files"):
        await names(coco(tmp_path, [result(file_name="1.jpg")]), folder)
    assert await names(coco(tmp_path, [result(file_name="/x/val/1.jpg")]), folder) == ["val/1.jpg"]


async def test_two_names_do_not_share_one_file_by_their_tails(tmp_path, folder):
    """cam1/1.jpg and cam2/1.jpg are two pictures; where the folder has one, the second is a problem."""
    results = [result(file_name="/cam1/1.jpg"), result(file_name="/cam2/1.jpg")]
    source = coco_results(coco(tmp_path, results), folder / "train", on_bad="skip")
    assert [frame.filename for frame in await listed(source)] == ["1.jpg"]
    assert "both lead to '1.jpg'" in source.problems[0]


async def test_a_path_out_of_the_folder_is_refused(tmp_path, folder, make_image):
    """It is that image's problem, and the others go on; `outside=True` allows it."""
    make_image(tmp_path / "other/8.jpg")
    make_image(tmp_path / "other/9.jpg")
    images = [{"id": 1, "file_name": "../other/9.jpg"}, {"id": 2, "file_name": str(tmp_path / "other/8.jpg")}]
    path = coco(tmp_path, [result(1), result(2), result(3, file_name="3.jpg")], images)
    source = coco_results(path, folder, on_bad="skip")
    assert [frame.filename for frame in await listed(source)] == ["val/3.jpg"]
    assert "leads out of" in source.problems[0]
    assert "no image" in source.problems[1]
    assert await names(path, folder, outside=True) == ["9.jpg", "8.jpg", "val/3.jpg"]


async def test_relative_and_absolute_folders_are_one(tmp_path, folder, monkeypatch):
    """An absolute name within a folder that was given relatively is found, and so the other way round."""
    monkeypatch.chdir(tmp_path)
    path = coco(tmp_path, [result(file_name=str(folder / "train/1.jpg"))])
    assert await names(path, "images") == ["train/1.jpg"]


async def test_images_without_a_file_name(tmp_path, folder):
    """LVIS has addresses; an entry with nothing at all is a problem of that image."""
    images = [{"id": 1, "coco_url": "http://images.cocodataset.org/train/1.jpg"}, {"id": 2}, {"file_name": "3.jpg"}, 7]
    source = coco_results(coco(tmp_path, [result(1), result(2)], images), folder, on_bad="skip")
    assert [frame.filename for frame in await listed(source)] == ["train/1.jpg"]
    assert "neither file_name nor coco_url" in source.problems[0]


async def test_an_id_of_two_names_is_a_problem(tmp_path, folder):
    """Merged datasets have ids twice."""
    images = [{"id": 1, "file_name": "1.jpg"}, {"id": 1, "file_name": "2.jpg"}]
    with pytest.raises(SourceError, match=r"2 of the COCO file's images have this id: '1\.jpg', '2\.jpg'"):
        await names(coco(tmp_path, [result(1)], images), folder)


@pytest.mark.parametrize(
    ("images", "results", "keys"),
    [
        ([(1, "1.jpg"), (2, "1.jpg"), (3, "3.jpg")], [1, 2, 1, 3], ("image_id 1", "image_id 2")),
        ([(1, "1.jpg"), (2, "train/1.jpg"), (3, "3.jpg")], [2, 1, 3], ("image_id 1", "image_id 2")),
        ([(1, "1.jpg"), (3, "3.jpg")], [1, "1.jpg", 3], ("image_id 1", "file_name '1.jpg'")),
    ],
    ids=["one name", "two spellings", "id and name"],
)
async def test_two_ids_of_one_image_are_refused(tmp_path, folder, images, results, keys):
    """Merged datasets: each id has a part of the results, and the picture would be sent twice."""
    described = [{"id": id_, "file_name": name} for id_, name in images]
    entries = [
        result(**({"file_name": one} if isinstance(one, str) else {"image_id": one}), score=0.1 * number)
        for number, one in enumerate(results, start=1)
    ]
    source = coco_results(coco(tmp_path, entries, described), folder, on_bad="skip")
    sent = [frame.filename for frame in await listed(source)]
    assert sent.count("train/1.jpg") <= 1
    assert sent[-1] == "val/3.jpg"
    assert source.problems
    assert all(key in problem and "one image" in problem for key in keys for problem in source.problems)


async def test_two_ids_of_which_one_has_results_are_one_image(tmp_path, folder):
    """Nothing is split then, with `empty` either."""
    images = [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "1.jpg"}]
    assert await names(coco(tmp_path, [result(2)], images), folder, empty=True) == ["train/1.jpg"]


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_results_that_are_there_twice_are_refused(tmp_path, folder, on_bad):
    """Two runs joined: each box would be stored twice; a box that differs in its score is another one."""
    once = [result(1), result(1, score=0.4), result(3)]
    assert await names(coco(tmp_path, once), folder) == ["train/1.jpg", "val/3.jpg"]
    source = coco_results(coco(tmp_path, [*once, result(1)]), folder, on_bad=on_bad)
    if on_bad == "raise":
        with pytest.raises(SourceError, match="image_id 1: result 3 repeats result 0"):
            await listed(source)
    else:
        assert [frame.filename for frame in await listed(source)] == ["val/3.jpg"]
        assert "result 3 repeats result 0" in source.problems[0]


@pytest.mark.parametrize("image_id", [3, 3.0, "3"], ids=["int", "float", "text"])
async def test_ids_of_every_type_are_one(tmp_path, folder, image_id):
    """1, 1.0 and "1" are one id, in the results and in the images."""
    path = coco(tmp_path, [result(image_id), result(3, score=0.4)], [{"id": "3", "file_name": "3.jpg"}])
    (frame,) = await listed(coco_results(path, folder))
    assert len(frame.prediction.detection_boxes) == 2


@pytest.mark.parametrize("name", ["COCO_val2014_000000000042.jpg", "frame_42.png"])
async def test_the_number_in_a_name_is_an_id(tmp_path, folder, make_image, name):
    """As COCO's own files have it."""
    make_image(folder / name)
    assert await names(coco(tmp_path, [result(42)]), folder) == [name]


async def test_the_size_in_the_file_must_be_the_images(tmp_path, folder):
    """Boxes of a picture of another size are boxes of another picture, or of one before it was scaled."""
    images = [{"id": 1, "file_name": "1.jpg", "width": 640, "height": 480}]
    with pytest.raises(SourceError, match="has 64 x 48 pixels, the COCO file says 640 x 480"):
        await names(coco(tmp_path, [result(1)], images), folder)


async def test_boxes_of_the_stored_picture_need_to_be_told(tmp_path):
    """Where the COCO file has the size of the stored picture, its boxes are not those of the picture as shown."""
    (tmp_path / "a.jpg").write_bytes(turned(400, 300, 6))
    path = coco(tmp_path, [result(1)], [{"id": 1, "file_name": "a.jpg", "width": 400, "height": 300}])
    with pytest.raises(SourceError, match=r"orientation='stored' reads it so, and .*beside their objects"):
        await names(path, tmp_path)
    (frame,) = await listed(coco_results(path, tmp_path, orientation="stored"))
    assert (frame.width, frame.height) == (400, 300)


async def test_empty_images_are_those_without_results(tmp_path, folder):
    """Each image once, whether its results name it by number or by name, and not where its results are bad."""
    results = [result(1), result(file_name="2.jpg"), result(3, bbox=[1])]
    source = coco_results(coco(tmp_path, results[:2]), folder, empty=True)
    frames = [(frame.filename, len(frame.prediction.detection_boxes)) for frame in await listed(source)]
    assert frames == [("train/1.jpg", 1), ("train/2.jpg", 1), ("val/3.jpg", 0)]
    source = coco_results(coco(tmp_path, results), folder, empty=True, on_bad="skip")
    assert [frame.filename for frame in await listed(source)] == ["train/1.jpg", "train/2.jpg"]


@pytest.mark.parametrize(
    "images", [[{"id": 1, "file_name": "0001.jpg"}], [{"id": 1, "file_name": "cam1/0001.jpg"}], None]
)
async def test_a_picture_of_another_kind_is_not_replaced_by_a_namesake(tmp_path, make_image, images):
    """Where it was converted to WebP, the picture of that name in a folder below is another one."""
    folder = tmp_path / "images"
    deeper = "cam1/cam2" if images and "cam1" in images[0]["file_name"] else "cam2"
    there = folder / deeper.removesuffix("cam2")
    make_image(folder / deeper / "0001.jpg")
    (there / "0001.webp").write_bytes(b"RIFF")
    source = coco_results(coco(tmp_path, [result()], images), folder, on_bad="skip")
    assert await listed(source) == []
    assert "0001.webp', and only JPEG and PNG are taken" in str(source.problems)
    if images:
        make_image(there / "0001.jpg")
        assert len(await listed(coco_results(tmp_path / "r.json", folder))) == 1
