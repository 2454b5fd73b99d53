"""Predicted assets: found, read, reviewed."""

from __future__ import annotations

from uuid import uuid4

import attrs
import pytest

from picsellia_async import ConfigurationError, DetectionPredictionFormat, NotFoundError, StatusError
from picsellia_async._wire.reader import READER
from picsellia_async.errors import UndefinedObjectError
from picsellia_async.models import AssetDescription, PredictedAssetDescription
from picsellia_async.resources.data import Data
from picsellia_async.resources.dataset import Asset
from picsellia_async.resources.predicted_asset import PredictedAsset

from ..support.client import ONE_BOX, calls

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


async def monitor(deployment, name="f.png", **options):
    return await deployment.monitor_bytes(PNG, "image/png", name, 0.02, 480, 640, ONE_BOX, **options)


async def test_find_predicted_assets(deployment, emulator):
    """Each criterion finds it; none is refused; two matches are an error of the platform's."""
    answer = await monitor(deployment, "cam.png", metadata={"weather": "rain"}, custom_metadata={"line": 1})
    asset = await deployment.find_predicted_asset(oracle_prediction_id=answer["id"])
    assert asset.deployment_id == deployment.id
    assert (asset.width, asset.height, asset.metadata, asset.custom_metadata) == (
        640, 480, {"weather": "rain"}, {"line": 1},
    )  # fmt: skip
    for criterion in (
        {"id": str(asset.id)},
        {"object_name": asset.object_name},
        {"filename": "cam.png"},
        {"data_id": asset.data_id},
    ):
        assert await deployment.find_predicted_asset(**criterion) == asset
    assert await deployment.find_predicted_asset(asset.id) == asset
    with pytest.raises(NotFoundError):
        await deployment.find_predicted_asset(id=uuid4())
    await monitor(deployment, "cam.png")
    with pytest.raises(StatusError) as caught:
        await deployment.find_predicted_asset(filename="cam.png")
    assert caught.value.status == 400
    before = len(emulator.journal)
    with pytest.raises(
        ConfigurationError, match="give at least one of id, oracle_prediction_id, object_name, filename"
    ):
        await deployment.find_predicted_asset()
    with pytest.raises(ConfigurationError, match="id must be a UUID or its text, got '12'"):
        await deployment.find_predicted_asset(id="12")
    assert len(emulator.journal) == before


async def test_what_an_asset_can_do(deployment):
    """Its data, its address, its reviews; deleted, it is gone and its data stays."""
    answer = await monitor(deployment)
    asset = await deployment.find_predicted_asset(oracle_prediction_id=answer["id"])
    data = await asset.get_data()
    assert (data.id, data.filename) == (asset.data_id, "f.png")
    assert (await asset.reset_url()).startswith("http")
    assert await asset.get_review() is None
    assert await asset.get_shadow_prediction() is None
    label = (await deployment.list_labels())[0]
    await asset.add_review(rectangles=[(1, 2, 3, 4, label)])
    assert await asset.get_review()
    await asset.delete()
    with pytest.raises(NotFoundError):
        await asset.sync()
    await data.sync()


async def test_reviews_that_are_refused(deployment, emulator):
    """Shapes that cannot be read are named by field and index, and nothing is sent."""
    await monitor(deployment)
    [asset] = await deployment.list_predicted_assets()
    label = (await deployment.list_labels())[0]
    for shapes, message in (
        ({"rectangles": [(1, 2, 3, label)]}, r"rectangles\[0\] must be \(x, y, width, height, label\)"),
        ({"rectangles": [(1, 2, 3, 4, "car")]}, r"rectangles\[0\] must be a Label, got 'car'"),
        ({"rectangles": [("a", 2, 3, 4, label)]}, r"rectangles\[0\]\[0\] must be a finite number, got 'a'"),
        ({"polygons": [([[1, 2, 3]], label)]}, r"polygons\[0\]\[0\] must be \[x, y\]"),
        ({"points": [([1], label)]}, r"points\[0\] must be \[x, y\]"),
        ({"lines": [[[1, 2]]]}, r"lines\[0\] must be \(\[\[x, y\], ...\], label\)"),
        ({"classifications": ["car"]}, r"classifications\[0\] must be a Label"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            await asset.add_review(**shapes)
    assert calls(emulator, "add_review") == []


@pytest.mark.parametrize(
    "meta",
    [
        None,
        "text",
        [],
        {},
        {"width": 5},
        {"width": 5, "height": 20},
        {"width": 20, "height": 0},
        {"width": -1, "height": -1},
    ],
)
async def test_a_size_that_no_image_has_holds_up_no_call(deployment, client, meta):
    """What the platform says of the size is held against shapes; where that is odd or a placeholder, nothing is."""
    prediction = DetectionPredictionFormat([0], [[100, 200, 130, 240]], [0.5])
    [stored] = await (await client.get_datalake()).list_data(limit=1)
    await monitor(deployment, "cam.png")
    found = await deployment.find_predicted_asset(filename="cam.png")
    said = READER.structure({**found.raw, "data": {**found.raw["data"], "meta": meta}}, PredictedAssetDescription)
    asset = PredictedAsset(said, client._account, deployment.id)
    [label, *_] = await deployment.list_labels()
    await asset.add_review(rectangles=[(100, 200, 30, 40, label)])
    await deployment.monitor_shadow(asset, 0.1, prediction)
    data = Data(attrs.evolve(stored.description, meta=said.data.meta), client._account)
    assert await deployment.monitor_data(data, 0.1, 480, 640, prediction)


async def test_an_asset_whose_data_has_no_id(deployment, client, emulator):
    """It is read, with all that is said of its image; what would ask for the image names what is missing, and sends nothing."""
    await monitor(deployment, "cam.png")
    said = (await deployment.find_predicted_asset(filename="cam.png")).description
    nameless = attrs.evolve(said, data=attrs.evolve(said.data, id=None))
    asset = PredictedAsset(nameless, client._account, deployment.id)
    in_dataset = Asset(AssetDescription(id=said.id, data=nameless.data), client._account)
    assert (asset.data_id, in_dataset.data_id, asset.filename, in_dataset.filename) == (None, None, *["cam.png"] * 2)
    before = len(emulator.journal)
    for ask in (asset.get_data, asset.reset_url):
        with pytest.raises(UndefinedObjectError, match=r"id of the data 'cam\.png' behind this asset"):
            await ask()
    with pytest.raises(UndefinedObjectError):
        _ = in_dataset.data
    assert len(emulator.journal) == before
