"""Shares of the image in place of pixels: told by what the coordinates of a whole prediction are, before they are rounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from picsellia_async.errors import ImplausibleError, shown
from picsellia_async.predictions._overhang import OVERHANG
from picsellia_async.validation import is_scalar

SHARE_MIN: Final = -1
SHARE_MAX: Final = 3
"""No share lies beyond these, however far its shape overhangs the image: the feet of a person whose head is in it, for instance."""
MANY: Final = 2
"""Boxes, single points, or stretches between points of other shapes, that do not all lie in the first pixels of an image."""
TINY: Final = 3
"""Pixels of a side of an image in which they may."""


@attrs.define
class ShareWatch:
    """Looks at the shapes of a prediction, one after the other, and tells whether they are shares of the image."""

    is_pixels: bool = False
    """Whether a coordinate was too large for any share, so that all are pixels."""
    has_fraction: bool = False
    """Whether a coordinate had a fraction."""
    has_whole: bool = False
    """Whether the coordinates of a shape were floats of 0 and 1, as shares of all of a side are."""
    is_beyond: bool = False
    """Whether a coordinate was beyond 0 to 1 by more than the overhang of a detector."""
    is_nothing: bool = False
    """Whether a box would have no width or no height in whole pixels, so that pixels cannot be meant."""
    places: int = 0
    """Boxes, single points, and stretches between points, so far."""
    first: Any = None
    """The first shape, for a message."""

    def look(self, numbers: Sequence[float], shape: Any, corners: Sequence[float] = ()) -> None:
        """Note what one shape tells.

        Args:
            numbers: Its coordinates as they were given.
            shape: What was given, for a message.
            corners: Of a box.
        """
        if self.is_pixels:
            return
        for number in numbers:
            if not SHARE_MIN <= number <= SHARE_MAX:
                self.is_pixels = True
                return
            self.has_fraction = self.has_fraction or not float(number).is_integer()
            self.is_beyond = self.is_beyond or not -OVERHANG <= number <= 1 + OVERHANG
        if corners:
            first, second, third, fourth = map(round, corners)
            self.is_nothing = self.is_nothing or first == third or second == fourth
        self.places += 1 if corners else max(1, len(numbers) // 2 - 1)
        if self.first is None:
            self.first = shape

    def look_whole(self, shape: Any) -> None:
        """Note whether a shape, as it was given, is floats of 0 and 1: shares of whole sides."""
        if not self.is_pixels and _are_whole_shares(shape):
            self.has_whole = True

    @property
    def are_shares(self) -> bool:
        """Whether all coordinates are about 0 to 1, and one has a fraction or a shape is a whole side.

        Some may be further out where one has a fraction and there are many, or a box were none as pixels.
        """
        is_told = self.is_nothing or self.places >= MANY
        return not self.is_pixels and (
            (self.has_fraction and is_told) or ((self.has_fraction or self.has_whole) and not self.is_beyond)
        )

    def refuse(self, name: str, way_out: str) -> None:
        """Refuse shares, before cutting and rounding make zeros and ones of them.

        Args:
            name: The field.
            way_out: What to do with shares.

        Raises:
            ImplausibleError: They are, as `are_shares` tells.
        """
        if self.are_shares:
            raise ImplausibleError(
                f"{name} are all about 0 to 1, {shown(self.first)} for instance, which looks like shares of the image and not "
                f"pixels: {way_out}. Where they are pixels, give integers (.round().astype(int) of an array, .round().int() of a tensor): these are taken as such"
            )


def refuse_shares(found: list[Any], given: list[Any], name: str, way_out: str, said: list[Any] | None = None) -> None:
    """Refuse the shapes of a field that are shares.

    Args:
        found: The shapes in whole pixels: `[x, y]`, `[[x, y], ...]`, or the four numbers of a box by its corners.
        given: The same as they were given, in any spelling.
        name: The field.
        way_out: What to do with shares.
        said: The shapes as messages show them, where that is not how they were given.

    Raises:
        ImplausibleError: They are, as `ShareWatch.refuse` tells.
    """
    if not found or not may_be_shares(found):
        return
    watch = ShareWatch()
    for whole, shape, words in zip(found, given, given if said is None else said, strict=True):
        watch.look([float(number) for number in _leaves(shape)], words, whole if _is_box(whole) else ())
        watch.look_whole(shape)
    watch.refuse(name, way_out)


def points_way_out(use: str) -> str:
    """Say what to do with points that are shares. The order is named: points of y, x given to a constructor are stored swapped."""
    return f"with x first, {use}; with y first (MoveNet; rows and columns of an array), swap each pair before"


def _is_box(shape: list[Any]) -> bool:
    """Whether whole pixels are the four numbers of a box, and no points."""
    return len(shape) > len(("x", "y")) and type(shape[0]) is int


def may_be_shares(values: list[Any]) -> bool:
    """Whether all whole pixels may be rounded shares; ends at the first that is not."""
    return all(may_be_shares(v) if type(v) is list else SHARE_MIN <= v <= SHARE_MAX for v in values)


def _are_whole_shares(shape: Any) -> bool:
    """Whether the coordinates of a shape are floats of 0 and 1, some 1: shares of whole sides. Integers are pixels."""
    numbers = list(_leaves(shape))
    return 1.0 in numbers and all(_is_float(number) and number in {0.0, 1.0} for number in numbers)


def _is_float(number: Any) -> bool:
    """Whether a number is a float of Python, numpy or torch."""
    return isinstance(number, float) or "float" in str(getattr(number, "dtype", ""))


def _leaves(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if getattr(getattr(value, "dtype", None), "names", None):  # a record of numpy: its fields are the numbers
            yield from _leaves(value.tolist())
        elif is_scalar(value):
            yield value
        else:
            yield from _leaves(value)
