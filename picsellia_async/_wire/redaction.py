"""What errors show of a host's words: gateways echo the request that they refuse, with its token and its image. Pure.

Theory of operation. What the request was signed with is known, so it is looked for by value: whole or in part, in whatever case. Of a body
only letters and digits are compared, so that nothing that stands between them helps; and they are compared with the credential as it is, and as
numbers, hexadecimal and base64 spell it, and as base32 and base85 (in each alphabet) and rot13 do, and from its end: of a long one
more in a row of these, since it has too many pieces to know each. Where a part of it is found, its place in the body is hidden; where
the place cannot be told, nothing of the body is shown.
What is not known by value (an image, another service's password) is hidden by its form; what stands behind `token` or `Bearer` only where it
looks like a credential, since it may be the reason of the refusal.
"""

from __future__ import annotations

import base64
import codecs
import functools
import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

import orjson

from picsellia_async._error_text import HIDDEN_FIELDS, is_credential, is_secret, is_sentence
from picsellia_async._wire.spelling import TOLD_MAX, extent, letters, levels, read, without_places

SECRET_MIN: Final = 16
"""Characters from which on parts of a credential are hidden, in whatever coding; of a shorter one only the whole is, as a word of its own."""
WORD_MIN: Final = 8
"""Characters from which on what looks like a word is hidden as a password: "token" and "admin" are said of much else."""
SHOWN_MAX: Final = 11
"""Characters of a credential, in a row, that are no secret yet."""
UNREADABLE_BODY: Final = b"*** (not shown: it holds the credential of the request, in a coding of its own)"
"""What is shown of a body whose secret cannot be told from the rest."""

_PIECE: Final = 6
"""Characters that are looked for at once: of each run of 11 of a credential, one piece of the body is whole."""
_SPELLED_MIN: Final = 24
"""Characters of a long credential in a row, as hexadecimal, lists of numbers and rare codings spell it: less of them is in lists of boxes
by chance."""
_LONG_FROM: Final = 129
"""Characters from which on a credential is long, a JWT: it has a thousand beginnings, where a token has a hundred."""
_RARE_STEP: Final = 7
"""Of the pieces of a long credential in rare codings, one of so many is known. A body is cut at every sixth character, and seven has no
part in common with six: of each run of 47 one piece is known. All of them would be fifty thousand, which take longer than an error may."""
_PLACES_MAX: Final = 4
"""Of one piece in a credential: more are no credential's."""

_BASE32: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_OTHER_BASE32: Final = (
    b"0123456789ABCDEFGHIJKLMNOPQRSTUV",  # base32hex of RFC 4648
    b"0123456789ABCDEFGHJKMNPQRSTVWXYZ",  # Crockford's
    b"ybndrfg8ejkmcpqxot1uwisza345h769",  # z-base-32
)
_BASE85: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85: Final = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
"""Alphabets of the codes: all that tells codes of the same number of bits apart."""

_Pieces: TypeAlias = Mapping[bytes, Sequence[tuple[bytes, int, int]]]
"""Pieces of all spellings of a credential: the spelling, where in it the piece begins, and how much of it in a row is hidden."""

_DIGIT: Final = re.compile(rb"\d")
_LONG_WORD: Final = re.compile(rb"\S{%d,}" % (SHOWN_MAX + 1))


def without_secrets(body: bytes, secrets: Iterable[str] = ()) -> bytes:
    """Return an error body with credentials and images hidden.

    Args:
        body: As it arrived.
        secrets: Credentials of the request, which are hidden by value; of those below `SECRET_MIN` characters the whole.
    """
    plain = _spelled_plainly(body) if b"\\u" in body or b"\\/" in body else body
    hidden = plain
    pieces: list[_Pieces] = []
    # The longest first: one may be a part of another, and they come in sets, without an order of their own.
    for secret in sorted(secrets, key=lambda secret: (-len(secret), secret)):
        if len(secret) >= SECRET_MIN:
            hidden = hidden.replace(secret.encode(), b"***")
            pieces.append(_pieces(secret))
        elif len(secret) >= WORD_MIN or is_credential(secret):
            hidden = _whole(secret).sub(b"***", hidden)
    hidden = _without_forms(_without_values(hidden, pieces))
    return body if hidden == plain else hidden


def shown_reason(reason: bytes) -> bytes:
    """Return the reason phrase of a status line without words that may be a part of a credential: those with digits that are long."""
    if _DIGIT.search(reason) is None:
        return reason
    return _LONG_WORD.sub(lambda word: b"***" if _DIGIT.search(word[0]) else word[0], without_secrets(reason))


