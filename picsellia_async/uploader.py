"""The batch uploader: one `submit` per frame, from any number of cameras; bounded, fair, and every frame accounted for.

It knows a *send* callable, not the client. The parts are in `_delivery/`: books (`accumulator`), workers (`sender`), disk
(`backlog`); here is what ties them to the life of an `async with` block.
"""

from __future__ import annotations

import asyncio
import random as random_module
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, Unpack

import anyio
import anyio.to_thread

from picsellia_async._delivery.circuit_breaker import Signal
from picsellia_async._delivery.concurrency_limit import AdaptiveLimit, FixedLimit, Limit
from picsellia_async._delivery.fair_queue import Schedule
from picsellia_async._delivery.flow_control import Admission
from picsellia_async._delivery.ledger import Accumulator
from picsellia_async._delivery.options import Options, UploaderOptions
from picsellia_async._delivery.outcomes import (
    Dropped,
    DropReason,
    Health,
    Outcome,
    Rejected,
    UploaderStatistics,
    UploadReport,
)
from picsellia_async._delivery.receipt import Item, Receipt
from picsellia_async._delivery.sender import Find, Send, Sender, call_safely
from picsellia_async._delivery.spool.queue import Backlog, committed
from picsellia_async._delivery.spool.spool import Spool
from picsellia_async._delivery.state import InFlight, Queued, Rules
from picsellia_async._delivery.stream import Stream
from picsellia_async._http.loop import running_loop
from picsellia_async._services.files import read_image
from picsellia_async.errors import ClosedError, ConfigurationError
from picsellia_async.frames import Frame

__all__ = ["Uploader", "UploaderOptions", "deliver_all"]

MIN_FRAME_BYTES: Final = 1024
"""What a frame counts at least in memory: its description takes room too."""

_STOP_SECONDS: Final = 0.2
_DISK_SECONDS: Final = 0.25
_PROGRESS_SECONDS: Final = 0.2


