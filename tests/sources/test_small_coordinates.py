"""Shapes that all lie within the top left part of their pictures are told once: they may be in pixels of a smaller size."""

from __future__ import annotations

import json
import random
import re

import pytest

from picsellia_async.predictions import DetectionPredictionFormat, PointPredictionFormat, SegmentationPredictionFormat
from picsellia_async.sources import coco_results, manifest, yolo_labels
from picsellia_async.sources._extent_watch import ExtentWatch

from ..support.sources import encoded, listed

WIDTH, HEIGHT = 640, 480
IMAGES, EACH = 40, 5

TOLD = r"all 200 shapes of 40 images lie within the left (49|50)% and the upper (49|50)% of their pictures"


def boxes_of(images=IMAGES, each=EACH, *, width=WIDTH, height=HEIGHT, lowest=0.0):
    """Return, for each image, boxes x, y, width and height in pixels that lie anywhere, or only below a share of the height."""
    draw = random.Random(8)
    found = []
    for _ in range(images):
        some = []
        for _ in range(each):
            left, right = sorted((draw.randrange(width), draw.randrange(1, width + 1)))
            top, low = sorted(
                (draw.randint(int(lowest * height), height - 1), draw.randint(int(lowest * height) + 1, height))
            )
            some.append([left, top, max(2, right - left), max(2, low - top)])
        found.append(some)
    found[0][0] = [0, int(lowest * height), width, height - int(lowest * height)]
    return found


def scaled(images, across=0.5, down=0.5):
    return [[[x * across, y * down, w * across, h * down] for x, y, w, h in some] for some in images]


@pytest.fixture
def read(tmp_path):
    """Return what reads boxes from a file of that form."""
    for number in range(IMAGES):
        (tmp_path / f"{number}.png").write_bytes(encoded(WIDTH, HEIGHT, suffix=".png"))

    def source(form, images):
        if form == "yolo":
            (tmp_path / "labels").mkdir()
            for number, some in enumerate(images):
                lines = [
                    f"0 {(x + w / 2) / WIDTH} {(y + h / 2) / HEIGHT} {w / WIDTH} {h / HEIGHT} 0.5"
                    for x, y, w, h in some
                ]
                (tmp_path / f"labels/{number}.txt").write_text("\n".join([*dict.fromkeys(lines), ""]))
            return yolo_labels(tmp_path / "labels", tmp_path)
        if form == "manifest":
            lines = [
                {"image": f"{number}.png", "prediction": {
                    "detection_classes": [0] * len(some), "detection_scores": [0.5] * len(some),
                    "detection_boxes": [[int(y), int(x), int(y + h) + 1, int(x + w) + 1] for x, y, w, h in some],
                }} for number, some in enumerate(images)
            ]  # fmt: skip
            (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
            return manifest(tmp_path / "m.jsonl")
        results = [
            {"image_id": number, "category_id": 0, "bbox": box, "score": 0.5 + place / 100}
            for number, some in enumerate(images) for place, box in enumerate(some)
        ]  # fmt: skip
        name = "coco_url" if form == "lvis" else "file_name"
        described = [
            {"id": number, name: f"http://x.example/a/{number}.png" if form == "lvis" else f"{number}.png"}
            for number in range(len(images))
        ]
        (tmp_path / "a.json").write_text(json.dumps({"images": described}))
        (tmp_path / "r.json").write_text(json.dumps(results))
        return coco_results(tmp_path / "r.json", tmp_path, annotations=tmp_path / "a.json")

    return source


def told(caplog):
    return [one.getMessage() for one in caplog.records if "pixels of a smaller size" in one.getMessage()]


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["coco", "lvis", "yolo", "manifest"])
async def test_boxes_of_pictures_of_half_the_size_are_told_once(read, form, caplog):
    """All are sent: it is no proof. The source says it, and the log."""
    source = read(form, scaled(boxes_of()))
    assert len(await listed(source)) == IMAGES
    (text,) = source.warnings
    (line,) = told(caplog)
    assert text in line
    assert re.match(TOLD, text), text


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["coco", "lvis", "yolo", "manifest"])
async def test_boxes_in_pixels_of_the_pictures_are_not(read, form, caplog):
    """Nor is anything else said of them."""
    source = read(form, boxes_of())
    assert len(await listed(source)) == IMAGES
    assert (source.warnings, told(caplog)) == ((), [])


