"""Descriptions are values: equal by content, usable as keys, readable, and silent about secrets."""

from __future__ import annotations

import copy
import pickle
import uuid

import attrs
import pytest

from picsellia_async.enums import TagTarget
from picsellia_async.models import LoginReceipt, Organization, TagDescription

ID = uuid.UUID(int=7)


def test_descriptions_are_equal_by_their_fields():
    """The same content is equal and one key; another content, or another kind of the same content, is not."""
    first = Organization(id=ID, name="acme")
    assert first == Organization(id=ID, name="acme")
    assert len({first, Organization(id=ID, name="acme")}) == 1
    assert first != attrs.evolve(first, name="other")
    assert first != TagDescription(id=ID, name="acme", target_type=TagTarget.DATA)
    assert first != "acme"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_of_descriptions_are_equal(again):
    """They travel between processes."""
    value = Organization(id=ID, name="acme", default_connector_id=ID)
    assert again(value) == value


def test_descriptions_are_frozen_and_read_like_the_call_that_makes_them():
    """Nobody changes what the platform said; its repr can be pasted."""
    value = Organization(id=ID, name="acme")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.name = "other"
    assert repr(value) == f"Organization(id={ID!r}, name='acme', default_connector_id=None)"


def test_a_secret_is_not_shown():
    """A field that must not be logged is not in the repr."""
    assert repr(LoginReceipt(jwt="secret")) == "LoginReceipt(expires=None)"
