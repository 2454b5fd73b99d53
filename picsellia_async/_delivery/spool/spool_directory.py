"""The directory of a spool: made for its user alone, refused where others could meddle, locked, and watched.

Who can write to the directory, or owns it, could put links in place of the spool's files, and have this process overwrite the
target. So the directory is opened once and checked before anything in it is touched, every file is opened relative to it and
without following links, and what has one of our names must be a plain file of this user with no second name.

The open directory has an identity (device and inode). Whether its path still leads there tells whether somebody deleted,
replaced or unmounted it: writing would go on without an error, into files that nobody can find again.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path
from typing import Final

from picsellia_async import _file_lock
from picsellia_async._delivery.spool import disk
from picsellia_async.errors import SpoolError

LOCK: Final = "lock"

_OURS: Final = re.compile(r"lock|reserve|spool\.json|.*\.tmp|\d{8}\.seg|\d{8}-\d+\.damaged")
"""Names of files that a spool writes."""
_SLOT: Final = re.compile(r"slot-\d{3}")
SLOTS_MAX: Final = 1000
"""Processes that may share a directory."""
_FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
)  # fmt: skip
"""O_NONBLOCK: a named pipe in place of a file must not hold the thread for ever."""
_HAS_DIR_FD: Final = os.open in os.supports_dir_fd

_held: set[int] = set()
"""Descriptors of the locks of this process."""


def _let_go() -> None:
    """A forked child shares its parent's lock, and would keep it when the parent is gone: it lets go of it."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


class SpoolInUseError(SpoolError):
    """Another uploader has the spool."""


def prepare(path: Path) -> None:
    """Make a directory if it is missing, for its user alone, and bring its name to disk.

    Raises:
        SpoolError: It cannot be made.
    """
    try:
        missing = [place for place in (path, *path.parents) if not place.exists()]
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in missing:
            _flush_directory(place.parent)
    except OSError as error:
        raise SpoolError(f"the spool {str(path)!r} cannot be made: {error.strerror}") from error


