"""What a prediction's fields take, and how it becomes plain lists of whole pixels, indexes, scores and texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import is_
from typing import Any, Final, SupportsFloat, SupportsIndex, TypeAlias

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.predictions._outlines import is_flat, whole_outline
from picsellia_async.predictions._shares import may_be_shares, points_way_out, refuse_shares
from picsellia_async.validation import is_scalar, real_number, sequence, text, texts, whole_number

Number: TypeAlias = SupportsFloat | SupportsIndex
"""A number of Python, numpy or torch."""
Numbers: TypeAlias = Iterable[Number]
"""Numbers in a list, a tuple, or an array of one dimension."""
Shapes: TypeAlias = Iterable[Numbers]
"""Boxes or points: a list of lists, or an array of two dimensions."""
Path: TypeAlias = Numbers | Shapes | Iterable[Shapes]
"""A polygon or line: `[[x, y], ...]`, flat `[x1, y1, x2, y2, ...]`, or an OpenCV contour `[[[x, y]], ...]`."""

SCORE_ROUNDING: Final = 2**-10
"""What arithmetic in half precision puts on top of 1 or below 0: the distance of 1 to the next float16."""

VISIBILITIES: Final = (0, 1, 2)
"""COCO's: not there, hidden, seen."""

_BOXES_WAY_OUT: Final = (
    "with x first, use DetectionPredictionFormat.from_xyxy(..., normalized=(width, height)), or from_xywh, from_cxcywh; as the "
    "constructor itself takes them (top, left, bottom, right), multiply by height, width, height, width"
)
_INTEGERS: Final = frozenset({int})
_FLOATS: Final = frozenset({float})
_NUMBERS: Final = frozenset({int, float})
_SEQUENCES: Final = frozenset({list, tuple})


def are(values: Any, kinds: frozenset[type]) -> bool:
    """Whether a list holds nothing but that very type: the usual case, for which no path needs to be spelled."""
    return type(values) is list and kinds.issuperset(map(type, values))


def listed(value: Any, name: str) -> list[Any]:
    """Return a list of shapes, with lists in place of iterators at any depth: shapes are looked at more than once.

    Raises:
        ConfigurationError: The value is no list.
    """
    found: list[Any] = _without_iterators(sequence(value, name))
    return found


def _without_iterators(value: Any) -> Any:
    if isinstance(value, Iterator):
        value = list(value)
    if type(value) not in _SEQUENCES or _NUMBERS.issuperset(map(type, value)):
        return value
    if _SEQUENCES.issuperset(map(type, value)) and _NUMBERS.issuperset(map(type, chain.from_iterable(value))):
        return value  # boxes, or pairs: the usual case
    found = [_without_iterators(one) for one in value]
    return value if all(map(is_, found, value)) else found


def classes(value: Numbers) -> list[int]:
    """Return class indexes."""
    if are(value, _INTEGERS):
        return list(value)  # type: ignore[arg-type] # `are` has looked at each
    return [_class(v, f"detection_classes[{i}]") for i, v in enumerate(sequence(value, "detection_classes"))]


def _class(value: Any, name: str) -> int:
    if isinstance(value, str) and not value.isdecimal():
        raise ConfigurationError(
            f"{name} must be an index into the label map, got the name {shown(value)}: constructors such as from_xyxy "
            "take names with label_map=await deployment.label_map()"
        )
    return whole_number(value, name)


def scores(value: Numbers) -> list[float]:
    """Return finite scores; what rounding has put above 1 or below 0 is 1 or 0."""
    # A sum is finite only where all of its terms are.
    if are(value, _FLOATS) and math.isfinite(sum(value)):  # type: ignore[arg-type]
        found: list[float] = list(value)  # type: ignore[arg-type]
    else:
        found = [real_number(v, f"detection_scores[{i}]") for i, v in enumerate(sequence(value, "detection_scores"))]
    if found and (max(found) > 1 or min(found) < 0):
        return [_without_rounding(v) for v in found]
    return found


