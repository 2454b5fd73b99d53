"""One run for many waiters: whoever comes while it runs shares its outcome."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import attrs

from picsellia_async._http.loop import running_loop
from picsellia_async.errors import ClosedError, PicselliaError

T = TypeVar("T")


@attrs.define(eq=False)
class SingleFlight(Generic[T]):
    """Runs a coroutine as a task of its own, so that a waiter who is cancelled takes nothing from the others."""

    _task: asyncio.Task[T] | None = attrs.field(default=None, init=False, repr=False)

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Wait for the run under way, or for a new one.

        Args:
            make: Makes the coroutine of a new run.

        Raises:
            ClosedError: `aclose` ended the run, or no asyncio loop runs.
        """
        loop = running_loop()
        task = self._task
        # A task that another event loop left behind will never end.
        if task is None or task.done() or task.get_loop() is not loop:
            task = self._task = loop.create_task(make())
            task.add_done_callback(_retrieve)
        try:
            return await asyncio.shield(task)
        except PicselliaError as exc:
            # Every waiter gets its own: one exception raised in many tasks would collect all their tracebacks.
            raise copy.copy(exc) from exc.__cause__
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if task.cancelled() and current is not None and not current.cancelling():
                # The run was cancelled by `aclose`, not the caller: the caller must not look cancelled.
                raise ClosedError("the client was closed while this call waited for a sign-in") from None
            raise

    async def aclose(self) -> None:
        """Cancel the run under way and wait until it has ended."""
        task, self._task = self._task, None
        if task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task])


def _retrieve(task: asyncio.Task[T]) -> None:
    """Look at the outcome, so that a failure whose waiters were all cancelled does not warn."""
    if not task.cancelled():
        task.exception()
