"""Whose frames a spool holds: `spool.json`, with a checksum. Every segment says it too, should that file be damaged."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool.segment import FIRST_AT, OWNER_BYTES_MAX, VERSION, read_header
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory, slots_of
from picsellia_async.errors import ConfigurationError, SpoolError

_OWNER: Final = "spool.json"
_OWNER_BYTES_READ: Final = 65_536


def write_owner(directory: SpoolDirectory, owner: Mapping[str, str]) -> None:
    """Write `spool.json`."""
    data = orjson.dumps(owner)
    if len(data) > OWNER_BYTES_MAX:
        raise ConfigurationError(f"the spool's owner takes {len(data)} bytes, more than {OWNER_BYTES_MAX}")
    text = orjson.dumps({"version": VERSION, "owner": owner, "checksum": zlib.crc32(data)})
    directory.write_file(_OWNER, text + b"\n")


def read_owner(directory: SpoolDirectory) -> dict[str, str] | None:
    """Return what `spool.json` says, or None if it is missing or damaged."""
    try:
        descriptor = directory.open(_OWNER, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        data = disk.read_around_errors(descriptor, 0, _OWNER_BYTES_READ)
    finally:
        os.close(descriptor)
    try:
        content = orjson.loads(data)
        version, owner, checksum = content["version"], content["owner"], content["checksum"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(owner, dict) or zlib.crc32(orjson.dumps(owner)) != checksum:
        return None
    if isinstance(version, int) and version > VERSION:
        raise SpoolError(f"the spool {str(directory.path)!r} was written by a newer version of picsellia_async")
    return owner


def owner_of(path: Path) -> dict[str, str]:
    """Return what a spool says about whose frames it holds, without opening it for delivery.

    Raises:
        ConfigurationError: There is no spool.
        SpoolError: It cannot be read.
    """
    if not path.is_dir():
        raise ConfigurationError(f"there is no spool in {str(path)!r}")
    directory = SpoolDirectory(path)
    try:
        owner = read_owner(directory)
        if owner is not None:
            return owner
        segments = [name for name in directory.names() if name.endswith(".seg")]
        for name in reversed(segments):
            descriptor = directory.open(name, os.O_RDONLY)
            try:
                header = read_header(disk.read_around_errors(descriptor, 0, FIRST_AT))
            finally:
                os.close(descriptor)
            if header is not None:
                found: dict[str, str] = orjson.loads(header.owner)
                return found
        if not segments:
            slots = slots_of(path)
            shared = f"; several processes share it: name one of its slots, {str(slots[0])!r}" if slots else ""
            raise ConfigurationError(f"there is no spool in {str(path)!r}{shared}")
        raise SpoolError(f"the spool {str(path)!r} does not say any more whose frames it holds")
    except OSError as error:
        raise SpoolError(f"the spool {str(path)!r} cannot be read: {error}") from error
    finally:
        directory.close()
