"""From `submit` to acceptance: the request is made, room is taken as `when_full` says, the ledger accepts, the queue takes over."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs

from picsellia_async._delivery.flow_control import CannotPassError, FlowControl
from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.options import WhenFull
from picsellia_async._delivery.outcomes import Dropped, DropReason, Rejected
from picsellia_async._delivery.receipt import Item, Receipt, memory_size
from picsellia_async._delivery.reporter import Reporter
from picsellia_async._delivery.sender import Sender
from picsellia_async._delivery.spool import codec
from picsellia_async._delivery.spool.queue import SpoolQueue
from picsellia_async._delivery.spool.quota import SpoolQuota
from picsellia_async._delivery.spool.record import Record
from picsellia_async.errors import (
    ClosedError,
    ConfigurationError,
    FrameTooLargeError,
    UploaderFullError,
)
from picsellia_async.frames import Frame

Encode = Callable[[Frame], bytes]
"""Makes the request of a frame: all that is sent beside the image."""


@attrs.frozen(eq=False)
class Files:
    """How images that are files are read."""

    size: Callable[[Path], Awaitable[int]]
    """Returns the size of one in bytes; raises ConfigurationError."""
    read: Callable[[Frame, Path], Awaitable[bytes]]
    """Returns the bytes of a frame's file; raises ConfigurationError."""


