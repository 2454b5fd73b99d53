"""The calls of a deployment to the platform, against the emulator: what was set is what is read, and what is refused."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from uuid import uuid4

import attrs
import pytest

from picsellia_async import (
    BadConfigurationContinuousTrainingError,
    ConfigurationError,
    ConflictError,
    ContinuousDeploymentPolicy,
    ContinuousTrainingTrigger,
    DetectionPredictionFormat,
    Frame,
    HostNotConfiguredError,
    NoShadowModel,
    NotFoundError,
    PointPredictionFormat,
    RetryPolicy,
    ServiceMetrics,
    StatusError,
    TransportError,
)
from picsellia_async.emulator import Emulator, Fault
from picsellia_async.emulator.domain.pictures import make_png

pytestmark = pytest.mark.anyio

IMAGE = make_png(8, 6, 0)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PREDICTION = DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.9])
SHADOW = DetectionPredictionFormat([1], [[2, 3, 4, 5]], [0.8])
OBJECT = "directory/s3/object-name.jpeg"


def calls(emulator, endpoint):
    return [entry for entry in emulator.journal if entry.endpoint == endpoint]


async def monitor(deployment, name="f.png", **options):
    return await deployment.monitor_bytes(PNG, "image/png", name, 0.02, 480, 640, PREDICTION, **options)


@pytest.fixture
async def versions(client):
    """The two versions of the emulator's model."""
    return await (await client.get_model("my-model")).list_versions()


@pytest.fixture
async def dataset_versions(client):
    """The versions of the emulator's dataset."""
    return await (await client.get_dataset("my-dataset")).list_versions()


# Identity, tags, users, labels


async def test_update_and_sync(client, deployment, emulator):
    """Name, threshold, sample rate and datalake are those that were set, in this handle and in another."""
    other = await client.get_deployment_by_id(deployment.id)
    datalake = await client.get_datalake()
    await deployment.update("new name", datalake, 0.25, sample_rate=0.5)
    assert deployment.name == "new name"
    assert deployment.description.oracle_host == other.description.oracle_host
    described = await other.sync()
    assert (described.name, described.min_threshold, described.sample_rate) == ("new name", 0.25, 0.5)
    assert described.target_datalake_id == datalake.id
    await deployment.update()
    assert deployment.name == "new name"


async def test_a_taken_name_is_a_conflict(client, deployment, versions):
    """Two deployments cannot share a name."""
    made = await client.create_deployment(versions[0], name="second", min_threshold=0.1)
    with pytest.raises(ConflictError):
        await made.update(name=deployment.name)
    with pytest.raises(ConflictError):
        await client.create_deployment(versions[0], name="second")


async def test_made_deployments(client, versions):
    """What was asked for is there; without serving there is no serving host; a version deploys itself as well."""
    datalake = await client.get_datalake()
    made = await client.create_deployment(versions[0], versions[1], "mine", 0.3, datalake, disable_serving=True)
    assert made.type is versions[0].type
    assert (await made.get_model_version(), await made.get_shadow_model()) == (versions[0], versions[1])
    with pytest.raises(HostNotConfiguredError, match="serving_host"):
        await made.predict_bytes("f.png", PNG)
    deployed = await versions[1].deploy("by version", datalake, 0.2)
    assert type(deployed) is type(made)
    assert (await client.get_deployment("by version")) == deployed
    assert {d.name for d in await client.list_deployments()} >= {"mine", "by version"}


async def test_delete(client, deployment):
    """A deleted deployment is not found any more; deleting it again is a 404."""
    await deployment.delete(force_delete=True)
    with pytest.raises(NotFoundError):
        await deployment.sync()
    with pytest.raises(NotFoundError):
        await deployment.delete()


async def test_a_delete_whose_answer_was_lost_is_done(client, deployment, emulator):
    """The repeat finds nothing any more, which is what was wanted."""
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="delete_deployment", times=1))
    await deployment.delete()
    assert [entry.status for entry in calls(emulator, "delete_deployment")][-1] == 404
    with pytest.raises(NotFoundError):
        await deployment.sync()


