"""Items of a job, as its journal takes and gives them. Tuples: several are made for every item, and a frozen class of attrs takes longer."""

from __future__ import annotations

import enum
from typing import NamedTuple, TypeAlias
from uuid import UUID

Ended: TypeAlias = tuple[bytes, int, int, str | None, bytes | None]
"""An item of a journal for another one: id, state, attempts, detail, and what it said."""


class State(enum.IntEnum):
    """What is known of an item."""

    PENDING = 0
    """Read, and certainly not stored: it was given up before it was sent."""
    SENT = 1
    """Handed to the uploader; without an outcome the service may have it."""
    DELIVERED = 2
    """The service has it; `detail` is its answer's id, if there was one."""
    REJECTED = 3
    """The service, or its own content, stands against it; `detail` says why."""


class Item(NamedTuple):
    """What an item is known again by."""

    key: bytes = b""
    """Of `_identity.key_of`. One that came before in this run is another item."""
    own_id: UUID | None = None
    """The id that the input says; takes the place of the key."""
    said: bytes | None = None
    """`_identity.said_by` one with an id of its own."""


class Entry(NamedTuple):
    """An item at the beginning of its turn."""

    id: UUID
    before: State | None
    """What was known of it; None: it is new."""
    is_changed: bool = False
    """Whether it has an id of its own, and said something else when it was sent before."""


class Ending(NamedTuple):
    """An item at its end."""

    id: UUID
    state: State
    attempts: int = 0
    detail: str | None = None
    was_found: bool = False
    """Whether it was not sent in this run, but found on the platform: what it said then stays."""