def _without_rounding(score: float) -> float:
    if 1 < score <= 1 + SCORE_ROUNDING:
        return 1.0
    return 0.0 if -SCORE_ROUNDING <= score < 0 else score


def optional_texts(value: Iterable[str] | None) -> list[str] | None:
    """Return texts, or None."""
    return None if value is None else texts(value, "detection_texts")


def boxes(value: Shapes) -> list[list[int]]:
    """Return boxes of four whole pixels."""
    name = "detection_boxes"
    given = sequence(value, name)
    found, is_whole = _plain_boxes(given)
    if is_whole:
        return found  # no shares
    if not found:
        given = listed(given, name)
    found = found or [_pixels(v, name, i, 4, "top, left, bottom, right") for i, v in enumerate(given)]
    refuse_shares(found, given, name, _BOXES_WAY_OUT)
    return found


def _plain_boxes(given: list[Any]) -> tuple[list[list[int]], bool]:
    """Return boxes of Python's own numbers, rounded, and whether all were whole; no box for others, and for what is none.

    The usual case: no path needs to be spelled.
    """
    if _SEQUENCES.issuperset(map(type, given)):
        try:
            found = [[top, left, bottom, right] for top, left, bottom, right in given]
            if _INTEGERS.issuperset(map(type, chain.from_iterable(found))):
                return found, True
            if _NUMBERS.issuperset(map(type, chain.from_iterable(found))):
                return [[*map(round, box)] for box in found], False
        except (ValueError, OverflowError):  # another count than four; NaN; infinity
            pass
    return [], False


def optional_boxes(value: Shapes | None) -> list[list[int]] | None:
    """Return boxes, or None."""
    return None if value is None else boxes(value)


def polygons(value: Iterable[Path]) -> list[list[list[int]]]:
    """Return polygons of whole pixels."""
    name = "detection_masks"
    way_out = points_way_out("use SegmentationPredictionFormat.from_polygons(..., normalized=(width, height))")
    given = [sequence(one, f"{name}[{i}]") for i, one in enumerate(listed(value, name))]
    return [
        one
        if len(one) < 3 or not is_flat(one)
        else whole_outline([(real_number(x, name), real_number(y, name)) for x, y in pairs(given[i], name)])
        for i, one in enumerate(_paths(given, name, way_out))
    ]


def lines(value: Iterable[Path]) -> list[list[list[int]]]:
    """Return lines of whole pixels."""
    return _paths(
        listed(value, "lines"),
        "lines",
        points_way_out("use LinePredictionFormat.from_lines(..., normalized=(width, height))"),
    )


def points(value: Shapes) -> list[list[int]]:
    """Return points of whole pixels."""
    given = listed(value, "points")
    found = [_pixels(v, "points", i, 2, "x, y") for i, v in enumerate(given)]
    refuse_shares(
        found, given, "points", points_way_out("use PointPredictionFormat.from_points(..., normalized=(width, height))")
    )
    return found


def keypoints(value: Iterable[Shapes]) -> list[list[list[int]]]:
    """Return skeletons of x, y in whole pixels and visibility."""
    name = "keypoints"
    given = [sequence(one, f"{name}[{i}]") for i, one in enumerate(listed(value, name))]
    found = [
        [_pixels(v, f"{name}[{i}]", j, 3, "x, y, visibility; pairs: KeypointPredictionFormat.from_keypoints")
         for j, v in enumerate(one)]
        for i, one in enumerate(given)
    ]  # fmt: skip
    for i, one in enumerate(found):
        for j, point in enumerate(one):
            third = sequence(given[i][j], name)[2]
            if third not in VISIBILITIES:
                raise ConfigurationError(
                    f"{name}[{i}][{j}] has {shown(third)} as its visibility, which is 0 (not there), 1 (hidden) or 2 (seen)"
                    f"{'' if point[2] not in VISIBILITIES else '. It looks like a confidence: KeypointPredictionFormat.from_keypoints'}"
                )
    if found and may_be_shares(_places(found[0], found[0])):
        refuse_shares(
            [_places(one, one) for one in found],
            [_places(one, whole) for one, whole in zip(given, found, strict=True)],
            name,
            points_way_out("use KeypointPredictionFormat.from_keypoints(..., normalized=(width, height))"),
        )
    return found


