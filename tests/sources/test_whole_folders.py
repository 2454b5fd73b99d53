"""Label files of YOLO that together tell of another convention refuse their folder before the first frame, also where bad items are skipped."""

from __future__ import annotations

import random

import pytest

from picsellia_async.sources import yolo_labels
from picsellia_async.sources._label_watch import LabelWatch

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


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
@pytest.mark.parametrize("options", [{"names": NAMES}, {"categories": "indexes"}])
@pytest.mark.parametrize(("count", "wrong"), [(COUNT, 1), (COUNT, 9), (10, 2), (30, 3), (COUNT, 10)])
async def test_classes_that_nobody_knows_refuse_the_folder(source, options, on_bad, count, wrong):
    """Of the names, or of the label map: what happens to have a name has a wrong one.

    Where bad items are skipped, it takes three files and a tenth of all; fewer are bad items of their own, and none is sent.
    """
    label_map = {name: index for index, name in enumerate(NAMES)}
    texts = [line(*box, 0.5, label=4 if number >= count - wrong else 1) for number, box in enumerate(boxes(count))]
    reading = source(texts, label_map=label_map, on_bad=on_bad, **options)
    if on_bad == "raise" or (wrong >= 3 and wrong * 10 >= count):
        message = rf"{count - wrong:03d}\.txt: line 1: (category|class) 4 is no.*0 to 3"
        assert await frames_before(reading, message) == []
    else:
        assert {frame.prediction.detection_classes[0] for frame in await listed(reading)} == {1}
        assert reading.skipped == wrong


@pytest.mark.parametrize("options", [{"names": NAMES}, {"categories": "indexes"}])
@pytest.mark.parametrize("count", [4, 16, COUNT])
async def test_classes_that_run_from_1_refuse_the_folder(source, options, count):
    """Also where one file alone has the last of them, which is none: all others have a name, and a wrong one."""
    label_map = {name: index for index, name in enumerate(NAMES)}
    numbers = [4, *(1 + number % 3 for number in range(count - 1))]
    texts = [line(*box, 0.5, label=number) for number, box in zip(numbers, boxes(count), strict=True)]
    reading = source(texts, label_map=label_map, **options)
    assert await frames_before(reading, r"000\.txt: line 1: (category|class) 4 is no.*0 to 3") == []


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


@pytest.mark.parametrize(("files", "more", "is_whole"), [(20, 0, True), (19, 0, False), (20, 1, False)])
async def test_left_and_top_are_told_by_many_files_and_no_line_that_tells_otherwise(source, files, more, is_whole):
    """Of 20 files boxes hang out at the left, and boxes reach the right border; a line that fits as documented alone tells that all do."""
    texts = []
    for number in range(files):
        top, width = number * 0.045, 0.07 + number % 2 * 0.06
        texts.append(f"{line(0.005, top, width, 0.06, 0.9)}\n{line(0.99 - width, top, width, 0.06, 0.8)}")
    reading = source(texts + [line(0.95, 0.95, 0.1, 0.1, 0.9)] * more)
    if is_whole:
        assert await frames_before(reading, "class, left, top.*boxes of 20 of 20 label files") == []
    else:
        assert (len(await listed(reading)), reading.skipped) == (files + more, 0)


@pytest.mark.parametrize(
    ("files", "more", "is_whole"), [(3, 0, True), (2, 0, False), (20, 180, True), (19, 181, False)]
)
async def test_a_score_first_is_told_by_lines_that_are_impossible_as_documented(source, files, more, is_whole):
    """All of three files or more, or 20; every line fits with its score before the box."""
    wrong, fits = score_first(0.5, 0.5, 0.2, 0.3), score_first(0.5, 0.2, 0.2, 0.3)
    reading = source([wrong] * files + [fits] * more)
    if is_whole:
        message = f"class, score, x_center.*boxes of {files} of {files + more} label files"
        assert await frames_before(reading, message) == []
    else:
        assert (len(await listed(reading)), reading.skipped) == (more, files)


@pytest.mark.parametrize("count", [3, 30])
@pytest.mark.parametrize(
    "text",
    [
        "0 0.08 0.5 0.2 0.3 0.{0:03d}", "0 0.47 0.5 0.99 0.97 0.{0:03d}", "0 0.23 0.5 0.5 0.97 0.{0:03d}",
        "0 0.77 0.5 0.5 0.97 0.{0:03d}", "0 0.02 0.{0:03d} 0.08 0.08 0.9", "0 0.04 0.5 0.1 0.1 0.9\n0 0.86 0.5 0.1 0.1 0.9",
    ],
    ids=["left", "close-up", "half of the left", "half of the right", "moves", "stands still"],
)  # fmt: skip
async def test_boxes_that_hang_out_as_detectors_let_them_are_read(source, text, count):
    """The same in each file: close-ups, one object at the border, and what stands still for hours."""
    reading = source([text.format(500 + number) for number in range(count)])
    assert (len(await listed(reading)), reading.skipped) == (count, 0)


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "1e400", "-1e400"])
@pytest.mark.parametrize("place", range(6))
async def test_numbers_that_are_none_are_that_line_s(source, word, place):
    """Wherever they are in a line."""
    words = ["0", "0.5", "0.5", "0.2", "0.2", "0.9"]
    words[place] = word
    reading = source([" ".join(words)] + [line(0.5, 0.5, 0.2, 0.2, 0.9)] * 3)
    assert (len(await listed(reading)), reading.skipped) == (3, 1)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("low", "high"), [(0.02, 0.04), (0.03, 0.1), (0.1, 0.3), (0.3, 0.6)])
