"""Ctrl-C and SIGTERM: the first one ends what is under way in order, the second one at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Any


async def wait_interruptible(work: asyncio.Task[Any], interrupted: Callable[[], object]) -> None:
    """Wait for a task, which each signal cancels; its outcome is left to the caller.

    Args:
        work: What is done.
        interrupted: Called at each signal, before the cancellation.
    """

    def interrupt() -> None:
        interrupted()
        work.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows: asyncio.run turns Ctrl-C into a cancellation itself. RuntimeError: signals are the main thread's, and this is none.
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, interrupt)
    try:
        await asyncio.wait([work])
    finally:
        work.cancel()
