"""Predicted assets: found, listed, reviewed, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Wire, change

pytestmark = pytest.mark.anyio

NOWHERE = "7b41e5a5-bdac-4ef5-9729-bbdb2b0ceec7"


async def test_an_asset_is_found_by_each_of_its_properties(wire: Wire) -> None:
    """Id, oracle prediction id, object name, file name, data id, and all of them together."""
    asset = await wire.asset(filename="one.jpg")
    await wire.asset(filename="two.jpg")
    path = f"{wire.deployment}/predictedassets/find"
    keys = {
        "id": asset["id"], "oracle_prediction_id": asset["oracle_prediction_id"], "filename": "one.jpg",
        "object_name": asset["data"]["object_name"], "data_id": asset["data"]["id"],
    }  # fmt: skip
    for query in [*({key: value} for key, value in keys.items()), keys]:
        assert (await wire.ok("GET", path, params=query))["id"] == asset["id"]
    await wire.refused(404, "GET", path, params={**keys, "filename": "two.jpg"})
    await wire.refused(422, "GET", path)
    await wire.refused(422, "GET", path, params={"id": "x"})


async def test_two_that_match_are_no_answer(wire: Wire) -> None:
    """A file name that two assets have is a bad request."""
    await wire.asset()
    await wire.asset()
    text = await wire.refused(400, "GET", f"{wire.deployment}/predictedassets/find", params={"filename": "frame.jpg"})
    assert "more than one" in text


async def test_a_list_holds_no_predictions(wire: Wire) -> None:
    """Only the single asset shows predictions and reviews; newest first."""
    first, second = await wire.asset(), await wire.asset()
    listed = await wire.ok("GET", f"{wire.deployment}/predictedassets")
    assert [item["id"] for item in listed["items"]] == [second["id"], first["id"]]
    assert "predictions" not in listed["items"][0]
    assert listed["items"][0]["data"]["meta"] == {"width": 64, "height": 48}


async def test_filters_on_custom_metadata_and_queries(wire: Wire) -> None:
    """`custom_metadata` and `q` choose, and `count` says how many."""
    for number in range(6):
        await wire.asset(
            filename=f"{number}.jpg", custom_metadata={"line": number % 2}, latency=number / 10, tags=["t"]
        )
    path = f"{wire.deployment}/predictedassets"
    listed = await wire.ok("GET", path, params={"custom_metadata": '{"line": 1}', "limit": 2})
    assert [item["data"]["filename"] for item in listed["items"]] == ["5.jpg", "3.jpg"]
    assert listed["count"] == 3
    rest = await wire.ok(
        "GET", path, params={"custom_metadata": '{"line": 1}', "limit": 2, "cursor": listed["next_cursor"]}
    )
    assert [item["data"]["filename"] for item in rest["items"]] == ["1.jpg"]
    assert rest["next_cursor"] is None
    query = 'data.filename in ("0.jpg", "4.jpg") and latency >= 0.4 and data.tags.name = "t"'
    listed = await wire.ok("GET", path, params={"q": query})
    assert [item["data"]["filename"] for item in listed["items"]] == ["4.jpg"]
    await wire.refused(400, "GET", path, params={"q": "colour = 1"})
    await wire.refused(400, "GET", path, params={"q": "filename ="})
    await wire.refused(422, "GET", path, params={"custom_metadata": "[1]"})
    await wire.refused(422, "GET", path, params={"types": "FILM"})


async def label_id(wire: Wire, name: str = "car") -> str:
    labels = (await wire.ok("GET", f"{wire.deployment}/labels"))["items"]
    return str(next(label["id"] for label in labels if label["name"] == name))


async def test_a_review_is_final(wire: Wire) -> None:
    """It is shown with its labels; a second one is a conflict."""
    asset = await wire.asset()
    shape = {"x": 2, "y": 1, "w": 20, "h": 10, "label_id": await label_id(wire)}
    path = f"/api/predicted/asset/{asset['id']}"
    added = await wire.ok("POST", f"{path}/reviews", {"rectangles": [shape]})
    shown = await wire.ok("GET", path)
    assert shown["reviews"] == [added]
    assert added["rectangles"][0]["label"]["name"] == "car"
    assert {key: added["rectangles"][0][key] for key in "xywh"} == {"x": 2, "y": 1, "w": 20, "h": 10}
    assert shown["status"] == "REVIEWED"
    await wire.refused(409, "POST", f"{path}/reviews", {})


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"label_id": NOWHERE}, 404),
        ({"label": "car"}, 422),
        ({"x": "left"}, 422),
        ({"depth": 1}, 422),
    ],
    ids=["unknown label", "field of old versions", "text for a number", "unknown field"],
)
async def test_a_broken_review_is_refused(wire: Wire, change: dict[str, Any], status: int) -> None:
    """And can be sent again, mended."""
    asset = await wire.asset()
    shape = {"x": 2, "y": 1, "w": 20, "h": 10, "label_id": await label_id(wire), **change}
    path = f"/api/predicted/asset/{asset['id']}/reviews"
    await wire.refused(status, "POST", path, {"rectangles": [shape]})
    await wire.ok("POST", path, {})


async def test_shapes_of_another_type_are_refused(wire: Wire) -> None:
    """Points do not review boxes."""
    asset = await wire.asset()
    shape = {"point": [1, 2], "label_id": await label_id(wire)}
    await wire.refused(400, "POST", f"/api/predicted/asset/{asset['id']}/reviews", {"points": [shape]})


@pytest.mark.parametrize(
    ("type_", "kind", "shape"),
    [
        ("SEGMENTATION", "polygons", {"polygon": [[1, 2], [3, 4], [5, 6]]}),
        ("LINE", "lines", {"line": [[1, 2], [3, 4]]}),
        ("POINT", "points", {"point": [1, 2]}),
        ("CLASSIFICATION", "classifications", {}),
    ],
)
async def test_every_kind_of_shape_can_be_reviewed(wire: Wire, type_: str, kind: str, shape: dict[str, Any]) -> None:
    """On a deployment of its type; a point without y is refused."""
    asset = await wire.asset()
    change(wire.emulator, "deployment", wire.emulator.deployment_id, type=type_)
    path = f"/api/predicted/asset/{asset['id']}/reviews"
    label = await label_id(wire)
    if type_ == "POINT":
        await wire.refused(422, "POST", path, {kind: [{"point": [1], "label_id": label}]})
    review = await wire.ok("POST", path, {kind: [{**shape, "label_id": label}]})
    assert {key: review[kind][0][key] for key in shape} == shape


async def test_a_deleted_asset_leaves_its_data(wire: Wire) -> None:
    """The asset is a 404 from then on; its data and the count of monitoring stay."""
    asset = await wire.asset()
    await wire.ok("DELETE", f"/api/predicted/asset/{asset['id']}", status=204)
    await wire.refused(404, "GET", f"/api/predicted/asset/{asset['id']}")
    await wire.refused(404, "DELETE", f"/api/predicted/asset/{asset['id']}")
    await wire.ok("GET", f"/api/data/{asset['data']['id']}")
    assert (await wire.http.get("/emulator/predictions")).json()["count"] == 1


async def test_deleted_data_take_their_asset_along(wire: Wire) -> None:
    """The data are a 404, and so is the asset."""
    asset = await wire.asset()
    await wire.ok("DELETE", f"/api/data/{asset['data']['id']}", status=204)
    await wire.refused(404, "GET", f"/api/data/{asset['data']['id']}")
    await wire.refused(404, "GET", f"/api/predicted/asset/{asset['id']}")
    assert (await wire.ok("GET", f"{wire.deployment}/predictedassets"))["items"] == []
