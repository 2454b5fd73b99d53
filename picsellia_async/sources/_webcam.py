"""Why a webcam cannot be opened: FFmpeg's own words name neither the number nor a way out. Blocking: for threads."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Final

_DEVICE: Final = re.compile(r"video(\d+)")


def why_no_webcam(address: str, said: str) -> str:
    """Return what is wrong with a webcam, and the way out.

    Args:
        address: Path of its device, on Linux; on other systems devices are no files, and nothing more is known.
        said: What FFmpeg says.
    """
    path = Path(address)
    if not path.is_absolute():
        return said
    if said == os.strerror(errno.EBUSY):
        return _busy(address)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except FileNotFoundError:
        there = ", ".join(map(str, _numbers(path.parent)))
        known = (
            f"the devices here are {there}"
            if there
            else "no webcam is connected; a container is given one with --device"
        )
        return f"there is no {address!r}: {known}"
    except PermissionError:
        return f"this user may not open {address!r}: let it be in the group of that device, which is often `video`"
    except OSError as error:
        return _busy(address) if error.errno == errno.EBUSY else f"{address!r}: {error.strerror}"
    return (
        f"{address!r} gives no video ({said}): it may be no webcam, or the second number of one, which has no pictures"
    )


def _busy(address: str) -> str:
    return f"another program has {address!r}, which `fuser {address}` names"


def _numbers(folder: Path) -> list[int]:
    try:
        names = [one.name for one in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(found[1]) for name in names if (found := _DEVICE.fullmatch(name)))
