"""Progress on a terminal. Needs the extra `cli` (rich), which is imported on use.

Anything else takes the numbers itself: `progress=` of the uploader is called with `UploaderStatistics`.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

from picsellia_async._delivery.outcomes import Health, UploaderStatistics
from picsellia_async.errors import ConfigurationError

if TYPE_CHECKING:  # an extra
    from rich.progress import Progress, TaskID

OFF_VARIABLE: Final = "PICSELLIA_ASYNC_NO_PROGRESS"
"""Environment variable that, set to anything, keeps progress off terminals too."""


class ProgressBar:
    """A bar of things done; nothing at all where the output is no terminal."""

    def __init__(self, description: str, total: int | None = None, *, stream: TextIO | None = None) -> None:
        """Choose what to show, and where.

        Args:
            description: Shown before the bar.
            total: Number of things, if known.
            stream: Terminal; stderr by default, so that stdout stays free for results.
        """
        self._description = description
        self._total = total
        self._stream = stream or sys.stderr
        self._bar: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Self:
        """Begin to show, if there is a terminal.

        Raises:
            ConfigurationError: There is one, but rich is not installed.
        """
        if not self._stream.isatty() or os.environ.get(OFF_VARIABLE):
            return self
        try:
            from rich.console import Console  # noqa: PLC0415 - an extra, imported on use
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "progress on a terminal needs the extra 'cli': pip install 'picsellia-async[cli]'"
            ) from error
        # No refresh thread: updates come often enough, and the library owns no threads that nobody asked for.
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=Console(file=self._stream), auto_refresh=False,
        )  # fmt: skip
        self._bar = bar, bar.add_task(self._description, total=self._total)
        bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the terminal."""
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None

    def show(self, completed: int, total: int | None, description: str) -> None:
        """Show how many of how many are done; nothing before the block begins and after it ends."""
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, completed=completed, total=total, description=description, refresh=True)

    def advance(self) -> None:
        """Count one thing done."""
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, advance=1, refresh=True)

    def finish(self) -> None:
        """Say that no more comes: what was done is the total."""
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, total=bar.tasks[task].completed, refresh=True)


class TerminalProgress:
    """A bar that follows an uploader; nothing at all where the output is no terminal.

    ```python
    with TerminalProgress(total=len(frames)) as progress:
        report = await deployment.monitor_many(frames, progress=progress)
    ```
    """

    def __init__(self, total: int | None = None, *, stream: TextIO | None = None) -> None:
        """Choose where to write.

        Args:
            total: Number of frames, if known; else the bar follows what was accepted so far.
            stream: Terminal; stderr by default, so that stdout stays free for results.
        """
        self._total = total
        self._bar = ProgressBar("delivering", total, stream=stream)

    def __enter__(self) -> Self:
        """Begin to show, if there is a terminal.

        Raises:
            ConfigurationError: There is one, but rich is not installed.
        """
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the terminal."""
        self._bar.__exit__(kind, error, trace)

    def __call__(self, statistics: UploaderStatistics) -> None:
        """Show a snapshot; for `progress=` of the uploader."""
        ended = statistics.accepted - statistics.pending_frames
        total = self._total if self._total is not None else statistics.accepted
        self._bar.show(ended, total, describe(statistics))


def describe(statistics: UploaderStatistics) -> str:
    """Return what is worth saying beside the bar: failures, and trouble with the service."""
    rejected = [f"{statistics.rejected} rejected"] if statistics.rejected else []
    return ", ".join(["delivering", *rejected, *troubles(statistics)])


def troubles(statistics: UploaderStatistics) -> list[str]:
    """Return the words for all of that but rejected frames."""
    words = [
        f"{count} {name}"
        for name, count in (("dropped", statistics.dropped), ("repeated", statistics.retried))
        if count
    ]
    if statistics.health is not Health.OK:
        words.append(f"service {statistics.health.value}")
    return words
