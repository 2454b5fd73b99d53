"""The event loop that everything here runs on: asyncio's, and a clear word where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from picsellia_async.errors import ClosedError

with contextlib.suppress(ImportError):  # a name of anyio's own: where it is elsewhere, that is no matter
    # anyio imports it with its first use, which a running loop would wait for: 40 ms.
    import anyio._backends._asyncio  # noqa: F401


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running asyncio loop.

    Raises:
        ClosedError: There is none: the call runs under trio, or outside of any loop.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ClosedError("picsellia_async needs a running asyncio event loop; trio is not supported") from None


_USUAL_TIME: Final = asyncio.BaseEventLoop.time


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return what tells a loop's time: of asyncio's own loop the function behind it, since a call in Python is three in C."""
    is_usual = getattr(loop.time, "__func__", None) is _USUAL_TIME
    return time.monotonic if is_usual else loop.time
