"""What the lines of a YOLO label file can be, told by what tools write. Pure.

A line is a class, then the object, then optionally its confidence, then optionally the number of its track. The object is a box
of 4 numbers, a polygon of 6 or more, 4 corners of an oriented box, or a box with keypoints after it. Nothing in the file says which,
and a line alone often leaves it open, so that a file is judged as a whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import attrs

from picsellia_async.errors import shown
from picsellia_async.predictions._overhang import OVERHANG
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._shapes import Point, ShapeKind, polygon_from

BOX: Final = 4
_TRACKED: Final = BOX + 2
"""Numbers of a box with score and track."""
_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
_SLACK: Final = 0.1
"""Share of the image by which a detector's shape may overhang it; beyond, the numbers are pixels."""
_CUT_NUMBER: Final = re.compile(r"[0-9](?:\.|[eE][-+]?)\Z")
_PER_CENT: Final = 100
_SHARES: Final = "numbers are shares of the image's width and height, 0 to 1"


class LineFormError(SourceError):
    """What is written in a line is nothing of the kind that is read, whatever its numbers are: it tells nothing of other lines."""


@attrs.frozen
class Object:
    """One line, read."""

    line: int
    """Its place in the file, from 1."""
    label: int | str
    numbers: Sequence[float]
    """Box (centre and size) or polygon, in shares."""
    score: float | None


@attrs.frozen
class Line:
    """One line, of which is known what its columns are."""

    number: int
    """Place in the file, from 1."""
    label: int | str
    numbers: list[float]
    last: str
    """The last number as it is written: `1` may be a track, `1.0` is none."""


