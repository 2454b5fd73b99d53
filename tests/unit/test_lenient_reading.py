"""Services answer more, less or other than their documentation says; a field that nobody needs breaks nothing."""

from __future__ import annotations

import logging
import uuid

import attrs
import orjson
import pytest

from picsellia_async._wire.decode import decode, updated
from picsellia_async._wire.endpoints import FIND_DEPLOYMENT, GET_DATA, LIST_DEPLOYMENTS
from picsellia_async._wire.exchange import Answer
from picsellia_async._wire.reader import READER, UNREADABLE
from picsellia_async.enums import DataUploadStatus, InferenceType
from picsellia_async.errors import DecodeError
from picsellia_async.models import DataDescription, DeploymentDescription, PredictedAssetDescription

from ..support.answers import MODELS, changed, every_change, fields_of, good

CHANGES = [pytest.param(*one, id="-".join((one[0].__name__, *one[1:]))) for one in every_change()]


def read(endpoint, value):
    return decode(endpoint, Answer(200, [], orjson.dumps(value)), "u")


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_a_good_answer_is_read_whole_and_kept_as_it_came(kind):
    """Every field is read; `raw` is the answer, with what is not known here."""
    answer = good(kind) | {"brand_new": {"x": 1}}
    value = READER.structure(answer, kind)
    assert value.raw == answer
    assert [f.name for f in fields_of(kind) if getattr(value, f.name) in (None, [])] == []
    assert value == READER.structure(good(kind), kind)


@pytest.mark.parametrize(("kind", "field", "change"), CHANGES)
def test_one_odd_field(kind, field, change):
    """A field with a default keeps it where it cannot be read; one without is an error that names it. No text is ever "None"."""
    answer = changed(kind, field, change)
    [told] = [one for one in fields_of(kind) if one.name == field]
    try:
        value = READER.structure(answer, kind)
    except UNREADABLE:
        assert told.default is attrs.NOTHING
        return
    assert value.raw == answer
    assert getattr(value, field) != "None"
    others = [one.name for one in fields_of(kind) if one.name != field]
    whole = READER.structure(good(kind), kind)
    assert [getattr(value, name) for name in others] == [getattr(whole, name) for name in others]


@pytest.mark.parametrize(
    ("kind", "odd", "expected"),
    [
        (DeploymentDescription, {"tags": None}, ("tags", [])),
        (DeploymentDescription, {"tags": ["a", "b"]}, ("tags", [])),
        (DeploymentDescription, {"target_datalake_id": {"id": "x"}}, ("target_datalake_id", None)),
        (DeploymentDescription, {"shadow_model_version_id": ""}, ("shadow_model_version_id", None)),
        (DataDescription, {"data_source": "camera"}, ("data_source", None)),
        (PredictedAssetDescription, {"reviews": ["an-id"]}, ("reviews", [])),
    ],
)
def test_what_services_are_known_to_answer_otherwise(kind, odd, expected, caplog):
    """The field is None or empty, with one line in the log; the answer has it as it came."""
    caplog.set_level(logging.DEBUG, "picsellia_async")
    value = READER.structure(good(kind) | odd, kind)
    name, wanted = expected
    assert getattr(value, name) == wanted
    [(key, came)] = odd.items()
    assert value.raw[key] == came
    assert len(caplog.records) == (0 if came is None else 1)


def test_an_odd_item_does_not_fail_a_list(caplog):
    """It is left out, counted, and told once."""
    page = read(LIST_DEPLOYMENTS, {"items": [good(DeploymentDescription), {"id": None}, "odd"], "count": 3})
    assert (len(page.items), page.odd, page.size, page.count) == (1, 2, 3, 3)
    [record] = caplog.records
    assert "2 of 3 items of a list of DeploymentDescription" in record.getMessage()


def test_a_list_of_nothing_but_odd_items_is_an_error():
    """Then it is another kind of list, and an empty one would hide it."""
    with pytest.raises(DecodeError):
        read(LIST_DEPLOYMENTS, {"items": [{"id": None}]})


@pytest.mark.parametrize("nothing", [[], "", {}])
def test_a_list_of_nothing(nothing):
    """Some services write it as an empty text or object; whatever else is no list is an error."""
    assert read(LIST_DEPLOYMENTS, {"items": nothing}).items == []
    with pytest.raises(DecodeError):
        read(LIST_DEPLOYMENTS, {"items": {"id": 1}})


def test_words_that_came_up_later_are_members():
    """A status that this release does not know has the name and value that the service gave it."""
    data = read(GET_DATA, good(DataDescription) | {"upload_status": "QUARANTINED"})
    assert (data.upload_status.name, data.upload_status.value) == ("QUARANTINED", "QUARANTINED")
    assert data.upload_status == "QUARANTINED"
    assert isinstance(data.upload_status, DataUploadStatus)
    assert read(FIND_DEPLOYMENT, good(DeploymentDescription) | {"type": "mask"}).type is InferenceType.MASK


def test_an_update_keeps_what_it_does_not_repeat():
    """Fields of the answer take the place of the old ones, in the value and in what it came as."""
    before = READER.structure(good(DeploymentDescription) | {"brand_new": 1}, DeploymentDescription)
    after = updated(before, {"name": "other", "min_threshold": None, "newer": 2})
    assert (after.name, after.min_threshold, after.oracle_host) == ("other", None, before.oracle_host)
    assert (after.raw["brand_new"], after.raw["newer"], after.raw["name"]) == (1, 2, "other")
    assert updated(attrs.evolve(before, raw={}), {"name": "x"}).id == uuid.UUID(int=7)


def test_an_answer_about_an_object_may_leave_its_id_out():
    """Who asks for an object knows its id; the answer is kept as it came. Where nobody said an id, it has to be there."""
    for change in ("null", "absent"):
        answer = changed(DataDescription, "id", change)
        asked = uuid.UUID(int=9)
        data = decode(GET_DATA, Answer(200, [], orjson.dumps(answer)), "u", subject=asked)
        assert (data.id, data.raw) == (asked, answer)
        with pytest.raises(DecodeError):
            read(FIND_DEPLOYMENT, changed(DeploymentDescription, "id", change))
    before = READER.structure(good(DeploymentDescription), DeploymentDescription)
    assert updated(before, {"id": None, "name": "other"}).id == before.id
