"""What a store needs of the operating system: whole reads and writes at a place, a real flush, holes, free room.

Nothing here knows what is written. Every call blocks, and fails with `OSError`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No room: on the file system, in the user's quota, or below the largest size that a file may have."""

PAGE_BYTES: Final = 4096
"""What file systems give out and take back at a time, in nearly all of them."""

_FULL_FSYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)
_UNKNOWN_CALL: Final = frozenset({errno.ENOTSUP, errno.EINVAL, errno.ENOTTY})
"""File systems that know no full flush, those over a network for instance."""
_ZEROS: Final = bytes(2**20)
_PUNCH_HOLE_KEEP_SIZE: Final = 0x02 | 0x01


def write_at(descriptor: int, offset: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of it. `write` may stop in the middle, where the room ends for instance; the next one tells why."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """Read so many bytes, or as many as there are before the file ends."""
    data = _read_once(descriptor, offset, length)
    while 0 < len(data) < length:
        more = _read_once(descriptor, offset + len(data), length - len(data))
        if not more:
            break
        data += more
    return data


def _read_once(descriptor: int, offset: int, length: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def read_around_errors(descriptor: int, offset: int, length: int) -> bytes:
    """Read; a page that the disk cannot read is taken for zeros, which are no record."""
    try:
        return read_at(descriptor, offset, length)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    parts = []
    for at in range(offset, offset + length, PAGE_BYTES):
        size = min(PAGE_BYTES, offset + length - at)
        try:
            part = read_at(descriptor, at, size)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            part = bytes(size)
        parts.append(part)
        if len(part) < size:
            break
    return b"".join(parts)


def flush(descriptor: int) -> None:
    """Return once what was written is on the disk, and not only in a cache of the system or of the disk."""
    if _FULL_FSYNC is not None:
        # macOS: fsync leaves the data in the disk's own cache, where a power cut takes it.
        try:
            fcntl.fcntl(descriptor, _FULL_FSYNC)
        except OSError as error:
            # Another error is the disk's: asking a second time might say that all is well, after the data is gone.
            if error.errno not in _UNKNOWN_CALL:
                raise
            os.fsync(descriptor)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def next_data(descriptor: int, offset: int) -> int:
    """Return where the next bytes that are no hole begin; the file's end if there are none."""
    if hasattr(os, "SEEK_DATA"):
        try:
            return os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return os.fstat(descriptor).st_size
    return offset


def free_bytes(path: str | int) -> int | None:
    """Return what this user may still write on the file system; None where the system does not tell."""
    if not hasattr(os, "statvfs"):
        return None
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize


def total_bytes(path: str | int) -> int | None:
    """Return how large the file system is; None where the system does not tell."""
    if not hasattr(os, "statvfs"):
        return None
    stat = os.statvfs(path)
    return stat.f_blocks * stat.f_frsize


def allocate(descriptor: int, length: int) -> None:
    """Set room aside: what is written below `length` later needs no more."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, length)
    else:
        for offset in range(0, length, len(_ZEROS)):
            write_at(descriptor, offset, _ZEROS[: length - offset])


def erase(descriptor: int, offset: int, length: int) -> None:
    """Make a stretch of a file read as zeros, and give its room back where the file system can."""
    if _fallocate is not None and _fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, offset, length) == 0:
        return
    for at in range(offset, offset + length, len(_ZEROS)):
        write_at(descriptor, at, _ZEROS[: offset + length - at])


def _find_fallocate() -> Callable[[int, int, int, int], int] | None:
    """Return Linux's `fallocate`, which Python does not offer; None elsewhere."""
    if sys.platform != "linux":
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate64
    except (AttributeError, OSError):  # a C library without it
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    return function


_fallocate: Final = _find_fallocate()
