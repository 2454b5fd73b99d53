"""Accepted frames on disk, for an event loop that must never wait for a disk: one thread owns the files.

All verbs return at once or are awaited; the thread takes what has gathered and makes one commit of it, so that a hundred frames cost
one flush. Whatever fails in the thread fails the verbs that are concerned, and only them: every callback of `put` is called once,
every waiter gets its result or its error, and the thread goes on.

Crash points, and what the next `open` does:

1. Before the commit that holds a frame: the frame is not on disk. With `durability="commit"` nobody was told that it was
   accepted; with `"interval"` it is lost, and no commit is further away than `commit_interval`.
2. In the middle of a commit: records that are whole count, a record that is cut short does not. As 1.
3. After the commit, before the frame was sent: it is delivered after `open`, in its order.
4. After it was sent, before the answer, or before the commit that marks it: it is sent again. The service stores it twice,
   unless it answers 409 or `deduplicate` finds it: every frame found by `open` counts as "may be stored".
5. While segments are merged: a record that stands in two is seen by its order.
6. Damage by other hands: what cannot be read is counted, the rest is delivered; see `store`.

A file lock keeps other processes out for as long as this one lives; the kernel drops it with the process, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import attrs

from picsellia_async._delivery.options import Durability
from picsellia_async._delivery.spool.record import Record
from picsellia_async._delivery.spool.results import Committed, Recovery
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory, prepare, take_slot
from picsellia_async._delivery.spool.store import Found, Store
from picsellia_async._log_line import logger
from picsellia_async.errors import SpoolError

Written: TypeAlias = Callable[[BaseException | None, bool], None]
"""Called in the loop with what stood against a record, and whether its id was on disk already."""

T = TypeVar("T")

_GROUP_BYTES: Final = 16 * 2**20
"""Bytes after which a commit is made without waiting for more."""
_QUIET_SECONDS: Final = 1.0
"""The store is tidied after so long without anything to do."""


@attrs.define(eq=False)
class _Put:
    record: Record
    done: Written


@attrs.define(eq=False)
class _Acknowledge:
    seq: int


@attrs.define(eq=False)
class _Reject:
    seq: int
    reason: str


@attrs.define(eq=False)
class _Call:
    """Anything else that needs the store: runs in the thread, after what came before it was committed."""

    run: Callable[[Store], Any]
    answer: asyncio.Future[Any]


@attrs.define(eq=False)
class _Stop:
    """The end."""


_Job: TypeAlias = _Put | _Acknowledge | _Reject | _Call | _Stop


@attrs.frozen
class Claimed:
    """Records that were read."""

    records: list[Record]
    """In the order in which they were asked for."""
    damaged: list[tuple[int, bytes | None]]
    """Those that are missing or damaged: order, and the 16 bytes of `Frame.id` if they are known."""


class Spool:
    """An open spool. Belongs to one event loop; every callback runs there."""

    def __init__(
        self,
        directory: Path,
        owner: Mapping[str, str],
        durability: Durability = "commit",
        commit_interval: float = 0.1,
        *,
        is_shared: bool = False,
        min_free_bytes: int | None = None,
    ) -> None:
        """Store the settings.

        Args:
            directory: Made if missing.
            owner: See `Store`.
            durability: When a put counts as accepted; see the module.
            commit_interval: Longest time between a put and its commit in `interval` mode, in seconds.
            is_shared: Whether `directory` is shared by several processes: the spool is its first free slot then, from `open` on.
            min_free_bytes: Room on the file system that is left to others; see `Room`.
        """
        self.shared: Path | None = directory if is_shared else None
        """The directory that several processes share; None: there is none."""
        self.directory: Path = directory
        self.durability = durability
        self.error: BaseException | None = None
        """What is wrong with the disk now; None where all is well."""
        self.free_bytes: int | None = None
        """What might be written on the file system after the last commit; None where nothing tells."""
        self.is_full = False
        """Whether the file system has no room. It takes frames again by itself once there is some."""
        self.is_nearly_full = False
        """Whether it soon has none."""
        self.is_gone = False
        """Whether the directory was deleted, replaced or unmounted: nothing is on disk any more."""
        self.on_change: Callable[[], None] | None = None
        """Called when the disk is in trouble, in another kind of it or out of it: whoever tells of that may have nothing else to do."""
        self.owner = owner
        """Whose frames these are."""
        self._store: Store | None = None
        self._interval = commit_interval
        self._min_free_bytes = min_free_bytes
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._urgent = threading.Event()
        self._gathered = 0
        self._is_stopped = False
        self._guard = threading.Lock()
        """Between a verb that hands in a job and the thread's end, which answers what is still there."""
        self._stopped: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, found: Found | None = None) -> Recovery:
        """Check and lock the directory, open the files and count what they hold.

        Args:
            found: Told of each pending record, in order: its order, source and bytes. Called in the thread, before this returns.

        Raises:
            SpoolError: It is in use, not safe to use, belongs to another deployment, or cannot be opened.
        """
        loop = self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[Recovery] = loop.create_future()
        stopped = loop.create_future()
        thread = threading.Thread(
            target=self._work, args=(loop, opened, stopped, found), name="picsellia-spool", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the process has as many threads as it may have
            raise self._failure("opened", error) from error
        self._stopped = stopped
        return await asyncio.shield(opened)

    def may_have(self, id_: bytes) -> bool:
        """Return whether the disk may have the record of a frame already."""
        return self._store is not None and self._store.may_have(id_)

    def put(self, record: Record, done: Written) -> None:
        """Write a record with the next commit.

        Args:
            record: The record.
            done: Called once: after the commit, or when the spool was closed before it.
        """
        self._hand_in(_Put(record, done))
        self._gathered += record.size
        if self.durability == "commit" or self._gathered >= _GROUP_BYTES:
            self._urgent.set()

    def acknowledge(self, seq: int) -> None:
        """Let go of a record that was delivered or given up, with the next commit."""
        self._hand_in(_Acknowledge(seq))

    def reject(self, seq: int, reason: str) -> None:
        """Turn a record into a dead letter, with the next commit."""
        self._hand_in(_Reject(seq, reason))

    async def claim(self, seqs: Sequence[int]) -> Claimed:
        """Read records; see `Store.claim`. Records put before are there.

        Raises:
            SpoolError: The disk cannot be read now.
        """
        return Claimed(*await self._call(lambda store: store.claim(seqs)))

    async def look_up(
        self, seqs: Sequence[int], seconds: float
    ) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes | None]]] | None:
        """Tell which records are on disk; see `Store.look_up`. None where the disk does not answer in time."""
        if not seqs:
            return [], []
        try:
            async with asyncio.timeout(seconds):
                return await self._call(partial(self._look_up, seqs))
        except (SpoolError, TimeoutError) as error:
            logger.warning("the frames left on disk cannot be listed: %s", error or "the disk does not answer in time")
            return None

    def _look_up(
        self, seqs: Sequence[int], store: Store
    ) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes | None]]]:
        answer = store.look_up(seqs)
        if store.gone is not None:  # shown before the answer: what becomes of frames that are not there depends on it
            self._note(store, None)
        return answer

    async def drop_rejected(self, min_bytes: int) -> tuple[int, int]:
        """Delete the oldest dead letters until so many bytes are free; return how many, and their bytes."""
        return await self._call(lambda store: store.drop_rejected(min_bytes))

    async def sync(self) -> None:
        """Wait until everything put, acknowledged and rejected so far is on disk, or could not be written."""
        await self._call(lambda _: None)

    async def _call(self, run: Callable[[Store], T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._hand_in(_Call(run, answer))
        self._urgent.set()
        return await answer

    def _hand_in(self, job: _Job) -> None:
        with self._guard:
            if not self._is_stopped:
                self._jobs.put(job)
                return
        if self._loop is not None:
            self._fail(self._loop, job, SpoolError(f"the spool {str(self.directory)!r} is closed"))

    async def close(self, seconds: float) -> bool:
        """Commit what is left, close the files and release the directory.

        Args:
            seconds: How long to wait for the disk.

        Returns:
            Whether the disk was fast enough; if not, the thread goes on by itself, and the directory stays locked until then.
        """
        if self._stopped is None:
            return True
        self._hand_in(_Stop())
        self._urgent.set()
        done, _ = await asyncio.wait([self._stopped], timeout=seconds)
        return bool(done)

    # The thread.

    def _work(
        self,
        loop: asyncio.AbstractEventLoop,
        opened: asyncio.Future[Recovery],
        stopped: asyncio.Future[None],
        found: Found | None,
    ) -> None:
        directory: SpoolDirectory | None = None
        store: Store | None = None
        failure: BaseException | None = None
        try:
            if self.shared is None:
                prepare(self.directory)
                directory = SpoolDirectory(self.directory)
                directory.lock()
            else:
                directory = take_slot(self.shared)
                self.directory = directory.path
            store = Store(directory, self.owner, min_free_bytes=self._min_free_bytes)
            recovery = store.open(found)
        except BaseException as error:  # noqa: BLE001 - handed to who waits in the loop
            failure = error if isinstance(error, SpoolError) else self._failure("opened", error)
        else:
            self._note(store, None)
            self._store = store
            _tell(loop, _succeed, opened, recovery)
            while self._turn(loop, store):
                pass
        try:
            if store is not None:
                store.close()
        except Exception as error:  # noqa: BLE001 - the files are as a crash would leave them; the next opening copes
            logger.warning("the spool %s was not closed in order: %s", self.directory, error)
        if directory is not None:
            directory.close()
        self._end(loop)
        # Told last: whoever hears of a failure, or of the end, may open the directory again at once.
        if failure is not None:
            _tell(loop, _fail, opened, failure)
        _tell(loop, _succeed, stopped, None)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer what was handed in too late; from now on nothing waits in the queue."""
        with self._guard:
            self._is_stopped = True
        error = SpoolError(f"the spool {str(self.directory)!r} is closed")
        with contextlib.suppress(queue.Empty):
            while True:
                self._fail(loop, self._jobs.get_nowait(), error)

    def _turn(self, loop: asyncio.AbstractEventLoop, store: Store) -> bool:
        """Wait for something to do, let more gather, and make one commit of it; False at the end."""
        jobs = self._gather(store)
        last = jobs[-1] if jobs else None
        try:
            self._commit(loop, store, jobs)
            if isinstance(last, _Call):
                self._run(loop, store, last)
            elif not jobs:
                store.tidy()
                self._note(store, None)
        except BaseException as error:
            failure = self._failure("written", error)
            self.error = failure
            if not isinstance(error, OSError):
                logger.exception("the thread of the spool %s goes on after an error", self.directory)
            # The thread may have answered some of them: an answer that comes twice is dropped.
            for job in jobs:
                self._fail(loop, job, failure)
        return not isinstance(last, _Stop)

    def _gather(self, store: Store) -> list[_Job]:
        """Return what is to be committed together; only the last may be a call or the end. Nothing: time to tidy."""
        try:
            jobs = [self._jobs.get(timeout=_QUIET_SECONDS if store.wants_tidying else None)]
        except queue.Empty:
            return []
        if not isinstance(jobs[0], (_Call, _Stop)):
            # In commit mode a put is urgent; acknowledgements alone can always wait.
            self._urgent.wait(self._interval)
        # Before the queue is emptied: what is put from now on sets it again, and is never left waiting for the interval.
        self._urgent.clear()
        # `put` may count in this very moment in its thread: then a commit is made a little later or sooner, nothing worse.
        self._gathered = 0
        with contextlib.suppress(queue.Empty):
            while not isinstance(jobs[-1], (_Call, _Stop)):
                jobs.append(self._jobs.get_nowait())
        return jobs

    def _commit(self, loop: asyncio.AbstractEventLoop, store: Store, jobs: Sequence[_Job]) -> None:
        puts = {job.record.seq: job for job in jobs if isinstance(job, _Put)}
        acknowledged = {job.seq for job in jobs if isinstance(job, _Acknowledge)}
        rejected = [(job.seq, job.reason) for job in jobs if isinstance(job, _Reject)]
        # What was delivered before it was written needs neither: the two cancel out.
        fresh = [put.record for seq, put in puts.items() if seq not in acknowledged]
        gone = acknowledged - puts.keys()
        early = [entry for entry in rejected if entry[0] not in puts]
        late = [entry for entry in rejected if entry[0] in puts]
        if not (fresh or gone or rejected):
            committed = Committed()
        else:
            committed = store.commit(fresh, sorted(gone), early)
            if late:
                # Refused before it was written: it is written all the same, for its reader.
                store.commit((), (), late)
            self._note(store, committed.error)
        error = self.error if committed.refused else None
        answers = [
            (put.done, error if seq in committed.refused else None, seq in committed.known)
            for seq, put in puts.items()
        ]  # fmt: skip
        for job in puts.values():
            job.done = _ignore
        if answers:
            _tell(loop, _answer, answers)

    def _note(self, store: Store, error: OSError | SpoolError | None) -> None:
        """Show the loop how the disk is."""
        error = error or store.trouble
        before = self.is_full, self.is_gone, self.error is None
        self.is_full, self.is_nearly_full = store.is_full, store.is_nearly_full
        self.free_bytes, self.is_gone = store.free_bytes, store.gone is not None
        if isinstance(error, SpoolError) or error is None:
            self.error = error
        else:
            self.error = self._failure("written", error)
        has_changed = before != (self.is_full, self.is_gone, self.error is None)
        if has_changed and self.on_change is not None and self._loop is not None:
            _tell(self._loop, self.on_change)

    def _failure(self, what: str, error: BaseException) -> SpoolError:
        failure = SpoolError(f"the spool {str(self.directory)!r} cannot be {what}: {error}")
        failure.__cause__ = error
        return failure

    def _run(self, loop: asyncio.AbstractEventLoop, store: Store, call: _Call) -> None:
        try:
            result = call.run(store)
        except Exception as error:  # noqa: BLE001 - the answer of the one who asked
            _tell(loop, _fail, call.answer, self._failure("read", error))
        else:
            _tell(loop, _succeed, call.answer, result)

    @staticmethod
    def _fail(loop: asyncio.AbstractEventLoop, job: _Job, error: BaseException) -> None:
        if isinstance(job, _Put):
            _tell(loop, job.done, error, False)
            job.done = _ignore
        elif isinstance(job, _Call):
            _tell(loop, _fail, job.answer, error)


def _ignore(error: BaseException | None, is_known: bool) -> None:
    """Stand in for a callback that was called."""


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever wanted to know
        loop.call_soon_threadsafe(function, *args)


def _answer(answers: Sequence[tuple[Written, BaseException | None, bool]]) -> None:
    for done, error, is_known in answers:
        try:
            done(error, is_known)
        except Exception:  # the others must hear all the same
            logger.exception("an answer of the spool was not taken")


def _succeed(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
