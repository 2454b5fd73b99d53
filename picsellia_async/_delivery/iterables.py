"""Reading the caller's iterable, sync or async, no faster than its frames are taken.

An iterable that may block (a generator over a camera or a directory) is advanced in a thread of its own, always the same one,
since what it holds may belong to a thread. The thread reads when it is asked to, and then as many as come within a few
milliseconds, so that a fast generator does not pay a change of threads per frame. Lists and the like are read in the loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Generator, Iterable, Iterator
from typing import Final, TypeAlias, TypeVar

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.frames import Frame

READ_AHEAD: Final = 16
"""Frames that a sync iterable is read ahead at most."""
_READ_SECONDS: Final = 0.005
"""How long the thread goes on reading before it hands over what it has."""

Frames: TypeAlias = Iterable[Frame] | AsyncIterable[Frame]

T = TypeVar("T")

_Batch: TypeAlias = tuple[list[T], BaseException | None]
"""Items, and what ended the reading: `StopIteration`, an error of the iterable, or None."""


def check(frames: object, what: str = "frames must be an iterable of Frame") -> None:
    """Refuse what is no iterable.

    Args:
        frames: What was given.
        what: What it must be, for the message.

    Raises:
        ConfigurationError: It is none.
    """
    if not isinstance(frames, (Iterable, AsyncIterable)):
        raise ConfigurationError(f"{what}, sync or async, got {shown(frames)}")


async def each(frames: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """Yield the frames of an iterable; close it if the reading ends early."""
    if isinstance(frames, AsyncIterable):
        iterator = aiter(frames)
        try:
            async for frame in iterator:
                yield frame
        finally:
            # A source that is left in the middle must let go of its camera now, not when it is collected.
            if isinstance(iterator, AsyncGenerator):
                await iterator.aclose()
    elif isinstance(frames, Collection):
        for count, frame in enumerate(frames):
            yield frame
            if not count % READ_AHEAD:
                await asyncio.sleep(0)  # a list gives the loop no other chance while there is room
    else:
        async for frame in _each_in_thread(frames):
            yield frame


async def _each_in_thread(frames: Iterable[T]) -> AsyncGenerator[T, None]:
    loop = asyncio.get_running_loop()
    orders: queue.SimpleQueue[asyncio.Future[_Batch[T]] | None] = queue.SimpleQueue()
    context = contextvars.copy_context()
    # A daemon: the end of the program does not wait for a camera that gives no frame.
    threading.Thread(
        target=context.run, args=(_read, frames, orders, loop), name="picsellia-frames", daemon=True
    ).start()
    try:
        end: BaseException | None = None
        while end is None:
            order: asyncio.Future[_Batch[T]] = loop.create_future()
            orders.put(order)
            batch, end = await order
            for frame in batch:
                yield frame
        if not isinstance(end, StopIteration):
            raise end
    finally:
        orders.put(None)


def _read(
    frames: Iterable[T],
    orders: queue.SimpleQueue[asyncio.Future[_Batch[T]] | None],
    loop: asyncio.AbstractEventLoop,
) -> None:
    """The thread: read a batch for each order, and close a generator at the end."""
    iterator: Iterator[T] | None = None
    while (order := orders.get()) is not None:
        batch: list[T] = []
        end: BaseException | None = None
        until = time.monotonic() + _READ_SECONDS
        try:
            iterator = iter(frames) if iterator is None else iterator
            while len(batch) < READ_AHEAD and (not batch or time.monotonic() < until):
                batch.append(next(iterator))
        except BaseException as error:  # noqa: BLE001 - handed to whoever reads
            end = error
        try:
            loop.call_soon_threadsafe(_give, order, (batch, end))
        except RuntimeError:
            break  # the loop is closed, and nobody reads
    if isinstance(iterator, Generator):
        iterator.close()


def _give(order: asyncio.Future[_Batch[T]], batch: _Batch[T]) -> None:
    if not order.done():
        order.set_result(batch)
