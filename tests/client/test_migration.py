"""Code that was written for the vendor's SDK, with `await` before each call."""

from __future__ import annotations

import pytest

from picsellia_async import (
    BadRequestError,
    ConfigurationError,
    ContinuousTrainingTrigger,
    Data,
    DataType,
    DataUploadStatus,
    JobRunStatus,
    MonitoringConnectionError,
    PointPredictionFormat,
    PredictionMismatchError,
    UnprocessableData,
    UploadError,
)
from picsellia_async.emulator import Fault
from picsellia_async.emulator.domain.pictures import make_png

from ..support.client import PREDICTION, calls, monitor

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "options",
    [
        {"prediction": PointPredictionFormat([], [], [])},
        {"shadow_prediction": PREDICTION},
        {"shadow_prediction": PointPredictionFormat([], [], []), "shadow_latency": 0.1},
    ],
    ids=["type", "no latency", "type of the shadow"],
)
async def test_except_bad_request_catches_a_prediction_that_does_not_fit(deployment, emulator, options):
    """It is that in the vendor's SDK; nothing is sent, and the message has no status in it."""
    before = len(emulator.journal)
    arguments = {
        "raw_image": make_png(4, 4, 0),
        "content_type": "png",
        "filename": "f.png",
        "latency": 0.1,
        "height": 4,
        "width": 4,
    }
    with pytest.raises(BadRequestError) as caught:
        await deployment.monitor_bytes(**arguments | {"prediction": PREDICTION} | options)
    assert isinstance(caught.value, PredictionMismatchError)
    assert isinstance(caught.value, ConfigurationError)
    assert str(caught.value) == caught.value.message
    assert len(emulator.journal) == before


async def test_data_is_uploaded_and_waited_for(client, tmp_path):
    """One path gives one data, a list gives a list; `is_ready()` is called; waiting returns the status."""
    path = tmp_path / "a.png"
    path.write_bytes(make_png(4, 4, 0))
    datalake = await client.get_datalake()
    data = await datalake.upload_data(str(path), sizes=(4, 4))
    assert isinstance(data, Data)
    assert isinstance(await datalake.upload_data([path], sizes=(4, 4)), list)
    status = await data.wait_for_upload_done(0.0)
    assert (status, status.name, data.is_ready()) == (DataUploadStatus.DONE, "DONE", True)
    assert data.type is DataType.IMAGE


async def test_custom_metadata_of_a_handle_are_those_that_were_set(client):
    """Without another fetch."""
    [data] = await (await client.get_datalake()).list_data(limit=1)
    await data.update_custom_metadata({"line": 3})
    assert data.custom_metadata == data.raw["custom_metadata"] == {"line": 3}


async def test_addresses_are_used_while_they_are_good(client, deployment, emulator, tmp_path):
    """`url` is what the platform said; downloading asks for no other one."""
    await monitor(deployment)
    [asset] = await deployment.list_predicted_assets()
    [data, *_] = await (await client.get_datalake()).list_data()
    for number, handle in enumerate((asset, data)):
        before = len(calls(emulator, "get_data_url"))
        assert handle.url.startswith("http")
        path = await handle.download(tmp_path / str(number))
        assert path.stat().st_size > 0
        assert len(calls(emulator, "get_data_url")) == before
        assert await handle.reset_url() == handle.url


async def test_a_threshold_alone_counts_reviews(client, deployment, emulator):
    """The documented example of continuous training gives no trigger."""
    project = (await client.list_projects())[0]
    await deployment.setup_continuous_training(project, threshold=150, experiment_parameters={"epochs": 3})
    [sent] = calls(emulator, "setup_continuous_training")
    assert sent.status == 200
    assert ContinuousTrainingTrigger.FEEDBACK_LOOP == "FEEDBACK_LOOP"


async def test_a_dataset_version_is_downloaded(client, tmp_path):
    """All its images, under their names."""
    version = await (await client.get_dataset("my-dataset")).get_version("latest")
    paths = await version.download(tmp_path / "images")
    assets = await version.list_assets()
    assert sorted(path.name for path in paths) == sorted(asset.filename for asset in assets)
    assert all(path.stat().st_size for path in paths)


async def test_images_of_one_name_are_not_written_into_one_file(client, emulator, tmp_path):
    """Two cameras in one dataset version: the vendor's SDK loses one. Nothing is fetched."""
    version = await (await client.get_dataset("my-dataset")).get_version("latest")
    [first, second, _] = await version.list_assets()
    emulator.state.store.data.update(str(second.data_id), filename=first.filename)
    before = len(emulator.journal.of("storage"))
    with pytest.raises(
        ConfigurationError, match=f"several images of this version are called {first.filename!r}.*use_id=True"
    ):
        await version.download(tmp_path)
    assert len(emulator.journal.of("storage")) == before
    assert len(set(await version.download(tmp_path, use_id=True))) == 3


async def test_data_that_the_platform_cannot_process_is_an_error(client, emulator):
    """A script that waits for it goes on only with what is good."""
    [data] = await (await client.get_datalake()).list_data(limit=1)
    emulator.state.store.data.update(str(data.id), upload_status="ERROR")
    with pytest.raises(UnprocessableData, match="could not process 'data-"):
        await data.wait_for_upload_done(0.0)
    assert issubclass(UnprocessableData, UploadError)


@pytest.mark.parametrize("status", [502, 503, 504, 520])
async def test_a_monitoring_host_that_fails_is_a_monitoring_connection_error(quick, emulator, status):
    """In information and statistics too, whatever the class of the status."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    for endpoint, call in (
        ("retrieve_information", deployment.retrieve_information),
        ("get_prediction_stats", lambda: deployment.get_stats("PREDICTIONS_DATA")),
        ("get_aggregated_stats", lambda: deployment.get_stats("AGGREGATED_PREDICTIONS_DATA")),
    ):
        emulator.faults.add(Fault(kind="status", status=status, retry_after=0, endpoint=endpoint))
        with pytest.raises(MonitoringConnectionError) as raised:
            await call()
        assert raised.value.status == status
        emulator.faults.clear()


async def test_a_client_names_its_organization(client, emulator):
    """`client.id` and `client.name`."""
    assert (str(client.id), client.name) == (str(emulator.organization_id), client.organization.name)


async def test_pages_of_the_platform(client, emulator):
    """The organization and each kind have their own, on the host of the client."""
    assert client.get_resource_url_on_platform() == f"{emulator.url}/organization/{client.id}"
    model = await client.get_model("my-model")
    dataset = await client.get_dataset("my-dataset")
    version = await dataset.get_version("latest")
    lake = await client.get_datalake()
    assert [h.get_resource_url_on_platform() for h in (model, dataset, version, lake)] == [
        f"{emulator.url}/model/{model.id}",
        f"{emulator.url}/dataset/{dataset.id}",
        f"{emulator.url}/dataset/version/{version.id}",
        f"{emulator.url}/datalake/{lake.id}",
    ]


async def test_a_job_says_how_it_ended(client):
    """Waiting returns the status, a member with name and value."""
    job = await (await client.get_datalake()).import_bucket_objects(["directory/"])
    status = await job.wait_for_done(0.0, attempts=50)
    assert (status, status.name, status.value) == (JobRunStatus.SUCCEEDED, "SUCCEEDED", "SUCCEEDED")
