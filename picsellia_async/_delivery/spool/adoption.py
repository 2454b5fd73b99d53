"""Takes over what processes that are gone left in their slots of a shared spool.

Theory of operation. A slot belongs to who has its lock, and the kernel drops a lock with its process. So a slot that can be locked has
no owner, and while it is locked here nobody else takes it over. Records go from there into our own spool some at a time: they are
committed here before they are marked as done there. A kill between the two leaves them in both; the next one who adopts sends
those twice, as it does what was under way at a kill.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

import attrs

from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.spool.contents import SpoolChanges, SpooledFrame
from picsellia_async._delivery.spool.owner import owner_of
from picsellia_async._delivery.spool.queue import SpoolQueue
from picsellia_async._delivery.spool.quota import SpoolQuota
from picsellia_async._delivery.spool.record import Record
from picsellia_async._delivery.spool.spool_directory import slots_of
from picsellia_async._log_line import logger, tell
from picsellia_async.errors import ConfigurationError, SpoolError

T = TypeVar("T")

LOOK_SECONDS: Final = 15.0
"""Between two looks for slots without owner."""
_FRAMES: Final = 64
_BYTES: Final = 4 * 2**20
"""What is taken over at a time: so many frames, or so many bytes."""


class Adoption:
    """Looks after the other slots of a directory, for one uploader."""

    def __init__(self, writer: SpoolQuota, queue: SpoolQueue, ledger: Ledger) -> None:
        """Store the parts; `begin` begins.

        Args:
            writer: The way to the own slot.
            queue: Delivers what is taken over.
            ledger: Gives orders.
        """
        self._writer = writer
        self._queue = queue
        self._ledger = ledger
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @classmethod
    def begin(cls, writer: SpoolQuota, queue: SpoolQueue, ledger: Ledger) -> Self:
        """Take over what is left, now and from time to time; where the directory is not shared, do nothing."""
        adoption = cls(writer, queue, ledger)
        if writer.spool.shared is not None:
            adoption._task = asyncio.create_task(adoption._run(writer.spool.shared))
        return adoption

    async def stop(self, patience: float) -> None:
        """Take no further records.

        Args:
            patience: Seconds that those which are being taken get.
        """
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=patience)
            self._task.cancel()

    async def _run(self, shared: Path) -> None:
        while not self._stopping.is_set():
            for slot in await _whole(partial(_left, shared, self._writer.spool.directory)):
                try:
                    await self._adopt(slot)
                except (SpoolError, ConfigurationError, OSError) as error:
                    logger.debug("the slot %s is left alone: %s", slot, error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), LOOK_SECONDS)

    async def _take(self, records: list[Record]) -> bool:
        """Bring records to the own disk; return whether all are there."""
        return all(await asyncio.gather(*(self._put(record) for record in records)))

    def _put(self, found: Record) -> asyncio.Future[bool]:
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        record = attrs.evolve(found, seq=self._ledger.next_seq())
        room = self._writer.room
        room.occupy(record.size)

        def written(error: BaseException | None, is_known: bool) -> None:
            if error is None and not is_known:
                self._queue.recover(record)
            else:
                # Known: somebody took it over, and was killed before that was written down where it came from.
                room.release(record.size)
            if not done.done():
                done.set_result(error is None)

        self._writer.spool.put(record, written)
        return done

    async def _adopt(self, slot: Path) -> None:
        owner = await _whole(partial(owner_of, slot))
        if owner.get("deployment_id") != self._writer.spool.owner.get("deployment_id"):
            return  # an uploader of that deployment will come
        changes = SpoolChanges(slot)
        try:
            await _whole(changes.__enter__)  # inside: a cancellation comes after it, and the slot is locked then
            frames = await _whole(lambda: deque(one for one in changes.frames() if one.state == "pending"))
            count = 0
            while frames and not self._stopping.is_set():
                records, taken = await _whole(partial(_some, changes, frames))
                if records and not await self._take(records):
                    return
                await _whole(partial(changes.drop, taken))
                count += len(records)
        finally:
            changes.__exit__(None, None, None)
        if count:
            text = "%(frames)d frames of a process that is gone were taken over from %(slot)s"
            tell(logging.WARNING, text, frames=count, slot=str(slot))


async def _whole(call: Callable[[], T]) -> T:
    """Run something in a thread, and wait for its end also where this task is cancelled: what it uses is closed afterwards."""
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _left(shared: Path, own: Path) -> list[Path]:
    """Return the slots of others that hold something."""
    return [slot for slot in slots_of(shared) if slot != own and any(slot.glob("*.seg"))]


def _some(changes: SpoolChanges, frames: deque[SpooledFrame]) -> tuple[list[Record], list[SpooledFrame]]:
    """Read some frames and take them out; a record that is damaged stays where it is on disk."""
    records: list[Record] = []
    taken: list[SpooledFrame] = []
    size = 0
    while frames and len(taken) < _FRAMES and size < _BYTES:
        frame = frames.popleft()
        record = changes.record(frame)
        if record is not None:
            records.append(record)
            taken.append(frame)
            size += frame.size
    return records, taken
