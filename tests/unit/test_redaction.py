"""What errors show of a host that echoes the request: no credential, in whatever spelling, and no image."""

from __future__ import annotations

import base64
import codecs
import itertools
import json
import math
import re
import string
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._wire.decode import status_error
from picsellia_async._wire.endpoints import FIND_DEPLOYMENT
from picsellia_async._wire.exchange import Answer
from picsellia_async._wire.redaction import UNREADABLE_BODY, without_secrets

from ..support.spellings import holds_a_part, spellings

TOKEN = "4c0e93a1b7d2586f0e1c7a94d3b2f8560a9c1e7d"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwiZXhwIjoxNzk1OTEyNDI3LCJzdmMiOiJvcmFjbGUifQ.Zk_3-vQwYbXa81LmNq27RtUoP0sD9fGhJkLzXcVbNm4"
PICTURE = base64.b64encode(bytes(range(256)) * 4).decode()


@pytest.mark.parametrize("body", spellings(TOKEN).values(), ids=spellings(TOKEN))
def test_the_token_of_the_client_is_hidden_however_it_is_spelled(body):
    """Gateways echo headers in codings of their own; a token of 40 hexadecimal digits would be hidden by its form only as it is."""
    assert holds_a_part(body, TOKEN), "the spelling spells it"
    error = status_error(FIND_DEPLOYMENT, Answer(422, [], body.encode()), "u", 1, [TOKEN])
    for text in (str(error), repr(error), error.message, str(error.detail), error.body.decode()):
        assert not holds_a_part(text, TOKEN)
    assert b"***" in error.body


@pytest.mark.parametrize(
    "token",
    [
        "151ae8a8-eae4-5d78-800b-d1ec652eee30",
        "pk_live_51H8xYzAbCdEfGhIj",
        "ab+cd/ef+gh/ij+kl/mn==",
        "x" * 20 + "y" * 46,
    ],
)
def test_a_token_of_any_form_is_hidden(token):
    """Nothing is known of how the tokens of another installation look."""
    for body in (f"no user for {token}", f"bad ({token})", f"Authorization=Api-Token+{token}", quote(token)):
        assert token not in unquote(without_secrets(body.encode(), [token]).decode())


def test_credentials_that_hold_one_another_are_hidden_alike_in_any_order():
    """They come in sets: which is hidden first would be another one in each process."""
    credentials = ["login=w0rd-of-it", "w0rd-of-it", "of-it"]
    bodies = {without_secrets(b"wrong login=w0rd-of-it here", order) for order in itertools.permutations(credentials)}
    assert bodies == {b"wrong *** here"}


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_the_words_around_a_token_stay(before, after):
    """What is hidden is the token: whatever bytes are around it, none of it is left, and they are not shown otherwise than without it."""
    hidden = without_secrets(before + b" " + TOKEN.encode() + b" " + after, [TOKEN])
    assert TOKEN.encode() not in hidden
    if before.isalnum() and after.isalnum() and len(before + after) < 12:
        assert hidden == before + b" *** " + after


@pytest.mark.parametrize("name", spellings("x" * 20))
def test_so_is_a_jwt(name):
    """It is long, and has dots and signs between its letters; a row of a dump holds a twentieth of it."""
    body = spellings(JWT)[name]
    assert holds_a_part(body, JWT), "the spelling spells it"
    error = status_error(FIND_DEPLOYMENT, Answer(422, [], body.encode()), "u", 1, [JWT])
    for text in (str(error), error.body.decode()):
        assert not holds_a_part(text, JWT)


