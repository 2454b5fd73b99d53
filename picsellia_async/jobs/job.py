"""`Job`: frames of an input, each delivered once, over as many runs as it takes.

Theory of operation. `pending` reads the caller's frames a few ahead, asks the journal for all that are there at once, and hands on those
that were not delivered, each under an id that is the same in every run. The uploader delivers them with that id in the custom
metadata. Outcomes go to the journal a few times a second. What an earlier run left as sent, without an outcome, is looked up on the
platform before it is handed on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias, TypeVar, Unpack, get_args
from uuid import UUID

import anyio
import attrs

from picsellia_async._content_digest import content_digest
from picsellia_async._delivery.iterables import check
from picsellia_async._delivery.options import UploaderOptions
from picsellia_async._delivery.outcomes import Delivered, Dropped, Outcome, Rejected, UploadReport
from picsellia_async._error_text import error_text
from picsellia_async._http.retry import is_repeatable
from picsellia_async._log_line import logger
from picsellia_async.config import RetryPolicy
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import ConfigurationError, PicselliaError
from picsellia_async.frames import Frame, StatedId, with_id
from picsellia_async.jobs._identity import key_of, said_by
from picsellia_async.jobs._items import Ending, Entry, Item, State
from picsellia_async.jobs._journal import Journal
from picsellia_async.jobs._pictures import pictures
from picsellia_async.jobs._read_ahead import ReadAhead
from picsellia_async.jobs.parts import Partition
from picsellia_async.uploader import Uploader, deliver_all
from picsellia_async.validation import boolean, checked_path, choice

T = TypeVar("T")

Identity: TypeAlias = Literal["content", "id"]
"""What makes frames the same item."""

_HANDED_ON_MAX: Final = 256
"""Frames without an outcome at least; each may have to be looked up after a kill. Twice the concurrency, where that is more."""
_LOOK_UPS: Final = 16
"""Items that are looked up at once."""
_LOOK_AGAIN_SECONDS: Final = 0.5
"""Wait before a look-up that failed is made again; doubled each time, up to the next number."""
_LOOK_AGAIN_SECONDS_MAX: Final = 30.0
_WRITE_SECONDS: Final = 0.2
"""How long outcomes wait for others to be written with: so many deliveries may have to be looked up after a kill."""
_DOUBTFUL: Final = frozenset({State.SENT, State.REJECTED})
"""What was refused may have been sent since by another way: as a file of failures, say."""
_DETAIL_MAX: Final = 500
"""Characters kept of an error."""


@attrs.frozen(kw_only=True)
class JobReport:
    """The account of one run of a job."""

    upload: UploadReport
    """What this run sent, and what became of it."""
    delivered_before: int
    """Items that an earlier run had delivered, and that were not sent again."""
    found: int
    """Of these: items whose outcome the journal did not know, and that the platform has."""
    delivered: int
    """Items that were read in this run and are delivered, in whatever run."""
    rejected: int
    """Items that were refused; the next run tries them again."""
    left: int
    """Items that were read and have no outcome; the next run delivers them."""
    changed: int = 0
    """Of those `delivered_before`: items with an id of their own whose name or prediction is another now. What they say now was
    not sent: it needs another id."""

    @property
    def is_complete(self) -> bool:
        """Whether every item that was read is delivered as it reads now, and reading came to the end of the input."""
        return not self.rejected and not self.left and not self.changed and self.upload.error is None


def owner_of(deployment: AsyncDeployment, input: str, identity: Identity) -> dict[str, str]:  # noqa: A002 - the field's word
    """Return what a journal belongs to."""
    return {"deployment_id": str(deployment.id), "host": deployment.host, "input": input, "identity": identity}


class Job:
    """One run of a job, for code that wants the uploader in hand; `run` does for the rest.

    ```python
    async with Job(deployment, journal="day.journal") as job:
        async for outcome in job.uploader.stream(job.pending(frames)):
            ...
    print(job.report)
    ```
    """

    def __init__(
        self,
        deployment: AsyncDeployment,
        *,
        journal: str | Path,
        input: str = "",  # noqa: A002 - the field's word
        identity: Identity = "content",
        fresh: bool = False,
        look_up: bool = False,
        base: str | Path | None = None,
        **options: Unpack[UploaderOptions],
    ) -> None:
        """Store the settings; nothing is opened before `async with`.

        Args:
            deployment: Where frames are delivered to.
            journal: File that tells what was delivered; made where it is not there. Not on a network file system.
            input: Name of what is read. A journal belongs to one deployment and one input: another one is refused.
            identity: What makes frames the same item: "content", their name, picture and prediction (a manifest's own `id` where it has
                one); "id", the `Frame.id` that you give.
            fresh: Whether to forget what earlier runs delivered, and send everything again.
            look_up: Whether to look up on the platform, too, what the journal does not know, before it is sent: for a journal that was
                lost, or an input that has another name now. It costs a request for each such item.
            base: Another journal of this deployment and input, of `merge` for instance, which is asked about items that this one does
                not know. It is only read, and nobody may write to it meanwhile.
            **options: Of the uploader. `deduplicate` is always on, since ids in the custom metadata are how items are known again; there
                is no `spool`, since the input is there to be read again.

        Raises:
            ConfigurationError: An option cannot be used.
        """
        if options.get("spool") is not None:
            raise ConfigurationError("a job has no spool: what is not delivered is read again from its input")
        self.journal: Path = checked_path(journal, "journal")
        """The file."""
        found = None if base is None else checked_path(base, "base")
        fresh = boolean(fresh, "fresh")
        look_up = boolean(look_up, "look_up")
        self._on_outcome = options.get("on_outcome")
        options["on_outcome"], options["deduplicate"] = self._ended, True
        self.uploader: Uploader = deployment.uploader(**options)
        """Delivers what `pending` gives."""
        self._deployment = deployment
        choice(identity, "identity", get_args(Identity))
        self._by_id = identity == "id"
        owner = owner_of(deployment, input, identity)
        self._journal = Journal(self.journal, owner, fresh=fresh, look_up=look_up, base=found)
        # One thread, in order: a call that is cancelled goes on in its thread, and the next one must not run beside it.
        self._thread = ThreadPoolExecutor(1, "picsellia-journal")
        self._endings: list[Ending] = []
        self._came = asyncio.Event()
        self._closes = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._handed_on: set[int] = set()
        """Ids of items whose frames were handed on and that have no outcome yet; their numbers, since UUIDs are hashed in Python."""
        concurrency = options.get("concurrency")
        self._handed_on_max = max(_HANDED_ON_MAX, 2 * concurrency if isinstance(concurrency, int) else 0)
        self._has_room = asyncio.Event()
        self._report: JobReport | None = None
        self._opened = contextlib.AsyncExitStack()
        self._found = 0
        self._changed = 0
        self._retry = options.get("retry") or RetryPolicy()
        self._look_ups_max = options.get("max_attempts")
        self._has_told_look_ups = False
        self.delivered_before: int = 0
        """Items read so far that an earlier run had delivered."""
        self.delivered_at_start: int = 0
        """Items in the journal that were delivered when the run began."""

    async def __aenter__(self) -> Self:
        """Open the journal and the uploader.

        Raises:
            ConfigurationError: The journal is of another deployment or input, or the extra `jobs` is not installed.
            JournalError: The journal is in use, is none, or cannot be opened.
        """
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._with_journal())
            await stack.enter_async_context(self.uploader)
            self._opened = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the uploader, and write down what became of everything; also where the block was cancelled.

        Raises:
            JournalError: The journal could not be written: what it does not say is looked up by the next run.
            JournalLostError: Its file was removed, moved or replaced meanwhile: only a run with `look_up` finds what this one delivered.
        """
        await self._opened.__aexit__(kind, error, trace)

    @contextlib.asynccontextmanager
    async def _with_journal(self) -> AsyncGenerator[None, None]:
        """Keep the journal while the uploader lives, which is opened later and closed earlier."""
        content_digest(b"")  # an extra that is not installed is told before a journal is made
        try:
            await self._in_thread(self._journal.open)
        except BaseException:
            # A call that is cancelled goes on in its thread: what it opened must be closed behind it, also where a second cancellation
            # comes, and before the next run opens the file.
            closing = self._thread.submit(self._journal.close)
            self._thread.shutdown(wait=False)
            with anyio.CancelScope(shield=True):
                await asyncio.shield(asyncio.wrap_future(closing))
            raise
        try:
            self.delivered_at_start = await self._in_thread(self._journal.delivered)
            self._writing = asyncio.get_running_loop().create_task(self._write_endings())
            yield
        finally:
            # Short work of the disk, which a second cancellation must not keep from being done.
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _close(self) -> None:
        if self._writing is not None:
            # Not cancelled: what it writes would be written once more.
            self._closes.set()
            self._came.set()
            await asyncio.gather(
                self._writing, return_exceptions=True
            )  # what could not be written is tried once more below
        # What was handed on and never submitted has no outcome, and was certainly not sent.
        self._endings += [Ending(UUID(int=one), State.PENDING) for one in self._handed_on]
        self._handed_on.clear()
        try:
            await self._write()
            counts = await self._in_thread(self._journal.counts)
        finally:
            await self._in_thread(self._journal.close)
            self._thread.shutdown(wait=False)
        self._report = JobReport(
            upload=self.uploader.report,
            delivered_before=self.delivered_before,
            found=self._found,
            delivered=counts[State.DELIVERED],
            rejected=counts[State.REJECTED],
            left=counts[State.PENDING] + counts[State.SENT],
            changed=self._changed,
        )

    @property
    def report(self) -> JobReport | None:
        """The account, once the job is closed; None before, and where the journal could not be written."""
        return self._report

    async def pending(self, frames: Iterable[Frame] | AsyncIterable[Frame]) -> AsyncGenerator[Frame, None]:
        """Yield the frames of the input that no run has delivered, each under the id that it has in every run.

        Frames are the same item where name, picture and prediction are; equal ones in one input are as many items. A file is read to
        know its picture, and known again by its path, size and time in later runs.

        Args:
            frames: The input, sync or async, read up to 192 frames and 16 MiB of images ahead.

        Raises:
            ConfigurationError: It is no iterable, or gives something that is no `Frame`; or the journal is of another part of the input.
            JournalError: The journal cannot be written.
            JournalLostError: Its file was removed, moved or replaced meanwhile.
            PicselliaError: An item of an earlier run cannot be looked up, for a reason that does not pass (or `max_attempts` times).
        """
        check(frames)
        part = str(frames) if isinstance(frames, Partition) else ""
        await self._in_thread(lambda: self._journal.check_part(part))
        ahead = ReadAhead(frames)
        try:
            while batch := await ahead.batch():
                for frame in await self._new(batch):
                    yield frame
        finally:
            await ahead.aclose()

    async def _new(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames of a batch that are to be delivered."""
        while len(self._handed_on) >= self._handed_on_max:
            self._has_room.clear()
            await self._has_room.wait()
        entries = await self._in_thread(lambda: self._begin(frames))
        doubtful = [
            with_id(frame, entry.id)
            for entry, frame in zip(entries, frames, strict=True)
            if entry.before is not None and entry.before in _DOUBTFUL
        ]
        found = await self._looked_up(doubtful) if doubtful else {}
        new = [
            with_id(frame, entry.id)
            for entry, frame in zip(entries, frames, strict=True)
            if entry.before is None or not self._is_done(entry, found)
        ]
        self._handed_on.update([frame.id.int for frame in new])
        return new

    def _begin(self, frames: list[Frame]) -> list[Entry]:
        """Name the items, and write them down; in a thread."""
        # A picture is read and digested only where it tells the item: that is most of what a job costs.
        own = [self._by_id or isinstance(frame.id, StatedId) for frame in frames]
        found, read = pictures(
            [frame for frame, has_own in zip(frames, own, strict=True) if not has_own], self._journal
        )
        digests = iter(found)
        items = [
            Item(b"", frame.id, said_by(frame)) if has_own else Item(key_of(frame, next(digests)))
            for frame, has_own in zip(frames, own, strict=True)
        ]
        return self._journal.begin(items, read)

    def _is_done(self, entry: Entry, found: dict[UUID, str | None]) -> bool:
        if entry.before is State.DELIVERED:
            self._pass_over(entry)
            return True
        if entry.id in found:
            self._pass_over(entry)
            self._found += 1
            self._add(Ending(entry.id, State.DELIVERED, detail=found[entry.id], was_found=True))
            return True
        return False

    def _pass_over(self, entry: Entry) -> None:
        self.delivered_before += 1
        if entry.is_changed:
            self._changed += 1
            if self._changed == 1:
                logger.warning(
                    "item %s was delivered before, and says something else now, which is not sent: a prediction that was "
                    "corrected needs another id; the report counts such items",
                    entry.id,
                )

    async def _looked_up(self, frames: list[Frame]) -> dict[UUID, str | None]:
        """Return the ids of those that the platform has, with that of the prediction where `verify` needs it."""
        found: dict[UUID, str | None] = {}
        limit = anyio.CapacityLimiter(_LOOK_UPS)

        async def look(frame: Frame) -> None:
            async with limit:
                if not await self._asked(lambda: self._deployment.is_stored(frame)):
                    return
                found[frame.id] = None
                if frame.object_name is not None:
                    asset = await self._asked(
                        lambda: self._deployment.find_predicted_asset(object_name=frame.object_name)
                    )
                    found[frame.id] = str(asset.oracle_prediction_id)

        try:
            async with anyio.create_task_group() as group:
                for frame in frames:
                    group.start_soon(look, frame)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return found

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the platform, as often as it takes: what fails for a time only must not end a run that goes on by itself."""
        wait, attempts = _LOOK_AGAIN_SECONDS, 0
        while True:
            try:
                return await ask()
            except PicselliaError as error:
                attempts += 1
                if attempts == self._look_ups_max or not is_repeatable(self._retry, error, idempotent=True):
                    raise
                if not self._has_told_look_ups:
                    self._has_told_look_ups = True
                    logger.warning("what an earlier run left under way is looked up again until it is known: %s", error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LOOK_AGAIN_SECONDS_MAX)

    def _ended(self, outcome: Outcome) -> None:
        """Take note of an outcome; called by the uploader."""
        if isinstance(outcome, Delivered):
            told = outcome.receipt.get("id")
            detail = None if told is None else str(told)
            self._end(Ending(outcome.frame.id, State.DELIVERED, outcome.attempts, detail))
        elif isinstance(outcome, Rejected):
            state = State.SENT if outcome.may_be_stored else State.REJECTED
            self._end(Ending(outcome.frame.id, state, outcome.attempts, error_text(outcome.error)[:_DETAIL_MAX]))
        elif isinstance(outcome, Dropped) and outcome.frame is not None:  # None is of a spool, which a job has not
            self._end(Ending(outcome.frame.id, State.SENT if outcome.may_be_stored else State.PENDING))
        if self._on_outcome is not None:
            self._on_outcome(outcome)

    def _end(self, ending: Ending) -> None:
        self._handed_on.discard(ending.id.int)
        self._has_room.set()
        self._add(ending)

    def _add(self, ending: Ending) -> None:
        if not self._endings:
            self._came.set()
        self._endings.append(ending)

    async def _write_endings(self) -> None:
        while not self._closes.is_set():
            await self._came.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closes.wait(), _WRITE_SECONDS)
            await self._write()

    async def _write(self) -> None:
        self._came.clear()
        endings, self._endings = self._endings, []
        if not endings:
            return
        try:
            await self._in_thread(lambda: self._journal.end(endings))
        except BaseException:
            self._endings = endings + self._endings  # closing tries once more
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


