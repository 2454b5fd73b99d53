"""Runs the model: a plain function in threads or processes of its own, a coroutine function in the event loop.

Theory of operation. `predict` is called by as many tasks as there are workers, so that there are never more calls of the model. In
threads and processes the whole of `_call` runs beside the loop: the small picture for `changed`, the model, and the way from its result
to a prediction. Processes get the model once, when they start, and then only images. A process that dies breaks the whole pool; the
next call makes a new one, unless no call has ever ended well: then the next would die as well.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import multiprocessing
import pickle
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar

import attrs

from picsellia_async._error_text import error_text
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.pipeline._picture import small_picture
from picsellia_async.pipeline._result import Conversion
from picsellia_async.predictions import PredictionFormat
from picsellia_async.sources import Image

R = TypeVar("R")

_NOT_CARRIED: Final = (StopIteration, StopAsyncIteration, GeneratorExit, asyncio.CancelledError, CancelledError)
"""What a future does not carry from a thread to a task, or carries as if the task had been cancelled."""

RunIn: TypeAlias = Literal["thread", "process"]
"""Where a plain function runs."""
Input: TypeAlias = Literal["pixels", "image"]
"""What the model gets: the numpy array, or the `Image` of the source."""


@attrs.frozen
class Predicted:
    """What the model said of one image."""

    prediction: PredictionFormat | None
    """None: nothing to send, or `error`."""
    latency: float
    """Seconds that the call took."""
    picture: Any = None
    """Small gray picture, where it was asked for."""
    error: Exception | None = None
    """Why the result is no prediction."""


@attrs.frozen
class Call:
    """How the model is called; what processes get when they start."""

    model: Callable[..., Any]
    input: Input
    is_batch: bool
    conversion: Conversion
    needs_picture: bool

    def input_of(self, images: Sequence[Image]) -> Any:
        """Return what the model is called with."""
        inputs = [image if self.input == "image" else image.pixels for image in images]
        return inputs if self.is_batch else inputs[0]

    def pictures(self, images: Sequence[Image]) -> list[Any]:
        """Return the small pictures, where they are needed. Before the model is called, which may draw into the pixels."""
        return [small_picture(image) if self.needs_picture else None for image in images]

    def results(self, returned: Any, images: Sequence[Image], pictures: list[Any], latency: float) -> list[Predicted]:
        """Return what the model said of each image.

        Raises:
            ConfigurationError: It did not return one result per image.
        """
        if inspect.isawaitable(returned):
            if inspect.iscoroutine(returned):
                returned.close()  # it is never awaited
            raise ConfigurationError(
                "the model is a plain function that returned a coroutine: give a coroutine function"
            )
        found = returned if self.is_batch else [returned]
        if not isinstance(found, Sequence) or len(found) != len(images):
            raise ConfigurationError(
                f"the model must return a list with one result for each of {len(images)} images, got {shown(found)}"
            )
        return [
            self._result(one, image, picture, latency)
            for one, image, picture in zip(found, images, pictures, strict=True)
        ]

    def _result(self, returned: Any, image: Image, picture: Any, latency: float) -> Predicted:
        try:
            prediction = self.conversion.prediction(returned, (image.width, image.height))
        except Exception as error:  # noqa: BLE001 - of this image only; counted by the pipeline
            return Predicted(None, latency, picture, error)
        return Predicted(prediction, latency, picture)

    def __call__(self, images: Sequence[Image]) -> list[Predicted]:
        """Call a plain function. Blocking."""
        pictures = self.pictures(images)
        given = self.input_of(images)
        begun = time.perf_counter()
        try:
            returned = self.model(given)
        except _NOT_CARRIED as error:
            raise ModelError.of(error) from error
        except SystemExit as error:
            raise ModelExitError(error) from error
        return self.results(returned, images, pictures, time.perf_counter() - begun)


_calls: list[Call] = []
"""In a process of the pool: the call it was made for."""


def _start(pickled: bytes) -> None:
    """Begin a process of the pool. Ctrl-C reaches all processes of a terminal: it is for the one that started them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _calls.append(pickle.loads(pickled))  # noqa: S301 - from our own parent


def _call_here(images: Sequence[Image]) -> list[Predicted]:
    return _calls[0](images)


class ModelError(Exception):
    """The model raised what cannot be handed from a thread to a task: `StopIteration`, of a `next()` without a default, or a cancellation.

    Raised as it is, it would end the task that waits for it, or never reach it, and the frames behind it would wait for ever.
    """

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Return the error for what the model raised."""
        return cls(f"the model raised {error_text(error)}")


class ModelExitError(Exception):
    """The model called `sys.exit`. As it is, that would end the event loop where it stands, without an account of its frames."""

    def __init__(self, exit: SystemExit) -> None:  # noqa: A002 - what it is
        """Store what the model raised."""
        super().__init__(exit)
        self.exit = exit

    def __str__(self) -> str:
        return f"the model called sys.exit: {error_text(self.exit)}"


def is_our_cancellation(error: BaseException) -> bool:
    """Return whether this task is being cancelled, and not something that the model or the source waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


