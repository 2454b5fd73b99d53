"""A prediction as the pages show it: its image with the shapes drawn over it, and what is said of it in a few words. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import attrs
import orjson

from picsellia_async.emulator.dashboard.filters import Filter, Labels, has_differing_shadow
from picsellia_async.emulator.dashboard.overlay import Shape, shapes_of, svg
from picsellia_async.emulator.endpoint_index import CONTROL_PREFIX
from picsellia_async.emulator.store.rows import PredictionRow

_TILE_TEXT: Final = 1 / 22
_PAGE_TEXT: Final = 1 / 40
"""Height of the labels, as a share of the longer side of the image."""
_NAMED_MAX: Final = 3
"""Classes that a tile names."""
_COORDINATES_MAX: Final = 200
"""Letters of one shape's coordinates that are shown."""


@attrs.frozen(kw_only=True)
class Picture:
    """An image with one prediction over it."""

    source: str
    """Address of the image."""
    width: int
    height: int
    drawing: str
    """The shapes as SVG: HTML, not a text."""
    whole: list[Shape]
    """Classes of the whole image."""
    filename: str


@attrs.frozen(kw_only=True)
class Tile:
    """A prediction in the grid."""

    key: int
    """Its place in the order of arrival."""
    href: str
    picture: Picture
    words: str
    """Its classes with their numbers."""
    source: str
    at: float
    """Epoch seconds of the prediction."""
    deployment: str
    is_differing: bool
    """Whether the shadow model saw other things."""
    status: str
    """Of its review."""


def path_of(row: PredictionRow) -> str:
    """Return the address of a prediction's page; its image is `/image` below it."""
    return f"{CONTROL_PREFIX}/predictions/{row.id}"


def picture(row: PredictionRow, shapes: list[Shape], *, name: str = "") -> Picture:
    """Return the image with its shapes over it. The drawing is stretched to the image: a wrong size is seen at once.

    Args:
        row: The prediction.
        shapes: What is drawn.
        name: As for `svg`; empty for the small picture of the grid.
    """
    size = (max(row.width, 1), max(row.height, 1))
    return Picture(
        source=f"{path_of(row)}/image",
        width=row.width,
        height=row.height,
        drawing=svg(shapes, *size, text_size=_PAGE_TEXT if name else _TILE_TEXT, name=name),
        whole=[one for one in shapes if one.geometry is None][:_NAMED_MAX],
        filename=row.filename,
    )


def tile(row: PredictionRow, labels: Labels, deployments: dict[str, str], wanted: Filter) -> Tile:
    """Return the tile of a prediction.

    Args:
        row: The prediction.
        labels: Label maps.
        deployments: Names by id.
        wanted: What the grid shows; the page of the prediction leads to its neighbours there.
    """
    shapes = shapes_of(row.prediction(), labels.get(row.model_version_id or "", {}))
    counts = Counter(one.name for one in shapes).most_common()
    words = ", ".join(f"{number} {name}" for name, number in counts[:_NAMED_MAX]) or "nothing"
    return Tile(
        key=row.seq or 0,
        href=f"{path_of(row)}{wanted.query()}",
        picture=picture(row, shapes),
        words=f"{words}{' …' if len(counts) > _NAMED_MAX else ''}",
        source=row.source,
        at=row.timestamp,
        deployment=deployments.get(row.deployment_id, row.deployment_id),
        is_differing=has_differing_shadow(row, labels),
        status=row.status,
    )


def coordinates(shape: Shape) -> str:
    """Return the coordinates of a shape as they were sent, shortened."""
    if shape.geometry is None:
        return ""
    text: Any = shape.geometry if isinstance(shape.geometry, str) else orjson.dumps(shape.geometry).decode()
    return str(text) if len(text) <= _COORDINATES_MAX else f"{text[:_COORDINATES_MAX]} …"
