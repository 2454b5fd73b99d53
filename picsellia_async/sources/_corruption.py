"""Which pictures of a video build on one that is damaged or missing. Pure.

Theory of operation. A picture between two key frames is a change of the pictures before it. Where one of them lacks data, the decoder
goes on without a word, and all pictures up to the next key frame show parts of older ones. A decoder tells of a picture that lacks
data itself. Of one that is missing as a whole it tells nothing; H.264 counts the pictures that others build on (`frame_num`), and a
gap in that count does.

Encoders send a picture before those that are shown earlier and build on it. A decoder tells that it lacks data once it is shown, which
is too late for them: so a picture is final once none that was sent before it is to come. Where pictures come in the order in which they
are shown, each one is final at once.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

_GROUPS_KEPT: Final = 4
"""Key frames that are remembered; decoders hold fewer back."""
_PICTURES_KEPT: Final = 64
"""Pictures whose place is remembered; decoders hold fewer back."""

_MISSING_MAX: Final = 250
"""Pictures in a row that can be lost; what is longer is a step of the clock."""
_GAPS_KEPT: Final = 64
_MARK_LASTS: Final = 3
"""Packets in which the gap of a mark is: the demuxer sets it a packet or two early."""

_START: Final = re.compile(rb"\x00\x00\x01")
_SLICE, _KEY_SLICE, _PARAMETERS = 1, 5, 7
"""Types of units of H.264."""
_HEADER_BYTES: Final = 64
"""Of a slice or of the parameters, more than enough for what is read."""
_INTRA: Final = frozenset({2, 4, 7, 9})
"""Types of slices that build on nothing."""
_HIGH: Final = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
"""Profiles whose parameters tell of chroma and scaling."""


@attrs.frozen
class Place:
    """Where a picture is in the order of decoding."""

    number: int
    """Of its packet."""
    group: int
    """Packet of the key frame before it."""
    before: int | None = None
    """Of a picture that is shown before that key frame, the group before, on which it may build as well."""
    is_lost: bool = False
    """Whether its packet could not be decoded: nothing waits for it, though some decoders give what they have of it."""
    is_holed: bool = False
    """Whether there are zeros in place of its data, of which no decoder tells, so that its picture is of no use."""


@attrs.define
class Corruption:
    """Follows packets in the order in which they come, and pictures in the order in which they are shown."""

    _count: int = 0
    """Packets so far."""
    _group: int = 0
    """The packet with the latest key frame."""
    _before: int = 0
    """The one before."""
    _key: int | None = None
    """Time in the stream of the latest key frame."""
    _places: dict[int | None, Place] = attrs.field(factory=dict)
    """By time in the stream, of the pictures that have not come."""
    _shown: int | None = None
    """Time in the stream of the latest picture that came."""
    _first: dict[int, int] = attrs.field(factory=dict)
    """By group, the packet of its first damage."""
    _doubtful: tuple[int, int] | None = None
    """Packet and group of a packet, if something may be missing in the next one or behind that."""

    def read(
        self,
        pts: int | None,
        *,
        is_key: bool,
        is_damaged: bool,
        is_doubtful: bool = False,
        is_holed: bool = False,
        is_one: bool = True,
    ) -> None:
        """Take note of a packet.

        Args:
            pts: Its time in the stream.
            is_key: Whether its picture builds on nothing.
            is_damaged: Whether it lacks data, or one before it is missing.
            is_doubtful: Whether the one after it may lack data, or one behind that be missing: so MPEG-TS says, a packet early, also where
                whole pieces were joined. The decoder tells whether it lacks data, and nothing builds on what is missing if a key frame is
                the next.
            is_holed: Whether there are zeros in place of its data.
            is_one: Whether it surely is one picture; else it may hold a whole one besides.
        """
        self._count += 1
        if is_key:
            self._before, self._group, self._key = self._group, self._count, pts
        if self._doubtful is not None and (is_key or self._count > self._doubtful[0] + 1):
            if not is_key:
                self.damaged(*self._doubtful)
            self._doubtful = None
        if is_doubtful and self._doubtful is None:
            self._doubtful = self._count, self._group
        is_leading = pts is not None and self._key is not None and pts < self._key
        before = self._before if is_leading else None
        self._places[pts] = Place(self._count, self._group, before, is_holed=is_holed and is_one and pts is not None)
        if len(self._places) > _PICTURES_KEPT:
            del self._places[next(iter(self._places))]
        # What is missing before a key frame is nothing that it builds on.
        if is_holed or (is_damaged and not is_key):
            self.damaged(self._count, self._group)

    def lost(self, back: int = 0, *, is_failed: bool = False) -> None:
        """Take note that a packet could not be decoded.

        Args:
            back: How many packets before the latest one it came.
            is_failed: Whether the decoder failed at it; else it was not given any.
        """
        number = self._count - back
        found = next(((pts, one) for pts, one in self._places.items() if one.number == number), None)
        if found is None:  # without times in the stream only the latest is known
            self.damaged(self._count, self._group)
            return
        pts, place = found
        self.damaged(place.number, place.group)
        if is_failed:
            self._places[pts] = attrs.evolve(place, is_lost=True)

    def damaged(self, number: int, group: int) -> None:
        """Take note that a picture lacks data."""
        self._first[group] = min(number, self._first.get(group, number))
        if len(self._first) > _GROUPS_KEPT:
            del self._first[min(self._first)]

    def came(self, pts: int | None, *, is_damaged: bool) -> Place:
        """Take note of a decoded picture, and return its place.

        Args:
            pts: Its time in the stream.
            is_damaged: Whether the decoder says that it lacks data.
        """
        place = self._places.pop(pts, None) or Place(self._count, self._group)
        if is_damaged:
            self.damaged(place.number, place.group)
        self._shown = pts
        return place

    def is_final(self, place: Place) -> bool:
        """Return whether all that a picture may build on came, is known to be lost, or will not come any more."""
        shown = self._shown
        return shown is None or not any(
            other.number < place.number
            and not other.is_lost
            and other.group in {place.group, place.before}
            and pts is not None
            and pts > shown
            for pts, other in self._places.items()
        )

    def is_corrupted(self, place: Place) -> bool:
        """Return whether a picture builds on a damaged one, or is one itself."""
        return self._first.get(place.group, place.number + 1) <= place.number or place.before in self._first


@attrs.define
class MissingPictures:
    """Counts pictures that are missing where MPEG-TS marks a loss and nothing else tells: an even clock has a gap there.

    A mark stands at the joint of whole pieces too, right before the key frame of the next one, whose clock may do anything.
    """

    is_of_segments: bool = False
    """Whether it comes by segments of one clock, which may stand in another order: then what is missing may come yet."""
    _latest: int | None = None
    _step: int = 0
    """From one packet to the next, by the stream's clock."""
    _since_mark: int = _MARK_LASTS
    """Packets since the latest mark."""
    _gaps: list[tuple[int, int, int]] = attrs.field(factory=list)
    """Where pictures were missing, from which packet to which, and how many; of segments alone."""

    def read(self, dts: int | None, *, is_marked: bool, is_key: bool) -> int:
        """Return how many pictures are missing before a packet; -1 where it is one that was missing.

        Args:
            dts: Its time in the stream, in the order of decoding.
            is_marked: Whether the container says that something lacks.
            is_key: Whether a piece may begin with it.
        """
        before = self._latest
        since, self._since_mark = self._since_mark, 0 if is_marked else self._since_mark + 1
        if dts is not None and self._fills(dts):
            return -1
        self._latest = dts
        if dts is None or before is None:
            return 0
        step = dts - before
        count = round(step / self._step) - 1 if self._step > 0 else 0
        if not 0 < count <= _MISSING_MAX:
            self._step = step
            return 0
        is_joint = is_key and not since
        if since >= _MARK_LASTS or is_joint:
            return 0
        if self.is_of_segments:
            self._gaps = [*self._gaps, (before, dts, count)][-_GAPS_KEPT:]
        return count

    def _fills(self, dts: int) -> bool:
        """Return whether a packet is one that was missing; then it is none of the way on."""
        for number, (begin, end, count) in enumerate(self._gaps):
            if begin < dts < end and count:
                self._gaps[number] = begin, end, count - 1
                return True
        return False


