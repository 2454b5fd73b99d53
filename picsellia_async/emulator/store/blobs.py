"""Contents of images and other objects, by their SHA-256: files below a directory, or memory up to a limit.

What an object is called, and which data it belongs to, is the store's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import OrderedDict
from pathlib import Path
from typing import Final

from picsellia_async.emulator.refusal import not_found

MEMORY_MAX: Final = 512 * 2**20
"""Bytes of contents kept without a directory; the oldest are forgotten first, their hashes and sizes are not."""


class Blobs:
    """Contents by SHA-256; the same content is kept once."""

    def __init__(self, directory: Path | None, memory_max: int = MEMORY_MAX) -> None:
        """Begin with what the directory holds.

        Args:
            directory: Where files lie; None keeps contents in memory.
            memory_max: Bytes kept in memory at most.
        """
        self._directory = directory
        self._memory_max = memory_max
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._memory_size = 0
        self._fresh: dict[str, bytes] = {}
        """Contents on their way to the disk; readable meanwhile."""

    def put(self, sha256: str, content: bytes) -> None:
        """Take a content; `write` brings it to the disk."""
        if self._directory is not None:
            self._fresh[sha256] = content
        elif sha256 not in self._memory:
            self._memory[sha256] = content
            self._memory_size += len(content)
            while self._memory_size > self._memory_max and len(self._memory) > 1:
                _, oldest = self._memory.popitem(last=False)
                self._memory_size -= len(oldest)

    async def write(self) -> None:
        """Bring everything taken so far to the disk, in a worker thread."""
        fresh, self._fresh = self._fresh, {}
        if fresh:
            try:
                await asyncio.to_thread(self._write_files, fresh)
            except BaseException:
                self._fresh = {**fresh, **self._fresh}
                raise

    def _write_files(self, contents: dict[str, bytes]) -> None:
        for sha256, content in contents.items():
            path = self._path(sha256)
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            # A kill in the middle leaves the temporary file, never half a content under a good name.
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(content)
            temporary.replace(path)

    async def get(self, sha256: str) -> bytes:
        """Return a content.

        Raises:
            Refusal: 404, it is not there, or was forgotten because of the memory limit.
        """
        found = self._memory.get(sha256) or self._fresh.get(sha256)
        if found is not None:
            return found
        if self._directory is not None:
            with contextlib.suppress(FileNotFoundError):
                return await asyncio.to_thread(self._path(sha256).read_bytes)
        if sha256 == EMPTY_SHA256:
            return b""
        raise not_found("content in the storage", sha256)

    def _path(self, sha256: str) -> Path:
        return (self._directory or Path()) / sha256[:2] / sha256

    def clear(self) -> None:
        """Forget what is in memory; files stay, since other names may come to mean them again."""
        self._memory.clear()
        self._fresh.clear()
        self._memory_size = 0


EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""Hash of nothing; an empty bytes object is false, so it is not looked for among the others."""