async def test_tags(client, deployment):
    """Tags are put on and taken off, one or several; those of other targets are refused."""
    cool, hot = await client.create_deployment_tag("cool"), await client.create_tag("hot", "deployment")
    await deployment.add_tags([cool, hot])
    assert [tag.name for tag in await deployment.get_tags()] == ["cool", "hot"]
    await deployment.remove_tags(hot)
    assert await deployment.get_tags() == [cool]
    await hot.attach_on(deployment)
    await cool.detach_from([deployment])
    assert await deployment.get_tags() == [hot]
    await hot.update("warm")
    assert [tag.name for tag in await deployment.get_tags()] == ["warm"]
    await hot.delete()
    assert await deployment.get_tags() == []


async def test_tags_that_are_refused(client, deployment, emulator):
    """Empty lists, other objects and tags of other targets: named, and nothing is sent."""
    dataset_tag = await client.create_dataset_tag("d")
    before = len(emulator.journal)
    for tags, message in (
        ([], "tags must not be empty"),
        ("cool", "tags must be a Tag or a list of them, got 'cool'"),
        (["cool"], r"tags\[0\] must be a Tag, got 'cool'"),
        (None, "tags must be a Tag or a list of them, got None"),
        (dataset_tag, "tag 'd' is for DATASET objects and cannot be used with a DEPLOYMENT object"),
    ):
        for call in (deployment.add_tags, deployment.remove_tags):
            with pytest.raises(ConfigurationError, match=message):
                await call(tags)
    with pytest.raises(ConfigurationError, match="tag 'd' is for DATASET objects"):
        await dataset_tag.attach_on(deployment)
    assert len(emulator.journal) == before


async def test_users_and_labels(client, deployment, emulator):
    """Workers are the users under another name; added users appear; labels are those of the label map."""
    users = await client.list_users()
    newcomer = next(user for user in users if user.username == "reviewer")
    if newcomer not in await deployment.list_users():
        await deployment.add_user(newcomer, role="LABELER")
    assert newcomer in await deployment.list_users()
    workers = await deployment.list_workers()
    assert {worker.user_id for worker in workers} == {user.id for user in await deployment.list_users()}
    assert await client.list_users("reviewer") == [newcomer]
    version = await deployment.get_model_version()
    assert [label.name for label in await deployment.list_labels()] == list(version.labels.values())
    with pytest.raises(ConfigurationError, match="user must be a User, got 'reviewer'"):
        await deployment.add_user("reviewer")


# Model versions


async def test_model_versions(deployment, versions):
    """Champion and shadow are those that were set; without a shadow there is a typed error."""
    with pytest.raises(NoShadowModel, match="deployment 'awesome-deploy' has no shadow model"):
        await deployment.get_shadow_model()
    await deployment.set_model(versions[1])
    await deployment.set_shadow_model(versions[0])
    told = deployment.description
    assert (told.model_version_id, told.shadow_model_version_id) == (versions[1].id, versions[0].id)
    assert await deployment.get_model_version() == versions[1]
    assert await deployment.get_shadow_model() == versions[0]
    with pytest.raises(ConfigurationError, match="model_version must be a ModelVersion, got <Async"):
        await deployment.set_model(deployment)


async def test_models_that_another_client_set(client, deployment, versions):
    """Champion and shadow are asked for, not remembered."""
    other = await client.get_deployment(deployment.name)
    await other.set_model(versions[1])
    assert await deployment.get_model_version() == versions[1]
    await other.set_shadow_model(versions[0])
    assert await deployment.get_shadow_model() == versions[0]


# Pipelines


async def test_feedback_loop(deployment, dataset_versions):
    """Set up, attach, list, detach, switch; detaching what is not attached is a 404."""
    first, second, *_ = dataset_versions
    await deployment.setup_feedback_loop(first)
    await deployment.attach_dataset_version_to_feedback_loop(second)
    assert await deployment.list_feedback_loop_datasets() == [first, second]
    await deployment.detach_dataset_version_from_feedback_loop(first)
    assert await deployment.list_feedback_loop_datasets() == [second]
    with pytest.raises(NotFoundError):
        await deployment.detach_dataset_version_from_feedback_loop(first)
    await deployment.toggle_feedback_loop(False)
    await deployment.toggle_feedback_loop(active=True)


