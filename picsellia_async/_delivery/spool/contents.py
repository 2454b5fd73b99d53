"""What a spool holds, record by record, for people: read beside its owner, or changed while it is nobody's. Blocking.

Theory of operation. Reading takes no lock and writes nothing, since a segment is only appended to, marked in place and deleted: what is
read is what stood there at some moment. Beside a process that writes, a record may go between two looks (then it is left out), and
one that is being written looks like a damaged one (so damage is not told then). Changing takes the lock, and marks records as the
store does: one byte each, flushed, before anything is erased.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias
from uuid import UUID

import attrs
import orjson

from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool.codec import decode
from picsellia_async._delivery.spool.owner import owner_of
from picsellia_async._delivery.spool.record import Record
from picsellia_async._delivery.spool.segment import ASIDE, DONE, PENDING, REJECTED, VERSION, Header, Segment
from picsellia_async._delivery.spool.segments import Segments, damaged_in
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory
from picsellia_async._error_text import name_repr
from picsellia_async.errors import SpoolError
from picsellia_async.frames import Frame

FrameState: TypeAlias = Literal["pending", "rejected", "damaged", "ended"]
"""To be delivered; refused by the service and kept; cannot be read; delivered or given up, and not erased yet."""

_STATES: Final[dict[int, FrameState]] = {PENDING: "pending", REJECTED: "rejected", ASIDE: "damaged", DONE: "ended"}


@attrs.frozen(kw_only=True)
class SpooledFrame:
    """One frame in a spool, without its image."""

    id: UUID
    """`Frame.id`."""
    state: FrameState
    filename: str
    """`Frame.filename`; empty where it cannot be read."""
    source: str = attrs.field(repr=name_repr)
    """`Frame.source`; empty where it has none."""
    accepted_at: float
    """Epoch seconds."""
    size: int
    """Bytes on disk."""
    reason: str
    """Why the service refused it, the first 170 bytes or so; stays where it is queued again. Empty: it did not."""
    file: str
    """Name of the file in the spool."""
    number: int
    """Order of acceptance, from 1."""


@attrs.frozen(kw_only=True)
class SpoolContents:
    """What a spool holds at one moment."""

    path: Path
    owner: dict[str, str]
    """`deployment_id` and `host`, where an uploader of a deployment wrote it."""
    holder: int | None
    """Process that uses it; None: none does. Told by the spool's lock file: a process of another machine or container looks like one
    that is gone."""
    frames: tuple[SpooledFrame, ...]
    """In the order of acceptance."""
    damaged: int | None
    """Records that are damaged or lost; None while a process uses it, which alone can tell."""


def read_contents(path: str | Path) -> SpoolContents:
    """Read what a spool holds, also beside the process that uses it. Writes nothing; some 500 bytes of memory for a frame.

    Args:
        path: Directory that was given as `spool=`.

    Raises:
        ConfigurationError: There is no spool.
        SpoolError: It cannot be read, others could write to it, or it is of a newer version.
    """
    path = Path(path)
    owner = owner_of(path)
    directory = SpoolDirectory(path)
    try:
        holder = directory.holder()
        frames: list[SpooledFrame] = []
        damaged = last = 0
        for name in directory.names():
            if name.endswith(".damaged"):
                damaged += damaged_in(name)
            elif name.endswith(".seg"):
                segment = _read_segment(directory, name, last, frames, is_used=holder is not None)
                if segment is not None:
                    damaged, last = damaged + segment.damaged, max(last, segment.last_seq)
    except OSError as error:
        raise SpoolError(f"the spool {os.fspath(path)!r} cannot be read: {error}") from error
    finally:
        directory.close()
    return SpoolContents(
        path=path, owner=owner, holder=holder, frames=tuple(frames), damaged=None if holder is not None else damaged
    )


def _read_segment(
    directory: SpoolDirectory, name: str, after: int, frames: list[SpooledFrame], *, is_used: bool
) -> Segment | None:
    try:
        descriptor = directory.open(name, os.O_RDONLY)
    except FileNotFoundError:  # all in it was delivered since the names were read
        return None
    try:
        segment = Segment(int(name[:8]), b"", name)
        _check_version(directory, segment.load(descriptor, after))
        frames += (one for one in _frames(segment, descriptor) if one.state != "damaged" or not is_used)
    finally:
        os.close(descriptor)
    return segment


def _check_version(directory: SpoolDirectory, header: Header | None) -> None:
    if header is not None and header.version > VERSION:
        raise SpoolError(f"the spool {str(directory.path)!r} was written by a newer version of picsellia_async")


def _frames(segment: Segment, descriptor: int) -> Iterator[SpooledFrame]:
    for index in segment.each(*_STATES):
        found = segment.describe(descriptor, index)
        if found is None:  # erased since its head was seen
            continue
        head, reason, description = found
        yield SpooledFrame(
            id=UUID(bytes=head.id), state=_STATES[segment.state(index)], filename=_filename(description), source=head.source,
            accepted_at=head.accepted_at, size=head.length, reason=reason, file=segment.name, number=head.seq,
        )  # fmt: skip


def _filename(description: bytes) -> str:
    try:
        found = orjson.loads(description)["filename"]
    except (ValueError, TypeError, KeyError):
        return ""
    return found if isinstance(found, str) else ""


class SpoolChanges:
    """A spool that no process uses, locked while the `with` block lasts."""

    def __init__(self, path: str | Path) -> None:
        """Store where.

        Args:
            path: Directory that was given as `spool=`.
        """
        self._path = Path(path)
        self._directory: SpoolDirectory | None = None
        self._segments: Segments | None = None

    def __enter__(self) -> Self:
        """Lock and read it.

        Raises:
            ConfigurationError: There is no spool.
            SpoolError: A process uses it (the message names it), or it cannot be read.
        """
        owner_of(self._path)
        directory = SpoolDirectory(self._path)
        try:
            directory.lock()
            segments = Segments(directory)
            for header in segments.load():
                _check_version(directory, header)
        except OSError as error:
            directory.close()
            raise self._failure("read", error) from error
        except BaseException:
            directory.close()
            raise
        self._directory, self._segments = directory, segments
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release it."""
        if self._segments is not None:
            self._segments.close()
        if self._directory is not None:
            self._directory.close()
        self._segments = self._directory = None

    def frames(self) -> list[SpooledFrame]:
        """Return the frames, in the order of acceptance.

        Raises:
            SpoolError: They cannot be read.
        """
        try:
            return [one for segment in self._opened for one in _frames(segment, self._opened.use(segment))]
        except OSError as error:
            raise self._failure("read", error) from error

    def frame(self, frame: SpooledFrame) -> Frame:
        """Return a frame with its image.

        Raises:
            SpoolError: Its record is damaged, or not there.
        """
        try:
            record = self.record(frame)
            if record is not None:
                return decode(record.description, record.image)
        except (OSError, ValueError) as error:
            raise self._failure("read", error) from error
        raise SpoolError(f"the record of frame {frame.id} in the spool {str(self._path)!r} is damaged")

    def record(self, frame: SpooledFrame) -> Record | None:
        """Return the record of a frame as it stands on disk; None where it is damaged, or not there.

        Raises:
            OSError: It cannot be read.
        """
        place = self._opened.find(frame.number)
        return None if place is None else place[0].read(self._opened.use(place[0]), place[1])

    def requeue(self, frames: Iterable[SpooledFrame]) -> int:
        """Have refused frames delivered by the next uploader or replay, in the place that they had; return how many.

        Raises:
            SpoolError: It cannot be written.
        """
        return self._mark(frames, PENDING, "rejected")

    def drop(self, frames: Iterable[SpooledFrame]) -> int:
        """Delete frames, pending ones too, and their images; return how many.

        Raises:
            SpoolError: It cannot be written.
        """
        return self._mark(frames, DONE, "pending", "rejected")

    @property
    def _opened(self) -> Segments:
        if self._segments is None:
            raise SpoolError(f"the spool {str(self._path)!r} is not open: use `with`")
        return self._segments

    def _mark(self, frames: Iterable[SpooledFrame], mark: int, *states: FrameState) -> int:
        count = 0
        for frame in frames:
            place = self._opened.find(frame.number)
            if place is not None and _STATES.get(place[0].state(place[1])) in states:
                place[0].mark(place[1], mark)
                count += 1
        try:
            for segment in self._opened:
                self._write(segment)
        except OSError as error:
            raise self._failure("written", error) from error
        return count

    def _write(self, segment: Segment) -> None:
        descriptor = self._opened.use(segment)
        if segment.is_dirty:
            segment.write_marks(descriptor)
            # Before anything is erased: a power cut in between would leave a pending frame without its bytes.
            disk.flush(descriptor)
            segment.flushed()
        if segment.has_unerased:
            segment.erase_done(descriptor)
        if segment.is_empty:
            self._opened.remove(segment)

    def _failure(self, what: str, error: Exception) -> SpoolError:
        return SpoolError(f"the spool {str(self._path)!r} cannot be {what}: {error}")
