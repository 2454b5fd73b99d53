"""Accepted frames on disk, for an event loop that must never wait for a disk: one thread owns the file.

Five verbs: `put`, `claim`, `acknowledge`, `reject`, and `open`, which recovers. All return at once or are awaited; the thread
takes what has gathered and makes one transaction of it, so that a hundred frames cost one `fsync`.

Crash points, and what the next `open` does:

1. Before the commit that holds a frame: the frame is not on disk. With `durability="commit"` nobody was told that it was
   accepted; with `"interval"` it is lost, and no commit is further away than `commit_interval`.
2. In the middle of a commit: SQLite's WAL drops the whole transaction. As 1.
3. After the commit, before the frame was sent: it is delivered after `open`, in its order.
4. After it was sent, before the answer, or before the commit that deletes it: it is sent again. The service stores it twice,
   unless it answers 409 or `deduplicate` finds it: every frame found by `open` counts as "may be stored".
5. In a checkpoint of the WAL: SQLite repeats it.
6. Damage by other hands: `spool_file` sets records aside, or salvages the file.

A file lock keeps other processes out for as long as this one lives; the kernel drops it with the process, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import attrs

from picsellia_async._delivery.spool.store import Record, Recovery, SpoolFile
from picsellia_async.errors import SpoolError

try:
    import fcntl
except ImportError:  # Windows: SQLite's own lock still keeps two writers apart, only later and less politely
    fcntl = None  # type: ignore[assignment]

Durability: TypeAlias = Literal["commit", "interval"]
"""`commit`: accepted means on disk. `interval`: it will be within `commit_interval`."""

_GROUP_BYTES: Final = 16 * 2**20
"""Bytes after which a transaction is made without waiting for more."""


_held: set[int] = set()
"""Descriptors of the locks of this process."""


def _let_go() -> None:
    """A forked child shares its parent's lock, and would keep it when the parent is gone: it lets go of it."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


class SpoolLock:
    """The right to use a directory, held until released or until the process ends."""

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises:
            SpoolError: Somebody else has it (the message names the process), or the directory cannot be used.
        """
        self._path = directory / "lock"
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise SpoolError(f"the spool {str(directory)!r} cannot be used: {error.strerror}") from error
        if fcntl is not None:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(self._fd)
                me = " (this process)" if holder == str(os.getpid()) else ""
                raise SpoolError(f"the spool {str(directory)!r} is in use by process {holder}{me}") from error
        _held.add(self._fd)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let others in."""
        if self._fd in _held:
            _held.discard(self._fd)
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
                if fcntl is not None:
                    # Closing alone would leave it to a child that was forked and did not get round to `_let_go` yet.
                    fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)


@attrs.define(eq=False)
class _Put:
    record: Record
    done: Callable[[BaseException | None, bool], None]
    """Called in the loop with the error, and whether the id was known already."""


@attrs.define(eq=False)
class _Job:
    """Anything else that needs the file: runs in the thread, after what came before it was committed."""

    run: Callable[[SpoolFile], Any]
    done: Callable[[Any, BaseException | None], None]


@attrs.frozen
class Claimed:
    """Records that were read."""

    records: list[Record]
    """In order."""
    damaged: list[int]
    """Orders of those that are missing or damaged."""


_STOP: Final = object()


def prepare(directory: Path) -> None:
    """Make the directory if it is missing, for its user alone, and bring its name to disk.

    Raises:
        SpoolError: It cannot be made.
    """
    try:
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in missing:
            _sync_directory(path.parent)
    except OSError as error:
        raise SpoolError(f"the spool {str(directory)!r} cannot be made: {error.strerror}") from error


