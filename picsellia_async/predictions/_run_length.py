"""Run lengths of COCO masks: as numbers, and as the text that the platform takes. Pure; pixels are the subject of `_masks`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from picsellia_async.errors import ConfigurationError

_FIRST: Final = 48
"""Code of the character for 0; a character carries 5 bits, and says by a sixth whether more follow."""
_MORE: Final = 32
_SIGN: Final = 16
_EMPTY_MAX: Final = 32
"""Characters that the text of an empty mask does not exceed, a run of background and perhaps empty ones behind it: longer ones need not be read."""


def counts_from_text(text: str) -> list[int]:
    """Return the run lengths, column by column, beginning with background.

    Raises:
        ConfigurationError: The text is no run-length text of COCO.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 2 * _MORE:
            raise ConfigurationError(f"run lengths hold {character!r}, which COCO's text form does not have")
        value |= (bits & (_MORE - 1)) << shift
        shift += 5
        if bits & _MORE:
            continue
        if bits & _SIGN:
            value -= 1 << shift
        # From the fourth on, each is told as the difference to the one two before.
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ConfigurationError("run lengths end in the middle of a number")
    return counts


def has_pixels(text: str) -> bool:
    """Whether a mask in COCO's text form has a pixel. What is no such text is said to have: it is told later, as what it is."""
    if len(text) > _EMPTY_MAX:
        return True
    try:
        return any(counts_from_text(text)[1::2])
    except ConfigurationError:
        return True


def text_from_counts(counts: Sequence[int]) -> str:
    """Return COCO's text form of run lengths."""
    characters: list[str] = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            bits = value & (_MORE - 1)
            value >>= 5
            is_last = value == (-1 if bits & _SIGN else 0)
            characters.append(chr((bits if is_last else bits | _MORE) + _FIRST))
            if is_last:
                break
    return "".join(characters)


def check_counts(counts: Sequence[int], size: tuple[int, int], name: str) -> None:
    """Refuse run lengths that are not those of an image of that width and height.

    Raises:
        ConfigurationError: One is negative, or they do not cover every pixel once.
    """
    if any(count < 0 for count in counts):
        raise ConfigurationError(f"{name}: run lengths must not be negative")
    pixels = size[0] * size[1]
    if sum(counts) != pixels:
        raise ConfigurationError(f"{name}: its runs cover {sum(counts)} pixels, its image has {pixels}")
