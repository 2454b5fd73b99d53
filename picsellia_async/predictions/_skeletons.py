"""From the keypoints that models give to COCO's skeletons: what third values mean, and which points were not found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeAlias, get_args

from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.predictions._geometry import Placement, numbers_of
from picsellia_async.predictions._shares import points_way_out
from picsellia_async.predictions._values import listed
from picsellia_async.validation import choice, is_scalar, real_number, sequence

VISIBLE: Final = 2
"""COCO's visibility of a keypoint that is seen."""
HIDDEN: Final = 1
"""COCO's visibility of a keypoint that is in the image, but covered."""
COCO_VISIBILITIES: Final = frozenset({0, HIDDEN, VISIBLE})
"""0: not there."""
VISIBLE_CONFIDENCE: Final = 0.5
"""Confidence from which a keypoint counts as seen."""

ThirdValues: TypeAlias = Literal["visibility", "confidence"]
"""What the third value of a keypoint is: COCO's visibility (0, 1 or 2), or a confidence of 0 to 1."""


def skeletons_from(
    keypoints: Iterable[Any], confidences: Any, third_values: ThirdValues | None, place: Placement
) -> list[list[list[float]]]:
    """Return `[x, y, visibility]` in pixels for each point of each skeleton.

    Raises:
        ConfigurationError: Not two or three finite numbers each, confidences of another count, or third values of 0 and 1 alone, of
            which nobody said what they are.
    """
    if third_values is not None:
        choice(third_values, "third_values", get_args(ThirdValues))
    given = [_points_of(one, f"keypoints[{i}]", third_values) for i, one in enumerate(listed(keypoints, "keypoints"))]
    rows = [
        [_point_row(one, f"keypoints[{i}][{j}]", is_all=confidences is None) for j, one in enumerate(skeleton)]
        for i, (skeleton, _) in enumerate(given)
    ]
    found: list[list[tuple[float, float, float]]]
    if confidences is not None:
        said = _per_point(confidences, "confidences", [len(one) for one in rows])
        found = [
            [
                (x, y, _seen(real_number(c, "confidences"), x, y) if x or y else 0)  # NaN beside what was not found
                for (x, y, _), c in zip(skeleton, ones, strict=True)
            ]
            for skeleton, ones in zip(rows, said, strict=True)
        ]
    else:
        is_said = third_values is not None or any(is_flat for _, is_flat in given)
        read = _read_third(rows, third_values, is_said=is_said)
        found = [
            [(x, y, _seen(1.0, x, y) if third is None else read(third, x, y)) for x, y, third in skeleton]
            for skeleton in rows
        ]
    placed = [_placed(skeleton, given[i][0], f"keypoints[{i}]", place) for i, skeleton in enumerate(found)]
    place.refuse_shares(
        "keypoints", points_way_out("use KeypointPredictionFormat.from_keypoints(..., normalized=(width, height))")
    )
    if place.joint_watch is not None:
        place.doubt = place.doubt or place.joint_watch.doubt
    return placed


def _read_third(
    rows: list[list[tuple[float, float, float | None]]], third_values: ThirdValues | None, *, is_said: bool
) -> Callable[[float, float, float], float]:
    """Return how third values (of a point at x, y) are read: as visibilities, or as confidences.

    Raises:
        ConfigurationError: They are 0 and 1 alone, which fits both, and nobody said what they are.
    """
    thirds = {third for skeleton in rows for _, _, third in skeleton if third is not None}
    if third_values == "confidence":
        return _seen
    if third_values == "visibility" and not thirds <= COCO_VISIBILITIES:
        raise ConfigurationError(
            f"third values of keypoints must be visibilities, 0, 1 or 2, got {max(thirds - COCO_VISIBILITIES):.4g}"
        )
    if not thirds <= COCO_VISIBILITIES:
        return _seen  # a fraction tells confidences
    if 1 in thirds and VISIBLE not in thirds and not is_said:
        raise ConfigurationError(
            "the third values of keypoints are 0 and 1 alone: sure confidences, or points that are all hidden. Say "
            'third_values="confidence" or third_values="visibility"'
        )
    return _as_said


def _as_said(visibility: float, _x: float, _y: float) -> float:
    return visibility


