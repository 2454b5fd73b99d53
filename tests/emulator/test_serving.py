"""Serving: predictions are inventions, but always the same ones, inside the image, and monitored where that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from picsellia_async.emulator.domain.fake_predictions import above_threshold, invent
from picsellia_async.emulator.domain.pictures import make_png, size_of
from picsellia_async.emulator.seed import CLOUD_OBJECT
from picsellia_async.predictions import PREDICTION_FORMATS

from ..support.images import jpeg
from .conftest import JPEG, Wire

pytestmark = pytest.mark.anyio

PNG = make_png(64, 48, 100)
SHAPES = ("detection_classes", "detection_texts", "detection_boxes", "detection_scores")


def without_latency(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in SHAPES}


async def cloud_image(wire: Wire, object_name: str) -> dict[str, str]:
    connector = await wire.ok("GET", f"{wire.deployment}/datalake/connector")
    return {
        "connector_id": connector["id"], "client_type": connector["client_type"],
        "bucket_name": connector["bucket_name"], "object_name": object_name,
    }  # fmt: skip


@pytest.mark.parametrize("type_", PREDICTION_FORMATS)
def test_inventions_are_valid_and_repeatable(type_: Any) -> None:
    """For every type of deployment they satisfy the format's own checks."""
    raw = invent(type_.value, (64, 48), 4, "seed")
    assert raw == invent(type_.value, (64, 48), 4, "seed") != invent(type_.value, (64, 48), 4, "other")
    PREDICTION_FORMATS[type_](**raw)
    for top, left, bottom, right in raw.get("detection_boxes", []):
        assert 0 <= top < bottom <= 48
        assert 0 <= left < right <= 64


def test_the_threshold_takes_whole_shapes_away() -> None:
    """Every list loses the same entries."""
    raw = {
        "detection_classes": [1, 2],
        "detection_texts": None,
        "detection_scores": [0.9, 0.2],
        "points": [[1, 2], [3, 4]],
    }
    assert above_threshold(raw, 0.5) == {
        "detection_classes": [1], "detection_texts": None, "detection_scores": [0.9], "points": [[1, 2]],
    }  # fmt: skip


def test_sizes_are_read_from_headers() -> None:
    """PNG and JPEG say their size; what is cut off or something else says nothing."""
    photo = jpeg(64, 48)
    assert size_of(PNG) == (64, 48)
    assert size_of(photo) == (64, 48)
    assert size_of(PNG[:20]) is size_of(photo[:12]) is size_of(b"GIF89a") is None


async def test_the_same_image_gets_the_same_prediction(wire: Wire) -> None:
    """Two answers differ in nothing but id and latency; another image gets another prediction."""
    first, second = (await wire.predict(PNG)).json(), (await wire.predict(PNG)).json()
    other = (await wire.predict(make_png(64, 48, 99))).json()
    assert without_latency(first) == without_latency(second) != without_latency(other)
    assert first["id"] != second["id"]
    assert (first["width"], first["height"]) == (64, 48)


async def test_a_monitored_prediction_becomes_an_asset(wire: Wire) -> None:
    """Its data carry the tags, the source and the metadata of the form."""
    answer = await wire.predict(
        PNG, tags=["a", "b"], source="cam", metadata='{"weather": "rain"}', custom_metadata='{"n": 1}', upload_dir="dir"
    )
    assert answer.status_code == 200
    query = {"oracle_prediction_id": answer.json()["id"]}
    asset = await wire.ok("GET", f"{wire.deployment}/predictedassets/find", params=query)
    data = asset["data"]
    assert [tag["name"] for tag in data["tags"]] == ["a", "b"]
    assert (data["data_source"]["name"], data["metadata"], data["custom_metadata"]) == (
        "cam",
        {"weather": "rain"},
        {"n": 1},
    )
    assert data["content_type"] == "image/png"
    assert data["object_name"].startswith("dir/")
    assert data["filename"] == "frame.png"


async def test_without_monitoring_nothing_is_stored(wire: Wire) -> None:
    """The answer has no id then."""
    answer = await wire.predict(PNG, monitor="False")
    assert "id" not in answer.json()
    assert (await wire.http.get("/emulator/predictions")).json()["count"] == 0


async def test_a_shadow_model_predicts_as_well(wire: Wire) -> None:
    """Champion and shadow differ, and both are on the asset."""
    [_, second] = await wire.versions("model")
    await wire.ok("POST", f"{wire.deployment}/shadow", {"model_version_id": second["id"]})
    answer = (await wire.predict(PNG)).json()
    assert answer["shadow"]["detection_boxes"] != answer["detection_boxes"]
    query = {"oracle_prediction_id": answer["id"]}
    found = await wire.ok("GET", f"{wire.deployment}/predictedassets/find", params=query)
    assert [prediction["is_shadow"] for prediction in found["predictions"]] == [False, True]


async def test_the_threshold_of_the_deployment_holds(wire: Wire) -> None:
    """No answer has a shape that scores lower."""
    await wire.ok("PATCH", wire.deployment, {"min_threshold": 0.8})
    for grey in range(8):
        assert all(score >= 0.8 for score in (await wire.predict(make_png(64, 48, grey))).json()["detection_scores"])


