"""What makes an item of a job the same in each of its runs: its name, its picture, its prediction. Pure."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

import orjson

from picsellia_async.frames import Frame
from picsellia_async.predictions import PredictionFormat
from picsellia_async.predictions.base import field_names

DIGEST_BYTES: Final = 16
SAID_BYTES: Final = 8
"""Enough where each item is compared with one other."""
_UUID_BYTES: Final = 16
_NAME_BASED: Final = 5
"""Version of UUIDs that are a SHA-1."""

UNREADABLE: Final = b""
"""Stands for the content of a file that cannot be read, which the uploader tells."""


def digest_of(content: bytes) -> bytes:
    """Return the digest of a picture, the whole of it, or of facts. Lets other threads run.

    SHA-256, since processors have instructions for it: of what the standard library has it costs least.
    """
    return hashlib.sha256(content).digest()[:DIGEST_BYTES]


def key_of(frame: Frame, picture: bytes) -> bytes:
    """Return what tells an item of a job from the others. Time, latency, source, tags and metadata do not count.

    Args:
        frame: The item.
        picture: `digest_of` its image.
    """
    facts = b"\0".join(
        (frame.filename.encode(), picture, _written(frame.prediction), _written(frame.shadow_prediction))
    )
    return digest_of(facts)


def id_of(owner: bytes, key: bytes, repetition: int) -> UUID:
    """Return the id of an item: the same in each run, of whatever process.

    Args:
        owner: The deployment.
        key: Of the item.
        repetition: How often the same item came before in its run: a scene that does not move gives equal ones.
    """
    digest = hashlib.sha1(owner + key + repetition.to_bytes(4), usedforsecurity=False).digest()
    return UUID(bytes=digest[:_UUID_BYTES], version=_NAME_BASED)


def said_by(frame: Frame) -> bytes:
    """Return what tells whether an item that is known by an id of its own says the same as before: its name and predictions."""
    return key_of(frame, b"")[:SAID_BYTES]


def _written(prediction: PredictionFormat | None) -> bytes:
    if prediction is None:
        return b""
    kind = type(prediction)
    names = field_names(kind)  # type: ignore[arg-type]  # classes are hashable
    return orjson.dumps([kind.__name__, *(getattr(prediction, name) for name in names)])
