"""A prediction of one's own: the same values in lists that nobody else can change."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, Final, TypeVar, Union, get_args, get_origin

import attrs

from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions.base import PredictionFormat

P = TypeVar("P", bound=PredictionFormat)

_Way = tuple[Callable[[Any], Any], Callable[[Any], Any] | None, Callable[[Any, Any], None]]
"""Reads a field, copies its value (None: nobody can change it), and sets it."""


def copied(prediction: P) -> P:
    """Return a copy whose lists are its own; what was checked when the prediction was made is not checked again.

    Raises:
        ConfigurationError: Its lists were changed since, so that they no longer have one entry per shape each.
    """
    kind = type(prediction)
    made = object.__new__(kind)
    count, is_even = len(prediction.detection_classes), True
    try:
        for read, copy, write in _ways(kind):  # type: ignore[arg-type]  # classes are hashable
            value = read(prediction)
            if copy is None or value is None:
                write(made, value)
                continue
            if len(value) != count:
                is_even = False
            write(made, copy(value))
    except (AttributeError, TypeError):  # a number in place of a list
        raise ConfigurationError("the prediction's lists were changed after it was made: make a new one") from None
    if not is_even:  # texts may be empty
        made.check_lengths()
    return made


@functools.cache
def _ways(kind: type[PredictionFormat]) -> tuple[_Way, ...]:
    """Return how each field of a format is copied: once per format, since this runs for every frame."""
    return tuple(
        (slot.__get__, _COPIES[_depth(field.type)], slot.__set__)
        for field in attrs.fields(attrs.resolve_types(kind))
        for slot in [getattr(kind, field.name)]
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
