"""What makes an item of a job the same in each of its runs: its name, its picture, its prediction. Blocking: for threads."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

import attrs
import orjson

from picsellia_async.frames import Frame
from picsellia_async.predictions import PredictionFormat

_KEY_BYTES: Final = 20
_END_BYTES: Final = 4096
"""Read of a picture at each end: coded pixels that differ anywhere shift what follows them."""
_UUID_BYTES: Final = 16
_NAME_BASED: Final = 5
"""Version of UUIDs that are a SHA-1."""


def key_of(frame: Frame) -> bytes:
    """Return what tells an item of a job from the others.

    A picture in memory counts by its length, beginning and end, a file by its size, beside the name: to read a million files once
    more only to learn that they were delivered would cost as much as to deliver them. Time, latency, source and tags do not count.
    """
    image = frame.image
    if isinstance(image, bytes):
        ends = hashlib.blake2b(image[:_END_BYTES], digest_size=_KEY_BYTES)
        ends.update(image[-_END_BYTES:])
        picture = len(image).to_bytes(8) + ends.digest()
    else:
        try:
            picture = str(image.stat().st_size).encode()
        except OSError:  # it cannot be read, which the uploader tells
            picture = b""
    facts = b"\0".join(
        (frame.filename.encode(), picture, _written(frame.prediction), _written(frame.shadow_prediction))
    )
    return hashlib.blake2b(facts, digest_size=_KEY_BYTES).digest()


def id_of(owner: bytes, key: bytes, repetition: int) -> UUID:
    """Return the id of an item: the same in each run, of whatever process.

    Args:
        owner: The deployment.
        key: Of the item.
        repetition: How often the same item came before in its run: a scene that does not move gives equal ones.
    """
    digest = hashlib.sha1(owner + key + repetition.to_bytes(4), usedforsecurity=False).digest()
    return UUID(bytes=digest[:_UUID_BYTES], version=_NAME_BASED)


def _written(prediction: PredictionFormat | None) -> bytes:
    if prediction is None:
        return b""
    kind = type(prediction)
    # What a constructor notes beside them, names of classes for instance, is nothing that is sent.
    return orjson.dumps([kind.__name__, *(getattr(prediction, one.name) for one in attrs.fields(kind) if one.init)])
