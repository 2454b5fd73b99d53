"""Reading and writing files off the event loop. The only module that imports aiofiles."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import aiofiles.os

from picsellia_async.config import IMAGE_BYTES_MAX
from picsellia_async.errors import (
    ConfigurationError,
    FileIsDirectoryError,
    FileNotFoundException,
    FileNotReadableError,
    shown,
)

P = ParamSpec("P")
T = TypeVar("T")


async def read_image(path: str | Path, name: str = "image_path") -> bytes:
    """Return the bytes of an image file.

    Args:
        path: Where the file is.
        name: Argument that named it, for messages.

    Raises:
        ConfigurationError: No path, no such file (also a `FileNotFoundError`), a directory (`IsADirectoryError`), not readable
            (`PermissionError`), empty, or above `IMAGE_BYTES_MAX`.
    """
    size = await file_size(path, name)
    if size > IMAGE_BYTES_MAX:
        raise ConfigurationError(f"{name}: {str(path)!r} has {size} bytes; an image has 1 to {IMAGE_BYTES_MAX}")
    with _explained(path, name):
        return await _off_loop(_read_in_thread, _read, path)


async def file_size(path: str | Path, name: str) -> int:
    """Return the size of a file in bytes.

    Raises:
        ConfigurationError: As for `read_image`, whatever the size.
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise ConfigurationError(f"{name} must be a str or Path, got {shown(path)}")
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


async def exists(path: Path) -> bool:
    """Say whether there is a file."""
    return bool(await aiofiles.os.path.exists(path))


async def write_file(path: Path, content: bytes, name: str) -> None:
    """Write a file, and make its directory; it appears under its name only when it is whole.

    Raises:
        ConfigurationError: It may not be written there.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        await aiofiles.os.makedirs(path.parent, exist_ok=True)
        await _write(unfinished, content)
        await aiofiles.os.replace(unfinished, path)
    except OSError as exc:
        raise ConfigurationError(f"{name}: {str(path)!r} cannot be written: {exc.strerror}") from exc


# Opened and closed in one turn of a thread: a file that is opened in one and closed in another stays open where the call is
# cancelled in between.
def _read(path: str | Path, start: int = 0, size: int = -1) -> bytes:
    with Path(path).open("rb") as file:
        file.seek(start)
        return file.read(size)


_read_in_thread = aiofiles.os.wrap(_read)
_stat = aiofiles.os.wrap(os.stat)


async def _off_loop(
    in_thread: Callable[P, Awaitable[T]], here: Callable[P, T], *args: P.args, **options: P.kwargs
) -> T:
    """Read in a thread, or here where the interpreter ends: no pool takes work any more, and there is nothing else to wait for the loop."""
    try:
        return await in_thread(*args, **options)
    except RuntimeError:
        # "cannot schedule new futures after shutdown", or its like: reading itself raises none.
        return here(*args, **options)


@aiofiles.os.wrap
def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


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