class Intake:
    """The way in of one uploader. `close` ends the waiting for room."""

    def __init__(
        self,
        ledger: Ledger,
        sender: Sender,
        encode: Encode,
        when_full: WhenFull,
        files: Files,
        spool: tuple[SpoolQuota, SpoolQueue] | None,
        reporter: Reporter,
        *,
        compares: bool = True,
    ) -> None:
        """Store the parts.

        Args:
            ledger: Accepts.
            sender: Takes over what was accepted, where there is no spool.
            encode: Makes the request of a frame.
            when_full: What to do without room.
            files: Reads images that are files.
            spool: The way to disk, and the queue whose far end is there; None: frames are in memory only.
            reporter: Is told of frames that end as they come.
            compares: Whether a frame whose id is on its way must be the same picture; else the same name is enough.
        """
        self._compares = compares
        self._reporter = reporter
        self._ledger = ledger
        self._sender = sender
        self._encode = encode
        self._when_full = when_full
        self._files = files
        self._spool = spool
        self.is_closed: bool = False

    async def submit(self, frame: Frame) -> Receipt:  # noqa: PLR0911 - each end of the way stands where it happens
        """Accept a frame; see `Uploader.submit`."""
        if frame.id.int in self._ledger.known and (twin := self._twin(frame)) is not None:
            return twin
        known = None if self._spool is None else await self._spool[1].find(frame.id, self._accept)
        if known is not None:
            return known
        try:
            request = self._encode(frame)
            if self._spool is not None:
                return await self._submit_to_disk(frame, request, *self._spool)
            image = frame.image
            file_bytes = await self._files.size(image) if (is_file := isinstance(image, Path)) else 0
            size = memory_size(len(image) if isinstance(image, bytes) else file_bytes, request)
        except ConfigurationError as error:
            return self.end(frame, Rejected(frame, error, attempts=0))
        if is_file and (twin := self._twin_meanwhile(frame)) is not None:
            return twin
        if not self._ledger.memory.try_reserve(size):
            dropped = await self._make_room(size)
            if dropped is not None:
                return self.end(frame, Dropped(frame, dropped))
            try:
                twin = self._twin_meanwhile(frame)
            except BaseException:
                self._ledger.memory.release(size)
                raise
            if twin is not None:
                self._ledger.memory.release(size)
                return twin
        item = self._item(frame, request, size)
        item.file_bytes = file_bytes
        self._accept(item)
        return item.receipt

    def _twin(self, frame: Frame) -> Receipt | None:
        """Return the receipt of the same frame in memory.

        Raises:
            ConfigurationError: Another picture has its id.
        """
        item = self._ledger.known.get(frame.id.int)
        if item is None:
            return None
        if self._compares or frame.filename != item.frame.filename:
            _check_same(frame, item.frame)
        return item.receipt

    def _twin_meanwhile(self, frame: Frame) -> Receipt | None:
        """Return what `_twin` does. After every wait: others ran, and may have submitted the same frame or closed the uploader.

        Raises:
            ClosedError: It was closed, and the frame is not in it.
            ConfigurationError: Another picture has its id.
        """
        twin = self._twin(frame)
        if twin is None and self.is_closed:
            raise closed()
        return twin

    def refuse(self, error: BaseException, frame: Frame | None = None) -> None:
        """Count a frame whose submitter is told an error, if only that closing ended its wait."""
        self._ledger.refuse(error, frame)
        self._reporter.look()

    def end(self, frame: Frame, outcome: Rejected | Dropped) -> Receipt:
        """Take in a frame that ends as it comes, and its outcome."""
        receipt = self._ledger.accept_ended(frame, outcome)
        self._reporter.look()
        return receipt

    def _item(self, frame: Frame, request: bytes, size: int) -> Item:
        ledger = self._ledger
        return Item(frame, request, Receipt(frame.id), ledger.next_seq(), size, self._sender.now(), frame.source or "")

    def _accept(self, item: Item) -> None:
        """Accept a frame: the one place, with and without a spool."""
        self._ledger.accept(item)
        if self._spool is None:
            self._sender.push(item)
        else:
            self._spool[1].push(item)

    async def _submit_to_disk(self, frame: Frame, request: bytes, writer: SpoolQuota, queue: SpoolQueue) -> Receipt:
        image = await self._files.read(frame, frame.image) if isinstance(frame.image, Path) else frame.image
        if image is not frame.image:
            frame = attrs.evolve(frame, image=image)
        content = image or b""  # nothing of an image in the storage travels
        record = Record(0, frame.id.bytes, codec.encode(frame), content, frame.source or "", time.time())
        size = memory_size(len(content), record.description)
        dropped = await self._make_room_on_disk(record.size, size, writer, queue)
        if dropped is not None:
            return self.end(frame, Dropped(frame, dropped))
        try:
            # Others ran meanwhile, and may have submitted the same frame or closed the uploader.
            known = self._twin(frame) or await queue.find(frame.id, self._accept)
            if known is None and self.is_closed:
                raise closed()
        except BaseException:
            self._release(writer, record.size, size)
            raise
        if known is not None:
            self._release(writer, record.size, size)
            return known
        item = self._item(frame, request, size)
        item.is_passing = True
        return await queue.accept(item, attrs.evolve(record, seq=item.seq), self._accept)

    def _release(self, writer: SpoolQuota, disk_bytes: int, size: int) -> None:
        writer.room.release(disk_bytes)
        self._ledger.memory.release(size)
        self._ledger.memory.passed()

    async def _make_room(self, size: int) -> DropReason | None:
        """Take room in memory, as the policy says; return why the frame is dropped where there is none."""
        memory = self._ledger.memory
        self._check_fits(memory, size)
        if self._when_full == "drop_oldest":
            while not memory.try_reserve(size):
                item = self._sender.take_oldest()
                if item is None:
                    return DropReason.FULL_NEWEST
                self._drop(item)
            return None
        return await self._reserve(memory, size)

    async def _make_room_on_disk(
        self, disk_bytes: int, size: int, writer: SpoolQuota, queue: SpoolQueue
    ) -> DropReason | None:
        """Take room on disk as the policy says, then in memory for the way there: that waits for the disk alone."""
        memory, disk = self._ledger.memory, writer.room
        self._check_fits(memory, size)
        self._check_fits(disk, disk_bytes)
        await writer.free_dead_letters(disk_bytes)
        if self._when_full in {"drop_oldest", "thin"}:
            thins = self._when_full == "thin"
            freed = 0
            # Where the disk has no room at all, frames would be given up for one that is refused.
            while thins and freed < disk_bytes and writer.spool.is_nearly_full and not writer.spool.is_full:
                if (size_of_one := await queue.thin()) is None:
                    break
                freed += size_of_one
            while not disk.try_reserve(disk_bytes):
                if self.is_closed or not ((thins and await queue.thin() is not None) or await queue.drop_oldest()):
                    return DropReason.FULL_NEWEST
        else:
            dropped = await self._reserve(disk, disk_bytes)
            if dropped is not None:
                return dropped
        try:
            dropped = await self._reserve_way(memory, size, writer)
        except BaseException:
            disk.release(disk_bytes)
            raise
        if dropped is not None:
            disk.release(disk_bytes)
        return dropped

    async def _reserve_way(self, memory: FlowControl, size: int, writer: SpoolQuota) -> DropReason | None:
        """Take room in memory for the way to disk; return why the frame is dropped where there is none."""
        while True:
            # A disk that takes nothing leaves frames in memory (interval mode): once that is full too, the policy decides.
            is_stuck = writer.spool.is_full or writer.spool.error is not None
            if is_stuck and self._when_full != "wait" and not memory.fits(size):
                if self._when_full == "raise":
                    raise _full(
                        UploaderFullError, "the spool's disk takes nothing, and the memory is full", memory, size
                    )
                return DropReason.FULL_NEWEST
            try:
                await memory.reserve(size, passes=True)
            except CannotPassError:
                continue
            return None

    async def _reserve(self, room: FlowControl, size: int) -> DropReason | None:
        if room.try_reserve(size):
            return None
        if self._when_full == "raise":
            raise _full(UploaderFullError, "the uploader is full", room, size)
        if self._when_full == "drop_newest":
            return DropReason.FULL_NEWEST
        await room.reserve(size)
        return None

    def _check_fits(self, room: FlowControl, size: int) -> None:
        if not room.can_ever_fit(size):
            raise _full(FrameTooLargeError, "the frame is larger than the uploader's limit", room, size)

    def _drop(self, item: Item) -> None:
        state = item.state
        self._ledger.end(item, Dropped(item.frame, DropReason.FULL_OLDEST, state.error, state.may_be_stored))
        self._reporter.look()

    def close(self) -> None:
        """End the waiting of everybody who waits for room."""
        self.is_closed = True
        self._ledger.memory.close(closed)
        if self._spool is not None:
            self._spool[0].room.close(closed)


