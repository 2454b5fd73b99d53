"""Where services and gateways say why: the fields of their JSON, the reason phrase, a page in UTF-16."""

from __future__ import annotations

import codecs
import json

import pytest

from picsellia_async._wire.decode import error_text, status_error
from picsellia_async._wire.endpoints import FIND_DEPLOYMENT
from picsellia_async._wire.exchange import REASON, Answer

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
NOTHING = "the service said no more than status 422"


def said(body: bytes, reason: bytes = b"") -> str:
    headers = [(REASON, reason)] if reason else []
    return status_error(FIND_DEPLOYMENT, Answer(422, headers, body), "u", 1, [JWT]).message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "out of quota"}, "out of quota"),
        ({"error": {"code": 3, "message": "out of quota"}}, "out of quota"),
        ({"code": 17, "error": "out of quota"}, "out of quota"),
        ({"errors": ["a is wrong", {"msg": "b is wrong"}, "c", "d"]}, "a is wrong; b is wrong; c"),
        ({"errors": [{"title": "Bad box", "detail": "x is below 0"}]}, "x is below 0"),
        ({"type": "about:blank", "title": "Out of quota", "status": 422}, "Out of quota"),
        ({"title": "Out of quota", "detail": "5 of 5 used"}, "5 of 5 used"),
        ({"msg": "no"}, "no"),
        ({"reason": "no"}, "no"),
        ({"description": "no"}, "no"),
        ({"error": "access_denied", "error_description": "not in this plan"}, "not in this plan"),
        ({"message": "", "error": "no"}, "no"),
        ({"message": {"text": "no"}}, "no"),
        ({"message": None, "detail": None, "error": "no"}, "no"),
        ({"error": True, "msg": "no"}, "no"),
        (
            {"detail": [{"loc": ["body", "scores", 0], "msg": "must be below 1", "type": "x"}]},
            "body.scores.0: must be below 1",
        ),
        ({"detail": [{"msg": "a"}, {"loc": [], "msg": "b"}]}, "a; b"),
        ({"detail": {"reason": "no"}}, "no"),
        ({"detail": {"code": 17}}, "{'code': 17}"),
        (["a is wrong", {"error": "b is wrong"}], "a is wrong; b is wrong"),
        ([17], "[17]"),
        ({"code": 17}, NOTHING),
        ({"error": {}}, NOTHING),
        ({}, NOTHING),
    ],
)
def test_the_reason_is_found_wherever_it_stands(body: object, message: str) -> None:
    """`message` and `detail` are the platform's; what stands before it says why in other fields."""
    assert said(json.dumps(body).encode()) == message


@pytest.mark.parametrize(
    "detail", [[{"loc": ["body", 0], "msg": "is wrong"}], {"errors": [{"loc": ["body", 0], "msg": "is wrong"}]}]
)
def test_details_beside_a_message_are_readable(detail: object) -> None:
    """They stay as they came in `detail`."""
    body = json.dumps({"message": "invalid", "detail": detail}).encode()
    error = status_error(FIND_DEPLOYMENT, Answer(422, [], body), "u", 1, [JWT])
    assert str(error).endswith(": invalid. Detail: body.0: is wrong")
    assert error.detail == detail


def test_a_reason_phrase_is_all_that_an_empty_body_leaves() -> None:
    """A credential in it is hidden, and no character that a terminal obeys is left."""
    assert said(b"", b"Denied by policy 7") == f"{NOTHING} Denied by policy 7"
    assert said(b"") == NOTHING
    assert said(b"", b"Denied \x1b[31m now") == f"{NOTHING} Denied ?[31m now"
    assert said(b"", b"Denied: " + JWT.encode()) == f"{NOTHING} Denied: ***"


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("page", ["<p>out of quota, été</p>", '{"error": "<p>out of quota, été</p>"}'])
def test_a_page_in_utf_16_is_read(coding: str, page: str) -> None:
    """Gateways of Windows write so."""
    mark = codecs.BOM_UTF16_LE if coding == "utf-16-le" else codecs.BOM_UTF16_BE
    assert error_text(Answer(503, [], mark + page.encode(coding)))[0] == "<p>out of quota, été</p>"