def _places(skeleton: list[Any], whole: list[list[int]]) -> list[list[Any]]:
    """Return x and y of the points that are there; `whole` says which are."""
    return [list(point)[:2] for point, (_, _, visibility) in zip(skeleton, whole, strict=True) if visibility]


def mask_strings(value: Iterable[str]) -> list[str]:
    """Return run-length texts."""
    given = sequence(value, "detection_masks")
    for i, one in enumerate(given):
        if not isinstance(one, str):
            raise ConfigurationError(
                f"detection_masks[{i}] must be a str, COCO's compressed counts, got {shown(one)}: MaskPredictionFormat.from_rle takes "
                "run lengths in any form, from_binary_masks arrays, from_polygons polygons"
            )
    return [text(v, f"detection_masks[{i}]", empty=True) for i, v in enumerate(given)]


def _pixels(value: Any, name: str, index: int, count: int, what: str) -> list[int]:
    """Return the `count` whole pixels of the entry `index` of a field."""
    if are(value, _INTEGERS) and len(value) == count:
        return list(value)
    name = f"{name}[{index}]"
    values = sequence(value, name)
    if len(values) != count:
        raise ConfigurationError(f"{name} must have {count} values ({what}), got {len(values)}: {shown(value)}")
    return [whole_number(v, f"{name}[{i}]", rounded=True) for i, v in enumerate(values)]


def _paths(given: list[Any], name: str, way_out: str) -> list[list[list[int]]]:
    found = [_path(v, f"{name}[{i}]") for i, v in enumerate(given)]
    refuse_shares(found, given, name, way_out)
    return found


def _path(value: Any, name: str) -> list[list[int]]:
    """Return `[[x, y], ...]` for such a list, for a flat `[x1, y1, ...]`, or for an OpenCV contour `[[[x, y]], ...]`."""
    return [_pixels(pair, name, i, 2, "x, y") for i, pair in enumerate(pairs(value, name))]


def pairs(value: Any, name: str) -> list[Any]:
    """Return the points of a path in any of its spellings, unchecked.

    Raises:
        ConfigurationError: No list, or a flat one of odd length.
    """
    values = sequence(value, name)
    if not values:
        return []
    if is_scalar(values[0]):
        if len(values) % 2:
            raise ConfigurationError(
                f"{name} is flat (x1, y1, x2, y2, ...) and must have an even length, got {len(values)}"
            )
        return [values[i : i + 2] for i in range(0, len(values), 2)]
    if len(values) == 1 and not is_scalar(values[0]):
        inner = sequence(values[0], f"{name}[0]")
        if len(inner) > len(("x", "y")) and len(inner) % 2 == 0 and is_scalar(inner[0]):
            return pairs(inner, name)  # a flat path in a row of its own, as OpenCV's HoughLinesP writes lines
    return [point[0] if _is_wrapped(point) else point for point in values]


def parts(value: Any) -> list[Any]:
    """Return the polygons of one shape: those of a list of polygons, flat as COCO has them or as pairs, else the one that it is."""
    values = sequence(value, "polygons")
    if values and not is_scalar(values[0]):
        first = sequence(values[0], "polygons")
        is_flat = len(first) > len(("x", "y")) and is_scalar(first[0])
        is_list_of_pairs = len(first) > 1 and not is_scalar(first[0])
        if is_flat or is_list_of_pairs or not first:
            return values
    return [values]


def _is_wrapped(point: Any) -> bool:
    return isinstance(point, (list, tuple)) and len(point) == 1 and not is_scalar(point[0])
