"""A process with a spool, in one thread and on a clock that jumps: a loop that waits for the spool's thread, and a disk with faults."""

from __future__ import annotations

import errno
import functools
import os
import queue
import threading
import types
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory
from picsellia_async._delivery.spool.store import Store

from ..support.virtual_time import VirtualLoop

SEGMENT_BYTES = 20_000


class Jobs:
    """The queue of the spool's thread. The thread works only while the loop waits for it: what happens depends on no race."""

    def __init__(self, died: threading.Event) -> None:
        self._jobs: deque[Any] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._died = died
        self._may_run = self._is_quiet = self._is_idle = False

    def put(self, job: object) -> None:
        self._jobs.append(job)

    def end_timed_wait(self) -> None:
        """Let as much time pass as the thread waits for something to do."""
        self._is_quiet = True

    def wait_for_thread(self) -> None:
        """Return once the thread has opened the files and waits for something to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._thread is not None, 30)

    def run_thread(self) -> None:
        """Let the thread do all there is to do; return when it waits for more, has ended, or died."""
        with self._changed:
            if self._thread is None or self._died.is_set():
                return
            self._may_run, self._is_idle = True, False
            self._changed.notify_all()
            while not (self._is_idle or self._died.is_set()) and self._thread.is_alive():
                self._changed.wait(0.005)
            self._may_run = False

    def get(self, timeout: float | None = None) -> Any:
        with self._changed:
            self._thread = threading.current_thread()
            self._changed.notify_all()
            while True:
                if self._may_run and self._jobs:
                    return self._jobs.popleft()
                if self._may_run and self._is_quiet:
                    self._is_quiet = False
                    if timeout is not None:
                        raise queue.Empty
                if self._may_run:
                    self._is_idle, self._may_run = True, False
                    self._changed.notify_all()
                self._changed.wait()

    def get_nowait(self) -> Any:
        if not self._jobs:
            raise queue.Empty
        return self._jobs.popleft()


class SpoolLoop(VirtualLoop):
    """Lets the spool's thread work before its clock jumps."""

    jobs: Jobs | None = None

    def _run_once(self) -> None:
        if not self._ready and self.jobs is not None:
            self.jobs.run_thread()
        super()._run_once()


class Disk:
    """The disk of one process: `left` bytes may be added; after `kill_after` more changes the process is dead."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.kill_after: int | None = None
        self.died = threading.Event()
        self.released = threading.Event()
        self.jobs = Jobs(self.died)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Stand between the store and the operating system."""
        spool = "picsellia_async._delivery.spool.spool"
        patch.setattr(f"{spool}.queue", types.SimpleNamespace(SimpleQueue=self._new_jobs, Empty=queue.Empty))
        patch.setattr(f"{spool}.Store", functools.partial(Store, segment_bytes=SEGMENT_BYTES))
        patch.setattr("picsellia_async._delivery.spool.store._TIDY_SECONDS", 0.0)
        patch.setattr("picsellia_async._delivery.spool.store._KEEP_BYTES", SEGMENT_BYTES // 2)
        patch.setattr(disk, "write_at", functools.partial(self._write_at, disk.write_at))
        patch.setattr(disk, "allocate", lambda descriptor, length: None)
        patch.setattr(disk, "free_bytes", lambda _: 2**40 if self.left is None else 2**26 + self.left)
        patch.setattr(disk, "total_bytes", lambda _: 2**32)
        patch.setattr(disk, "flush", lambda descriptor: self._change())
        patch.setattr(disk, "erase", functools.partial(self._after_change, disk.erase))
        for name in ("open", "unlink", "rename"):
            patch.setattr(SpoolDirectory, name, self._method(getattr(SpoolDirectory, name)))

    def _method(self, method: Any) -> Any:
        def changed(directory: SpoolDirectory, *args: Any) -> Any:
            return self._after_change(method, directory, *args)

        return changed

    def _new_jobs(self) -> Jobs:
        self.jobs = Jobs(self.died)
        return self.jobs

    def _after_change(self, function: Any, *args: Any) -> Any:
        self._change()
        return function(*args)

    def _change(self) -> bool:
        """Count a change; raise where the process is dead."""
        if self.kill_after is None:
            return True
        self.kill_after -= 1
        if self.kill_after < 0:
            # What the process did until now stays; nothing follows, and nobody hears of an error before the loop is stopped.
            if not self.released.is_set():
                self.died.set()
                self.released.wait(30)
            raise OSError(errno.EIO, "killed")
        return True

    def _write_at(self, write: Any, descriptor: int, offset: int, data: bytes) -> None:
        grows = offset + len(data) - os.fstat(descriptor).st_size
        try:
            self._change()
        except OSError:
            if self.kill_after == -1 and self.died.is_set():
                write(descriptor, offset, bytes(data)[: len(data) // 2])
            raise
        if self.left is not None and grows > 0:
            if grows > self.left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.left -= grows
        write(descriptor, offset, data)

    def release(self) -> None:
        """Let the thread of the dead process come to its end, without a change to the disk."""
        self.kill_after = -1
        self.died.clear()
        self.released.set()

    def revive(self) -> None:
        """Begin another process."""
        self.kill_after = None
        self.died.clear()
        self.released.clear()


def flip(directory: Path, place: float, bit: int) -> bool:
    """Flip a bit in a segment, at this share of all their bytes; False where there is none."""
    segments = sorted(directory.glob("*.seg"))
    sizes = [path.stat().st_size for path in segments]
    at = int(place * sum(sizes))
    for path, size in zip(segments, sizes, strict=True):
        if at < size:
            descriptor = os.open(path, os.O_RDWR)
            try:
                byte = os.pread(descriptor, 1, at)
                os.pwrite(descriptor, bytes([byte[0] ^ 1 << bit]), at)
            finally:
                os.close(descriptor)
            return True
        at -= size
    return False
