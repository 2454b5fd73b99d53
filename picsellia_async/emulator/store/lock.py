"""One emulator per data directory: a lock that ends with its process, whatever ends it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from picsellia_async import _file_lock
from picsellia_async.errors import ConfigurationError


@contextlib.contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Hold a directory for this process.

    Raises:
        ConfigurationError: Another emulator holds it; the message names its process.
        OSError: No file can be made or locked there.
    """
    path = directory / "lock"
    # Made with its mode: in a directory that others may read, the file is not theirs to hold.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    with path.open("a+") as file:
        if not _file_lock.take(file.fileno()):
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise ConfigurationError(f"{directory} is in use by another emulator, process {holder}")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
