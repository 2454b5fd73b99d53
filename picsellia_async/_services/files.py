"""Reading and writing files off the event loop. The only module that imports aiofiles."""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, ParamSpec, Self, TypeVar

import aiofiles.os

from picsellia_async._services.downloaded_files import File
from picsellia_async.config import IMAGE_BYTES_MAX
from picsellia_async.errors import (
    ConfigurationError,
    FileIsDirectoryError,
    FileNotFoundException,
    FileNotReadableError,
)
from picsellia_async.validation import checked_path

WRITE_BYTES: Final = 1 << 20
"""Bytes of a download that are collected in memory and written at once."""

P = ParamSpec("P")
T = TypeVar("T")


async def read_image(path: str | Path, name: str = "image_path", version: tuple[int, int] | None = None) -> bytes:
    """Return the bytes of an image file.

    Args:
        path: Where the file is.
        name: Argument that named it, for messages.
        version: Size and time of change that it must have (`Frame.file_version`); None: whatever it has.

    Raises:
        ConfigurationError: No path, no such file (also a `FileNotFoundError`), a directory (`IsADirectoryError`), not readable
            (`PermissionError`), empty, above `IMAGE_BYTES_MAX`, or not of that version.
    """
    size = await file_size(path, name)
    if size > IMAGE_BYTES_MAX:
        raise ConfigurationError(f"{name}: {str(path)!r} has {size} bytes; an image has 1 to {IMAGE_BYTES_MAX}")
    with _explained(path, name):
        content, found = await _off_loop(_read_version_in_thread, _read_version, path)
    if version is not None and found != version:
        raise ConfigurationError(
            f"{name}: {str(path)!r} was changed after its frame was made, and holds another picture than the one predicted on: "
            "give each picture a file of its own, or give its bytes"
        )
    return content


async def file_size(path: str | Path, name: str) -> int:
    """Return the size of a file in bytes.

    Raises:
        ConfigurationError: As for `read_image`, whatever the size.
    """
    checked_path(path, name)
    with _explained(path, name):
        status = await _off_loop(_stat, os.stat, path)
    if stat.S_ISDIR(status.st_mode):
        raise FileIsDirectoryError(f"{name}: {str(path)!r} is a directory, not a file")
    if not status.st_size:
        raise ConfigurationError(f"{name}: {str(path)!r} has 0 bytes")
    return status.st_size


async def read_slice(path: Path, start: int, size: int, name: str = "path") -> bytes:
    """Return `size` bytes of a file from `start` on.

    Raises:
        ConfigurationError: The file is gone, may not be read, or is shorter than it was.
    """
    with _explained(path, name):
        content = await _off_loop(_read_in_thread, _read, path, start, size)
    if len(content) != size:
        raise ConfigurationError(f"{name}: {str(path)!r} became shorter while it was read")
    return content


async def look_at(path: Path) -> File:
    """Say where a file is to be written, and whether there is one."""
    return await _off_loop(_file_at_in_thread, File.at, path)


