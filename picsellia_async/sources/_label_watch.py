"""What all label files of a folder tell together: how their classes are numbered, and what the numbers of a line are. Pure.

Theory of operation. A line that reaches beyond its image, or has a class that nobody knows, may be a slip. Where the same is true of a good
part of the files, or every line fits another reading and some do not fit the documented one, the folder was written in another way, and
those of its lines that fit do so by chance: sent, they would be wrong unseen. Of each file little is kept, since there may be a million.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from picsellia_async.predictions._values import OVERHANG
from picsellia_async.sources._beyond_watch import BeyondWatch
from picsellia_async.sources._shapes import ShapeKind
from picsellia_async.sources._yolo_lines import BOX, beyond_image

_BOXES_MIN: Final = 3
"""Boxes from which on it tells something that most of them reach beyond their image."""
_FILES_MIN: Final = 3
"""Files whose boxes reach a little beyond their images, from which on it tells something that all fit otherwise."""
_ROUNDING: Final = 0.01
"""Share by which rounding, or a detector that does not cut, puts a box beyond its image."""
_TRACKED: Final = BOX + 2
"""Numbers of a box with score and track."""


@attrs.define
class LabelWatch:
    """Follows the lines of all label files."""

    _kind: ShapeKind
    _why_unknown: Callable[[int], str]
    """Says why a class number is none; "" where nothing tells."""
    _unknown: str = attrs.field(default="", init=False)
    """The first class that is none."""
    _readings: set[str] = attrs.field(factory=lambda: set(_READINGS), init=False)
    """Other readings that all lines so far fit."""
    _boxes: int = attrs.field(default=0, init=False)
    _boxes_beyond: int = attrs.field(default=0, init=False)
    _example: str = attrs.field(default="", init=False)
    """The first line beyond its image by more than a detector's overhang."""
    _small_example: str = attrs.field(default="", init=False)
    """The first one beyond by more than rounding."""
    _far: BeyondWatch = attrs.field(factory=BeyondWatch, init=False)
    """Files with such lines."""
    _slightly: BeyondWatch = attrs.field(factory=lambda: BeyondWatch(_FILES_MIN), init=False)

    def see(self, name: str, text: str) -> None:
        """Take note of a file; what is no line of numbers is passed over, since it is refused at its turn."""
        is_any = False
        far = slightly = ""
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.split()
            try:
                numbers = list(map(float, words[1:]))
            except ValueError:
                continue
            if not numbers:
                continue
            is_any = True
            self._see_class(words[0], f"{name}: line {number}")
            is_far, is_beyond = (
                self._see_box(numbers) if self._kind == "detection" else (_is_far_outline(numbers), False)
            )
            if is_far:
                far = far or f"{name}: line {number}, {line.strip()!r}"
                self._example = self._example or line.strip()
            if is_beyond:
                slightly = slightly or name
                self._small_example = self._small_example or line.strip()
        if is_any:
            self._far.see(far)
            self._slightly.see(slightly)

    def _see_class(self, word: str, place: str) -> None:
        if self._unknown:
            return
        try:
            label = float(word)
        except ValueError:  # a name, which is looked up
            return
        why = self._why_unknown(int(label)) if label.is_integer() and label >= 0 else ""
        self._unknown = why and f"{place}: {why}"

    def _see_box(self, numbers: Sequence[float]) -> tuple[bool, bool]:
        """Return whether a line's box reaches far beyond its image, and whether it does so by more than rounding."""
        if len(numbers) < BOX:
            return False, False
        self._readings = {one for one in self._readings if _READINGS[one](numbers)}
        is_beyond = bool(beyond_image(numbers[:BOX], _ROUNDING))
        self._boxes += 1
        self._boxes_beyond += is_beyond
        return is_beyond and bool(beyond_image(numbers[:BOX])), is_beyond

    @property
    def verdict(self) -> str:
        """Why the folder as a whole is refused; "" where nothing tells."""
        if self._unknown:
            return self._unknown
        other = self._other_reading() if self._kind == "detection" else ""
        if other:
            return other
        if self._far.is_whole:
            return (
                f"{self._far.told('label files')}: they may be in pixels, in another order or of other images, and those that fit would be at the wrong place; "
                "a line is class, x_center, y_center, width, height or the points x, y of an outline, in shares of the image"
            )
        return ""

    def _other_reading(self) -> str:
        """Return how all lines fit, and some do not as documented; "" where nothing tells."""
        if "corners" in self._readings:
            is_small = self._boxes >= _BOXES_MIN and self._boxes_beyond * 2 > self._boxes
            example = self._example or (self._small_example if is_small else "")
            if example:
                return (
                    f"a box looks like x1, y1, x2, y2, and must be x_center, y_center, width, height: read so, {example!r} reaches "
                    "beyond its image, and every box fits when it is read as corners"
                )
        for reading, words in _WORDS.items():
            if reading in self._readings and self._slightly.is_whole:
                return (
                    f"a line looks like {words}, and must be class, x_center, y_center, width, height, score: read so, "
                    f"{self._example or self._small_example!r} reaches beyond its image, as do boxes of {self._slightly.beyond} of "
                    f"{self._slightly.seen} label files, and every line fits when it is read the other way"
                )
        return ""


def _are_corners(numbers: Sequence[float]) -> bool:
    x, y, right, low = numbers[:BOX]
    high = 1 + OVERHANG
    return len(numbers) <= _TRACKED and -OVERHANG <= x <= right <= high and -OVERHANG <= y <= low <= high


def _is_left_top(numbers: Sequence[float]) -> bool:
    x, y, width, height = numbers[:BOX]
    high = 1 + _ROUNDING
    return len(numbers) <= _TRACKED and min(x, y) >= -_ROUNDING and x + width <= high and y + height <= high


def _is_score_first(numbers: Sequence[float]) -> bool:
    return BOX < len(numbers) <= _TRACKED and 0 <= numbers[0] <= 1 and not beyond_image(numbers[1 : BOX + 1], _ROUNDING)


_READINGS: Final[Mapping[str, Callable[[Sequence[float]], bool]]] = {
    "corners": _are_corners, "left top": _is_left_top, "score first": _is_score_first,
}  # fmt: skip
_WORDS: Final = {
    "score first": "class, score, x_center, y_center, width, height",
    "left top": "class, left, top, width, height",
}


def _is_far_outline(numbers: Sequence[float]) -> bool:
    """Return whether an outline reaches far beyond its image; its last numbers may be score and track."""
    points = numbers[: max(BOX, len(numbers) - 2)]
    return min(points) < -OVERHANG or max(points) > 1 + OVERHANG
