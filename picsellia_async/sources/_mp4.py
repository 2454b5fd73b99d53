"""Why an MP4 or MOV cannot be opened: its boxes tell where it was cut. Blocking: for threads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_FIRST: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""With one of these such a file begins."""
_INDEX: Final = b"moov"
_LARGE: Final = 1
"""Size that says that eight bytes with the size follow."""
_BOXES_MAX: Final = 10_000


def why_unreadable(path: Path) -> str:
    """Return that a file ends before its index, or within it; "" where it is no MP4, or its boxes are whole."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            position = 0
            for _ in range(_BOXES_MAX):
                file.seek(position)
                header = file.read(16)
                if position == 0 and header[4:8] not in _FIRST:
                    return ""
                if len(header) < 8:
                    break
                length = int.from_bytes(header[:4])
                if length == _LARGE:
                    length = int.from_bytes(header[8:16])
                is_index = header[4:8] == _INDEX
                if is_index and position + length <= size:
                    return ""
                if is_index:
                    return "it is cut off within its index (moov)"
                if length < 8:  # to the end of the file; or nobody came to write it
                    break
                position += length
    except OSError:
        return ""
    return (
        f"its index (moov) is missing, as where the recording was cut off or the file is not wholly copied: {os.fspath(path.name)!r} "
        f"has {size} bytes, and its index would come behind"
    )
