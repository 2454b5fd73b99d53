"""How long a thread slept: to tell a packet that it waited for from one that was there. Blocking, and for the thread that asks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

_SCHEDULER: Final = Path("/proc/thread-self/schedstat")
_NANOSECONDS: Final = 1e9


def idle_seconds() -> float:
    """Return a count of seconds in which this thread neither worked nor, where Linux tells, waited for a processor.

    On a machine that others keep busy a thread that would work stands still as well, and that is no wait for a packet.
    """
    try:
        waited = int(_SCHEDULER.read_bytes().split()[1]) / _NANOSECONDS
    except (OSError, ValueError, IndexError):  # not Linux, or one that does not tell
        waited = 0.0
    return time.monotonic() - time.thread_time() - waited
