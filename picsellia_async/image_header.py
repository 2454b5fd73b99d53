"""What a JPEG or PNG says of itself before its pixels: format, size, EXIF orientation. Nothing is decoded.

`read_header` is the one parser, for bytes and files; `image_size` is the public call. Bytes are parsed where they lie. Files,
and memory that is no `bytes`, are read in windows that grow until the size is found, since a photo may carry megabytes before it.
"""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import attrs

from picsellia_async.errors import (
    ConfigurationError,
    FileIsDirectoryError,
    FileNotFoundException,
    FileNotReadableError,
    shown,
)
from picsellia_async.validation import checked_path, choice

ImageFormat: TypeAlias = Literal["JPEG", "PNG", "CgBI"]
"""CgBI: the PNG of iPhone apps, which Apple's tools write and nobody else decodes."""

OrientationRule: TypeAlias = Literal["shown", "stored"]
"""Size as a viewer shows the picture, that is after the EXIF turn, or as its pixels are stored."""

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE: Final = b"\xff\xd8\xff"

WINDOW_BYTES: Final = 2**13
"""First window read of a file: holds the header of all but photos with large EXIF or colour profiles."""
WINDOW_GROWTH: Final = 16
"""Factor from one window to the next: 8 KiB, 128 KiB, 2 MiB, 32 MiB."""
HEADER_BYTES_MAX: Final = WINDOW_BYTES * WINDOW_GROWTH**3
"""Where the search for the size ends."""

