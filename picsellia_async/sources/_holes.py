"""Zeros in place of data within packets of H.264 and H.265, as a lost sector leaves them: the decoder takes them for a picture. Pure.

Theory of operation. Within a unit (NAL) of these codecs three zeros in a row cannot occur: a 3 is put before the third one, so that no data
look like a start code. What FFmpeg does about other such signs of damage it does by itself, but it reads on over zeros. A run of them
is told from padding by its end: zeros up to the end of a unit, or up to a start code, are allowed, and some encoders pad so.
Remarks (SEI) are left alone, since cameras write their own without that rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_HOLE: Final = bytes(16)
"""A run of zeros that is looked for. 100 KB take 19 us; the three zeros that cannot occur would take 63, and lost sectors have 512 or more."""
_ZEROS: Final = re.compile(rb"\x00{16,}")
_START: Final = b"\x00\x00\x01"
_STARTS: Final = (_START, b"\x00" + _START)

_AVC_SIZE_AT: Final = 4
_HEVC_SIZE_AT: Final = 21
"""Bytes of the parameters in MP4 that tell how many bytes the length of a unit has."""
_AVC_SLICES: Final = frozenset({1, 2, 3, 4, 5})
_HEVC_SLICES: Final = frozenset([*range(10), *range(16, 22)])
"""Types of units that hold pixels."""


class Holes:
    """Looks for zeros in place of data in the packets of one stream."""

    def __init__(self, codec: str, parameters: bytes) -> None:
        """Begin.

        Args:
            codec: FFmpeg's name; of others than "h264" and "hevc" nothing is known.
            parameters: What the container tells of the codec ("extradata"): with it units have a length, else start codes.
        """
        self._is_hevc = codec == "hevc"
        self.is_known: bool = self._is_hevc or codec == "h264"
        """Whether packets of the codec can be looked at."""
        place = _HEVC_SIZE_AT if self._is_hevc else _AVC_SIZE_AT
        self.has_lengths: bool = len(parameters) > place and not parameters.startswith(_STARTS)
        """Whether units have a length, and so a packet is one picture; where pictures are told by start codes, damage may join two."""
        self._length_size = (parameters[place] & 3) + 1 if self.has_lengths else 0

    def is_holed(self, packet: bytes) -> bool:
        """Return whether pixels of a packet are zeros that cannot be data."""
        if not self.is_known or _HOLE not in packet:
            return False
        if not self._length_size or packet.startswith(_STARTS[1]):
            return any(self._is_in_slice(packet, one) for one in _ZEROS.finditer(packet))
        try:
            return any(
                self._is_slice(packet[begin : begin + 2]) and _HOLE in packet[begin:end].rstrip(b"\x00")
                for begin, end in _units(packet, self._length_size)
            )
        except ValueError:  # zeros stand for a length
            return True

    def _is_in_slice(self, packet: bytes, zeros: re.Match[bytes]) -> bool:
        """Return whether zeros between start codes are in the place of pixels: before them is a slice, behind them no start code."""
        end, begin = zeros.end(), packet.rfind(_START, 0, zeros.start()) + len(_START)
        is_padding = end == len(packet) or packet[end] == 1
        return not is_padding and len(_START) <= begin < zeros.start() and self._is_slice(packet[begin : begin + 2])

    def _is_slice(self, head: bytes) -> bool:
        """Return whether a unit that begins so holds pixels. What cannot be a head is data of a remark that look like a start code."""
        header = head[0]
        if header & 0x80 or (self._is_hevc and not (len(head) > 1 and head[1] & 7)):
            return False
        return (header >> 1 & 63) in _HEVC_SLICES if self._is_hevc else (header & 31) in _AVC_SLICES


def _units(packet: bytes, length_size: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the units of a packet; zeros behind the last one are padding.

    Raises:
        ValueError: A length is 0 or leads beyond the packet.
    """
    place, size = 0, len(packet.rstrip(b"\x00"))
    while place < size:
        begin = place + length_size
        place = begin + int.from_bytes(packet[place:begin])
        if not begin < place <= len(packet):
            raise ValueError
        yield begin, place
