"""Folders, manifests and result files as sources, with real images."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from contextlib import aclosing

import pytest

from picsellia_async import ConfigurationError
from picsellia_async.predictions import DetectionPredictionFormat, SegmentationPredictionFormat
from picsellia_async.sources import SourceError, coco_results, directory, manifest, yolo_labels
from picsellia_async.sources import _source as source_module
from picsellia_async.sources import directory as folder

pytestmark = pytest.mark.anyio

DETECTION = {"detection_classes": [1], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


async def listed(source):
    return [item async for item in source]


def write_lines(path, *lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


# directory


async def test_images_come_in_order_with_their_facts(tmp_path, make_image):
    """Names in order, subdirectories at their own; JPEG and PNG sizes from the header; other and hidden files stay out."""
    for name in ("b.jpg", "a/2.PNG", "a/1.jpeg", "c/deep/x.jpg", ".hidden.jpg", ".cache/y.jpg"):
        make_image(tmp_path / name, 65, 33)
    (tmp_path / "note.txt").write_text("no image")
    os.utime(tmp_path / "b.jpg", (0, 1_700_000_000))
    images = await listed(directory(tmp_path, source="belt"))
    assert [one.filename for one in images] == ["a/1.jpeg", "a/2.PNG", "b.jpg", "c/deep/x.jpg"]
    assert {(one.width, one.height, one.source) for one in images} == {(65, 33, "belt")}
    assert images[2].timestamp == 1_700_000_000
    assert images[2].image == tmp_path / "b.jpg"
    assert [one.filename for one in await listed(directory(tmp_path, "B*", recursive=False))] == ["b.jpg"]
    assert len(await listed(directory(tmp_path, hidden=True))) == 6


async def test_links_are_files_but_no_directories(tmp_path, make_image):
    """A link to a file is taken, a link to a directory (a loop, here) and a broken link are not."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert [one.filename for one in await listed(directory(tmp_path))] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00", b"\x89PNG\r\n\x1a\nxxxx", b"text", b"\xff\xd8\xff\xc4\x00\x00"],
)
async def test_a_broken_header_gives_no_size(tmp_path, content):
    """The image comes, its size is None, and a frame of it asks for the size."""
    (tmp_path / "a.jpg").write_bytes(content)
    (image,) = await listed(directory(tmp_path))
    assert (image.width, image.height) == (None, None)
    with pytest.raises(ConfigurationError, match=r"Frame\.width"):
        image.with_prediction(DetectionPredictionFormat([], [], []), latency=0.1)
    frame = image.with_prediction(DetectionPredictionFormat([], [], []), latency=0.1, width=3, height=4)
    assert (frame.width, frame.height, frame.filename) == (3, 4, "a.jpg")


async def test_segments_before_the_frame_are_passed_over(tmp_path, make_image):
    """A thumbnail in EXIF, itself a JPEG of another size, and fill bytes do not confuse the reader."""
    inner = make_image(tmp_path / "inner.jpg", 16, 8).read_bytes()
    whole = make_image(tmp_path / "a.jpg", 640, 360).read_bytes()
    exif = b"\xff\xff\xe1" + (len(inner) + 2).to_bytes(2) + inner
    (tmp_path / "a.jpg").write_bytes(whole[:2] + exif + whole[2:])
    (image,) = await listed(directory(tmp_path, "a.jpg"))
    assert (image.width, image.height) == (640, 360)


