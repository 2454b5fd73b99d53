"""`Blobs`: contents of images and other objects by their SHA-256, as files below a directory or in memory up to a limit.

Theory of operation. Storing a content has two steps. `stage` does what takes time: a worker thread writes the bytes to a file of their
own in `incoming`, several requests at once in one trip to the thread. `keep`, inside the transaction of a request, gives that file its
good name, which takes microseconds; if the transaction fails, the name goes away again. So a row never names a content that is
not there, a request that failed leaves no content behind, and a kill in the middle leaves at most files in `incoming`, which the next
start removes. What an object is called, and which data it belongs to, is the store's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from picsellia_async.emulator.refusal import not_found

MEMORY_MAX: Final = 512 * 2**20
"""Bytes of contents kept without a directory; the oldest are forgotten first, their hashes and sizes are not."""

EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""Hash of nothing. An empty bytes object is false, so it is not looked for among the others."""


@attrs.define(eq=False)
class Content:
    """A content on its way into the storage."""

    sha256: str
    """Hash of the bytes."""
    data: bytes = attrs.field(repr=False)
    incoming: Path | None = None
    """The file that holds them until they are kept; None: in memory, or there is such a content already."""


@attrs.define(eq=False)
class _Staging:
    """One call of `stage` that waits for the thread."""

    content: Content
    done: asyncio.Future[None]


class Blobs:
    """Contents by SHA-256; the same content is kept once."""

    def __init__(self, directory: Path | None, memory_max: int = MEMORY_MAX) -> None:
        """Begin with what the directory holds; what an earlier process left in `incoming` is removed.

        Args:
            directory: Where files lie; None keeps contents in memory.
            memory_max: Bytes kept in memory at most.

        Raises:
            OSError: The directory cannot be used.
        """
        self._directory = directory
        self._memory_max = memory_max
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._memory_size = 0
        self._waiting: list[_Staging] = []
        self._writer: asyncio.Task[None] | None = None
        self._number = 0
        if directory is not None:
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)  # also one that is there: contents are nobody else's to read
            for left_over in self._incoming.iterdir():
                left_over.unlink()

    @property
    def _incoming(self) -> Path:
        return (self._directory or Path()) / "incoming"

    async def stage(self, sha256: str, data: bytes) -> Content:
        """Do what takes time about a content; `keep` or `drop` it afterwards.

        Raises:
            OSError: It cannot be written: the disk is full, for instance.
        """
        content = Content(sha256, data)
        if self._directory is None or self._path(sha256).exists():
            return content
        staging = _Staging(content, asyncio.get_running_loop().create_future())
        self._waiting.append(staging)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_waiting())
        try:
            await staging.done
        except asyncio.CancelledError:
            # Cancelled after its file was written, but before it was told: nobody else will remove the file.
            if staging.done.done() and not staging.done.cancelled():
                self.drop(content)
            raise
        return content

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                for staging in group:
                    self._number += 1
                    staging.content.incoming = self._incoming / str(self._number)
                problems = await asyncio.to_thread(self._write_files, [staging.content for staging in group])
                for staging, problem in zip(group, problems, strict=True):
                    if staging.done.cancelled():
                        # The request went away while its file was written; nobody else will remove it.
                        self.drop(staging.content)
                    elif problem is None:
                        staging.done.set_result(None)
                    else:
                        self.drop(staging.content)
                        staging.done.set_exception(problem)
        finally:
            self._writer = None

    def _write_files(self, contents: list[Content]) -> list[OSError | None]:
        problems: list[OSError | None] = []
        for content in contents:
            try:
                self._path(content.sha256).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(content.incoming, content.data)
                problems.append(None)
            except OSError as exc:
                problems.append(exc)
        return problems

    def keep(self, content: Content) -> Callable[[], None]:
        """Take a content in, inside a transaction; return what undoes that.

        Raises:
            OSError: It cannot be written.
        """
        if self._directory is None:
            return self._keep_in_memory(content)
        path = self._path(content.sha256)
        if path.exists():
            return _nothing
        if content.incoming is None:
            # It was never staged (what a new emulator holds), or the content that made staging needless was undone since.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            content.incoming = self._incoming / content.sha256
            _write(content.incoming, content.data)
        content.incoming.replace(path)
        content.incoming = None
        return path.unlink

    def _keep_in_memory(self, content: Content) -> Callable[[], None]:
        if content.sha256 in self._memory:
            return _nothing
        self._memory[content.sha256] = content.data
        self._memory_size += len(content.data)

        def undo() -> None:
            self._memory_size -= len(self._memory.pop(content.sha256))

        return undo

    def forget_oldest(self) -> None:
        """Bring what is in memory below its limit; after the transaction, so that what was undone has pushed nothing out."""
        while self._memory_size > self._memory_max and len(self._memory) > 1:
            _, oldest = self._memory.popitem(last=False)
            self._memory_size -= len(oldest)

    def drop(self, content: Content) -> None:
        """Remove what `stage` wrote, unless it was kept. Dropping twice is fine."""
        if content.incoming is not None:
            content.incoming.unlink(missing_ok=True)
            content.incoming = None

    async def get(self, sha256: str) -> bytes:
        """Return a content.

        Raises:
            Refusal: 404, it is not there, or was forgotten because of the memory limit.
        """
        found = self._memory.get(sha256)
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

    def clear(self) -> Callable[[], None]:
        """Forget what is in memory; return what undoes that. Files stay, since other names may come to mean them again."""
        before = self._memory, self._memory_size
        self._memory, self._memory_size = OrderedDict(), 0

        def undo() -> None:
            self._memory, self._memory_size = before

        return undo

    async def close(self) -> None:
        """Wait for files that are being written. Closing twice is fine."""
        if self._writer is not None:
            await asyncio.wait([self._writer])


def _write(path: Path | None, data: bytes) -> None:
    """Write a new file that only its owner may read."""
    if path is None:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, opened above with its mode
        file.write(data)


def _nothing() -> None:
    """Undo nothing: the content was there before."""
