"""Ctrl-C and SIGTERM: the first one ends what is under way in order, the second one at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from picsellia_async.pipeline._signals import SignalHandlers, SignalName

T = TypeVar("T")


async def wait_interruptible(work: asyncio.Task[Any], interrupted: Callable[[], object]) -> None:
    """Wait for a task, which each signal cancels; its outcome is left to the caller.

    Args:
        work: What is done.
        interrupted: Called at each signal, before the cancellation.
    """

    def interrupt(_: SignalName) -> None:
        interrupted()
        work.cancel()

    with SignalHandlers(interrupt):
        try:
            await asyncio.wait([work])
        finally:
            work.cancel()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does, with SIGTERM as Ctrl-C: each signal cancels it.

    Args:
        work: What is done.

    Raises:
        KeyboardInterrupt: A signal ended it.
    """
    signals: list[SignalName] = []

    async def interruptible() -> T:
        task = asyncio.current_task()

        def interrupt(name: SignalName) -> None:
            signals.append(name)
            if task is not None:
                task.cancel()

        with SignalHandlers(interrupt):
            return await work

    try:
        return asyncio.run(interruptible())
    except asyncio.CancelledError:
        if not signals:
            raise
        raise KeyboardInterrupt from None