class UnfinishedFile:
    """A file on its way into a directory: it appears under its name only when it is whole. Use it with `async with`.

    Each step runs in a thread and is waited for to its end, by a caller who is cancelled too: what a thread opens or writes late would
    stay behind.
    """

    def __init__(self, path: Path, name: str) -> None:
        """Store the place; nothing is opened.

        Args:
            path: Where it will be.
            name: Argument that named the directory, for messages.
        """
        self._path = path
        self._name = name
        # Not made of the file's name, which may be as long as names can be.
        self._part = path.with_name(f".{secrets.token_hex(8)}.part")
        self._file: BinaryIO | None = None
        self._pieces: list[bytes] = []
        self._waiting = 0

    async def __aenter__(self) -> Self:
        """Make the directory, and open the file there under another name.

        Raises:
            ConfigurationError: It may not be written there.
        """
        try:
            await _to_its_end(self._open)
        except FileIsDirectoryError:
            raise
        except (OSError, ValueError) as exc:  # ValueError: a NUL in it
            reason = exc.strerror if isinstance(exc, OSError) else exc
            raise ConfigurationError(f"{self._name}: {str(self._path)!r} cannot be written: {reason}") from exc
        except asyncio.CancelledError:  # it is open nevertheless, and nobody calls `__aexit__`
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove what is not whole."""
        self._pieces.clear()
        if self._file is not None:
            await _to_its_end(self._discard)

    async def begin(self) -> None:
        """Begin again: what was written so far is forgotten.

        Raises:
            OSError: The disk fails.
        """
        self._pieces.clear()
        self._waiting = 0
        await _to_its_end(self._empty)

    async def write(self, piece: bytes) -> None:
        """Write the next piece, or keep it for the next `WRITE_BYTES`.

        Raises:
            OSError: The disk is full, or fails.
        """
        self._pieces.append(piece)
        self._waiting += len(piece)
        if self._waiting >= WRITE_BYTES:
            await self._flush()

    async def commit(self) -> None:
        """Give the file its name.

        Raises:
            OSError: The disk is full, or fails.
        """
        await self._flush()
        await _to_its_end(self._rename)

    async def _flush(self) -> None:
        pieces, self._pieces, self._waiting = self._pieces, [], 0
        await _to_its_end(self._write, pieces)

    # In a thread.

    def _open(self) -> None:
        if self._path.is_dir():
            raise FileIsDirectoryError(f"{self._name}: {str(self._path)!r} is a directory, not a file")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("xb", buffering=0)

    def _empty(self) -> None:
        file = self._opened()
        file.seek(0)
        file.truncate()

    def _write(self, pieces: list[bytes]) -> None:
        file = self._opened()
        for piece in pieces:
            view = memoryview(piece)
            while view:  # an unbuffered file may take less than all
                view = view[file.write(view) :]

    def _rename(self) -> None:
        self._opened().close()
        self._part.replace(self._path)
        self._file = None

    def _discard(self) -> None:
        self._opened().close()
        self._part.unlink(missing_ok=True)
        self._file = None

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("the file is not open")
        return self._file


async def _to_its_end(step: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Run a step in a thread and wait for its end; only then hand on a cancellation."""
    try:
        running = asyncio.get_running_loop().run_in_executor(None, functools.partial(step, *args, **options))
    except RuntimeError:  # the interpreter ends: no pool takes work any more
        return step(*args, **options)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        running.exception()  # looked at: the loop need not tell of it
        raise cancelled
    return running.result()


# Opened and closed in one turn of a thread: a file that is opened in one and closed in another stays open where the call is
# cancelled in between.
def _read(path: str | Path, start: int = 0, size: int = -1) -> bytes:
    with Path(path).open("rb") as file:
        file.seek(start)
        return file.read(size)


def _read_version(path: str | Path) -> tuple[bytes, tuple[int, int]]:
    """Return the bytes of a file, and size and time of change afterwards: what is written while it is read shows in them."""
    content = _read(path)
    state = os.stat(path)  # noqa: PTH116 - of a text as well
    return content, (state.st_size, state.st_mtime_ns)


_read_version_in_thread = aiofiles.os.wrap(_read_version)
_read_in_thread = aiofiles.os.wrap(_read)
_stat = aiofiles.os.wrap(os.stat)
_file_at_in_thread = aiofiles.os.wrap(File.at)


async def _off_loop(
    in_thread: Callable[P, Awaitable[T]], here: Callable[P, T], *args: P.args, **options: P.kwargs
) -> T:
    """Read in a thread, or here where the interpreter ends: no pool takes work any more, and there is nothing else to wait for the loop."""
    try:
        return await in_thread(*args, **options)
    except RuntimeError:
        # "cannot schedule new futures after shutdown", or its like: reading itself raises none.
        return here(*args, **options)


@contextmanager
def _explained(path: str | Path, name: str) -> Iterator[None]:
    """Turn errors of the file system into ours, which are of both kinds."""
    try:
        yield
    except FileNotFoundError as exc:
        raise FileNotFoundException(f"{name}: there is no file {str(path)!r}") from exc
    except PermissionError as exc:
        raise FileNotReadableError(f"{name}: {str(path)!r} may not be read by this user") from exc
    except OSError as exc:
        raise ConfigurationError(f"{name}: {str(path)!r} cannot be read: {exc.strerror}") from exc
