"""One monitored image: as a tile among the latest, and as a page of its own with all that was said of it."""

from __future__ import annotations

import datetime
import html
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import attrs
import orjson

from picsellia_async.emulator.dashboard.markup import document, table
from picsellia_async.emulator.dashboard.overlay import SHAPES_MAX, Shape, shapes_of, svg
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.endpoint_index import CONTROL_PREFIX
from picsellia_async.emulator.store.rows import PredictionRow

_TILE_TEXT: Final = 1 / 22
_PAGE_TEXT: Final = 1 / 48
"""Height of the labels, as a share of the longer side of the image."""
_NAMED_MAX: Final = 3
"""Classes that a tile names."""


def path_of(row: PredictionRow) -> str:
    """Return the address of a prediction's page; its image is `/image` below it."""
    return f"{CONTROL_PREFIX}/predictions/{row.id}"


def tile(state: State, row: PredictionRow, deployment: str) -> str:
    """Return the tile of a prediction: a link to its page."""
    shapes = shapes_of(row.prediction(), labels_of(state, row.model_version_id))
    counts = Counter(one.name for one in shapes).most_common()
    words = ", ".join(f"{number} {name}" for name, number in counts[:_NAMED_MAX]) or "nothing"
    caption = f"{row.source} · {moment(row.received_at):%H:%M:%S}"
    return (
        f'<li><a href="{html.escape(path_of(row))}">{_picture(row, shapes, _TILE_TEXT, is_lazy=True)}'
        f"<strong>{html.escape(row.filename)}</strong><span>{html.escape(words)}{' …' if len(counts) > _NAMED_MAX else ''}</span>"
        f"<span>{html.escape(caption)} · {html.escape(deployment)}</span></a></li>"
    )


def page(state: State, row: PredictionRow) -> str:
    """Return the page of a prediction as HTML."""
    names = {one["id"]: one["name"] for one in state.store.documents.list("deployment")}
    champion = shapes_of(row.prediction(), labels_of(state, row.model_version_id))
    parts = [f'<p><a href="{CONTROL_PREFIX}/">All predictions</a></p>', _side("Prediction", row, champion)]
    if row.shadow_raw is not None:
        shadow = shapes_of(orjson.loads(row.shadow_raw), labels_of(state, row.shadow_model_version_id))
        parts.append(_side("Prediction of the shadow model", row, shadow))
    facts = [
        ("deployment", names.get(row.deployment_id, row.deployment_id)),
        ("source", row.source),
        ("tags", ", ".join(orjson.loads(row.tags)) or "none"),
        ("predicted at", f"{moment(row.timestamp):%Y-%m-%d %H:%M:%S.%f} UTC"),
        ("received at", f"{moment(row.received_at):%Y-%m-%d %H:%M:%S.%f} UTC"),
        ("latency", f"{row.latency:g} s"),
        ("size, as stated", f"{row.width} x {row.height} pixels"),
        ("content type, as stated", row.content_type),
        ("image", f"{row.signature or 'neither JPEG nor PNG, or never seen'}, {row.size} bytes"),
        ("SHA-256", row.sha256 or "not known"),
        ("prediction id", row.id),
        ("predicted asset id", row.asset_id or "left out by the sample rate"),
        *_metadata(state, row),
    ]
    parts.append(table("What was said of it", ("field", "value"), facts))
    return document(row.filename, f"<h1>{html.escape(row.filename)}</h1>{''.join(parts)}")


def labels_of(state: State, model_version_id: str | None) -> dict[str, str]:
    """Return the label map of a model version: name by the text of the index."""
    found = state.store.documents.peek("model_version", model_version_id)
    return {} if found is None else found["labels"]


def moment(seconds: float) -> datetime.datetime:
    """Return a time in UTC; what no calendar holds (milliseconds sent as seconds) is the end of it."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.datetime.max.replace(tzinfo=datetime.UTC)


def _side(title: str, row: PredictionRow, shapes: list[Shape]) -> str:
    is_whole = bool(shapes) and all(one.geometry is None for one in shapes)
    caption = f"{len(shapes)} {'classes of the whole image' if is_whole else 'shapes'}."
    rest = f" The first {SHAPES_MAX} are drawn." if len(shapes) > SHAPES_MAX else ""
    rows = (
        (number, one.name, "" if one.score is None else f"{one.score:.4g}", _numbers(one))
        for number, one in _numbered(shapes)
    )
    return (
        f"<h2>{html.escape(title)}</h2>{_picture(row, shapes, _PAGE_TEXT)}"
        f"{table(caption + rest, ('shape', 'class', 'score', 'coordinates'), rows)}"
    )


def _numbered(shapes: list[Shape]) -> Iterable[tuple[int, Shape]]:
    return enumerate(shapes[:SHAPES_MAX])


def _numbers(shape: Shape) -> str:
    if shape.geometry is None:
        return ""
    text = shape.geometry if isinstance(shape.geometry, str) else orjson.dumps(shape.geometry).decode()
    return text if len(text) <= 200 else f"{text[:200]} …"


def _picture(row: PredictionRow, shapes: list[Shape], text_size: float, *, is_lazy: bool = False) -> str:
    """Return the image with its shapes over it. The drawing is stretched to the image: a wrong size is seen at once."""
    loading = ' loading="lazy"' if is_lazy else ""
    source = html.escape(f"{path_of(row)}/image")
    image = f'<img src="{source}" width="{row.width}" height="{row.height}"{loading} alt="no image of {html.escape(row.filename)} is kept">'
    drawing = svg(shapes, max(row.width, 1), max(row.height, 1), text_size=text_size)
    whole = [one for one in shapes if one.geometry is None][:_NAMED_MAX]
    words = "".join(f'<em style="--c:{one.colour}">{html.escape(one.label)}</em>' for one in whole)
    return f'<div class="picture">{image}{drawing}<p>{words}</p></div>'


def _metadata(state: State, row: PredictionRow) -> Iterable[tuple[str, Any]]:
    data = state.store.data.select("id = ?", row.data_id, limit=1) if row.data_id else []
    for name, value in attrs.asdict(data[0]).items() if data else ():
        if name in {"metadata", "custom_metadata"}:
            yield name.replace("_", " "), value.decode()
    yield "custom metrics", row.custom_metrics.decode()
