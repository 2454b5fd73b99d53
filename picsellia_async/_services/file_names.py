"""Names of files that are made from names that a service says: safe on every system, within their directory, and never one for two."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

from picsellia_async.validation import PART_BYTES_MAX

SUFFIX_BYTES_MAX: Final = 32
"""What is longer after the last dot is no extension."""

DIGEST_LETTERS: Final = 8
"""Letters of the digest in a name that was changed: `a:b` and `a?b` must not become one file."""

_FORBIDDEN: Final = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
"""What Windows forbids, and characters that terminals act on."""

_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
"""Names that Windows takes for devices, with whatever extension."""


def safe_file_name(name: str) -> str:
    """Return a name that can be used in a directory of any system; empty where nothing is left.

    Directories in it are left out. A name that must be changed gets a digest of what it was, before its extension, so that two names
    stay two.
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join("_" if unicodedata.category(letter) in {"Cs", "Cc"} else letter for letter in last)
    kept = _FORBIDDEN.sub("_", kept).rstrip(". ")
    if not kept.strip(". "):
        return ""
    if _DEVICES.fullmatch(kept):
        kept = f"_{kept}"
    if kept == last and len(kept.encode()) <= PART_BYTES_MAX:
        return kept
    suffix = PurePosixPath(kept).suffix
    if len(suffix.encode()) > SUFFIX_BYTES_MAX:
        suffix = ""
    digest = hashlib.sha256(last.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_LETTERS]
    stem = kept.removesuffix(suffix) if suffix else kept
    room = PART_BYTES_MAX - len(f"-{digest}{suffix}".encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}-{digest}{suffix}"
