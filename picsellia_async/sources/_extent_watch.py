"""Whether all shapes of a source lie within the top left part of their pictures, as those in pixels of a smaller size do. Pure.

Theory of operation. Such shapes are beyond nothing, so that no single one tells. All of them together do: objects come to the right and
the lower border of pictures sooner or later. That is no proof, so it is told and not refused, and only where the pictures are many, and
the shapes are not those of one object: they begin at the left border, and lie in all columns and many fields of the part that they fill.
What ordinary sources have, one shape beyond that part, ends the watch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import attrs

from picsellia_async.predictions import DetectionPredictionFormat, PredictionFormat, SegmentationPredictionFormat

_PART_MAX: Final = 0.6
"""Share of width and of height within which all shapes lie: half, and what a network's input of another shape makes of it."""
_IMAGES_MIN: Final = 20
_SHAPES_MIN: Final = 100
"""At the end of a source."""
_IMAGES_ENOUGH: Final = 200
_SHAPES_ENOUGH: Final = 1000
"""Before the end."""
_BORDER: Final = 0.02
"""Share of that part within which one shape begins at the left border."""
_FIELDS: Final = 4
"""Columns, and rows, that the part is divided into."""
_FIELDS_MIN: Final = 8
_PLACES: Final = 50
"""Columns and rows of places, by which what stands still, as parked cars do, is told from what comes and goes."""
_PLACES_SHARE: Final = 0.25
"""Of the shapes, of a thousand at most, that lie at places of their own."""
_IMAGES_A_FIELD: Final = 2
"""So many fields have shapes of so many images: one object that moves comes through fewer."""


@attrs.define
class ExtentWatch:
    """Follows the shapes of one pass."""

    _is_over: bool = attrs.field(default=False, init=False)
    """Whether it is decided, one way or the other."""
    _images: int = attrs.field(default=0, init=False)
    """That have shapes."""
    _left: float = attrs.field(default=1.0, init=False)
    _right: float = attrs.field(default=0.0, init=False)
    _low: float = attrs.field(default=0.0, init=False)
    """How far the shapes reach, as shares of their pictures."""
    _centres: list[tuple[float, float, int]] = attrs.field(factory=list, init=False)
    """Of the shapes, as shares, with the number of the image."""

    def see(self, prediction: PredictionFormat, width: int, height: int) -> str:
        """Take note of the shapes on an image; return what is to be told, once, or ""."""
        if self._is_over:
            return ""
        boxes = _boxes(prediction)
        if not boxes:
            return ""
        self._images += 1
        for top, left, bottom, right in boxes:
            if right > _PART_MAX * width or bottom > _PART_MAX * height:
                self._end()
                return ""
            self._left = min(self._left, left / width)
            self._right, self._low = max(self._right, right / width), max(self._low, bottom / height)
            self._centres.append(((left + right) / 2 / width, (top + bottom) / 2 / height, self._images))
        if self._images < _IMAGES_ENOUGH or len(self._centres) < _SHAPES_ENOUGH:
            return ""
        return self.verdict()

    def verdict(self) -> str:
        """Return what is to be told at the end of the source, or ""."""
        count, images = len(self._centres), self._images
        text = ""
        if count >= _SHAPES_MIN and images >= _IMAGES_MIN and self._is_spread():
            text = (
                f"all {count} shapes of {images} images lie within the left {self._right:.0%} and the upper {self._low:.0%} of their pictures: "
                "they may be in pixels of a smaller size, as those of a network's input, and are sent as they are"
            )
        self._end()
        return text

    def _is_spread(self) -> bool:
        """Return whether the shapes lie all over the part that they fill."""
        if self._right <= 0.0 or self._low <= 0.0 or self._left > _BORDER * self._right:
            return False
        places = {(int(x / self._right * _PLACES), int(y / self._low * _PLACES)) for x, y, _ in self._centres}
        if len(places) < _PLACES_SHARE * min(len(self._centres), _SHAPES_ENOUGH):
            return False
        fields: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        for x, y, image in self._centres:
            fields[int(x / self._right * _FIELDS), int(y / self._low * _FIELDS)].add(image)
        filled = [field for field, seen in fields.items() if len(seen) >= _IMAGES_A_FIELD]
        return len(filled) >= _FIELDS_MIN and len({column for column, _ in filled}) == _FIELDS

    def _end(self) -> None:
        self._is_over = True
        self._centres.clear()


def _boxes(prediction: PredictionFormat) -> Sequence[tuple[float, float, float, float]]:
    """Return top, left, bottom and right of boxes or outlines; nothing of other formats."""
    if isinstance(prediction, DetectionPredictionFormat):
        return [(top, left, bottom, right) for top, left, bottom, right in prediction.detection_boxes]
    if not isinstance(prediction, SegmentationPredictionFormat):
        return []
    found = []
    for outline in filter(None, prediction.detection_masks):
        xs, ys = [point[0] for point in outline], [point[1] for point in outline]
        found.append((min(ys), min(xs), max(ys), max(xs)))
    return found
