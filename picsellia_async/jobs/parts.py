"""Jobs on several processes or machines: which frames belong to which part, and one journal of all parts' journals."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping, Sequence
from contextlib import aclosing, closing
from pathlib import Path
from typing import Final
from uuid import uuid4

import attrs

from picsellia_async._delivery.iterables import check, each
from picsellia_async.errors import ConfigurationError
from picsellia_async.frames import Frame, no_frame
from picsellia_async.jobs._errors import JournalError
from picsellia_async.jobs._items import Ended, State
from picsellia_async.jobs._journal import Journal
from picsellia_async.validation import whole_number

_DIGEST_BYTES: Final = 8


@attrs.frozen(kw_only=True)
class MergeReport:
    """What a merged journal holds."""

    delivered: int
    """Items that the service has."""
    rejected: int
    """Items that were refused."""
    left: int
    """Items without an outcome; a run with the merged journal looks them up, and delivers those that are not there."""


class Partition:
    """The frames of one part of an input; `partition` makes it. A job's journal remembers which part it is of."""

    def __init__(self, frames: Iterable[Frame] | AsyncIterable[Frame], part: int, parts: int) -> None:
        """Store them; see `partition`."""
        check(frames)
        whole_number(parts, "parts", 1)
        if not 0 <= whole_number(part, "part", 0) < parts:
            raise ConfigurationError(f"part must be 0 to {parts - 1}, got {part}")
        self._frames = frames
        self._part = part
        self._parts = parts

    def __str__(self) -> str:
        """Return which part it is."""
        return f"{self._part} of {self._parts}"

    async def __aiter__(self) -> AsyncGenerator[Frame, None]:
        """Yield the frames.

        Raises:
            ConfigurationError: The input gives something that is no `Frame`.
        """
        async with aclosing(each(self._frames)) as found:
            async for frame in found:
                if not isinstance(frame, Frame):
                    raise no_frame(frame, "a job takes Frames")
                digest = hashlib.sha256(frame.filename.encode()).digest()[:_DIGEST_BYTES]
                if int.from_bytes(digest) % self._parts == self._part:
                    yield frame


def partition(frames: Iterable[Frame] | AsyncIterable[Frame], part: int, parts: int) -> Partition:
    """Return the frames of one part of an input, which each process reads as a whole and runs with a journal of its own.

    A frame's file name decides: the same in each process and run, whatever order the input comes in, and equal frames are in one part.

    Args:
        frames: The input.
        part: Which part, from 0.
        parts: How many there are.

    Raises:
        ConfigurationError: There is no such part.
    """
    return Partition(frames, part, parts)


def merge(into: str | Path, journals: Iterable[str | Path]) -> MergeReport:
    """Write the items of several journals into one, all or none, and return their account. Blocking; again with more adds to it.

    Of an item in several journals the best known state counts: delivered, then sent, refused, and given up. A job with the merged
    journal goes on with the whole input.

    Args:
        into: The file; made where it is not there.
        journals: Of one deployment, host, input and identity; not while their jobs run.

    Raises:
        ConfigurationError: They are of different ones, or there are none.
        JournalError: One is not there, in use, or none.
    """
    paths = [Path(path) for path in journals]
    if not paths:
        raise ConfigurationError("journals must be at least one file")
    for path in paths:
        if not path.is_file():
            raise JournalError(f"there is no journal {str(path)!r}")
    owner = Journal.owner_in(paths[0])
    merged = Journal(Path(into), owner)
    merged.open()
    try:
        with closing(_endings(dict.fromkeys(paths, owner))) as found:
            merged.add(found)
        counts = merged.counts()
    finally:
        merged.close()
    return MergeReport(
        delivered=counts[State.DELIVERED],
        rejected=counts[State.REJECTED],
        left=counts[State.SENT] + counts[State.PENDING],
    )


def copy_journal(paths: Sequence[Path], into: Path, name: str) -> list[str]:
    """Make the journal of an input of what those of others know: the same items under another name. Blocking.

    It has its name once it is whole: one that is there, and knows less, would have items sent twice.

    Args:
        paths: The journals that are read, one at least; not while their jobs run.
        into: The file; another one there is replaced.
        name: Of the input.

    Returns:
        The names of the others' inputs.

    Raises:
        ConfigurationError: One is of another format.
        JournalError: One is in use, or none; or the new one cannot be written.
    """
    owners = {path: Journal.owner_in(path) for path in paths}
    part = into.with_name(f".{into.name}.{uuid4().hex}.part")
    copy = Journal(part, {**owners[paths[0]], "input": name})
    try:
        copy.open()
        try:
            with closing(_endings(owners)) as found:
                copy.add(found)
        finally:
            copy.close()
        try:
            part.replace(into)
        except OSError as error:
            raise JournalError(f"the journal {str(into)!r} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return [owner["input"] for owner in owners.values()]


def _endings(owners: Mapping[Path, Mapping[str, str]]) -> Generator[Ended, None, None]:
    """Yield the items of journals, each with whose they are. One of them is open at a time."""
    for path, owner in owners.items():
        one = Journal(path, owner)
        one.open()
        try:
            yield from one.endings()
        finally:
            one.close()
