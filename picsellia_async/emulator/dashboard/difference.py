"""Whether two models saw the same on one image. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from picsellia_async.emulator.domain.statistics import overlap

SAME_FROM: Final = 0.5
"""Overlap (intersection over union) from which two boxes of one class are the same."""
Names: TypeAlias = Callable[[Any], str]
"""Gives the name of a class index."""
_GEOMETRIES: Final = ("detection_masks", "lines", "points", "keypoints")


def differs(
    champion: Mapping[str, Any], shadow: Mapping[str, Any], names: Names = str, shadow_names: Names = str
) -> bool:
    """Say whether the shadow model saw other things: other classes, or another place. Scores do not count.

    Boxes are at the same place where they overlap by half or more; everything else has to be the same point by point. Without shapes
    it is the class with the best score that counts.

    Args:
        champion: A prediction in its wire form.
        shadow: The other one.
        names: Gives the name of a class index of the champion.
        shadow_names: The same of the shadow model, whose indices may mean other classes.
    """
    if "detection_boxes" in champion or "detection_boxes" in shadow:
        return _boxes_differ(
            _shapes(champion, "detection_boxes", names), _shapes(shadow, "detection_boxes", shadow_names)
        )
    for field in _GEOMETRIES:
        if field in champion or field in shadow:
            sides = (_shapes(champion, field, names), _shapes(shadow, field, shadow_names))
            one, other = (Counter((name, str(shape)) for name, shape in side) for side in sides)
            return one != other
    return _best(champion, names) != _best(shadow, shadow_names)


def _boxes_differ(champion: list[tuple[str, Any]], left: list[tuple[str, Any]]) -> bool:
    for name, box in champion:
        overlaps = [
            (_overlap(box, other), place) for place, (other_name, other) in enumerate(left) if other_name == name
        ]
        best, place = max(overlaps, default=(0.0, -1))
        if best < SAME_FROM:
            return True
        left.pop(place)
    return bool(left)


def _shapes(raw: Mapping[str, Any], field: str, names: Names) -> list[tuple[str, Any]]:
    pairs = zip(raw.get("detection_classes") or (), raw.get(field) or (), strict=False)
    return [(names(index), shape) for index, shape in pairs]


def _overlap(one: list[int], other: list[int]) -> float:
    if one == other:
        return 1.0  # boxes without an area as well
    top, left, bottom, right = other
    if top >= one[2] or bottom <= one[0] or left >= one[3] or right <= one[1]:
        return 0.0  # the usual case, in a tenth of the time
    return overlap(one, {"x": left, "y": top, "w": right - left, "h": bottom - top})


def _best(raw: Mapping[str, Any], names: Names) -> str | None:
    classes, scores = raw.get("detection_classes") or (), raw.get("detection_scores") or ()
    best = max(zip(scores, classes, strict=False), key=lambda pair: pair[0], default=None)
    return None if best is None else names(best[1])