@attrs.define
class FrameNumbers:
    """Finds gaps in the count of H.264, in packets with start codes as streams have them."""

    _bits: int = 0
    """Of the number; 0 before the parameters came, or where gaps are allowed."""
    _has_planes: bool = False
    """Whether three planes are coded apart."""
    _reference: int | None = None
    """Number of the latest picture that others build on."""
    _parameters: bytes = b""

    def read(self, packet: bytes) -> tuple[bool, bool]:
        """Return whether the packet's picture builds on nothing, and whether one before it is missing."""
        for found in _START.finditer(packet):
            start = found.end()
            if start >= len(packet):
                break
            kind, is_reference = packet[start] & 31, bool(packet[start] & 0x60)
            if kind == _PARAMETERS:
                self._read_parameters(packet[start + 1 : start + 1 + _HEADER_BYTES])
            elif kind in {_SLICE, _KEY_SLICE}:
                try:
                    return self._picture(
                        packet[start + 1 : start + 1 + _HEADER_BYTES], is_reference, is_key=kind == _KEY_SLICE
                    )
                except IndexError:  # it was cut in its header: the decoder tells
                    return False, True
        return False, False

    def _picture(self, header: bytes, is_reference: bool, *, is_key: bool) -> tuple[bool, bool]:
        bits = _Bits(header)
        bits.unsigned()  # the first block
        is_intra = bits.unsigned() in _INTRA
        bits.unsigned()  # which parameters
        if self._has_planes:
            bits.take(2)
        number, before = bits.take(self._bits), self._reference
        if is_reference:
            self._reference = number
        if is_key or not self._bits or before is None:
            return is_key or is_intra, False
        return is_intra, number not in {before, (before + 1) % (1 << self._bits)}

    def _read_parameters(self, content: bytes) -> None:
        if content == self._parameters:
            return
        self._parameters, self._bits = content, 0
        try:
            self._bits, self._has_planes = _number_bits(content)
        except IndexError:  # cut: no gaps are looked for
            return


