"""What a page of HTML says, where a gateway or a proxy answers with one in place of the service. Pure.

The parser of the standard library takes time with the cube of what it reads: 5 seconds for 16 KiB of `<a `. This reads each character once.
"""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterable, Iterator
from typing import Final

READ_MAX: Final = 64 * 1024
"""Characters of a page that are read at most."""
_ENOUGH: Final = 400
"""Characters of its text from which on no more is read; less of them is shown."""
_HEAD: Final = 1024
"""Characters in which a page says that it is one."""
_MARKS: Final = ("<!doctype html", "<html", "<head", "<title", "<body")
_UNSEEN: Final = frozenset({"script", "style", "template", "svg", "noscript"})
"""Elements whose text a browser does not show."""
_EDGE: Final = re.compile("[<>]")
_NAME: Final = re.compile("[a-z][a-z0-9]*")
_BEGINS: Final = tuple(f"<{one}" for one in "abcdefghijklmnopqrstuvwxyz/!?")


def page_text(text: str) -> str:
    """Return title and text of a page of HTML, without its elements; empty where it is none, or has no text.

    What a host broke up by elements is in one piece then: secrets are to be looked for in it anew.
    """
    text = text.lstrip("\ufeff \t\r\n")
    head = text[:_HEAD].lower()
    if not head.startswith("<") or not any(mark in head for mark in _MARKS):
        return ""
    title: list[str] = []
    body: list[str] = []
    length = 0
    for element, piece in _pieces(text[:READ_MAX]):
        (title if element == "title" else body).append(piece)
        length += len(piece)
        if length >= _ENOUGH:
            break
    return ": ".join(filter(None, (_line(title), _line(piece for piece in body if piece not in title))))


def _line(pieces: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(pieces))  # heads say again what the title says


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield pieces of text that are shown, each with the name of the element that it begins, if any."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters have more small ones
        text = lower
    at, element = 0, ""
    while at < len(text):
        start = text.find("<", at)
        if piece := _plain(text[at : start if start >= 0 else len(text)]):
            yield element, piece
        at = len(text)
        if start >= 0:
            element, at = _element(lower, start)
            if at == start:
                yield element, "<"
                at += 1


def _element(lower: str, start: int) -> tuple[str, int]:
    """Return the name of the element that begins at `start`, and where what is shown goes on: there where it is none."""
    if lower.startswith("<!--", start):
        return "", _found(lower, "-->", start) + 3
    edge = _EDGE.search(lower, start + 1)
    if not lower.startswith(_BEGINS, start) or (edge is not None and edge[0] == "<"):
        return "", start
    name = _NAME.match(lower, start + 1)
    element = name[0] if name else ""
    end = len(lower) if edge is None else edge.end()
    return element, _found(lower, f"</{element}", end) if element in _UNSEEN else end


def _found(lower: str, end: str, start: int) -> int:
    at = lower.find(end, start)
    return len(lower) if at < 0 else at


def _plain(text: str) -> str:
    """Return text on one line, with its characters that are given by name or number as such."""
    with contextlib.suppress(ValueError):  # a number of thousands of digits
        text = html.unescape(text)
    return " ".join(text.split())
