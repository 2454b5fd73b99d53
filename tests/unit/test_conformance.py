"""Shapes of answers: what they tell, what they keep out, and what comparing two of them finds."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import ConfigurationError
from picsellia_async.conformance import Cassette, RecordedAnswer, Shape, compare, undecided
from picsellia_async.conformance.cassette import template_of
from picsellia_async.conformance.shapes import VOCABULARY, WORDS

SECRET = "zebra"
"""Stands for all that is the account's own."""


def answer(value: Any, *, path: str = "/api/deployment/{id}", status: int = 200) -> RecordedAnswer:
    return RecordedAnswer(
        service="platform", method="GET", path=path, query=(), status=status, content_type="application/json",
        shape=Shape.of(value, is_record=True),
    )  # fmt: skip


def differences(real: Any, emulated: Any) -> list[str]:
    found = compare(Cassette.of([answer(real)]), Cassette.of([answer(emulated)]))
    return [f"{one.place}: {one.what}" for one in found]


@pytest.mark.parametrize(
    ("value", "types"),
    [
        (None, {"null"}), (True, {"boolean"}), (1, {"integer"}), (1.5, {"number"}), ("", {"empty text"}), ("a", {"text"}),
        ("3f2b8a52-6c1e-4e53-9a41-0d8f5b7c9e10", {"uuid"}), ("2026-11-29T09:00:00Z", {"time"}),
        ("https://example.com/zebra?X-Amz-Signature=zebra", {"address"}), ([], {"array"}), ({}, {"object"}),
    ],
)  # fmt: skip
def test_every_json_value_has_a_type(value, types):
    assert Shape.of(value).types == types


def test_lists_tell_which_fields_not_every_item_has():
    shape = Shape.of([{"id": 1, "tags": ["a"]}, {"id": "x", "name": None}])
    assert shape.items is not None
    assert shape.items.optional == {"tags", "name"}
    assert shape.items.fields["id"].types == {"integer", "text"}


own_words = st.text(alphabet="abcde", max_size=5).map(lambda text: f"{SECRET}{text}")
leaves = (
    own_words
    | own_words.map(lambda text: f"https://{text}.org/{text}")
    | st.integers()
    | st.none()
    | st.uuids().map(str)
)


@given(
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(own_words | st.sampled_from(sorted(VOCABULARY - WORDS - {"id", "count", "items"})[:40]), inner, max_size=3),
        max_leaves=20,
    )
)  # fmt: skip
def test_nothing_of_the_account_is_in_a_shape(value):
    """Keys that are the account's own words neither: labels, for instance, are keys of some statistics."""
    assert SECRET not in json.dumps(Shape.of({"id": str(uuid.uuid4()), "labels": value}).to_json())
    assert SECRET not in json.dumps(Shape.of([value]).to_json())


def test_labels_that_are_called_as_fields_are_do_not_show_the_others():
    """Statistics have them as keys."""
    value = {"data": {"id": 3, "count": 1, "items": 2, "name": 4, "passport": 5}}
    shape = Shape.of(value, is_record=False, has_records=False)
    assert "passport" not in json.dumps(shape.to_json())
    assert "patient" not in json.dumps(Shape.of({"id": 1, "metadata": {"id": 1, "patient": "x"}}).to_json())


@pytest.mark.parametrize(("word", "types"), [("acmenet", {"text"}), ("image/jpeg", {"word"}), ("BRAND_NEW", {"word"})])
def test_a_word_of_the_account_is_a_text(word, types):
    assert Shape.of({"id": 1, "framework": word}).fields["framework"].types == types


def test_new_fields_and_words_of_records_are_kept():
    """They are what a recording is for."""
    shape = Shape.of({"id": "1", "brandNew": 1, "status": "SOMETHING_NEW", "name": "zebra"})
    assert shape.fields["brandNew"].types == {"integer"}
    assert shape.fields["status"].words == {"SOMETHING_NEW"}


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/api/deployment/3f2b8a52-6c1e-4e53-9a41-0d8f5b7c9e10/labels", "/api/deployment/{id}/labels"),
        ("/api/data/12", "/api/data/{id}"), ("/api/data/zebra", "/api/data/{text}"),
    ],
)  # fmt: skip
def test_paths_hold_no_names(path, template):
    assert template_of(path) == template


def test_equal_shapes_have_no_difference():
    value = {"id": "1", "name": "a", "tags": [{"id": "2", "name": "b"}], "oracle_host": None}
    assert differences(value, {**value, "name": "", "oracle_host": "http://a"}) == []


@pytest.mark.parametrize(
    ("real", "emulated", "found"),
    [
        ({"tags": ["a"]}, {"tags": [{"id": "1"}]}, "tags[]: text, the emulator object"),
        ({"name": "a", "extra": 1}, {"name": "a"}, "extra: integer, the emulator has no such field"),
        ({"name": "a"}, {"name": "a", "extra": 1}, "extra: no such field, the emulator gives integer"),
        ({"status": "BRAND_NEW"}, {"status": "PENDING"}, "status: the word BRAND_NEW, which this SDK does not know"),
        ({"items": [{"id": "1", "size": None}, {"id": "1", "size": 2}]}, {"items": [{"id": "1", "size": 2}]},
         "items[].size: integer or null, the emulator integer"),
    ],
)  # fmt: skip
def test_a_difference_is_told_with_its_place(real, emulated, found):
    assert differences(real, emulated) == [found]


def test_a_status_that_the_emulator_does_not_give_is_a_difference():
    found = compare(Cassette.of([answer({}, status=204)]), Cassette.of([answer({})]))
    assert [str(one) for one in found] == ["platform GET /api/deployment/{id}: status 204, the emulator 200"]


def test_what_only_one_was_asked_is_not_decided():
    account, emulator = Cassette.of([answer({}, path="/api/a")]), Cassette.of([answer({}, path="/api/b")])
    assert compare(account, emulator) == []
    assert undecided(account, emulator) == ["platform GET /api/a", "platform GET /api/b"]


def test_a_cassette_survives_its_file(tmp_path):
    cassette = Cassette.of([answer({"id": "1", "items": [{"a": 1}, {"b": None}]}), answer("x", status=404)])
    cassette.save(tmp_path / "a.json")
    assert Cassette.load(tmp_path / "a.json") == cassette


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"), (b"[]", "is no cassette"), (b'{"format": "other"}', "is no cassette"),
        (orjson.dumps({"format": "picsellia-async cassette 1", "version": "1", "answers": [{}]}), "is no whole cassette"),
        (orjson.dumps({"format": "picsellia-async cassette 1", "version": "1", "answers": [
            {"service": "a", "method": "GET", "path": "/", "query": [], "status": 200, "content_type": "", "shape": {"types": ["odd"]}}
        ]}), "a shape is an object with types"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_cassette_is_refused(tmp_path: Path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        Cassette.load(tmp_path / "a.json")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Cassette.load(tmp_path / "none.json")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Cassette(()).save(tmp_path / "none" / "a.json")
