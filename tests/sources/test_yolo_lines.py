"""What lines of label files are, told by what tools write: never read as shapes that nobody drew."""

from __future__ import annotations

import math

import pytest

from picsellia_async.sources import SourceError, yolo_labels

from ..support.sources import listed, turned

pytestmark = pytest.mark.anyio

BOX = "0 0.5 0.5 0.2 0.4"


@pytest.fixture
def read(tmp_path, make_image):
    """Return the prediction of one label file, beside an image of 100 x 50."""
    make_image(tmp_path / "a.jpg", 100, 50)

    async def prediction(content, **options):
        (tmp_path / "a.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
        (frame,) = await listed(yolo_labels(tmp_path, tmp_path, **options))
        return frame.prediction

    return prediction


@pytest.mark.parametrize(
    ("lines", "scores"),
    [
        (f"{BOX} 0.9", [0.9]),
        (f"{BOX} 0.9 7", [0.9]),
        (f"{BOX} 1 1", [1.0]),
        (f"{BOX} 1.0", [1.0]),
        (f"{BOX} 9.000000000000000000e-01", [0.9]),
        (f"{BOX} 1\n{BOX} 0.5", [1.0, 0.5]),
    ],
    ids=["score", "score and track", "both 1", "1.0", "savetxt", "1 among scores"],
)
async def test_scores_and_tracks_are_told_apart(read, lines, scores):
    """After the box comes the confidence, then the number of the track, which is not sent."""
    assert (await read(lines)).detection_scores == scores


@pytest.mark.parametrize("lines", [f"{BOX} 7", f"{BOX} 1\n{BOX} 2", BOX], ids=["track", "tracks", "none"])
async def test_tracks_without_scores_are_no_scores(read, lines):
    """A number above 1 makes the column one of tracks; such lines have no score, which the caller may give."""
    with pytest.raises(SourceError, match="no score"):
        await read(lines)
    assert set((await read(lines, score=0.6)).detection_scores) == {0.6}


async def test_a_score_in_per_cent_is_named(read):
    """It was taken for a track, and the advice to give a score for all threw it away."""
    with pytest.raises(
        SourceError, match=r"line 1: no score: the last number, 93, is one in per cent, .* or the number of a track"
    ):
        await read(f"{BOX} 93")
    polygon = "0 0.1 0.1 0.5 0.1 0.5 0.5"
    with pytest.raises(SourceError, match=r"line 1: no score: the last number, 93, is one in per cent"):
        await read(f"{polygon} 93", kind="segmentation")
    with pytest.raises(SourceError, match=r"line 3: the last number, 93, is that of line 1 too.*per cent"):
        await read(f"{BOX} 93\n1 {BOX[2:]} 88\n0 0.4 {BOX[6:]} 93", score=0.5)
    assert (await read(f"{BOX} 93\n1 {BOX[2:]} 88", score=0.5)).detection_scores == [0.5, 0.5]
    with pytest.raises(SourceError, match="no score, as in ground truth"):
        await read(f"{BOX} 193")


async def test_tracks_that_are_there_twice_are_no_per_cents(read):
    """Some trackers count each class on its own, and an object in two pieces has two polygons of one track."""
    boxes = f"{BOX} 7\n1 0.4 {BOX[6:]} 7\n1 0.3 {BOX[6:]} 8"
    assert (await read(boxes, score=0.5)).detection_scores == [0.5] * 3
    pieces = "0 0.1 0.1 0.5 0.1 0.5 0.5 7\n0 0.6 0.6 0.9 0.6 0.9 0.9 7"
    assert (await read(pieces, kind="segmentation", score=0.5)).detection_scores == [0.5] * 2
    with pytest.raises(SourceError, match=r"the last number, 7, is one in per cent, .* if all are tracks, give score="):
        await read(pieces, kind="segmentation")


async def test_a_bare_1_is_not_guessed(read):
    """It may be a certain score or the first track; the message says how to tell."""
    with pytest.raises(SourceError, match="may be a score or a track"):
        await read(f"{BOX} 1")
    assert (await read(f"{BOX} 1", score=0.6)).detection_scores == [0.6]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{BOX} 1.5", "neither a score"),
        (f"{BOX} 0.9 0.5", "neither a score"),
        (f"{BOX} -0.1", "score must be 0 to 1"),
        (f"{BOX} 93 7", "score must be 0 to 1"),
        ("0 50 25 20 20 0.9", "are these pixels"),
        ("0 0.5 0.5 -0.2 0.4 0.9", "must not be negative"),
        ("0,0.5,0.5,0.2,0.4", "not by commas"),
        ("0.93 person", "a classifier"),
        ("0 0,5 0,5 0,2 0,4 0,9", "0,5 has a decimal comma"),
        ("0 0.5 0.5 0.2 1,5e-01 0.9", "1,5e-01 has a decimal comma"),
        (f"{BOX} 0.9 # car", "a comment, '# car'"),
        ("# class x y width height", "a comment"),
        (f"#{BOX} 0.9", "a comment"),
        ("0 0.5 0.5 0.\0\0\0", "zero bytes: the file is damaged"),
        ("\0\0\0\0", "zero bytes: the file is damaged"),
        ("-1 0.5 0.5 0.2 0.4 0.9", "whole number from 0"),
        ("0.5 0.5 0.5 0.2 0.4 0.9", "whole number from 0"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2", "oriented box"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2 0.9", "oriented box"),
        ("0 " + " ".join(["0.5"] * 55), "keypoints"),
        ("person 0.5 0.5 0.2 0.4 0.9", "is a name"),
    ],
)
async def test_what_is_no_box_is_refused(read, line, message):
    """Named with its line."""
    with pytest.raises(SourceError, match=rf"line 2: .*{message}"):
        await read(f"{BOX} 0.9\n{line}\n")


