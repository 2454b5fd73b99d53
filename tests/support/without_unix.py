"""Run a piece of Python where what only Unix has is missing: `python without_unix.py CODE`. Prints what CODE prints.

Taken away are modules, functions of `os` and `asyncio`, files that can be deleted or renamed while they are open, and the name of
the system. What hangs on `os.name` stays: `pathlib` makes no path of the other kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import http.client
import importlib
import importlib.metadata
import os
import signal
import sqlite3
import sys
import types
from pathlib import Path

LOCKED_AT = 1 << 40


def locking(descriptor: int, _mode: int, _length: int) -> None:
    """Lock as Windows does: at the place where the descriptor stands, and with this error."""
    assert os.lseek(descriptor, 0, os.SEEK_CUR) == LOCKED_AT
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PermissionError(13, "Permission denied") from error


def refuse_signals(_loop: object, _number: int, *_: object) -> None:
    """Do as the loops of Windows."""
    raise NotImplementedError


def closed_only(function):
    """Have a function fail for files that this process holds open."""

    def guarded(path, *others, **options):
        full = os.path.realpath(os.fsdecode(path))
        for entry in Path("/proc/self/fd").iterdir():
            opened = ""
            with contextlib.suppress(OSError):  # closed since by another thread
                opened = str(entry.readlink())
            if opened == full:
                raise PermissionError(13, "The process cannot access the file because it is being used", full)
        return function(path, *others, **options)

    return guarded


def take_away() -> None:
    """From here on this process is as one on Windows, as far as it can be."""
    # Imported while the system still has its name: what others make of it is not looked at.
    for name in (
        "anyio._backends._asyncio",
        "httpx",
        "httpcore",
        "orjson",
        "uvicorn",
        "starlette.applications",
        "multiprocessing",
        "aiofiles.os",
    ):
        importlib.import_module(name)
    assert http.client, sqlite3
    assert importlib.metadata
    for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty"):
        sys.modules[name] = None  # type: ignore[assignment]
    sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)  # type: ignore[assignment]
    for name in (
        "pread", "pwrite", "preadv", "pwritev", "posix_fallocate", "posix_fadvise", "fdatasync", "statvfs", "fstatvfs", "register_at_fork",
        "fork", "SEEK_DATA", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "sched_getaffinity", "chown", "fchown",
    ):  # fmt: skip
        if hasattr(os, name):
            delattr(os, name)
    os.supports_dir_fd = set()
    for name in ("unlink", "remove", "rename", "replace"):
        setattr(os, name, closed_only(getattr(os, name)))
    for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGKILL"):
        delattr(signal, name)
    asyncio.SelectorEventLoop.add_signal_handler = refuse_signals  # type: ignore[assignment]
    sys.platform = "win32"


if __name__ == "__main__":
    sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
    code, sys.argv = sys.argv[1], sys.argv[1:]
    take_away()
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
