"""Images that a transfer or a full disk has cut: told by their last bytes, and nothing whole is taken for one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from picsellia_async import ImplausibleError
from picsellia_async.plausibility import check_image

from ..support.images import EOI, SOI, exif, jpeg, segment

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def encoded(extension: str, *options: int) -> bytes:
    return bytes(cv2.imencode(extension, PIXELS, options)[1])


PHOTO = encoded(".jpg")
WITH_THUMBNAIL = (
    SOI + segment(0xE1, b"Exif\x00\x00" + exif(1) + encoded(".jpg", cv2.IMWRITE_JPEG_QUALITY, 20)) + PHOTO[2:]
)
"""A picture whose EXIF holds a whole picture of its own."""
PROGRESSIVE = encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
PNG = encoded(".png")


@pytest.mark.parametrize(
    ("whole", "first", "last"),
    [
        (PHOTO, 21, len(PHOTO) - 1),
        (PROGRESSIVE, 21, len(PROGRESSIVE) - 1),
        (WITH_THUMBNAIL, len(WITH_THUMBNAIL) - len(PHOTO) + 3, len(WITH_THUMBNAIL) - 1),
        (PNG, 33, len(PNG) - 8),
    ],
    ids=["JPEG", "progressive", "with a thumbnail", "PNG"],
)
def test_a_cut_anywhere_is_seen(whole: bytes, first: int, last: int) -> None:
    """From the first whole segment to the end marker, wherever the picture is cut; with the size, and without, as `predict` has it."""
    for count in {*range(first, first + 700), *range(first, last, 7), last}:
        for size in (None, (64, 48)):
            with pytest.raises(ImplausibleError, match=f"cut off: {count} bytes"):
                check_image(whole[:count], size=size)


@pytest.mark.parametrize(
    "whole", [PHOTO, PROGRESSIVE, WITH_THUMBNAIL, PNG], ids=["JPEG", "progressive", "thumbnail", "PNG"]
)
@pytest.mark.parametrize(
    "after",
    [b"", b"\0" * 5000, b"\r\n", b"\0\0ftypmp42" + bytes(range(256)) * 40, PHOTO],
    ids=["nothing", "padding", "line end", "a video", "another picture"],
)
def test_what_follows_a_whole_picture_is_let_be(whole: bytes, after: bytes) -> None:
    """Cameras pad, phones append videos and second pictures."""
    for image in (whole + after, memoryview(bytearray(whole + after))):
        check_image(image, size=(64, 48))


def test_a_png_with_a_hole_is_seen() -> None:
    """An end behind a part of it, as a resumed transfer leaves one, and chunks that do not follow one another."""
    large = bytes(cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (100, 160, 3), np.uint8))[1])
    check_image(large, size=(160, 100))
    for odd in (
        large[:3000] + large[-12:],
        large[:100] + large[101:],
        large[:50] + b"x" + large[50:],
        large[:40] + large[-1000:],
    ):
        with pytest.raises(
            ImplausibleError, match=r"cut off: .* of a PNG without chunks that follow one another up to IEND"
        ):
            check_image(odd, size=(160, 100))


def test_what_cannot_be_read_is_not_judged() -> None:
    """Where nothing but the signature is there, the bytes may be anything."""
    for image in (b"\xff\xd8\xff", b"\xff\xd8\xff\xe0 no segment", PHOTO[:19], PNG[:20], jpeg()[:2] + b"\xff" * 9):
        check_image(image, size=(64, 48))


def test_the_way_out_is_said() -> None:
    """An encoder that leaves the end marker out gets it appended."""
    with pytest.raises(ImplausibleError, match=r"append it where an encoder leaves it out.*checks=\"off\""):
        check_image(PHOTO[:-2])
    check_image(PHOTO[:-2] + EOI)
