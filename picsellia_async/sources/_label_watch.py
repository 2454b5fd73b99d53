"""What all label files of a folder tell together: how their classes are numbered, and what the numbers of a line are. Pure.

Theory of operation. A line that reaches beyond its image, or has a class that nobody knows, may be a slip. Where the same is true of a good
part of the files, or every line fits another reading and some do not fit the documented one, the folder was written in another way, and
those of its lines that fit do so by chance: sent, they would be wrong unseen. Good folders have boxes that hang out at the left too, objects
that stand still for hours, and nothing but close-ups: left and top are told by many boxes at many places alone, on both sides of the
pictures. Of each file little is kept, since there may be a million.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from picsellia_async.predictions._overhang import OVERHANG
from picsellia_async.sources._beyond_watch import BEYOND_MIN, BeyondWatch
from picsellia_async.sources._errors import OnBad, SourceError
from picsellia_async.sources._shapes import ShapeKind
from picsellia_async.sources._yolo_lines import BOX, Line, LineFormError, beyond_image, line_of, objects

_BOXES_MIN: Final = 3
"""Boxes from which on it tells something that most of them reach beyond their image."""
_BOXES_FAR: Final = 8
"""So many corners have one that, read as documented, reaches far beyond its image: where none does, most are close-ups that overhang."""
_FILES_MIN: Final = 20
"""Files from which on it tells something that all lines fit another reading, and this many places of boxes that lie as in that one."""
_SKIPPED_MAX: Final = 2
"""Files that are bad items of their own where these are skipped: one slip or two."""
_OWN_SHARE: Final = 0.08
"""Share of itself by which a box reaches beyond its image that is no detector's close-up."""
_PLACES: Final = 20
"""Columns and rows that boxes are sorted into: an object that stands still is at one place."""
_ROUNDING: Final = 0.01
"""Share by which rounding, or a detector that does not cut, puts a box beyond its image."""
_ORIENTED: Final = range(8, 11)
"""Numbers of four points, perhaps with score and track."""
_ORIENTED_OVERHANG: Final = 0.5


@attrs.define
class _LeftTop:
    """Follows what boxes tell that are left, top, width, height: read as centre they hang out at the left and top, and never at the other sides.

    True centres may do so too, with all objects of a folder away from the other borders. So some have to reach there, read as left and
    top, by their last half: of centres as many would contradict, hanging out at the right or below.
    """

    hanging: BeyondWatch = attrs.field(factory=lambda: BeyondWatch(_FILES_MIN), init=False)
    """Files with a box that hangs out at the left or top, by a good part of itself."""
    _reaching: BeyondWatch = attrs.field(factory=lambda: BeyondWatch(_FILES_MIN), init=False)
    """Files with one that reaches to the right border or the lower one."""
    _hanging_at: set[tuple[int, ...]] = attrs.field(factory=set[tuple[int, ...]], init=False)
    _reaching_at: set[tuple[int, ...]] = attrs.field(factory=set[tuple[int, ...]], init=False)
    """Places of such boxes, as many as are asked for."""

    def see(self, boxes: Sequence[Sequence[float]]) -> None:
        """Take note of the boxes of a file, all of which fit as left, top, width, height."""
        hanging = reaching = ""
        for x, y, width, height in boxes:
            place = tuple(int(one * _PLACES) for one in (x, y, width, height))
            if any(side / 2 - at > max(_ROUNDING, side * _OWN_SHARE) for at, side in ((x, width), (y, height))):
                hanging = f"{x:g} {y:g} {width:g} {height:g}"
                _keep(self._hanging_at, place)
            # As wide as the strip in which a centre contradicts, whatever is let be for rounding. A side that hangs out reaches there by its size.
            if any(
                side / 2 <= at and at + side > 1 + 2 * _ROUNDING - side / 2 for at, side in ((x, width), (y, height))
            ):
                reaching = "reaches"
                _keep(self._reaching_at, place)
        self.hanging.see(hanging)
        self._reaching.see(reaching)

    @property
    def is_told(self) -> bool:
        """Whether the boxes are such, as far as they tell."""
        places = min(len(self._hanging_at), len(self._reaching_at))
        return self.hanging.is_whole and self._reaching.is_whole and places >= _FILES_MIN


def _keep(places: set[tuple[int, ...]], place: tuple[int, ...]) -> None:
    if len(places) < _FILES_MIN:
        places.add(place)


