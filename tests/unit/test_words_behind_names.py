"""What stands behind the names of secrets: words that are none stay, and whatever may be one is hidden."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._error_text import hide_secrets
from picsellia_async._wire.redaction import without_secrets

MACHINE_MADE = ("cookie", "credential", "signature", "api_key", "access-key", "secret")
"""What stands behind these is chosen by a program."""
NAMES = (*MACHINE_MADE, "password", "passwd", "passphrase", "pwd", "token", "jwt", "secret_key")
PARAMETERS = ("realm", "scope", "charset", "error", "error_description")
WORDS = ("api", "picsellia", "openid", "invalid_token", "read:all", "UTF-8", "Users", "insufficient_scope")
SUBJECTS = ("session", "user", "the client", "the given key", "your account", "no service", "this one")
ENDS = ("expired", "is unknown", "was revoked", "not found", "has expired", "does not match", "must be given")

secrets = st.tuples(
    st.text(string.ascii_letters + string.digits, min_size=6, max_size=24), st.sampled_from(string.digits)
).map("".join)
"""With a digit, as what a program makes has."""


def shown(said: str) -> set[str]:
    """Return what both show: that for what hosts say, and that for what libraries raise."""
    return {without_secrets(said.encode()).decode(), hide_secrets(said)}


@given(
    st.sampled_from(["Bearer", "Basic", "bearer"]), st.sampled_from(PARAMETERS), st.sampled_from(WORDS), st.booleans()
)
def test_what_tells_how_to_sign_in_stays(scheme, parameter, word, is_quoted):
    """As `WWW-Authenticate` has it, and gateways repeat it without the quotation marks."""
    said = f'{scheme} {parameter}="{word}"' if is_quoted else f"{scheme} {parameter}={word}, sign in"
    assert shown(said) == {said}


@given(st.sampled_from(MACHINE_MADE), st.sampled_from(SUBJECTS), st.sampled_from(ENDS))
def test_what_is_said_of_a_key_stays(name, subject, end):
    """`cookie: session expired` is why it was refused."""
    said = f"{name}: {subject} {end}"
    assert shown(said) == {said}


@given(st.sampled_from(NAMES), secrets, st.sampled_from([": ", "=", '": "', "='"]))
def test_a_secret_behind_its_name_is_hidden(name, secret, mark):
    """Whatever name and mark."""
    for text in shown(f"{name}{mark}{secret}"):
        assert secret not in text


@given(st.sampled_from(["Bearer ", "Basic ", "Api-Token ", "Bearer token "]), st.sampled_from(PARAMETERS), secrets)
def test_a_secret_behind_a_scheme_is_hidden(scheme, parameter, secret):
    """Also under the name of a parameter that is none itself."""
    for said in (f"{scheme}{secret}", f"{scheme}{parameter}={secret}"):
        assert secret.encode() not in without_secrets(said.encode())


@given(st.sampled_from(SUBJECTS), st.sampled_from(ENDS), secrets)
def test_a_cookie_behind_a_sentence_is_hidden(subject, end, secret):
    """A header has the name before it; the sentence may end with the header."""
    for said in (f"Cookie: {subject} {end}; sid={secret}", f"cookie: {subject} {end} {secret}"):
        assert secret.encode() not in without_secrets(said.encode())


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("credential: user", "user"),
        ("secret: session-is-open", "session-is-open"),
        ("api_key: user key", "user"),
        ("password: user is unknown", "user"),
        ("credential: user missing_9f8e", "user"),
        ("cookie: session expired=yes", "expired"),
        ("<Secret>the given horse</Secret>", "horse"),
        ("Bearer realms=opensesame", "opensesame"),
    ],
)
def test_what_may_be_one_is_hidden(said, secret):
    """A word alone, one behind which no reason follows, and all that is said of a password: it may be the secret itself."""
    assert secret.encode() not in without_secrets(said.encode())