class Uploader:
    """Delivers frames in the background; made by `AsyncDeployment.uploader`, used with `async with`.

    Delivery is at least once: a frame whose answer was lost is sent again, and may be stored twice unless `deduplicate` finds
    it. docs/delivery-guarantees.md says what is promised and what is not.
    """

    def __init__(
        self,
        send: Send,
        *,
        find: Find | None = None,
        owner: Mapping[str, str] | None = None,
        random: Callable[[], float] = random_module.random,
        **options: Unpack[UploaderOptions],
    ) -> None:
        """Store the settings; nothing runs before `async with`.

        Args:
            send: Makes one attempt to deliver a frame, and raises the errors of `picsellia_async.errors`.
            find: Tells whether the platform has a frame; needed for `deduplicate`.
            owner: Whose frames a spool holds: `deployment_id`, and what helps to find it again.
            random: Returns a number in [0, 1).
            **options: See `UploaderOptions`.

        Raises:
            ConfigurationError: An option is out of range, or options contradict each other.
            TypeError: There is no such option.
        """
        chosen = Options(**options)
        if chosen.deduplicate and find is None:
            raise ConfigurationError("deduplicate=True needs a way to look frames up")
        self._close_timeout = chosen.close_timeout
        self._progress = chosen.progress
        limit: Limit = AdaptiveLimit() if chosen.concurrency == "auto" else FixedLimit(chosen.concurrency)
        self._schedule: Schedule[Item] = Schedule(keeps_order=chosen.ordered_by == "source")
        rules = Rules(chosen.retry, chosen.max_attempts, chosen.max_age, holds=chosen.spool is not None)
        self._books = Accumulator(
            Admission(chosen.max_pending_bytes, chosen.max_pending_frames),
            chosen.when_full,
            chosen.on_outcome,
            self._after_end,
        )
        find = find if chosen.deduplicate else None
        self._sender = Sender(send, find, self._schedule, limit, rules, random, self._books.end)
        self._books.oldest_idle = self._sender.pop_oldest
        self._backlog: Backlog | None = None
        if chosen.spool is not None:
            files = Spool(Path(chosen.spool), owner or {}, chosen.durability, chosen.commit_interval)
            self._backlog = Backlog(files, Admission(chosen.max_spool_bytes), self._books, self._line_up, _read_file)
        self._phase: Literal["new", "open", "closing", "closed"] = "new"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closer: asyncio.Task[None] | None = None
        self._wake_closer: asyncio.Event | None = None
        self._hurry_closer = False
        self._opened_at = self._closed_at = 0.0
        self._progress_timer: asyncio.TimerHandle | None = None

    # Life.

    async def __aenter__(self) -> Self:
        """Open the spool, if there is one, and begin to deliver.

        Raises:
            ClosedError: It was opened before, or no asyncio event loop runs (under trio, for instance).
            SpoolError: The spool is in use, belongs to another deployment, or cannot be opened.
        """
        loop = running_loop()
        if self._phase != "new":
            raise ClosedError("an uploader is opened once; make another one with deployment.uploader(...)")
        self._loop = loop
        self._opened_at = loop.time()
        self._sender.start()
        if self._backlog is not None:
            await self._backlog.open()
        self._phase = "open"
        self._books.changed = self._changed
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, also when the block ended by an error or a cancellation."""
        await self.aclose()

    def __del__(self) -> None:
        """Warn about frames that nobody waits for."""
        pending = self._books.tally.pending if getattr(self, "_phase", "new") == "open" else 0
        if pending:
            warnings.warn(
                f"an uploader was left without being closed: {pending} frames have no outcome; use `async with`",
                ResourceWarning, source=self, stacklevel=1,
            )  # fmt: skip

    def __repr__(self) -> str:
        """Return the phase and the numbers that matter."""
        tally = self._books.tally
        return (
            f"<Uploader {self._phase}: {tally.accepted} accepted, {tally.pending} pending, "
            f"{self._sender.in_flight} in flight, {tally.delivered} delivered>"
        )

    @property
    def is_closed(self) -> bool:
        """Whether `aclose` has ended."""
        return self._phase == "closed"

    async def aclose(self) -> None:
        """Stop taking frames, deliver what is left for at most `close_timeout` seconds, and settle the rest.

        What could not be delivered is `Spooled`, or `Dropped` without a spool. Returns within `close_timeout` + 0.5 seconds whatever
        the network does. Waits between attempts end at once; a pause that the service asked for is kept, and closing does not
        wait for it where it is longer than the time left. Closing again waits for the same end.

        If the calling task is cancelled meanwhile, closing goes on to its end first; a second cancellation ends the delivery at
        once, with the same account.
        """
        if self._phase == "new":
            self._phase = "closed"
        if self._phase == "closed":
            return
        if self._closer is None:
            self._phase = "closing"
            self._closer = asyncio.get_running_loop().create_task(self._close())
        await self._outlive_cancellation(self._closer)

    async def _outlive_cancellation(self, closer: asyncio.Task[None]) -> None:
        cancelled: asyncio.CancelledError | None = None
        # The shield keeps anyio's cancel scopes, which cancel again and again, from counting as impatience.
        with anyio.CancelScope(shield=True):
            while not closer.done():
                try:
                    await asyncio.wait([closer])
                except asyncio.CancelledError as error:
                    if cancelled is not None:
                        self._hurry_closer = True
                        self._wake()
                    cancelled = error
        closer.result()
        if cancelled is not None:
            raise cancelled

    async def _close(self) -> None:
        self._wake_closer = asyncio.Event()
        try:
            await self._deliver_rest(self._wake_closer)
            await self._sender.stop(_STOP_SECONDS)
            if self._backlog is not None:
                await self._backlog.close(_DISK_SECONDS)
        finally:
            # Also where somebody cancels this task (the end of `asyncio.run` does): the books must balance.
            self._settle_rest()

    async def _deliver_rest(self, wake: asyncio.Event) -> None:
        """Wait for the outcomes, as long as there is time and hope."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._close_timeout
        self._books.dismiss_line(_closed)
        self._sender.shut = self._wake
        self._sender.hurry()
        while self._books.tally.pending and not self._hurry_closer and not self._sender.is_hopeless(deadline):
            wake.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await wake.wait()
            except TimeoutError:
                return

    def _settle_rest(self) -> None:
        for item in sorted(self._books.known.values(), key=lambda item: item.seq):
            if item.committed is None:
                self._leave(item)
        self._closed_at = asyncio.get_running_loop().time()
        self._phase = "closed"
        self._emit_progress()

    def _leave(self, item: Item) -> None:
        """Give the outcome to a frame that closing did not deliver."""
        state = item.state
        if isinstance(state, InFlight):  # a `send` that ignored its cancellation
            state = Queued(state.attempt, may_be_stored=True, error=state.error)
        on_disk = item.disk_bytes > 0
        outcome = state.spooled(item.frame) if on_disk else state.dropped(item.frame, DropReason.CLOSED)
        self._books.tally.undelivered.append(outcome)
        self._books.end(item, outcome)

    # Submitting.

    async def submit(self, frame: Frame) -> Receipt:
        """Accept a frame for delivery.

        Returns once the frame is accepted: with a spool and `durability="commit"`, once it is on disk. Cancelling the call while it
        waits for room leaves the frame out; once it was accepted, it is delivered. A frame whose id is still on its way is not
        accepted a second time; its receipt is returned.

        Args:
            frame: What to deliver.

        Returns:
            The receipt; awaiting it gives the outcome. A dropped frame's receipt has its outcome already, and so has the
            receipt of a frame whose file cannot be read.

        Raises:
            UploaderFullError: Full, with `when_full="raise"`.
            FrameTooLargeError: Larger than the whole limit.
            SpoolError: It could not be written to the spool.
            ClosedError: The uploader is closed or closing, not open yet, or belongs to another event loop.
        """
        if self._phase != "open" or asyncio.get_running_loop() is not self._loop:
            raise self._not_open()
        if not isinstance(frame, Frame):
            raise ConfigurationError(f"submit takes a Frame, got {type(frame).__name__}")
        books = self._books
        known = books.known.get(frame.id)
        if known is not None:
            await committed(known)
            return known.receipt
        if self._backlog is not None:
            return await self._backlog.submit(frame)
        image = frame.image
        if not isinstance(image, bytes):
            return await self._submit_file(frame, image)
        size = max(len(image), MIN_FRAME_BYTES)
        if books.memory.reserve(size):
            return self._accept(frame, size)
        return await self._submit_when_full(frame, size)

    async def _submit_file(self, frame: Frame, path: Path) -> Receipt:
        try:
            size = max(await _file_size(path), MIN_FRAME_BYTES)
        except ConfigurationError as error:
            return self._books.turn_away(frame, Rejected(frame, error, attempts=0))
        return await self._submit_when_full(frame, size)

    async def _submit_when_full(self, frame: Frame, size: int) -> Receipt:
        """Accept a frame that may have to wait; others run meanwhile."""
        books = self._books
        dropped = await books.enter(books.memory, size, books.when_full)
        if dropped is not None:
            return books.turn_away(frame, Dropped(frame, dropped))
        twin = books.known.get(frame.id)
        if twin is None and self._phase == "open":
            return self._accept(frame, size)
        books.memory.release(size)
        if twin is None:
            raise _closed()
        return twin.receipt

    def _accept(self, frame: Frame, size: int) -> Receipt:
        books = self._books
        receipt = Receipt(frame.id)
        item = Item(frame, receipt, books.next_seq(), size, self._sender.now(), frame.source or "")
        books.known[frame.id] = item
        books.tally.accepted += 1
        self._line_up(item)
        return receipt

    def _line_up(self, item: Item) -> None:
        self._schedule.push(item)
        if self._sender.workers < self._sender.limit.value:
            self._sender.kick()

    def _not_open(self) -> ClosedError:
        if self._phase == "new":
            return ClosedError("the uploader is not open yet; use `async with deployment.uploader(...) as uploader`")
        if self._phase == "open":
            return ClosedError("the uploader belongs to another event loop")
        return _closed()

    def _after_end(self, item: Item, outcome: Outcome) -> None:
        if self._backlog is not None:
            self._backlog.ended(item, outcome)

    def stream(self, frames: Iterable[Frame] | AsyncIterable[Frame]) -> AsyncIterator[Outcome]:
        """Submit the frames of an iterable, and yield their outcomes as they come.

        Frames are taken as there is room for them, and no faster than their outcomes are taken here. A frame that the uploader
        refuses (too large, say) gives a `Rejected`; the others go on. If the iterable raises, that is raised after the outcomes of the
        frames before. Leaving the loop early leaves the frames that were submitted with the uploader, and closes an async generator
        that was given in.

        Args:
            frames: Sync or async. A sync one is advanced in the event loop, so that it must not block.

        Yields:
            One outcome per frame.

        Raises:
            ConfigurationError: The iterable gave something that is no `Frame`.
            ClosedError: The uploader is not open.
        """
        return Stream(self.submit, self._books, frames).outcomes()

    async def flush(self, timeout: float | None = None) -> int:  # noqa: ASYNC109 - the public name
        """Wait until every frame accepted so far has its outcome.

        Args:
            timeout: Seconds to wait at most; None: no limit. A service that is down can make it long.

        Returns:
            How many of these frames have no outcome yet: 0, unless the time ran out.
        """
        if self._phase == "open":
            self._sender.kick()
        return await self._books.flush(timeout)

    # Telling.

    def statistics(self) -> UploaderStatistics:
        """Return a snapshot of the numbers."""
        tally, sender, backlog = self._books.tally, self._sender, self._backlog
        return UploaderStatistics(
            accepted=tally.accepted,
            pending_frames=tally.pending,
            pending_bytes=self._books.memory.used_bytes,
            queued=len(self._schedule),
            in_flight=sender.in_flight,
            waiting=sender.waiting,
            delivered=tally.delivered,
            rejected=tally.rejected,
            dropped=tally.dropped,
            dropped_by_reason=dict(tally.dropped_by_reason),
            dropped_by_source=dict(tally.dropped_by_source),
            spooled=tally.spooled,
            retried=sender.retried,
            duplicates=tally.duplicates,
            refused=tally.refused,
            bytes_delivered=tally.bytes_delivered,
            concurrency=sender.limit.value,
            round_trip=sender.limit.round_trip,
            health=self._health(),
            spool_frames=0 if backlog is None else backlog.frames,
            spool_bytes=0 if backlog is None else backlog.disk.used_bytes,
            quarantined=tally.quarantined,
            callback_errors=tally.callback_errors,
            last_error=sender.last_error,
        )

    def _health(self) -> Health:
        signal = self._sender.health_of_gate()
        if signal is not Signal.WELL:
            return {Signal.REFUSES: Health.REFUSED, Signal.BUSY: Health.THROTTLED, Signal.DOWN: Health.DOWN}[signal]
        backlog = self._backlog
        if self._books.tally.quarantined or (backlog is not None and (backlog.error or backlog.spool.error)):
            return Health.DEGRADED
        return Health.OK

    @property
    def report(self) -> UploadReport:
        """The account so far; once closed it is final, and balanced."""
        end = self._closed_at or (0.0 if self._loop is None else self._loop.time())
        return self._books.tally.report(retries=self._sender.retried, seconds=end - self._opened_at)

    def _changed(self) -> None:
        if self._phase == "closing" and not self._books.tally.pending:
            self._wake()
        if self._progress is not None and self._progress_timer is None and self._loop is not None:
            self._progress_timer = self._loop.call_later(_PROGRESS_SECONDS, self._emit_progress)

    def _wake(self) -> None:
        if self._wake_closer is not None:
            self._wake_closer.set()

    def _emit_progress(self) -> None:
        if self._progress_timer is not None:
            self._progress_timer.cancel()
            self._progress_timer = None
        if self._progress is not None and not call_safely(self._progress, self.statistics()):
            self._books.tally.callback_errors += 1


async def deliver_all(uploader: Uploader, frames: Iterable[Frame] | AsyncIterable[Frame]) -> UploadReport:
    """Open an uploader, deliver the frames of an iterable, wait for every outcome, and close it.

    Args:
        uploader: Not open yet.
        frames: Sync or async.

    Returns:
        The report.
    """
    async with uploader:
        async for _ in uploader.stream(frames):
            pass
        await uploader.flush()
    return uploader.report


def _closed() -> ClosedError:
    return ClosedError("the uploader is closed, or closing; it takes no more frames")


async def _read_file(path: Path) -> bytes:
    return await read_image(path, "Frame.image")


async def _file_size(path: Path) -> int:
    try:
        status = await anyio.to_thread.run_sync(path.stat)
    except OSError as error:
        raise ConfigurationError(f"Frame.image: {str(path)!r} cannot be read: {error.strerror}") from error
    return status.st_size