def _sync_directory(path: Path) -> None:
    """Flush a directory: without that a power cut may take a new name, and with it what was flushed below it."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Spool:
    """An open spool. Belongs to one event loop; every callback runs there."""

    def __init__(
        self, directory: Path, owner: Mapping[str, str], durability: Durability = "commit", commit_interval: float = 0.1
    ) -> None:
        """Store the settings.

        Args:
            directory: Made if missing.
            owner: See `SpoolFile`.
            durability: When a put counts as accepted; see the module.
            commit_interval: Longest time between a put and its commit in `interval` mode, in seconds.
        """
        self.directory = directory
        self.durability = durability
        self.error: BaseException | None = None
        """What the last transaction ended in; None after one that went well."""
        self._owner = owner
        self._interval = commit_interval
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._urgent = threading.Event()
        self._undone: list[Any] = []
        self._gathered = 0
        self._lock: SpoolLock | None = None
        self._thread: threading.Thread | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, found: Callable[[int, str, int], None]) -> Recovery:
        """Lock the directory, open the file and count what it holds.

        Args:
            found: Called in the thread with order, source and size of each record to be delivered, in order.

        Raises:
            SpoolError: It is in use, belongs to another deployment, or cannot be opened.
        """
        loop = self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[Recovery] = loop.create_future()
        self._stopped = loop.create_future()
        self._thread = threading.Thread(
            target=self._work, args=(loop, opened, found), name="picsellia-spool", daemon=True
        )
        self._thread.start()
        return await asyncio.shield(opened)

    def put(self, record: Record, done: Callable[[BaseException | None, bool], None]) -> None:
        """Write a record with the next transaction.

        Args:
            record: The record.
            done: Called after the transaction with its error, and whether the id was on disk already.
        """
        self._jobs.put(_Put(record, done))
        self._gathered += record.size
        if self.durability == "commit" or self._gathered >= _GROUP_BYTES:
            self._urgent.set()

    def acknowledge(self, seq: int) -> None:
        """Delete a record that was delivered, with the next transaction."""
        self._jobs.put(seq)

    def reject(self, seq: int, reason: str) -> None:
        """Turn a record into a dead letter, with the next transaction."""
        self._jobs.put((seq, reason))

    async def claim(self, seqs: Sequence[int]) -> Claimed:
        """Read records; see `SpoolFile.claim`.

        Raises:
            SpoolError: The file cannot be read.
        """

        def run(file: SpoolFile) -> Claimed:
            try:
                return Claimed(*file.claim(seqs))
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                file.salvage()
                return Claimed(*file.claim(seqs))

        claimed: Claimed = await self._ask(run)
        return claimed

    async def ids(self, seqs: Sequence[int]) -> list[tuple[int, bytes]]:
        """Return order and id of those of the records that are on disk."""
        result: list[tuple[int, bytes]] = await self._ask(lambda file: file.ids(seqs))
        return result

    async def drop_rejected(self, min_bytes: int) -> tuple[int, int]:
        """Delete the oldest dead letters; see `SpoolFile.drop_rejected`."""
        result: tuple[int, int] = await self._ask(lambda file: file.drop_rejected(min_bytes))
        return result

    async def sync(self) -> None:
        """Wait until everything put, acknowledged and rejected so far is on disk."""
        await self._ask(lambda _: None)

    async def _ask(self, run: Callable[[SpoolFile], Any]) -> Any:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        self._jobs.put(_Job(run, done))
        self._urgent.set()
        return await answer

    async def close(self, seconds: float) -> bool:
        """Commit what is left, close the file and release the directory.

        Args:
            seconds: How long to wait for the disk.

        Returns:
            Whether the disk was fast enough; if not, the thread goes on by itself, and the directory stays locked until then.
        """
        if self._thread is None or self._stopped is None:
            return True
        self._jobs.put(_STOP)
        self._urgent.set()
        done, _ = await asyncio.wait([self._stopped], timeout=seconds)
        return bool(done)

    # The thread.

    def _work(
        self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[Recovery], found: Callable[[int, str, int], None]
    ) -> None:
        file = SpoolFile(self.directory, self._owner)
        failure: BaseException | None = None
        try:
            prepare(self.directory)
            self._lock = SpoolLock(self.directory)
            recovery = file.open()
            file.list_pending(found)
        except BaseException as error:  # noqa: BLE001 - handed to who waits in the loop
            failure = error
        else:
            self._tell(loop, _succeed, opened, recovery)
            with contextlib.suppress(_Stop):
                while True:
                    self._turn(loop, file)
        with contextlib.suppress(sqlite3.Error):
            file.close()
        if self._lock is not None:
            self._lock.release()
        # Told last: whoever hears of a failure, or of the end, may open the directory again at once.
        if failure is not None:
            self._tell(loop, _fail, opened, failure)
        self._tell(loop, _succeed, self._stopped, None)

    def _turn(self, loop: asyncio.AbstractEventLoop, file: SpoolFile) -> None:
        """Wait for something to do, let more gather, and make one transaction of it."""
        work = [self._jobs.get()]
        if not isinstance(work[0], _Job) and work[0] is not _STOP:
            # In commit mode a put is urgent; acknowledgements alone can always wait.
            self._urgent.wait(self._interval)
        self._urgent.clear()
        self._gathered = 0
        is_job = isinstance(work[0], _Job) or work[0] is _STOP
        while not is_job:
            try:
                item = self._jobs.get_nowait()
            except queue.Empty:
                break
            work.append(item)
            is_job = isinstance(item, _Job) or item is _STOP
        last = work.pop() if is_job else None
        self._commit(loop, file, work)
        if last is _STOP:
            raise _Stop
        if isinstance(last, _Job):
            self._run(loop, file, last)

    def _commit(self, loop: asyncio.AbstractEventLoop, file: SpoolFile, work: list[Any]) -> None:
        puts = {item.record.seq: item for item in work if isinstance(item, _Put)}
        rest = self._undone + [item for item in work if not isinstance(item, _Put)]
        acknowledged = {item for item in rest if isinstance(item, int)}
        rejected = [item for item in rest if isinstance(item, tuple)]
        # What was delivered before it was written needs neither: the two cancel out.
        fresh = [put.record for seq, put in puts.items() if seq not in acknowledged]
        error: BaseException | None = None
        known: list[int] = []
        try:
            if fresh or rejected or acknowledged - puts.keys():
                known = file.apply(fresh, sorted(acknowledged - puts.keys()), rejected)
        except (sqlite3.Error, SpoolError) as exc:
            error = SpoolError(f"the spool {str(self.directory)!r} cannot be written: {exc}")
            error.__cause__ = exc
        self.error = error
        # A full disk must not turn delivered frames into frames to be delivered: try again with the next transaction.
        self._undone = rest if error is not None else []
        if puts:
            done = [(put.done, error, seq in known) for seq, put in puts.items()]
            self._tell(loop, _finish, done)

    def _run(self, loop: asyncio.AbstractEventLoop, file: SpoolFile, job: _Job) -> None:
        try:
            result = job.run(file)
        except (sqlite3.Error, SpoolError, OSError) as exc:
            error = SpoolError(f"the spool {str(self.directory)!r} cannot be read: {exc}")
            error.__cause__ = exc
            self._tell(loop, job.done, None, error)
        else:
            self._tell(loop, job.done, result, None)

    def _tell(self, loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever wanted to know
            loop.call_soon_threadsafe(function, *args)


class _Stop(Exception):
    """The thread's way out."""


def _finish(done: list[tuple[Callable[[BaseException | None, bool], None], BaseException | None, bool]]) -> None:
    for callback, error, known in done:
        callback(error, known)


def _succeed(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
