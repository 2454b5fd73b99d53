"""Room on the file system of a spool: what is left to others, a reserve for the worst case, and whether there is any."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from typing import Final

from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory

_RESERVE: Final = "reserve"
_RESERVE_BYTES: Final = 2**20
_ENOUGH_BYTES: Final = 2 * _RESERVE_BYTES
"""Free beyond what is left to others: with less of it a disk counts as full, and no reserve is set aside."""
_SMALL_BYTES: Final = 2 * _ENOUGH_BYTES
_FREE_PART, _FREE_MIN, _FREE_MAX = 0.01, 4 * 2**20, 256 * 2**20
"""Room that is left to others where nobody says how much: this part of the file system, within these bounds."""
_FREE_PART_MAX: Final = 0.5
"""Of a small file system no more than this part is left to others, or a spool there would never take a frame."""


class Room:
    """The room of one spool."""

    def __init__(self, directory: SpoolDirectory, min_free_bytes: int | None = None) -> None:
        """Store where.

        Args:
            directory: Open, and locked by this process.
            min_free_bytes: Room that is left to others; None: 1 % of the file system, at least 4 MiB, but no more than half of it, at most 256 MiB.
        """
        self.is_full = False
        """Whether there was no room when somebody looked last."""
        self.is_nearly_full = False
        """Whether there was less than twice what is left to others, as far as 256 MiB, when somebody looked last."""
        self.free: int | None = None
        """What might be written when somebody looked last; None where nobody has, or the system does not tell."""
        self._directory = directory
        self._min_free_bytes = min_free_bytes
        self._has_reserve = False

    def _free(self) -> tuple[int, int, int] | None:
        """Return the bytes that are free, those of them that are left to others, and how many there are in all."""
        free, total = disk.free_bytes(self._directory.place), disk.total_bytes(self._directory.place)
        self.free = free
        if free is None or total is None:
            return None
        kept = self._min_free_bytes
        if kept is None:
            kept = int(min(max(total * _FREE_PART, _FREE_MIN), _FREE_MAX, total * _FREE_PART_MAX))
        self.is_nearly_full = free < kept + min(kept, _FREE_MAX)
        return free, kept, total

    def check(self, size: int) -> None:
        """Raise what a full disk raises where so many bytes would take what is left to others."""
        room = self._free()
        if room is not None and room[0] - size < room[1]:
            text = f"{os.strerror(errno.ENOSPC)}: {room[0]} bytes are free, and {room[1]} are left to others (min_free_bytes)"
            raise OSError(errno.ENOSPC, text)

    def look(self, errors: Sequence[Exception] = ()) -> None:
        """Note whether there is room: not if one of these errors says so, else as the file system says."""
        if any(isinstance(error, OSError) and error.errno in disk.FULL for error in errors):
            self.is_full = True
        elif self.is_full or not self._has_reserve:
            room = self._free()
            free, kept, total = (_ENOUGH_BYTES, 0, _SMALL_BYTES) if room is None else room
            self.is_full = free < kept + self._enough(total - kept)
            if free >= kept + _ENOUGH_BYTES and not self._has_reserve:
                with contextlib.suppress(OSError):
                    self.set_reserve_aside()

    def _enough(self, total: int) -> int:
        """Return how many bytes must be free: a little more than a frame takes, which else would find a disk full again.

        A small file system may never have so many: there a quarter ends that it is full, and only a frame without room begins it.

        Args:
            total: Bytes that are not left to others.
        """
        if total >= _SMALL_BYTES:
            return _ENOUGH_BYTES
        return max(0, total - _RESERVE_BYTES * self._has_reserve) // 4 if self.is_full else 0

    def set_reserve_aside(self) -> None:
        """Take the room that `give_up_reserve` gives back."""
        descriptor = self._directory.open(_RESERVE, os.O_RDWR | os.O_CREAT)
        try:
            if os.fstat(descriptor).st_size < _RESERVE_BYTES:
                disk.allocate(descriptor, _RESERVE_BYTES)
        except OSError:
            self._directory.unlink(_RESERVE)
            raise
        finally:
            os.close(descriptor)
        self._has_reserve = True

    def give_up_reserve(self) -> None:
        """Give the reserve back to the file system: marks need its room, or the spool is closed."""
        self._directory.unlink(_RESERVE)
        self._has_reserve = False
