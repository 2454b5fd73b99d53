"""Answers made from the models themselves: one good JSON value for each, and the same with one field changed."""

from __future__ import annotations

import enum
import types
import typing
import uuid
from collections.abc import Iterator
from typing import Any

import attrs

from picsellia_async import campaign_models, models
from picsellia_async.models import Page, Value

MODELS = sorted(
    {
        kind
        for module in (models, campaign_models)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Value) and kind not in {Value, Page}
    },
    key=lambda kind: kind.__name__,
)
ABSENT = object()
CHANGES = {"null": None, "text": "a text", "object": {"an": "object"}, "absent": ABSENT}


def fields_of(kind: type[Value]) -> list[attrs.Attribute[Any]]:
    """Return the fields that answers carry."""
    return [field for field in attrs.fields(attrs.resolve_types(kind)) if field.name != "raw"]


def good(kind: Any) -> Any:
    """Return a JSON value that is read as a type."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return good(next(one for one in inner if one is not type(None)))
    if origin is list:
        return [good(inner[0])]
    if origin is dict or kind is dict:
        return {"key": good(inner[1]) if inner else 1}
    if isinstance(kind, type) and issubclass(kind, Value):
        return {field.name: good(field.type) for field in fields_of(kind)}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind)).value
    return {str: "a", int: 3, float: 0.5, bool: True, uuid.UUID: str(uuid.UUID(int=7))}.get(kind, {"any": "thing"})


def changed(kind: type[Value], field: str, change: str) -> dict[str, Any]:
    """Return a good answer with one field changed."""
    answer: dict[str, Any] = good(kind)
    if CHANGES[change] is ABSENT:
        del answer[field]
    else:
        answer[field] = CHANGES[change]
    return answer


def every_change() -> Iterator[tuple[type[Value], str, str]]:
    """Yield every model, field and change."""
    for kind in MODELS:
        for field in fields_of(kind):
            for change in CHANGES:
                yield kind, field.name, change
