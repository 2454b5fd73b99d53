"""What a spool holds, for those who look after it: read it, export frames from it, queue refused ones again, drop some. Blocking.

```python
from picsellia_async.spools import SpoolChanges, read_contents

for frame in read_contents("/var/spool/cameras").frames:
    print(frame.state, frame.filename, frame.reason)
with SpoolChanges("/var/spool/cameras") as spool:
    spool.requeue(spool.frames())
```

On the command line: `picsellia-async spool`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import orjson

from picsellia_async._delivery.spool.contents import (
    FrameState,
    SpoolChanges,
    SpoolContents,
    SpooledFrame,
    read_contents,
)
from picsellia_async.errors import ConfigurationError, SpoolError
from picsellia_async.frames import Frame
from picsellia_async.sources._manifest_line import manifest_line

__all__ = ["FrameState", "SpoolChanges", "SpoolContents", "SpooledFrame", "export_frames", "read_contents"]

MANIFEST: Final = "manifest.jsonl"
"""Name of the manifest in the folder of an export."""
_SUFFIXES: Final = {"image/jpeg": ".jpg", "image/png": ".png"}


def export_frames(spool: SpoolChanges, frames: Iterable[SpooledFrame], folder: str | Path) -> int:
    """Write frames as images and a manifest, `manifest.jsonl`, which `monitor --manifest` reads; they stay in the spool.

    Images that lie in the storage are named, and not written. Each line has the frame's id, and its reason where the service refused it. All is on disk when this returns.

    Args:
        spool: Opened.
        frames: Of it.
        folder: Made where it is not there; must have no manifest yet.

    Returns:
        How many were written; records that are damaged are left out.

    Raises:
        ConfigurationError: The folder has a manifest, or cannot be written.
    """
    folder = Path(folder)
    manifest = folder / MANIFEST
    if manifest.exists():
        raise ConfigurationError(f"there is an export in {os.fspath(folder)!r} already: give another folder")
    lines = []
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for one in frames:
            try:
                frame = spool.frame(one)
            except SpoolError:
                continue
            lines.append(_write_image(frame, one.reason, folder))
        # Under its name stands the whole manifest, or none.
        part = folder / f"{MANIFEST}.part"
        _write(part, b"".join(lines))
        part.replace(manifest)
    except OSError as error:
        raise ConfigurationError(f"the frames cannot be exported: {error}") from error
    return len(lines)


def _write_image(frame: Frame, reason: str, folder: Path) -> bytes:
    """Write the image of a frame; return its line."""
    line = manifest_line(frame, folder)
    name = f"images/{frame.id}{_SUFFIXES.get(line['content_type'], '')}"
    image = frame.image
    if isinstance(image, Path):
        raise TypeError("a frame of a spool holds its image")
    place = {}
    if image is not None:
        _write(folder / name, image)
        place["image"] = name
    line = {**place, "id": str(frame.id), **line}
    return orjson.dumps({**line, "reason": reason} if reason else line, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        # Frames are dropped from the spool after this, which a power cut would not bring back.
        os.fsync(file.fileno())