BASE32 = string.ascii_uppercase.encode() + b"234567"
CROCKFORD = bytes.maketrans(BASE32, b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
Z_BASE_32 = bytes.maketrans(BASE32, b"ybndrfg8ejkmcpqxot1uwisza345h769")
BASE85 = (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode()
Z85 = bytes.maketrans(BASE85, BASE85.swapcase())
"""Of its letters: signs between them are compared by nobody."""

CODINGS = {
    "base32": (1.6, base64.b32encode),
    "base32hex": (1.6, base64.b32hexencode),
    "Crockford's base32": (1.6, lambda text: base64.b32encode(text).translate(CROCKFORD)),
    "z-base-32": (1.6, lambda text: base64.b32encode(text).translate(Z_BASE_32)),
    "base85": (1.25, base64.b85encode),
    "Z85": (1.25, lambda text: base64.b85encode(text).translate(Z85)),
    "Ascii85": (1.25, base64.a85encode),
    "rot13": (1, lambda text: codecs.encode(text.decode(), "rot13").encode()),
    "from its end": (1, lambda text: text[::-1]),
}


@pytest.mark.parametrize(
    "token", [TOKEN, TOKEN.upper(), "151ae8a8-eae4-5d78-800b-d1ec652eee30", "pk_live_51H8xYzAbCdEfGhIj", JWT]
)
@pytest.mark.parametrize("beside", ["", "x", "Api-Token ", "Authorization: Api-Token ", "Authorization: "])
@pytest.mark.parametrize("coding", CODINGS)
def test_codings_of_fewer_hosts_are_known_too(coding, beside, token):
    """Whatever stands beside the token in them: of what it was coded to, no twelve letters and digits in a row are left."""
    width, encode = CODINGS[coding]
    coded = encode((beside + token + beside).encode())
    its_own = coded[math.ceil(len(beside) * width) + 5 : int((len(beside) + len(token)) * width) - 5]
    hidden = without_secrets(b"unknown: " + coded + b" is refused", [token])
    left, secret = (re.sub(rb"[^a-z0-9]", b"", one.lower()) for one in (hidden.replace(b"***", b"\0"), its_own))
    assert not any(secret[at : at + 12] in left for at in range(len(secret) - 11))
    if hidden == UNREADABLE_BODY:
        assert re.search(rb"%[0-9A-F]{2}", coded), "only what may be a percent escape keeps the place from being told"
        return
    assert hidden.startswith(b"unknown: ")
    assert hidden.endswith(b" is refused")
    assert b"***" in hidden


@pytest.mark.parametrize("step", [4, 5])
def test_a_coding_in_pieces_of_words_is_no_secret(step):
    """Words that share a few letters with one stay."""
    text = b" ".join(base64.b32encode(TOKEN.encode())[at : at + 2 * step] for at in range(0, 60, 30))
    assert without_secrets(text, [TOKEN]) == text


def test_json_stays_json():
    """What is hidden takes no quotation mark with it: message and detail are still told apart."""
    body = json.dumps({"message": f'unknown "{TOKEN}"', "detail": [f"sign in\n{TOKEN}\n", "with another one"]})
    error = status_error(FIND_DEPLOYMENT, Answer(422, [], body.encode()), "u", 1, [TOKEN])
    assert error.message == 'unknown "***"'
    assert error.detail == ["sign in\n***\n", "with another one"]


def test_a_short_token_is_a_word():
    """Programs of tests sign in with "token": it is no secret, and the service speaks of tokens."""
    assert without_secrets(b"the token is unknown", ["token"]) == b"the token is unknown"


def test_what_resembles_the_token_in_part_stays():
    """Ids share a few characters with it by chance."""
    assert without_secrets(f"id {TOKEN[:11]}".encode(), [TOKEN]) == f"id {TOKEN[:11]}".encode()


@pytest.mark.parametrize("width", [20, 64, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\\n", "\\r\\n"])
def test_an_image_in_lines_is_an_image(width, end):
    """Base64 is broken at 76 characters by MIME, at 64 by PEM."""
    lines = end.join(PICTURE[start : start + width] for start in range(0, len(PICTURE), width))
    assert without_secrets(f"too large: {lines}".encode()) == b"too large: ***"


@pytest.mark.parametrize(
    "body",
    [
        bytes(range(200)).hex().encode(),
        b"[255, 216, 255, 224, 0, 16]",
        b"137,80,78,71,13,10,26,10",
        b"Set-Cookie: sid=SECRET; HttpOnly",
        b"Cookie: one=SECRET; two=SECRET",
        b"x-api-key: SECRET",
        b"AWSAccessKeyId=SECRET",
        b"<Error><SignatureProvided>SECRET</SignatureProvided></Error>",
        b"https%3A%2F%2Fu%3ASECRET%40s3%2Fx",
        b"cannot connect to u:SECRET@cam1/live",
        b'{"detail":"refused:\\nBearer SECRET"}',
    ],
)
def test_other_secrets_are_hidden_by_their_form(body):
    """Another service's password, and images in other codings."""
    hidden = without_secrets(body)
    assert b"SECRET" not in hidden
    assert b"***" in hidden
    assert len(hidden) < 60


@pytest.mark.parametrize(
    "body",
    [
        b"picsellia.deployment.MonitoringConfigurationErrorOfTheOracle CannotReadPredictionOfThisType2 seen",
        b"at 12:30 https://host/path?mail=a@b",
        b"sha256 " + b"0123456789abcdef" * 4,
        b"model 151ae8a8eae45d78800bd1ec652eee30 151ae8a8eae45d78800bd1ec652eee31 151ae8a8eae45d78800bd1ec652eee32",
        '{"detail": "Größe 255, 216 %41 \\u00e4"}'.encode(),
    ],
)
def test_what_is_no_secret_stays_as_it_came(body):
    """Byte by byte: hiding is for what it must hide."""
    assert without_secrets(body, [TOKEN]) == body


@pytest.mark.parametrize(
    "piece",
    ["\\", "\\n", "\\u00", "<token", "%25", "%3a%2f%2f", "&amp;", "&#0", "://:a", "ff d8 ", "ff", "token=", "token ", 'image"', "a@", "a:b", "eyJ.", "=", "255,216,255,",
     "cookie:", "/9j/", TOKEN[:11], "bearer ", "\u200b", "A1b2C3d4E5f6G7h8 ", "[[["],
)  # fmt: skip
def test_no_body_takes_long(piece):
    """Each is a beginning of something that is hidden. Such a search once took minutes, and nothing else of the program ran."""
    body = (piece * (2**18 // len(piece))).encode()[: 2**18]
    status_error(FIND_DEPLOYMENT, Answer(422, [], body), "u", 1, [TOKEN, "eyJhbGciOiJIUzI1NiJ9." * 10])
