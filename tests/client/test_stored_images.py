"""Predicting and monitoring images that the storage has, and shadow predictions."""

from __future__ import annotations

import asyncio
import json
import time

import attrs
import pytest

from picsellia_async import (
    ConfigurationError,
    ConflictError,
    DetectionPredictionFormat,
    Frame,
    PointPredictionFormat,
    RetryPolicy,
    TransportError,
)
from picsellia_async.emulator import Emulator, Fault
from picsellia_async.emulator.domain.pictures import make_png

from ..support.client import ONE_BOX, calls

pytestmark = pytest.mark.anyio

IMAGE = make_png(8, 6, 0)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
SHADOW = DetectionPredictionFormat([1], [[2, 3, 4, 5]], [0.8])
OBJECT = "directory/s3/object-name.jpeg"


async def monitor(deployment, name="f.png", **options):
    return await deployment.monitor_bytes(PNG, "image/png", name, 0.02, 480, 640, ONE_BOX, **options)


async def test_monitor_a_cloud_image(deployment, emulator):
    """The connector is fetched once; a second prediction on the same object is a conflict."""
    answer = await deployment.monitor_cloud_image(
        OBJECT, 0.02, 48, 64, ONE_BOX, "image/jpeg", "cam", ["t"], time.time(), metadata={"weather": "rain"}
    )
    asset = await deployment.find_predicted_asset(oracle_prediction_id=answer["id"])
    assert (asset.object_name, asset.filename) == (OBJECT, "object-name.jpeg")
    with pytest.raises(ConflictError):
        await deployment.monitor_cloud_image(OBJECT, 0.02, 48, 64, ONE_BOX, "image/jpeg")
    assert len(calls(emulator, "get_deployment_connector")) == 1


async def test_the_connector_is_asked_for_anew_after_the_datalake_changed(client, deployment, emulator):
    """The vendor's SDK goes on with the old one for ever (docs/wire.md#vendor-quirks)."""
    await deployment.predict_cloud_image(OBJECT, monitor=False)
    await deployment.update(target_datalake=await client.get_datalake())
    await deployment.predict_cloud_image(OBJECT, monitor=False)
    assert len(calls(emulator, "get_deployment_connector")) == 2


async def test_many_cloud_images_at_once_ask_for_the_connector_once(deployment, emulator):
    """Whoever comes while the question is under way waits for its answer."""
    await asyncio.gather(*(deployment.predict_cloud_image(OBJECT, monitor=False) for _ in range(5)))
    assert len(calls(emulator, "get_deployment_connector")) == 1


async def test_hosts_that_moved_are_called_where_they_are_now(deployment, emulator):
    """After a sync that names other hosts both services are called there, signed in anew."""
    await monitor(deployment)
    await deployment.predict_bytes("f.png", IMAGE, monitor=False)
    async with Emulator() as moved:
        user = moved.state.store.documents.find("user", username="user")
        user["api_token"] = emulator.api_token
        names = ("id", "name", "type")
        told = {name: str(getattr(deployment.description, name)) for name in names}
        body = json.dumps(told | {"oracle_host": moved.url, "serving_host": moved.url})
        emulator.faults.add(Fault(kind="status", status=200, body=body, endpoint="get_deployment", times=1))
        await deployment.sync()
        await monitor(deployment)
        await deployment.predict_bytes("f.png", IMAGE, monitor=False)
        for endpoint in ("oracle_login", "monitor", "serving_login", "predict"):
            assert len(calls(moved, endpoint)) == len(calls(emulator, endpoint)) == 1, endpoint


async def test_a_frame_brings_all_its_fields(deployment, emulator):
    """What the uploader sends of a frame is what `monitor_bytes` sends of the same arguments."""
    common = {
        "latency": 0.25, "height": 48, "width": 64, "prediction": ONE_BOX, "source": "cam", "tags": ["a", "b"],
        "timestamp": 1700000000.5, "shadow_latency": 0.5, "shadow_prediction": SHADOW, "metadata": {"weather": "rain"},
        "upload_dir": "up", "custom_metadata": {"n": 1}, "sample": True, "custom_metrics": {"q": 2},
    }  # fmt: skip
    await deployment.monitor_bytes(PNG, "image/png", "one.png", **common)
    report = await deployment.monitor_many([Frame(image=PNG, filename="two.png", **common)])
    assert report.is_complete
    first, second = emulator.state.store.predictions.select()
    own = {"id", "seq", "filename", "object_name", "asset_id", "data_id", "received_at", "visible_at"}
    as_dicts = [attrs.asdict(row, filter=lambda field, _: field.name not in own) for row in (first, second)]
    assert as_dicts[0] == as_dicts[1]
    data = [(await deployment.find_predicted_asset(filename=f"{name}.png")).description.data for name in ("one", "two")]
    assert [one.object_name.partition("/")[0] for one in data] == ["up", "up"]
    assert data[0].custom_metadata == data[1].custom_metadata == {"n": 1}
    assert json.loads(second.custom_metrics) == {"q": 2}


