"""Decoded pictures as JPEG, turned as a viewer shows them, and JPEGs that may be passed on as they came. For threads."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from picsellia_async.errors import ConfigurationError
from picsellia_async.image_header import has_end, read_header
from picsellia_async.sources._video_settings import Pixels

if TYPE_CHECKING:  # an extra
    import numpy as np
    from numpy.typing import NDArray

_TABLES: Final = b"\xff\xc4"
_LIMITED_RANGE: Final = b"CS=ITU601"
"""How FFmpeg marks a JPEG whose levels are not those of JPEG."""
_INTERLACED: Final = b"AVI1"
"""Mark of pictures whose Huffman tables, or second field, are elsewhere."""
_HEADER_BYTES: Final = 2**14
_SCAN: Final = b"\xff\xda"
_PROGRESSIVE: Final = b"\xff\xc2"
_FOREIGN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xd9\xff]")
"""In coded pixels there are stuffed zeros, restarts and the end."""

STRICT: Final = {"err_detect": "explode"}
"""Options with which FFmpeg fails where it else writes a line and goes on, with a part of the picture that is another one's."""
_COARSE: Final = {"lowres": "3"}
"""Options with which it makes an eighth of width and height, which takes two thirds of the time, and reads all the same."""

_PLANAR: Final = frozenset({"yuv420p", "yuvj420p"})
_OF_JPEG: Final = "bt470bg"
"""BT.601, by FFmpeg's name; also what it takes where a video does not say."""
_MATRICES: Final = {1: "bt709", 2: _OF_JPEG, 5: _OF_JPEG, 6: _OF_JPEG, 7: "smpte240m", 9: "bt2020ncl"}
"""Name of the matrix by its number in a frame."""
_SQUARE: Final = Fraction(1)
_FULL: Final = 2
"""FFmpeg's number for levels of 0 to 255."""


def open_jpeg() -> ModuleType:
    """Return the module simplejpeg.

    Raises:
        ConfigurationError: It is not installed; the message names the extra.
    """
    try:
        import simplejpeg  # noqa: PLC0415 - an extra, imported on use
    except ImportError as error:
        raise ConfigurationError("video needs simplejpeg: pip install 'picsellia-async[video]'") from error
    module: ModuleType = simplejpeg
    return module


class JpegWriter:
    """Makes pixels and JPEG of decoded frames; libjpeg-turbo writes it.

    The planes of a frame are converted to the matrix and levels of JPEG by a filter of FFmpeg that does nothing else; where the array is
    wanted as well, that is made beside it, which costs less than a JPEG of the array. Where the picture is turned or stretched, the
    frame becomes RGB, once for both. The scaler, numpy and tables were measured, and cost more or are right for one matrix only.
    """

    def __init__(self, quality: int, pixels: Pixels | None) -> None:
        """Choose.

        Args:
            quality: 1 to 100.
            pixels: Order of the channels that are handed out.
        """
        from av.video.reformatter import VideoReformatter  # noqa: PLC0415 - an extra, imported on use

        jpeg = open_jpeg()
        self._encode, self._encode_planes, self._decode = (
            jpeg.encode_jpeg,
            jpeg.encode_jpeg_yuv_planes,
            jpeg.decode_jpeg,
        )
        self._quality = quality
        self._order = pixels or "rgb"
        self._wants_pixels = pixels is not None
        self._reformatter = VideoReformatter()
        self._levels = _Levels()

    def write(
        self, frame: Any, turn: Turn, aspect: Fraction = _SQUARE
    ) -> tuple[bytes, NDArray[np.uint8] | None, int, int]:
        """Return JPEG, the array where it is wanted, width and height of a frame, turned.

        Args:
            frame: Of PyAV.
            turn: How it is shown.
            aspect: Width of its pixels by their height.
        """
        width = round(frame.width * aspect)
        picture = None if turn or width != frame.width else self._levels.applied(frame)
        if picture is not None:
            planes = [_plane(one) for one in picture.planes]
            written: bytes = self._encode_planes(*planes, self._quality, fastdct=True)
            return written, self._array(frame, width) if self._wants_pixels else None, picture.width, picture.height
        pixels = turn.applied(self._array(frame, width))
        written = self._encode(pixels, self._quality, self._order.upper(), "420", fastdct=True)
        return written, pixels, pixels.shape[1], pixels.shape[0]

    def _array(self, frame: Any, width: int) -> NDArray[np.uint8]:
        # One thread: handing stripes of a picture to others costs more than converting it.
        return _array(self._reformatter.reformat(frame, width=width, format=f"{self._order}24", threads=1))

    def decoded(self, data: bytes) -> NDArray[np.uint8] | None:
        """Return the pixels of a JPEG; None where it is damaged."""
        if not self._is_sound(data):
            return None
        try:
            pixels: NDArray[np.uint8] = self._decode(data, self._order.upper(), fastdct=True)
        except ValueError:
            return None
        return pixels

    def _is_sound(self, data: bytes) -> bool:
        """Return whether FFmpeg finds nothing wrong with the coded pixels.

        It and libjpeg each tell of damage that the other lets pass. Of kinds that FFmpeg does not know it tells nothing.
        """
        return _can_decode(data, STRICT) or not _can_decode(data, {})