@attrs.define
class LabelWatch:
    """Follows the lines of all label files."""

    _kind: ShapeKind
    _why_unknown: Callable[[int], str]
    """Says why a class number is none; "" where nothing tells."""
    _on_bad: OnBad = "raise"
    """What becomes of bad items: where they are skipped, one or two need not refuse the others."""
    _unknown: BeyondWatch = attrs.field(init=False)
    """Files with a class that is none."""
    _classes: set[int] = attrs.field(factory=set[int], init=False)
    _readings: set[str] = attrs.field(factory=lambda: set(_READINGS), init=False)
    """Other readings that all lines so far fit."""
    _boxes: int = attrs.field(default=0, init=False)
    _boxes_beyond: int = attrs.field(default=0, init=False)
    """Those beyond their image by more than rounding, and a good part of themselves."""
    _example: str = attrs.field(default="", init=False)
    """The first line beyond its image by more than a detector's overhang."""
    _small_example: str = attrs.field(default="", init=False)
    """The first of `_boxes_beyond`."""
    _far: BeyondWatch = attrs.field(init=False)
    """Files with lines beyond by more than a detector's overhang."""
    _left_top: _LeftTop = attrs.field(factory=_LeftTop, init=False)
    _files: int = attrs.field(default=0, init=False)
    """Those that hold something."""
    _refused: int = attrs.field(default=0, init=False)
    """Files with a line that is none of the kind."""
    _refusal: str = attrs.field(default="", init=False)
    """The first of these, and what is said of it at its turn."""

    @_unknown.default
    def _(self) -> BeyondWatch:
        return BeyondWatch(1 if self._on_bad == "raise" else _SKIPPED_MAX + 1)

    @_far.default
    def _(self) -> BeyondWatch:
        return BeyondWatch(BEYOND_MIN if self._on_bad == "raise" else _SKIPPED_MAX + 1)

    def see(self, name: str, text: str) -> None:
        """Take note of a file; a line that is none of the kind is refused at its turn, and its class and numbers tell nothing."""
        lines, is_refused = [], False
        texts = [line.strip() for line in text.splitlines()]
        for number, line in enumerate(texts, start=1):
            try:
                if line:
                    lines.append(line_of(number, line, self._kind))
            except LineFormError:
                is_refused = True
        self._files += bool(lines or is_refused)
        if is_refused or (self._kind == "segmentation" and any(map(self._is_doubtful, lines))):
            error = _error_of(text, self._kind)
            if is_refused or isinstance(error, LineFormError):
                self._refused += 1
                self._refusal = self._refusal or f"{name}: {error}"
            # That an outline is a box with keypoints only its whole file tells.
            lines = [] if self._kind == "segmentation" and isinstance(error, LineFormError) else lines
        if lines:
            self._see_lines(name, lines, texts)

    def _is_doubtful(self, line: Line) -> bool:
        return _is_far_outline(line.numbers) or (isinstance(line.label, int) and bool(self._why_unknown(line.label)))

    def _see_lines(self, name: str, lines: Sequence[Line], texts: Sequence[str]) -> None:
        far = unknown = ""
        for line in lines:
            text = texts[line.number - 1]
            unknown = unknown or self._unknown_class(line.label, f"{name}: line {line.number}")
            is_far = self._see_box(line.numbers, text) if self._kind == "detection" else _is_far_outline(line.numbers)
            if is_far:
                far = far or f"{name}: line {line.number}, {text!r}"
                self._example = self._example or text
        self._unknown.see(unknown)
        self._far.see(far)
        if "left top" in self._readings:
            self._left_top.see([line.numbers[:BOX] for line in lines])

    def _unknown_class(self, label: int | str, place: str) -> str:
        if isinstance(label, str):  # a name, which is looked up
            return ""
        self._classes.add(label)
        why = self._why_unknown(label)
        return why and f"{place}: {why}"

    def _see_box(self, numbers: Sequence[float], line: str) -> bool:
        """Take note of a line's box; return whether it reaches far beyond its image."""
        self._readings = {one for one in self._readings if _READINGS[one](numbers)}
        box = numbers[:BOX]
        self._boxes += 1
        if not beyond_image(box, _ROUNDING):
            return False
        if _own_share_beyond(box) > _OWN_SHARE:
            self._boxes_beyond += 1
            self._small_example = self._small_example or line
        return bool(beyond_image(box))

    @property
    def verdict(self) -> str:
        """Why the folder as a whole is refused; "" where nothing tells."""
        guess = self._guess()
        if not guess or not self._refused:
            return guess
        return f"{self._refused} of {self._files} label files have lines of another form ({self._refusal}); and of the others {guess}"

    def _guess(self) -> str:
        """Return what the lines tell that are of the kind; "" is nothing."""
        if self._is_unknown_whole:
            return self._unknown.example
        other = self._other_reading() if self._kind == "detection" else ""
        if other:
            return other
        if self._far.is_whole:
            return (
                f"{self._far.told('label files')}: they may be in pixels, in another order or of other images, and those that fit would be at the wrong place; "
                "a line is class, x_center, y_center, width, height or the points x, y of an outline, in shares of the image"
            )
        return ""

    @property
    def _is_unknown_whole(self) -> bool:
        """Whether classes that are none tell of all: enough of them, or one where the numbers run from 1."""
        if self._on_bad == "raise" or not self._unknown.beyond:
            return self._unknown.beyond > 0
        last = max(self._classes)
        return self._unknown.is_whole or (0 not in self._classes and last == len(self._classes) > 1)

    def _other_reading(self) -> str:
        """Return how all lines fit, and some do not as documented; "" where nothing tells."""
        if "corners" in self._readings:
            is_small = _BOXES_MIN <= self._boxes < _BOXES_FAR and self._boxes_beyond * 2 > self._boxes
            example = self._example or (self._small_example if is_small else "")
            if example:
                return (
                    f"a box looks like x1, y1, x2, y2, and must be x_center, y_center, width, height: read so, {example!r} reaches "
                    "beyond its image, and every box fits when it is read as corners"
                )
        is_impossible = self._far.beyond >= min(_FILES_MIN, max(self._far.seen, self._far.fewest))
        if "score first" in self._readings and is_impossible:
            return _looks_like("class, score, x_center, y_center, width, height", self._example, self._far)
        if "left top" in self._readings and self._left_top.is_told:
            hanging = self._left_top.hanging
            return _looks_like("class, left, top, width, height", self._example or hanging.example, hanging)
        return ""