class ModelRunner:
    """Calls the model, beside the event loop or in it."""

    def __init__(self, call: Call, workers: int, run_in: RunIn) -> None:
        """Choose how; no thread or process is started.

        Raises:
            ConfigurationError: The model cannot be called, or not so.
        """
        if not callable(call.model):
            raise ConfigurationError(f"model must be a function or coroutine function, got {shown(call.model)}")
        self._call = call
        self._workers = workers
        self._is_coroutine = inspect.iscoroutinefunction(call.model) or inspect.iscoroutinefunction(
            getattr(call.model, "__call__", None)  # noqa: B004 - an object whose call is a coroutine function
        )
        self._in_process = run_in == "process"
        if self._is_coroutine and self._in_process:
            raise ConfigurationError('run_in="process" takes a plain function: a coroutine function runs in the loop')
        self._threads: ThreadPoolExecutor | None = None
        self._processes: ProcessPoolExecutor | None = None
        self._pickled = b""
        self._has_worked = False

    async def open(self) -> None:
        """Make the pools; threads and processes start with the first calls.

        Raises:
            ConfigurationError: The model cannot be handed to a process.
        """
        self._threads = ThreadPoolExecutor(self._workers, "picsellia-pipeline")
        if self._in_process:
            try:
                self._pickled = await self._in_thread(pickle.dumps, self._call)  # a model may be large
            except Exception as error:
                raise ConfigurationError(
                    f"the model cannot be handed to a process ({error}): give a function of a module, or an object that "
                    "can be pickled"
                ) from error
            self._processes = self._new_processes()

    def _new_processes(self) -> ProcessPoolExecutor:
        # Spawned: a fork of a process with threads may hang.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._workers, context, _start, (self._pickled,))

    async def predict(self, images: Sequence[Image]) -> list[Predicted]:
        """Return what the model says of each image, in their order.

        Raises:
            ConfigurationError: The model did not return one result per image; or its processes cannot be started.
            Exception: What it raised.
        """
        if self._is_coroutine:
            return await self._await(images)
        if self._processes is not None:
            return await self._in_a_process(self._processes, images)
        return await self._in_thread(self._call, images)

    async def _await(self, images: Sequence[Image]) -> list[Predicted]:
        call = self._call
        pictures = await self._in_thread(call.pictures, images) if call.needs_picture else [None] * len(images)
        begun = time.perf_counter()
        try:
            returned = await call.model(call.input_of(images))
        except _NOT_CARRIED as error:
            if is_our_cancellation(error):
                raise
            raise ModelError.of(error) from error
        except SystemExit as error:
            raise ModelExitError(error) from error
        latency = time.perf_counter() - begun
        if returned is None or isinstance(returned, PredictionFormat):
            return call.results(returned, images, pictures, latency)
        # Polygons around masks take milliseconds.
        return await self._in_thread(call.results, returned, images, pictures, latency)

    async def _in_thread(self, function: Callable[..., R], *arguments: Any) -> R:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, context.run, function, *arguments)

    async def _in_a_process(self, pool: ProcessPoolExecutor, images: Sequence[Image]) -> list[Predicted]:
        try:
            # The pool starts its processes in the thread that submits, which takes 100 ms.
            call: Future[list[Predicted]] = await self._in_thread(pool.submit, _call_here, images)
            results = await asyncio.wrap_future(call)
        except BrokenProcessPool as error:
            if not self._has_worked:
                raise ModelProcessError(
                    "the model's process ended before its first result: its module cannot be imported there, or the program "
                    "has no `if __name__ == '__main__':`"
                ) from error
            # All calls under way fail with it; the first that comes here makes the new pool.
            if self._processes is pool:
                self._processes = self._new_processes()
                pool.shutdown(wait=False, cancel_futures=True)
            raise
        self._has_worked = True
        return results

    async def aclose(self, *, is_idle: bool) -> None:
        """End threads and processes.

        Args:
            is_idle: Whether no call is under way. Else threads end after theirs, and processes are ended at once.
        """
        threads, processes = self._threads, self._processes
        self._threads = self._processes = None
        if threads is not None:
            threads.shutdown(wait=is_idle, cancel_futures=True)
        if processes is not None:
            if not is_idle:
                for worker in list((processes._processes or {}).values()):  # noqa: SLF001 - no public way before Python 3.14
                    worker.terminate()
            # In a thread, since it waits for the processes; not one of the application's.
            closing = ThreadPoolExecutor(1, "picsellia-pipeline-close")
            try:
                await asyncio.get_running_loop().run_in_executor(closing, processes.shutdown)
            finally:
                closing.shutdown(wait=False)


class ModelProcessError(ConfigurationError):
    """The model's processes cannot be started."""
