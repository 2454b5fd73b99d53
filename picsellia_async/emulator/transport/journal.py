"""What arrived: one entry per request, bounded, without secrets. Bodies are not kept, only their sizes and the hashes of images."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import attrs

JOURNAL_MAX: Final = 50_000
"""Entries kept unless told otherwise; the oldest go first."""


@attrs.frozen(kw_only=True)
class Entry:
    """One request and its answer."""

    at: float
    """Epoch seconds of arrival."""
    method: str
    path: str
    """Path without the query."""
    query: str
    """Query as it came; signatures of presigned URLs are cut out."""
    service: str
    """`platform`, `oracle`, `serving` or `storage`; empty where no endpoint matched."""
    endpoint: str
    """Name of the endpoint in the table; empty where none matched."""
    status: int
    """Status of the answer; 0 where there was none."""
    seconds: float
    """From the head of the request to the end of the answer."""
    request_bytes: int
    """Size of the body received."""
    response_bytes: int
    """Size of the body sent."""
    images: tuple[str, ...] = ()
    """SHA-256 of the decoded images in the body."""
    faults: list[str] = attrs.field(factory=list)
    """Ids of the scripted faults that acted on it. One that spoils the answer on its way acts after the entry was written down, and is
    here then."""

    @property
    def is_failure(self) -> bool:
        """Whether the answer was an error, or none came."""
        return not 0 < self.status < 400

    def to_json(self) -> dict[str, Any]:
        """Return the entry as `GET /emulator/journal` shows it."""
        return attrs.asdict(self)


class Journal:
    """The latest requests of one emulator, oldest first. May be read from any thread; an entry is there before its answer is."""

    def __init__(self, maximum: int = JOURNAL_MAX) -> None:
        """Begin empty.

        Args:
            maximum: Entries kept; older ones are forgotten, but still counted in `total`.
        """
        self.total: int = 0
        """Requests ever written down."""
        self.failures: int = 0
        """Those of them that were answered with an error, or not at all."""
        self._entries: deque[Entry] = deque(maxlen=maximum)
        self._lock = threading.Lock()
        """Readers may be in another thread, and a deque must not change while it is walked."""
        self._written: asyncio.Event | None = None

    def write(self, entry: Entry) -> None:
        """Add an entry."""
        with self._lock:
            self.total += 1
            self.failures += entry.is_failure
            self._entries.append(entry)
        if self._written is not None:
            self._written.set()

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over the entries, oldest first."""
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        """Return how many entries are kept."""
        return len(self._entries)

    def of(self, endpoint: str) -> list[Entry]:
        """Return the entries of one endpoint."""
        return [entry for entry in self if entry.endpoint == endpoint]

    async def wait_for(self, endpoint: str, count: int) -> None:
        """Return once so many requests of an endpoint are in the journal; on the emulator's own event loop only."""
        while len(self.of(endpoint)) < count:
            if self._written is None:
                self._written = asyncio.Event()
            self._written.clear()
            await self._written.wait()

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
            self.total = self.failures = 0