@pytest.mark.parametrize("by", ["share of the box", "share of the image"])
def test_simulated_boxes_that_hang_out_at_the_left_refuse_no_folder(seed, low, high, by):
    """A quarter of them or all, by up to half of the box or 1 to 3 % of the image, of 10 to 300 files."""
    draw = random.Random(seed)
    for files, part in ((10, 1), (30, 0.25), (30, 1), (300, 0.25), (300, 1)):
        watch = LabelWatch("detection", lambda number: "", "skip")
        for number in range(files):
            width, height = draw.uniform(low, high), draw.uniform(low, high)
            x, y = (draw.uniform(side / 2, 1 - side / 2) for side in (width, height))
            if draw.random() < part:
                share = min(0.099, draw.uniform(0, 0.5) * width)
                x = width / 2 - (share if by == "share of the box" else draw.uniform(0.01, 0.03))
            watch.see(f"{number}.txt", line(x, y, width, height, draw.uniform(0.05, 0.99)))
        assert watch.verdict == ""


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("files", [10, 100])
def test_simulated_close_ups_that_hang_out_refuse_no_folder(seed, files):
    """Each of one object that fills most of its picture, and is cut by its border."""
    draw, watch = random.Random(seed), LabelWatch("detection", lambda number: "", "skip")
    for number in range(files):
        width, height, by = draw.uniform(0.7, 0.99), draw.uniform(0.7, 0.99), draw.uniform(0.01, 0.099)
        watch.see(f"{number}.txt", line(width / 2 - by, draw.uniform(height / 2, 1 - height / 2), width, height, 0.9))
    assert watch.verdict == ""


@pytest.mark.parametrize("kind", ["detection", "segmentation"])
@pytest.mark.parametrize(
    ("on_bad", "good", "bad", "is_whole"),
    [("raise", 18, 2, True), ("skip", 18, 2, False), ("skip", 27, 3, True), ("skip", 28, 3, False)],
)
async def test_a_tenth_of_the_files_beyond_their_images_refuses_the_folder(source, kind, on_bad, good, bad, is_whole):
    """Two of twenty do, or three of thirty where bad items are skipped; fewer are bad items of their own."""
    if kind == "detection":
        right, wrong = line(0.9, 0.9, 0.1, 0.1, 0.9), line(0.9, 0.9, 0.5, 0.5, 0.9)
    else:
        right, wrong = line(0.1, 0.1, 0.5, 0.1, 0.5, 0.5, 0.9), line(0.1, 0.1, 1.5, 0.1, 0.5, 0.5, 0.9)
    texts = [f"{right}\n{line(0.8, 0.5, 0.1, 0.1, 0.8) if kind == 'detection' else ''}".strip()] * good + [wrong] * bad
    reading = source(texts, kind=kind, on_bad=on_bad)
    if is_whole:
        message = f"the shapes of {bad} of {good + bad} label files reach beyond their images"
        assert await frames_before(reading, message) == []
    else:
        assert (len(await listed(reading)), reading.skipped) == (good, bad)


async def test_oriented_boxes_whose_corners_are_beyond_are_bad_items_of_their_own(source):
    """As of objects that the border cuts: three of ten files, and the others are read. In pixels they refuse the folder."""
    good = line(0.1, 0.1, 0.2, 0.1, 0.2, 0.2, 0.1, 0.2, 0.9)
    wrong = line(-0.12, 0.5, 0.1, 0.4, 0.2, 0.6, 0.0, 0.7, 0.9)
    reading = source([wrong] * 3 + [good] * 7, kind="segmentation")
    assert (len(await listed(reading)), reading.skipped) == (7, 3)


async def test_oriented_boxes_in_pixels_refuse_the_folder(source):
    """However few of all they are, from a tenth on."""
    good = line(0.1, 0.1, 0.2, 0.1, 0.2, 0.2, 0.1, 0.2, 0.9)
    reading = source([line(10, 10, 20, 10, 20, 20, 10, 20, 0.9)] * 3 + [good] * 7, kind="segmentation")
    assert await frames_before(reading, "they may be in pixels") == []


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
