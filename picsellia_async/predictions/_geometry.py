"""From the coordinates that models give to pixels of the image: named orders of a box, shares, cutting to the image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import attrs

from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.predictions._joint_watch import JointWatch
from picsellia_async.predictions._overhang import lie_exchanged, overhang, overhang_exchanged
from picsellia_async.predictions._shares import SHARE_MAX, SHARE_MIN, TINY, ShareWatch
from picsellia_async.predictions._values import Number, Shapes, listed, pairs
from picsellia_async.predictions.orders import EXCHANGED_WORDS, ORDER_WORDS, ORDERS, Box, fit_exchanged, fitting
from picsellia_async.validation import real_number, sequence, whole_number

Size: TypeAlias = tuple[Number, Number]
"""Width and height in pixels. A numpy or torch shape is the other way round: height first."""
POINTS_MIN: Final = 3
"""A polygon of fewer encloses nothing."""
ROUNDING: Final = 1.0
"""Pixels by which rounding puts a shape beside the image."""
_PATH_HINT: Final = "Points are x, y: swap them where they are y, x, as rows and columns of an array are"
SHARE_OVERHANG: Final = 0.5
"""How far beyond 0 to 1 a share may lie: a detector's box overhangs the image by less."""
KEPT_MIN: Final = 0.5
"""Share of a shape, or of the points of a skeleton, that lies in the image where another part lies far beside it."""
SET_MIN: Final = 3
"""Shapes from which on it tells something that most of them reach far beyond the image."""
_CUT_BEFORE: Final = "A detector's overhang is less than a tenth of a side; cut shapes yourself where more is meant"


def checked_size(value: Any, name: str) -> tuple[int, int] | None:
    """Return width and height, or None for None.

    Raises:
        ConfigurationError: These are not two whole numbers of 1 or more.
    """
    if value is None:
        return None
    numbers = sequence(value, name)
    if len(numbers) != 2:
        raise ConfigurationError(f"{name} must be (width, height) of the image in pixels, got {shown(value)}")
    return whole_number(numbers[0], f"{name} width", 1), whole_number(numbers[1], f"{name} height", 1)


class PixelSize(tuple[int, int]):
    """Width and height to cut coordinates to that are pixels by what gives them: shares are told, and not refused."""

    __slots__ = ()


