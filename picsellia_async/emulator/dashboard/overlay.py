"""A prediction as SVG over its image: boxes, polygons, masks, lines, points and skeletons, in the colours of their classes. Pure."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions import _run_length

SHAPES_MAX: Final = 300
"""Shapes drawn over one image; a page stays readable, and small."""
MASK_RUNS_MAX: Final = 20_000
"""Pieces of one mask that are drawn: each becomes a rectangle of one column."""
_LETTER_WIDTH: Final = 0.66
"""Of a bold letter, as a share of its height: by it a label is kept within the image."""
_GOLDEN_ANGLE: Final = 137.508
"""Degrees between the hues of two classes that follow one another: far apart, and never the same again."""


@attrs.frozen
class Shape:
    """One entry of a prediction."""

    class_index: int
    name: str
    """Of its class; the index where the label map lacks it."""
    score: float | None
    geometry: Any
    """As the wire has it; None: a class of the whole image."""
    text: str = ""
    """Recognised text."""
    is_line: bool = False
    """Whether points are the stops of an open line; otherwise they are the corners of a polygon."""

    @property
    def label(self) -> str:
        """Name and score, for a person."""
        score = "" if self.score is None else f" {self.score:.2f}"
        return f"{self.name}{score}{f' “{self.text}”' if self.text else ''}"

    @property
    def colour(self) -> str:
        """Colour of the class."""
        return f"hsl({self.class_index * _GOLDEN_ANGLE % 360:.0f} 90% 55%)"


_GEOMETRIES: Final = ("detection_boxes", "detection_masks", "lines", "points", "keypoints")


def shapes_of(raw: Mapping[str, Any], labels: Mapping[str, str]) -> list[Shape]:
    """Return the entries of a prediction in its wire form.

    Args:
        raw: What was sent; a lenient emulator may have taken lists of different lengths.
        labels: Name of each class index, whose key is its text.
    """
    field = next((name for name in _GEOMETRIES if raw.get(name)), "")
    columns = itertools.zip_longest(
        raw.get("detection_classes") or (), raw.get("detection_scores") or (), raw.get(field) or (), raw.get("detection_texts") or ()
    )  # fmt: skip
    return [
        Shape(index or 0, labels.get(str(index), f"class {index}"), score, geometry, text or "", field == "lines")
        for index, score, geometry, text in columns
    ]


def svg(shapes: Sequence[Shape], width: int, height: int, *, text_size: float, name: str = "") -> str:
    """Return the drawing over an image that the prediction says is `width` x `height`, stretched to the image's own box.

    Args:
        shapes: What is drawn, at most `SHAPES_MAX` of them.
        width: Pixels.
        height: Pixels.
        text_size: Height of the letters, as a share of the longer side.
        name: Makes each shape one that the keyboard reaches: it is `{name}-{index}`, as the row of its table. Empty: for the eye alone.
    """
    size = max(width, height) * text_size
    drawn = "".join(
        _shape(one, size, (width, height), f"{name}-{index}" if name else "")
        for index, one in enumerate(shapes[:SHAPES_MAX])
        if one.geometry is not None
    )
    role = 'role="group" aria-label="shapes"' if name else 'aria-hidden="true"'
    return f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" {role} font-size="{size:.1f}">{drawn}</svg>'


def _shape(shape: Shape, size: float, image: tuple[int, int], key: str) -> str:
    elements, anchor = _elements(shape, size, image[1])
    title = f"<title>{html.escape(shape.label)}</title>"
    words = ""
    if anchor is not None:
        x, y = min(anchor[0], image[0] - size * _LETTER_WIDTH * len(shape.label)), anchor[1]
        words = f'<text x="{max(x, 0):.1f}" y="{max(y - size * 0.25, size):.1f}">{html.escape(shape.label)}</text>'
    reached = f' data-shape="{key}" tabindex="0" role="img" aria-label="{html.escape(shape.label)}"' if key else ""
    # The colour is an attribute of SVG: the policy of the pages lets no style through that stands in the markup.
    return f'<g color="{shape.colour}"{reached}>{title}{"".join(elements)}{words}</g>'


def _elements(shape: Shape, size: float, height: int) -> tuple[Iterable[str], tuple[float, float] | None]:
    """Return the elements of one shape, and where its label begins."""
    geometry = shape.geometry
    if isinstance(geometry, str):
        return _mask(geometry, height)
    if not isinstance(geometry, list) or not geometry:
        return (), None
    if isinstance(geometry[0], list):
        return _path(geometry, size, is_line=shape.is_line)
    if len(geometry) == 4:
        top, left, bottom, right = geometry
        points = f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"  # a rectangle of negative width is drawn as well
        return (f'<polygon points="{points}"/>',), (min(left, right), min(top, bottom))
    x, y = geometry[:2]
    return (_circle(x, y, size / 3),), (x, y - size / 3)


def _path(points: list[list[int]], size: float, *, is_line: bool) -> tuple[Iterable[str], tuple[float, float]]:
    """Draw a polygon or line of pairs, or a skeleton of x, y, visibility: of it the points that are there."""
    anchor = min(((point[0], point[1]) for point in points), key=lambda pair: pair[1])
    if len(points[0]) == 3:
        there = [point for point in points if point[2]]
        hidden = (' class="hidden"', "")
        dots = [_circle(x, y, size / 4, hidden[seen > 1]) for x, y, seen in there]
        return dots, min(((x, y) for x, y, _ in there), key=lambda pair: pair[1], default=anchor)
    flat = " ".join(f"{x},{y}" for x, y in points)
    return (f'<polyline points="{flat}"/>' if is_line else f'<polygon points="{flat}"/>',), anchor


def _circle(x: float, y: float, radius: float, attribute: str = "") -> str:
    return f'<circle cx="{x}" cy="{y}" r="{radius:.1f}"{attribute}/>'


def _mask(counts: str, height: int) -> tuple[Iterable[str], tuple[float, float] | None]:
    """Draw the pixels of a mask in COCO's run-length form; nothing where the text is none, or has too many pieces."""
    try:
        columns = list(itertools.islice(_columns(_run_length.counts_from_text(counts), height), MASK_RUNS_MAX + 1))
    except ConfigurationError:
        return (), None
    if not columns or len(columns) > MASK_RUNS_MAX:
        return (), None
    path = "".join(f"M{x} {y}h1v{length}h-1z" for x, y, length in columns)
    x, y, _ = min(columns, key=lambda one: one[1])
    return (f'<path class="mask" d="{path}"/>',), (x, y)


def _columns(counts: Sequence[int], height: int) -> Iterator[tuple[int, int, int]]:
    """Yield x, y and length of each stretch of a column that is set; runs go down the columns, and over their ends."""
    position = 0
    for number, count in enumerate(counts):
        if count < 0:
            raise ConfigurationError("run lengths must not be negative")
        end = position + count
        while number % 2 and position < end:
            x, y = divmod(position, height)
            length = min(height - y, end - position)
            yield x, y, length
            position += length
        position = end
