"""What a text is that is none of the form a reader takes, by how it begins: another tool's file. Pure."""

from __future__ import annotations

import json
import re
from typing import Final

_PAGE: Final = re.compile(r"<!doctype html|<html", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")
_JSON: Final = frozenset('[{"')
"""What JSON that is worth a message of its own begins with."""
_LABEL_MIN: Final = 5
"""A class and a box."""


def what_it_is(text: str) -> str:
    """Say what a text that is no JSON is, with the way out; "": it begins as JSON does, so that the place of the mistake says more."""
    start = text.lstrip("\ufeff \t\r\n\0")
    first, _, rest = start.partition("\n")
    words = first.split()
    rules = (
        (not start, "it is empty, or holds zero bytes alone: it was never wholly written"),
        (
            _PAGE.match(start),
            "it is a web page (HTML): a sign-in or an error, perhaps, in place of the file; download it again",
        ),
        (start[:1] == "<", "it is XML, as CVAT and Pascal VOC write: export as COCO"),
        (
            start[:1] == "{" and rest.lstrip().startswith("{") and _is_object(first),
            "it has one JSON object per line: `jq -s .` makes a list of them; `manifest` reads lines of frames",
        ),
        (
            len(words) >= _LABEL_MIN and all(map(_NUMBER.fullmatch, words)),
            "it looks like a label file of YOLO: `yolo_labels` (--yolo) reads a folder of them",
        ),
        (start[:1] in _JSON, ""),
        ("," in first, "it looks like CSV: export as COCO, or write JSON"),
    )
    return next((what for is_it, what in rules if is_it), f"it is a text that begins with {first.strip()[:40]!r}")


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