def _error_of(text: str, kind: ShapeKind) -> SourceError | None:
    try:
        objects(text, kind, has_score=True)
    except SourceError as error:
        return error
    return None


def _looks_like(words: str, example: str, beyond: BeyondWatch) -> str:
    return (
        f"a line looks like {words}, and must be class, x_center, y_center, width, height, score: read so, "
        f"{example!r} reaches beyond its image, as do boxes of {beyond.beyond} of "
        f"{beyond.seen} label files, and every line fits when it is read the other way"
    )


def _own_share_beyond(box: Sequence[float]) -> float:
    """Return the largest share of itself by which a box is beyond its image."""
    x, y, width, height = box
    sides = [(centre, side) for centre, side in ((x, width), (y, height)) if side > 0]
    return max((max(side / 2 - centre, centre + side / 2 - 1) / side for centre, side in sides), default=0)


def _are_corners(numbers: Sequence[float]) -> bool:
    x, y, right, low = numbers[:BOX]
    high = 1 + OVERHANG
    return -OVERHANG <= x <= right <= high and -OVERHANG <= y <= low <= high


def _is_left_top(numbers: Sequence[float]) -> bool:
    x, y, width, height = numbers[:BOX]
    high = 1 + _ROUNDING
    return min(x, y) >= -_ROUNDING and min(width, height) >= 0 and x + width <= high and y + height <= high


def _is_score_first(numbers: Sequence[float]) -> bool:
    return len(numbers) > BOX and 0 <= numbers[0] <= 1 and not beyond_image(numbers[1 : BOX + 1], _ROUNDING)


_READINGS: Final[Mapping[str, Callable[[Sequence[float]], bool]]] = {
    "corners": _are_corners, "left top": _is_left_top, "score first": _is_score_first,
}  # fmt: skip


def _is_far_outline(numbers: Sequence[float]) -> bool:
    """Return whether an outline reaches far beyond its image; its last numbers may be score and track."""
    points = numbers[: max(BOX, len(numbers) - 2)]
    # The corners of an oriented box lie far out where a good part of its object is cut by the border.
    by = _ORIENTED_OVERHANG if len(numbers) in _ORIENTED else OVERHANG
    return min(points) < -by or max(points) > 1 + by