async def test_what_is_no_directory_is_refused(tmp_path, make_image):
    """One error for what the caller named: missing, or a file."""
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        await listed(directory(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="cannot be listed"):
        await listed(directory(make_image(tmp_path / "a.jpg")))
    for arguments in (("",), (3,), (tmp_path, ""), (tmp_path, [])):
        with pytest.raises(ConfigurationError):
            directory(*arguments)
    with pytest.raises(ConfigurationError, match="on_bad"):
        directory(tmp_path, on_bad="ignore")


async def test_a_directory_is_read_as_far_as_asked(tmp_path, make_image, monkeypatch):
    """Of ten thousand images, a reader that takes forty has no more than one batch beyond them opened, in threads only."""
    image = make_image(tmp_path / "0/0.jpg").read_bytes()
    for number in range(10_000):
        path = tmp_path / f"{number // 500}" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(image) if not number % 500 else os.link(
            tmp_path / f"{number // 500}/{number // 500 * 500}.jpg", path
        )
    opened = []
    facts = folder.file_facts

    def counted(path):
        opened.append(threading.current_thread())
        return facts(path)

    monkeypatch.setattr(folder, "file_facts", counted)
    count = 0
    async with aclosing(aiter(directory(tmp_path))) as images:
        async for _ in images:
            count += 1
            if count == 40:
                break
    assert 40 <= len(opened) <= 40 + source_module.BATCH_ITEMS
    assert threading.main_thread() not in opened


async def test_images_become_frames_that_are_delivered(tmp_path, make_image, deployment, emulator):
    """A directory, a model between, the uploader: the names on the platform tell the folders apart."""
    for name in ("a/1.jpg", "b/1.jpg"):
        make_image(tmp_path / name)

    async def frames():
        async for image in directory(tmp_path):
            yield image.with_prediction(DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.5]), latency=0.01)

    report = await deployment.monitor_many(frames())
    assert (report.accepted, report.is_complete) == (2, True)
    assets = await deployment.list_predicted_assets()
    assert sorted(asset.filename for asset in assets) == ["a/1.jpg", "b/1.jpg"]


async def test_a_source_does_not_run_ahead_of_its_reader(tmp_path, make_image):
    """A slow reader holds the file back: never more than one batch is read beyond what was taken."""
    pulled = 0

    def read(_):
        nonlocal pulled
        for number in range(500):
            pulled += 1
            yield number

    taken = 0
    async for _ in source_module.Source("numbers", read):
        taken += 1
        assert pulled - taken < source_module.BATCH_ITEMS
    assert taken == 500


