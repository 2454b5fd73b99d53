"""How hosts spell what they echo: letters and digits of a body, whatever stands between them and in whatever coding. Pure.

`levels` decodes a body as far as it goes, for the question whether something stands in it; `read` decodes it once and says where each
character stands, for hiding it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

TOLD_MAX: Final = 72 * 1024
"""Bytes of a body of which places are told: a longer one takes too long."""
_NESTED_MAX: Final = 3
"""Codings around each other."""

_NUMBER: Final = re.compile(
    rb"(?:%(?:25)*(?:u00)?|(?<!\\)\\++(?:u0{6}|u00|u\{0*|x)|&(?:amp;)*#x0*)([0-9a-f]{2})[;}]?"
    rb"|&(?:amp;)*#0*([0-9]{2,3});?|(?<!\\)\\++([0-7]{3})",
    re.IGNORECASE,
)
"""A character by its number: hexadecimal, decimal, octal."""
_BASES: Final = (0, 16, 10, 8)
"""Of its digits, by their group."""
_BETWEEN: Final = re.compile(
    rb"(?:\x1b|(?<!\\)\\++(?:u00|x)?(?:1b|033|e))\[[0-9;]{0,16}[a-z]|(?<!\\)\\++[nrt]|<[a-z/ ]{1,8}>"
    rb"|(?<![a-z0-9])0x(?=[0-9a-f]{2}(?![0-9a-z]))|&(?:amp;)*(?:shy|zwsp|zwnj|zwj|nbsp|ensp|emsp|thinsp|newline|tab|zerowidthspace|sol|plus|equals|quot|apos|lt|gt|bsol);",
    re.IGNORECASE,
)
"""What letters may stand between the characters of a credential: colours of a terminal, line ends of JSON, elements of HTML, what is
before the bytes of a list in hexadecimal, and HTML's names of spaces and signs."""
_LETTERED: Final = (b"\\", b"<", b"&", b"\x1b", b"0x", b"0X")
"""What they begin with."""
_READ: Final = re.compile(
    rb"%b|%b|[^a-z0-9\\%%&<\x1b]+|[\\%%&<\x1b]" % (_BETWEEN.pattern, _NUMBER.pattern), re.IGNORECASE
)
_WIDE: Final = re.compile(r"[^\x00-\x7f]{1,256}")
"""A few at a time: a search that runs in a thread keeps all others from running within one step."""
_OTHERS: Final = bytes(one for one in range(256) if not (one < 128 and chr(one).isalnum()))


_STEP: Final = 64
"""Characters that are compared at once: an echo has thousands of them."""


def letters(body: bytes) -> bytes:
    """Return letters and digits of a body, without what else has letters between them."""
    if any(one in body for one in _LETTERED):
        body = _BETWEEN.sub(b"", body)
    return body.translate(None, _OTHERS)


def levels(body: bytes) -> Iterator[bytes]:
    """Yield a body, and what it is once its numbers are read as characters, over and over."""
    if not body.isascii():
        body += _WIDE.sub(_plain_letters, body.decode("utf-8", "ignore")).encode()
    for _ in range(_NESTED_MAX + 1):
        yield body
        read = _NUMBER.sub(_character, body) if b"%" in body or b"\\" in body or b"&" in body else body
        if read == body:
            return
        body = read


def read(body: bytes, *, every: bool = False) -> tuple[bytes, list[int], list[int]]:
    """Return letters and digits of a body, those that are numbers too, and where in the body each begins and ends.

    Args:
        body: What is read, once: of numbers within numbers nothing is told.
        every: Return all its bytes.
    """
    text, at = bytearray(), 0
    begins: list[int] = []
    ends: list[int] = []
    for found in (*_READ.finditer(body), None):
        start, end = (len(body), len(body)) if found is None else found.span()
        character = b"" if found is None else _character(found)
        plain_to = end if every and not character else start
        text += body[at:plain_to]
        begins += range(at, plain_to)
        ends += range(at + 1, plain_to + 1)
        if every or character.isalnum():
            text += character
            begins += [start] * len(character)
            ends += [end] * len(character)
        at = end
    return bytes(text), begins, ends


def extent(text: bytes, at: int, other: bytes, place: int) -> tuple[int, int]:
    """Return from where to where a text is as another one is around `place`, which `at` has in it."""
    start, other_start = at, place
    while start >= _STEP <= other_start and text[start - _STEP : start] == other[other_start - _STEP : other_start]:
        start, other_start = start - _STEP, other_start - _STEP
    while start > 0 < other_start and text[start - 1] == other[other_start - 1]:
        start, other_start = start - 1, other_start - 1
    end, other_end = at, place
    while end < len(text) and text[end : end + _STEP] == other[other_end : other_end + _STEP]:
        end, other_end = end + _STEP, other_end + _STEP
    while end < len(text) and other_end < len(other) and text[end] == other[other_end]:
        end, other_end = end + 1, other_end + 1
    return start, min(end, len(text))


def without_places(body: bytes, places: Iterable[tuple[int, int]]) -> bytes:
    """Return a body with stars in these places; those that meet are one."""
    hidden, shown_to = bytearray(), 0
    for start, end in sorted(places):
        if not hidden or start > shown_to:
            hidden += body[shown_to:start] + b"***"
        shown_to = max(shown_to, end)
    return bytes(hidden + body[shown_to:])


def _plain_letters(found: re.Match[str]) -> str:
    """Return wide letters and the like as what they stand for."""
    return unicodedata.normalize("NFKC", found[0])


def _character(found: re.Match[bytes]) -> bytes:
    """Return the character of a number; nothing where there is none."""
    kind = found.lastindex
    return bytes((int(found[kind], _BASES[kind]) % 256,)) if kind else b""
