"""The batch uploader: one `submit` per frame, from any number of cameras; bounded, fair, and every frame accounted for.

A frame walks one way, and what is named first knows what is named after it: `submit` -> intake (room, request) -> ledger.accept
-> queue -> sender -> ledger.end. It knows a *send* callable, not the client. The parts are in `_delivery/`; here is what ties
them to the life of an `async with` block.
"""

from __future__ import annotations

import asyncio
import logging
import random as random_module
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, Unpack

import anyio
import attrs

from picsellia_async._delivery.attempt import Find, Send
from picsellia_async._delivery.concurrency_limit import AdaptiveLimit, FixedLimit, Limit
from picsellia_async._delivery.degrading import Degrading
from picsellia_async._delivery.fair_queue import FairQueue
from picsellia_async._delivery.flow_control import FlowControl
from picsellia_async._delivery.frame_spans import FrameSpans
from picsellia_async._delivery.frame_state import Rules
from picsellia_async._delivery.from_thread import HandOver, UploaderFromThread
from picsellia_async._delivery.intake import Encode, Files, Intake, closed, no_request
from picsellia_async._delivery.ladder import Ladder
from picsellia_async._delivery.ledger import Ledger, tell_unclosed
from picsellia_async._delivery.options import Options, UploaderOptions, check_names, shows_options
from picsellia_async._delivery.outcomes import Outcome, UploaderStatistics, UploadReport
from picsellia_async._delivery.permission import Permission
from picsellia_async._delivery.receipt import Item, Receipt, last_outcome
from picsellia_async._delivery.reporter import Reporter
from picsellia_async._delivery.sender import Sender
from picsellia_async._delivery.snapshot import snapshot
from picsellia_async._delivery.source_counts import SourceCounts
from picsellia_async._delivery.spool.adoption import Adoption
from picsellia_async._delivery.spool.queue import SpoolQueue
from picsellia_async._delivery.spool.quota import SpoolQuota
from picsellia_async._delivery.spool.spool import Spool
from picsellia_async._delivery.stream import Feed, Stream, deliver
from picsellia_async._delivery.throughput import Throughput
from picsellia_async._delivery.uplink import Uplink
from picsellia_async._http.loop import running_loop
from picsellia_async._services.files import file_size, read_image
from picsellia_async.errors import ClosedError, ConfigurationError, PicselliaError, SpoolError
from picsellia_async.frames import Frame, no_frame

__all__ = ["Uploader", "UploaderOptions", "deliver_all"]

_STOP_SECONDS: Final = 0.2
"""How long a `send` may take to be cancelled."""
_DISK_SECONDS: Final = 0.25
"""How long the disk may take at closing without getting anything done."""
_CLOSING_QUIET_SECONDS: Final = 1.0
"""How long closing delivers before the log tells that it waits."""
_PROGRESS_SECONDS: Final = 0.2


