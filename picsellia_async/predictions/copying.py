"""A prediction of one's own: the same values in lists that nobody else can change."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeVar, Union, get_args, get_origin

import attrs

from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions.base import PredictionFormat

P = TypeVar("P", bound=PredictionFormat)

_Ways = tuple[
    Callable[[PredictionFormat], tuple[Any, ...]],
    tuple[tuple[int, Callable[[Any], Any]], ...],
    tuple[Callable[[Any, Any], None], ...],
]
"""Reads all fields; copies those that are lists, by their place among them; sets each."""


def copied(prediction: P) -> P:
    """Return a copy whose lists are its own; what was checked when the prediction was made is not checked again.

    Raises:
        ConfigurationError: Its lists were changed since, so that they no longer have one entry per shape each.
    """
    kind = type(prediction)
    read, copies, writes = _ways(kind)  # type: ignore[arg-type]  # classes are hashable
    made, values = object.__new__(kind), [*read(prediction)]
    count, is_even = len(prediction.detection_classes), True
    try:
        for place, copy in copies:
            value = values[place]
            if value is not None:
                is_even = is_even and len(value) == count
                values[place] = copy(value)
    except (AttributeError, TypeError):  # a number in place of a list
        raise ConfigurationError("the prediction's lists were changed after it was made: make a new one") from None
    for write, value in zip(writes, values, strict=True):
        write(made, value)
    if not is_even:  # texts may be empty
        made.check_lengths()
    return made


@functools.cache
def _ways(kind: type[PredictionFormat]) -> _Ways:
    """Return how a format is copied: found once per format, since this runs for every frame."""
    fields = attrs.fields(attrs.resolve_types(kind))
    copies = [(place, _COPIES[_depth(field.type)]) for place, field in enumerate(fields)]
    return (
        attrgetter(*(field.name for field in fields)),
        tuple((place, copy) for place, copy in copies if copy is not None),
        tuple(getattr(kind, field.name).__set__ for field in fields),
    )


def _depth(kind: Any) -> int:
    """Return how deep the lists of a type are nested."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return max(map(_depth, inner))
    return 1 + _depth(inner[0]) if origin is list else 0


def _rows(values: list[list[Any]]) -> list[list[Any]]:
    return [*map(list.copy, values)]


def _paths(values: list[list[list[Any]]]) -> list[list[list[Any]]]:
    return [[*map(list.copy, path)] for path in values]


_COPIES: Final[tuple[Callable[[Any], Any] | None, ...]] = (None, list.copy, _rows, _paths)
"""By depth: numbers and texts, boxes or points, paths."""