CGBI: Final = "a CgBI PNG, as iPhone apps hold it, which only Apple's software decodes: save it as a plain PNG"
"""How messages name it."""
SIGNATURE_BYTES: Final = 32
"""Enough of an image for `looks_like`."""
_SEGMENT: Final = struct.Struct(">HH")
"""Marker and length, with which a segment of a JPEG begins."""
_SIDES: Final = struct.Struct(">HH")
"""Height and width in the segment that describes the frame."""
_CHUNK: Final = struct.Struct(">I4s")
"""Length and kind, with which a chunk of a PNG begins; its CRC follows."""
CHUNKS_MAX: Final = 2000
"""Chunks looked at: of 8 KiB each as a rule, and each costs a fraction of a microsecond."""
_FILL: Final = 0xFFFF
"""A fill byte before a marker."""
_FRAME_MARKERS: Final = frozenset(range(0xFFC0, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC}
"""SOF0 to SOF15; C4, C8 and CC mean something else (ITU-T T.81, table B.1)."""
_END_MARKERS: Final = frozenset({0xFFD9, 0xFFDA})
"""EOI and SOS: what follows are no segments of the header."""
_NO_SEGMENTS: Final = frozenset({_FILL, 0xFF00, 0xFF01, *range(0xFFD0, 0xFFD9)}) | _END_MARKERS
"""No length follows: fill, stuffing, TEM, RST0 to RST7, SOI, and the end."""
_SCAN: Final = 0xFFDA
"""SOS: coded pixels follow."""
JPEG_END: Final = b"\xff\xd9"
"""EOI, the last marker of a JPEG."""
START_BYTES: Final = 177
"""Of a JPEG that an encoder has just made, up to the end of the segment that holds the size: SOI, JFIF, two tables, and SOF of three
components."""
_PNG_END: Final = b"IEND"
_PADDING: Final = b"\0\r\n "
"""What buffers and transfers leave behind a picture."""
TAIL_BYTES: Final = 64
"""End of an image in which the end of its picture nearly always lies."""
_TURNED: Final = frozenset({5, 6, 7, 8})
"""EXIF orientations in which width and height change places."""
_ORIENTATION_TAG: Final = 0x0112
_BYTE_ORDERS: Final[dict[bytes, Literal["little", "big"]]] = {b"II": "little", b"MM": "big"}
_ENTRIES_MAX: Final = 512
"""Entries looked at in a directory: damage may claim 65,535 of them."""

_SIGNATURES: Final = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x93NUMPY", "a numpy file (.npy)"),
    (b"PK\x03\x04", "a zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "PDF"),
    (b"data:image/", "a data URI: decode its base64 first"),
    (b"/9j/", "base64 of a JPEG: decode it first"),
    (b"iVBORw0KGgo", "base64 of a PNG: decode it first"),
)
_BRANDS: Final = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF"}


@attrs.frozen
class ImageHeader:
    """What the first bytes of an image say."""

    format: ImageFormat
    """By signature, not by name."""
    width: int
    """Pixels, as stored."""
    height: int
    """Pixels, as stored."""
    orientation: int = 1
    """EXIF orientation, 1 to 8; 1 where there is none."""

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored pixels."""
        return self.width, self.height

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height after the EXIF turn, as viewers, OpenCV and the platform count them."""
        return (self.height, self.width) if self.orientation in _TURNED else (self.width, self.height)


def image_size(
    image: bytes | bytearray | memoryview | str | os.PathLike[str], *, orientation: OrientationRule = "shown"
) -> tuple[int, int]:
    """Return width and height in pixels of a JPEG or PNG, from its header.

    Args:
        image: Encoded image, or the path of its file. A file is read on the calling thread, as far as the size stands in it.
        orientation: "shown": after the EXIF turn, as viewers and `cv2.imread` have it; "stored": as the pixels lie in the file.

    Raises:
        ConfigurationError: No JPEG or PNG, or one whose header is damaged; the message says what it looks like. Or the file is
            missing (also `FileNotFoundError`), a directory, or not readable.
    """
    choice(orientation, "orientation", get_args(OrientationRule))
    if isinstance(image, (str, os.PathLike)):
        path = checked_path(image, "image")
        name = repr(os.fspath(path))
        header, start = _read_file(path)
    elif isinstance(image, (bytes, bytearray, memoryview)):
        name = "image"
        header, start = read_header(image), bytes(_flat(image)[:SIGNATURE_BYTES])
    else:
        raise ConfigurationError(f"image must be bytes or a path, got {shown(image)}")
    if header is None:
        raise ConfigurationError(f"the size of {name} cannot be read: {looks_like(start)}")
    if header.format == "CgBI":
        raise ConfigurationError(f"{name} is {CGBI}")
    return header.shown_size if orientation == "shown" else header.stored_size


def read_header(image: bytes | bytearray | memoryview) -> ImageHeader | None:
    """Return what the first bytes of an image say; None where size and format are not found in them."""
    if type(image) is bytes:
        return _header(image)
    view = _flat(image)
    return _search(lambda count: bytes(view[:count]))


def read_file_header(path: Path) -> ImageHeader | None:
    """Return what the first bytes of a file say; None where size and format are not found. Blocking.

    Raises:
        ConfigurationError: The file is missing (also `FileNotFoundError`), a directory, or not readable.
    """
    return _read_file(path)[0]


def stored_size(image: bytes | memoryview) -> tuple[int, int] | None:
    """Return width and height as stored, where nothing about the header is in doubt: for the check of every call.

    `read_header` finds the size behind stray bytes, too. Here they make the answer None, so that no mere likeness of a header is
    taken for one.
    """
    if type(image) is bytes:
        found = _locate(image, is_strict=True)
    else:
        view, count = _flat(image), WINDOW_BYTES
        found = _locate(bytes(view[:count]), is_strict=True)
        while found is None and count < min(view.nbytes, HEADER_BYTES_MAX):
            count *= WINDOW_GROWTH
            found = _locate(bytes(view[:count]), is_strict=True)
    return None if found is None else (found[1], found[2])


@functools.lru_cache(256)
def size_at_start(start: bytes) -> tuple[int, int] | None:
    """Return what `stored_size` would, where the first `START_BYTES` of a JPEG tell it, and no EXIF that may turn it; else None.

    Remembered: the images of one camera begin with the same bytes, frame after frame.
    """
    found = _locate_jpeg(start, is_strict=True)
    return None if found is None or found[3] else (found[1], found[2])


def chunks_end(image: bytes | memoryview) -> bool:
    """Whether the chunks of a PNG follow one another up to `IEND`; what stands behind it is let be. Their pixels and CRCs are not read.

    A PNG of more than `CHUNKS_MAX` chunks is taken for whole once so many do.
    """
    position, last, unpack = 8, len(image) - 8, _CHUNK.unpack_from
    for _ in range(CHUNKS_MAX):
        if position > last:
            return False
        length, kind = unpack(image, position)
        if kind == _PNG_END:
            return True
        if not kind.isalpha():
            return False
        position += 12 + length
    return True


def ends_at_once(tail: bytes) -> bool:
    """Whether the last `TAIL_BYTES` of an image hold the end of its picture. If not, `has_end` looks further."""
    return tail.rstrip(_PADDING).endswith(JPEG_END) or _PNG_END in tail


def has_end(image: bytes) -> bool:
    """Return whether a JPEG or PNG holds the end of its picture, whatever comes after it: phones append videos and depth maps."""
    # Buffers of cameras are often longer than the picture, and zero behind it: not searched through, for the price of a copy.
    if ends_at_once(image[-TAIL_BYTES:]) or image.rstrip(_PADDING).endswith(JPEG_END):
        return True
    if not image.startswith(JPEG_SIGNATURE):
        return _PNG_END in image
    scan = _scan_of(image)
    # Within coded pixels 0xFF is always stuffed, so that the end marker cannot be there by chance.
    return scan > 0 and image.find(JPEG_END, scan) > 0


def _scan_of(data: bytes) -> int:
    """Return where the coded pixels of a JPEG begin (a thumbnail in its EXIF has an end of its own); 0: nowhere."""
    position = 2
    while 0 <= (position := data.find(b"\xff", position)) < len(data) - 3:
        marker, length = _SEGMENT.unpack_from(data, position)
        if marker == _SCAN:
            return position
        if marker == _FILL:
            position += 1
        else:
            position += 2 if marker in _NO_SEGMENTS else 2 + max(2, length)
    return 0


def header_is_cut(image: bytes) -> bool:
    """Return whether a JPEG ends before its size. One segment at least must be whole: less may be a mere likeness of a JPEG."""
    position, begun = 2, 0
    while position + 4 <= len(image):
        marker, length = _SEGMENT.unpack_from(image, position)
        if marker < 0xFF00 or marker in _NO_SEGMENTS:
            return False
        position += 2 + length
        begun += 1
    whole = begun - 1 if position > len(image) else begun
    return whole > 0


def looks_like(start: bytes) -> str:
    """Say what data begins as, for messages: `it looks like WebP`.

    Args:
        start: Its first `SIGNATURE_BYTES`.
    """
    if start.startswith((JPEG_SIGNATURE, PNG_SIGNATURE)):
        kind = "JPEG" if start.startswith(JPEG_SIGNATURE) else "PNG"
        return f"it begins as a {kind}, but its header is cut or damaged"
    if not start:
        return "it is empty"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "it looks like WebP"
    if start[4:8] == b"ftyp":
        return f"it looks like {_BRANDS.get(start[8:12], 'a video (MP4)')}"
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return f"it looks like {name}"
    return f"it begins with {start[:8].hex(' ')}"


def _flat(image: bytes | bytearray | memoryview) -> memoryview:
    view = memoryview(image)
    return view if view.ndim == 1 and view.format == "B" else view.cast("B")


def _read_file(path: Path) -> tuple[ImageHeader | None, bytes]:
    """Return the header, and the file's first bytes for the message."""
    try:
        with path.open("rb", buffering=0) as file:
            content = b""

            def read(count: int) -> bytes:
                nonlocal content
                while len(content) < count:
                    more = file.read(count - len(content))
                    if not more:
                        break
                    content += more
                return content

            return _search(read), content[:SIGNATURE_BYTES]
    except FileNotFoundError as error:
        raise FileNotFoundException(f"there is no file {os.fspath(path)!r}") from error
    except IsADirectoryError as error:
        raise FileIsDirectoryError(f"{os.fspath(path)!r} is a directory") from error
    except OSError as error:
        raise FileNotReadableError(f"{os.fspath(path)!r} cannot be read: {error.strerror}") from error


def _search(read: Callable[[int], bytes]) -> ImageHeader | None:
    """Look into growing windows, each from the beginning, until the header is found or there is no more."""
    count = WINDOW_BYTES
    while True:
        window = read(count)
        found = _header(window)
        is_end = len(window) < count or count >= HEADER_BYTES_MAX or not window.startswith(JPEG_SIGNATURE)
        if found is not None or is_end:
            return found
        count *= WINDOW_GROWTH


def _header(data: bytes) -> ImageHeader | None:
    found = _locate(data)
    if found is None:
        return None
    kind, width, height, exif = found
    return ImageHeader(kind, width, height, _orientation(data, exif if kind == "JPEG" else _png_exif(data)))


def _locate(data: bytes, *, is_strict: bool = False) -> tuple[ImageFormat, int, int, int] | None:
    """Return format, stored width and height, and where a JPEG's EXIF block begins (0: none)."""
    if data.startswith(JPEG_SIGNATURE):
        return _locate_jpeg(data, is_strict=is_strict)
    if data.startswith(PNG_SIGNATURE):
        start = 8
        kind: ImageFormat = "PNG"
        if data[12:16] == b"CgBI":
            start += 12 + int.from_bytes(data[8:12])
            kind = "CgBI"
        if data[start + 4 : start + 8] == b"IHDR" and len(data) >= start + 16:
            width, height = (int.from_bytes(data[start + 8 + i : start + 12 + i]) for i in (0, 4))
            return (kind, width, height, 0) if width and height else None
    return None


def _locate_jpeg(data: bytes, *, is_strict: bool) -> tuple[ImageFormat, int, int, int] | None:
    """Go from segment to segment until the one that describes the frame. Strict: they follow one another without a gap."""
    position, exif, last = 2, 0, len(data) - 10
    unpack, frame_markers, no_segments = _SEGMENT.unpack_from, _FRAME_MARKERS, _NO_SEGMENTS
    while 0 <= position <= last:
        marker, length = unpack(data, position)
        if marker < 0xFF00:
            # Some cameras leave bytes between segments; libjpeg skips them likewise, up to the next marker.
            if is_strict:
                return None
            position = data.find(b"\xff", position)
        elif marker in frame_markers and length == 8 + 3 * data[position + 9]:
            height, width = _SIDES.unpack_from(data, position + 5)
            return ("JPEG", width, height, exif) if width and height else None
        elif marker in no_segments:
            if marker in _END_MARKERS:
                return None
            position += 1 if marker == _FILL else 2
        else:
            if marker == 0xFFE1 and not exif and data[position + 4 : position + 10] == b"Exif\x00\x00":
                exif = position + 10
            # A length below 2 is damage; the next marker is looked for behind it.
            position += 2 + length if length > 2 else 4
    return None


def _png_exif(data: bytes) -> int:
    """Return where the EXIF block of a PNG begins; 0: none before its pixels."""
    position = 8
    while position + 8 <= len(data):
        kind = data[position + 4 : position + 8]
        if kind == b"eXIf":
            return position + 8
        if kind == b"IDAT":
            break
        position += 12 + int.from_bytes(data[position : position + 4])
    return 0


def _orientation(data: bytes, exif: int) -> int:
    """Return the orientation from the first directory of an EXIF block; 1 where there is none, or it is damaged."""
    order = _BYTE_ORDERS.get(data[exif : exif + 2])
    if not exif or order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[exif + at : exif + at + size], order)

    directory = number(4, 4)
    count = min(number(directory, 2), _ENTRIES_MAX)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        if number(entry, 2) == _ORIENTATION_TAG:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1
