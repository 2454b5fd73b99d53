"""`Source`: an async iterable over files, read in threads a few items at a time."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Final, Generic, TypeVar, get_args

import anyio.to_thread
import attrs

from picsellia_async._log_line import Line, logger, write
from picsellia_async.frames import Frame
from picsellia_async.sources._closeable import Closeable
from picsellia_async.sources._errors import OnBad, Problems, SourceError
from picsellia_async.sources._extent_watch import ExtentWatch
from picsellia_async.sources._folder import OTHER_PICTURES
from picsellia_async.validation import choice

T = TypeVar("T")


BATCH_ITEMS: Final = 32
"""Items that one visit to a thread brings at most: what a source may be ahead of its reader."""

BATCH_SECONDS: Final = 0.02
"""A visit ends after so long, so that a slow disk does not hold back what it has given."""

_EXTENSIONS_TOLD: Final = 8
_NAMED_MAX: Final = 3


class Source(Closeable, Generic[T]):
    """Frames or images of files. Each `async for` begins anew; nothing is read before.

    Leaving the loop early ends the reading; an `async with` block over the source does so at a known place.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[Problems], Generator[T, None, None]],
        *,
        on_bad: OnBad = "raise",
        nothing: str = "nothing was found",
    ) -> None:
        """Store what is read.

        Args:
            name: For `repr`.
            read: Blocking generator of the items; runs in threads.
            on_bad: What to do with an item that cannot be used.
            nothing: What to say of a pass that finds no item, good or bad.

        Raises:
            ConfigurationError: `on_bad` is neither "raise" nor "skip".
        """
        self._name = name
        self._read = read
        choice(on_bad, "on_bad", get_args(OnBad))
        self._on_bad = on_bad
        self._nothing = nothing
        self._problems = Problems(self._on_bad)
        self._passes: set[_Steps[T]] = set()
        self.on_skipped: Callable[[str, str], object] | None = None
        """Called in the reading thread with the message about each item that is skipped, and its text where it is a line of a
        manifest, else "". Counts from the next pass on."""

    def __repr__(self) -> str:
        """Return what is read."""
        return f"<Source {self._name}>"

    @property
    def skipped(self) -> int:
        """Bad items that the latest pass skipped so far; always 0 with `on_bad="raise"`."""
        return self._problems.skipped

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong with them, at most the first 100."""
        return tuple(self._problems.messages)

    @property
    def elsewhere(self) -> dict[str, str]:
        """Images of result files that the latest pass took so far from another folder than the rest lie in: by name, the file.

        Nothing in the file says that they are other pictures of the same name, and nothing that they are not; the log tells once.
        """
        return dict(self._problems.elsewhere)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful of all items of the latest pass so far, and no error of any of them; the log tells it too."""
        return tuple(self._problems.warnings)

    @property
    def total(self) -> int | None:
        """Items that the latest pass has to read, good and bad; None before it began, and where only reading tells."""
        return self._problems.total

    @property
    def left_out(self) -> dict[str, int]:
        """Files that the latest pass passed over so far, since their names are not asked for: number by extension, "" for none."""
        return dict(self._problems.left_out)

    async def aclose(self) -> None:
        """End every iteration that is under way, at once; a new one may begin. A thread that reads ends after its item."""
        for steps in self._passes:
            steps.leave()

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        """Yield the items.

        Raises:
            SourceError: Something cannot be used, and `on_bad` is "raise"; or there is nothing at all.
            ConfigurationError: The file or directory is not there, or may not be read.
        """
        self._problems = Problems(self._on_bad, on_skipped=self.on_skipped)
        problems = self._problems
        steps = _Steps(self._read(problems), problems)
        self._passes.add(steps)
        is_empty = True
        try:
            is_over = False
            while not is_over:
                items: list[T] = []
                try:
                    is_over = await anyio.to_thread.run_sync(steps.take, items)
                except Exception:
                    for item in items:  # what was read before it is good
                        yield item
                    raise
                for item in items:
                    if steps.is_left:  # closed while the reader had the item before
                        return
                    yield item
                if steps.is_left:
                    return
                is_empty = is_empty and not items
        finally:
            steps.leave()
            self._passes.discard(steps)
            self._tell_elsewhere(problems.elsewhere)
        if is_empty and not problems.skipped:
            raise SourceError(self._nothing + _told(problems.left_out))
        if problems.left_out.keys() & OTHER_PICTURES:
            logger.warning("%s%s", self._name, _told(problems.left_out))

    def _tell_elsewhere(self, elsewhere: Mapping[str, str]) -> None:
        if not elsewhere:
            return
        count = len(elsewhere)
        what = (
            "image lies in another folder than the rest, and may be another picture"
            if count == 1
            else "images lie in other folders than the rest, and may be other pictures"
        )
        named = ", ".join(f"{name!r} as {file!r}" for name, file in itertools.islice(elsewhere.items(), _NAMED_MAX))
        more = ", ..." if count > _NAMED_MAX else ""
        text = f"{self._name}: {count} {what} of the same name: {named}{more}; where that is wrong, the file must name the folder"
        write(Line(logging.WARNING, text, {"source": self._name, "elsewhere": count}))


def watched(
    read: Callable[[Problems], Generator[Frame, None, None]], name: str
) -> Callable[[Problems], Generator[Frame, None, None]]:
    """Return what reads the same frames, and tells where all of their shapes may be in pixels of a smaller size.

    Args:
        read: As for `Source`.
        name: For the log: the file or folder.
    """

    def frames(problems: Problems) -> Generator[Frame, None, None]:
        watch = ExtentWatch()

        with contextlib.closing(read(problems)) as found:
            try:
                for frame in found:
                    problems.warn(watch.see(frame.prediction, frame.width, frame.height), name)
                    yield frame
            finally:
                problems.warn(watch.verdict(), name)

    return frames


def _told(left_out: Mapping[str, int]) -> str:
    """Return how many files of which extension were passed over, the most first."""
    most = sorted(left_out.items(), key=lambda one: (-one[1], one[0]))
    words = ", ".join(f"{count} {extension or 'without extension'}" for extension, count in most[:_EXTENSIONS_TOLD])
    return f"; passed over: {words}{', ...' if len(most) > _EXTENSIONS_TOLD else ''}" if words else ""


@attrs.define(eq=False)
class _Steps(Generic[T]):
    """A generator that threads advance one after the other."""

    _generator: Generator[T, None, None]
    _problems: Problems
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    is_left: bool = attrs.field(default=False, init=False)

    def take(self, items: list[T]) -> bool:
        """Append the next items; return whether they were the last. What the generator raises comes after the items before it."""
        until = time.monotonic() + BATCH_SECONDS
        try:
            with self._lock:
                while len(items) < BATCH_ITEMS and not self.is_left:
                    try:
                        items.append(next(self._generator))
                    except StopIteration:
                        return True
                    if time.monotonic() >= until:
                        break
        finally:
            if self.is_left:
                self.leave()
        return False

    def leave(self) -> None:
        """Close the generator; where a thread is in it (a cancelled task does not wait), that thread does so."""
        self.is_left = self._problems.is_left = True
        if self._lock.acquire(blocking=False):
            try:
                self._generator.close()
            finally:
                self._lock.release()
