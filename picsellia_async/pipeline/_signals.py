"""SIGINT and SIGTERM while a pipeline runs."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, Literal, Self, TypeAlias

SignalName: TypeAlias = Literal["SIGINT", "SIGTERM", "SIGBREAK"]
"""SIGBREAK is Windows' Ctrl-Break."""
_NAMES: Final[tuple[SignalName, ...]] = ("SIGINT", "SIGTERM", "SIGBREAK")


class SignalHandlers:
    """Has a function called in the event loop for each signal, while the block lasts; then the handlers are as before.

    `signal.signal` and not the loop's `add_signal_handler`: that one is missing on Windows, and cannot give back what it replaces.
    Outside the main thread nothing is installed, since Python does not allow it. Signals that the process ignores stay ignored.
    """

    def __init__(self, call: Callable[[SignalName], object]) -> None:
        """Store the function; it gets the signal's name."""
        self._call = call
        self._before: dict[int, Callable[[int, FrameType | None], object] | int] = {}
        self.ignored: tuple[SignalName, ...] = ()
        """Those that the process ignores, which therefore call nothing: told by the shell that started it, for instance."""

    def __enter__(self) -> Self:
        """Install the handlers."""
        if threading.current_thread() is not threading.main_thread():
            return self
        loop = asyncio.get_running_loop()

        self.ignored = ()
        for name in _NAMES:
            number = getattr(signal, name, None)
            before = None if number is None else signal.getsignal(number)
            if number is not None and before is not None and before != signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._handler(loop, name))
            elif before == signal.SIG_IGN:
                self.ignored = (*self.ignored, name)
        return self

    def _handler(self, loop: asyncio.AbstractEventLoop, name: SignalName) -> Callable[[int, FrameType | None], None]:
        # It runs between two steps of whatever the thread is doing: the loop is told, and awakened if it sleeps.
        def handle(_number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._call, name)

        return handle

    def restore(self) -> None:
        """Put the former handlers back."""
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, before)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the former handlers back."""
        self.restore()
