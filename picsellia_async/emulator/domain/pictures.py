"""Encoded images as far as the emulator looks at them: signature and size from the first bytes. Pixels are never decoded."""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import struct
import zlib
from typing import Final

import attrs
import pybase64

from picsellia_async.emulator.refusal import bad_request
from picsellia_async.image_header import JPEG_SIGNATURE, PNG_SIGNATURE, read_header

INLINE_MAX: Final = 2**18
"""Base64 characters decoded and hashed on the event loop, where a thread would cost more than it saves."""


@attrs.frozen
class Picture:
    """A received image."""

    content: bytes = attrs.field(repr=False)
    """Encoded bytes."""
    sha256: str
    """Hexadecimal hash of the bytes."""
    signature: str
    """`JPEG`, `PNG`, or empty."""


async def decode(encoded: str) -> Picture:
    """Return the image behind a base64 text; large ones are decoded in a worker thread.

    Raises:
        Refusal: 400, it is no standard base64 with padding.
    """
    if len(encoded) <= INLINE_MAX:
        return _decode(encoded)
    return await asyncio.to_thread(_decode, encoded)


def _decode(encoded: str) -> Picture:
    try:
        return examine(pybase64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError) as exc:
        raise bad_request("the image is not standard base64", str(exc)) from None


async def inspect(content: bytes) -> Picture:
    """Return what is known about raw bytes; large ones are hashed in a worker thread."""
    return examine(content) if len(content) <= INLINE_MAX else await asyncio.to_thread(examine, content)


def examine(content: bytes) -> Picture:
    """Return what is known about raw bytes."""
    signature = "JPEG" if content.startswith(JPEG_SIGNATURE) else "PNG" if content.startswith(PNG_SIGNATURE) else ""
    return Picture(content, hashlib.sha256(content).hexdigest(), signature)


def size_of(content: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels as a viewer shows the image, from its header; None where that tells none."""
    header = read_header(content)
    return None if header is None else header.shown_size


def make_png(width: int, height: int, grey: int) -> bytes:
    """Return an evenly grey PNG, for the data that a new emulator holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = (b"\x00" + bytes([grey]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
