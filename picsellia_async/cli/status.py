"""How a pipeline goes, while it runs: a table on a terminal, a line every 30 seconds elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Any, Final

import attrs

from picsellia_async.pipeline import Pipeline, PipelineSourceStatistics
from picsellia_async.progress import troubles
from picsellia_async.sources import Camera, Image

TABLE_SECONDS: Final = 1.0
LINE_SECONDS: Final = 30.0
COLUMNS: Final = ("source", "state", "fps", "age", "sent", "skipped", "failed", "pending")


@attrs.frozen
class Status:
    """Tells of a pipeline and its sources."""

    pipeline: Pipeline
    sources: Mapping[str, AsyncIterable[Image]]

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row for each source, in the order of `COLUMNS`."""
        found = self.pipeline.statistics().by_source
        return [self._row(name, found[name]) for name in self.sources]

    def _row(self, name: str, numbers: PipelineSourceStatistics) -> tuple[str, ...]:
        source = self.sources[name]
        state = "failed" if numbers.error else str(source.statistics().state) if isinstance(source, Camera) else "-"
        age = "-" if numbers.age.p95 is None else f"{numbers.age.p95:.1f} s"
        counts = (numbers.submitted, numbers.skipped, numbers.failed, numbers.pending)
        return (name, state, f"{numbers.frames_per_second:.1f}", age, *map(str, counts))

    def total(self) -> str:
        """Return a line about the uploader."""
        numbers = self.pipeline.uploader.statistics()
        words = [
            f"{numbers.delivered} of {numbers.accepted} delivered, {numbers.pending_frames} pending",
            *([f"{numbers.rejected} rejected"] if numbers.rejected else []),
            *troubles(numbers),
        ]
        return ", ".join(words)

    def line(self) -> str:
        """Return one line about everything."""
        told = "; ".join(
            f"{name} {state} {fps}/s, age {age}, {sent} sent, {pending} pending"
            for name, state, fps, age, sent, _, _, pending in self.rows()
        )
        return f"{told}; {self.total()}"


@contextlib.asynccontextmanager
async def shown(status: Status) -> AsyncIterator[None]:
    """Show it on stderr while a block runs."""
    task = asyncio.create_task(_tell(status))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _tell(status: Status) -> None:
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra, imported on use
        from rich.live import Live  # noqa: PLC0415
    except ImportError:
        await _tell_lines(status)
        return
    if not sys.stderr.isatty():
        await _tell_lines(status)
        return
    # Of its own console, and redirecting stderr: lines of the log come above the table.
    with Live(table(status), console=Console(stderr=True), auto_refresh=False, redirect_stdout=False) as live:
        try:
            while True:
                await asyncio.sleep(TABLE_SECONDS)
                live.update(table(status), refresh=True)
        finally:
            live.update(table(status), refresh=True)


async def _tell_lines(status: Status) -> None:
    while True:
        await asyncio.sleep(LINE_SECONDS)
        print(status.line(), file=sys.stderr, flush=True)


def table(status: Status) -> Any:
    """Return the table of rich."""
    from rich.table import Table  # noqa: PLC0415 - an extra, imported on use

    made = Table(*COLUMNS, caption=status.total(), caption_justify="left")
    for row in status.rows():
        made.add_row(*row)
    return made