class Uploader:
    """Delivers frames in the background; made by `AsyncDeployment.uploader`, used with `async with`.

    Delivery is at least once; docs/delivery-guarantees.md says what is promised and what is not.
    """

    @shows_options
    def __init__(
        self,
        send: Send,
        *,
        encode: Encode = no_request,
        find: Find | None = None,
        owner: Mapping[str, str] | None = None,
        random: Callable[[], float] = random_module.random,
        spans: FrameSpans | None = None,
        **options: Unpack[UploaderOptions],
    ) -> None:
        """Store the settings; nothing runs before `async with`.

        Args:
            send: Makes one attempt to deliver a frame, with what `encode` made of it, and raises the errors of
                `picsellia_async.errors`.
            encode: Makes the request of a frame, all but the image, once: when it is submitted, and again only when it is read
                back from disk. A ConfigurationError rejects the frame. By default the request is empty.
            find: Tells whether the platform has a frame; needed for `deduplicate`.
            owner: Whose frames a spool holds: `deployment_id`, and what helps to find it again.
            random: Returns a number in [0, 1); the option `seed` takes its place.
            spans: Makes a span of each frame's life; None: nobody traces.
            **options: Described at `AsyncDeployment.uploader`.

        Raises:
            ConfigurationError: An option is out of range, or options contradict each other.
            TypeError: There is no such option.
        """
        check_names(options)
        chosen = Options(**options)
        if chosen.deduplicate and find is None:
            raise ConfigurationError("deduplicate=True needs a way to look frames up")
        if chosen.seed is not None:
            random = random_module.Random(chosen.seed).random  # noqa: S311 - waits, no secret
        self._close_timeout = chosen.close_timeout
        self._progress = chosen.progress
        writer: SpoolQuota | None = None
        if chosen.spool is not None:
            spool = Spool(
                Path(chosen.spool),
                owner or {},
                chosen.durability,
                chosen.commit_interval,
                is_shared=chosen.shared_spool,
                min_free_bytes=chosen.min_free_bytes,
            )
            writer = SpoolQuota(spool, chosen.max_spool_bytes)
        limit: Limit = AdaptiveLimit() if chosen.concurrency == "auto" else FixedLimit(chosen.concurrency)
        memory = FlowControl(chosen.max_pending_bytes, chosen.max_pending_frames, waiting_bytes=chosen.waiting_bytes)
        find, on_outcome = find if chosen.deduplicate else None, chosen.on_outcome
        self._sources = SourceCounts() if chosen.by_source else None
        if spans is not None:
            send, on_outcome = spans.sending(send), spans.ending(on_outcome)
            find = find and spans.finding(find)
        self._spans = spans
        self._ledger = Ledger(memory, writer, on_outcome, self._sources)
        newest = chosen.order == "newest"
        queue: FairQueue[Item] = FairQueue(keeps_order=chosen.ordered_by == "source", newest_first=newest)
        rules = Rules(
            chosen.retry, chosen.max_attempts, chosen.max_age, writer is not None, chosen.ordered_by is not None
        )
        self._reporter = Reporter(self._ledger, None if writer is None else writer.spool, chosen.on_health, owner)
        uplink = Uplink(
            chosen.max_bytes_per_second, chosen.allowed and Permission(chosen.allowed, self._ledger.raised, self._reporter.tell)
        )  # fmt: skip
        self._sender = Sender(send, find, queue, self._ledger, limit, rules, random, self._reporter, uplink)
        self._spool = None
        if writer is not None:
            disk = SpoolQueue(writer, self._ledger, self._sender, encode, self._reporter, newest_first=newest)
            self._spool = writer, disk
        files = Files(partial(file_size, name="Frame.image"), _read_file)
        self._intake = Intake(
            self._ledger, self._sender, encode, chosen.when_full, files, self._spool, self._reporter,
            compares=chosen.degrade is None,
        )  # fmt: skip
        self._accept = self._intake.submit if spans is None else spans.submitting(self._intake.submit)
        self._ladder = None if chosen.degrade is None else Ladder(tuple(chosen.degrade), self._reporter.tell)
        if self._ladder is not None:
            self._accept = Degrading(self._ladder, self._ledger, self._sender, self._intake, files, writer).submitting(
                self._accept
            )
        self._phase: Literal["new", "open", "closing", "closed"] = "new"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waits_for_word = chosen.when_full == "raise" or (writer is not None and chosen.durability == "commit")
        self._hand_over: HandOver | None = None
        self._closer: asyncio.Task[None] | None = None
        self._delivering: asyncio.Task[None] | None = None
        self._progress_task: asyncio.Task[None] | None = None
        self._opened_at = self._closed_at = 0.0
        self._throughput = Throughput(0.0)
        # Not `__del__`: at the end of the interpreter that may come too late for logging, or never.
        self._watch = weakref.finalize(self, tell_unclosed, self._ledger)

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
        self._throughput = Throughput(self._opened_at)
        self._reporter.start()
        self._sender.start()
        if self._spool is not None:
            await self._spool[1].open()
            self._adoption = Adoption.begin(*self._spool, self._ledger)
        self._phase = "open"
        self._reporter.opened()
        if self._progress is not None:
            self._ledger.ended = asyncio.Event()
            self._progress_task = loop.create_task(self._report_progress(self._progress, self._ledger.ended))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, also when the block ended by an error or a cancellation.

        Where it ended by a cancellation, another one while closing ends the delivery at once.
        """
        await self._end(is_cancelled=kind is not None and issubclass(kind, asyncio.CancelledError))

    def __repr__(self) -> str:
        """Return the phase and the numbers that matter."""
        ledger = self._ledger
        return (
            f"<Uploader {self._phase}: {ledger.accepted} accepted, {ledger.pending} pending, "
            f"{self._sender.in_flight} in flight, {ledger.delivered} delivered>"
        )

    @property
    def is_closed(self) -> bool:
        """Whether `aclose` has ended."""
        return self._phase == "closed"

    async def aclose(self) -> None:
        """Stop taking frames, deliver what is left for at most `close_timeout` seconds, and settle the rest.

        What could not be delivered is `Spooled`, or `Dropped` without a spool. Returns within `close_timeout` + 0.5 seconds whatever
        the network does. Waits between attempts end at once, and later ones take half a second; a pause that the service asked for
        is kept, and closing does not wait for it where it is longer than the time left. Closing again waits for the same end.

        If the calling task is cancelled meanwhile, closing goes on to its end first; a second cancellation ends the delivery at
        once, with the same account.
        """
        await self._end(is_cancelled=False)

    async def _end(self, *, is_cancelled: bool) -> None:
        if self._phase == "new":
            self._phase = "closed"
        if self._phase == "closed":
            return
        self._check_loop()
        if self._closer is None:
            self._phase = "closing"
            self._closer = asyncio.get_running_loop().create_task(self._close())
        await self._outlive_cancellation(self._closer, is_cancelled=is_cancelled)

    async def _outlive_cancellation(self, closer: asyncio.Task[None], *, is_cancelled: bool) -> None:
        cancelled: asyncio.CancelledError | None = None
        # The shield keeps anyio's cancel scopes, which cancel again and again, from counting as impatience.
        with anyio.CancelScope(shield=True):
            while not closer.done():
                try:
                    await asyncio.wait([closer])
                except asyncio.CancelledError as error:
                    if is_cancelled and self._delivering is not None:
                        self._delivering.cancel()
                    is_cancelled = True
                    cancelled = error
        closer.result()
        if cancelled is not None:
            raise cancelled

    async def _close(self) -> None:
        self._delivering = asyncio.get_running_loop().create_task(self._deliver_rest())
        try:
            quiet = min(_CLOSING_QUIET_SECONDS, self._close_timeout)
            await asyncio.wait([self._delivering], timeout=quiet)
            if not self._delivering.done() and (left := self._close_timeout - quiet):
                self._reporter.closing_waits(left, self._sender.watch.silent_for())
                await asyncio.wait([self._delivering], timeout=left)
            self._delivering.cancel()
            await self._sender.stop(_STOP_SECONDS)
            if self._spool is not None:
                await self._adoption.stop(_DISK_SECONDS)
                if self._hand_over is not None:
                    await asyncio.wait([self._hand_over.close()], timeout=_DISK_SECONDS)
            self._intake.close()
            await asyncio.sleep(0)  # those that waited for room count themselves before the account is final
            if self._spool is not None:
                await self._spool[1].settle(_DISK_SECONDS)
                await self._spool[1].close(_DISK_SECONDS)
        finally:
            # Also where somebody cancels this task (the end of `asyncio.run` does): the account must balance.
            self._end_rest()

    async def _deliver_rest(self) -> None:
        """Wait for the outcomes, for as long as there is hope."""
        self._sender.shorten_own_pauses(self._close_timeout)
        hopeless = asyncio.ensure_future(self._sender.wait_hopeless(self._sender.now() + self._close_timeout))
        flushing = asyncio.ensure_future(self._ledger.flush())
        try:
            if self._hand_over is not None:  # what threads have handed over is taken, as room for it comes
                await asyncio.wait([hopeless, self._hand_over.close()], return_when=asyncio.FIRST_COMPLETED)
            if self._hand_over is None or self._spool is None:  # on their way to disk, they have the disk's time
                self._intake.close()
            while self._ledger.pending and not hopeless.done():
                await asyncio.wait([hopeless, flushing], return_when=asyncio.FIRST_COMPLETED)
                if flushing.done():
                    # More may have been accepted meanwhile: frames whose commit was under way when closing began.
                    flushing = asyncio.ensure_future(self._ledger.flush())
        finally:
            hopeless.cancel()
            flushing.cancel()

    def _end_rest(self) -> None:
        """Give the frames that closing did not deliver their outcome, and close."""
        self._intake.close()
        if self._hand_over is not None:
            self._hand_over.end()
        for item in sorted(self._ledger.known.values(), key=lambda item: item.seq):
            self._ledger.end_undelivered(item, last_outcome(item, is_on_disk=item.is_written))
        self._closed_at = asyncio.get_running_loop().time()
        self._phase = "closed"
        self._watch.detach()
        if self._progress is not None:  # before the last lines, which tell what it raises
            self._ledger.call(self._progress, self.statistics(), "progress")
        self._reporter.close()
        if self._spans is not None:
            self._spans.close()
        if self._progress_task is not None:
            self._progress_task.cancel()

    # Submitting.

    async def submit(self, frame: Frame) -> Receipt:
        """Accept a frame for delivery.

        Returns once the frame is accepted: with a spool and `durability="commit"`, once it is on disk. Cancelling the call leaves the
        frame out, uncounted, and takes it back from the disk; once it has returned, the frame is delivered. A frame whose id is still on its way is
        not accepted a second time; its receipt is returned.

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
            ConfigurationError: It is no `Frame`, or its id is that of another picture on its way.
        """
        self._check(frame)
        try:
            return await self._accept(frame)
        except PicselliaError as error:  # also that of closing, for those that waited: they came before it
            self._intake.refuse(error, frame)
            raise

    async def _submit_of_iterable(self, frame: Frame) -> Receipt:
        self._check(frame)
        try:
            return await self._accept(frame)
        except (ClosedError, SpoolError) as error:  # other refusals become an outcome there
            self._intake.refuse(error, frame)
            raise

    def _check(self, frame: Frame) -> None:
        if self._phase != "open" or asyncio.get_running_loop() is not self._loop:
            raise self._not_open()
        if not isinstance(frame, Frame):
            raise no_frame(frame, "submit takes a Frame")

    def _check_open(self) -> None:
        if self._phase != "open" or running_loop() is not self._loop:
            raise self._not_open()

    def _check_loop(self) -> None:
        """Refuse another event loop while that of the uploader runs: its futures would never wake us.

        Raises:
            ClosedError: It is another one.
        """
        if self._loop is not None and self._loop.is_running() and asyncio.get_running_loop() is not self._loop:
            raise _foreign()

    def _not_open(self) -> ClosedError:
        if self._phase == "new":
            return ClosedError("the uploader is not open yet; use `async with deployment.uploader(...) as uploader`")
        return _foreign() if self._phase == "open" else closed()

    def from_thread(self) -> UploaderFromThread:
        """Return what code in other threads submits to. Closing takes what they have handed over; later calls are a ClosedError.

        Raises:
            ClosedError: Not open, or called in another thread than that of its event loop.
        """
        self._check_open()
        if self._hand_over is None:
            self._hand_over = HandOver(
                self._accept, self._intake.end, self._intake.refuse, self._ledger, waits_for_word=self._waits_for_word
            )
        return UploaderFromThread(self, self._hand_over)

    def stream(self, frames: Iterable[Frame] | AsyncIterable[Frame]) -> AsyncIterator[Outcome]:
        """Submit the frames of an iterable, and yield their outcomes as they come.

        Frames are taken while there is room for them and fewer than 64 outcomes wait to be taken here. A frame that the uploader
        refuses (too large, say) gives a `Rejected`; the others go on. If the iterable raises, that is raised after the outcomes of the
        frames before. Leaving the loop early leaves the frames that were submitted with the uploader, and closes an async generator
        that was given in.

        Args:
            frames: Sync or async. A generator or other sync iterator is advanced in a thread of its own, at most 16 frames ahead;
                a list, tuple or other collection in the event loop.

        Yields:
            One outcome per frame.

        Raises:
            ConfigurationError: The iterable gave something that is no `Frame`.
            ClosedError: The uploader is not open.
        """
        return Stream(Feed(self._submit_of_iterable, self._ledger, frames)).outcomes()

    async def flush(self, timeout: float | None = None) -> int:  # noqa: ASYNC109 - the public name
        """Wait until every frame accepted so far has its outcome.

        Args:
            timeout: Seconds to wait at most; None: no limit. A service that is down can make it long.

        Returns:
            How many of these frames have no outcome yet: 0, unless the time ran out.

        Raises:
            ClosedError: The uploader belongs to another event loop.
        """
        self._check_loop()
        if self._phase == "open":
            self._sender.start_workers()
        return await self._ledger.flush(timeout)

    def pause(self) -> None:
        """Send nothing but what is under way, until `resume`. Closing does not end it: frames stay in the spool, or are dropped."""
        self._pause(is_paused=True)

    def resume(self) -> None:
        """Send again. Not open: a ClosedError."""
        self._pause(is_paused=False)

    def _pause(self, *, is_paused: bool) -> None:
        self._check_open()
        if is_paused is not self._sender.uplink.is_paused:
            self._reporter.tell(logging.INFO, "an uploader is paused" if is_paused else "an uploader sends again")
            self._sender.pause(is_paused=is_paused)

    # Telling.

    def statistics(self) -> UploaderStatistics:
        """Return a snapshot of the numbers."""
        now = self._closed_at or (0.0 if self._loop is None else self._loop.time())
        return snapshot(
            now, self._ledger, self._sender, self._reporter, self._spool, self._sources, self._throughput, self._ladder,
            is_closed=self.is_closed,
        )  # fmt: skip

    @property
    def report(self) -> UploadReport:
        """The account so far; once closed it is final, and balanced."""
        end = self._closed_at or (0.0 if self._loop is None else self._loop.time())
        return self._ledger.report(retries=self._sender.retried, seconds=end - self._opened_at)

    async def _report_progress(self, progress: Callable[[UploaderStatistics], object], ended: asyncio.Event) -> None:
        while True:
            await ended.wait()
            ended.clear()
            self._ledger.call(progress, self.statistics(), "progress")
            await asyncio.sleep(_PROGRESS_SECONDS)


async def deliver_all(uploader: Uploader, frames: Iterable[Frame] | AsyncIterable[Frame]) -> UploadReport:
    """Open an uploader, deliver the frames of an iterable, wait for every outcome, and close it.

    If the service refuses the account for good, the run ends: without a spool every frame is rejected as it comes, with one the
    frames stay on disk.

    Args:
        uploader: Not open yet.
        frames: Sync or async.

    Returns:
        The report; what the iterable raised, if it did, is its `error`.

    Raises:
        ConfigurationError: The first thing that the iterable gave is no `Frame`.
    """
    feed = Feed(uploader._submit_of_iterable, uploader._ledger, frames)  # noqa: SLF001 - one module
    async with uploader:
        seconds = None if uploader._spool is None else uploader._close_timeout  # noqa: SLF001
        error = await deliver(feed, uploader._ledger, uploader._sender.refused, seconds)  # noqa: SLF001
    if isinstance(error, ConfigurationError) and not uploader.report.accepted:
        raise error  # nothing was done, so that no report is lost
    return attrs.evolve(uploader.report, error=error)


def record_durations(uploader: Uploader, record: Callable[[float], object]) -> None:
    """Have a function called with the seconds from acceptance to delivery of each frame from now on; for metrics."""
    uploader._ledger.durations.append(record)  # noqa: SLF001 - one module


def _foreign() -> ClosedError:
    return ClosedError("the uploader belongs to another event loop")


async def _read_file(frame: Frame, path: Path) -> bytes:
    return await read_image(path, "Frame.image", frame.file_version if frame.checks == "on" else None)