def _can_decode(data: bytes, options: dict[str, str]) -> bool:
    import av  # noqa: PLC0415 - an extra, imported on use

    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options = {**options, **_COARSE}
    try:
        return bool(decoder.decode(av.Packet(data)))
    except av.FFmpegError:
        return False


class _Levels:
    """Brings planes of 4:2:0 to the matrix and levels of JPEG, BT.601 from 0 to 255."""

    def __init__(self) -> None:
        self._graph: Any = None
        self._made_for: tuple[object, ...] = ()

    def applied(self, frame: Any) -> Any:
        """Return the picture; None where this way does not know it, and it has to go through RGB."""
        kind = (frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range))
        width, height, form, matrix, levels = kind
        is_full = form == "yuvj420p" or levels == _FULL
        if form not in _PLANAR or matrix not in _MATRICES or width % 2 or height % 2:
            return None
        if is_full and _MATRICES[matrix] == _OF_JPEG:
            return frame
        if kind != self._made_for:
            self._graph, self._made_for = _graph(frame, _MATRICES[matrix], is_full=is_full), kind
        self._graph.push(frame)
        return self._graph.pull()


def _graph(frame: Any, matrix: str, *, is_full: bool) -> Any:
    """Return the filter, told what the frame is: matrix and levels change, primaries and gamma do not."""
    from av.filter import Graph  # noqa: PLC0415 - an extra, imported on use

    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
    )
    change = graph.add(
        "colorspace",
        f"iall=bt709:ispace={matrix}:irange={'pc' if is_full else 'tv'}:"
        f"all=bt709:space={_OF_JPEG}:range=pc:fast=1:format=yuv420p",
    )
    sink = graph.add("buffersink")
    source.link_to(change)
    change.link_to(sink)
    graph.configure()
    return graph


def _plane(plane: Any) -> NDArray[np.uint8]:
    import numpy as np  # noqa: PLC0415 - an extra, imported on use

    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def _array(picture: Any) -> NDArray[np.uint8]:
    """Return the pixels of an RGB picture; where its rows have no gaps, without a copy: the array keeps the picture alive."""
    import numpy as np  # noqa: PLC0415 - an extra, imported on use

    plane = picture.planes[0]
    if plane.line_size == picture.width * 3:
        return np.frombuffer(plane, np.uint8).reshape(picture.height, picture.width, 3)
    array: NDArray[np.uint8] = picture.to_ndarray()
    return array


class Turn:
    """How a picture is turned and mirrored to be shown, from the display matrix of a video."""

    def __init__(self, matrix: bytes | None = None) -> None:
        """Read the matrix of nine 32-bit numbers; None, or one that only moves and scales, turns nothing."""
        a, b, _, c, d = struct.unpack_from("=5i", matrix) if matrix and len(matrix) >= 36 else (1, 0, 0, 0, 1)
        self.is_turned: bool = abs(b) > abs(a)
        """Whether width and height change places."""
        self._mirrors_x: bool = (c if self.is_turned else a) < 0
        self._mirrors_y: bool = (b if self.is_turned else d) < 0

    def __bool__(self) -> bool:
        """Return whether anything changes."""
        return self.is_turned or self._mirrors_x or self._mirrors_y

    def applied(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture as it is shown."""
        if not self:
            return pixels
        import numpy as np  # noqa: PLC0415 - an extra, imported on use

        if self.is_turned:
            pixels = pixels.transpose(1, 0, 2)
        if self._mirrors_x:
            pixels = pixels[:, ::-1]
        if self._mirrors_y:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


def is_whole_jpeg(data: bytes) -> bool:
    """Return whether a camera's picture has its beginning and its end; a transfer that was cut has not."""
    return data.startswith(b"\xff\xd8") and has_end(data)


def is_one_jpeg(data: bytes) -> bool:
    """Return whether beginning and end are those of one picture.

    In a file of JPEGs damage may reach from one into another. Then a segment does not follow the one before, or the coded pixels hold
    a mark that they cannot have.
    """
    position, has_scans = 2, False
    while data.startswith(b"\xff", position) and not data.startswith(_SCAN, position):
        if data.startswith(b"\xff\xff", position):  # fill
            position += 1
            continue
        has_scans = has_scans or data.startswith(_PROGRESSIVE, position)
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    if not data.startswith(_SCAN, position):
        return False
    # Between the scans of a progressive one there are tables: only the last one is searched.
    return not _FOREIGN.search(data, (data.rfind(_SCAN) if has_scans else position) + len(_SCAN))


def is_plain_jpeg(data: bytes) -> bool:
    """Return whether any viewer decodes it as it is: with its own Huffman tables, in JPEG's own levels, one field."""
    header = data[:_HEADER_BYTES]
    return _TABLES in header and _LIMITED_RANGE not in header and _INTERLACED not in header[:32]


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height as shown; None where the header is damaged."""
    header = read_header(data)
    return None if header is None else header.shown_size
