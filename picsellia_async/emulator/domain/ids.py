"""Ids derived from names: what the emulator seeds has the same id on every machine."""

from __future__ import annotations

import uuid
from typing import Final

_NAMESPACE: Final = uuid.UUID("6d0c3a54-7f0e-4f5e-9d55-1d9a8f3a7c11")


def stable_id(owner: str, *names: object) -> str:
    """Return the id of a thing.

    Args:
        owner: Name of its organization, or id of what it belongs to.
        *names: What it is called there; none for the organization itself.
    """
    return str(uuid.uuid5(_NAMESPACE, "/".join(map(str, (owner, *names)))))
