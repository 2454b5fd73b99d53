"""What is shown of exceptions that others raised."""

from __future__ import annotations

from uuid import uuid4

import pytest

from picsellia_async._delivery.outcomes import Dropped, DropReason, failure_of
from picsellia_async._error_text import error_repr, error_text
from picsellia_async._wire.redaction import without_secrets


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("cannot read rtsp://u:hunter2@h/main", "cannot read rtsp://***@h/main"),
        ("rtsp://u:hun/ter2@h/main", "rtsp://***@h/main"),
        ("rtsp://u:hun@ter2@h: refused", "rtsp://***@h: refused"),
        ("('http://h:8080/snap?user=admin&password=hunter2', 401)", "('http://h:8080/snap?***', 401)"),
        ("Max retries exceeded with url: /snap?usr=a&pwd=hunter2 (by Timeout)", "Max retries exceeded with url: /snap?*** (by Timeout)"),
        ("login failed: {'password': 'hunter2', 'user': 'admin'}", "login failed: {'password': '***', 'user': 'admin'}"),
        ("login failed: {'password': ['hunter2', 'user']}", "login failed: {'password': ['***', 'user']}"),
        ("api_token=hunter2, retry", "api_token=***, retry"),
        ("Authorization: Bearer hunter2hunter2hunter2", "Authorization: Bearer ***"),
        ("http://h:80/clip@2x.jpg is gone. Why? Ask a@b", "http://h:80/clip@2x.jpg is gone. Why? Ask a@b"),
        ("no token; the password was refused", "no token; the password was refused"),
    ],
)  # fmt: skip
def test_errors_of_others_are_shown_without_secrets(said: str, expected: str) -> None:
    """User, password and query of addresses, and fields named as secrets; the rest is as it was."""
    assert error_text(OSError(said)) == f"OSError: {expected}"


def test_a_long_text_is_cut() -> None:
    """A model may raise the megabytes that it could not read; they are not searched for secrets while a pipeline waits."""
    said = error_text(OSError("image of rtsp://u:hunter2@h/main " * 100_000))
    assert "hunter2" not in said
    assert len(said) < 11_000
    assert said.endswith("(and more: 10000 characters are shown)")


@pytest.mark.parametrize(
    "piece",
    [
        "://",
        "token:[",
        "token: ",
        "://a:",
        "://a",
        "?a=",
        "?",
        "://a@",
        "?'",
        "'",
        "token:a",
        "token: a-",
        "bearer ",
        "a:",
        "://a?",
        "://a/key_",
        "key_",
        "/auth",
        "/auth/",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    """Each is a beginning of something that is hidden; such a search once took more than a second, and nothing else of the program ran."""
    error_text(OSError((piece * 10_000)[:9_999] + "x"))
    error_text(OSError("http://a/" + (piece * 10_000)[:9_980] + "x"))


def test_an_error_without_a_message_is_its_type() -> None:
    """A bare `raise OSError`."""
    assert error_text(OSError()) == "OSError"


@pytest.mark.parametrize(
    "said",
    ["token=None given", "password=null", "api_key=undefined.", "(token=None)", "token=missing", "secret=empty, retry"],
)
def test_no_value_is_no_secret(said: str) -> None:
    """That nothing was given is the reason itself."""
    assert error_text(OSError(said)) == f"OSError: {said}"
    assert without_secrets(said.encode()).decode() == said


class Speechless(Exception):
    def __str__(self) -> str:
        raise AttributeError("detail")

    __repr__ = __str__


def test_an_error_whose_text_raises_is_named() -> None:
    """A class of the user's may have faults; what reports it must not stop by them."""
    assert error_text(Speechless()) == "Speechless: (no text: its str() raised AttributeError)"
    assert error_repr(Speechless()) == "(no text: its repr() raised AttributeError)"
    lost = failure_of(Dropped(frame=None, reason=DropReason.CLOSED, error=Speechless(), damaged_id=uuid4()))
    assert lost.reason == "closed; Speechless: (no text: its str() raised AttributeError)"
