"""Scalars of numpy and torch as Python's own, recognised by their methods and without importing either. Pure."""

from __future__ import annotations

from typing import Any


def is_masked(array: Any) -> bool:
    """Whether this is one of numpy's masked arrays with a value masked: it prints as a number, and is none."""
    return hasattr(array, "filled") and bool(array.mask.any())


def plain_scalar(value: Any) -> Any:
    """Return Python's own bool or number for a scalar of numpy or torch; all else as it is, to be checked by who takes it."""
    if getattr(value, "ndim", None) != 0 or is_masked(value):
        return value
    item = getattr(value, "item", None)
    found = None if item is None else item()
    return found if isinstance(found, (bool, int, float)) else value