def _check_same(frame: Frame, other: Frame) -> None:
    """Refuse a frame that has the id of another one on its way: it would vanish, and its receipt tell the other's outcome."""
    is_read = type(frame.image) is not type(other.image)  # a path whose file was read meanwhile: not to be compared
    if frame is other:
        return
    if (
        frame.filename != other.filename
        or frame.object_name != other.object_name
        or (not is_read and frame.image != other.image)
    ):
        what = f"({other.filename!r}, this one is {frame.filename!r})"
    elif frame.prediction != other.prediction:
        what = f"(of the same picture, {other.filename!r}, with another prediction)"
    else:
        return
    raise ConfigurationError(
        f"Frame.id {frame.id} is that of another frame on its way {what}; give each prediction an id of its own, or leave id= out"
    )


def closed() -> ClosedError:
    """Return the error of an uploader that takes no more frames."""
    return ClosedError("the uploader is closed, or closing; it takes no more frames")


def _full(kind: type[UploaderFullError], message: str, room: FlowControl, size: int) -> UploaderFullError:
    limit = f"{room.used_bytes} of {room.max_bytes} bytes"
    if room.max_frames is not None:
        limit += f" and {room.used_frames} of {room.max_frames} frames"
    return kind(
        f"{message}: it has {size} bytes, {limit} are in use",
        size, room.used_bytes, room.max_bytes, room.used_frames, room.max_frames,
    )  # fmt: skip


def no_request(_: Frame) -> bytes:
    """Make the empty request: for a `send` that needs none."""
    return b""