async def test_training_data(deployment, dataset_versions):
    """A reference is set, its metrics have a state, it is switched off."""
    await deployment.set_training_data(dataset_versions[0])
    assert await deployment.check_training_data_metrics_status()
    await deployment.disable_training_data_reference()


async def test_continuous_training(client, deployment, dataset_versions):
    """Parameters come from a dict or from an experiment's log; datasets have aliases."""
    project = await client.get_project(name="my-project")
    version = await (await client.get_model("my-model")).get_version(0)
    log = await (await version.get_source_experiment()).get_log("parameters")
    await deployment.setup_continuous_training(
        project, trigger="feedback_loop", threshold=150, experiment_parameters=log
    )
    await deployment.attach_dataset_version_to_continuous_training("train", dataset_versions[0])
    await deployment.detach_dataset_version_from_continuous_training(dataset_versions[0])
    with pytest.raises(NotFoundError):
        await deployment.detach_dataset_version_from_continuous_training(dataset_versions[0])
    await deployment.toggle_continuous_training(False)
    await deployment.setup_continuous_training(project, experiment_parameters={"epochs": 3})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 150}, "threshold was given without trigger"),
        ({"trigger": ContinuousTrainingTrigger.FEEDBACK_LOOP}, "trigger was given without threshold"),
        ({"experiment_parameters": None}, "experiment_parameters must be given"),
        ({"experiment_parameters": {}}, "experiment_parameters must be given"),
        ({"scan_config": {}}, "continuous training by scan is not possible"),
    ],
)
async def test_continuous_training_that_contradicts_itself(client, deployment, emulator, options, message):
    """Half a trigger is refused, not dropped; so is what the service cannot do. Nothing is sent."""
    project = await client.get_project("my-project")
    with pytest.raises(BadConfigurationContinuousTrainingError, match=message):
        await deployment.setup_continuous_training(project, **{"experiment_parameters": {"epochs": 3}, **options})
    assert calls(emulator, "setup_continuous_training") == []


async def test_continuous_deployment(deployment):
    """A policy by member or by name, then on and off; an unknown one is named with those that exist."""
    await deployment.setup_continuous_deployment(ContinuousDeploymentPolicy.DEPLOY_MANUAL)
    await deployment.setup_continuous_deployment("deploy_shadow")
    await deployment.toggle_continuous_deployment(True)
    with pytest.raises(ConfigurationError, match=r"'sometimes' is no .*DEPLOY_CHAMPION, DEPLOY_SHADOW, DEPLOY_MANUAL"):
        await deployment.setup_continuous_deployment("sometimes")
    with pytest.raises(ConfigurationError, match="active must be True or False, got 'false'"):
        await deployment.toggle_continuous_deployment("false")


# Predicting and monitoring stored images, and shadows


async def test_monitor_a_cloud_image(deployment, emulator):
    """The connector is fetched once; a second prediction on the same object is a conflict."""
    answer = await deployment.monitor_cloud_image(
        OBJECT, 0.02, 48, 64, PREDICTION, "image/jpeg", "cam", ["t"], time.time(), metadata={"weather": "rain"}
    )
    asset = await deployment.find_predicted_asset(oracle_prediction_id=answer["id"])
    assert (asset.object_name, asset.filename) == (OBJECT, "object-name.jpeg")
    with pytest.raises(ConflictError):
        await deployment.monitor_cloud_image(OBJECT, 0.02, 48, 64, PREDICTION, "image/jpeg")
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
        "latency": 0.25, "height": 48, "width": 64, "prediction": PREDICTION, "source": "cam", "tags": ["a", "b"],
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


async def test_a_look_up_that_finds_several_of_the_name_sends_again(deployment, emulator, caplog):
    """Which of them is the frame cannot be told, so it counts as not there: at least once."""
    for _ in range(2):
        await monitor(deployment, "same.png")
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=1))
    frame = Frame(image=PNG, filename="same.png", width=4, height=4, latency=0.1, prediction=PREDICTION)
    report = await deployment.monitor_many(
        [frame], deduplicate=True, retry=RetryPolicy(backoff_initial=0.01, backoff_max=0.01)
    )
    assert (report.delivered, report.duplicates, report.retries) == (1, 0, 1)
    assert len(calls(emulator, "find_predicted_asset")) == 1
    assert emulator.state.store.predictions.count("1") == 4
    assert "cannot be looked up" not in caplog.text


