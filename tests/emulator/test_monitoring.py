"""Monitoring: what is taken, what is refused, and what becomes of it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from picsellia_async.emulator import Emulator

from .conftest import BOXES, JPEG, Wire, change

pytestmark = pytest.mark.anyio

FORMATS: dict[str, dict[str, Any]] = {
    "CLASSIFICATION": {},
    "OBJECT_DETECTION": {"detection_boxes": [[1, 2, 3, 4]]},
    "SEGMENTATION": {"detection_masks": [[[1, 2], [3, 4], [5, 6]]]},
    "LINE": {"lines": [[[1, 2], [3, 4]]]},
    "POINT": {"points": [[1, 2]]},
    "KEYPOINT": {"keypoints": [[[1, 2, 2], [3, 4, 1]]]},
    "MASK": {"detection_masks": ["PPYo1"]},
}


async def test_a_prediction_is_stored_with_everything(wire: Wire) -> None:
    """All fields of the request can be read back: on the control route, on the asset and on its data."""
    shadow = {**BOXES, "detection_scores": [0.1, 0.2]}
    receipt = await wire.monitored(
        source="cam-1", tags=["night", "rain"], metadata={"weather": "rain"}, custom_metadata={"line": 3}, timestamp=1.5,
        upload_dir="day/", shadow_latency=0.5, shadow_raw_predictions=shadow, sample=True, custom_metrics={"q": 1},
    )  # fmt: skip
    predictions = (await wire.http.get("/emulator/predictions")).json()
    assert predictions["count"] == 1
    item = predictions["items"][0]
    assert item["id"] == receipt["id"]
    assert item["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert (item["filename"], item["source"], item["tags"], item["timestamp"]) == (
        "frame.jpg", "cam-1", ["night", "rain"], 1.5,
    )  # fmt: skip
    assert item["deployment_id"] == wire.emulator.deployment_id
    assert item["is_image"] is True

    found = await wire.ok(
        "GET", f"{wire.deployment}/predictedassets/find", params={"oracle_prediction_id": receipt["id"]}
    )
    asset = await wire.ok("GET", f"/api/predicted/asset/{found['id']}")
    assert asset["custom_metrics"] == {"q": 1}
    data = asset["data"]
    assert data["meta"] == {"width": 64, "height": 48}
    assert data["content_type"] == "image/jpeg"
    assert data["metadata"] == {"weather": "rain"}
    assert data["custom_metadata"] == {"line": 3}
    assert data["data_source"]["name"] == "cam-1"
    assert [tag["name"] for tag in data["tags"]] == ["night", "rain"]
    assert data["object_name"].startswith("day/")
    champion, second = asset["predictions"]
    assert (champion["is_shadow"], second["is_shadow"]) == (False, True)
    assert champion["rectangles"][0]["label"]["name"] == "person"
    assert {key: champion["rectangles"][0][key] for key in "xywh"} == {"x": 2, "y": 1, "w": 20, "h": 10}
    assert second["latency"] == 0.5
    assert (await wire.http.get(data["presigned_url"])).content == JPEG


@pytest.mark.parametrize("type_", FORMATS)
async def test_every_prediction_format_has_its_deployment(wire: Wire, type_: str) -> None:
    """A deployment takes the format of its type, and no other."""
    change(wire.emulator, "deployment", wire.emulator.deployment_id, type=type_)
    common = {"detection_classes": [1], "detection_texts": None, "detection_scores": [0.5]}
    await wire.monitored(raw_predictions={**common, **FORMATS[type_]})
    wrong = "POINT" if type_ != "POINT" else "LINE"
    answer = await wire.monitor(raw_predictions={**common, **FORMATS[wrong]})
    assert answer.status_code == 400
    assert type_ in answer.text


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"width": 0}, 422),
        ({"width": "wide"}, 422),
        ({"latency": None}, 422),
        ({"content_type": "image/webp"}, 422),
        ({"unknown": 1}, 422),
        ({"tags": "night"}, 422),
        ({"raw_predictions": {**BOXES, "detection_boxes": [[1, 2, 3, 4]]}}, 422),
        ({"raw_predictions": {**BOXES, "detection_scores": [None, None]}}, 422),
        ({"raw_predictions": {}}, 400),
        ({"raw_predictions": {**BOXES, "masks": []}}, 400),
        ({"shadow_latency": 0.5}, 422),
        ({"shadow_latency": 0.5, "shadow_raw_predictions": {}}, 400),
        ({"image": "no base64!"}, 400),
        ({"image": "YQ"}, 400),
        ({"image": "data:image/jpeg;base64,YQ=="}, 400),
        ({"image": ""}, 400),
        ({"image": None}, 422),
    ],
    ids=str,
)
async def test_what_cannot_be_used_is_refused_and_not_stored(wire: Wire, changes: dict[str, Any], status: int) -> None:
    """The answer says what is wrong, and nothing is kept."""
    answer = await wire.monitor(None if "image" in changes else JPEG, **changes)
    assert answer.status_code == status, answer.text
    assert answer.json()["message"]
    assert (await wire.http.get("/emulator/predictions")).json()["count"] == 0


async def test_a_body_that_is_no_json_is_refused(wire: Wire) -> None:
    """The answer is 400, whatever the Content-Type says."""
    await wire.login()
    headers = {"Authorization": f"Bearer {wire.jwts['oracle']}", "Content-Type": "text/plain"}
    answer = await wire.http.post(f"{wire.deployment}/predictions", content=b"{", headers=headers)
    assert answer.status_code == 400


async def test_a_body_that_is_no_image_is_flagged() -> None:
    """As the documented service, the emulator takes it; only `strict_images` refuses it."""
    for is_strict, status in ((False, 201), (True, 400)):
        async with Emulator(strict_images=is_strict) as emulator:
            wire = Wire(emulator)
            async with wire.http:
                assert (await wire.monitor(b"no image")).status_code == status
                await wire.monitored(b"\x89PNG\r\n\x1a\n...")
                items = (await wire.http.get("/emulator/predictions")).json()["items"]
                assert [item["is_image"] for item in items] == ([True] if is_strict else [False, True])


async def test_loose_ignores_unknown_fields() -> None:
    """`loose` takes fields and query names that docs/wire.md does not know."""
    async with Emulator(loose=True) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            await wire.monitored(unknown=1, raw_predictions={**BOXES, "more": 1})
            await wire.ok("GET", f"{wire.organization}/deployments", params={"colour": "red"})


async def test_unknown_query_names_are_refused(wire: Wire) -> None:
    """A typo of the client fails at once."""
    text = await wire.refused(422, "GET", f"{wire.organization}/deployments", params={"colour": "red"})
    assert "colour" in text


async def test_the_same_bytes_twice_are_two_data(wire: Wire) -> None:
    """Bytes get a fresh object name each time, so they are no conflict."""
    first, second = await wire.asset(), await wire.asset()
    assert first["data"]["id"] != second["data"]["id"]
    assert first["data"]["object_name"] != second["data"]["object_name"]


async def connector(wire: Wire) -> dict[str, str]:
    found = await wire.ok("GET", f"{wire.deployment}/datalake/connector")
    return {"connector_id": found["id"], "client_type": found["client_type"], "bucket_name": found["bucket_name"]}


async def test_the_same_cloud_image_twice_is_a_conflict(wire: Wire) -> None:
    """The second time the answer is 409 with a message; the data that existed is used."""
    data = (await wire.ok("GET", f"/api/datalake/{await datalake_id(wire)}/datas"))["items"][0]
    image = {**await connector(wire), "object_name": data["object_name"]}
    receipt = await wire.monitored(None, cloud_image=image, tags=["seen"])
    asset = await wire.ok("GET", f"{wire.deployment}/predictedassets/find", params={"data_id": data["id"]})
    assert asset["oracle_prediction_id"] == receipt["id"]
    assert [tag["name"] for tag in asset["data"]["tags"]] == ["seen"]
    answer = await wire.monitor(None, cloud_image=image)
    assert answer.status_code == 409
    assert "already been processed" in answer.json()["message"]


async def datalake_id(wire: Wire) -> str:
    return (await wire.ok("GET", f"{wire.organization}/datalake"))["id"]


async def test_a_cloud_image_of_another_storage_is_refused(wire: Wire) -> None:
    """It has to be in the storage of the target datalake; image and cloud image exclude each other."""
    image = {**await connector(wire), "object_name": "a.jpg"}
    assert (await wire.monitor(None, cloud_image={**image, "bucket_name": "other"})).status_code == 400
    assert (await wire.monitor(JPEG, cloud_image=image)).status_code == 422
    assert (await wire.monitor(None)).status_code == 422
    assert (await wire.monitor(None, cloud_image=image)).status_code == 201


async def test_a_shadow_is_added_once(wire: Wire) -> None:
    """The answer is 201, the second time 409, and the asset has both predictions."""
    receipt = await wire.monitored()
    body = {"shadow_raw_predictions": BOXES, "shadow_latency": 0.1}
    path = f"/api/prediction/{receipt['id']}/shadow"
    assert (await wire.on("oracle", "POST", path, body)).status_code == 201
    answer = await wire.on("oracle", "POST", path, body)
    assert answer.status_code == 409
    assert answer.json()["message"]
    unknown = "/api/prediction/7b41e5a5-bdac-4ef5-9729-bbdb2b0ceec7/shadow"
    assert (await wire.on("oracle", "POST", unknown, body)).status_code == 404


async def test_a_sample_rate_of_zero_keeps_no_image(wire: Wire) -> None:
    """Monitoring still answers and counts; `sample=True` keeps the image whatever the rate, `sample=False` never."""
    await wire.ok("PATCH", wire.deployment, {"sample_rate": 0.0})
    first = await wire.monitored()
    kept = await wire.monitored(sample=True)
    await wire.ok("PATCH", wire.deployment, {"sample_rate": 1.0})
    dropped = await wire.monitored(sample=False)
    listed = await wire.ok("GET", f"{wire.deployment}/predictedassets")
    assert [item["oracle_prediction_id"] for item in listed["items"]] == [kept["id"]]
    for receipt in (first, dropped):
        query = {"oracle_prediction_id": receipt["id"]}
        await wire.refused(404, "GET", f"{wire.deployment}/predictedassets/find", params=query)
    assert (await wire.http.get("/emulator/predictions")).json()["count"] == 3


async def test_a_sample_rate_keeps_its_share() -> None:
    """About the given share is kept, the same one for the same seed."""
    kept = []
    for _ in range(2):
        async with Emulator(seed=7) as emulator:
            change(emulator, "deployment", emulator.deployment_id, sample_rate=0.25)
            await emulator.add_predictions(400)
            rows = emulator.state.store.predictions.select()
            kept.append([row.asset_id is not None for row in rows])
    assert kept[0] == kept[1]
    assert 60 < sum(kept[0]) < 140


async def test_assets_appear_after_the_visibility_delay() -> None:
    """A find right after monitoring is a 404 until the delay is over."""
    now = 1_700_000_000.0
    async with Emulator(visibility_delay=5.0, clock=lambda: now) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            receipt = await wire.monitored()
            path, query = f"{wire.deployment}/predictedassets/find", {"oracle_prediction_id": receipt["id"]}
            row = emulator.state.store.predictions.get(receipt["id"], "prediction")
            single = f"/api/predicted/asset/{row.asset_id}"
            await wire.refused(404, "GET", path, params=query)
            await wire.refused(404, "GET", single)
            await wire.refused(404, "POST", f"{single}/reviews", {})
            await wire.refused(404, "DELETE", single)
            assert (await wire.ok("GET", f"{wire.deployment}/predictedassets"))["count"] == 0
            now += 5.0
            assert (await wire.ok("GET", path, params=query))["oracle_prediction_id"] == receipt["id"]
            assert (await wire.ok("GET", single))["oracle_prediction_id"] == receipt["id"]


async def test_a_large_image_arrives_byte_for_byte(wire: Wire) -> None:
    """20 MB go through a worker thread and come back from the storage as they were."""
    image = JPEG + bytes(range(256)) * (20 * 2**20 // 256)
    receipt = await wire.monitored(image)
    asset = await wire.ok(
        "GET", f"{wire.deployment}/predictedassets/find", params={"oracle_prediction_id": receipt["id"]}
    )
    assert (await wire.http.get(asset["data"]["presigned_url"])).content == image


async def test_too_large_a_body_is_refused() -> None:
    """413 with an error body, whether the length is announced or not."""
    async with Emulator(max_body_bytes=10_000) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            answer = await wire.monitor(JPEG * 2000)
            assert answer.status_code == 413

            async def pieces() -> Any:
                for _ in range(20):
                    yield base64.b64encode(bytes(1000))

            headers = {"Authorization": f"Bearer {wire.jwts['oracle']}"}
            answer = await wire.http.post(f"{wire.deployment}/predictions", content=pieces(), headers=headers)
            assert answer.status_code == 413


async def test_information_tells_the_deployment(wire: Wire) -> None:
    """Monitoring knows name, type and count."""
    await wire.monitored()
    found = (await wire.on("oracle", "GET", wire.deployment)).json()
    assert (found["name"], found["type"], found["predictions_count"]) == ("awesome-deploy", "OBJECT_DETECTION", 1)
