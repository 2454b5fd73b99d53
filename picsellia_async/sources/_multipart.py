"""MJPEG over HTTP: pictures cut out of the stream by their own marks, whatever a camera writes around them. For threads.

Theory of operation. Cameras differ in boundaries, line ends, headers and lengths, and are wrong about each of them. A JPEG is
not: it begins with a mark, its segments tell their lengths, and within its coded pixels neither the mark of an end nor that of a
beginning can occur by chance. So only the pictures are looked at, and one is handed over when its last byte is there, without
waiting for the boundary behind it. A beginning before an end means that the picture before was cut.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Generator
from typing import Final

import attrs

from picsellia_async.sources._address import split_address
from picsellia_async.sources._camera_http import answer_of, is_web, why_no_answer
from picsellia_async.sources._errors import SourceError

PICTURE_BYTES_MAX: Final = 32 * 2**20
"""Longest picture read: what has no end by then is none."""

_READ_BYTES: Final = 2**16
_BEGIN: Final = b"\xff\xd8\xff"
_END: Final = b"\xff\xd9"
_BARE_MARKERS: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_APPLICATION: Final = frozenset(range(0xE0, 0xF0))
_SCAN: Final = 0xDA
_FFMPEG_KNOWS: Final = re.compile(r"\.(m3u8?|mpd|mp4|mov|mkv|webm|avi|flv|ts|m2ts|mpe?g|ogv)$", re.IGNORECASE)
"""Files and playlists, which are FFmpeg's from the beginning."""
_JPEGS: Final = frozenset(
    {"image/jpeg", "image/jpg", "image/pjpeg", "video/x-motion-jpeg", "video/x-mjpeg", "video/mjpeg", "video/x-jpeg"}
)
"""Types of bare pictures, one after the other or a single one. FFmpeg would collect a score of them before the first is given."""
_NO_VIDEO: Final = ("text/", "application/json")


@attrs.frozen
class Picture:
    """One JPEG of a stream."""

    data: bytes
    """As it came; cut where `is_whole` is false."""
    came: float
    """Epoch seconds at which its first byte was here: the nearest to its capture that can be known."""
    is_whole: bool = True


class Splitter:
    """Cuts pictures out of bytes that come in pieces of any size."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Begin with an empty buffer.

        Args:
            clock: Returns epoch seconds.
        """
        self._clock = clock
        self._buffer = bytearray()
        self._came = 0.0
        self._is_inside = False
        """Whether the buffer begins with a picture."""
        self._position = 0
        """Where the search goes on; within a picture, up to there its segments are known."""
        self._is_in_scan = False

    def feed(self, data: bytes) -> Generator[Picture, None, None]:
        """Take bytes; yield the pictures that they complete, and those that turn out to be cut."""
        self._buffer += data
        while True:
            if not self._is_inside and not self._begin():
                return
            end = self._end()
            if end is None:
                if len(self._buffer) <= PICTURE_BYTES_MAX:
                    return
                yield self._take(len(self._buffer), is_whole=False)
            else:
                yield self._take(*end)

    def rest(self) -> Generator[Picture, None, None]:
        """Yield the picture that the end of the stream cut, if there is one."""
        if self._is_inside:
            yield self._take(len(self._buffer), is_whole=False)

    @property
    def is_inside(self) -> bool:
        """Whether a picture has begun, and not ended."""
        return self._is_inside

    def _begin(self) -> bool:
        start = self._buffer.find(_BEGIN)
        if start < 0:
            del self._buffer[: max(0, len(self._buffer) - len(_BEGIN) + 1)]
            return False
        del self._buffer[:start]
        self._is_inside, self._is_in_scan, self._position, self._came = True, False, 2, self._clock()
        return True

    def _end(self) -> tuple[int, bool] | None:
        """Return where the picture ends and whether it is whole; None where more is needed."""
        buffer = self._buffer
        if not self._is_in_scan:
            other = self._to_scan()
            if other is not None:
                return other, False
            if not self._is_in_scan:
                return None
        end, begin = buffer.find(_END, self._position), buffer.find(_BEGIN, self._position)
        if begin >= 0 and (end < 0 or begin < end):
            return begin, False
        if end >= 0:
            return end + len(_END), True
        self._position = max(self._position, len(buffer) - 2)  # a mark may come in two pieces
        return None

    def _to_scan(self) -> int | None:
        """Go from segment to segment to the coded pixels, as far as there is data; return where another picture begins instead."""
        buffer = self._buffer
        while (position := buffer.find(b"\xff", self._position)) >= 0 and position + 4 <= len(buffer):
            marker = buffer[position + 1]
            if marker == _SCAN:
                self._is_in_scan, self._position = True, position + 2
                break
            if buffer.startswith(_BEGIN, position):
                return position
            if buffer.startswith(_END, position):  # without any pixels: what follows is no length
                return position + len(_END)
            if marker == 0xFF or marker in _BARE_MARKERS:
                self._position = position + (1 if marker == 0xFF else 2)
                continue
            following = position + 2 + max(2, int.from_bytes(buffer[position + 2 : position + 4]))
            if following >= len(buffer):
                break
            # A thumbnail within EXIF data begins too, but after it a segment follows; tables hold no beginning at all.
            inner = buffer.find(_BEGIN, position + 4, following + 2)
            if inner >= 0 and (marker not in _APPLICATION or buffer[following] != 0xFF):
                return inner
            self._position = following
        return None

    def _take(self, end: int, is_whole: bool) -> Picture:
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._is_inside = False
        return Picture(data, self._came, is_whole)