async def test_monitor_and_predict_data(client, deployment):
    """Data of the datalake is monitored and predicted on without its bytes."""
    first, second, *_ = await (await client.get_datalake()).list_data()
    answer = await deployment.monitor_data(first, 0.02, 48, 64, ONE_BOX, ["t"])
    asset = await deployment.find_predicted_asset(data_id=first.id)
    assert str(asset.oracle_prediction_id) == answer["id"]
    await deployment.predict_data(second, tags="seen", monitor=True)
    assert (await deployment.find_predicted_asset(data_id=second.id)).data_id == second.id
    with pytest.raises(ConfigurationError, match="data must be a Data, got"):
        await deployment.monitor_data(asset, 0.02, 48, 64, ONE_BOX)


async def test_shadow_predictions(deployment, versions):
    """Beside the champion's prediction, by asset or by id; a second one is a conflict; another type is refused."""
    await deployment.set_shadow_model(versions[1])
    first, second = await monitor(deployment, "1.png"), await monitor(deployment, "2.png")
    asset = await deployment.find_predicted_asset(oracle_prediction_id=first["id"])
    await deployment.monitor_shadow(asset, 0.1, SHADOW)
    await deployment.monitor_shadow_from_oracle_prediction_id(second["id"], 0.1, SHADOW)
    shadow, champion = await asset.get_shadow_prediction(), await asset.get_champion_prediction()
    assert shadow["is_shadow"] is True
    assert champion["is_shadow"] is False
    with pytest.raises(ConflictError):
        await deployment.monitor_shadow(asset, 0.1, SHADOW)
    third = await monitor(deployment, "3.png")
    with pytest.raises(ConfigurationError, match="shadow_prediction is for POINT deployments"):
        await deployment.monitor_shadow_from_oracle_prediction_id(
            third["id"], 0.1, PointPredictionFormat([0], [0.5], [[1, 2]])
        )
    with pytest.raises(ConfigurationError, match="oracle_prediction_id must be a UUID or its text, got 'x'"):
        await deployment.monitor_shadow_from_oracle_prediction_id("x", 0.1, SHADOW)
    asset = await deployment.find_predicted_asset(oracle_prediction_id=third["id"])
    assert await deployment.predict_shadow(asset)
    assert (await asset.get_shadow_prediction())["is_shadow"] is True


@pytest.mark.parametrize(
    ("endpoint", "call"),
    [
        ("predict", lambda d, _, monitor: d.predict_bytes("f.png", IMAGE, monitor=monitor)),
        ("predict_cloud_image", lambda d, _, monitor: d.predict_cloud_image(OBJECT, monitor=monitor)),
        ("predict_shadow", lambda d, asset, monitor: d.predict_shadow(asset, monitor=monitor)),
    ],
    ids=["bytes", "stored", "shadow"],
)
async def test_a_prediction_whose_answer_was_lost(endpoint, call, client, versions, emulator):
    """It is asked for again where nothing was stored; what is monitored would be stored twice."""
    quick = client.with_options(retry=RetryPolicy(backoff_initial=0.01, backoff_max=0.01))
    deployment = await quick.get_deployment(emulator.deployment_name)
    await deployment.predict_bytes("asset.png", IMAGE)
    asset = await deployment.find_predicted_asset(filename="asset.png")
    await deployment.set_shadow_model(versions[1])
    lost = Fault(kind="stored_then_dropped", endpoint=endpoint, times=1)
    emulator.journal.clear()
    emulator.faults.add(lost)
    assert await call(deployment, asset, False)
    assert len(calls(emulator, endpoint)) == 2
    emulator.faults.clear()
    emulator.faults.add(lost)
    with pytest.raises(TransportError) as caught:
        await call(deployment, asset, True)
    assert caught.value.request_sent
    assert len(calls(emulator, endpoint)) == 3