@pytest.mark.parametrize(
    "content",
    [
        f"{BOX} 0.9".replace("0 ", "0.0 ", 1).encode(),
        b"0.000000000000000000e+00 5.0e-01 5.0e-01 2.0e-01 4.0e-01 9.0e-01\n",
        f"{BOX} 0.9".encode("utf-8-sig"),
        f"{BOX} 0.9".encode("utf-16"),
        f"\r\n{BOX}\t0.9 \r\n\r\n".encode(),
    ],
    ids=["1.0", "savetxt", "BOM", "UTF-16", "CRLF"],
)
async def test_numbers_are_read_as_tools_write_them(read, content):
    """Classes as floats, numpy's notation, byte order marks, line ends of Windows."""
    prediction = await read(content)
    assert (prediction.detection_classes, prediction.detection_boxes) == ([0], [[15, 40, 35, 60]])


async def test_a_file_of_zero_bytes_alone_is_damaged(read):
    """As a crash of the host leaves it; it does not say that nothing was found."""
    with pytest.raises(SourceError, match="line 1: zero bytes"):
        await read(bytes(64))


# Polygons.


@pytest.mark.parametrize(
    ("lines", "scores"),
    [
        ("0 0.1 0.1 0.5 0.1 0.5 0.5 0.8", [0.8]),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5 0.8 3\n0 0.1 0.1 0.5 0.1 0.5 0.5 0.7 1", [0.8, 0.7]),
    ],
    ids=["score", "score and track"],
)
async def test_polygons_have_scores_and_tracks_too(read, lines, scores):
    """The points are the same in each line."""
    prediction = await read(lines, kind="segmentation")
    assert prediction.detection_scores == scores
    assert prediction.detection_masks == [[[10, 5], [50, 5], [50, 25]]] * len(scores)


async def test_an_oriented_box_is_the_polygon_of_its_corners(read):
    """Four corners, a score."""
    prediction = await read("0 0.1 0.1 0.5 0.2 0.4 0.6 0 0.5 0.9", kind="segmentation")
    assert prediction.detection_masks == [[[10, 5], [50, 10], [40, 30], [0, 25]]]


def pose(points, *, visibility=True, after=" 0.9"):
    """Return a person of keypoints left and right of the middle, as trackers write them."""
    numbers = []
    for number in range(points):
        numbers += [0.5 + (-0.1 if number % 2 else 0.1), 0.3 + 0.4 * number / points]
        numbers += [0.95] if visibility else []
    return "0 0.5 0.5 0.3 0.6 " + " ".join(f"{one:g}" for one in numbers) + after


@pytest.mark.parametrize("after", ["", " 0.9", " 0.9 3"])
@pytest.mark.parametrize("visibility", [True, False])
@pytest.mark.parametrize("points", [5, 17])
async def test_a_pose_is_no_polygon(read, points, visibility, after):
    """With and without visibility, score and track."""
    with pytest.raises(SourceError):
        await read(pose(points, visibility=visibility, after=after), kind="segmentation", score=0.5)
    with pytest.raises(SourceError, match="are no box"):
        await read(pose(points, visibility=visibility, after=after), score=0.5)


@pytest.mark.parametrize("points", [6, 17, 27, 300])
async def test_an_outline_in_the_middle_is_a_polygon(read, points):
    """Also one that, read as box and keypoints, would have all of them in its box."""
    turn = 2 * math.pi / points
    outline = [(0.5 + 0.2 * math.cos(i * turn), 0.5 + 0.2 * math.sin(i * turn)) for i in range(points)]
    line = "0 " + " ".join(f"{x:.6f} {y:.6f}" for x, y in outline) + " 0.9"
    assert len((await read(line, kind="segmentation")).detection_masks[0]) == points


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 10 10 50 10 50 50 0.9", "are these pixels"),
        ("0 0.5 0.5 0.2 0.4 0.9", "are a box"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5", "no score"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5 7", "no score"),
        ("0 0.1 0.1 0.1 0.3 0.1 0.5 0.9", "without width or height"),
    ],
)
async def test_what_is_no_polygon_is_refused(read, line, message):
    """Pixels, boxes, ground truth, a line."""
    with pytest.raises(SourceError, match=message):
        await read(line, kind="segmentation")


async def test_shares_are_of_the_picture_as_shown(tmp_path):
    """A photo stored 400 x 300 with a quarter turn: the box 0.05 0.05 0.1 0.1 lies in 300 x 400."""
    (tmp_path / "a.jpg").write_bytes(turned(400, 300, 6))
    (tmp_path / "a.txt").write_text("0 0.05 0.05 0.1 0.1 0.9")
    (frame,) = await listed(yolo_labels(tmp_path, tmp_path))
    assert (frame.width, frame.height, frame.prediction.detection_boxes) == (300, 400, [[0, 0, 40, 30]])
    (frame,) = await listed(yolo_labels(tmp_path, tmp_path, orientation="stored"))
    assert (frame.width, frame.height, frame.prediction.detection_boxes) == (400, 300, [[0, 0, 30, 40]])
