"""Progress of an uploader on a terminal. Needs the extra `cli` (rich), which is imported on use.

Anything else takes the numbers itself: `progress=` of the uploader is called with `UploaderStatistics`.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any, Final, Self, TextIO

from picsellia_async._delivery.outcomes import Health, UploaderStatistics
from picsellia_async.errors import ConfigurationError

OFF_VARIABLE: Final = "PICSELLIA_ASYNC_NO_PROGRESS"
"""Environment variable that, set to anything, keeps progress off terminals too."""


class TerminalProgress:
    """A line on a terminal that follows an uploader; nothing at all where the output is no terminal.

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
        self._stream = stream or sys.stderr
        self._bar: Any = None
        self._task: Any = None

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
        # No refresh thread: the uploader calls often enough, and the library owns no threads that nobody asked for.
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=Console(file=self._stream), auto_refresh=False,
        )  # fmt: skip
        self._task = self._bar.add_task("delivering", total=self._total)
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the terminal."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __call__(self, statistics: UploaderStatistics) -> None:
        """Show a snapshot; for `progress=` of the uploader."""
        if self._bar is None:
            return
        ended = statistics.accepted - statistics.pending_frames
        total = self._total if self._total is not None else statistics.accepted
        self._bar.update(self._task, description=describe(statistics), completed=ended, total=total, refresh=True)


def describe(statistics: UploaderStatistics) -> str:
    """Return what is worth saying beside the bar: failures, and trouble with the service."""
    words = ["delivering"]
    for name, count in (
        ("rejected", statistics.rejected), ("dropped", statistics.dropped), ("repeated", statistics.retried),
    ):  # fmt: skip
        if count:
            words.append(f"{count} {name}")
    if statistics.health is not Health.OK:
        words.append(f"service {statistics.health.value}")
    return ", ".join(words)