@attrs.define
class Placement:
    """Turns points into pixels of one image, and counts the shapes that it cut."""

    scale: tuple[int, int] | None
    """Size of the image whose shares the coordinates are; None: they are pixels."""
    bounds: tuple[int, int] | None
    """Size of the image that shapes are cut to; None: they are left as they are."""
    clipped: int = 0
    """Shapes cut so far."""
    placed: int = 0
    """Shapes placed so far, where the size of the image is known."""
    far: int = 0
    """Those of them that reached beyond the image by more than a tenth of a side."""
    far_shape: str = ""
    """The first of these, for a message."""
    is_right_swapped: bool = True
    """Whether all points given would lie in the image as y, x, or overhang it there as a detector's may."""
    shares: ShareWatch = attrs.field(factory=ShareWatch)
    """Looks for shares that nobody said are such."""
    are_pixels: bool = False
    """Whether what gives the coordinates says that they are pixels, so that shares are only told."""
    joint_watch: JointWatch | None = None
    """Looks for skeletons of y, x, where they are pixels of an image whose size is known."""
    doubt: str | None = None
    """What is placed and may be another than what was meant."""

    @classmethod
    def of(cls, normalized: Size | None, clip: Size | None) -> Placement:
        """Read what a constructor was given; shares tell the size of the image, too.

        Raises:
            ConfigurationError: A size is none, or the two differ.
        """
        scale, bounds = checked_size(normalized, "normalized"), checked_size(clip, "clip")
        if scale and bounds and scale != bounds:
            raise ConfigurationError(f"normalized={scale} and clip={bounds} are two sizes of one image")
        return cls(scale, bounds or scale, are_pixels=isinstance(clip, PixelSize))

    @property
    def _looks_for_shares(self) -> bool:
        return self.scale is None and (self.bounds is None or min(self.bounds) > TINY)

    def look(self, numbers: Sequence[float], shape: Any, corners: Sequence[float] = ()) -> None:
        """Note whether a shape can be shares, before it is moved. Parameters: `ShareWatch.look`."""
        if self._looks_for_shares:
            self.shares.look(numbers, shape, corners)

    def look_whole(self, shape: Any) -> None:
        """Note whether a shape, as it was given, is shares of whole sides."""
        if self._looks_for_shares:
            self.shares.look_whole(shape)

    def refuse_shares(self, name: str, way_out: str) -> None:
        """Refuse shares that nobody said are such, when all shapes are there; of what are pixels by their giver, note the doubt.

        Raises:
            ImplausibleError: They are, as `ShareWatch.are_shares` tells.
        """
        if not self.are_pixels:
            self.shares.refuse(name, way_out)
        elif self.shares.are_shares:
            self.doubt = (
                f"{name}, {shown(self.shares.first)}, lie in the first pixels of the image: they are sent as pixels, and look like "
                "shares of the image, 0 to 1 (those of ultralytics are xyxyn and xyn)"
            )

    def corners(self, box: Box, name: str, hint: str = _PATH_HINT) -> Box:
        """Return the box in pixels, cut to the image where its size is known; one of a pixel beside it becomes a line at its edge.

        Args:
            box: What was given.
            name: How messages call it.
            hint: What a box may be of which nothing lies in the image.

        Raises:
            ImplausibleError: Shares that are none, a box that had an area and of which none lies in the image, or one that reaches far
                beyond the image with more than half of itself beside it.
        """
        box = self._scaled(box, name)
        if self.bounds is None:
            return box
        self.placed += 1
        width, height = self.bounds
        x1, y1, x2, y2 = box
        if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
            return box
        over_x, over_y = overhang(width), overhang(height)
        cut = (
            min(max(x1, 0.0), width), min(max(y1, 0.0), height), max(min(x2, width), 0.0), max(min(y2, height), 0.0)
        )  # fmt: skip
        # What is thinner than rounding goes is let be at the edge. All else with an area would be stored as a line or a point.
        is_flattened = (x2 > x1 and y2 > y1) and (
            (cut[2] <= cut[0] and x2 - x1 > ROUNDING) or (cut[3] <= cut[1] and y2 - y1 > ROUNDING)
        )
        if is_flattened or x1 > width + over_x or y1 > height + over_y or x2 < -over_x or y2 < -over_y:
            raise ImplausibleError(
                f"{name} lies wholly beside the image of {width} x {height}: {_numbers(box)} (x1, y1, x2, y2). "
                f"Leave it out, or give the size of the image that the model saw. Another order? {hint}"
            )
        if x1 < -over_x or y1 < -over_y or x2 > width + over_x or y2 > height + over_y:
            self._note_far(box, cut, name, hint)
        self.clipped += 1
        return cut

    def _note_far(self, box: Box, cut: Box, name: str, hint: str) -> None:
        """Count a shape that reaches far beyond the image.

        Raises:
            ImplausibleError: More than half of it lies beside the image.
        """
        x1, y1, x2, y2 = box
        width = (cut[2] - cut[0]) / (x2 - x1) if x2 > x1 else 1.0
        height = (cut[3] - cut[1]) / (y2 - y1) if y2 > y1 else 1.0
        self.far += 1
        self.far_shape = self.far_shape or f"{name} is {_numbers(box)} (x1, y1, x2, y2)"
        if width * height < KEPT_MIN:
            raise ImplausibleError(
                f"{name} lies mostly beside the image of {self._bounds_shown()}: {_numbers(box)} (x1, y1, x2, y2). Another order, or "
                f"pixels of another image? {hint}. {_CUT_BEFORE}"
            )

    def _bounds_shown(self) -> str:
        return "" if self.bounds is None else f"{self.bounds[0]} x {self.bounds[1]}"

    def refuse_far(self, other: str) -> None:
        """Refuse shapes that reach far beyond the image and fit into it in another order, or that mostly do so, before cutting hides it.

        Args:
            other: The other order in which all of them lie in the image, with the way out; "": there is none.

        Raises:
            ImplausibleError: They are.
        """
        if not self.far:
            return
        if other:
            what = f"In another order all of them lie in the image: {other}"
        elif self.placed >= SET_MIN and self.far > self.placed * (1 - KEPT_MIN):
            what = f"So do {self.far} of {self.placed}: give the size of the image that the model saw"
        else:
            return
        raise ImplausibleError(
            f"{self.far_shape}, which reaches beyond the image of {self._bounds_shown()} by more than a tenth of a side. {what}. "
            f"{_CUT_BEFORE}"
        )

    def refuse_far_paths(self) -> None:
        """As `refuse_far`, of points."""
        self.refuse_far("points are x, y, and these look like y, x" if self.is_right_swapped else "")

    def joints(
        self, points: list[tuple[float, float]], name: str, given: Any, there: list[Any]
    ) -> list[tuple[float, float] | None]:
        """Return the points of a skeleton in pixels; None for one that is far beyond the image: a person may be cut by its border.

        Args:
            points: Those that are there.
            name: How messages call the skeleton.
            given: All of it, for a message.
            there: x and y of those that are there, as they were given.

        Raises:
            ImplausibleError: Shares that are none; no point lies in the image, or more than half of them lie far beside it.
        """
        self.look([number for point in points for number in point], given)
        self.look_whole(there)
        if self.scale is not None:
            points = self._scaled_joints(points, name)
        if self.bounds is None or not points:
            return list(points)
        width, height = self.bounds
        over_x, over_y = overhang(width), overhang(height)
        found: list[tuple[float, float] | None] = [
            (min(max(x, 0.0), width), min(max(y, 0.0), height))
            if -over_x <= x <= width + over_x and -over_y <= y <= height + over_y
            else None
            for x, y in points
        ]
        beside = sum(
            not (-ROUNDING <= x <= width + ROUNDING and -ROUNDING <= y <= height + ROUNDING) for x, y in points
        )
        if beside == len(points) or found.count(None) > len(points) * (1 - KEPT_MIN):
            raise ImplausibleError(
                f"{name} lies {'wholly' if beside == len(points) else 'mostly'} beside the image of {width} x {height}: "
                f"{shown(points)}. Leave it out, or give the size of the image that the model saw. {_PATH_HINT}"
            )
        self.clipped += found != points
        if self.scale is None:
            self.joint_watch = self.joint_watch or JointWatch(self.bounds)
            self.joint_watch.look(points, beside)
        return found

    def path(self, values: Any, name: str, *, is_area: bool = False) -> list[tuple[float, float]]:
        """Return the points of one shape in pixels, each moved to the image's edge where it lies beyond.

        Raises:
            ConfigurationError: No list of pairs, or a polygon (`is_area`) without width or height.
            ImplausibleError: Shares that are none, or a shape wholly beside the image.
        """
        points = [numbers_of(pair, f"{name}[{i}]", 2, "x, y") for i, pair in enumerate(pairs(values, name))]
        if not points:
            return []
        xs, ys = [x for x, _ in points], [y for _, y in points]
        self.look((*xs, *ys), values)
        self.look_whole(values)
        if is_area and len(points) >= POINTS_MIN and (min(xs) == max(xs) or min(ys) == max(ys)):
            raise ConfigurationError(
                f"{name} is a polygon without width or height, which is no object: {shown(points)}"
            )
        if self.scale is not None or self.bounds is not None:
            if self.bounds is not None and self.is_right_swapped:
                over = overhang_exchanged(self.bounds)
                self.is_right_swapped = self.scale is None and lie_exchanged(xs, ys, self.bounds, over)
            before = self.clipped
            self.corners((min(xs), min(ys), max(xs), max(ys)), name)  # refuses, and counts what is cut
            if self.scale is not None:
                xs, ys = [x * self.scale[0] for x in xs], [y * self.scale[1] for y in ys]
            if self.clipped > before and self.bounds is not None:
                width, height = self.bounds
                xs, ys = [min(max(x, 0.0), width) for x in xs], [min(max(y, 0.0), height) for y in ys]
        return list(zip(xs, ys, strict=True))

    def _scaled_joints(self, points: list[tuple[float, float]], name: str) -> list[tuple[float, float]]:
        """Return the points in pixels. Some may be far beyond the image, as those of a person are whom its border cuts."""
        far = [point for point in points if not _are_shares(point)]
        no_share = next((point for point in far if not all(SHARE_MIN <= number <= SHARE_MAX for number in point)), None)
        if no_share is not None or len(far) > len(points) * (1 - KEPT_MIN):
            first = no_share or far[0]
            self._scaled((*first, *first), name)  # says so
        width, height = self.scale or (1, 1)
        return [(x * width, y * height) for x, y in points]

    def _scaled(self, box: Box, name: str) -> Box:
        if self.scale is None:
            return box
        if not _are_shares(box):
            is_far = all(SHARE_MIN <= number <= SHARE_MAX for number in box)
            way_out = "cut it to 0 to 1 before, or leave it out" if is_far else "leave normalized= out for pixels"
            raise ImplausibleError(f"{name} has {_numbers(box)}, which are no shares of the image (0 to 1): {way_out}")
        width, height = self.scale
        return box[0] * width, box[1] * height, box[2] * width, box[3] * height


