"""The image of a request in a host's words: gateways echo it in codings of their own. It is known, so it is looked for by value. Pure.

Theory of operation. Of a body all pieces of eight letters and digits are taken, and looked for among those of the image's base64, of which
each fourth character begins one: any eleven of its letters and digits in a row are found. Where the body has other bytes than ASCII, or packs
bytes into hexadecimal or lists, the image's own bytes are looked for too. The image is read once, a slice at a time; nothing of it
is kept. What is found is hidden as far as both are the same; where its place cannot be told, the text of JSON is hidden that it is
in, else the whole body.
"""

from __future__ import annotations

import binascii
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs
import orjson
import pybase64

from picsellia_async._wire.bodies import Body, ChunkedBody
from picsellia_async._wire.spelling import TOLD_MAX, extent, letters, levels, read, without_places

UNREADABLE_BODY: Final = b"*** (not shown: it holds the image of the request, in a coding of its own)"
"""What is shown of a body whose image cannot be told from the rest."""

_PIECE: Final = 8
"""Characters that are looked for at once: as many as a number of the machine holds."""
_EACH: Final = 4
"""Of so many characters of the image one begins a piece."""
_KINDS_MIN: Final = 4
"""Different characters in a piece: of plain areas and of padding, all images have the same ones."""
_SLICE: Final = 3 * 2**15
"""Bytes of the image at a time: a search that runs in a thread keeps all others from running within one step."""
_SEARCHED_MAX: Final = _SLICE * 22
"""Bytes of a large image that are looked for at its begin, and as many at its end; 2 MiB."""
_WINDOW: Final = 64
_WINDOWS_EACH: Final = 256
"""Of a long body so many characters of so many are looked at first: an echo that makes it long is longer."""
_GAP_MAX: Final = 16
"""Bytes between two parts of an image that are no words: numbers of lines, what marks a quotation."""

_BRIDGE_MAX: Final = 128
"""Bytes between two parts of an image that is echoed as it is, of which each may be spelled as six."""
_QUOTE: Final = re.compile(rb"(?<!\\)\"")
"""The end of a text of JSON."""

_FIELD: Final = b'"image":"'
_SIGNS: Final = re.compile(rb"[0-9\x80-\xff]")
_WORD: Final = re.compile(rb"[A-Za-z]{3}|\"")
_FOREIGN: Final = int.from_bytes(b"\x80" * _PIECE, "little")
"""What of a piece of bytes tells that not all are ASCII: an image may hold texts."""
_MIXED: Final = re.compile(
    rb"(?:[0-9][a-z]{0,2}[A-Z]|[A-Z][a-z]{0,2}[0-9])[A-Za-z0-9]{0,8}(?:[0-9][a-z]{0,2}[A-Z]|[A-Z][a-z]{0,2}[0-9])"
    rb"|[A-Z]{2}[a-z]{1,2}[A-Z]{2}"
)
"""What is in any base64, and in few words: most bodies have none, and no image is searched."""
_DUMP: Final = re.compile(
    rb"((?:(?:0x)?[0-9a-f]{2}[ :.,\r\n-]{0,2}){17,})(?:\|[^\r\n]{1,16}\||[^\r\n]{16}(?=[\r\n]))?", re.IGNORECASE
)
"""Bytes in hexadecimal, more than an id has, and the column of a dump that has them as characters."""
_NO_DIGIT: Final = re.compile(rb"0x|[^0-9a-f]", re.IGNORECASE)
_LATIN: Final = re.compile(rb"[\xc2\xc3][\x80-\xbf]")
"""A byte that was taken for a letter and written in UTF-8."""
_LEADS: Final = b"\xc2\xc3"
_LIST: Final = re.compile(rb"(?:[0-9]{1,3}[,;\s]{1,3}){12,}")