def secrets_of_user(user: str) -> set[str]:
    """Return what is secret of `user:password`, as an address spells it: the password, and what a basic sign-in sends."""
    name, _, password = map(unquote, user.partition(":"))
    if not password:
        return set()
    basic = base64.b64encode(f"{name}:{password}".encode("utf-8", "surrogateescape")).decode()
    # Bytes of the environment that are no UTF-8 are no text that an error could show.
    return {basic, password} if password.isprintable() else {basic}


def hidden_in(text: str, secrets: Iterable[str]) -> str:
    """Return a text that repeats words of a host, as `without_secrets` does."""
    return without_secrets(text.encode("utf-8", "replace"), secrets).decode("utf-8", "replace")


def _spelled_plainly(body: bytes) -> bytes:
    """Return JSON with the characters that need no escape as they are: .NET writes quotation marks and = as numbers, PHP a slash with another before it."""
    try:
        return orjson.dumps(orjson.loads(body))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the latter for what is nested deeper than it writes
        return body


# By value.


def _without_values(body: bytes, pieces: Sequence[_Pieces]) -> bytes:
    """Return a body without what the pieces are of."""
    if not _is_in(body, pieces):
        return body
    if len(body) > TOLD_MAX:
        return UNREADABLE_BODY
    text, begins, ends = read(body)
    found = _places(text.lower(), pieces)
    hidden = without_places(body, ((begins[start], ends[end - 1]) for start, end in found))
    return UNREADABLE_BODY if _is_in(hidden, pieces) else hidden


@functools.lru_cache(64)
def _whole(secret: str) -> re.Pattern[bytes]:
    """Return what fits a short credential that is no part of a word, as it is and as addresses, JSON and HTML spell it."""
    spelled = {secret, quote(secret, safe=""), orjson.dumps(secret).decode()[1:-1], html.escape(secret)}
    words = "|".join(re.escape(one) for one in sorted(spelled, key=len, reverse=True))
    return re.compile(rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])".encode(), re.IGNORECASE)


@functools.lru_cache(8)
def _pieces(secret: str) -> _Pieces:
    """Return the pieces of a credential, in all its spellings, as `_compared` returns them."""
    value = secret.encode()
    is_long = len(value) >= _LONG_FROM
    spelled_min = _SPELLED_MIN if is_long else SHOWN_MAX + 1
    spellings = dict.fromkeys((value, *_in_bits(value, 3, 4, base64.b64encode)), (SHOWN_MAX + 1, 1))
    spellings |= dict.fromkeys((value.hex().encode(), "".join(map(str, value)).encode()), (spelled_min, 1))
    for rare in (value[::-1], codecs.encode(secret, "rot13").encode(), *_in_rare_codes(value)):
        spellings.setdefault(rare, (spelled_min, _RARE_STEP if is_long else 1))
    pieces: dict[bytes, list[tuple[bytes, int, int]]] = {}
    for spelled, (least, step) in spellings.items():
        text = _compared(spelled)
        for at in range(0, len(text) - _PIECE + 1, step):
            places = pieces.setdefault(text[at : at + _PIECE], [])
            if len(places) < _PLACES_MAX:
                places.append((text, at, least))
    return pieces


