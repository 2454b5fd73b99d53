"""How the fields of request classes are declared: left out, required, checked. No request class lives here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from picsellia_async._wire.unset import UNSET
from picsellia_async.validation import text


def optional(convert: Callable[..., Any], name: str, *limits: Any) -> Any:
    """Return an attrs field that is left out by default, and converted when given; None counts as not given.

    `limits` are handed on to the check, here and below.
    """
    return attrs.field(
        default=UNSET,
        converter=lambda value: UNSET if value is None or value is UNSET else convert(value, name, *limits),
    )


def nullable(convert: Callable[..., Any], name: str, *limits: Any) -> Any:
    """Return an attrs field that always travels, as null when it is None."""
    return attrs.field(converter=lambda value: None if value is None else convert(value, name, *limits))


def required(convert: Callable[..., Any], name: str, *limits: Any) -> Any:
    """Return an attrs field that must be given."""
    return attrs.field(converter=lambda value: convert(value, name, *limits))


def any_text(value: Any, name: str) -> str:
    """Return the text, which may be empty.

    Raises:
        ConfigurationError: The value is no text.
    """
    return text(value, name, empty=True)
