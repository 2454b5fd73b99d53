"""What errors show where a host speaks of tokens: its reason stays, what looks like a credential does not."""

from __future__ import annotations

import pytest

from picsellia_async._error_text import error_text, hide_secrets
from picsellia_async._wire.decode import BODY_KEPT, status_error
from picsellia_async._wire.endpoints import FIND_DEPLOYMENT
from picsellia_async._wire.exchange import Answer
from picsellia_async._wire.redaction import hidden_in, without_secrets

HEXADECIMAL = "4c0e93a1b7d2586f0e1c7a94d3b2f8560a9c1e7d"


@pytest.mark.parametrize(
    "said",
    [
        "digest mismatch",
        "Digest SHA-256 mismatch",
        "Basic authentication required",
        "Bearer token required",
        'Bearer error="invalid_token", error_description="The access token expired"',
        'Basic realm="x"',
        "invalid token: expired",
        "invalid token: 401",
        '{"token": ["This field is required."]}',
        '{"secret_key": "must not be empty"}',
        '{"api_key": null}',
        "secret: not found",
        "signature: does-not-match",
        "cookie: missing",
        "<Token>expired long ago</Token>",
        '{"message": "token expired: password: must not be empty, signature: invalid"}',
        '{"password": ["This field is required."], "passphrase": "Too short."}',
    ],
)
def test_a_reason_stays(said):
    """Words behind `token`, or the name of a way to sign in, are why it was refused."""
    assert without_secrets(said.encode()).decode() == said
    assert error_text(OSError(said)) == f"OSError: {said}"


@pytest.mark.parametrize(
    "said",
    [
        "token: 8f3a9",
        "token=abcdef",
        "token: qwrtpsdf",
        "token: aGVsbG8",
        f"token: {'a' * 30}",
        f"token: {'a-' * 300}",
        "invalid token: token=abcdef",
        "Bearer token abc123def",
        '{"secret": ["abc123"]}',
        "<Token>SECRET</Token>",
        '{"password": "swordfish"}',
        "password: swordfish",
        "<password>abc</password>",
        "Cookie: one=two",
    ],
)
def test_what_looks_like_a_credential_is_hidden(said):
    """Digits, capitals within, no vowels, too long for words; whatever is assigned; and of passwords anything."""
    hidden = without_secrets(said.encode()).decode()
    value = said.replace("=", " ").replace(":", " ").replace(">", " ").replace("<", " ").split()
    assert "***" in hidden
    assert not any(word.strip('{}[]"') in hidden for word in value if word.strip('{}[]"') in {
        "8f3a9", "abcdef", "qwrtpsdf", "aGVsbG8", "abc123def", "abc123", "SECRET", "swordfish", "two"})  # fmt: skip
    assert "a" * 30 not in hidden
    assert "a-" * 30 not in hidden


@pytest.mark.parametrize("value", ["mustang", "must1", "invalids", "Is-it", "fieldmouse"])
def test_a_password_that_begins_like_a_refusal_is_one(value):
    """Only the word alone is what a refusal begins with; and what is assigned is no sentence."""
    for said in (f"password: {value}", "password=invalid", f'{{"pwd": "{value}"}}', "passwd='must'"):
        for hidden in (without_secrets(said.encode()).decode(), error_text(OSError(said))):
            assert "***" in hidden
            assert value not in hidden


@pytest.mark.parametrize(
    "said",
    [
        f"sha1 {HEXADECIMAL}",
        f"commit {HEXADECIMAL} is unknown",
        f'{{"commit_id": "{HEXADECIMAL}"}}',
        f'ETag: W/"{HEXADECIMAL}"',
        f"checksum mismatch: expected {HEXADECIMAL}, got {HEXADECIMAL[::-1]}",
        f"digest sha1:{HEXADECIMAL}",
        f"/git/commits/{HEXADECIMAL}",
    ],
)
def test_digits_that_are_named_stay(said):
    """40 hexadecimal digits are a token's form, and that of sums and commits: the word before them tells."""
    assert without_secrets(said.encode()).decode() == said


