"""The rule by which a frame is known again on the platform."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from picsellia_async._deployment.deduplication import FRAME_ID_KEY, is_among, look_up_query, with_frame_id
from picsellia_async._wire.oracle_requests import monitor_metadata
from picsellia_async.enums import DataType
from picsellia_async.models import AssetData, PredictedAssetDescription

from ..support.frames import make_frame

FRAME_ID = UUID("11111111-2222-4333-8444-555555555555")


def asset(custom_metadata: dict[str, Any] | None) -> PredictedAssetDescription:
    """Return a predicted asset of the name that every frame here has."""
    data = AssetData(
        id=uuid4(), object_name="o", filename="frame-000000.jpg", type=DataType.IMAGE, custom_metadata=custom_metadata
    )
    return PredictedAssetDescription(id=uuid4(), oracle_prediction_id=uuid4(), data=data)


@pytest.mark.parametrize(
    ("shown", "is_stored"),
    [
        ([], False),
        ([None], False),
        ([{}], False),
        ([{FRAME_ID_KEY: str(uuid4())}], False),
        ([{"n": str(FRAME_ID)}], False),
        ([{FRAME_ID_KEY: 7}], False),
        ([{FRAME_ID_KEY: str(FRAME_ID)}], True),
        ([None, {FRAME_ID_KEY: str(uuid4())}, {FRAME_ID_KEY: str(FRAME_ID), "n": 1}], True),
    ],
)
def test_only_an_asset_with_the_id_is_the_frame(shown: list[dict[str, Any] | None], is_stored: bool) -> None:
    """All of them have the frame's name; without its id none of them is the frame."""
    assert is_among(FRAME_ID, map(asset, shown)) is is_stored


def test_the_look_up_asks_for_the_id() -> None:
    """The platform is asked for predicted assets with this id, and for no more than one."""
    query = dict(look_up_query(FRAME_ID).first())
    assert (query["custom_metadata"], query["limit"]) == ({FRAME_ID_KEY: str(FRAME_ID)}, 1)


def test_the_id_is_added_to_what_the_frame_says() -> None:
    """The frame's own keys travel too, the frame stays as it is, and a foreign id under our key is replaced."""
    said = {"n": 1, FRAME_ID_KEY: "of another frame"}
    frame = make_frame(id=FRAME_ID, custom_metadata=said)
    assert with_frame_id(frame) == {"n": 1, FRAME_ID_KEY: str(FRAME_ID)}
    assert frame.custom_metadata == said
    assert with_frame_id(make_frame(id=FRAME_ID)) == {FRAME_ID_KEY: str(FRAME_ID)}


def test_the_request_keeps_the_order_of_the_wire() -> None:
    """A frame without custom metadata gets them at their place in the request, before the timestamp."""
    frame = make_frame(id=FRAME_ID, timestamp=1_700_000_000.5, custom_metrics={"q": 1})
    names = list(json.loads(monitor_metadata(frame, with_frame_id(frame))))
    assert names[-3:] == ["custom_metadata", "timestamp", "custom_metrics"]
