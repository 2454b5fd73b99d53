"""Label files of YOLO that together tell of another convention refuse their folder before the first frame, also where bad items are skipped."""

from __future__ import annotations

import random

import pytest

from picsellia_async.sources import yolo_labels

from ..support.sources import frames_before, listed

pytestmark = pytest.mark.anyio

NAMES = ["person", "bicycle", "car", "truck"]
COUNT = 100
"""More than the files whose ends are remembered."""


@pytest.fixture
def source(tmp_path, make_image):
    """Return what writes a label file for each text, each beside its image, and reads them all."""

    def made(texts, **options):
        (tmp_path / "l").mkdir()
        for number, text in enumerate(texts):
            make_image(tmp_path / f"i/{number:03d}.png")
            (tmp_path / f"l/{number:03d}.txt").write_text(f"{text}\n")
        return yolo_labels(tmp_path / "l", tmp_path / "i", **{"on_bad": "skip", **options})

    return made


def boxes(count=COUNT):
    """Return x_center, y_center, width and height of boxes that lie anywhere in their images."""
    draw, found = random.Random(3), []
    for _ in range(count):
        left, right = sorted(draw.sample(range(1001), 2))
        top, low = sorted(draw.sample(range(1001), 2))
        found.append(((left + right) / 2000, (top + low) / 2000, (right - left) / 1000, (low - top) / 1000))
    return found


def line(*numbers, label=0):
    return " ".join([str(label), *(f"{one:g}" for one in numbers)])


@pytest.mark.parametrize("options", [{"names": NAMES}, {"names": NAMES, "on_bad": "raise"}, {"categories": "indexes"}])
async def test_one_class_that_nobody_knows_refuses_the_folder(source, options):
    """Of the names, or of the label map: what happens to have a name has a wrong one. The message has file and line."""
    label_map = {name: index for index, name in enumerate(NAMES)}
    texts = [line(*box, 0.5, label=4 if number == COUNT - 1 else 1) for number, box in enumerate(boxes())]
    reading = source(texts, label_map=label_map, **options)
    assert await frames_before(reading, r"099\.txt: line 1: (category|class) 4 is no.*0 to 3") == []


async def test_classes_that_are_known_are_read(source):
    """Each of them, and with a mapping those that it says besides the names."""
    texts = [line(*box, 0.5, label=number % 5) for number, box in enumerate(boxes(10))]
    reading = source(texts, names=NAMES, categories={0: 3, 1: 2, 2: 1, 3: 0, 4: 4})
    assert {frame.prediction.detection_classes[0] for frame in await listed(reading)} == {0, 1, 2, 3, 4}


def score_first(x, y, width, height):
    return line(0.9, x, y, width, height)


def left_top(x, y, width, height):
    return line(x - width / 2, y - height / 2, width, height, 0.9)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (score_first, "looks like class, score, x_center, y_center, width, height"),
        (left_top, "looks like class, left, top, width, height"),
    ],
)
async def test_another_reading_that_all_lines_fit_refuses_the_folder(source, written, message):
    """Where some of them reach beyond their images as documented."""
    assert await frames_before(source([written(*box) for box in boxes()]), message) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [(score_first(0.5, 0.25, 0.2, 0.1), "class, score"), (left_top(0.15, 0.5, 0.2, 0.1), "class, left, top")],
)
@pytest.mark.parametrize(("files", "more", "is_whole"), [(3, 0, True), (2, 0, False), (3, 1, False)])
async def test_three_files_a_little_beyond_and_no_line_that_tells_otherwise(
    source, text, message, files, more, is_whole
):
    """Two may be a detector's that overhangs, and one line that fits as documented alone tells that the others do."""
    reading = source([text] * files + [line(0.95, 0.95, 0.1, 0.1, 0.9)] * more)
    if is_whole:
        assert await frames_before(reading, message) == []
    else:
        assert (len(await listed(reading)), reading.skipped) == (files + more, 0)


@pytest.mark.parametrize("kind", ["detection", "segmentation"])
@pytest.mark.parametrize(("good", "is_whole"), [(18, True), (19, False)])
async def test_a_tenth_of_the_files_beyond_their_images_refuses_the_folder(source, kind, good, is_whole):
    """Two of twenty do; two of twenty-one are bad items of their own."""
    if kind == "detection":
        right, wrong = line(0.9, 0.9, 0.1, 0.1, 0.9), line(0.9, 0.9, 0.5, 0.5, 0.9)
    else:
        right, wrong = line(0.1, 0.1, 0.5, 0.1, 0.5, 0.5, 0.9), line(0.1, 0.1, 1.5, 0.1, 0.5, 0.5, 0.9)
    texts = [f"{right}\n{line(0.8, 0.5, 0.1, 0.1, 0.8) if kind == 'detection' else ''}".strip()] * good + [wrong] * 2
    reading = source(texts, kind=kind)
    if is_whole:
        assert await frames_before(reading, "the shapes of 2 of 20 label files reach beyond their images") == []
    else:
        assert (len(await listed(reading)), reading.skipped) == (good, 2)


async def test_one_file_beyond_its_image_is_that_images(source):
    """However few there are."""
    reading = source([line(0.9, 0.9, 0.1, 0.1, 0.9), line(0.9, 0.9, 0.5, 0.5, 0.9)])
    assert (len(await listed(reading)), reading.skipped) == (1, 1)


async def test_boxes_in_pixels_refuse_the_folder(source):
    """Those of a few pixels would be read as shares."""
    texts = [line(0.5, 0.5, 0.5, 0.5, 0.9)] * 3 + [line(320, 240, 64, 48, 0.9)] * 5
    assert await frames_before(source(texts), "they may be in pixels") == []


async def test_what_a_tracker_writes_is_read(source):
    """Boxes that overhang at all borders, with score and track: no other reading fits, and nothing is said."""
    texts = [line(x, y, width, height, 0.9, 7) for x, y, width, height in boxes()]
    texts += [line(0.02, 0.5, 0.1, 0.1, 0.9, 8), line(0.98, 0.5, 0.1, 0.1, 0.9, 8)] * 10
    reading = source(texts)
    assert (len(await listed(reading)), reading.skipped, reading.warnings) == (COUNT + 20, 0, ())
