"""Pages of listings: simple lists, cursors, offsets (WIRE.md section 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from picsellia_async.emulator.call import Call, unprocessable

T = TypeVar("T")

Json = dict[str, Any]


def simple(call: Call, items: list[T], show: Callable[[T], Json], default_order: str = "") -> Json:
    """Return one page of a simple list: everything unless `limit` says otherwise (WIRE.md 7.1, assumed)."""
    limit = call.query.integer("limit", 1)
    offset = call.query.integer("offset") or 0
    shown = [show(item) for item in items]
    for order in reversed(call.query.texts("order_by") or ([default_order] if default_order else [])):
        _sort(shown, order)
    end = None if limit is None else offset + limit
    return {"items": shown[offset:end], "count": len(shown)}


def _sort(shown: list[Json], order: str) -> None:
    name = order.removeprefix("-")
    if any(name not in item for item in shown):
        raise unprocessable(f"order_by {order!r} is no field of the items")
    shown.sort(key=lambda item: (item[name] is not None, item[name]), reverse=order.startswith("-"))
