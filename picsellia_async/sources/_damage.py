"""What of a video is damaged, as packets, the decoder and FFmpeg's own checks tell; pictures wait here until that is known. For threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, Final

from picsellia_async.sources._corruption import Corruption, FrameNumbers, MissingPictures, Place
from picsellia_async.sources._holes import Holes
from picsellia_async.sources._jpeg import STRICT

_TELLS_DAMAGE: Final = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4"})
"""Codecs whose decoders tell of pictures that lack data."""
_HELD_MAX: Final = 16
"""Pictures that wait at most, as many as H.264 and H.265 may put in another order."""
_BY_FRAME: Final = 1
"""FFmpeg's number for threads that each decode a picture."""
_CAN_BY_FRAME: Final = 1 << 12
"""FFmpeg's number for codecs that can have those."""


class Decoding:
    """Decodes one stream of PyAV, and fails at whatever FFmpeg finds wrong in MJPEG, unless it does so from the first picture on.

    Only there an error costs no other picture: H.265 has remarks (SEI) that FFmpeg objects to, and all up to the next key frame would go.
    """

    def __init__(self, av: ModuleType, stream: Any) -> None:
        self._av = av
        self._context = stream.codec_context
        self._is_empty = True
        self._is_proven = self._context.name != "mjpeg"
        if not self._is_proven:
            self._context.thread_type = "NONE"  # so that the first picture is proven, and an error is its packet's own
            self._context.options = {**self._context.options, **STRICT}

    def frames(self, packet: Any) -> list[Any]:
        """Return the pictures that a packet gives.

        Raises:
            FFmpegError: Of PyAV; there is something wrong.
        """
        self._is_empty = False
        try:
            frames: list[Any] = self._context.decode(packet)
        except self._av.InvalidDataError:
            if self._is_proven:
                raise
            lenient = self._av.CodecContext.create(self._context.name, "r")
            lenient.extradata, lenient.thread_type = self._context.extradata, self._context.thread_type
            frames = lenient.decode(packet)
            self._context = lenient
        self._is_proven = True
        return frames

    def rest(self) -> list[Any]:
        """Return the pictures that the decoder holds. What it is given next does not follow them."""
        if self._is_empty:
            return []
        self._is_empty = True
        try:
            frames: list[Any] = self._context.decode(None)
        except self._av.FFmpegError:
            frames = []
        self._context.flush_buffers()
        return frames


class Damage:
    """Follows one stream of PyAV, and holds a picture back until all that it builds on was decoded."""

    def __init__(self, stream: Any, told: int = 0) -> None:
        """Begin.

        Args:
            stream: Of PyAV.
            told: Segments of a playlist that are known to be missing, each of which was counted as one.
        """
        context = stream.codec_context
        self._told = told
        self._context = context
        self._is_told = context.name in _TELLS_DAMAGE
        self._corruption = Corruption()
        self._missing = MissingPictures(stream.container.format.name == "hls")
        self._numbers = _frame_numbers(context)
        self._holes = Holes(context.name, context.extradata or b"")
        self._held: deque[tuple[Any, Place]] = deque()

    def read(self, packet: Any) -> int:
        """Take note of a packet; return how many pictures are missing before it, or -1 where it was taken for missing."""
        if packet.size:
            data = bytes(packet) if self._holes.is_known else b""  # else a copy for nothing
            is_intra, is_gap = (False, False) if self._numbers is None else self._numbers.read(data)
            self._corruption.read(
                packet.pts,
                is_key=is_intra or packet.is_keyframe,
                is_damaged=is_gap or (packet.is_corrupt and not self._is_told),
                is_doubtful=packet.is_corrupt and self._is_told,
                is_holed=self._holes.is_holed(data),
                is_one=self._holes.has_lengths,
            )
        count = self._missing.read(packet.dts, is_marked=packet.is_corrupt, is_key=packet.is_keyframe)
        if count > 0 and self._told:
            self._told -= 1
            return count - 1
        return count

    def lost(self, packet: Any = None) -> None:
        """Take note of pictures that are missing before the next one.

        Args:
            packet: At which the decoder failed; None: pictures were passed over. One without data asks for the rest.
        """
        if packet is None or not self._is_by_frame:
            self._corruption.lost(is_failed=packet is not None and packet.size > 0)
        elif packet.size:  # else the decoder gives nothing more, and nothing more builds on it
            # Each packet waits in a thread of its own, and its error comes as the last thread is given one.
            self._corruption.lost(self._context.thread_count - 1, is_failed=True)

    @property
    def _is_by_frame(self) -> bool:
        """Return whether the decoder, once it is open, has threads by frame."""
        context = self._context
        can = bool(context.codec.capabilities & _CAN_BY_FRAME)
        return can and bool(context.thread_type.value & _BY_FRAME) and context.thread_count > 1

    def was_counted(self, place: Place) -> bool:
        """Return whether a picture is what the decoder gives of a packet that it failed at; among threads by frame that is not sure."""
        return place.is_lost and not self._is_by_frame

    def came(self, frames: Iterable[Any]) -> None:
        """Take decoded pictures."""
        self._held += [(one, self._corruption.came(one.pts, is_damaged=one.is_corrupt)) for one in frames]

    def known(self, *, is_all: bool = False) -> Iterator[tuple[Any, Place]]:
        """Yield the pictures of which is known what they build on, in their order.

        Args:
            is_all: Whether nothing follows that could tell more.
        """
        while self._held and (is_all or len(self._held) > _HELD_MAX or self._corruption.is_final(self._held[0][1])):
            yield self._held.popleft()

    def is_corrupted(self, place: Place) -> bool:
        """Return whether a picture builds on a damaged one, or is one itself."""
        return self._corruption.is_corrupted(place)


def _frame_numbers(context: Any) -> FrameNumbers | None:
    """Return what finds missing pictures; None where packets carry no start codes, since such files have an index of all of them."""
    if context.name != "h264" or (context.extradata or b"").startswith(b"\x01"):
        return None
    numbers = FrameNumbers()
    numbers.read(context.extradata or b"")  # RTSP tells the parameters before the first packet
    return numbers
