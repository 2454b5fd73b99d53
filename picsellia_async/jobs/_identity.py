"""What makes an item of a job the same in each of its runs: its name, its picture, its prediction. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import orjson

from picsellia_async._content_digest import content_digest
from picsellia_async.frames import Frame
from picsellia_async.predictions import PredictionFormat
from picsellia_async.predictions.base import field_names

SAID_BYTES: Final = 8
"""Enough where each item is compared with one other."""
_UUID_BYTES: Final = 16
_NAME_BASED: Final = (5 << 76) | (0b10 << 62)
"""Version (5: a SHA-1 of names) and variant of a UUID, and the bits that they are in. `UUID(version=5)` sets them, too, and takes longer."""
_NAME_BASED_BITS: Final = (0xF << 76) | (0b11 << 62)

UNREADABLE: Final = b""
"""Stands for the content of a file that cannot be read, which the uploader tells."""


def key_of(frame: Frame, picture: bytes) -> bytes:
    """Return what tells an item of a job from the others. Time, latency, source, tags and metadata do not count.

    Args:
        frame: The item.
        picture: `content_digest` of its image.
    """
    shadow = frame.shadow_prediction
    facts = (
        frame.filename.encode(), picture, _written(frame.prediction), b"" if shadow is None else _written(shadow)
    )  # fmt: skip
    return content_digest(b"\0".join(facts))


class Ids:
    """Gives the items of a deployment their ids: the same in each run, of whatever process."""

    def __init__(self, owner: bytes) -> None:
        """Store the deployment."""
        self._owner = hashlib.sha1(owner, usedforsecurity=False)

    def of(self, key: bytes, repetition: int) -> UUID:
        """Return the id of an item.

        Args:
            key: Of the item.
            repetition: How often the same item came before in its run: a scene that does not move gives equal ones.
        """
        digest = self._owner.copy()
        digest.update(key + repetition.to_bytes(4))
        number = int.from_bytes(digest.digest()[:_UUID_BYTES])
        return UUID(int=number & ~_NAME_BASED_BITS | _NAME_BASED)


def said_by(frame: Frame) -> bytes:
    """Return what tells whether an item that is known by an id of its own says the same as before: its name and predictions."""
    return key_of(frame, b"")[:SAID_BYTES]


def _written(prediction: PredictionFormat) -> bytes:
    kind = type(prediction)
    return orjson.dumps((kind.__name__, _values_of(kind)(prediction)))  # type: ignore[arg-type]  # classes are hashable


@cache
def _values_of(kind: type[PredictionFormat]) -> Callable[[Any], Any]:
    """Return what returns all that a prediction of a format says."""
    return attrgetter(*field_names(kind))  # type: ignore[arg-type]
