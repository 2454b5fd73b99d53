"""What a store answers. Values only."""

from __future__ import annotations

import attrs

from picsellia_async.errors import SpoolError


@attrs.frozen
class Recovery:
    """What the files held when they were opened."""

    frames: int = 0
    """Records to be delivered."""
    bytes: int = 0
    """Their bytes, and those of refused ones."""
    last_seq: int = 0
    """Order of the newest record."""
    rejected: int = 0
    """Dead letters: records that the service refused, kept until their room is needed."""
    rejected_bytes: int = 0
    """Bytes of their records."""
    quarantined: int = 0
    """Records that are damaged or lost."""


@attrs.frozen
class Committed:
    """What became of a commit."""

    known: frozenset[int] = frozenset()
    """Orders of new records whose id was pending already; they were not written."""
    refused: frozenset[int] = frozenset()
    """Orders of new records that could not be written."""
    error: OSError | SpoolError | None = None
    """What stood against it. What was acknowledged or rejected is written with the next commit then."""


@attrs.frozen
class DeadLetter:
    """A record that the service refused."""

    seq: int
    """Order of its acceptance."""
    id: bytes
    reason: str
    """Why it was refused."""
    size: int
    """Its bytes."""
