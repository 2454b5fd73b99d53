"""The threads in which videos and cameras are read, and their end before the interpreter's. Blocking at exit alone, within a bound.

Theory of operation. While FFmpeg waits for bytes it asks PyAV ten times a second whether their time is over, and PyAV asks the clock of
Python for that. In an interpreter that is gone this is a segmentation fault, and Python does not wait for daemon threads. So at exit each
thread is told that nothing is wanted any more, what it waits for is ended, and it is waited for. Other threads of PyAV, which are the
caller's, are left alone. What cannot be ended, as looking a name up or a driver that hangs, is waited for no longer than `EXIT_SECONDS`.
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import itertools
import os
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

EXIT_SECONDS: Final = 2.0
"""That the end of the process waits for all of these threads at most."""

_HURRY_SECONDS: Final = 1e9
"""By which each look at the clock is later than the one before it, for a thread that is to end: more than any `timeout`."""

_running: Final[dict[threading.Thread, Callable[[], object]]] = {}
"""With what tells each that nothing is wanted any more."""
_responses: Final[weakref.WeakSet[http.client.HTTPResponse]] = weakref.WeakSet()


def start_reading(name: str, read: Callable[[], object], stop: Callable[[], object]) -> None:
    """Start a thread that reads.

    Args:
        name: Of the thread.
        read: What it does.
        stop: Tells it, from another thread, that nothing is wanted any more; does not wait.
    """

    def run() -> None:
        try:
            read()
        finally:
            _running.pop(threading.current_thread(), None)

    # A daemon: Python would wait for any other thread before it runs what is registered for its exit.
    thread = threading.Thread(target=run, name=name, daemon=True)
    _running[thread] = stop
    try:
        thread.start()
    except BaseException:
        del _running[thread]
        raise


def end_at_exit(response: http.client.HTTPResponse) -> None:
    """Remember an answer whose bytes one of these threads waits for."""
    _responses.add(response)


@atexit.register
def _end_all() -> None:
    threads = [thread for thread in tuple(_running) if thread.is_alive()]  # in a forked process none is
    if not threads:
        return
    for thread in threads:
        _running.get(thread, _nothing)()
    _end_waits_of_ffmpeg(frozenset(thread.ident for thread in threads))
    for response in _open_responses():
        # The thread may close it meanwhile: then it has no descriptor any more, or nothing that could have one.
        with contextlib.suppress(OSError, ValueError, AttributeError), _connection(response) as connection:
            connection.shutdown(socket.SHUT_RDWR)
    until = time.monotonic() + EXIT_SECONDS
    with contextlib.suppress(KeyboardInterrupt):  # who presses Ctrl-C once more does not want to wait
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


def _open_responses() -> list[http.client.HTTPResponse]:
    for _ in range(10):
        with contextlib.suppress(RuntimeError):  # a thread that opens or drops one changes the set under way
            return list(_responses)
    return []


def _forget_after_fork() -> None:
    """Leave the parent's threads and connections alone when a forked child ends."""
    _running.clear()
    _responses.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def _nothing() -> None:
    """Stand for what tells a thread that has ended."""


def _connection(response: http.client.HTTPResponse) -> socket.socket:
    """Return the connection of an answer, which is one with that of the thread; of what family makes no difference here."""
    return socket.fromfd(response.fileno(), socket.AF_INET, socket.SOCK_STREAM)


def _end_waits_of_ffmpeg(threads: frozenset[int | None]) -> None:
    """Let the time of each read in these threads be over. PyAV has no call for that, and takes time by the module `time` in this place."""
    core: Any = sys.modules.get("av.container.core")
    if hasattr(core, "time"):
        core.time = _Clock(core.time, threads)


class _Clock:
    """The module `time`, for PyAV."""

    def __init__(self, clock: Any, threads: frozenset[int | None]) -> None:
        self._clock = clock
        self._threads = threads
        self._looks = itertools.count(1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)

    def monotonic(self) -> float:
        # Later at each look: a read that begins after this one takes its beginning by the same clock.
        hurry = next(self._looks) * _HURRY_SECONDS if threading.get_ident() in self._threads else 0.0
        return float(self._clock.monotonic() + hurry)
