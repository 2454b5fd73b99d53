"""Regular expressions that cannot hold the event loop for long: `compile_safely` refuses those that might.

Python's matcher tries every way to divide a text among repeats. With a repeat inside a repeat, `(a+)+`, the ways double with each
character, and thirty of them take minutes; with many repeats in a row they grow with as high a power. Both are refused by their form.
"""

from __future__ import annotations

import re
from typing import Final

from picsellia_async.errors import ConfigurationError

LENGTH_MAX: Final = 500
"""Characters of a pattern."""
REPEATS_MAX: Final = 4
"""Repeats without an upper bound in one pattern: a path of 200 characters is divided among four in about a second at the very worst."""

_PIECE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(|\)|\||[*+?]|\{\d*,?\d*\}|.", re.DOTALL)


def compile_safely(pattern: str, name: str) -> re.Pattern[str]:
    """Return the compiled pattern.

    Args:
        pattern: The regular expression.
        name: How the message calls it.

    Raises:
        ConfigurationError: It is none, too long, or of a form that may take exponential time.
    """
    if len(pattern) > LENGTH_MAX:
        raise ConfigurationError(f"{name} must have at most {LENGTH_MAX} characters, got {len(pattern)}")
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigurationError(f"{name} is not a regular expression: {error}") from error
    _check_repeats(pattern, name)
    return compiled


def _check_repeats(pattern: str, name: str) -> None:
    groups = [False]
    """For each open bracket, whether it holds a repeat or a choice so far; repeated as a whole, that is what explodes."""
    is_closed_group = False
    repeats = 0
    for piece in _PIECE.findall(pattern):
        is_repeat = piece in ("*", "+") or (piece[0] == "{" and piece[-1] == "}" and len(piece) > 2)
        if is_repeat and is_closed_group:
            raise ConfigurationError(
                f"{name} repeats a group with a repeat or a choice in it, which may take exponential time"
            )
        is_closed_group = False
        if piece == "(":
            groups.append(False)
        elif piece == ")":
            is_closed_group = groups.pop()
            groups[-1] |= is_closed_group
        elif piece == "|" or is_repeat:
            groups[-1] = True
            repeats += is_repeat and not piece[-2:-1].isdecimal()
    if repeats > REPEATS_MAX:
        raise ConfigurationError(
            f"{name} must have at most {REPEATS_MAX} repeats without an upper bound, got {repeats}"
        )