def _in_bits(value: bytes, size: int, coded_size: int, encode: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """Yield a credential in a code of whole bits, in each way that what is before it makes, without what its neighbours have a share in.

    Args:
        value: The credential.
        size: Bytes of a group.
        coded_size: Its characters.
        encode: Writes the code.
    """
    for before in range(size):
        begin, end = -(-before * coded_size // size), (before + len(value)) * coded_size // size
        yield encode(bytes(before) + value)[begin:end]


def _in_rare_codes(value: bytes) -> Iterator[bytes]:
    """Yield a credential in base32 and base85, as `_in_bits` does; base85 shares whole groups."""
    for coded in _in_bits(value, 5, 8, base64.b32encode):
        yield coded
        for alphabet in _OTHER_BASE32:
            yield coded.translate(bytes.maketrans(_BASE32, alphabet))
    for before in range(4):
        begin, end = 5 * (before > 0), (before + len(value)) // 4 * 5
        coded = base64.b85encode(bytes(before) + value)[begin:end]
        yield coded
        yield coded.translate(bytes.maketrans(_BASE85, _Z85))
        yield base64.a85encode(bytes(before) + value)[begin:end]


def _compared(body: bytes) -> bytes:
    """Return letters and digits of a body, in small letters."""
    return letters(body).lower()


def _is_in(body: bytes, pieces: Sequence[_Pieces]) -> bool:
    """Return whether a credential stands in a body, in whatever coding."""
    return bool(pieces) and any(any(_places(_compared(level), pieces)) for level in levels(body))


def _places(text: bytes, pieces: Sequence[_Pieces]) -> Iterator[tuple[int, int]]:
    """Yield from where to where a text holds a good part of a credential."""
    cut = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    for known in pieces:
        if known.keys().isdisjoint(cut):
            continue
        done = 0
        for number, piece in enumerate(cut):
            at = number * _PIECE
            if piece in known and at + _PIECE > done:
                for spelled, place, least in known[piece]:
                    start, end = extent(text, at, spelled, place)
                    if end - start >= least:
                        yield start, end
                        done = max(done, end)


# By form.

_FIELDS: Final = b"|".join(one.encode() for one in HIDDEN_FIELDS)
_SCHEMES: Final = b"bearer|basic|api-?token|api-?key"
"""Digest is none: what follows it there has a name, and elsewhere it is a sum that did not fit."""
_VALUE: Final = rb"""[^\s"',;&}\]\\]+"""
_JWT: Final = re.compile(rb"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_LONG: Final = re.compile(
    rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{16,}(?:(?:\\{1,8}[nr]|\s)+[A-Za-z0-9+/]{16,})*(?:(?:\\{1,8}[nr]|\s)+[A-Za-z0-9+/]{1,15})?={0,2}"
)
"""What may be an image in base64, also broken into lines."""
_IMAGE_CHARACTERS: Final = 80
"""From which on it may be one."""
_LONG_URL: Final = re.compile(rb"(?<![\w+/-])[\w-]{%d,}+(?![+/])={0,2}" % _IMAGE_CHARACTERS)
"""The same in base64url; or words with hyphens."""
_NO_WORDS: Final = re.compile(rb"[A-Za-z0-9]{16,}")
"""Between the hyphens of base64url."""
_HEXADECIMAL: Final = re.compile(rb"[0-9a-fA-F]{40,}")
"""What may be a token of the platform, or an image, by its length."""
_TOKEN_CHARACTERS: Final = 40
_DIGEST_CHARACTERS: Final = 128
"""Of the longest digest; more is an image."""
_NAMED_MAX: Final = 160
"""Bytes before a digest in which its name is looked for."""
_BESIDE: Final = rb"(?:(?:is|was|are|of|the|mismatch|expected|got|found|computed|calculated|actual|received|invalid|bad|unknown|wrong|id|sum|value|but|and|w|not)[^a-z0-9]{1,8})"
_NAMED: Final = re.compile(
    rb"(?<![a-z0-9])(?:sha-?1(?:sum)?|(?:commit|revision|rev)(?:id|sha|hash|s)?|e-?tag|checksum|digest|md5|fingerprint|thumbprint|blob|tree)"
    rb"[^a-z0-9]{1,8}%b{0,4}(?:[0-9a-f]{40}[^a-z0-9]{1,8}%b{0,4})?\Z" % (_BESIDE, _BESIDE)
)
"""What says of 40 hexadecimal digits that they are no token: `commit`, `ETag`, "sha1 mismatch: expected ... got ..."."""
_CLASSES: Final = (re.compile(rb"[a-z]"), re.compile(rb"[A-Z]"), re.compile(rb"[0-9]"))
"""All are in an image, and seldom in a word."""
_BREAK: Final = re.compile(rb"\\{1,8}[nr]|\s")

_IN_SMALL_LETTERS: Final = tuple(
    (mark, re.compile(pattern, re.DOTALL))
    for mark, pattern in (
        (b"image", rb"""image\\*["']\s*:\s*\\*["']([a-z0-9+/=]{64,})"""),
        (b"://", rb"""://([^\s"'/?#@\\]{1,256})@"""),
        (b"%40", rb"""%3a%2f%2f([^\s"'/?#@\\]{1,256}?)%40"""),
        (b"@", rb"""(?<![\w/.%+-])([\w.%+-]{1,64}:[^\s"'/?#@:\\<>]{1,256})@\w"""),
        (b"/9j/", rb"(?<![a-z0-9+/])(/9j/[a-z0-9+/_%-]{12,}=*)"),
        (b"ivborw0kggo", rb"(ivborw0kggo[a-z0-9+/_%-]{4,}=*)"),
        (b"ff", rb"(ff[ :.-]*d8[ :.-]*ff(?:[ :.-]*[0-9a-f]{2}){8,})"),
        (b"89", rb"(89[ :.-]*50[ :.-]*4e[ :.-]*47(?:[ :.-]*[0-9a-f]{2}){8,})"),
        (b"255,", rb"(255,\s*216,\s*255(?:,\s*\d{1,3})+)"),
        (b"137,", rb"(137,\s*80,\s*78,\s*71(?:,\s*\d{1,3})+)"),
    )
)
"""What is in a body that the pattern fits, and the pattern: an image with its name, user and password of addresses, an image as numbers.
The group is hidden."""
_NAMED_VALUES: Final = tuple(
    (mark, re.compile(pattern))
    for mark, pattern in (
        (b"cookie", rb"""(?P<name>cookie)(?:\\*["'])?\s*(?P<mark>[:=])\s*(?:\\*["'])?(?P<value>[^"'\r\n\\]+)"""),
        (b"</", rb"<[\w:.-]{0,64}?(?P<name>%b)\w{0,64}(?P<mark>>)(?P<value>[^<]+)" % _FIELDS),
        (b"", rb"(?P<name>%b)(?P<mark>\s)\s*(?:token\s+)?(?P<value>%b)" % (_SCHEMES, _VALUE)),
        (
            b"",
            rb"""(?P<name>%b)(?:\\*["'])?\s*(?P<mark>[:=]|%%3a|%%3d)\s*(?:[\[(]\s*)?(?:\\*["'])?(?:(?:%b)\s+)?(?P<value>%b)"""
            % (_FIELDS, _SCHEMES, _VALUE),
        ),
    )
)
"""The same of values with their names: cookies, elements of XML as storages answer in, schemes, fields. They are hidden where
they are secret."""
_REASON_MAX: Final = 200
"""Characters that a reason may have."""


def _without_forms(body: bytes) -> bytes:
    """Return a body without what looks like a credential or an image."""
    if b"eyJ" in body:
        body = _JWT.sub(b"***", body)
    body = _LONG_URL.sub(_without_url_image, body)  # first: the others would hide its middle alone
    body = _LONG.sub(_without_image, _HEXADECIMAL.sub(_without_hexadecimal, body))
    lower = body.lower()
    places = [found.span(1) for mark, form in _IN_SMALL_LETTERS if mark in lower for found in form.finditer(lower)]
    for mark, form in _NAMED_VALUES:
        if mark in lower:
            places += _secret_values(body, lower, form)
    return without_places(body, places)


def _secret_values(body: bytes, lower: bytes, form: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the places of values that are secret; in one that is none the next may begin."""
    found = form.search(lower)
    while found is not None:
        start, end = found.span("value")
        is_long = end - start > _REASON_MAX
        said = body[start : max(end, start + _REASON_MAX)].decode("latin-1")
        if is_long or _is_secret(found["name"].decode(), found["mark"], said, end - start):
            yield start, end
            start = end
        found = form.search(lower, start)


def _is_secret(name: str, mark: bytes, said: str, size: int) -> bool:
    """Return whether a value, of one or more words, is secret.

    Args:
        name: Of the field, in small letters.
        mark: What stands between both.
        said: The value, and what is behind it.
        size: Characters of the value.
    """
    kind = ":" if mark in b":> \t\r\n" else "="
    words = said[:size].split()
    if kind == ":" and is_sentence(name, said):
        return any(map(is_credential, words))
    return any(is_secret(name, kind, word) for word in words)


def _without_hexadecimal(found: re.Match[bytes]) -> bytes:
    """Return what takes the place of a token or an image; what has another length is a digest."""
    length = len(found[0])
    if length == _TOKEN_CHARACTERS:
        before = found.string[max(0, found.start() - _NAMED_MAX) : found.start()].lower()
        return found[0] if _NAMED.search(before) else b"***"
    return b"***" if length > _DIGEST_CHARACTERS else found[0]


def _without_image(found: re.Match[bytes]) -> bytes:
    """Return long words, or what takes their place where they are an image."""
    word = _BREAK.sub(b"", found[0])
    return b"***" if len(word) >= _IMAGE_CHARACTERS and all(one.search(word) for one in _CLASSES) else found[0]


def _without_url_image(found: re.Match[bytes]) -> bytes:
    """Return words with hyphens, or what takes their place where they are an image in base64url."""
    parts = _NO_WORDS.findall(found[0])
    return b"***" if any(all(one.search(part) for one in _CLASSES) for part in parts) else found[0]
