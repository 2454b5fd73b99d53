"""`Pipeline`: cameras, a model and an uploader, until the sources end or somebody stops it.

Theory of operation. A task per source takes its frames as they come and puts them into its slot (`_slots`); a frame whose turn has not
come gives way to a newer one, or its source waits. As many tasks as there are workers take frames by turns of the sources, have the
model called (`_model`), and then settle the frame: the rules of `keep=` decide, and it is submitted. Settling follows the order of each
source. Every frame received is in one count of its source (`_statistics`), at any moment.

The end has one order, whatever brings it: sources, frames without a turn, calls of the model, rules that hold frames back, the uploader.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Literal, Self, get_args

import anyio

from picsellia_async._error_text import error_text
from picsellia_async._http.loop import running_loop
from picsellia_async._log_line import Line
from picsellia_async.errors import ClosedError, ConfigurationError, shown
from picsellia_async.frames import FrameDetails
from picsellia_async.pipeline._feed import Feed, Sources, WhenBusy, Work, check_image, feeds_of
from picsellia_async.pipeline._log import lines_of
from picsellia_async.pipeline._model import (
    Call,
    Input,
    ModelExitError,
    ModelProcessError,
    ModelRunner,
    RunIn,
    is_our_cancellation,
)
from picsellia_async.pipeline._result import Conversion
from picsellia_async.pipeline._rule import Keep, as_rules, check_class_names
from picsellia_async.pipeline._signals import SignalHandlers, SignalName
from picsellia_async.pipeline._sink import Sink
from picsellia_async.pipeline._slots import Slots
from picsellia_async.pipeline._statistics import EndedBy, PipelineReport, PipelineStatistics, total
from picsellia_async.pipeline._watch import ModelWatch
from picsellia_async.predictions import Kind, LabelMap, Names
from picsellia_async.uploader import Uploader
from picsellia_async.validation import boolean, choice, real_number, whole_number

_SOURCE_SECONDS: Final = 5.0
"""How long a source gets to end when the pipeline is stopped."""
_WATCH_SECONDS: Final = 1.0
"""How often it is looked whether something is to be told that no event tells."""
_STOPPING_QUIET_SECONDS: Final = 1.0
"""How long a stop waits for the model before the log tells that it does."""
_ABORT_SECONDS: Final = 0.05
"""Between two cancellations of the uploader's closing: the second one ends it at once."""