def is_for_us(address: str) -> bool:
    """Return whether an address may be MJPEG over HTTP."""
    return is_web(address) and not _FFMPEG_KNOWS.search(split_address(address).path)


def open_stream(address: str, shown: str, timeout: float) -> http.client.HTTPResponse | None:
    """Ask a camera for its stream; None where it is something else, which FFmpeg may know.

    Args:
        address: With user and password, for basic or digest sign-in.
        shown: The address as messages have it.
        timeout: Seconds without a byte.

    Raises:
        SourceError: It cannot be reached, refuses, or answers text.
    """
    response = answer_of(address, shown, timeout)
    is_told = "Content-Type" in response.headers
    kind = response.headers.get_content_type()
    if kind.startswith("multipart/") or kind in _JPEGS or (not is_told and _begins_with_jpeg(response)):
        return response
    response.close()
    if is_told and kind.startswith(_NO_VIDEO):
        raise SourceError(f"cannot open {shown!r} as a video: it answers {kind}")
    return None


def _begins_with_jpeg(response: http.client.HTTPResponse) -> bool:
    """Return whether a stream of which the camera tells no type begins with a picture, or with a part that holds one."""
    try:
        return _BEGIN in response.peek(_READ_BYTES)
    except (OSError, http.client.HTTPException, ValueError):
        return False  # it breaks off for the next reader as well


def pictures(response: http.client.HTTPResponse, shown: str) -> Generator[Picture | None, None, None]:
    """Yield the pictures of a stream until it ends, and None for bytes that are of no picture; closing the generator closes the connection.

    Raises:
        SourceError: It broke off, or ended without any picture.
    """
    splitter, failure, count = Splitter(), "", 0
    try:
        while not failure:
            try:
                data = response.read1(_READ_BYTES)
            except (OSError, http.client.HTTPException, ValueError) as error:
                failure = why_no_answer(error)
                break
            for picture in splitter.feed(data) if data else splitter.rest():
                count += 1
                yield picture
            if data and not splitter.is_inside:
                yield None
            if not data:
                break
    finally:
        response.close()
    if failure or not count:
        raise SourceError(f"{shown!r} broke off: {failure or 'no picture came'}")
