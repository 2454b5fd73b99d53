"""Reading image files off the event loop. The only module that imports aiofiles."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import aiofiles
import aiofiles.os

from picsellia_async.config import IMAGE_BYTES_MAX
from picsellia_async.errors import (
    ConfigurationError,
    FileIsDirectoryError,
    FileNotFoundException,
    FileNotReadableError,
)


async def read_image(path: str | Path, name: str = "image_path") -> bytes:
    """Return the bytes of a file.

    Args:
        path: Where the file is.
        name: Argument that named it, for messages.

    Raises:
        ConfigurationError: No path, no such file (also a `FileNotFoundError`), a directory (`IsADirectoryError`), not readable
            (`PermissionError`), empty, or above `IMAGE_BYTES_MAX`.
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise ConfigurationError(f"{name} must be a str or Path, got {path!r}")
    try:
        status = await aiofiles.os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise FileIsDirectoryError(f"{name}: {str(path)!r} is a directory, not an image file")
        if not 0 < status.st_size <= IMAGE_BYTES_MAX:
            raise ConfigurationError(
                f"{name}: {str(path)!r} has {status.st_size} bytes; an image has 1 to {IMAGE_BYTES_MAX}"
            )
        async with aiofiles.open(path, "rb") as file:
            content: bytes = await file.read()
            return content
    except FileNotFoundError as exc:
        raise FileNotFoundException(f"{name}: there is no file {str(path)!r}") from exc
    except PermissionError as exc:
        raise FileNotReadableError(f"{name}: {str(path)!r} may not be read by this user") from exc
    except OSError as exc:
        if isinstance(exc, ConfigurationError):
            raise
        raise ConfigurationError(f"{name}: {str(path)!r} cannot be read: {exc.strerror}") from exc