class Pipeline:
    """Runs a model on the frames of sources and monitors what it says; used with `async with`, then `run`.

    ```python
    async with Pipeline(cameras, model, deployment.uploader(spool=directory)) as pipeline:
        report = await pipeline.run()
    ```

    Sources take turns at the model, one frame each. Of a camera the newest frame waits for its turn, and takes the place of an older
    one; other sources wait. A frame that fails is counted and logged, and the others go on; a source that fails ends, and the others go on.
    """

    def __init__(
        self,
        sources: Sources,
        model: Callable[[Any], Any],
        uploader: Uploader,
        *,
        workers: int = 1,
        run_in: RunIn = "thread",
        batch_size: int = 1,
        max_batch_wait: float = 0.02,
        input: Input = "pixels",  # noqa: A002 - the field's word
        max_age: float | None = None,
        when_busy: WhenBusy | None = None,
        keep: Keep | Iterable[Keep] | None = None,
        tell_rules: bool = False,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        first_label: int | None = None,
        kind: Kind | None = None,
        frame_options: FrameDetails | None = None,
        handle_signals: bool = True,
        stop_timeout: float = 10.0,
    ) -> None:
        """Store the settings; nothing is opened or started.

        Args:
            sources: One or several async iterables of `Image`: cameras, videos, folders, a generator of your own. A dict gives them names,
                which are `Frame.source` then; else they are called after the camera's `source`.
            model: Function of one image, or with `batch_size` of a list of them. A plain one runs in a thread (it must bear being
                called in several, with `workers` > 1) or process, a coroutine function in the event loop. It returns, for each image, a
                prediction format, a result of ultralytics, supervision or torchvision (shapes are cut to the image), or None: nothing
                to send. For one image it may be a list of one.
            uploader: `deployment.uploader(...)`, not open yet: the pipeline opens and closes it.
            workers: Calls of the model at the same time.
            run_in: "thread" or "process", for a plain function that does not let go of Python's lock. A process gets the model once
                (pickled), and images by pickle.
            batch_size: Most images of one call. With 2 and more the model takes a list of 1 to so many, of different sources where
                several have one, and returns a list as long.
            max_batch_wait: Seconds that a batch waits for more images.
            input: What the model gets: "pixels", the numpy array of height x width x 3 in the order that the source was asked for
                (`camera(..., pixels="rgb")`); or "image", the `Image` with the encoded picture.
            max_age: Seconds since its arrival after which a frame is not given to the model any more. None: no bound.
            when_busy: What happens to a frame whose turn has not come when its source gives the next one: "drop_oldest" or "wait". None:
                dropped for cameras, unless theirs is `policy="wait"`; all other sources wait.
            keep: Which frames are sent: a rule, a function of a `Candidate`, or several, asked in this order, of which all must keep it.
            tell_rules: Whether `custom_metadata` tells the rules that kept a frame (`picsellia_async_kept_by`) and how many of its
                source were not kept since the last one (`picsellia_async_not_kept`).
            names: Names of the model's own classes, for results that carry none.
            label_map: `await deployment.label_map()`: classes of results are looked up in it by name.
            first_label: As in `from_torchvision`, whose results count labels from 0 or 1.
            kind: What to take of a result: "detection", "segmentation", "mask" or "keypoint"; by default what it has. To be given for a model of
                masks: a result without anything has none, and would become boxes.
            frame_options: Further fields of each `Frame`, such as `tags`.
            handle_signals: Whether SIGINT and SIGTERM stop it while it runs in the main thread. False where something else handles
                them, as a web server does.
            stop_timeout: Seconds that calls of the model, and frames that wait for room in the uploader, get when it is stopped. A
                thread cannot be ended: a model that never returns keeps the process from ending.

        Raises:
            ConfigurationError: A value is of the wrong kind or out of range, or values contradict each other.
        """
        choice(run_in, "run_in", get_args(RunIn))
        choice(input, "input", get_args(Input))
        choice(when_busy, "when_busy", (None, *get_args(WhenBusy)))
        if not isinstance(uploader, Uploader):
            raise ConfigurationError(f"uploader must be deployment.uploader(...), got {shown(uploader)}")
        self.uploader: Uploader = uploader
        """What frames are submitted to."""
        self._feeds = feeds_of(sources, when_busy)
        rule = as_rules(keep)
        conversion = Conversion(kind, names, label_map, first_label)
        if label_map is not None:
            own = names.values() if isinstance(names, Mapping) else names or ()
            check_class_names(rule, {**label_map, **dict.fromkeys(own)}, label_map.values())
        self._sink = Sink(
            uploader, rule, self._now, label_map=label_map, frame_options=frame_options,
            tells_rules=boolean(tell_rules, "tell_rules"),
        )  # fmt: skip
        self._workers = whole_number(workers, "workers", 1)
        self._batch_size = whole_number(batch_size, "batch_size", 1)
        self._max_batch_wait = real_number(max_batch_wait, "max_batch_wait", 0.0)
        self._needs_pixels = input == "pixels"
        self._max_age = None if max_age is None else real_number(max_age, "max_age", 0.0)
        call = Call(model, input, self._batch_size > 1, conversion, rule.needs_picture)
        self._model = ModelRunner(call, self._workers, run_in)
        self._calls = ModelWatch()
        self._write = lines_of(uploader)
        self._handles_signals = boolean(handle_signals, "handle_signals")
        self._stop_timeout = real_number(stop_timeout, "stop_timeout", 0.0)
        self._slots = Slots[Work](self._is_fresh)
        self._signals = SignalHandlers(self._signalled)
        self._phase: Literal["new", "open", "running", "closed"] = "new"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._aborting = asyncio.Event()
        self._over = asyncio.Event()
        self._ended_by: EndedBy = "sources"
        self._error: BaseException | None = None
        self._begun_at = self._ended_at = 0.0

    # Life.

    async def __aenter__(self) -> Self:
        """Open the uploader.

        Raises:
            ClosedError: It or the pipeline was opened before, or no asyncio event loop runs.
            SpoolError: The uploader's spool cannot be opened.
            ConfigurationError: The model cannot be handed to a process.
        """
        self._loop = running_loop()
        if self._phase != "new":
            raise ClosedError("a pipeline is opened once; make another one with Pipeline(...)")
        await self._model.open()
        try:
            await self.uploader.__aenter__()
        except BaseException:  # also a cancellation
            await self._model.aclose(is_idle=True)
            raise
        self._phase = "open"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, wait for `run` to end if another task is in it, and close the uploader."""
        if self._phase == "running":
            self.stop()
            await self._over.wait()
        self._phase = "closed"
        await self._model.aclose(is_idle=True)
        await self.uploader.__aexit__(kind, error, trace)

    def __repr__(self) -> str:
        numbers = self.statistics()
        return f"<Pipeline {self._phase}: {len(self._feeds)} sources, {numbers.received} received, {numbers.submitted} submitted>"

    async def run(self) -> PipelineReport:
        """Run until all sources have ended, a signal came, or `stop` was called; then deliver what was submitted, and close.

        The first SIGINT or SIGTERM ends the sources and calls of the model in order, and the uploader delivers for its
        `close_timeout` or leaves frames in the spool. The second one ends it at once: what is not delivered is dropped, or stays in
        the spool. Cancelling the call ends sources and model at once; leaving the `async with` block closes the uploader.

        Returns:
            The account. A source that failed is in `report.statistics.by_source[name].error`.

        Raises:
            ClosedError: It runs already or has run, or is not open.
            ConfigurationError: A source cannot be read at all (an extra that is missing, a file in place of a camera), gives something
                else than images, or no pixels; or the model's processes cannot be started. Frames submitted before are delivered.
            SystemExit: The model called `sys.exit`. Its frame has failed, and those submitted before are delivered or in the spool.
        """
        if self._phase != "open":
            raise ClosedError("a pipeline runs once, inside `async with Pipeline(...)`")
        self._phase = "running"
        self._begun_at = self._now()
        is_idle = False
        try:
            with self._signals if self._handles_signals else contextlib.nullcontext():
                if self._signals.ignored:
                    # A shell script starts `command &` so. Handled all the same, a Ctrl-C meant for the script would end it.
                    which = " and ".join(self._signals.ignored) + (" is" if len(self._signals.ignored) == 1 else " are")
                    rest = "" if "SIGTERM" in self._signals.ignored else "; SIGTERM stops the pipeline"
                    self._tell(
                        logging.WARNING, f"{which} ignored by whoever started this process, and ends nothing{rest}"
                    )
                try:
                    is_idle = await self._run()
                finally:
                    self._settle_rest()
                    # Not awaited by a task that is cancelled again and again: threads end by themselves.
                    with anyio.CancelScope(shield=True):
                        await self._model.aclose(is_idle=is_idle)
                await self._close_uploader()
        finally:
            self._ended_at = self._now()
            self._phase = "closed"
            self._over.set()
        report = self.report
        if self._error is not None:
            self._tell(logging.ERROR, f"the pipeline ended, by {error_text(self._error)}: {report}")
            raise self._error
        self._tell(logging.INFO, f"the pipeline ended, by {report.ended_by}: {report}")
        return report

    def stop(self, *, at_once: bool = False) -> None:
        """End the run: sources first, then the calls of the model, then the uploader. From any task or thread.

        Args:
            at_once: Whether to wait for nothing. What is not delivered is dropped, or stays in the spool.

        Raises:
            ConfigurationError: `at_once` is no bool.
        """
        at_once = boolean(at_once, "at_once")
        if self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._stop, "stop", at_once)

    def _stop(self, by: EndedBy, at_once: bool) -> None:
        if not self._stopping.is_set() and self._phase != "closed":
            self._ended_by = by
        self._stopping.set()
        if at_once:
            self._aborting.set()

    def _signalled(self, name: SignalName) -> None:
        is_second = self._stopping.is_set()
        self._stop(name, at_once=is_second)
        if is_second:
            self._signals.restore()  # a third one does what it did before
        else:
            self._tell(logging.INFO, f"{name}: the pipeline stops; a second one ends it at once")

    def _fail(self, error: BaseException) -> None:
        """End the run with an error."""
        if not self._stopping.is_set():
            self._ended_by = "error"
        self._error = self._error or error
        self._stopping.set()

    # Telling.

    def statistics(self) -> PipelineStatistics:
        """Return a snapshot of the numbers, over all sources and by source."""
        now = self._ended_at or self._now()
        return total({name: feed.ledger for name, feed in self._feeds.items()}, now, now - (self._begun_at or now))

    @property
    def report(self) -> PipelineReport:
        """The account so far; final once `run` has ended."""
        end = self._ended_at or self._now()
        return PipelineReport(
            upload=self.uploader.report,
            statistics=self.statistics(),
            ended_by=self._ended_by,
            seconds=end - (self._begun_at or end),
        )

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    def _tell(self, level: int, text: str) -> None:
        self._write(Line(level, text, {}))

    # Running.

    async def _run(self) -> bool:
        """Run until everything has its end; return whether no call of the model is under way."""
        readers = [self._task(self._read(feed), f"read {name}") for name, feed in self._feeds.items()]
        workers = [self._task(self._work(), f"work {number}") for number in range(self._workers)]
        watch = self._task(self._watch(), "watch")
        try:
            if not await self._wait_or(readers, self._stopping):
                for reader in readers:
                    reader.cancel()
                await asyncio.wait(readers, timeout=_SOURCE_SECONDS)
            self._slots.close()
            if not await self._wait_or(workers, self._stopping):
                self._slots.clear()
                if not await self._wait_for_calls(workers):
                    self._write(self._calls.given_up(sum(feed.ledger.pending for feed in self._feeds.values())))
            return all(worker.done() for worker in workers)
        finally:
            for task in (*readers, *workers, watch):
                task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([*readers, *workers, watch], timeout=_SOURCE_SECONDS)

    async def _wait_for_calls(self, workers: list[asyncio.Task[None]]) -> bool:
        """Give the workers `stop_timeout` seconds, and tell of it where that takes a while; return whether they have ended."""
        quiet = min(_STOPPING_QUIET_SECONDS, self._stop_timeout)
        if await self._wait_or(workers, self._aborting, quiet):
            return True
        if (left := self._stop_timeout - quiet) and not self._aborting.is_set():
            self._write(self._calls.stopping(left))
        return await self._wait_or(workers, self._aborting, left)

    def _task(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        async def run() -> None:
            try:
                await coroutine
            except Exception as error:  # whatever it is, the run must end, and tell it  # noqa: BLE001
                self._fail(error)

        return asyncio.create_task(run(), name=f"picsellia pipeline: {name}")

    @staticmethod
    async def _wait_or(tasks: list[asyncio.Task[None]], event: asyncio.Event, seconds: float | None = None) -> bool:
        """Wait for all tasks or an event; return whether the tasks have ended."""
        asked = asyncio.create_task(event.wait())
        ended = asyncio.create_task(_all(tasks))
        try:
            await asyncio.wait([asked, ended], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return all(task.done() for task in tasks)
        finally:
            asked.cancel()
            ended.cancel()

    async def _read(self, feed: Feed) -> None:
        """Put the frames of a source into its slot."""
        iterator = aiter(feed.source)
        try:
            async for image in iterator:
                check_image(image, feed, needs_pixels=self._needs_pixels)
                feed.ledger.received += 1
                work = Work(feed, image, self._now())
                if feed.waits:
                    await self._slots.wait_free(feed.name)
                if self._slots.put(feed.name, work) is not None:
                    feed.ledger.skipped["superseded"] += 1
                await asyncio.sleep(0)  # a source that never waits must not keep the others from their turn
        except ConfigurationError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if is_our_cancellation(error):
                raise
            # The others go on.
            feed.ledger.error = (
                error if isinstance(error, Exception) else RuntimeError("the source was cancelled by itself")
            )
            self._tell(logging.ERROR, f"the source {feed.shown} of the pipeline ended: {error_text(error)}")
        finally:
            # A source that is left in the middle must let go of its camera now, not when it is collected.
            if isinstance(iterator, AsyncGenerator):
                await iterator.aclose()

    def _is_fresh(self, work: Work) -> bool:
        if self._max_age is None or self._now() - work.arrived_at <= self._max_age:
            return True
        work.feed.ledger.skipped["too_old"] += 1
        return False

    async def _work(self) -> None:
        """Take frames in turn, call the model, and settle them."""
        # A model that has exited is not called again.
        while self._error is None and (batch := await self._slots.take(self._batch_size, self._max_batch_wait)):
            for work in batch:
                work.feed.flying.append(work)
            call = self._calls.begin(self._now(), [work.feed.shown for work in batch])
            try:
                results = await self._model.predict([work.image for work in batch])
            except ModelProcessError:
                raise
            except Exception as error:  # noqa: BLE001 - the model is the user's
                self._write(self._calls.end(self._now(), call))
                for work in batch:
                    work.end(error)
                if isinstance(error, ModelExitError):
                    self._fail(error.exit)
            else:
                self._write(self._calls.end(self._now(), call))
                for work, result in zip(batch, results, strict=True):
                    work.end(result)
            finally:
                self._calls.discard(call)  # where it was cancelled, it did not return: nothing is told
            for feed in {work.feed.name: work.feed for work in batch}.values():
                await self._settle(feed)

    async def _watch(self) -> None:
        """Tell the log what no event would: failures that no other one follows, and calls of the model that do not return."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            self._sink.tell()
            self._write(self._calls.look(self._now()))

    async def _settle(self, feed: Feed) -> None:
        """Settle the frames of a source that have come back from the model, in the order in which they came."""
        async with feed.settling:
            while (work := feed.next_done()) is not None:
                result = work.result
                if isinstance(result, Exception):
                    self._sink.fail(feed, "model", result)
                elif result is not None:
                    await self._sink.take(work, result)

    # The end.

    def _settle_rest(self) -> None:
        """Count what has no end yet, when no task is left that could give it one."""
        self._sink.close()
        for feed in self._feeds.values():
            if feed.ledger.pending:
                feed.ledger.skipped["stopped"] += feed.ledger.pending

    async def _close_uploader(self) -> None:
        """Close the uploader: a cancellation of `run` is handed on to it, and being told to end at once counts as two."""
        closing = asyncio.create_task(self.uploader.aclose())
        aborting = asyncio.create_task(self._aborting.wait())
        cancelled: asyncio.CancelledError | None = None
        # The shield keeps anyio's cancel scopes, which cancel again and again, from counting as impatience.
        with anyio.CancelScope(shield=True):
            while not closing.done():
                try:
                    await asyncio.wait([closing, aborting], return_when=asyncio.FIRST_COMPLETED)
                    while aborting.done() and not closing.done():
                        closing.cancel()
                        await asyncio.wait([closing], timeout=_ABORT_SECONDS)
                except asyncio.CancelledError as error:
                    cancelled = error
                    closing.cancel()
            aborting.cancel()
            await asyncio.wait([aborting])
        if cancelled is not None:
            raise cancelled
        if not closing.cancelled():
            closing.result()


async def _all(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


def record_durations(
    pipeline: Pipeline, predicted: Callable[[str, float], object], delivered: Callable[[str, float], object]
) -> None:
    """Have functions called from now on, for metrics, with the name of a source and seconds.

    Args:
        pipeline: Whose frames.
        predicted: With the time that the model took, for each frame that it has seen without failing.
        delivered: With the time from arrival to delivery, for each frame that is delivered.
    """
    for name, feed in pipeline._feeds.items():  # noqa: SLF001 - one module
        feed.ledger.latency_recorders.append(partial(predicted, name))
        feed.ledger.age_recorders.append(partial(delivered, name))
