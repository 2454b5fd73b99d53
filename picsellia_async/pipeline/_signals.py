"""SIGINT and SIGTERM while pipelines run."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

SignalName: TypeAlias = Literal["SIGINT", "SIGTERM", "SIGBREAK"]
"""SIGBREAK is Windows' Ctrl-Break."""
_NAMES: Final[tuple[SignalName, ...]] = ("SIGINT", "SIGTERM", "SIGBREAK")

Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int
"""What `signal.getsignal` returns."""

_running: list[SignalHandlers] = []
"""Who is told of a signal: of several pipelines in one process, each. Only the main thread looks at it."""
_before: dict[int, Handler] = {}
"""What stood there before the first of them."""


class SignalHandlers:
    """Has a function called in the event loop for each signal, while the block lasts; then the handlers are as before.

    `signal.signal` and not the loop's `add_signal_handler`: that one is missing on Windows, and cannot give back what it replaces.
    Outside the main thread nothing is installed, since Python does not allow it. Signals that the process ignores stay ignored. A
    handler of somebody else, a web server's for instance, is called as well: else the server would go on, and nobody would know.
    """

    def __init__(self, call: Callable[[SignalName], object]) -> None:
        """Store the function; it gets the signal's name."""
        self._call = call
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ignored: list[SignalName] = []
        """Names of the signals that whoever started this process has it ignore."""

    def __enter__(self) -> Self:
        """Install the handlers."""
        if threading.current_thread() is not threading.main_thread():
            return self
        self._loop = asyncio.get_running_loop()
        if not _running:
            _before.update(_install())
        self.ignored = [name for name in _NAMES if _handler_of(name) == signal.SIG_IGN]
        _running.append(self)
        return self

    def tell(self, name: SignalName) -> None:
        """A signal came, between two steps of whatever the thread is doing: the loop is told, and awakened if it sleeps."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._call, name)

    def restore(self) -> None:
        """Let signals do what they did before; where other pipelines run, they are told as before."""
        if self in _running:
            _running.remove(self)
            while not _running and _before:
                number, before = _before.popitem()
                signal.signal(number, before)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the former handlers back."""
        self.restore()


def _handler_of(name: SignalName) -> Handler | None:
    number = getattr(signal, name, None)
    return None if number is None else signal.getsignal(number)


def _install() -> dict[int, Handler]:
    """Install our handler for each signal that is not ignored; return what stood there."""
    before: dict[int, Handler] = {}
    for name in _NAMES:
        found = _handler_of(name)
        if found is not None and found != signal.SIG_IGN:
            number = getattr(signal, name)
            before[number] = found
            signal.signal(number, _handler(name, found))
    return before


def _handler(name: SignalName, before: Handler) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        for one in _running:
            one.tell(name)
        if callable(before) and not _only_interrupts(before):
            before(number, frame)

    return handle


def _only_interrupts(handler: Callable[..., Any]) -> bool:
    """Whether all that a handler does is to end what runs: Python's own, and the one of `asyncio.run`."""
    module = str(getattr(getattr(handler, "func", handler), "__module__", ""))
    return handler is signal.default_int_handler or module.partition(".")[0] == "asyncio"
