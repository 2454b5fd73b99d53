"""A job in parts: what the one who hands them out does, and what the process does that delivers one. Knows no engine.

Theory of operation. Each part has a journal of its own in one folder that all processes see. SQLite's lock on it keeps a part that an
engine runs once more, since it lost a process, from running beside one that is alive after all; what the lost process had under way is
looked up. After a run the journals of its parts are merged into one, and those that a run left which did not end before the next:
the parts only read that one, so the input may be cut otherwise in each run.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from picsellia_async._delivery.options import UploaderOptions
from picsellia_async._error_text import error_text
from picsellia_async.client import AsyncClient
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import ConfigurationError, PicselliaError
from picsellia_async.frames import Frame, no_frame
from picsellia_async.jobs import JobReport, JournalInUseError, MergeReport, merge, run
from picsellia_async.jobs.job import Identity
from picsellia_async.validation import whole_number

T = TypeVar("T")

MakeFrame = Callable[[Any], Frame]
"""Makes the frame of an item; runs in the worker process."""

MERGED: Final = "merged.journal"
"""Name of the journal that has everything, in the folder of journals."""
_PART: Final = "part-{}.journal"
_IN_USE_SECONDS: Final = 120.0
"""How long a part waits for a process that still delivers it: one that the engine gave up ends within the time of its calls."""
_LOOK_SECONDS: Final = 0.5
_FAILURES_KEPT: Final = 100


@attrs.frozen(kw_only=True)
class PartSettings:
    """What a process must know to deliver a part. No token: that is in the environment of the workers."""

    deployment: str
    """Name."""
    journals: str
    """Folder."""
    input: str = ""
    identity: Identity = "content"
    host: str | None = None
    organization_id: str | None = None
    options: UploaderOptions = attrs.field(factory=UploaderOptions)


@attrs.frozen(kw_only=True)
class PartReport:
    """The account of one part."""

    part: str
    process: int
    """Of the operating system; tells how many took part."""
    delivered: int
    delivered_before: int
    rejected: int
    left: int
    changed: int
    error: str = ""
    """What ended the reading of the part."""
    failures: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    """File name and reason of the first 100 that were not delivered."""


@attrs.frozen(kw_only=True)
class PartsReport:
    """The account of a run over all parts, and of the merged journal."""

    merged: MergeReport
    """What the journal has, of all runs."""
    journal: Path
    """The merged journal; a single process goes on with it: `jobs.run(..., journal=...)`."""
    parts: tuple[PartReport, ...] = attrs.field(repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether every item that was read is delivered, and every part was read to its end."""
        return not any(one.rejected or one.left or one.changed or one.error for one in self.parts)

    @property
    def delivered(self) -> int:
        """Items that were read and are delivered, in whatever run."""
        return sum(one.delivered for one in self.parts)

    @property
    def delivered_before(self) -> int:
        """Of these: those that were delivered when their part began."""
        return sum(one.delivered_before for one in self.parts)

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """File names and reasons; of each part the first 100."""
        return tuple(failure for one in self.parts for failure in one.failures)

    @property
    def processes(self) -> int:
        """How many processes delivered."""
        return len({one.process for one in self.parts})


def _merge_parts(folder: Path) -> MergeReport:
    """Merge the journals of parts that are there, and remove them: the next merge would read them once more."""
    found = sorted(folder.glob(_PART.format("*")))
    if not found:
        return _NOTHING
    report = merge(folder / MERGED, found)
    for path in found:
        path.unlink()  # closed by the merge, so that nothing is beside it
    return report


def begin(settings: PartSettings) -> None:
    """Merge what a run left that did not end, before the parts begin. Blocking.

    Raises:
        ConfigurationError: The folder cannot be made, or its journals are of another job.
        JournalError: A part of an earlier run is still being delivered.
    """
    folder = Path(settings.journals)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"journals: {error}") from error
    _merge_parts(folder)


def end(settings: PartSettings, parts: Iterable[PartReport]) -> PartsReport:
    """Merge the parts' journals, and return the account. Blocking."""
    folder = Path(settings.journals)
    return PartsReport(merged=_merge_parts(folder), journal=folder / MERGED, parts=tuple(parts))


_NOTHING: Final = MergeReport(delivered=0, rejected=0, left=0)


