"""Reading answers: values, typed errors, Retry-After in every form."""

from __future__ import annotations

import contextlib
import copy
import pickle
from email.utils import formatdate

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._wire.decode import decode, error_text, retry_after, status_error
from picsellia_async._wire.endpoints import ENDPOINTS, FIND_DEPLOYMENT, MONITOR, ORACLE_LOGIN, PREDICT
from picsellia_async._wire.exchange import Answer, Origin
from picsellia_async.enums import InferenceType
from picsellia_async.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DecodeError,
    MonitorError,
    NotFoundError,
    PicselliaError,
    PredictionError,
    StatusError,
)

DEPLOYMENT = b'{"id":"6b4f2f0e-0000-4000-8000-000000000000","name":"n","type":"OBJECT_DETECTION","grown":1}'


def answer(status: int, content: bytes = b"", **headers: str) -> Answer:
    return Answer(status, [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()], content)


def test_a_value_is_structured_and_new_fields_are_ignored():
    """Services grow; an unknown field breaks nothing."""
    value = decode(FIND_DEPLOYMENT, answer(200, DEPLOYMENT), "u")
    assert (value.name, value.type, value.oracle_host) == ("n", InferenceType.OBJECT_DETECTION, None)


@pytest.mark.parametrize("status", [200, 202, 204, 208, 301])
def test_monitoring_succeeds_only_on_201(status):
    """docs/wire.md#statuses: even another success status is an error there."""
    with pytest.raises(MonitorError) as caught:
        decode(MONITOR, answer(status, b'{"id":"x"}'), "u")
    assert caught.value.status == status


@pytest.mark.parametrize("status", [201, 202, 204])
def test_predicting_succeeds_only_on_200(status):
    """docs/wire.md#statuses: even another success status is an error there."""
    with pytest.raises(PredictionError):
        decode(PREDICT, answer(status, b"{}"), "u")


def test_409_while_monitoring_is_both():
    """What happened and where: a caller may catch either."""
    with pytest.raises(ConflictError) as caught:
        decode(MONITOR, answer(409, b'{"message":"already processed"}'), "u", 2)
    assert isinstance(caught.value, MonitorError)
    assert caught.value.attempts == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refused_login_is_an_authentication_error(status):
    """Whatever the sign-in is refused with, the caller must look at the token."""
    with pytest.raises(AuthenticationError) as caught:
        decode(ORACLE_LOGIN, answer(status, b'{"message":"no"}'), "u")
    assert caught.value.status == status


@pytest.mark.parametrize(
    "content", [b"", b"<html>502</html>", b'{"message": "trunc', b"[1]", b"null", b'{"message":null}', b"\xff\xfe"]
)
@pytest.mark.parametrize("status", [400, 404, 500, 502])
def test_error_bodies_of_any_kind_give_a_typed_error(content, status):
    """HTML, nothing, half a JSON, a list: never a JSON error."""
    with pytest.raises(StatusError) as caught:
        decode(FIND_DEPLOYMENT, answer(status, content), "u")
    assert caught.value.status == status
    assert caught.value.body == content
    assert str(caught.value)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[1]", b"null", b'"text"', DEPLOYMENT[:-10], b'{"id":"x"}'])
@pytest.mark.parametrize(
    "endpoint", [FIND_DEPLOYMENT, ENDPOINTS["list_deployments"], ENDPOINTS["retrieve_information"]]
)
def test_a_success_that_cannot_be_read_is_a_decode_error(endpoint, content):
    """A success status with a body of the wrong kind names the place; only a call that returns any dict takes any dict."""
    if content == b'{"id":"x"}' and endpoint is ENDPOINTS["retrieve_information"]:
        assert decode(endpoint, answer(200, content), "u") == {"id": "x"}
        return
    with pytest.raises(DecodeError) as caught:
        decode(endpoint, answer(200, content), "https://h/p")
    assert caught.value.status == 200
    assert "https://h/p" in str(caught.value)


def test_decode_error_names_the_field():
    """The paths of cattrs reach the caller."""
    with pytest.raises(DecodeError) as caught:
        decode(FIND_DEPLOYMENT, answer(200, b'{"id":"6b4f2f0e-0000-4000-8000-000000000000","name":"n","type":5}'), "u")
    assert any("$.type" in problem for problem in caught.value.problems)


@given(st.sampled_from(sorted(ENDPOINTS)), st.integers(100, 599), st.binary(max_size=200))
def test_decode_raises_nothing_but_our_errors(name, status, content):
    """Whatever bytes arrive, the caller meets a value or a PicselliaError."""
    with contextlib.suppress(PicselliaError):
        decode(ENDPOINTS[name], answer(status, content), "u")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after": "-4"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "1000000000000"}, 1e12),
        ({"retry_after": "soon"}, None),
        ({"retry_after": formatdate(1_700_000_030, usegmt=True), "date": formatdate(1_700_000_000, usegmt=True)}, 30.0),
        ({"retry_after": formatdate(1_700_000_000, usegmt=True), "date": formatdate(1_700_000_030, usegmt=True)}, 0.0),
        ({"retry_after": formatdate(0, usegmt=True)}, 0.0),
    ],
)
def test_retry_after_in_every_form(headers, seconds):
    """Seconds, milliseconds and dates; a date is measured against the answer's own clock."""
    assert retry_after(answer(429, b"", **headers)) == seconds


def test_messages_come_from_the_service():
    """`message` and `detail` where they are, else the text, else the status."""
    assert error_text(answer(400, b'{"message":"m","detail":["d"]}')) == ("m", ["d"])
    assert error_text(answer(400, b'{"detail":"d"}')) == ("d", None)
    assert error_text(answer(400, b"plain")) == ("plain", None)
    assert "400" in error_text(answer(400))[0]