def boxes_from(values: Shapes, order: str, place: Placement) -> list[list[int]]:
    """Return `[top, left, bottom, right]` for each box of a named order.

    Raises:
        ConfigurationError: Not four finite numbers each.
        ImplausibleError: A side of 0 or below, shares in place of pixels, shares that are none, or a box wholly beside the image.
    """
    to_corners, words = ORDERS[order], ORDER_WORDS[order]
    found, rows, flat = [], [], ""
    for i, value in enumerate(listed(values, "boxes")):
        name = f"boxes[{i}]"
        numbers = numbers_of(value, name, 4, words)
        rows.append(numbers)
        box = to_corners(*numbers)
        place.look(numbers, value, box)
        place.look_whole(value)
        if box[2] < box[0] or box[3] < box[1]:
            raise ImplausibleError(
                f"{name} is {shown(value)}: read as {words} its {'width' if box[2] < box[0] else 'height'} is below 0. "
                f"{other_orders(order)}"
            )
        if not flat and (box[2] == box[0] or box[3] == box[1]):
            flat = (
                f"{name} is {shown(value)}: read as {words} it has no {'width' if box[2] == box[0] else 'height'}, and is no object. Leave "
                f"it out, with its class and score. Another order? {other_orders(order)}"
            )
        x1, y1, x2, y2 = place.corners(box, name, other_orders(order))
        # Rounded here: what was small and is a share of nothing any more must not be taken for one.
        try:
            found.append([round(y1), round(x1), round(y2), round(x2)])
        except OverflowError:
            raise ConfigurationError(f"{name} is {shown(value)}: its sides are no finite numbers") from None
    place.refuse_shares("boxes", f"use DetectionPredictionFormat.from_{order}(..., normalized=(width, height))")
    if flat:
        raise ImplausibleError(flat)
    if place.far:
        _refuse_other_orders(rows, order, place)
    return found