async def test_a_cancelled_reader_closes_the_file():
    """The task does not wait for the thread; the thread closes what it reads."""
    entered, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def read(_):
        try:
            entered.set()
            go_on.wait(30)
            yield 1
        finally:
            closed.set()

    task = asyncio.create_task(listed(source_module.Source("slow", read)))
    await asyncio.to_thread(entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert await asyncio.to_thread(closed.wait, 30)


# manifest


async def test_a_manifest_gives_frames(tmp_path, make_image):
    """Images relative to the manifest; sizes from the header; every other field of a frame is taken over."""
    make_image(tmp_path / "images/a.jpg", 80, 60)
    path = write_lines(
        tmp_path / "m.jsonl",
        "\ufeff" + json.dumps({"image": "images/a.jpg", "prediction": DETECTION}),
        "",
        {
            "image": "images/a.jpg", "filename": "other.jpg", "width": 5, "height": 6, "latency": 0.25, "source": "cam-9",
            "tags": ["x"], "timestamp": "2026-01-02T03:04:05+00:00", "metadata": {"k": 1}, "sample": True,
            "prediction": {"type": "OBJECT_DETECTION", **DETECTION}, "id": "0e0f6b5e-6f0b-4a55-9d57-1d1f0c6f1a11",
        },
    )  # fmt: skip
    os.utime(path, (0, 1_600_000_000))
    first, second = await listed(manifest(path, source="belt", latency=0.5))
    assert (first.image, first.filename, first.width, first.height) == (
        tmp_path / "images/a.jpg",
        "images/a.jpg",
        80,
        60,
    )
    assert (first.source, first.latency, first.timestamp) == ("belt", 0.5, 1_600_000_000)
    assert first.prediction == DetectionPredictionFormat([1], [[1, 2, 30, 40]], [0.5])
    assert (second.filename, second.width, second.height, second.latency) == ("other.jpg", 5, 6, 0.25)
    assert (second.source, second.tags, second.metadata, second.sample) == ("cam-9", ["x"], {"k": 1}, True)
    assert second.timestamp == 1_767_323_045
    assert str(second.id).startswith("0e0f6b5e")


@pytest.mark.parametrize(
    ("prediction", "name"),
    [
        ({"detection_classes": [1], "detection_scores": [0.5]}, "Classification"),
        ({"detection_classes": [1], "detection_scores": [0.5], "detection_masks": [[[0, 0], [1, 1], [2, 0]]]}, "Segmentation"),
        ({"detection_classes": [1], "detection_scores": [0.5], "detection_masks": ["abc"]}, "Mask"),
        ({"type": "MASK", "detection_classes": [], "detection_scores": [], "detection_masks": []}, "Mask"),
        ({"detection_classes": [1], "detection_scores": [0.5], "lines": [[[0, 0], [1, 1]]]}, "Line"),
        ({"detection_classes": [1], "detection_scores": [0.5], "points": [[0, 0]]}, "Point"),
        ({"detection_classes": [1], "detection_scores": [0.5], "keypoints": [[[0, 0, 1]]]}, "Keypoint"),
    ],
)  # fmt: skip
async def test_the_fields_tell_the_format(tmp_path, make_image, prediction, name):
    """`type` is needed only where the fields leave it open."""
    make_image(tmp_path / "a.jpg")
    path = write_lines(tmp_path / "m.jsonl", {"image": "a.jpg", "prediction": prediction})
    (frame,) = await listed(manifest(path))
    assert type(frame.prediction).__name__ == f"{name}PredictionFormat"


GOOD = {"image": "a.jpg", "prediction": DETECTION}
BAD_LINES = [
    ("{", "no JSON"),
    ("[1]", "must be a JSON object"),
    ({"prediction": DETECTION}, "field 'image' is missing"),
    ({"image": "a.jpg"}, "field 'prediction' is missing"),
    ({**GOOD, "colour": 1}, "unknown field 'colour'"),
    ({**GOOD, "image": "b.jpg"}, "there is no file"),
    ({**GOOD, "image": "b.jpg", "width": 1, "height": 1}, "there is no file"),
    ({**GOOD, "image": ["a.jpg"]}, "image must be a str or Path"),
    ({**GOOD, "image": "broken.jpg"}, "does not begin as a JPEG or PNG"),
    ({**GOOD, "latency": "fast"}, "Frame.latency"),
    ({**GOOD, "timestamp": "yesterday"}, "ISO 8601"),
    ({**GOOD, "prediction": [1]}, "prediction must be a JSON object"),
    ({**GOOD, "prediction": {**DETECTION, "type": "POLYGON"}}, "POLYGON"),
    ({**GOOD, "prediction": {**DETECTION, "lines": []}}, "has no field 'lines'"),
    ({**GOOD, "prediction": {"detection_boxes": []}}, "needs the field 'detection_classes'"),
    ({**GOOD, "prediction": {**DETECTION, "detection_scores": []}}, "detection_scores"),
]


@pytest.mark.parametrize(
    ("line", "message"), BAD_LINES, ids=[f"{n}-{message}" for n, (_, message) in enumerate(BAD_LINES)]
)
async def test_a_bad_line_is_named_or_skipped(tmp_path, make_image, line, message):
    """The error has file and line; skipping counts it, keeps what was wrong, and gives the lines around it."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    path = write_lines(tmp_path / "m.jsonl", GOOD, "", line, GOOD)
    seen = []
    with pytest.raises(SourceError, match="line 3: ") as caught:
        async for frame in manifest(path):
            seen.append(frame)
    assert message in str(caught.value)
    assert len(seen) == 1
    source = manifest(path, on_bad="skip")
    assert len(await listed(source)) == 2
    assert source.skipped == 1
    assert message in source.problems[0]


async def test_a_missing_manifest_is_a_configuration_error(tmp_path):
    """It is the FileNotFoundError, too, that everybody expects."""
    with pytest.raises(FileNotFoundError, match="manifest: there is no file"):
        await listed(manifest(tmp_path / "none.jsonl"))


async def test_a_manifest_is_read_line_by_line(tmp_path, make_image):
    """The end of a long file is not needed for its beginning."""
    make_image(tmp_path / "a.jpg")
    path = write_lines(tmp_path / "m.jsonl", *[GOOD] * 200, "broken")
    frames = aiter(manifest(path))
    async with aclosing(frames):
        assert (await anext(frames)).filename == "a.jpg"


# COCO


def coco_result(image_id, **fields):
    return {"image_id": image_id, "category_id": 3, "bbox": [10.4, 20.2, 30.3, 5.0], "score": 0.75, **fields}


async def test_coco_boxes_are_converted(tmp_path, make_image):
    """[x, y, width, height] becomes [top, left, bottom, right], rounded at the end; results are grouped by image."""
    make_image(tmp_path / "images/000000000139.jpg", 64, 48)
    make_image(tmp_path / "images/b.png", 20, 10)
    path = tmp_path / "r.json"
    path.write_text(json.dumps([coco_result(139), coco_result("b"), coco_result(139, category_id=1, score=1)]))
    first, second = await listed(coco_results(path, tmp_path / "images", categories={3: 0, 1: 7}, source="val"))
    assert first.prediction == DetectionPredictionFormat([0, 7], [[20, 10, 25, 41], [20, 10, 25, 41]], [0.75, 1.0])
    assert (first.filename, first.width, first.height, first.source) == ("000000000139.jpg", 64, 48, "val")
    assert (second.filename, second.width, second.height) == ("b.png", 20, 10)


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
    frames = await listed(coco_results(tmp_path / "r.json", tmp_path / "x", empty=True, on_bad="skip"))
    assert [(frame.filename, len(frame.prediction.detection_boxes)) for frame in frames] == [("one.jpg", 0)]


async def test_coco_polygons(tmp_path, make_image):
    """Each polygon of an object is a shape of its class and score."""
    make_image(tmp_path / "a.jpg")
    result = coco_result("a.jpg", segmentation=[[0, 0, 10.4, 0, 10, 10], [1, 1, 2, 1, 2, 2]])
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
    good = coco_result("b", category_id=1, segmentation=[[0, 0, 1, 0, 1, 1]])
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


# YOLO


async def test_yolo_boxes_are_converted(tmp_path, make_image):
    """Shares of width and height become pixels; a file with nothing in it is a frame without boxes."""
    make_image(tmp_path / "images/a.jpg", 200, 100)
    make_image(tmp_path / "images/s/b.png", 200, 100)
    make_image(tmp_path / "images/none.jpg", 200, 100)
    labels = tmp_path / "labels"
    (labels / "s").mkdir(parents=True)
    (labels / "a.txt").write_text("2 0.5 0.5 0.1 0.2 0.875\n0 0.1 0.1 0.1 0.1\n")
    (labels / "s/b.txt").write_text("")
    frames = await listed(yolo_labels(labels, tmp_path / "images", categories={2: 5, 0: 0}))
    assert [frame.filename for frame in frames] == ["a.jpg", "s/b.png"]
    assert frames[0].prediction == DetectionPredictionFormat([5, 0], [[40, 90, 60, 110], [5, 10, 15, 30]], [0.875, 1.0])
    assert frames[1].prediction.detection_boxes == []
    frames = await listed(yolo_labels(labels, tmp_path / "images", empty=True))
    assert [frame.filename for frame in frames] == ["a.jpg", "s/b.png", "none.jpg"]


async def test_yolo_polygons(tmp_path, make_image):
    """An odd number after the class is the score."""
    make_image(tmp_path / "a.jpg", 200, 100)
    (tmp_path / "a.txt").write_text("1 0 0 0.5 0 0.5 0.5 0.25\n1 0 0 0.5 0 0.5 0.5\n")
    (frame,) = await listed(yolo_labels(tmp_path, tmp_path, kind="segmentation"))
    triangle = [[0, 0], [100, 0], [100, 50]]
    assert frame.prediction == SegmentationPredictionFormat([1, 1], [0.25, 1.0], [triangle, triangle])


@pytest.mark.parametrize("line", ["x 0 0 1 1", "1 0 0 1", "1 0 0 1 nan", "1 0 0 1 1 1 1", "9 0 0 1 1"])
async def test_bad_label_files_are_named_or_skipped(tmp_path, make_image, line):
    """File and line are in the error; so is a label file whose image is not there."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text(f"1 0.5 0.5 1 1\n{line}\n")
    (tmp_path / "gone.txt").write_text("1 0.5 0.5 1 1\n")
    with pytest.raises(SourceError, match=r"a\.txt: line 2: "):
        await listed(yolo_labels(tmp_path, tmp_path, categories={1: 1}))
    source = yolo_labels(tmp_path, tmp_path, categories={1: 1}, on_bad="skip")
    assert await listed(source) == []
    assert source.skipped == 2
    assert "no image 'gone'" in source.problems[1]


def test_an_option_that_is_none_is_refused(tmp_path):
    """Wrong options show when the source is made."""
    for make in (coco_results, yolo_labels):
        with pytest.raises(ConfigurationError, match="kind"):
            make(tmp_path, tmp_path, kind="masks")


async def test_the_loop_runs_while_files_are_read(tmp_path):
    """A read that takes its time does not hold the loop: it ends because of something the loop does."""
    ready = threading.Event()

    def read(_):
        assert ready.wait(30)
        yield time.monotonic()

    asyncio.get_running_loop().call_soon(ready.set)
    assert len(await listed(source_module.Source("blocked", read))) == 1