def _flush_directory(path: Path) -> None:
    """Without this a power cut may take a new name, and with it what was flushed below it."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SpoolDirectory:
    """An open, checked directory."""

    def __init__(self, path: Path) -> None:
        """Open and check it; nothing is written.

        Raises:
            SpoolError: It is missing or no directory, others could meddle with it, or links stand in place of its files.
        """
        self.path = path
        self._descriptor: int | None = None
        self._lock: int | None = None
        try:
            if _HAS_DIR_FD:
                self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | getattr(os, "O_CLOEXEC", 0))
            self._identity = self._identify(self._stat_self())
            self._check()
        except OSError as error:
            self.close()
            raise SpoolError(f"the spool {str(path)!r} cannot be used: {error.strerror}") from error
        except SpoolError:
            self.close()
            raise

    def _check(self) -> None:
        found = self._stat_self()
        if not stat.S_ISDIR(found.st_mode):
            raise SpoolError(f"the spool {str(self.path)!r} is no directory")
        if os.name == "posix":
            if found.st_uid != os.geteuid():
                raise SpoolError(
                    f"the spool {str(self.path)!r} belongs to user {found.st_uid}, and this process is user "
                    f"{os.geteuid()}: use a directory of your own, or change its owner"
                )
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise SpoolError(f"others may write to the spool {str(self.path)!r}: take that away (chmod go-w)")
        for name in self.names():
            self._check_file(name)

    def _check_file(self, name: str) -> None:
        found = self.stat(name)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise SpoolError(f"{name!r} in the spool {str(self.path)!r} is a link or no plain file; take it away")
        if os.name == "posix" and found.st_uid != os.geteuid():
            raise SpoolError(f"{name!r} in the spool {str(self.path)!r} belongs to user {found.st_uid}; take it away")

    def _stat_self(self) -> os.stat_result:
        return self.path.stat() if self._descriptor is None else os.fstat(self._descriptor)

    @property
    def _place(self) -> str | int:
        """What system calls take for the directory."""
        return os.fspath(self.path) if self._descriptor is None else self._descriptor

    @property
    def place(self) -> str | int:
        """The directory for `statvfs`."""
        return self._place

    @staticmethod
    def _identify(found: os.stat_result) -> tuple[int, int]:
        return found.st_dev, found.st_ino

    def names(self) -> list[str]:
        """Return the names of the spool's files, sorted. Other files are left alone."""
        return sorted(name for name in os.listdir(self._place) if _OURS.fullmatch(name))  # noqa: PTH208 - of an open directory

    def stat(self, name: str) -> os.stat_result:
        """Tell about a file; a link is not followed."""
        if self._descriptor is None:
            return os.lstat(self.path / name)
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def open(self, name: str, flags: int) -> int:
        """Open a plain file, for its user alone; a link is not followed.

        Returns:
            The descriptor.
        """
        path = self.path / name if self._descriptor is None else Path(name)
        descriptor = os.open(path, flags | _FLAGS, 0o600, dir_fd=self._descriptor)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise OSError(f"{name} is no plain file")
            if os.name == "posix" and stat.S_IMODE(found.st_mode) != 0o600:
                os.fchmod(descriptor, 0o600)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def unlink(self, name: str) -> None:
        """Delete a file; that it is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            if self._descriptor is None:
                (self.path / name).unlink()
            else:
                os.unlink(name, dir_fd=self._descriptor)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of whatever has it."""
        if self._descriptor is None:
            (self.path / old).replace(self.path / new)
        else:
            os.replace(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def flush(self) -> None:
        """Bring new and changed names to disk."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)

    def write_file(self, name: str, data: bytes) -> None:
        """Write a small file as a whole: under its name stands the old or the new one, never a part."""
        temporary = f"{name}.tmp"
        try:
            descriptor = self.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            try:
                disk.write_at(descriptor, 0, data)
                # Before the rename: a power cut could else leave the name with an empty file behind it.
                disk.flush(descriptor)
            finally:
                os.close(descriptor)
            self.rename(temporary, name)
            self.flush()
        except OSError:
            self.unlink(temporary)
            raise

    def is_in_place(self) -> bool:
        """Return whether the path still leads to this directory."""
        try:
            return self._identify(self.path.stat()) == self._identity
        except OSError:
            return False

    def lock(self) -> None:
        """Keep other processes out until `close`, or until this process ends however that happens.

        Raises:
            SpoolError: Somebody else is in; the message names the process.
        """
        try:
            descriptor = self.open(LOCK, os.O_RDWR | os.O_CREAT)
            try:
                is_ours = _file_lock.take(descriptor)
                holder = "" if is_ours else os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            raise SpoolError(f"the spool {str(self.path)!r} cannot be used: {error.strerror}") from error
        if not is_ours:
            os.close(descriptor)
            me = " (this process)" if holder == str(os.getpid()) else ""
            raise SpoolInUseError(f"the spool {str(self.path)!r} is in use by process {holder}{me}")
        _held.add(descriptor)
        self._lock = descriptor
        # On a full disk there may be no room for the name of the holder; the lock holds without it.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b"%d\n" % os.getpid())

    def holder(self) -> int | None:
        """Return the process that says it has the lock and that runs; None: there is none. The lock is not touched.

        Trying to take it would have an uploader that opens in that moment refused.
        """
        try:
            descriptor = self.open(LOCK, os.O_RDONLY)
        except OSError:
            return None
        try:
            text = os.read(descriptor, 32).strip()
        finally:
            os.close(descriptor)
        if not text.isdigit():
            return None
        if os.name == "posix":
            try:
                os.kill(int(text), 0)
            except ProcessLookupError:  # it was killed, and could not take its name out
                return None
            except (PermissionError, OverflowError):
                pass
        return int(text)

    def close(self) -> None:
        """Let others in, and close."""
        descriptor, self._lock = self._lock, None
        if descriptor is not None and descriptor in _held:
            _held.discard(descriptor)
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                # Closing alone would leave it to a child that was forked and did not get round to `_let_go` yet.
                _file_lock.release(descriptor)
            os.close(descriptor)
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def slots_of(path: Path) -> list[Path]:
    """Return the spools that stand in a directory which several processes share, in order."""
    try:
        return sorted(one for one in path.iterdir() if _SLOT.fullmatch(one.name) and one.is_dir())
    except FileNotFoundError:
        return []


def take_slot(path: Path) -> SpoolDirectory:
    """Return the first free slot of a directory that several processes share, locked; made where all are in use.

    Raises:
        SpoolError: The directory is a spool itself, or cannot be used.
    """
    prepare(path)
    shared = SpoolDirectory(path)
    try:
        if any(name.endswith(".seg") for name in shared.names()):
            raise SpoolError(
                f"the spool {str(path)!r} was used by one process alone, and holds its frames: replay it first, or use another directory"
            )
    finally:
        shared.close()
    for number in range(SLOTS_MAX):
        place = path / f"slot-{number:03d}"
        prepare(place)
        directory = SpoolDirectory(place)
        try:
            directory.lock()
        except SpoolInUseError:
            directory.close()
            continue
        except BaseException:
            directory.close()
            raise
        return directory
    raise SpoolError(f"all {SLOTS_MAX} slots of the spool {str(path)!r} are in use")