@pytest.mark.anyio
async def test_it_is_told_where_the_reader_leaves_early(read, caplog):
    """What was read until then is enough."""
    source = read("coco", scaled(boxes_of()))
    async with source:
        count = 0
        async for _ in source:
            count += 1
            if count == IMAGES - 2:
                break
    assert len(told(caplog)) == 1


def verdict(images, width=WIDTH, height=HEIGHT):
    """Return what is told of boxes x, y, width and height, and after how many images."""
    watch = ExtentWatch()
    for number, some in enumerate(images, start=1):
        corners = [[round(y), round(x), round(y + h), round(x + w)] for x, y, w, h in some]
        text = watch.see(DetectionPredictionFormat([0] * len(some), corners, [0.5] * len(some)), width, height)
        if text:
            assert not watch.verdict()
            return text, number
    return watch.verdict(), len(images)


@pytest.mark.parametrize(
    ("across", "down", "lowest"),
    [(0.5, 0.5, 0.0), (0.33, 0.59, 0.0), (0.16, 0.16, 0.0), (0.5, 0.5, 0.4)],
    ids=["half", "stretched", "a photograph", "a road below the sky"],
)
def test_other_sizes_are_told_too(across, down, lowest):
    """Whatever the network's input is made of, and where in the pictures the objects are."""
    text, _ = verdict(scaled(boxes_of(lowest=lowest), across, down))
    assert "smaller size" in text


def test_a_large_source_is_told_long_before_its_end():
    """After 200 images with 1,000 shapes, so that it can be stopped."""
    text, number = verdict(scaled(boxes_of(2000)))
    assert "of 200 images" in text
    assert number == 200


def moving(images=400):
    """One object that crosses the top left quarter."""
    return [[[0.7 * n, 0.4 * n, 30, 30]] for n in range(images)]


ORDINARY = {
    "anywhere": boxes_of(),
    "a road below the sky": boxes_of(lowest=0.5),
    "one axis": scaled(boxes_of(), 0.5, 1.0),
    "the other axis": scaled(boxes_of(), 1.0, 0.5),
    "few images": scaled(boxes_of(19, 20)),
    "few shapes": scaled(boxes_of(45, 2)),
    "four fifths": scaled(boxes_of(), 0.8, 0.8),
    "one beyond": [*scaled(boxes_of()), [[400, 300, 100, 100]]],
    "a logo": [[[12, 10, 60, 30]]] * 400,
    "one object that moves": moving(),
    "a region that does not begin at the border": [
        [[x + 40, y + 30, w, h] for x, y, w, h in some] for some in scaled(boxes_of(), 0.4, 0.4)
    ],
    "a conveyor at the left": [[[x * 0.1, y * 0.5, w * 0.1, h * 0.5] for x, y, w, h in some] for some in moving()],
    "parked cars": [
        [[x + n % 3, y + n % 2, w, h] for x, y, w, h in some] for n, some in enumerate([scaled(boxes_of(1, 30))[0]] * 400)
    ],
    "nothing": [[]] * 400,
}  # fmt: skip


@pytest.mark.parametrize("images", ORDINARY.values(), ids=ORDINARY.keys())
def test_of_ordinary_sources_nothing_is_said(images):
    """Both axes, many images, and shapes all over the part that they fill are needed."""
    assert verdict(images)[0] == ""


def test_outlines_are_looked_at_and_points_are_not():
    """Points tell no size."""
    watch, points = ExtentWatch(), ExtentWatch()
    for some in scaled(boxes_of()):
        outlines = [[(x, y), (x + w, y), (x + w, y + h)] for x, y, w, h in some]
        watch.see(SegmentationPredictionFormat([0] * len(some), [0.5] * len(some), outlines), WIDTH, HEIGHT)
        points.see(
            PointPredictionFormat([0] * len(some), [0.5] * len(some), [(x, y) for x, y, _, _ in some]), WIDTH, HEIGHT
        )
    assert "smaller size" in watch.verdict()
    assert points.verdict() == ""


@pytest.mark.parametrize("odd", [[], [[-5, -5], [0, -5], [0, 5]]], ids=["empty", "left of the picture"])
def test_odd_outlines_end_no_source(odd):
    """What is judged elsewhere, as one shape of one image, is nothing that the watch could break at."""
    watch = ExtentWatch()
    prediction = SegmentationPredictionFormat(
        detection_classes=[0] * 5, detection_scores=[0.5] * 5, detection_masks=[odd] * 5
    )
    for _ in range(IMAGES):
        assert watch.see(prediction, WIDTH, HEIGHT) == ""
    assert watch.verdict() == ""
