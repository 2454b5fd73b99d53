"""What a line of a label file is refused for by itself, its columns, is said before any guess at the folder, and tells nothing of that."""

from __future__ import annotations

import random

import pytest

from picsellia_async.sources import SourceError, yolo_labels

from ..support.sources import frames_before, listed

pytestmark = pytest.mark.anyio

COUNT = 48


@pytest.fixture
def source(tmp_path, make_image):
    """Return what writes a label file for each text, each beside its image, and reads them all."""

    def made(texts, **options):
        for number, text in enumerate(texts):
            make_image(tmp_path / f"{number:03d}.png")
            (tmp_path / f"{number:03d}.txt").write_text(f"{text}\n")
        return yolo_labels(tmp_path, tmp_path, **options)

    return made


def boxes(count=COUNT):
    """Return left, top, right and lower edges, as shares, of boxes that lie anywhere."""
    draw = random.Random(5)
    return [
        (*(one / 1000 for one in (*sorted(draw.sample(range(1001), 2)), *sorted(draw.sample(range(1001), 2)))),)
        for _ in range(count)
    ]


def written(*numbers, label=0):
    return " ".join([str(label), *(f"{one:g}" for one in numbers)])


def corners(left, right, top, low, *, by=1, after=(0.9,)):
    """Return the four corners of an oriented box, as ultralytics writes them."""
    return written(*(by * one for one in (left, top, right, top, right, low, left, low)), *after)


def outline(left, right, top, low, *, by=1, after=(0.9,)):
    """Return an outline of five points."""
    points = (left, top, (left + right) / 2, low, right, top, right, low, left, low)
    return written(*(by * one for one in points), *after)


def triangle(left, right, top, low, *, by=1, after=()):
    return written(*(by * one for one in (left, top, right, top, left, low)), *after)


def centre(left, right, top, low):
    return (left + right) / 2, (top + low) / 2, right - left, low - top


def box(left, right, top, low, *, by=1, after=(0.9,)):
    return written(*(by * one for one in centre(left, right, top, low)), *after)


def edges(left, right, top, low, *, after=(0.9,)):
    """Return a box as x1, y1, x2, y2."""
    return written(left, top, right, low, *after)


def pose(left, right, top, low, *, by=1, seen=2, after=(0.9,)):
    """Return a box with 17 keypoints, left and right in turn, which are seen (1, 2 or a confidence)."""
    x, y, width, height = centre(left, right, top, low)
    points = [(x + (0.4 if n % 2 else -0.4) * width, y + (n / 17 - 0.5) * height) for n in range(17)]
    return written(
        *(by * one for one in (x, y, width, height)),
        *(v for px, py in points for v in (by * px, by * py, seen)),
        *after,
    )


NO_BOX = r"000\.txt: line 1: {} numbers after the class are no box, but "
FORMS = [
    ("detection", corners, {}, NO_BOX.format(9) + "an oriented box"),
    ("detection", corners, {"by": 640}, NO_BOX.format(9) + "an oriented box"),
    ("detection", corners, {"after": ()}, NO_BOX.format(8) + "an oriented box"),
    ("detection", outline, {}, NO_BOX.format(11) + "a polygon"),
    ("detection", outline, {"by": 640}, NO_BOX.format(11) + "a polygon"),
    ("detection", triangle, {}, "is neither a score, 0 to 1, nor the whole number of a track"),
    ("detection", pose, {}, NO_BOX.format(56) + "a polygon.*or a box with keypoints"),
    ("detection", pose, {"by": 640}, NO_BOX.format(56) + "a polygon.*or a box with keypoints"),
    ("segmentation", pose, {}, "a box with keypoints is no polygon"),
    ("segmentation", pose, {"after": ()}, "a box with keypoints is no polygon"),
    ("segmentation", pose, {"after": (0.9, 7)}, "a box with keypoints is no polygon"),
    ("segmentation", pose, {"by": 640}, "a box with keypoints is no polygon"),
    ("segmentation", pose, {"seen": 0.7}, "a box with keypoints is no polygon"),
    ("segmentation", box, {}, "5 numbers are a box"),
    ("segmentation", box, {"by": 640}, "5 numbers are a box"),
    ("segmentation", box, {"after": ()}, "4 numbers are a box"),
    ("segmentation", box, {"after": (0.9, 7)}, "6 numbers, the last of them a track's, are a box"),
    ("segmentation", box, {"after": (0.9, 7), "by": 640}, "6 numbers, the last of them a track's, are a box"),
]  # fmt: skip


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
@pytest.mark.parametrize("count", [2, COUNT])
@pytest.mark.parametrize(
    ("kind", "form", "options", "message"), FORMS, ids=[f"{k}-{f.__name__}-{o}" for k, f, o, _ in FORMS]
)
async def test_columns_of_another_kind_are_said_whatever_their_numbers_would_be_as_this_one(
    source, kind, form, options, message, count, on_bad
):
    """The same for a folder as for a file, in shares and in pixels, and with one class besides that nobody knows."""
    texts = [form(*one, **options) for one in boxes(count)]
    texts[-1] = "9" + texts[-1][1:]
    reading = source(texts, kind=kind, score=0.5, names=["one"], on_bad=on_bad)
    if on_bad == "raise":
        assert await frames_before(reading, message) == []
    else:
        assert (await listed(reading), reading.skipped) == ([], count)


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_lines_of_another_kind_hide_no_order_of_the_others(source, on_bad):
    """Half of the files are oriented boxes, the others x1, y1, x2, y2: the first is said, then the second, and nothing is sent."""
    texts = [(corners if number % 2 else edges)(*one) for number, one in enumerate(boxes())]
    message = (
        r"24 of 48 label files have lines of another form \(001\.txt: line 1: 9 numbers after the class are no box.*\); "
        "and of the others a box looks like x1, y1, x2, y2"
    )
    assert await frames_before(source(texts, on_bad=on_bad), message) == []


@pytest.mark.parametrize(
    "bad",
    ["0 0.5 0.5 0.2 0.2 0.9 # slip", "0 0,5 0.5 0.2 0.2 0.9", "person 0.9", "-1 0.5 0.5 0.2 0.2 0.9", "0 0.5 0.5 0.2"],
)
async def test_a_slip_of_form_is_said_before_what_the_others_tell(source, bad):
    """Both are in the one error."""
    reading = source([*(edges(*one) for one in boxes()), bad], on_bad="skip")
    message = r"1 of 49 label files have lines of another form \(048\.txt: line 1: .*\); and of the others a box looks like x1"
    assert await frames_before(reading, message) == []


async def test_the_form_is_worded_as_at_its_turn(source, tmp_path):
    """A last line that is cut off is no box of few numbers."""
    reading = source([edges(*one) for one in boxes()], on_bad="skip")
    (tmp_path / "000.txt").write_text(f"{edges(*boxes()[0])}\n0 0.5 0.5")
    message = r"000\.txt: line 2: the file is cut off.*\); and of the others a box looks like x1"
    assert await frames_before(reading, message) == []


async def test_a_triangle_in_pixels_is_no_box_with_a_track(source):
    """Its fifth number may be 0 to 1 and its last one whole; what begins with more than 1 is in pixels, and `detection` the wrong way on."""
    with pytest.raises(SourceError, match="pixels") as caught:
        await listed(source(["0 10 20 300 40 1 500"], kind="segmentation", score=0.5))
    assert "track" not in str(caught.value)
