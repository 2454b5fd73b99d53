"""The size that an image states of itself, read without decoding it."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import ConfigurationError, image_size
from picsellia_async.image_header import ImageHeader, looks_like, read_header

from ..support.images import SOI, chunk, exif, frame_header, jpeg, png, segment

CGBI = b"\x89PNG\r\n\x1a\n" + chunk(b"CgBI", b"\x50\x00\x20\x02") + png(30, 40)[8:]


@pytest.mark.parametrize(
    "image",
    [
        jpeg(30, 40),
        SOI + frame_header(30, 40, marker=0xC2),
        SOI + segment(0xE0, b"JFIF") + b"\x00\x07junk" + segment(0xDB, b"\x00" * 65) + b"\xff\x00more\xff\xff" + frame_header(30, 40)[1:],
        SOI + b"\xff" * 9 + frame_header(30, 40),
        SOI + segment(0xC4, b"\x00" * 17) + frame_header(30, 40),
        SOI + segment(0xEE, b"Adobe\x00d\x00\x00\x00\x00\x02") + frame_header(30, 40, components=4),
        SOI + segment(0xE2, b"MPF\x00" + exif(1)) + frame_header(30, 40) + jpeg(3, 4),
        SOI + segment(0xE1, b"Exif\x00\x00" + exif(1) + jpeg(3, 4)) + frame_header(30, 40),
        SOI + segment(0xE1, b"\x00" * 65533) * 40 + frame_header(30, 40),
        png(30, 40),
        png(30, 40, depth=16),
        png(30, 40, chunk(b"acTL", struct.pack(">II", 2, 0))),
    ],
    ids=["baseline", "progressive", "bytes between segments", "fill bytes", "tables first", "CMYK", "MPO", "thumbnail",
         "2.6 MB of metadata first", "PNG", "16 bit PNG", "APNG"],
)  # fmt: skip
def test_the_size_is_found(image, tmp_path):
    """What cameras, phones and editors write is read, from bytes, from other memory, and from a file."""
    path = tmp_path / "image"
    path.write_bytes(image)
    for given_as in (image, bytearray(image), memoryview(image), path, str(path)):
        assert image_size(given_as) == (30, 40)


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_what_opencv_writes_is_read(extension):
    """A real encoder's output states the size of the array."""
    encoded = cv2.imencode(extension, np.zeros((40, 30, 3), np.uint8))[1]
    assert image_size(memoryview(encoded)) == image_size(encoded.tobytes()) == (30, 40)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_turn_changes_sides(orientation, order):
    """Orientations 5 to 8 swap width and height, in JPEG and PNG; `stored` gives them as the pixels lie."""
    block = exif(orientation, order)
    shown = (40, 30) if orientation >= 5 else (30, 40)
    for image in (
        SOI + segment(0xE1, b"Exif\x00\x00" + block) + frame_header(30, 40),
        png(30, 40, chunk(b"eXIf", block)),
    ):
        assert image_size(image) == shown
        assert image_size(image, orientation="stored") == (30, 40)


def test_a_photo_shown_as_opencv_shows_it():
    """For a turned photo the shown size is the shape of the decoded array."""
    encoded = cv2.imencode(".jpg", np.zeros((40, 30, 3), np.uint8))[1].tobytes()
    turned = SOI + segment(0xE1, b"Exif\x00\x00" + exif(6)) + encoded[2:]
    height, width = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    assert image_size(turned) == (width, height)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "looks like WebP"),
        (b"GIF89a", "looks like GIF"),
        (b"\x00\x00\x00\x20ftypavif", "looks like AVIF"),
        (b"\x00\x00\x00\x20ftypisom", "looks like a video"),
        (b"/9j/4AAQSkZJRg==", "base64 of a JPEG"),
        (b"\x00" * 100, "begins with 00 00"),
        (b"", "is empty"),
        (jpeg()[:60], "JPEG, but its header is cut"),
        (SOI + segment(0xDA, b"\x00" * 10) + frame_header(3, 4), "JPEG, but its header is cut"),
        (SOI + frame_header(0, 4), "JPEG, but its header is cut"),
        (png()[:20], "PNG, but its header is cut"),
        (CGBI, "CgBI PNG"),
    ],
)  # fmt: skip
def test_what_is_no_image_is_named(image, message, tmp_path):
    """The message says what the bytes look like."""
    path = tmp_path / "image"
    path.write_bytes(image)
    for given_as in (image, path):
        with pytest.raises(ConfigurationError, match=message):
            image_size(given_as)


def test_an_iphone_png_is_known_by_name():
    """Its size stands in it, yet nobody else can decode it: callers are told which it is."""
    assert read_header(CGBI) == ImageHeader("CgBI", 30, 40)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """A missing file and a directory are errors that an `except OSError` catches too."""
    with pytest.raises(FileNotFoundError, match=r"no file .*missing"):
        image_size(tmp_path / "missing")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        image_size(tmp_path)


@pytest.mark.parametrize("value", [None, 3, ["x"]])
def test_what_is_neither_bytes_nor_path_is_refused(value):
    """The message shows the value."""
    with pytest.raises(ConfigurationError, match="must be bytes or a path"):
        image_size(value)
    with pytest.raises(ConfigurationError, match="orientation must be"):
        image_size(jpeg(), orientation="turned")


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", SOI + b"\xff", b"\x89PNG\r\n\x1a\n", SOI + b"\xff\xe1\x00\x40Exif\x00\x00II*\x00"]),
)
def test_no_bytes_break_the_reader(tail, head):
    """Whatever the bytes, the answer is a size or none."""
    header = read_header(head + tail)
    assert header is None or (header.width > 0 and header.height > 0 and 1 <= header.orientation <= 8)
    assert looks_like((head + tail)[:32])
