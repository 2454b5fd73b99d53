"""Shared by the tests of the spool's files: records, stores opened and closed, a look into a spool that somebody else has open."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from picsellia_async._delivery.spool.record import Record
from picsellia_async._delivery.spool.results import DeadLetter, Recovery
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory, prepare
from picsellia_async._delivery.spool.store import Store

from .makers import OWNER

SMALL = 13_000
"""Length of a segment: the 8 KiB before its records, and a few of them."""


@attrs.frozen
class Opened:
    """A store, and what it found."""

    store: Store
    recovery: Recovery
    found: list[int]

    def held(self) -> list[Record]:
        """Return the pending records that were found and can be read."""
        return self.store.claim(self.found)[0]


@contextmanager
def opened(directory: Path, segment_bytes: int = SMALL, owner: dict[str, str] = OWNER) -> Iterator[Opened]:
    """Open the files of a spool, and close them."""
    prepare(directory)
    place = SpoolDirectory(directory)
    try:
        place.lock()
        store = Store(place, owner, segment_bytes)
        found: list[int] = []
        recovery = store.open(lambda seq, _source, _size: found.append(seq))
        yield Opened(store, recovery, found)
        store.close()
    finally:
        place.close()


def make_record(number: int, size: int = 0) -> Record:
    """Return a record whose content follows from its order."""
    image = b"\xff\xd8" + random.Random(number).randbytes(size or 150 + number * 13)
    return Record(number, number.to_bytes(16, "big"), b'{"number":%d}' % number, image, f"cam-{number % 5}", 5.0)


def make_records(numbers: Sequence[int], size: int = 0) -> list[Record]:
    """Return records."""
    return [make_record(number, size) for number in numbers]


def peek(directory: Path) -> tuple[list[bytes], list[DeadLetter]]:
    """Return the ids and the dead letters in a spool, as a process would find them that starts now; nothing is touched."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("lock", "reserve"))
        copy.chmod(0o700)
        with opened(copy) as now:
            return [record.id for record in now.held()], now.store.dead_letters()


def file_bytes(directory: Path) -> int:
    """Return the length of all files in a directory."""
    return sum(path.stat().st_size for path in directory.iterdir())
