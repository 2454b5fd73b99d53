"""What errors show of a host that echoes the image of the request: the reason beside it, in whatever coding, and nothing of the image."""

from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._wire.bodies import image_view, multipart_body, splice
from picsellia_async._wire.decode import BODY_KEPT, status_error
from picsellia_async._wire.endpoints import MONITOR
from picsellia_async._wire.exchange import Answer
from picsellia_async._wire.image_echo import UNREADABLE_BODY, SentImage, sent_image, without_image
from picsellia_async._wire.spelling import letters

from ..support.image_spellings import REASON, image_spellings, part_read

JSON = "application/json"
CONTENT = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + random.Random(5).randbytes(3000) + b"\xff\xd9"
LARGE = CONTENT[:20] + random.Random(6).randbytes(250_000)
CODE = base64.b64encode(CONTENT).decode()


def sent(content: bytes) -> SentImage:
    """What is looked for when a monitor call carried these bytes."""
    image = sent_image(splice(b'{"filename":"a.jpg"}', b"image", image_view(content)), JSON)
    assert image is not None
    return image


def shown(body: bytes, image: SentImage | None) -> str:
    """All that an error tells of a body."""
    error = status_error(MONITOR, Answer(422, [], body), "u", 1, (), image)
    return f"{error} {error!r} {error.message} {error.detail} {error.body.decode('latin-1')}"


@pytest.mark.parametrize("name", image_spellings(CONTENT))
def test_the_image_of_the_request_is_hidden_however_it_is_spelled(name):
    """The reason beside it stays."""
    body = image_spellings(CONTENT)[name]
    assert part_read(body, CONTENT) > (0.001 if name in {"a part of its middle", "both ends"} else 0.2), "it is spelled"
    image = sent(CONTENT) if "behind a letter" not in name else SentImage(memoryview(CONTENT))
    told = shown(body, image)
    assert REASON in told
    assert "***" in told
    assert part_read(told, CONTENT) < 0.005


@pytest.mark.parametrize("size", [70, 100, 999])
@pytest.mark.parametrize("offset", range(3))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_part_that_was_decoded_first_is_hidden_wherever_it_begins(encode, offset, size):
    """It is known by its form, from 80 characters on: its base64 is not the one that was sent."""
    for start in range(600 + offset, 3000, 300):
        part = CONTENT[start : start + size]
        told = shown(b'{"message": "refused: %b"}' % encode(part), sent(CONTENT))
        assert "refused: ***" in told
        assert part_read(told, CONTENT) < 0.001


@pytest.mark.parametrize("name", image_spellings(CONTENT))
def test_so_is_a_large_one(name):
    """Of bodies that are cut, and of those of which no places are told."""
    body = image_spellings(LARGE)[name]
    image = sent(LARGE) if "behind a letter" not in name else SentImage(memoryview(LARGE))
    told = shown(body, image)
    assert part_read(told, LARGE) < 0.001
    assert len(told) < 4 * BODY_KEPT
    assert REASON in told


@pytest.mark.parametrize("size", [1, 2, 3, 10, 3000, 40_000])
def test_the_image_is_found_in_what_was_sent(size):
    """In JSON of either kind, as the last part of a form, as the whole body."""
    content = random.Random(size).randbytes(size)
    assert bytes(sent(content).content) == content
    form, kind = multipart_body(
        [("tags", 'x"; filename'), ("source", "a\r\n\r\nb")], "media", "ä.jpg", memoryview(content)
    )
    found = sent_image(form, kind)
    assert found is not None
    assert bytes(found.content) == content
    whole = sent_image(content, "image/png")
    assert whole is not None
    assert bytes(whole.content) == content


@pytest.mark.parametrize("body", [None, b"", b'{"api_token":"x"}', b'{"image":"no base64!"}', b'{"a":{"image":"'])
def test_what_carries_no_image_has_none(body):
    """A sign-in, a call of the platform, a field that only has the name."""
    assert sent_image(body, JSON) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":"image too large: 4096x3000","detail":[[1,2,3,4],[5,6,7,8]]}',
        b"<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head><hr><center>nginx/1.24.0</center>",
        b"<Error><Code>AccessDenied</Code><RequestId>4442587FB7D0A2F9</RequestId><HostId>kD8s2mZ/x7Qp0aYw3Lr9Vt==</HostId></Error>",
        "filename Größe_2026-11-29T02:19:00Z.jpg, deployment 151ae8a8-eae4-5d78-800b-d1ec652eee30".encode(),
        b"sha256 " + b"0123456789abcdef" * 4 + b" AAAAAAAAAAAAAAAA " + b"/" * 40,
        b'{"detail": "' + " ".join(f"box {number} is refused: R2d2C3po" for number in range(3000)).encode() + b'"}',
        b"\xff\xfe" + b"r\0e\0a\0s\0o\0n\0" * 20,
    ],
)
@pytest.mark.parametrize("content", [CONTENT, bytes(3000), b"\xff" * 3000, b"Exif\0\0 made by R2d2C3po " * 90])
def test_what_is_not_of_the_image_stays_as_it_came(body, content):
    """Ids, sums, times, boxes; and plain areas of an image are no echo."""
    if b"R2d2" not in body or b"R2d2" not in content:
        assert without_image(body, sent(content)) == body


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 200), st.integers(40, 400))
def test_the_words_around_it_stay(before, after, start, length):
    """Whatever bytes are around it; but for letters that go on as the image does, of which nobody can tell."""
    hidden = without_image(before + b" " + CODE[start : start + length].encode() + b" " + after, sent(CONTENT))
    assert part_read(hidden, CONTENT) == 0
    goes_on = letters(CODE[:start].encode()).endswith(before[-1:]) or letters(
        CODE[start + length :].encode()
    ).startswith(after[:1])
    if hidden != UNREADABLE_BODY and before.isalpha() and after.isalpha() and not goes_on:
        assert hidden.startswith(before)
        assert hidden.endswith(after)