def _refuse_other_orders(rows: list[Box], order: str, place: Placement) -> None:
    """Refuse boxes of which one reaches far beyond the image, where all lie in it in another order.

    Of x first without any overhang, of y first with that of a detector. Where that one is the only one that was cut, y first is doubtful:
    it may be a tracker's box that leaves the image.

    Raises:
        ImplausibleError: They are.
    """
    size = (1, 1) if place.scale is not None or place.bounds is None else place.bounds
    found = [f"from_{name} takes {ORDER_WORDS[name]}" for name in fitting(rows, size) if name != order]
    has_y_first = fit_exchanged(rows, order, size)
    if has_y_first and (found or place.clipped > 1):
        found.append(EXCHANGED_WORDS[order])
    place.refuse_far(" or ".join(found))
    if has_y_first:
        place.doubt = (
            f"{place.far_shape}, which reaches beyond the image of {size[0]} x {size[1]} by more than a tenth of a side, and with y first "
            f"it would not ({EXCHANGED_WORDS[order]}). It was cut, which is right for an object that leaves the image"
        )


def other_orders(order: str) -> str:
    """Name the constructors for the other orders."""
    others = [f"from_{name} takes {words}" for name, words in ORDER_WORDS.items() if name != order]
    return "; ".join(others) + "; the constructor itself takes top, left, bottom, right"


def paths_from(
    values: Iterable[Any], field: str, place: Placement, *, is_area: bool = False
) -> list[list[tuple[float, float]]]:
    """Return `[(x, y), ...]` in pixels for each polygon or line. `shares.refuse` and `refuse_far_paths` follow when all are there."""
    return [place.path(value, f"{field}[{i}]", is_area=is_area) for i, value in enumerate(sequence(values, field))]


def whole_paths(paths: list[list[tuple[float, float]]]) -> list[list[list[int]]]:
    """Return paths in whole pixels, so that what is small is not taken for shares once more."""
    return [[[round(x), round(y)] for x, y in path] for path in paths]


def numbers_of(value: Any, name: str, count: int, words: str) -> Any:
    """Return a tuple of `count` floats."""
    values = sequence(value, name)
    if len(values) != count:
        raise ConfigurationError(f"{name} must have {count} values ({words}), got {len(values)}: {shown(value)}")
    if set(map(type, values)) <= {float} and all(map(math.isfinite, values)):
        return tuple(values)
    return tuple(real_number(v, f"{name}[{i}]") for i, v in enumerate(values))


def _are_shares(numbers: Iterable[float]) -> bool:
    return all(-SHARE_OVERHANG <= number <= 1 + SHARE_OVERHANG for number in numbers)


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
