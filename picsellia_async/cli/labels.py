"""The file of `--labels`: names of a model's classes."""

from __future__ import annotations

from pathlib import Path

from picsellia_async.cli.delivering import check_readable
from picsellia_async.errors import ConfigurationError
from picsellia_async.sources import SourceError
from picsellia_async.sources._name_files import read_names


def read_labels(path: Path) -> dict[int, str]:
    """Return the names by number.

    Raises:
        ConfigurationError: The file cannot be read, or holds no names.
    """
    check_readable(path, "--labels")
    try:
        names = read_names(path)
    except SourceError as error:
        raise ConfigurationError(f"--labels: {error}") from error
    if not names:
        raise ConfigurationError(f"--labels: {str(path)!r} holds no names")
    return names