@attrs.frozen
class SentImage:
    """The image of a request."""

    content: memoryview = attrs.field(repr=False)
    """As it is, not in base64."""
    offsets: tuple[int, ...] = (0, 1, 2)
    """At which its base64 may begin: what is sent as base64 has one, whoever packs raw bytes may begin before them."""

    def is_costly(self, at_once: int) -> bool:
        """Tell whether looking for it takes longer than it does for so many bytes."""
        return self.content.nbytes * len(self.offsets) > at_once

    def parts(self, *, raw: bool) -> Iterator[bytes]:
        """Yield its bytes, or letters and digits of its base64, a part after the other."""
        for start in self._begins():
            if raw:
                yield bytes(self.content[start : start + _SLICE])
            else:
                for offset in self.offsets:
                    yield letters(pybase64.b64encode(self.content[start + offset : start + offset + _SLICE]))

    def _begins(self) -> Iterator[int]:
        size = self.content.nbytes
        if size <= 2 * _SEARCHED_MAX:
            yield from range(0, size, _SLICE)
        else:
            yield from range(0, _SEARCHED_MAX, _SLICE)
            yield from range((size - _SEARCHED_MAX) // 3 * 3, size, _SLICE)  # base64 has groups of three bytes


def sent_image(body: Body | None, content_type: str) -> SentImage | None:
    """Return the image that a request carries: in JSON, as the last part of a form, or as the whole body; None where there is none."""
    if isinstance(body, ChunkedBody):
        return SentImage(body.image, (0,))
    if not body:
        return None
    if content_type == "application/json":
        return _image_of_json(body)
    if content_type.startswith("multipart/"):
        start = body.find(b"\r\n\r\n", body.find(b'; filename="')) + 4
        return SentImage(memoryview(body)[start : body.rfind(b"\r\n--")])
    return SentImage(memoryview(body))


def _image_of_json(body: bytes) -> SentImage | None:
    at = body.rfind(_FIELD)
    if at < 0:
        return None
    at += len(_FIELD)
    try:
        content = pybase64.b64decode(body[at : body.find(b'"', at)], validate=True)
    except binascii.Error:  # a field of that name with something else
        return None
    return SentImage(memoryview(content), (0,)) if content else None


def may_hold_image(body: bytes) -> bool:
    """Tell whether a body may hold an image: most words of a service have neither digits nor foreign bytes."""
    return len(body) >= _PIECE and _SIGNS.search(body) is not None


def without_image(body: bytes, image: SentImage) -> bytes:
    """Return an error body with the image of the request hidden."""
    if not may_hold_image(body):
        return body
    found = _found(body, image)
    if not (found.spelled or found.raw):
        return body
    hidden = body
    if len(body) <= TOLD_MAX:
        hidden = without_places(body, _joined(body, sorted(_echoes(body, image, found))))
        if not _holds(_readings(hidden), found):
            return hidden
    hidden = _without_texts(hidden, found)
    return UNREADABLE_BODY if _holds(_readings(hidden), found) else hidden


# Pieces are numbers of the machine: sets of them are made and compared without a step of Python's for each.

_Pieces = set[int]


@attrs.frozen
class _Found:
    """Pieces, of letters and digits and of bytes."""

    spelled: _Pieces = attrs.field(factory=set)
    raw: _Pieces = attrs.field(factory=set)

    def of(self, raw: bool) -> _Pieces:
        """Return those of a kind."""
        return self.raw if raw else self.spelled


def _numbers(text: bytes, offset: int = 0) -> memoryview:
    """Return the pieces of a text one after the other."""
    return memoryview(text)[offset : offset + (len(text) - offset) // _PIECE * _PIECE].cast("Q")


def _readings(body: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield what of a body is compared, in whatever coding: letters and digits, and bytes (True) where they are no ASCII."""
    for level in levels(body):
        for one in (level, *(data for _, data in _packed(level))):
            yield letters(one), False
            if not one.isascii():
                yield one, True
                yield _latin(one), True


def _offsets(text: bytes) -> range:
    return range(min(_PIECE, len(text)))


def _latin(data: bytes) -> bytes:
    """Return bytes that were taken for letters and written in UTF-8, as they were."""
    return data.decode("utf-8", "ignore").encode("latin-1", "ignore")


def _read_latin(text: bytes, begins: list[int], ends: list[int]) -> tuple[bytes, list[int], list[int]]:
    """Return the same with letters in UTF-8 as the bytes that were taken for them, and where each begins and ends."""
    kept = bytearray(b"\1" * len(text))
    for found in _LATIN.finditer(text):
        kept[found.start() + 1] = 0
    ends = [
        ends[at + 1] if text[at] in _LEADS and kept[at + 1 : at + 2] == b"\0" else ends[at] for at in range(len(text))
    ]
    read_so = _LATIN.sub(lambda found: found[0].decode().encode("latin-1"), text)
    return read_so, [*itertools.compress(begins, kept)], [*itertools.compress(ends, kept)]


def _packed(body: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield where bytes stand as hexadecimal or as a list, and the bytes."""
    for found in _DUMP.finditer(body):
        digits = _NO_DIGIT.sub(b"", found[1]).decode()
        for begin in (0, 1):  # the end of a word may stand before them
            yield found.span(), bytes.fromhex(digits[begin : begin + (len(digits) - begin) // 2 * 2])
    for found in _LIST.finditer(body):
        yield found.span(), bytes(int(one) % 256 for one in re.findall(rb"[0-9]+", found[0]))


def _found(body: bytes, image: SentImage, text_max: int = TOLD_MAX) -> _Found:
    """Return the pieces of a body that are of the image; a text longer than `text_max` is read in samples first."""
    pieces, found, is_sampled = _Found(), _Found(), False
    for reading, raw in _readings(body):
        text = reading
        if not (raw or _MIXED.search(text)):
            continue
        if len(text) > text_max:
            is_sampled = True
            text = b"".join(text[at : at + _WINDOW] for at in range(0, len(text), _WINDOWS_EACH))
        pieces.of(raw).update(*(_numbers(text, offset) for offset in _offsets(text)))
    for raw in (False, True):
        if wanted := pieces.of(raw):
            for part in image.parts(raw=raw):
                for offset in range(0, min(_PIECE, len(part)), _EACH):
                    found.of(raw).update(one for one in wanted.intersection(_numbers(part, offset)) if _tells(one, raw))
    return _found(body, image, sys.maxsize) if is_sampled and (found.spelled or found.raw) else found


def _tells(piece: int, raw: bool) -> bool:
    """Tell whether a piece is of one image rather than of many, and of no text in it."""
    return len(set(piece.to_bytes(_PIECE, "little"))) >= _KINDS_MIN and (not raw or piece & _FOREIGN != 0)


def _holds(readings: Iterable[tuple[bytes, bool]], found: _Found) -> bool:
    """Tell whether what is read of a body has pieces that are of the image."""
    return any(
        not found.of(raw).isdisjoint(_numbers(text, offset)) for text, raw in readings for offset in _offsets(text)
    )


def _echoes(body: bytes, image: SentImage, found: _Found) -> Iterator[tuple[int, int]]:
    """Yield from where to where a body has parts of the image; those in one coding, since of others places are not told."""
    for raw in (False, True):
        if pieces := found.of(raw):
            text, begins, ends = read(body, every=raw)
            places = [(begins[start], ends[end - 1]) for start, end in _alike(text, image.parts(raw=raw), pieces)]
            if raw and _LATIN.search(text):
                text, begins, ends = _read_latin(text, begins, ends)
                places += [(begins[start], ends[end - 1]) for start, end in _alike(text, image.parts(raw=True), pieces)]
            yield from _bridged(body, sorted(places)) if raw else places
    for span, data in _packed(body):
        if _holds(((letters(data), False), (data, True)), found):
            yield span


def _bridged(body: bytes, places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield places of raw bytes, and what is between two of them: the bytes that are letters are told from texts by their neighbours."""
    shown_from = 0
    for start, end in places:
        if 0 < shown_from < start <= shown_from + _BRIDGE_MAX and not _QUOTE.search(body, shown_from, start):
            yield shown_from, start
        yield start, end
        shown_from = max(shown_from, end)


def _alike(text: bytes, parts: Iterable[bytes], pieces: _Pieces) -> Iterator[tuple[int, int]]:
    """Yield from where to where a text is as one of the parts is."""
    places: dict[int, list[int]] = {}
    for place, piece in _placed(text, 1, pieces):
        places.setdefault(piece, []).append(place)
    seen = bytearray(len(text))
    for part in parts:
        first = {piece: at for at, piece in _placed(part, _EACH, pieces)}  # a plain area has one piece a thousand times
        for piece, at in first.items():
            for place in places.get(piece, ()):
                if not seen[place]:
                    start, end = extent(text, place, part, at)
                    seen[start:end] = b"\1" * (end - start)
                    yield start, end


def _placed(text: bytes, each: int, pieces: _Pieces) -> Iterator[tuple[int, int]]:
    """Yield where a text has one of the pieces, and which; looked at is each so many-th character."""
    for offset in range(0, min(_PIECE, len(text)), each):
        numbers = _numbers(text, offset)
        if not pieces.isdisjoint(numbers):
            for number, piece in enumerate(numbers):
                if piece in pieces:
                    yield offset + number * _PIECE, piece


def _joined(body: bytes, places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield places in a body with the signs of base64 around them, and with what is between two of them where that is no word."""
    shown_from = 0
    for begin, stop in places:
        start = shown_from + len(body[shown_from:begin].rstrip(b"+/"))
        end = len(body) - len(body[stop:].lstrip(b"+/="))
        if 0 < shown_from < start <= shown_from + _GAP_MAX and not _WORD.search(body, shown_from, start):
            yield shown_from, start
        yield min(start, begin), end
        shown_from = max(shown_from, end)


def _without_texts(body: bytes, found: _Found) -> bytes:
    """Return JSON with stars for the texts that hold a part of the image; what is no JSON as it is."""
    try:
        return orjson.dumps(_without_text(orjson.loads(body), found))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):  # the latter for what is nested too deep
        return body


def _without_text(value: Any, found: _Found) -> Any:
    if isinstance(value, str):
        return "***" if _holds(_readings(value.encode()), found) else value
    if isinstance(value, list):
        if value and isinstance(value[0], int) and _holds(_readings(orjson.dumps(value)), found):  # a list of bytes
            return "***"
        return [_without_text(one, found) for one in value]
    if isinstance(value, dict):
        return {_without_text(name, found): _without_text(one, found) for name, one in value.items()}
    return value
