"""Frames from other threads: handed over to the loop of an uploader in batches.

Theory of operation. A thread puts its frame into a short buffer and awakens the loop only where the loop waits for frames: of a
burst the first one pays for that. One task in the loop takes the frames out, in their order, and gives them to the uploader's way in.
Threads wait while the buffer is full, and are awakened together once it is half empty, so that a busy producer hands over dozens of
frames each time it runs. Nothing of the uploader but that task is touched by two threads.

Two ways of asking. With `when_full="raise"`, and with a spool that commits, `submit` promises what only the loop can tell: then
each frame has a task of its own (so that commits of several threads are one), and its thread waits for the word.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import attrs

from picsellia_async._delivery.intake import closed
from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.outcomes import (
    Dropped,
    DropReason,
    Outcome,
    Rejected,
    UploaderStatistics,
    UploadReport,
)
from picsellia_async._delivery.receipt import Receipt
from picsellia_async.errors import ClosedError, ConfigurationError, PicselliaError
from picsellia_async.frames import Frame, no_frame

T = TypeVar("T")

BUFFER_FRAMES: Final = 64
"""Most frames between the threads and the uploader."""
_BUFFER_SHARE: Final = 8
"""The buffer may hold one part in so many of what the uploader may hold in memory."""


class SyncReceipt(Future[Outcome]):
    """What `submit` from a thread returns: a future of the frame's outcome, for `result`, `concurrent.futures.wait` and the like.

    `result(timeout)` waits for the outcome, however the frame ended; it raises `TimeoutError`, and nothing for a frame that was
    rejected or dropped. Callbacks of `add_done_callback` run in the thread of the event loop, and must be quick. It cannot be
    cancelled: a frame that was handed over is delivered.
    """

    def __init__(self, frame_id: UUID, check_thread: Callable[[str], None]) -> None:
        """Begin without an outcome.

        Args:
            frame_id: `Frame.id` of the frame.
            check_thread: Raises a ConfigurationError in the thread that gives it its outcome.
        """
        super().__init__()
        self.frame_id: UUID = frame_id
        """`Frame.id` of the frame."""
        self._check_thread = check_thread
        self._given: Receipt | None = None

    @property
    def outcome(self) -> Outcome | None:
        """The outcome, or None while there is none."""
        return super().result(0) if self.done() else None

    def result(self, timeout: float | None = None) -> Outcome:
        """Wait for the outcome.

        Args:
            timeout: Seconds to wait at most; None: no limit.

        Raises:
            TimeoutError: There was none in that time.
            ConfigurationError: Called where it would wait for itself: in the thread of the uploader's event loop.
        """
        if not self.done():
            self._check_thread("a receipt's result()")
        return super().result(timeout)

    def cancel(self) -> bool:
        """Do nothing: a frame that was handed over is delivered. Returns False."""
        return False

    def follow(self, given: Receipt) -> None:
        """Take over the outcome of the receipt that the uploader has given in its loop. For the uploader."""
        # Held until it ends: of frames that are on disk only, the uploader holds the receipt weakly.
        self._given = given
        given.call(self._end)

    def _end(self, outcome: Outcome) -> None:
        self._given = None
        self.set_result(outcome)


@attrs.frozen(eq=False)
class _Handed:
    """A frame in the buffer."""

    frame: Frame
    receipt: SyncReceipt
    size: int
    accepted: Future[None] | None
    """Where its thread waits for the word of the loop."""


class HandOver:
    """The way from other threads into one uploader. Made in its loop."""

    def __init__(
        self,
        accept: Callable[[Frame], Awaitable[Receipt]],
        end: Callable[[Frame, Rejected | Dropped], Receipt],
        refuse: Callable[[BaseException, Frame | None], None],
        ledger: Ledger,
        *,
        waits_for_word: bool,
    ) -> None:
        """Begin to take frames.

        Args:
            accept: Accepts a frame in the loop, as `Uploader.submit` does; a refusal is not counted there.
            end: Takes in a frame that is refused when its thread has gone on, with its outcome.
            refuse: Counts a frame whose refusal its thread is told.
            ledger: Its memory bounds the buffer.
            waits_for_word: Whether `submit` returns only once the loop has accepted the frame.
        """
        memory = ledger.memory
        self._accept = accept
        self._end = end
        self._refuse = refuse
        self._ledger = ledger
        self._waits_for_word = waits_for_word
        self._max_bytes = memory.max_bytes // _BUFFER_SHARE
        self._max_frames = BUFFER_FRAMES if memory.max_frames is None else min(BUFFER_FRAMES, memory.max_frames)
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        """The loop of the uploader."""
        self._thread = threading.get_ident()
        self._process = os.getpid()
        # Guards everything below; held for a few instructions, by the loop too.
        self._changed = threading.Condition(threading.Lock())
        self._buffer: deque[_Handed] = deque()
        self._bytes = 0
        self._waiting = 0
        self._is_open = True
        self._is_idle = False
        self._wake = asyncio.Event()
        self._taken = asyncio.Event()
        """Set with each frame that has left the buffer, for `flush`."""
        self._handed = self._left = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._task = self.loop.create_task(self._run(), name="picsellia uploader: frames from threads")

    # In any thread.

    def submit(self, frame: Frame) -> SyncReceipt:
        """Hand over a frame; see `UploaderFromThread.submit`."""
        self.check_thread("submit()", "`await uploader.submit(frame)`")
        if not isinstance(frame, Frame):
            raise no_frame(frame, "submit takes a Frame")
        image = frame.image
        handed = _Handed(
            frame,
            SyncReceipt(frame.id, self._refuse_loop),
            len(image) if isinstance(image, bytes) else 0,
            Future() if self._waits_for_word else None,
        )
        with self._changed:
            self._wait_for_room(handed.size)
            if not self._is_open:
                raise closed()
            if self._is_idle:
                try:
                    self.loop.call_soon_threadsafe(self._wake.set)
                except RuntimeError:  # its `asyncio.run` ended, and nobody closed the uploader
                    raise closed() from None
            # In this order: an exception of a signal handler between the lines, Ctrl-C's, costs a needless awakening at most. The other
            # way round a frame could lie in the buffer with nobody told, or everybody believe that the loop has been awakened.
            self._buffer.append(handed)
            self._bytes += handed.size
            self._handed += 1
            self._is_idle = False
        if handed.accepted is not None:
            self._wait_for_word(handed, handed.accepted)
        return handed.receipt

    def _wait_for_room(self, size: int) -> None:
        while self._is_open and not self._has_room(size):
            self._waiting += 1
            try:
                self._changed.wait()
            finally:
                self._waiting -= 1

    def _has_room(self, size: int) -> bool:
        # Into an empty buffer everything fits: what is too large at all, the uploader says.
        count = len(self._buffer)
        return not count or (count < self._max_frames and self._bytes + size <= self._max_bytes)

    def _wait_for_word(self, handed: _Handed, accepted: Future[None]) -> None:
        try:
            accepted.result()
        except BaseException:
            # Ctrl-C while waiting: the frame is left out, unless the loop has begun with it.
            with self._changed:
                if handed in self._buffer:
                    self._buffer.remove(handed)
                    self._count_out(handed)
                    self.loop.call_soon_threadsafe(self._taken.set)
            raise

    def check_thread(self, what: str, instead: str) -> None:
        """Refuse a call in a forked child, and one in the loop's own thread.

        Raises:
            ClosedError: This process is a child of the one that opened the uploader.
            ConfigurationError: The loop would wait for itself.
        """
        if os.getpid() != self._process:  # before any lock: a thread that is not here may hold it
            raise ClosedError(
                "the uploader was opened in the process that this one was forked from, and its threads are there: open one in each "
                "process, after the fork"
            )
        self._refuse_loop(what, f"; there, use {instead}")

    def _refuse_loop(self, what: str, instead: str = "") -> None:
        # Both: the number of a thread that has ended is given to another one.
        if threading.get_ident() == self._thread and self.loop.is_running():
            raise ConfigurationError(
                f"{what} was called in the thread of the uploader's event loop (from on_outcome, for instance), which would wait for "
                f"itself{instead}"
            )

    # In the loop.

    async def _run(self) -> None:
        try:
            while True:
                handed = self._next()
                if handed is not None:
                    await self._give(handed)
                elif self._is_open:
                    await self._wake.wait()
                    self._wake.clear()
                else:
                    break
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            self._shut()

    def _next(self) -> _Handed | None:
        with self._changed:
            if not self._buffer:
                self._is_idle = True
                return None
            # It leaves when it is accepted: what waits for room in the uploader takes up room here.
            return self._buffer[0] if not self._waits_for_word else self._pop()

    def _pop(self) -> _Handed:
        handed = self._buffer.popleft()
        self._count_out(handed)
        self._taken.set()
        return handed

    def _count_out(self, handed: _Handed) -> None:
        self._bytes -= handed.size
        self._left += 1
        # Once it is half empty, not for each frame: every awakening of a thread costs more than a frame's way through here.
        if self._waiting and len(self._buffer) * 2 <= self._max_frames and self._bytes * 2 <= self._max_bytes:
            self._changed.notify_all()

    async def _give(self, handed: _Handed) -> None:
        if handed.accepted is not None:
            task = self.loop.create_task(self._ask(handed, handed.accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        try:
            given = await self._accept(handed.frame)
        except PicselliaError as error:
            given = self._refused(handed.frame, error)
        with self._changed:
            self._pop()
        handed.receipt.follow(given)

    def _refused(self, frame: Frame, error: PicselliaError) -> Receipt:
        """Give a frame whose thread has gone on its outcome."""
        ended = Dropped(frame, DropReason.CLOSED) if isinstance(error, ClosedError) else None
        return self._end(frame, ended or Rejected(frame, error, attempts=0))

    async def _ask(self, handed: _Handed, accepted: Future[None]) -> None:
        try:
            given = await self._accept(handed.frame)
        except BaseException as error:  # a cancellation too: the thread must not wait for ever
            if isinstance(error, PicselliaError):
                self._refuse(error, handed.frame)
            is_told = isinstance(error, Exception)
            accepted.set_exception(error if is_told else closed())
            if is_told:
                return
            raise
        handed.receipt.follow(given)
        accepted.set_result(None)

    async def taken(self) -> None:
        """Wait until all that was handed over so far has left the buffer."""
        last = self._handed
        while self._left < last:
            self._taken.clear()
            await self._taken.wait()

    @property
    def buffered(self) -> int:
        """Frames in the buffer."""
        return len(self._buffer)

    def close(self) -> asyncio.Task[None]:
        """Take no more frames; return the task that gives what is in the buffer to the uploader."""
        self._stop_taking()
        self._wake.set()
        return self._task

    def _stop_taking(self) -> None:
        """Send threads that wait for room away, and count their frames: they came before closing."""
        with self._changed:
            waiting = self._waiting if self._is_open else 0
            self._is_open = False
            self._changed.notify_all()
        for _ in range(waiting):
            self._refuse(closed(), None)

    def end(self) -> None:
        """Closing is over: what is still in the buffer is dropped, and counted."""
        self._task.cancel()
        for task in self._tasks:
            if task.cancel():
                self._refuse(closed(), None)  # here: the account is final before the task runs again
        self._shut()

    def _shut(self) -> None:
        self._stop_taking()
        with self._changed:
            rest = [self._pop() for _ in range(len(self._buffer))]
        for handed in rest:
            item = self._ledger.known.get(handed.frame.id.int)
            if handed.accepted is not None:
                self._refuse(closed(), handed.frame)
                handed.accepted.set_exception(closed())
            elif item is not None:  # accepted a moment ago; its task was cancelled before it heard of that
                handed.receipt.follow(item.receipt)
            else:
                handed.receipt.follow(self._refused(handed.frame, closed()))


class Numbers(Protocol):
    """What an uploader tells, and does in its loop."""

    @property
    def report(self) -> UploadReport:
        """The account so far."""
        ...

    def statistics(self) -> UploaderStatistics:
        """Return a snapshot of the numbers."""
        ...

    def pause(self) -> None:
        """Send nothing."""
        ...

    def resume(self) -> None:
        """Send again."""
        ...

    async def flush(self, timeout: float | None = None) -> int:  # noqa: ASYNC109 - the uploader's name
        """Wait for the outcomes."""
        ...


class UploaderFromThread:
    """An open uploader, for code in other threads than that of its event loop; made by `Uploader.from_thread`.

    Any number of threads may share it. It ends with its uploader, which closes as it always does.
    """

    def __init__(self, uploader: Numbers, hand_over: HandOver) -> None:
        """Store the two."""
        self._uploader = uploader
        self._hand_over = hand_over

    def submit(self, frame: Frame) -> SyncReceipt:
        """Hand over a frame for delivery; from any thread but that of the event loop.

        With `when_full="raise"`, and with a spool and `durability="commit"`, it returns once the frame is accepted, as `Uploader.submit`
        does, and raises what that raises. Otherwise it returns once the frame is in the buffer before the uploader, which holds at
        most 64 frames, or an eighth of `max_pending_bytes`; while that is full it waits. A frame that the uploader refuses (too large,
        say) is `Rejected` then.

        A KeyboardInterrupt while it waits leaves the frame out; once it was handed over, it is delivered.

        Args:
            frame: What to deliver.

        Returns:
            A future of the outcome.

        Raises:
            ClosedError: The uploader is closed or closing, or was opened in the process that this one was forked from.
            ConfigurationError: It is no `Frame`; or this is the thread of the event loop.
            UploaderFullError: Full, with `when_full="raise"`.
            FrameTooLargeError: Larger than the whole limit, where it waits for the uploader's word.
            SpoolError: It could not be written to the spool, with `durability="commit"`.
        """
        return self._hand_over.submit(frame)

    def flush(self, timeout: float | None = None) -> int:
        """Wait until every frame handed over so far has its outcome.

        Args:
            timeout: Seconds to wait at most; None: no limit.

        Returns:
            How many of these frames have no outcome yet: 0, unless the time ran out.

        Raises:
            ClosedError: The uploader was opened in the process that this one was forked from.
            ConfigurationError: This is the thread of the event loop.
        """
        return self._call(self._flush(timeout), "flush()")

    async def _flush(self, seconds: float | None) -> int:
        ends_at = None if seconds is None else self._hand_over.loop.time() + seconds
        try:
            async with asyncio.timeout_at(ends_at):
                await self._hand_over.taken()
        except TimeoutError:
            return self._hand_over.buffered + self._uploader.statistics().pending_frames
        return await self._uploader.flush(None if ends_at is None else max(0.0, ends_at - self._hand_over.loop.time()))

    def pause(self) -> None:
        """Send nothing but what is under way, until `resume`; see `Uploader.pause`."""
        self._call(self._do(self._uploader.pause), "pause()")

    def resume(self) -> None:
        """Send again. Not open: a ClosedError."""
        self._call(self._do(self._uploader.resume), "resume()")

    @staticmethod
    async def _do(call: Callable[[], None]) -> None:
        call()

    def statistics(self) -> UploaderStatistics:
        """Return a snapshot of the numbers. Frames in the buffer before the uploader are not accepted yet, and not in it."""
        return self._uploader.statistics()

    @property
    def report(self) -> UploadReport:
        """The account so far; once the uploader is closed it is final, balanced, and has every frame that `submit` took."""
        return self._uploader.report

    def _call(self, coroutine: Coroutine[Any, Any, T], what: str) -> T:
        try:
            self._hand_over.check_thread(what, f"`uploader.{what}`")
            asked = asyncio.run_coroutine_threadsafe(coroutine, self._hand_over.loop)
        except BaseException as error:
            coroutine.close()
            if isinstance(error, RuntimeError):  # the loop is closed
                raise closed() from None
            raise
        try:
            return asked.result()
        except CancelledError:  # the loop ended meanwhile
            raise closed() from None
        except BaseException:
            asked.cancel()  # Ctrl-C: nobody waits for it any more
            raise