def deliver_part(frames: Iterable[Frame], settings: PartSettings, part: str) -> PartReport:
    """Deliver the frames of a part from this process, which has one client for all of them. Blocking; from any thread.

    Raises:
        ConfigurationError: An option cannot be used.
        PicselliaError: The deployment cannot be reached, or another process delivers this part and does not end.
    """
    worker = _worker_of(settings)
    until = time.monotonic() + _IN_USE_SECONDS
    while True:
        try:
            return worker.run(lambda: worker.deliver(frames, settings, part))
        except JournalInUseError:
            if time.monotonic() >= until:
                raise
            time.sleep(_LOOK_SECONDS)


class _Worker:
    """An event loop in a thread of its own, with one client, for all parts that a process delivers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="picsellia-parts", daemon=True)
        self._thread.start()
        self._client: AsyncClient | None = None
        self._deployment: AsyncDeployment | None = None
        self._opening = asyncio.Lock()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in the loop, and wait for it; an interrupt of the waiting thread cancels it."""
        future = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def deliver(self, frames: Iterable[Frame], settings: PartSettings, part: str) -> PartReport:
        async with self._opening:
            if self._deployment is None:
                if self._client is None:
                    # Connecting closes one that it fails for: the next part makes another.
                    self._client = await AsyncClient(None, settings.organization_id, host=settings.host).__aenter__()
                self._deployment = await self._client.get_deployment(settings.deployment)
        folder = Path(settings.journals)
        base = folder / MERGED
        report = await run(
            frames, self._deployment, journal=folder / _PART.format(part), input=settings.input,
            identity=settings.identity, base=base if base.exists() else None, **settings.options,
        )  # fmt: skip
        return _account(part, report)

    def close(self) -> None:
        """Close the client; for the end of the process."""

        async def closed() -> None:
            if self._client is not None:
                await self._client.aclose()

        try:
            asyncio.run_coroutine_threadsafe(closed(), self._loop).result(timeout=5)
        except (TimeoutError, PicselliaError):
            return
        self._loop.call_soon_threadsafe(self._loop.stop)


_workers: Final[dict[tuple[object, ...], _Worker]] = {}
_lock: Final = threading.Lock()


def _worker_of(settings: PartSettings) -> _Worker:
    # With the process: one that was forked has the memory of its parent, and none of its threads.
    key = (os.getpid(), settings.host, settings.organization_id, settings.deployment)
    with _lock:
        worker = _workers.get(key)
        if worker is None:
            worker = _workers[key] = _Worker()
            atexit.register(worker.close)
        return worker


def _account(part: str, report: JobReport) -> PartReport:
    error = report.upload.error
    return PartReport(
        part=part, process=os.getpid(), delivered=report.delivered, delivered_before=report.delivered_before,
        rejected=report.rejected, left=report.left, changed=report.changed,
        error="" if error is None else error_text(error),
        failures=tuple((one.filename, one.reason) for one in report.upload.failures[:_FAILURES_KEPT]),
    )  # fmt: skip


def frames_of(items: Iterable[object], frame: MakeFrame | None) -> Iterable[Frame]:
    """Yield the frames of a part's items.

    Raises:
        ConfigurationError: An item is none, and there is nothing that makes one of it.
    """
    for item in items:
        made = item if frame is None else frame(item)
        if not isinstance(made, Frame):
            raise no_frame(
                made, "frame= must return a Frame" if frame is not None else "without frame=, items must be Frames"
            )
        yield made


def leases_of(settings: PartSettings, limit: int | None) -> int:
    """Return how many parts may be delivered at once, so that no more than `limit` requests are in flight in all; 0: any number.

    Raises:
        ConfigurationError: An option cannot be used.
    """
    for name in ("spool", "on_outcome", "on_health", "progress"):
        if name in settings.options:
            raise ConfigurationError(f"{name} is for one process; a part on a worker has none")
    if limit is None:
        return 0
    concurrency = settings.options["concurrency"]
    if not isinstance(concurrency, int) or whole_number(limit, "limit", 1) < concurrency:
        raise ConfigurationError(
            f"limit is {limit}, and one part has a concurrency of {concurrency!r}: it must be a number, and no higher"
        )
    return limit // concurrency


def names(count: int) -> Sequence[str]:
    """Return names for parts that are told by their place."""
    return [f"{number:06d}-of-{count:06d}" for number in range(count)]