@pytest.mark.parametrize(
    "before", ["", "token ", "checked commit, then token ", "etag of ", "digest authentication by "]
)
def test_the_token_of_the_client_is_hidden_whatever_stands_before(before):
    """By its value; digits that nobody knows only where no word says what they are."""
    assert HEXADECIMAL not in without_secrets(f"{before}{HEXADECIMAL}".encode(), [HEXADECIMAL]).decode()
    if "etag" not in before:
        assert HEXADECIMAL not in without_secrets(f"{before}{HEXADECIMAL}".encode()).decode()


@pytest.mark.parametrize(
    ("password", "said", "shown"),
    [
        ("hunter2-long", "wrong password hunter2-long.", "wrong password ***."),
        ("hunter2-long", "WRONG HUNTER2-LONG", "WRONG ***"),
        ("pa55", "pa55 pa5566 xpa55", "*** pa5566 xpa55"),
        ("p%w/x y", "p%25w%2Fx%20y p%w/x y", "*** ***"),
        ('a"b<c1', 'a\\"b<c1 a&quot;b&lt;c1', "*** ***"),
        ("passwort", "passwort is wrong, passworte too", "*** is wrong, passworte too"),
        ("geheim", "geheim is wrong", "geheim is wrong"),
    ],
)
def test_a_short_password_is_hidden_as_a_word(password, said, shown):
    """As a whole, in any case; what is a word of under eight letters is said of much else."""
    assert hidden_in(said, [password]) == shown


@pytest.mark.parametrize("before", range(BODY_KEPT - 41, BODY_KEPT + 1, 5))
def test_a_secret_at_the_bound_of_a_body_is_found(before):
    """A long body that is no JSON is searched no further than the error keeps it, and a little more."""
    body = (
        b"ab " * (before // 3) + b" " * (before % 3) + HEXADECIMAL.encode() + b" of which nobody reads the end" * 9000
    )
    error = status_error(FIND_DEPLOYMENT, Answer(502, [], body), "u", 1, [HEXADECIMAL])
    assert HEXADECIMAL[:12] not in error.body.decode()
    assert HEXADECIMAL[:12] not in error.message
    assert len(error.body) <= BODY_KEPT


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ('{"secret": "summer-holiday"}', "summer-holiday"),
        ("api_key: opensesame", "opensesame"),
        ("credential: admin:admin", "admin"),
        ("aws_secret_access_key: wjalrxutnfemi", "wjalrxutnfemi"),
        ("cookie: session", "session"),
        ("secret: 999", "999"),
        ("token: token: Ab12345678", "Ab12345678"),
        ("client_secret: is_9f8e7d6c5b4a3210", "9f8e7d6c5b4a3210"),
        ("secret_key: at-9f8e7d6c5b4a3210", "9f8e7d6c5b4a3210"),
        ("secret_key: not-a-real-key-123abc456", "123abc456"),
    ],
)
def test_keys_that_are_words_are_hidden(said, secret):
    """Behind other names than a token's no reason stands in any words, and a key may be a word."""
    assert secret not in hide_secrets(said)
    assert secret.encode() not in without_secrets(said.encode())


def test_a_key_in_xml_that_is_a_word_is_hidden():
    """As storages answer."""
    assert b"abcdefgh" not in without_secrets(b"<SecretAccessKey>abcdefgh</SecretAccessKey>")


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_secrets_of_a_body_in_another_coding_are_hidden(coding):
    """They are looked for in what is shown, and not in bytes with a zero after each letter."""
    said = (
        '{"message": "no: Bearer abcDEF123456xyzQRS987 password=hunter2hunter2, pw9-s3cret, 4c0e93a1-b7d2-586f-0e1c"}'
    )
    secrets = {"pw9-s3cret", "4c0e93a1-b7d2-586f-0e1c"}
    error = status_error(FIND_DEPLOYMENT, Answer(403, [], said.encode(coding)), "http://h/x", 1, secrets)
    for shown in (str(error), repr(error.body.decode()), error.body.decode("utf-16-le", "replace")):
        assert not any(one in shown for one in ("abcDEF123456", "hunter2", "s3cret", "4c0e93a1"))
    assert "no: Bearer ***" in error.message
