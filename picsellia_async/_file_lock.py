"""A lock on an open file, between processes. It ends with the process that holds it, whatever ends that.

The standard library has one call for Unix and another for Windows; nothing else of the two is needed here.
"""

from __future__ import annotations

import os
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

_LOCKED_BYTE: Final = 2**40
"""Windows keeps others from reading a locked byte; what stands before it stays readable: the holder's process id, lines of results."""


def take(descriptor: int) -> bool:
    """Lock a file without waiting.

    Returns:
        Whether it is ours now; False: somebody else has it, this process through another descriptor included.

    Raises:
        OSError: It cannot be locked at all.
    """
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(descriptor, 0, os.SEEK_SET)
    except (BlockingIOError, PermissionError):  # the second is Windows' word for it
        return False
    return True


def release(descriptor: int) -> None:
    """Give it back, of a descriptor that stays open in a forked child too.

    On Windows closing is enough: there are no such children.
    """
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
