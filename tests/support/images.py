"""Encoded images that tests make by hand: real headers, no pixels worth decoding."""

from __future__ import annotations

import struct
import zlib

SOI = b"\xff\xd8"
EOI = b"\xff\xd9"


def segment(marker: int, body: bytes) -> bytes:
    """Return a JPEG segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def frame_header(width: int, height: int, components: int = 3, marker: int = 0xC0) -> bytes:
    """Return the segment that holds a JPEG's size."""
    return segment(marker, struct.pack(">BHHB", 8, height, width, components) + b"\x01\x11\x00" * components)


def exif(orientation: int, order: str = "<") -> bytes:
    """Return an EXIF block (TIFF) whose second entry is the orientation."""
    mark = b"II*\x00" if order == "<" else b"MM\x00*"
    entries = struct.pack(f"{order}HHII", 0x010F, 2, 4, 0) + struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(f"{order}IH", 8, 2) + entries + b"\x00" * 4


def jpeg(width: int = 64, height: int = 48, *, orientation: int | None = None, size: int = 0) -> bytes:
    """Return what begins and ends as a JPEG of that size; filled up to `size` bytes."""
    head = SOI + segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
    if orientation is not None:
        head += segment(0xE1, b"Exif\x00\x00" + exif(orientation))
    head += segment(0xDB, b"\x00" * 65) + frame_header(width, height) + segment(0xDA, b"\x00" * 10)
    return head.ljust(size - len(EOI), b"\x55") + EOI


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int = 64, height: int = 48, *chunks: bytes, depth: int = 8) -> bytes:
    """Return what begins and ends as a PNG of that size, with these chunks before its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