def objects(text: str, kind: ShapeKind, *, has_score: bool) -> list[Object]:
    """Return the objects of a label file.

    Args:
        text: The file.
        kind: Boxes or polygons.
        has_score: Whether the caller gave a score for lines without one, so that such lines may be.

    Raises:
        SourceError: A line is of another kind, or can be read in two ways; the message has its number.
    """
    _check_zero_bytes(text)
    lines = [_line(number, line.split()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        return []
    _check_cut(text, lines, kind)
    _check_repeated(text)
    for line in lines:
        _check_columns(line, kind)
    return (_boxes if kind == "detection" else _polygons)(lines, has_score=has_score)


def line_of(number: int, text: str, kind: ShapeKind) -> Line:
    """Return a line that may be one of the kind, as far as it tells alone.

    Raises:
        LineFormError: It is none.
    """
    line = _line(number, text.split())
    _check_columns(line, kind)
    return line


def _check_zero_bytes(text: str) -> None:
    """Refuse what a crash of the host or a bad disk leaves of a file.

    Raises:
        SourceError: There are zero bytes in it.
    """
    place = text.find("\0")
    if place >= 0:
        number = len(text[: place + 1].splitlines())
        raise SourceError(f"line {number}: zero bytes: the file is damaged, or was never wholly written")


def has_line_end(text: str) -> bool:
    """Return whether the last line of a text is ended, as by tools that write an end behind each line."""
    return text.endswith(("\n", "\r"))


def check_last_number(text: str) -> None:
    """Refuse a file that ends within a number, as no tool ends one: `0.` was to be `0.87`, and is no score of 0.

    Raises:
        SourceError: It does.
    """
    if text and not has_line_end(text) and _CUT_NUMBER.search(text):
        raise SourceError(
            f"line {len(text.splitlines())}: the file is cut off: it ends within a number, {shown(text.rsplit(maxsplit=1)[-1])}; write the file again"
        )


def _check_cut(text: str, lines: Sequence[Line], kind: ShapeKind) -> None:
    """Refuse a last line that lacks what all lines before it have, and its end: the writer was stopped within it.

    Raises:
        SourceError: It is one.
    """
    *before, last = lines
    if has_line_end(text) or not before:
        return
    count, fewest = len(last.numbers), min(len(line.numbers) for line in before)
    # Outlines have as many points as they need: an even count has no score, or no y.
    is_cut = count < fewest if kind == "detection" else all(len(one.numbers) % 2 for one in before) and count % 2 == 0
    if is_cut:
        raise SourceError(
            f"line {last.number}: the file is cut off: its last line has no end, and {count} numbers after the class, where each line "
            f"before it has {f'{fewest} or more' if kind == 'detection' else 'an odd number of them, the last its score'}"
        )


def _check_repeated(text: str) -> None:
    """Refuse a line that is there twice: no detector finds one object twice to the last digit.

    Raises:
        SourceError: There is one.
    """
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        first = seen.setdefault(line.strip(), number)
        if first != number and line.strip():
            raise SourceError(
                f"line {number} repeats line {first}: ultralytics appends a second run to label files that are there, and each object "
                "would count twice; predict into a new folder, or remove the line"
            )


def beyond_image(box: Sequence[float], by: float = OVERHANG) -> str:
    """Return how a box reaches beyond its image by more than a share; "" where it does not."""
    for name, centre, size_name, size in (
        ("x_center", box[0], "width", box[2]),
        ("y_center", box[1], "height", box[3]),
    ):
        first, last = centre - size / 2, centre + size / 2
        if first < -by or last > 1 + by:
            return f"{name} {centre:g} with {size_name} {size:g} is a box from {first:.4g} to {last:.4g} of the image's {size_name}"
    return ""


def _line(number: int, words: list[str]) -> Line:
    if words[0].startswith("#"):  # its numbers alone would be those of an object of the class "#"
        raise LineFormError(f"line {number}: {_no_numbers(words)}")
    try:
        numbers = [float(word) for word in words[1:]]
    except ValueError:
        raise LineFormError(f"line {number}: {_no_numbers(words)}") from None
    if not numbers:
        raise LineFormError(f"line {number}: {_no_numbers(words)}")
    if not all(map(math.isfinite, numbers)):
        raise LineFormError(f"line {number}: all numbers must be finite")
    return Line(number, _label(number, words[0]), numbers, words[-1])


def _no_numbers(words: list[str]) -> str:
    comment = next((word for word in words if word.startswith("#")), None)
    if comment is not None:
        return f"a comment, {shown(' '.join(words[words.index(comment) :]))}, which label files do not hold"
    if any(_DECIMAL_COMMA.fullmatch(word) for word in words[1:]):
        example = next(word for word in words[1:] if _DECIMAL_COMMA.fullmatch(word))
        return f"{example} has a decimal comma, and numbers must have a point"
    if words[0].startswith(("<", "{", "[")):
        form = (
            "XML, as CVAT and Pascal VOC write"
            if words[0].startswith("<")
            else "JSON, as COCO files are (`coco_results`, --coco)"
        )
        return f"it begins as {form}, and a label file has a class and numbers in each line"
    if "," in words[0]:
        return "numbers must be parted by spaces, not by commas"
    if len(words) >= 2 and words[0].replace(".", "", 1).isdecimal():
        return "a score and a name are the result of a classifier, which label files of boxes do not hold"
    return "a line is a class and numbers"


def _label(number: int, word: str) -> int | str:
    """Return the class; some tools write `1.0` or `1.000e+00`, a few the name."""
    try:
        value = float(word)
    except ValueError:
        return word
    if not value.is_integer() or value < 0:
        raise LineFormError(f"line {number}: a class must be a whole number from 0, got {word}")
    return int(value)


def _has_score(numbers: list[float]) -> bool:
    """Return whether the fifth number is a score. A 0 or 1 behind numbers that are no shares is a coordinate in pixels."""
    score = numbers[BOX]
    return 0 <= score <= 1 and (not score.is_integer() or all(0 <= number <= 1 for number in numbers[:BOX]))


def _check_columns(line: Line, kind: ShapeKind) -> None:
    """Refuse columns of another kind before their numbers are judged: those of an oriented box, read as a box, would be beyond its image.

    Raises:
        LineFormError: They are.
    """
    numbers, count = line.numbers, len(line.numbers)
    if kind == "segmentation":
        is_tracked = count == _TRACKED and _has_score(numbers) and numbers[-1] > 1 and numbers[-1].is_integer()
        if count <= BOX + 1 or is_tracked:
            track = ", the last of them a track's," if is_tracked else ""
            raise LineFormError(f'line {line.number}: {count} numbers{track} are a box, which kind="detection" reads')
        return
    if not BOX <= count <= _TRACKED:
        raise LineFormError(f"line {line.number}: {_no_box(count)}")
    if count == _TRACKED:
        _check_track(line, numbers[-1])
    elif count > BOX and numbers[BOX] > 1:
        _check_track(line, numbers[BOX])


def _boxes(lines: list[Line], *, has_score: bool) -> list[Object]:
    found = []
    is_track = _fifth_is_track(lines, has_score=has_score)
    for line in lines:
        box, extra = line.numbers[:BOX], line.numbers[BOX:]
        _check_shares(line, box)
        beyond = beyond_image(box)
        if beyond:
            raise SourceError(f"line {line.number}: {beyond}, which ends at 1")
        score = extra[0] if extra and not (len(extra) == 1 and is_track) else None
        if score is not None and not 0 <= score <= 1:
            raise SourceError(f"line {line.number}: a score must be 0 to 1, got {score:g}")
        found.append(Object(line.number, line.label, box, score))
    return found


def _fifth_is_track(lines: list[Line], *, has_score: bool) -> bool:
    """Return whether the number after the box is that of a track: ids go beyond 1, which no score does.

    Raises:
        SourceError: It may be either.
    """
    single = [line for line in lines if len(line.numbers) == BOX + 1]
    if any(line.numbers[BOX] > 1 for line in single):
        for line in sorted(single, key=lambda one: one.numbers[BOX] <= 1):  # the one that is no score first
            _check_track(line, line.numbers[BOX])
        _check_tracks_alone(single, has_score=has_score)
        return True
    if single and all(line.last == "1" for line in single):
        if has_score:
            return True
        raise SourceError(
            f"line {single[0].number}: the last number, 1, may be a score or a track; save with confidences, or give score="
        )
    return False


def _check_track(line: Line, value: float) -> None:
    if value < 0 or not value.is_integer():
        raise LineFormError(
            f"line {line.number}: {value!r} is neither a score, 0 to 1, nor the whole number of a track"
        )


def _check_tracks_alone(lines: list[Line], *, has_score: bool, has_pieces: bool = False) -> None:
    """Refuse numbers without a score beside them that may be scores in per cent: a score given for all would take their place unseen.

    Args:
        lines: Those that end with such a number.
        has_score: Whether the caller gave a score.
        has_pieces: Whether an object may be of several lines, which share its track.

    Raises:
        SourceError: Nobody gave one; or two of a class are the same, as no tracks are: trackers count each class on its own, or all as one.
    """
    if not lines or max(line.numbers[-1] for line in lines) > _PER_CENT:
        return
    if not has_score:
        raise SourceError(
            f"line {lines[0].number}: no score: the last number, {lines[0].last}, is one in per cent, which must be written as a share, "
            "0 to 1, or the number of a track; if all are tracks, give score="
        )
    seen: dict[tuple[int | str, float], int] = {}
    for line in () if has_pieces else lines:
        first = seen.setdefault((line.label, line.numbers[-1]), line.number)
        if first != line.number:
            raise SourceError(
                f"line {line.number}: the last number, {line.last}, is that of line {first} too, as no tracks of one class in one image "
                "are: it looks like a score in per cent, and must be written as a share, 0 to 1"
            )


def _no_box(count: int) -> str:
    if count < BOX:
        return f"a box is `class x y width height [score] [track]`, got {count} numbers after the class"
    if 8 <= count <= 10:
        what = 'an oriented box or a polygon, which kind="segmentation" reads as a polygon'
    else:
        what = 'a polygon, which kind="segmentation" reads, or a box with keypoints, which is not read'
    return f"{count} numbers after the class are no box, but {what}"


def _check_shares(line: Line, numbers: Sequence[float]) -> None:
    if len(numbers) == BOX and min(numbers[2:]) < 0:
        raise SourceError(f"line {line.number}: width and height must not be negative")
    if len(numbers) == BOX and min(numbers[2:]) == 0:
        raise SourceError(f"line {line.number}: a box without width or height is no object: {shown(list(numbers))}")
    if any(not -_SLACK <= one <= 1 + _SLACK for one in numbers):
        raise SourceError(f"line {line.number}: {_SHARES}, got {max(numbers, key=abs):g}: are these pixels?")


def _polygons(lines: list[Line], *, has_score: bool) -> list[Object]:
    has_tracks = _pairs_are_score_and_track(lines)
    if not has_tracks:
        alone = [
            line for line in lines if len(line.numbers) % 2 and line.numbers[-1] > 1 and line.numbers[-1].is_integer()
        ]
        _check_tracks_alone(alone, has_score=has_score, has_pieces=True)
    found = []
    for line in lines:
        numbers = list(line.numbers)
        score = None
        if has_tracks:
            _check_track(line, numbers.pop())
        elif len(numbers) % 2 and numbers[-1] > 1:
            _check_track(line, numbers.pop())  # a track alone, without a score
        if len(numbers) % 2:
            score = numbers.pop()
        if score is not None and not 0 <= score <= 1:
            raise SourceError(f"line {line.number}: a score must be 0 to 1, got {score:g}")
        try:
            polygon = polygon_from(numbers)
        except SourceError as error:
            raise SourceError(f"line {line.number}: {error}") from None
        if _is_pose(line.numbers, polygon):
            raise LineFormError(f"line {line.number}: a box with keypoints is no polygon, and is not read")
        _check_shares(line, numbers)
        found.append(Object(line.number, line.label, numbers, score))
    return found


def _pairs_are_score_and_track(lines: list[Line]) -> bool:
    """Return whether each line ends with a score and a track: an even count, whose last is a whole number that goes beyond 1."""
    return all(
        len(line.numbers) % 2 == 0
        and len(line.numbers) >= 8
        and line.numbers[-1].is_integer()
        and line.numbers[-1] >= 1
        and 0 <= line.numbers[-2] <= 1
        for line in lines
    ) and any(line.numbers[-1] > 1 for line in lines)


def _is_pose(numbers: Sequence[float], polygon: Sequence[Point]) -> bool:
    """Return whether a line is a box with keypoints: read so, its points lie in its box, and read as a polygon it crosses itself."""
    could_be = any(_points_in_box(numbers, size, extra) for size in (2, 3) for extra in (0, 1, 2))
    return could_be and _crosses_itself(polygon)


def _points_in_box(numbers: Sequence[float], size: int, extra: int) -> bool:
    rest = numbers[BOX : len(numbers) - extra]
    if not rest or len(rest) % size:
        return False
    x, y, width, height = numbers[:BOX]
    points = [rest[i : i + size] for i in range(0, len(rest), size)]
    if size == 3 and any(not 0 <= point[2] <= 2 for point in points):
        return False
    return all(
        (point[0] == 0 and point[1] == 0)  # not visible
        or (abs(point[0] - x) <= 0.6 * width and abs(point[1] - y) <= 0.6 * height)
        for point in points
    )


def _crosses_itself(polygon: Sequence[Point]) -> bool:
    """Return whether two edges that are no neighbours cross. A pose has few points; a long outline is not searched in full."""
    edges = list(pairwise((*polygon, polygon[0])))
    if len(edges) > _EDGES_MAX:
        return False
    return any(
        _cross(one, edges[j])
        for i, one in enumerate(edges)
        for j in range(i + 2, len(edges))
        if not (i == 0 and j == len(edges) - 1)
    )


_EDGES_MAX: Final = 220
"""Edges of a polygon that is searched: a pose of 133 keypoints, the largest in use, has 202 as a polygon."""


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    (a, b), (c, d) = one, other
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
