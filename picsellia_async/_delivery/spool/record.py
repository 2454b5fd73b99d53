"""A frame's record as bytes in a segment file. Pure.

    head (72) | reason (184) | source | description | image

The head says where it stands (offset and slot), in which file (`nonce`, random per file), whose frame it is and how long the parts
are; its checksum covers itself and the source. A second checksum covers description and image. So a reader who lost the thread can
search for the next head, and neither a stale one nor one that stands inside an image passes for it. The reason is empty room:
it is written when the service refuses the frame, in place, so that it fits on a full disk.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, Self

import attrs

from picsellia_async._error_text import name_repr

_HEAD: Final = struct.Struct("<4s8sQHHQ16sdIIII")
_REASON: Final = struct.Struct("<HI")
REASON_AT: Final = _HEAD.size
HEAD_BYTES: Final = 256
"""Head and room for the reason; also what a record is counted beside its parts."""
MAGIC: Final = b"\x89pSr"
"""How a head begins."""
NONCE_BYTES: Final = 8
SOURCE_BYTES_MAX: Final = 1024
"""A longer name of a source is cut here. The description has it whole."""
RECORD_BYTES_MAX: Final = 2**31
"""Longest record."""


@attrs.frozen
class Record:
    """One frame as a segment file holds it."""

    seq: int
    """Order of acceptance, from 1."""
    id: bytes
    """The 16 bytes of `Frame.id`."""
    description: bytes
    """`codec.encode`."""
    image: bytes
    """Encoded image."""
    source: str = attrs.field(default="", repr=name_repr)
    """`Frame.source`, empty for none."""
    accepted_at: float = 0.0
    """When it was accepted, in seconds since 1970."""

    @property
    def size(self) -> int:
        """Bytes in the file, and as counted against the limit."""
        return HEAD_BYTES + len(_source_bytes(self.source)) + len(self.description) + len(self.image)


def _source_bytes(source: str) -> bytes:
    data = source.encode("utf-8", "replace")
    if len(data) <= SOURCE_BYTES_MAX:
        return data
    return data[:SOURCE_BYTES_MAX].decode("utf-8", "ignore").encode()


@attrs.define(eq=False)
class Head:
    """What stands before a record."""

    slot: int
    """Its number in the file, from 0."""
    seq: int
    """`Record.seq`."""
    id: bytes
    """`Record.id`."""
    accepted_at: float
    """`Record.accepted_at`."""
    source: str = attrs.field(repr=name_repr)
    """`Record.source`."""
    body_at: int
    """Where the description begins, from the record's beginning."""
    image_at: int
    """Where the image begins."""
    length: int
    """Bytes of the whole record."""
    checksum: int
    """CRC-32 of description and image."""

    @classmethod
    def parse(cls, data: bytes, nonce: bytes | None, offset: int) -> Self | None:
        """Return the head at the beginning of some bytes, or None if there is none that fits its checksum and its place.

        Args:
            data: At least `HEAD_BYTES` and the source.
            nonce: Of the file; None where the file does not tell it.
            offset: Where the bytes stand in the file.
        """
        if len(data) < HEAD_BYTES:
            return None
        magic, found, at, slot, source_bytes, seq, id_, accepted_at, description, image, body, head = _HEAD.unpack_from(
            data
        )
        if magic != MAGIC or at != offset or (nonce is not None and found != nonce):
            return None
        body_at = HEAD_BYTES + source_bytes
        source = data[HEAD_BYTES:body_at]
        if len(source) != source_bytes or zlib.crc32(source, zlib.crc32(data[: REASON_AT - 4])) != head:
            return None
        image_at = body_at + description
        return cls(
            slot, seq, id_, accepted_at, source.decode("utf-8", "replace"), body_at, image_at, image_at + image, body
        )


def pack(record: Record, nonce: bytes, offset: int, slot: int) -> bytes:
    """Return what stands before the image: head, empty reason, source, description."""
    source = _source_bytes(record.source)
    head = _HEAD.pack(
        MAGIC, nonce, offset, slot, len(source), record.seq, record.id, record.accepted_at, len(record.description),
        len(record.image), zlib.crc32(record.image, zlib.crc32(record.description)), 0,
    )  # fmt: skip
    checksum = zlib.crc32(source, zlib.crc32(head[:-4]))
    return b"".join(
        (head[:-4], checksum.to_bytes(4, "little"), bytes(HEAD_BYTES - _HEAD.size), source, record.description)
    )


def unpack(data: bytes, nonce: bytes | None, offset: int) -> Record | None:
    """Return the record that some bytes are, or None if anything in them does not fit."""
    head = Head.parse(data, nonce, offset)
    if head is None or len(data) != head.length:
        return None
    if zlib.crc32(memoryview(data)[head.body_at :]) != head.checksum:
        return None
    description, image = data[head.body_at : head.image_at], data[head.image_at :]
    return Record(head.seq, head.id, description, image, head.source, head.accepted_at)


def nonce_of(data: bytes) -> bytes:
    """Return the nonce in a head."""
    return data[len(MAGIC) : len(MAGIC) + NONCE_BYTES]


def pack_reason(text: str) -> bytes:
    """Return the reason as it stands behind a head, cut to the room there is."""
    room = HEAD_BYTES - REASON_AT - _REASON.size
    data = text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore").encode()
    return _REASON.pack(len(data), zlib.crc32(data)) + data


def unpack_reason(data: bytes) -> str:
    """Return the reason that stands in a record; empty if there is none."""
    length, checksum = _REASON.unpack_from(data, REASON_AT)
    text = data[REASON_AT + _REASON.size : HEAD_BYTES][:length]
    return text.decode("utf-8", "replace") if zlib.crc32(text) == checksum else ""
