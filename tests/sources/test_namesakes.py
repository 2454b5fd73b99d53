"""A picture that is gone has namesakes in other folders: they are refused where the file tells, and taken with a word where nothing does."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid

import pytest

from picsellia_async.sources import coco_results, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio


def digest(number):
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


SERIES = {
    "number": lambda n: f"{n:04d}",
    "time": lambda n: f"2026-01-01_12-{n:02d}-00",
    "time and channel": lambda n: f"2026010112{n:02d}00_01",
    "tile": lambda n: f"scene_{512 * n}_0_{512 * n + 512}_512",
    "camera behind": lambda n: f"frame_{n:04d}_cam1",
    "position": lambda n: f"f{n}_pts{3600 * n}_n{n}",
    "crop": lambda n: f"{n:04d}_crop_0",
    "size": lambda n: f"{n:04d}_1920x1080",
    "version": lambda n: f"{n:04d}.v2",
    "words behind": lambda n: f"{n:04d}_{'left' if n % 2 else 'right'}",
    "Label Studio": lambda n: f"{digest(n)[:8]}-{n:04d}",
    "Roboflow": lambda n: f"{n:04d}_jpg.rf.{digest(n)}",
    "digest": digest,
    "uuid": lambda n: str(uuid.UUID(digest(n))),
    "copy": lambda n: f"IMG_{n:04d} (1)",
    "words": lambda n: ("dog", "cat", "cow", "fox", "hen", "owl", "pig", "bee", "ant", "elk", "emu", "yak")[n - 1],
}
"""Names of images as tools and cameras number them."""


@pytest.fixture
def read(tmp_path, make_image):
    """Return what reads a file of results with the given names, on the given images."""

    def source(form, names, images, **options):
        for image in images:
            make_image(tmp_path / "i" / f"{image}.jpg")
        if form == "yolo":
            for name in names:
                label = tmp_path / "l" / f"{name}.txt"
                label.parent.mkdir(parents=True, exist_ok=True)
                label.write_text("0 0.5 0.5 0.2 0.4 0.9\n")
            return yolo_labels(tmp_path / "l", tmp_path / "i", on_bad="skip", **options)
        box = {"category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}
        key = "image_id" if form == "ids" else "file_name"
        content = [{key: name if form == "ids" else f"{name}.jpg", **box} for name in names]
        (tmp_path / "r.json").write_text(json.dumps(content))
        return coco_results(tmp_path / "r.json", tmp_path / "i", categories="indexes", on_bad="skip", **options)

    return source


def told(caplog):
    return [one.getMessage() for one in caplog.records if "than the rest" in one.getMessage()]


@pytest.mark.parametrize("form", ["coco", "yolo"])
@pytest.mark.parametrize("name", SERIES.values(), ids=SERIES)
async def test_names_that_differ_in_digits_alone_are_one_set(read, form, name, caplog):
    """One of them is gone: its namesake in another folder is another picture, whichever of its numbers counts."""
    names = [name(number) for number in range(1, 13)]
    source = read(form, names, [*names[1:], f"cam2/{names[0]}"])
    assert sorted(frame.filename for frame in await listed(source)) == sorted(f"{one}.jpg" for one in names[1:])
    assert source.skipped == 1
    meant = f"cam2/{names[0]}.{'txt' if form == 'yolo' else 'jpg'}"
    assert f"may be another picture: if it is meant, {'move' if form == 'yolo' else 'the file'}" in source.problems[0]
    assert source.problems[0].endswith(repr(meant))
    assert (source.elsewhere, told(caplog)) == ({}, [])


@pytest.mark.parametrize("form", ["coco", "yolo"])
async def test_the_way_out_of_a_refusal_leads_out(read, form):
    """The name with its folder, or the label in a folder of that name, is that very picture."""
    source = read(form, ["hard/0003", "0001", "0002"], ["0001", "0002", "hard/0003"])
    assert len(await listed(source)) == 3
    assert (source.skipped, source.elsewhere) == (0, {})


@pytest.mark.parametrize("form", ["coco", "yolo"])
@pytest.mark.parametrize(
    ("names", "images"),
    [
        (["a_1", "a_2", "b_1"], ["a_1", "a_2", "b/b_1", "b/a_2"]),
        (["dog7a", "cat8b", "cow9c"], ["dog7a", "cat8b", "old/cow9c", "old/dog7a"]),
        (["1", "2", "3", "4"], ["cam1/2", "cam1/3", "cam1/4", "cam2/1", "cam2/2", "cam2/3", "cam2/4"]),
    ],
    ids=["place", "words", "nothing at its place"],
)
async def test_a_folder_with_namesakes_of_others_of_the_file_is_another_set(read, form, names, images, caplog):
    """It has pictures of its own under the same names: what of them the file lacks is none of its images."""
    source = read(form, names, images)
    frames = await listed(source)
    gone = sum(one not in images for one in names)
    assert [frame.filename for frame in frames if "/" in frame.filename] == []
    assert (source.skipped, len(frames)) == (gone, len(names) - gone)
    assert any("is in another folder" in one for one in source.problems)
    assert (source.elsewhere, told(caplog)) == ({}, [])


@pytest.mark.parametrize("form", ["coco", "yolo", "ids"])
@pytest.mark.parametrize(
    ("names", "images", "elsewhere"),
    [
        (["a_1", "a_2", "b_1"], ["a_1", "a_2", "b/b_1"], {"b_1": "b/b_1"}),
        (["a_1", "a_2", "b_1", "b_2"], ["a_1", "a_2", "b/b_1", "b/b_2"], {"b_1": "b/b_1", "b_2": "b/b_2"}),
        (
            ["1", "2", "3", "4", "5"],
            ["train/2", "train/3", "val/4", "val/5", "extra/1"],
            {"1": "extra/1"},
        ),
        (["1", "3", "4"], ["train/3", "train/4", "val/1"], {"1": "val/1"}),
    ],
    ids=["one", "several", "alone", "two and one"],
)
async def test_what_may_be_another_picture_is_taken_and_told_once(read, form, names, images, elsewhere, caplog):
    """Nothing says whether it is another one. The log counts and names it, and a program can read which."""
    source = read(form, names, images)
    assert len(await listed(source)) == len(names)
    suffix = ".jpg" if form == "coco" else ""
    found = {f"{name}{suffix}": f"{file}.jpg" for name, file in elsewhere.items()}
    assert source.elsewhere == found
    (message,) = told(caplog)
    assert f": {len(found)} image" in message
    assert all(f"{name!r} as {file!r}" in message for name, file in found.items())
    assert message.endswith("where that is wrong, the file must name the folder")


async def test_a_pass_that_is_left_early_tells_too(read, caplog):
    """What was delivered by then is what matters."""
    source = read("coco", ["b_1", "a_1", "a_2"], ["a_1", "a_2", "b/b_1"])
    async with contextlib.aclosing(aiter(source)) as frames:
        async for frame in frames:
            assert frame.filename == "b/b_1.jpg"
            break
    (message,) = told(caplog)
    assert "'b_1.jpg' as 'b/b_1.jpg'" in message


@pytest.mark.parametrize("form", ["coco", "yolo", "ids"])
@pytest.mark.parametrize(
    "images",
    [
        ["1", "2", "3", "4"],
        ["day/1", "day/2", "day/3", "day/4"],
        ["train/1", "train/2", "val/3", "val/4"],
        ["set/train/1", "set/train/2", "set/val/3", "set/val/4"],
        ["cat/1", "dog/2", "cow/3", "hen/4"],
        ["1", "2", "3", "4", "old/1", "old/2", "old/3", "old/4"],
    ],
    ids=["flat", "deeper", "train and val", "far below", "a folder each", "a copy below"],
)
async def test_a_whole_set_is_read_without_a_word(read, form, images, caplog):
    """The tool wrote no folders, and each name has one file, or one at its place."""
    source = read(form, ["1", "2", "3", "4"], images)
    frames = await listed(source)
    if form == "ids" and "old/1" in images:  # an id has no place of its own
        assert source.skipped == 4
        return
    assert [frame.filename for frame in frames] == [f"{one}.jpg" for one in images[:4]]
    assert (source.skipped, source.elsewhere, told(caplog)) == (0, {}, [])


@pytest.mark.parametrize("form", ["coco", "yolo"])
async def test_an_image_of_the_number_in_another_folder_is_refused_where_others_are_flat(read, form):
    """Of two that are gone each is named."""
    source = read(form, ["1", "2", "3"], ["3", "c/1", "c/2"])
    assert [frame.filename for frame in await listed(source)] == ["3.jpg"]
    assert source.skipped == 2


@pytest.mark.parametrize("form", ["coco", "yolo"])
async def test_a_stray_file_at_the_top_changes_nothing_for_the_rest(read, form, caplog):
    """One name is found without its folder, while all others lie in theirs further down: it is told, and they are read."""
    names = [f"train/{number:04d}" for number in range(1, 9)]
    source = read(form, names, ["0001", *(f"images/{name}" for name in names[1:])])
    assert len(await listed(source)) == 8
    suffix = ".jpg" if form == "coco" else ""
    assert (source.skipped, source.elsewhere) == (0, {f"train/0001{suffix}": "0001.jpg"})
    assert len(told(caplog)) == 1


@pytest.mark.parametrize("form", ["coco", "yolo"])
async def test_images_without_the_folder_that_all_names_have_are_a_set(read, form):
    """Label files in `images/` or `labels/` of flat images, and names that begin with `images/`, are as good as bare ones."""
    names = [f"images/{number:04d}" for number in range(1, 9)]
    source = read(form, names, [*(name.removeprefix("images/") for name in names[2:]), "z/0001", "z/0002"])
    assert sorted(frame.filename for frame in await listed(source)) == [f"{n:04d}.jpg" for n in range(3, 9)]
    assert source.skipped == 2


@pytest.mark.parametrize("form", ["coco", "yolo"])
@pytest.mark.parametrize("below", ["", "day/"], ids=["flat", "deeper"])
async def test_names_that_differ_in_case_alone_make_no_other_set_of_their_folder(read, form, below):
    """They are two pictures of one folder, whose others are read, also where a further one is gone."""
    root = "/x/y/" if form == "coco" and not below else ""
    source = read(form, [f"{root}{one}" for one in ("A", "a", "c", "e", "gone")], [f"{below}{one}" for one in "Aace"])
    found = {frame.filename for frame in await listed(source)}
    assert {f"{below}c.jpg", f"{below}e.jpg"} <= found
    if form == "coco" and not below:
        assert found == {"A.jpg", "a.jpg", "c.jpg", "e.jpg"}