@pytest.mark.parametrize(
    ("fields", "image", "status"),
    [
        ({}, b"no image", 400),
        ({"monitor": "maybe"}, PNG, 422),
        ({"metadata": "[]"}, PNG, 422),
        ({"metadata": "{"}, PNG, 422),
        ({"colour": "red"}, PNG, 422),
    ],
    ids=["image", "boolean", "list", "json", "unknown"],
)
async def test_a_form_that_cannot_be_used_is_refused(
    wire: Wire, fields: dict[str, str], image: bytes, status: int
) -> None:
    """The status says whether the image or the form is to blame."""
    assert (await wire.predict(image, **fields)).status_code == status


async def test_a_form_without_image_or_no_form_is_refused(wire: Wire) -> None:
    """422 for the missing part, 400 for a body that is no form."""
    await wire.login("serving")
    path, headers = (
        f"/api/deployments/{wire.emulator.deployment_id}/predict",
        {"Authorization": f"Bearer {wire.jwts['serving']}"},
    )
    form = {"monitor": (None, b"True"), "postprocess": (None, b"True")}
    assert (await wire.http.post(path, files=form, headers=headers)).status_code == 422
    assert (await wire.http.post(path, content=b"{}", headers=headers)).status_code == 400
    broken = {**headers, "Content-Type": "multipart/form-data; boundary=x"}
    assert (await wire.http.post(path, content=b"--y\r\n", headers=broken)).status_code == 400


async def test_a_cloud_image_is_predicted_on(wire: Wire) -> None:
    """It is read from the storage; what is not there is a 404; a second time is a conflict."""
    body = {"tags": ["t"], "monitor": True, "postprocess": True, "source": "cam"}
    path = f"/api/v2/deployments/{wire.emulator.deployment_id}/predict"
    image = await cloud_image(wire, CLOUD_OBJECT)
    answer = await wire.on("serving", "POST", path, {**body, "cloud_image": image})
    assert answer.status_code == 200
    asset = await wire.ok("GET", f"{wire.deployment}/predictedassets/find", params={"object_name": CLOUD_OBJECT})
    assert asset["oracle_prediction_id"] == answer.json()["id"]
    assert (await wire.on("serving", "POST", path, {**body, "cloud_image": image})).status_code == 409
    missing = {**image, "object_name": "nowhere.jpg"}
    assert (await wire.on("serving", "POST", path, {**body, "cloud_image": missing})).status_code == 404
    unmonitored = await wire.on("serving", "POST", path, {**body, "monitor": False, "cloud_image": image})
    assert "id" not in unmonitored.json()


async def test_the_shadow_model_predicts_later(wire: Wire) -> None:
    """Without a shadow model it is refused; with one the answer has shapes, and monitored it is on the asset, once."""
    answer = (await wire.predict(PNG)).json()
    query = {"oracle_prediction_id": answer["id"]}
    asset = await wire.ok("GET", f"{wire.deployment}/predictedassets/find", params=query)
    body = {
        "prediction_id": answer["id"], "monitor": False, "cloud_image": await cloud_image(wire, asset["data"]["object_name"]),
    }  # fmt: skip
    path = f"/api/v2/deployments/{wire.emulator.deployment_id}/predict/shadow"
    assert (await wire.on("serving", "POST", path, body)).status_code == 400
    [_, second] = await wire.versions("model")
    await wire.ok("POST", f"{wire.deployment}/shadow", {"model_version_id": second["id"]})
    shown = await wire.on("serving", "POST", path, body)
    assert shown.json()["detection_boxes"]
    assert len((await wire.ok("GET", f"/api/predicted/asset/{asset['id']}"))["predictions"]) == 1
    monitored = {**body, "monitor": True}
    assert (await wire.on("serving", "POST", path, monitored)).status_code == 200
    assert len((await wire.ok("GET", f"/api/predicted/asset/{asset['id']}"))["predictions"]) == 2
    assert (await wire.on("serving", "POST", path, monitored)).status_code == 409


async def test_a_monitored_body_that_is_no_image_cannot_be_predicted_on(wire: Wire) -> None:
    """Serving opens images, as opposed to monitoring."""
    [_, second] = await wire.versions("model")
    await wire.ok("POST", f"{wire.deployment}/shadow", {"model_version_id": second["id"]})
    asset = await wire.asset(raw=b"no image")
    image = await cloud_image(wire, asset["data"]["object_name"])
    body = {"prediction_id": asset["oracle_prediction_id"], "monitor": True, "cloud_image": image}
    path = f"/api/v2/deployments/{wire.emulator.deployment_id}/predict/shadow"
    assert (await wire.on("serving", "POST", path, body)).status_code == 400


async def test_a_deployment_without_serving_does_not_predict(wire: Wire) -> None:
    """Its serving host is null."""
    [first, _] = await wire.versions("model")
    body = {"model_version_id": first["id"], "name": "monitor-only", "disable_serving": True}
    created = await wire.ok("POST", f"{wire.organization}/deployments", body)
    assert created["serving_host"] is None
    await wire.login("serving", deployment_id=created["id"])
    headers = {"Authorization": f"Bearer {wire.jwts['serving']}"}
    answer = await wire.http.post(f"/api/deployments/{created['id']}/predict", files={"media": JPEG}, headers=headers)
    assert answer.status_code == 400