def with_visibilities(points: Any, visible: Any, confidences: Any) -> list[list[list[Any]]]:
    """Return x, y and COCO's visibility of points of which a result says whether they are visible.

    Args:
        points: Of each skeleton; those at 0, 0 were not found.
        visible: Of each skeleton, one truth value per point. It decides, since it is a filter that was set beside the confidences.
        confidences: Of each skeleton, one number per point, or None. What is not visible and has none above 0 is not there.

    Raises:
        ConfigurationError: Not one value per point, or no truth values.
    """
    skeletons = [sequence(one, f"xy[{i}]") for i, one in enumerate(sequence(points, "xy"))]
    counts = [len(one) for one in skeletons]
    flags = _per_point(visible, "visible", counts)
    for flag in (flag for ones in flags for flag in ones):
        if flag not in (0, 1):
            raise ConfigurationError(f"visible must be True or False per point, got {shown(flag)}")
    known = (
        [[1.0] * count for count in counts] if confidences is None else _per_point(confidences, "confidences", counts)
    )
    return [
        [
            [x, y, (VISIBLE if flag else HIDDEN if confidence > 0 else 0) if x or y else 0]
            for (x, y), flag, confidence in zip(skeleton, ones, sure, strict=True)
        ]
        for skeleton, ones, sure in zip(skeletons, flags, known, strict=True)
    ]


def _per_point(values: Any, name: str, counts: list[int]) -> list[list[Any]]:
    """Return the values of each point of each skeleton.

    Raises:
        ConfigurationError: They are not one per point.
    """
    found = [sequence(one, f"{name}[{i}]") for i, one in enumerate(sequence(values, name))]
    if [len(one) for one in found] != counts:
        raise ConfigurationError(f"{name} must have one number per point of each skeleton")
    return found


def _points_of(skeleton: Any, name: str, third_values: ThirdValues | None) -> tuple[list[Any], bool]:
    """Return the points of a skeleton, and whether they came in COCO's flat form, whose third values are visibilities.

    Raises:
        ConfigurationError: A flat list that is not x, y, visibility in turn: flat pairs of x, y would be read as other points.
    """
    values = sequence(skeleton, name)
    if not values or not is_scalar(values[0]):
        return values, False
    points = [values[i : i + 3] for i in range(0, len(values), 3)]
    if len(values) % 3 or not (
        third_values == "confidence" or {real_number(point[2], name) for point in points} <= COCO_VISIBILITIES
    ):
        raise ConfigurationError(
            f"{name} is flat, which is read as COCO's x, y, visibility (0, 1 or 2) in turn, and is not that: {shown(skeleton)}. "
            "Give a list of points, [[x, y], ...]"
        )
    return points, True


def _point_row(value: Any, name: str, *, is_all: bool) -> tuple[float, float, float | None]:
    """Return x, y and the third value; None where there is none. A point that was not found is 0, 0, 0.

    Args:
        value: The point.
        name: How messages call it.
        is_all: Whether no confidence is given beside the points.
    """
    values = sequence(value, name)
    if len(values) in {2, 3} and _is_not_found(values[0], values[1], is_all=is_all and len(values) == 2):
        return 0.0, 0.0, 0.0
    if len(values) == 2:
        x, y = numbers_of(values, name, 2, "x, y")
        return x, y, None
    x, y, third = numbers_of(values, name, 3, "x, y, visibility or confidence; or x, y")
    return x, y, third


def _is_not_found(x: Any, y: Any, *, is_all: bool) -> bool:
    """Whether a point is what tools write for none: NaN twice, -1 twice, or, where nothing but x and y is known, two numbers below 0."""
    if isinstance(x, str) or isinstance(y, str):
        return False
    try:
        x, y = float(x), float(y)
    except (TypeError, ValueError, OverflowError):
        return False  # told later, as what it is
    if is_all:
        return (x < 0 and y < 0) or (math.isnan(x) and math.isnan(y))
    return x == y == -1 or (math.isnan(x) and math.isnan(y))


def _seen(confidence: float, x: float, y: float) -> int:
    """Return the visibility of a point. One at exactly 0, 0 is "not there", whatever its confidence: ultralytics and others write it so."""
    if not 0 <= confidence <= 1:
        raise ImplausibleError(
            f"the third values of keypoints are neither COCO's visibility (0, 1, 2) nor confidences, got {confidence:.4g}"
        )
    if not confidence or not (x or y):
        return 0
    return VISIBLE if confidence >= VISIBLE_CONFIDENCE else HIDDEN


def _placed(skeleton: list[tuple[float, float, float]], given: Any, name: str, place: Placement) -> list[list[float]]:
    """Return the skeleton in pixels. A point that is not there has no place: models give (0, 0), which must not be moved or cut."""
    points = [point[:2] for point in skeleton if point[2]]
    raw = [sequence(one, name)[:2] for one, point in zip(given, skeleton, strict=True) if point[2]]
    there = iter(place.joints(points, name, given, raw))
    placed = [(next(there), point[2]) if point[2] else (None, 0) for point in skeleton]
    return [[0, 0, 0] if at is None else [round(at[0]), round(at[1]), third] for at, third in placed]