def _number_bits(parameters: bytes) -> tuple[int, bool]:
    """Return the bits of a frame's number, 0 where gaps are no loss, and whether planes are coded apart."""
    bits = _Bits(parameters)
    profile = bits.take(8)
    bits.take(16)
    bits.unsigned()
    has_planes = False
    if profile in _HIGH:
        chroma = bits.unsigned()
        has_planes = chroma == 3 and bits.take(1) == 1
        bits.unsigned()
        bits.unsigned()
        bits.take(1)
        if bits.take(1):
            for number in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _pass_scaling(bits, 16 if number < 6 else 64)
    count = bits.unsigned() + 4
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.take(1)
        bits.unsigned()
        bits.unsigned()
        for _ in range(bits.unsigned()):
            bits.unsigned()
    bits.unsigned()
    return 0 if bits.take(1) else count, has_planes


def _pass_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            value = bits.unsigned()
            following = (last + ((value + 1) // 2 if value % 2 else -(value // 2))) % 256
        last = following or last


class _Bits:
    """Reads bits and Exp-Golomb codes; IndexError behind the end."""

    def __init__(self, data: bytes) -> None:
        # A 3 after two zeros keeps data from looking like a start code.
        clean = data.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(clean)
        self._left = len(clean) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise IndexError
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