def test_a_long_error_body_is_cut():
    """An error does not keep megabytes alive."""
    error = status_error(FIND_DEPLOYMENT, answer(404, b"x" * 1_000_000), "u")
    assert isinstance(error, NotFoundError)
    assert len(error.body) == 64 * 1024


@pytest.mark.parametrize(
    ("url", "text", "header"),
    [
        ("https://app.picsellia.com", "https://app.picsellia.com", b"app.picsellia.com"),
        ("https://app.picsellia.com/", "https://app.picsellia.com", b"app.picsellia.com"),
        ("http://127.0.0.1:8765/prefix/", "http://127.0.0.1:8765", b"127.0.0.1:8765"),
        ("http://[::1]:80/", "http://[::1]", b"[::1]"),
        ("https://user:secret@h:444", "https://h:444", b"h:444"),
    ],
)
def test_an_origin_drops_what_is_no_origin(url, text, header):
    """docs/wire.md#hosts: scheme and authority are kept, a path prefix is dropped."""
    origin = Origin.parse(url)
    assert str(origin) == text
    assert origin.host_header == header


def test_an_origin_is_one_object():
    """The pool finds its connections by it: copies, and those of another process, are the same one."""
    origin = Origin.parse("https://example.test/x")
    assert Origin("https", "example.test", 443) is origin
    assert copy.deepcopy(origin) is origin
    assert pickle.loads(pickle.dumps(origin)) is origin
    assert Origin.parse("https://example.test:444") is not origin


@pytest.mark.parametrize(
    "url", ["", "app.picsellia.com", "ftp://h", "http://", "http://h:99999", "http://h:0", None, 7, "https://u:pw@"]
)
def test_what_is_no_url_is_refused_without_its_password(url):
    """The message names the argument, never a password."""
    with pytest.raises(ConfigurationError, match="host must be an http or https URL") as caught:
        Origin.parse(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"bad header authorization: Bearer eyJ0.SECRET.x in your request",
        b'{"detail": "cannot read {\\"api_token\\": \\"SECRET\\"}"}',
        b'{"message": "refused", "detail": {"jwt": "SECRET", "image": "' + b"U0VDUkVU" * 20 + b'"}}',
        b"GET /?token=SECRET HTTP/1.1",
        b'{"image": "' + b"SECRETSECRET" * 6 + b'"}',
        b"Authorization: Api-Token SECRET",
        b"it came with " + b"5ec2e700" * 5,
        b"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SECRET-SECRET",
        b"too large: /9j/" + b"U0VDUkVU" * 20,
        b"https://u:SECRET@s3/x?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET&b=1",
        b"secret=SECRET api_key: 'SECRET'; X-Api-Key: SECRET; Cookie: SECRET",
        b"/api/" + b"5ec2e700" * 5 + b"/monitor",
    ],
)
def test_a_gateway_that_echoes_the_request_puts_no_secret_into_errors(body: bytes) -> None:
    """Neither credential nor image stands in the error's text, its detail or its body."""
    error = status_error(FIND_DEPLOYMENT, answer(400, body), "u")
    told = f"{error} {error!r} {error.detail} {error.body!r}"
    assert "SECRET" not in told
    assert "U0VDUkVU" not in told
    assert "5ec2e700" not in told
    assert "***" in told


def test_words_that_are_no_secrets_stay():
    """What the service says is there to be read; characters that a terminal obeys are not."""
    said = (
        b"Authentication credentials were not provided; no token, id 151ae8a8-eae4-5d78-800b-d1ec652eee30, \x1b[31mred"
    )
    error = status_error(FIND_DEPLOYMENT, answer(401, said), "u")
    assert said.replace(b"\x1b", b"?").decode() in str(error)


def test_controls_that_json_spells_are_no_more_obeyed():
    """They are there once it is read."""
    error = status_error(FIND_DEPLOYMENT, answer(400, b'{"message":"\\u001b[2J\\u009bred"}'), "u")
    assert "?[2J?red" in str(error)


def test_a_long_body_that_is_nearly_a_token_takes_no_time():
    """Base64 of JSON has a thousand beginnings of a token. Such a search once took minutes."""
    error = status_error(FIND_DEPLOYMENT, answer(400, b"eyJ" * 80_000), "u")
    assert len(error.body) == 64 * 1024


@pytest.mark.parametrize("depth", [300, 1020, 100_000])
def test_a_body_that_is_nested_too_deep_is_an_error_of_its_status(depth):
    """It is never an error of reading it: frames would be rejected for a 503."""
    deep = b"[" * depth + b"]" * depth
    for body in (b'["\\u4e2d",' + deep + b"]", b'{"detail":' + deep + b"}"):
        error = status_error(MONITOR, answer(503, body), "u")
        assert error.status == 503
        assert str(error)


def test_of_a_success_that_means_none_here_no_megabytes_are_read():
    """Another 2xx than the endpoint's has no bound on the network."""
    error = status_error(MONITOR, answer(200, b"<p>" + b"a b " * 5_000_000), "u")
    assert len(error.body) == 64 * 1024
    assert len(error.message) <= 256 * 1024


def test_the_detail_of_a_long_error_is_read_whole():
    """A prediction of thousands of boxes may be refused value by value; only the body that the error keeps is cut."""
    detail = [f"box {number} is refused" for number in range(5000)]
    error = status_error(FIND_DEPLOYMENT, answer(422, orjson.dumps({"message": "refused", "detail": detail})), "u")
    assert error.detail == detail
    assert len(error.body) == 64 * 1024