async def run(
    frames: Iterable[Frame] | AsyncIterable[Frame],
    deployment: AsyncDeployment,
    *,
    journal: str | Path,
    input: str = "",  # noqa: A002 - the field's word
    identity: Identity = "content",
    fresh: bool = False,
    look_up: bool = False,
    base: str | Path | None = None,
    **options: Unpack[UploaderOptions],
) -> JobReport:
    """Deliver the frames that no run of this job has delivered, and wait for every outcome.

    The same call again, after a stop or a kill, sends only what is left: frames that were delivered are passed over, those that were under
    way or refused are looked up first, and tried again where they are not there.

    Args:
        frames: The input, sync or async, in whatever order.
        deployment: Where they are delivered to.
        journal: File that tells what was delivered; made where it is not there. Not on a network file system.
        input: Name of what is read. A journal belongs to one deployment and one input: another one is refused.
        identity: What makes frames the same item: "content", their name, picture and prediction (a manifest's own `id` where it has
            one); "id", the `Frame.id` that you give.
        fresh: Whether to forget what earlier runs delivered, and send everything again.
        look_up: Whether to look up what the journal does not know, too; see `Job`.
        base: Another journal, which is asked about items that this one does not know; see `Job`.
        **options: Of the uploader; see `Job`.

    Returns:
        The account; what the iterable raised, if it did, is `upload.error`.

    Raises:
        ConfigurationError: An option cannot be used, the journal is of another deployment or input, or the extra `jobs` is not installed.
        JournalError: The journal is in use, is none, or cannot be opened or written.
        JournalLostError: Its file was removed, moved or replaced meanwhile: only a run with `look_up` finds what this one delivered.
    """
    job = Job(
        deployment, journal=journal, input=input, identity=identity, fresh=fresh, look_up=look_up, base=base, **options
    )
    async with job._with_journal():  # noqa: SLF001 - one module
        upload = await deliver_all(job.uploader, job.pending(frames))
    report = job.report
    if report is None:
        raise AssertionError("a closed job has a report")
    return attrs.evolve(report, upload=upload)
