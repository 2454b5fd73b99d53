"""The vendor's SDK, unchanged, against our emulator in a process of its own: every Deployment method, and what it reads back."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from . import sides
from .pictures import png
from .rows_deployment import SERVICES
from .table import NOT_ON_THE_WIRE
from .test_table import public_methods

pytestmark = pytest.mark.filterwarnings("ignore:list_workers is deprecated:DeprecationWarning")


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the command prints when it serves; at the end SIGTERM stops it cleanly."""
    program = Path(sys.executable).with_name("picsellia-async")
    command = [str(program), "emulator", "--port", "0", "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(10) == 0


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A PNG of 20 x 10."""
    path = tmp_path / "picture.png"
    path.write_bytes(png(20, 10))
    return path


class Called:
    """A deployment that writes down which of its methods were called."""

    def __init__(self, deployment: Any) -> None:
        """Stand in for the deployment."""
        self.deployment = deployment
        self.methods: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        """Note a method, and hand it out."""
        value = getattr(self.deployment, name)
        if callable(value):
            self.methods.add(name)
        return value


class Stage:
    """What the sections of the script share."""

    def __init__(self, names: sides.Names, emulator: dict[str, str], picture: Path) -> None:
        """Connect as the vendor's documentation says."""
        self.names = names
        self.emulator = emulator
        self.client = names.Client(api_token=emulator["api_token"], host=emulator["url"])
        self.deployment = Called(self.client.get_deployment(emulator["deployment"]))
        self.picture = picture
        self.raw = picture.read_bytes()

    def prediction(self, score: float = 0.9) -> Any:
        """One box."""
        return self.names.DetectionPredictionFormat(
            detection_classes=[0], detection_scores=[score], detection_boxes=[[1, 2, 3, 4]]
        )


def tags_and_settings(stage: Stage) -> None:
    """Tags are put on and taken off; settings are read back."""
    client, deployment = stage.client, stage.deployment
    cool, warm = client.create_deployment_tag("cool"), client.create_deployment_tag("warm")
    deployment.add_tags([cool, warm])
    assert {tag.name for tag in deployment.get_tags()} == {"cool", "warm"}
    deployment.remove_tags(warm)
    assert [tag.id for tag in deployment.get_tags()] == [cool.id]

    assert isinstance(deployment.retrieve_information(), dict)
    name = deployment.name
    deployment.update(name="renamed", target_datalake=client.get_datalake(), min_threshold=0.4, sample_rate=1.0)
    assert client.get_deployment("renamed").id == deployment.id
    assert deployment.sync()["min_threshold"] == 0.4
    with pytest.raises(stage.names.ResourceNotFoundError):
        client.get_deployment(name)
    deployment.update(name=name)
    assert deployment.name == name
    assert deployment.id in {found.id for found in client.list_deployments()}


def models_and_labels(stage: Stage) -> None:
    """The model versions that were set are the ones in use; labels come from the label map."""
    deployment = stage.deployment
    with pytest.raises(stage.names.NoShadowModel):
        deployment.get_shadow_model()
    first, second = stage.client.get_model("my-model").list_versions()
    deployment.set_model(first)
    assert deployment.get_model_version().id == first.id
    deployment.set_shadow_model(second)
    assert deployment.get_shadow_model().id == second.id
    assert {label.name for label in deployment.list_labels()} == set(first.labels.values())


def monitoring(stage: Stage) -> None:
    """What was monitored is found, with its data, tags, source, metadata and prediction."""
    deployment = stage.deployment
    plain = deployment.monitor(stage.picture, 0.25, 10, 20, stage.prediction())
    asset = deployment.find_predicted_asset(oracle_prediction_id=plain["id"])
    assert (asset.filename, asset.width, asset.height) == ("picture.png", 20, 10)

    full = deployment.monitor_bytes(
        stage.raw,
        "image/png",
        "full.png",
        0.5,
        10,
        20,
        stage.prediction(0.5),
        source="camera-1",
        tags=["night"],
        timestamp=1700000000.5,
        shadow_latency=0.125,
        shadow_prediction=stage.prediction(0.75),
        metadata={"weather": "rain"},
        custom_metadata={"line": 3},
        sample=True,
        custom_metrics={"sharpness": 0.5},
    )
    data = deployment.find_predicted_asset(filename="full.png").get_data()
    assert [tag.name for tag in data.get_tags()] == ["night"]
    assert data.get_datasource().name == "camera-1"
    assert (data.metadata["weather"], data.custom_metadata) == ("rain", {"line": 3})
    stored = httpx.get(f"{stage.emulator['url']}/emulator/predictions").json()
    item = next(item for item in stored["items"] if item["id"] == full["id"])
    assert item["sha256"] == hashlib.sha256(stage.raw).hexdigest()
    assert (item["source"], item["tags"]) == ("camera-1", ["night"])

    full_asset = deployment.find_predicted_asset(oracle_prediction_id=full["id"])
    assert full_asset.get_champion_prediction()["is_shadow"] is False
    assert full_asset.get_shadow_prediction()["is_shadow"] is True
    with pytest.raises(stage.names.MonitorError):
        deployment.monitor_shadow(full_asset, 0.5, stage.prediction())
    deployment.monitor_shadow(asset, 0.5, stage.prediction())
    with pytest.raises(stage.names.MonitorError):
        deployment.monitor_shadow_from_oracle_prediction_id(plain["id"], 0.5, stage.prediction())


def monitoring_what_is_stored(stage: Stage) -> None:
    """Data uploaded to the datalake is monitored without being sent again; twice is a conflict."""
    deployment = stage.deployment
    lake = stage.client.get_datalake()
    first, second = (lake.upload_data(str(_copy(stage.picture, name))) for name in ("a.png", "b.png"))
    deployment.monitor_data(first, 0.5, 10, 20, stage.prediction())
    assert deployment.find_predicted_asset(data_id=first.id).object_name == first.object_name
    deployment.monitor_cloud_image(second.object_name, 0.5, 10, 20, stage.prediction(), "image/png")
    assert deployment.find_predicted_asset(object_name=second.object_name).data_id == second.id
    with pytest.raises(stage.names.MonitorError):
        deployment.monitor_data(first, 0.5, 10, 20, stage.prediction())


def _copy(path: Path, name: str) -> Path:
    copy = path.with_name(name)
    copy.write_bytes(path.read_bytes())
    return copy


def predicting(stage: Stage) -> None:
    """Predictions answer with shapes; monitored ones become predicted assets, others do not."""
    deployment = stage.deployment
    lake = stage.client.get_datalake()
    assert "detection_classes" in deployment.predict(stage.picture, tags="day", source="camera-2")
    deployment.predict_bytes("quiet.png", stage.raw, monitor=False)
    with pytest.raises(stage.names.ResourceNotFoundError):
        deployment.find_predicted_asset(filename="quiet.png")
    third, fourth = (lake.upload_data(str(_copy(stage.picture, name))) for name in ("c.png", "d.png"))
    deployment.predict_data(third, tags=["again"])
    assert "again" in {tag.name for tag in third.get_tags()}
    deployment.predict_cloud_image(fourth.object_name)
    asset = deployment.find_predicted_asset(data_id=fourth.id)
    assert isinstance(deployment.predict_shadow(asset, monitor=False), dict)


def listing_and_stats(stage: Stage) -> None:
    """Lists are whole, ordered and limited as asked; every statistic answers with a dict."""
    deployment = stage.deployment
    everything = deployment.list_predicted_assets()
    assert len(everything) == len({asset.id for asset in everything}) >= 6
    assert len(deployment.list_predicted_assets(limit=2)) == 2
    ordered = deployment.list_predicted_assets(order_by=["created_at"])
    assert list(ordered.ids) == list(reversed(deployment.list_predicted_assets(order_by=["-created_at"]).ids))
    for service in SERVICES:
        assert isinstance(deployment.get_stats(stage.names.ServiceMetrics[service]), dict)


def pipelines(stage: Stage) -> None:
    """Feedback loop, training data, continuous training and deployment keep what they were given."""
    deployment, client = stage.deployment, stage.client
    first, second, *_ = client.get_dataset("my-dataset").list_versions()
    deployment.setup_feedback_loop(first)
    deployment.attach_dataset_version_to_feedback_loop(second)
    assert {version.id for version in deployment.list_feedback_loop_datasets()} == {first.id, second.id}
    deployment.detach_dataset_version_from_feedback_loop(first)
    assert [version.id for version in deployment.list_feedback_loop_datasets()] == [second.id]
    deployment.toggle_feedback_loop(False)

    deployment.set_training_data(first)
    assert isinstance(deployment.check_training_data_metrics_status(), str)
    deployment.disable_training_data_reference()

    deployment.setup_continuous_training(
        client.get_project("my-project"), trigger="FEEDBACK_LOOP", threshold=150, experiment_parameters={"epochs": 3}
    )
    deployment.attach_dataset_version_to_continuous_training("train", first)
    with pytest.raises(stage.names.ResourceConflictError):
        deployment.attach_dataset_version_to_continuous_training("train", first)
    deployment.detach_dataset_version_from_continuous_training(first)
    deployment.toggle_continuous_training(False)
    deployment.setup_continuous_deployment(stage.names.ContinuousDeploymentPolicy.DEPLOY_MANUAL)
    deployment.toggle_continuous_deployment(False)


def people_and_campaign(stage: Stage) -> None:
    """Users and workers are the same people; the one campaign is the one created, with its instructions uploaded."""
    deployment = stage.deployment
    user = stage.client.list_users()[0]
    deployment.add_user(user, "ADMIN")
    assert user.id in {found.id for found in deployment.list_users()}
    assert {worker.username for worker in deployment.list_workers()} == {u.username for u in deployment.list_users()}

    with pytest.raises(stage.names.NoDataError):
        deployment.get_campaign()
    instructions = stage.picture.with_name("instructions.txt")
    instructions.write_text("look twice")
    campaign = deployment.create_campaign(description="first", instructions_file_path=str(instructions))
    assert deployment.get_campaign().id == campaign.id
    with pytest.raises(stage.names.ResourceConflictError):
        deployment.create_campaign()


def deleting(stage: Stage) -> None:
    """A deleted deployment is gone; its data stay."""
    stage.deployment.delete(force_delete=True)
    with pytest.raises(stage.names.ResourceNotFoundError):
        stage.client.get_deployment_by_id(stage.deployment.id)
    assert len(stage.client.get_datalake().list_data()) >= 1


SECTIONS: tuple[Callable[[Stage], None], ...] = (
    tags_and_settings,
    models_and_labels,
    monitoring,
    monitoring_what_is_stored,
    predicting,
    listing_and_stats,
    pipelines,
    people_and_campaign,
    deleting,
)


def test_first_monitored_image(emulator: dict[str, str], vendor_names: sides.Names, picture: Path) -> None:
    """Connect, get a deployment, monitor one image: the emulator stores the very bytes."""
    stage = Stage(vendor_names, emulator, picture)
    answer = stage.deployment.monitor_bytes(stage.raw, "image/png", "f.png", 0.5, 10, 20, stage.prediction())
    stored = httpx.get(f"{emulator['url']}/emulator/predictions").json()
    assert stored["count"] == 1
    (item,) = stored["items"]
    assert (item["id"], item["filename"]) == (answer["id"], "f.png")
    assert item["sha256"] == hashlib.sha256(stage.raw).hexdigest()


def test_script_over_every_method(emulator: dict[str, str], vendor_names: sides.Names, picture: Path) -> None:
    """All of the vendor's Deployment methods, one after the other, on one emulator; none is left out."""
    stage = Stage(vendor_names, emulator, picture)
    for section in SECTIONS:
        section(stage)
    assert stage.deployment.methods == public_methods(vendor_names.Deployment) - set(NOT_ON_THE_WIRE)