def test_two_echoes_are_two():
    """What is said between them is the reason."""
    body = json.dumps(
        {"thumb": " ".join([CODE[:100], CODE[100:300]]), "msg": "too big", "image": CODE.replace("+", "-")}
    )
    hidden = without_image(body.encode(), sent(CONTENT))
    assert json.loads(hidden)["msg"] == "too big"
    assert part_read(hidden, CONTENT) == 0


def test_a_coding_whose_places_nobody_can_tell_shows_nothing_but_json():
    """Numbers within numbers: the text of JSON is hidden as a whole, and any other body."""
    twice = "".join(f"%25{byte:02x}" for byte in b"".join(b"%%%02x" % byte for byte in CODE[:400].encode()))
    assert without_image(f"wrong: {twice}".encode(), sent(CONTENT)) == UNREADABLE_BODY
    hidden = json.loads(
        without_image(json.dumps({"message": "wrong", "raw": [twice], twice: 1}).encode(), sent(CONTENT))
    )
    assert hidden == {"message": "wrong", "raw": ["***"], "***": 1}


def test_a_long_list_of_bytes_is_hidden_as_a_whole():
    """Of a body of which no places are told; the boxes beside it stay."""
    body = {"message": "wrong", "raw": list(LARGE[500:30_000]), "box": [1, 2, 3, 4]}
    hidden = without_image(json.dumps(body).encode(), sent(LARGE))
    assert json.loads(hidden) == {"message": "wrong", "raw": "***", "box": [1, 2, 3, 4]}


def test_short_pieces_in_a_long_body_are_hidden_each():
    """It is read in samples first; all of it, where those tell of an image."""
    parts = base64.b64encode(LARGE[:60_000]).decode()
    body = json.dumps({"message": REASON, "parts": [parts[at : at + 30] for at in range(0, len(parts), 30)]})
    told = shown(body.encode(), sent(LARGE))
    assert REASON in told
    assert part_read(told, LARGE) == 0


def test_the_head_of_a_jpeg_is_hidden_too():
    """Its base64 has few digits; what had more of them was hidden by its form."""
    content = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb0043000604050605040606") + CONTENT[20:]
    code = base64.b64encode(content).decode()[:43].replace("/", "_")
    assert without_image(f"no: {code[:34]}_***".encode(), sent(content)) == b"no: _***_***"


def test_plain_areas_are_found_with_what_is_around_them():
    """Base64 of a plain area repeats itself, as the echo does; its pieces have thousands of places each."""
    content = CONTENT[:200] + bytes.fromhex("28a0028a") * 8000
    code = base64.b64encode(content).decode()
    hidden = without_image(
        ("no: " + " ".join(code[at : at + 30] for at in range(0, 40_000, 30))).encode(), sent(content)
    )
    assert hidden == b"no: ***"


@pytest.mark.parametrize("content", [LARGE, bytes.fromhex("28a0028a") * 40_000], ids=["noise", "plain"])
@pytest.mark.parametrize(
    "piece",
    ["\\", "\\n", "\\u00", "<a", "%25", "&amp;", "&#0", "&sh", "\x1b[", "ff ", "0x", "0xff|", "12,", "1", "1 ", "A1b2C3d4", "\u00ff", "\\xff", "KKACiigAo", CODE[:9] + "-", "[[["],
)  # fmt: skip
def test_no_body_takes_long(piece, content):
    """Each is a beginning of something that is hidden."""
    for body in (piece * (2**18 // len(piece)), f'{{"a":"{piece[:8].encode().hex() * 8000}"}}'):
        without_image(body.encode(), sent(content))


@pytest.mark.parametrize("place", [0, -300_000])
def test_both_ends_of_a_very_large_image_are_looked_for(place):
    """Of one beyond 4 MiB two at each end; the rest is known by its form alone, as all images are."""
    content = random.Random(7).randbytes(5_000_001)
    code = base64.b64encode(content).decode()[place:][:600]
    broken = " ".join(code[at : at + 8] for at in range(0, len(code), 8))
    assert without_image(f"no: {broken}".encode(), sent(content)) == b"no: ***"