async def test_monitor_and_predict_data(client, deployment):
    """Data of the datalake is monitored and predicted on without its bytes."""
    first, second, *_ = await (await client.get_datalake()).list_data()
    answer = await deployment.monitor_data(first, 0.02, 48, 64, PREDICTION, ["t"])
    asset = await deployment.find_predicted_asset(data_id=first.id)
    assert str(asset.oracle_prediction_id) == answer["id"]
    await deployment.predict_data(second, tags="seen", monitor=True)
    assert (await deployment.find_predicted_asset(data_id=second.id)).data_id == second.id
    with pytest.raises(ConfigurationError, match="data must be a Data, got"):
        await deployment.monitor_data(asset, 0.02, 48, 64, PREDICTION)


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


# Statistics


@pytest.mark.parametrize("service", list(ServiceMetrics), ids=lambda service: service.name)
async def test_statistics(deployment, emulator, service, dataset_versions):
    """Every service answers a dict, by the route that is its own."""
    await deployment.set_training_data(dataset_versions[0])
    await monitor(deployment, tags=["t"])
    version = await deployment.get_model_version()
    now = time.time()
    assert isinstance(await deployment.get_stats(service), dict)
    assert isinstance(await deployment.get_stats(service.name.lower(), version, now - 60, now + 60, tags=["t"]), dict)
    endpoint = "get_aggregated_stats" if service.is_aggregated else "get_prediction_stats"
    assert len(calls(emulator, endpoint)) == 2


async def test_statistics_that_fail_raise(deployment, emulator):
    """An error body is an error; the vendor's SDK returns it as if it were the statistics (docs/wire.md#statuses)."""
    emulator.faults.add(Fault(kind="status", status=404, endpoint="get_prediction_stats"))
    with pytest.raises(NotFoundError):
        await deployment.get_stats(ServiceMetrics.PREDICTIONS_DATA)
    emulator.faults.add(Fault(kind="status", status=418, match="^GET /api/deployment/[^/]+$"))
    with pytest.raises(StatusError):
        await deployment.retrieve_information()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"service": "speed"}, "'speed' is no ServiceMetrics; accepted are PREDICTIONS_OUTLYING_SCORE"),
        ({"from_timestamp": "yesterday"}, "from_timestamp must be a number, got 'yesterday'"),
        ({"to_timestamp": datetime.datetime(2024, 1, 1)}, "to_timestamp must have a time zone"),  # noqa: DTZ001
        ({"since": 1.5}, "since must be a whole number, got 1.5"),
        ({"since": -1}, "since must be at least 0, got -1"),
        ({"tags": "t"}, "tags must be a list, got 't'"),
        ({"includes": [3]}, r"includes\[0\] must be a non-empty str, got 3"),
        ({"model_version": "latest"}, "model_version must be a ModelVersion, got 'latest'"),
    ],
)
async def test_statistics_that_cannot_be_asked_for(deployment, emulator, arguments, message):
    """Each bad value is named, and nothing is sent."""
    with pytest.raises(ConfigurationError, match=message):
        await deployment.get_stats(**{"service": ServiceMetrics.PREDICTIONS_DATA, **arguments})
    assert calls(emulator, "get_prediction_stats") == []


# Predicted assets


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
        ({"rectangles": [("a", 2, 3, 4, label)]}, r"rectangles\[0\]\[0\] must be a whole number, got 'a'"),
        ({"polygons": [([[1, 2, 3]], label)]}, r"polygons\[0\]\[0\] must be \[x, y\]"),
        ({"points": [([1], label)]}, r"points\[0\] must be \[x, y\]"),
        ({"lines": [[[1, 2]]]}, r"lines\[0\] must be \(\[\[x, y\], ...\], label\)"),
        ({"classifications": ["car"]}, r"classifications\[0\] must be a Label"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            await asset.add_review(**shapes)
    assert calls(emulator, "add_review") == []
