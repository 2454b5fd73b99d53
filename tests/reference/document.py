"""Read the vendor's reference text: methods, their parameters, their examples.

Used only where `PICSELLIA_ASYNC_REFERENCE` names the text; the tests themselves work on the data in `signatures.py` and `examples.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DOCUMENT: Final = Path(os.environ.get("PICSELLIA_ASYNC_REFERENCE", "reference/deployment.txt"))
"""The vendor's page of `Deployment` as text. It is the vendor's, so it is not part of this repository."""

_METHOD: Final = re.compile(r"^(\w+)\n\n\1\((.*?)\n?\)\n\nDescription\n", re.MULTILINE | re.DOTALL)
_EXAMPLE: Final = re.compile(r"\nExamples\n\n(.*?)(?=\n\n\*{0,2}(?:Arguments|Returns)\b|\n\n\n|\Z)", re.DOTALL)


def _arguments(text: str) -> Iterator[str]:
    """Split at the commas that are in no bracket."""
    depth, start = 0, 0
    for position, character in enumerate(text):
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    if text[start:].strip():
        yield text[start:]


def _parameter(text: str) -> tuple[str, str | None]:
    name, _, rest = text.strip().partition(":")
    _, equals, default = rest.rpartition("=")
    return name, default.strip() if equals else None


def parse(document: str) -> dict[str, tuple[list[tuple[str, str | None]], str | None]]:
    """Return method -> (parameters with the text of their default, example or None), in the document's order."""
    found = {}
    methods = list(_METHOD.finditer(document))
    ends = [method.start() for method in methods[1:]] + [len(document)]
    for method, end in zip(methods, ends, strict=True):
        parameters = [_parameter(argument) for argument in _arguments(method[2])]
        example = _EXAMPLE.search(document, method.end(), end)
        found[method[1]] = (parameters, example[1].strip("\n") if example else None)
    return found
