"""Arguments that cannot be right, method by method: what our client must refuse before it sends anything.

A row is a call (it names what it needs, as in `table.py`), the error expected, and words that its message must have:
the argument, and for an enum what is accepted. Here belong rows only; `test_bad_inputs.py` runs them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import attrs

from . import answers
from .table import FORMATS, RAW

NAIVE: Final = dt.datetime(2024, 1, 2)  # noqa: DTZ001  the mistake under test


@attrs.frozen
class BadInput:
    """One refused call.

    Args:
        name: Names the test; starts with the method's name.
        call: The call.
        words: What the message must contain, in any case.
        error: Name of the error's class.
        deployment: Name of the deployment to fetch.
    """

    name: str
    call: Callable[..., Any]
    words: tuple[str, ...] = ()
    error: str = "ConfigurationError"
    deployment: str = "awesome-deploy"

    @property
    def method(self) -> str:
        """The method that refuses."""
        return self.name.partition(":")[0]


def _boxes(api: Any) -> Any:
    return api.DetectionPredictionFormat(**FORMATS["awesome-deploy"][1])


def _monitored(name: str, words: tuple[str, ...], error: str = "ConfigurationError", **wrong: Any) -> BadInput:
    """A `monitor_bytes` that is right but for some arguments."""

    def call(deployment: Any, api: Any) -> Any:
        right = {
            "raw_image": RAW,
            "content_type": "image/jpeg",
            "filename": "f.jpg",
            "latency": 0.5,
            "height": 10,
            "width": 20,
            "prediction": _boxes(api),
        }
        return deployment.monitor_bytes(**right | wrong)

    return BadInput(f"monitor_bytes: {name}", call, words, error)


TAGS: Final = [
    BadInput("add_tags: a data tag", lambda deployment, data_tag: deployment.add_tags(data_tag), ("DEPLOYMENT",)),
    BadInput(
        "add_tags: a data tag in a list",
        lambda deployment, tag, data_tag: deployment.add_tags([tag, data_tag]),
        ("DEPLOYMENT",),
    ),
    BadInput("add_tags: empty list", lambda deployment: deployment.add_tags([]), ("tags",)),
    BadInput("add_tags: text", lambda deployment: deployment.add_tags("cool"), ("tags", "cool")),
    BadInput("add_tags: None", lambda deployment: deployment.add_tags(None), ("tags",)),
    BadInput("remove_tags: a data tag", lambda deployment, data_tag: deployment.remove_tags(data_tag), ("DEPLOYMENT",)),
    BadInput("remove_tags: empty list", lambda deployment: deployment.remove_tags([]), ("tags",)),
    BadInput("remove_tags: text", lambda deployment: deployment.remove_tags(["cool"]), ("tags", "cool")),
]

SETTINGS: Final = [
    BadInput("update: empty name", lambda deployment: deployment.update(name=""), ("name",)),
    BadInput("update: name of the wrong type", lambda deployment: deployment.update(name=3), ("name", "3")),
    BadInput(
        "update: id in place of a datalake",
        lambda deployment: deployment.update(target_datalake=answers.DATALAKE),
        ("target_datalake", "Datalake"),
    ),
    BadInput(
        "update: another object in place of a datalake",
        lambda deployment, dataset: deployment.update(target_datalake=dataset),
        ("target_datalake", "Datalake"),
    ),
    BadInput(
        "update: threshold as text", lambda deployment: deployment.update(min_threshold="high"), ("min_threshold",)
    ),
    BadInput("update: threshold as bool", lambda deployment: deployment.update(min_threshold=True), ("min_threshold",)),
    BadInput("update: rate as text", lambda deployment: deployment.update(sample_rate="all"), ("sample_rate",)),
    BadInput("delete: text for a bool", lambda deployment: deployment.delete("no"), ("force_delete",)),
    BadInput(
        "set_model: a dataset version",
        lambda deployment, dataset_version: deployment.set_model(dataset_version),
        ("model_version", "ModelVersion"),
    ),
    BadInput(
        "set_model: a model without version",
        lambda deployment, model: deployment.set_model(model),
        ("model_version", "ModelVersion"),
    ),
    BadInput("set_model: text", lambda deployment: deployment.set_model("latest"), ("model_version",)),
    BadInput(
        "set_shadow_model: a dataset version",
        lambda deployment, dataset_version: deployment.set_shadow_model(dataset_version),
        ("shadow_model_version", "ModelVersion"),
    ),
    BadInput("set_shadow_model: None", lambda deployment: deployment.set_shadow_model(None), ("shadow_model_version",)),
]

PREDICT: Final = [
    BadInput("predict: no such file", lambda deployment: deployment.predict("no/such.png"), ("such.png",)),
    BadInput("predict: a directory", lambda deployment, directory: deployment.predict(directory), ("directory",)),
    BadInput("predict: None", lambda deployment: deployment.predict(None), ("file_path",)),
    BadInput("predict: bytes", lambda deployment: deployment.predict(RAW), ("file_path",)),
    BadInput("predict: tag of the wrong type", lambda deployment, jpeg: deployment.predict(jpeg, [1]), ("tags",)),
    BadInput(
        "predict: source of the wrong type", lambda deployment, jpeg: deployment.predict(jpeg, source=3), ("source",)
    ),
    BadInput(
        "predict: metadata as text", lambda deployment, jpeg: deployment.predict(jpeg, metadata="m"), ("metadata",)
    ),
    BadInput("predict: monitor as text", lambda deployment, jpeg: deployment.predict(jpeg, monitor="no"), ("monitor",)),
    BadInput(
        "predict_bytes: text for bytes", lambda deployment: deployment.predict_bytes("f.jpg", "raw"), ("raw_image",)
    ),
    BadInput("predict_bytes: no bytes", lambda deployment: deployment.predict_bytes("f.jpg", b""), ("raw_image",)),
    BadInput("predict_bytes: swapped", lambda deployment: deployment.predict_bytes(RAW, "f.jpg"), ()),
    BadInput("predict_bytes: empty filename", lambda deployment: deployment.predict_bytes("", RAW), ("filename",)),
    BadInput(
        "predict_bytes: postprocess as text",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW, postprocess="no"),
        ("postprocess",),
    ),
    BadInput("predict_cloud_image: empty", lambda deployment: deployment.predict_cloud_image(""), ("object_name",)),
    BadInput("predict_cloud_image: None", lambda deployment: deployment.predict_cloud_image(None), ("object_name",)),
    BadInput(
        "predict_cloud_image: a data",
        lambda deployment, data: deployment.predict_cloud_image(data),
        ("object_name",),
    ),
    BadInput("predict_data: an asset", lambda deployment, asset: deployment.predict_data(asset), ("data", "Data")),
    BadInput("predict_data: an id", lambda deployment: deployment.predict_data(answers.DATA), ("data", "Data")),
    BadInput(
        "predict_shadow: a data",
        lambda deployment, data: deployment.predict_shadow(data),
        ("predicted_asset", "PredictedAsset"),
    ),
    BadInput(
        "predict_shadow: monitor as text",
        lambda deployment, asset: deployment.predict_shadow(asset, "no"),
        ("monitor",),
    ),
]

PIPELINES: Final = [
    BadInput(
        "setup_feedback_loop: a dataset without version",
        lambda deployment, dataset: deployment.setup_feedback_loop(dataset),
        ("dataset_version", "DatasetVersion"),
    ),
    BadInput(
        "attach_dataset_version_to_feedback_loop: a dataset",
        lambda deployment, dataset: deployment.attach_dataset_version_to_feedback_loop(dataset),
        ("dataset_version", "DatasetVersion"),
    ),
    BadInput(
        "attach_dataset_version_to_feedback_loop: a list",
        lambda deployment, dataset_version: deployment.attach_dataset_version_to_feedback_loop([dataset_version]),
        ("dataset_version", "DatasetVersion"),
    ),
    BadInput(
        "detach_dataset_version_from_feedback_loop: an id",
        lambda deployment: deployment.detach_dataset_version_from_feedback_loop(answers.DATASET_VERSION),
        ("dataset_version", "DatasetVersion"),
    ),
    BadInput("toggle_feedback_loop: text", lambda deployment: deployment.toggle_feedback_loop("on"), ("active",)),
    BadInput("toggle_feedback_loop: number", lambda deployment: deployment.toggle_feedback_loop(1), ("active",)),
    BadInput(
        "set_training_data: a model version",
        lambda deployment, model_version: deployment.set_training_data(model_version),
        ("dataset_version", "DatasetVersion"),
    ),
    BadInput(
        "setup_continuous_training: trigger without threshold",
        lambda deployment, project: deployment.setup_continuous_training(
            project, trigger="FEEDBACK_LOOP", experiment_parameters={"epochs": 3}
        ),
        ("trigger", "threshold"),
        "BadConfigurationContinuousTrainingError",
    ),
    BadInput(
        "setup_continuous_training: no parameters",
        lambda deployment, project: deployment.setup_continuous_training(project),
        ("experiment_parameters",),
        "BadConfigurationContinuousTrainingError",
    ),
    BadInput(
        "setup_continuous_training: empty parameters",
        lambda deployment, project: deployment.setup_continuous_training(project, experiment_parameters={}),
        ("experiment_parameters",),
        "BadConfigurationContinuousTrainingError",
    ),
    BadInput(
        "setup_continuous_training: by scan, which the vendor ignores",
        lambda deployment, project: deployment.setup_continuous_training(
            project, experiment_parameters={"epochs": 3}, scan_config={"grid": 1}
        ),
        ("scan_config",),
        "BadConfigurationContinuousTrainingError",
    ),
    BadInput(
        "setup_continuous_training: unknown trigger",
        lambda deployment, project: deployment.setup_continuous_training(
            project, trigger="MONTHLY", threshold=3, experiment_parameters={"epochs": 3}
        ),
        ("MONTHLY", "FEEDBACK_LOOP", "NONE"),
    ),
    BadInput(
        "setup_continuous_training: a model for the project",
        lambda deployment, model: deployment.setup_continuous_training(model, experiment_parameters={"epochs": 3}),
        ("project", "Project"),
    ),
    BadInput(
        "setup_continuous_training: threshold as text",
        lambda deployment, project: deployment.setup_continuous_training(
            project, trigger="FEEDBACK_LOOP", threshold="many", experiment_parameters={"epochs": 3}
        ),
        ("threshold",),
    ),
    BadInput(
        "attach_dataset_version_to_continuous_training: empty alias",
        lambda deployment, dataset_version: deployment.attach_dataset_version_to_continuous_training(
            "", dataset_version
        ),
        ("alias",),
    ),
    BadInput(
        "attach_dataset_version_to_continuous_training: swapped",
        lambda deployment, dataset_version: deployment.attach_dataset_version_to_continuous_training(
            dataset_version, "train"
        ),
        (),
    ),
    BadInput(
        "detach_dataset_version_from_continuous_training: a dataset",
        lambda deployment, dataset: deployment.detach_dataset_version_from_continuous_training(dataset),
        ("dataset_version", "DatasetVersion"),
    ),
    BadInput(
        "toggle_continuous_training: None", lambda deployment: deployment.toggle_continuous_training(None), ("active",)
    ),
    BadInput(
        "setup_continuous_deployment: unknown policy",
        lambda deployment: deployment.setup_continuous_deployment("DEPLOY_SOON"),
        ("DEPLOY_SOON", "DEPLOY_CHAMPION", "DEPLOY_SHADOW", "DEPLOY_MANUAL"),
    ),
    BadInput(
        "setup_continuous_deployment: None",
        lambda deployment: deployment.setup_continuous_deployment(None),
        ("DEPLOY_CHAMPION",),
    ),
    BadInput(
        "toggle_continuous_deployment: a dataset",
        lambda deployment, dataset: deployment.toggle_continuous_deployment(dataset),
        ("active",),
    ),
]

STATS: Final = [
    BadInput(
        "get_stats: unknown service",
        lambda deployment: deployment.get_stats("weather"),
        ("weather", "PREDICTIONS_DATA", "AGGREGATED_DRIFTING_PREDICTIONS"),
    ),
    BadInput("get_stats: None", lambda deployment: deployment.get_stats(None), ("PREDICTIONS_DATA",)),
    BadInput(
        "get_stats: a model without version",
        lambda deployment, api, model: deployment.get_stats(api.ServiceMetrics.PREDICTIONS_DATA, model),
        ("model_version", "ModelVersion"),
    ),
    BadInput(
        "get_stats: time as text",
        lambda deployment, api: deployment.get_stats(api.ServiceMetrics.PREDICTIONS_DATA, from_timestamp="monday"),
        ("from_timestamp",),
    ),
    BadInput(
        "get_stats: end as text",
        lambda deployment, api: deployment.get_stats(api.ServiceMetrics.PREDICTIONS_DATA, to_timestamp="monday"),
        ("to_timestamp",),
    ),
    BadInput(
        "get_stats: since as text",
        lambda deployment, api: deployment.get_stats(api.ServiceMetrics.PREDICTIONS_DATA, since="1h"),
        ("since",),
    ),
    BadInput(
        "get_stats: one tag in place of a list",
        lambda deployment, api: deployment.get_stats(api.ServiceMetrics.PREDICTIONS_DATA, tags="night"),
        ("tags",),
    ),
    BadInput(
        "get_stats: one id in place of a list",
        lambda deployment, api: deployment.get_stats(api.ServiceMetrics.PREDICTIONS_DATA, includes="i1"),
        ("includes",),
    ),
    BadInput(
        "get_stats: ids of the wrong type",
        lambda deployment, api: deployment.get_stats(api.ServiceMetrics.PREDICTIONS_DATA, excludes=[1]),
        ("excludes",),
    ),
]

MONITOR: Final = [
    BadInput(
        "monitor: no such file",
        lambda deployment, api: deployment.monitor("no/such.jpg", 0.5, 1, 1, _boxes(api)),
        ("such.jpg",),
    ),
    BadInput(
        "monitor: a directory",
        lambda deployment, api, directory: deployment.monitor(
            directory, 0.5, 1, 1, _boxes(api), content_type="image/png"
        ),
        ("directory",),
    ),
    BadInput(
        "monitor: extension of another format",
        lambda deployment, api: deployment.monitor("f.webp", 0.5, 1, 1, _boxes(api)),
        ("f.webp", "image/jpeg", "image/png"),
        "ContentTypeUnknown",
    ),
    BadInput(
        "monitor: two shadow predictions",
        lambda deployment, api, jpeg: deployment.monitor(
            jpeg,
            0.5,
            1,
            1,
            _boxes(api),
            shadow_latency=0.5,
            shadow_prediction=_boxes(api),
            shadow_raw_predictions=_boxes(api),
        ),
        ("shadow_prediction", "shadow_raw_predictions"),
    ),
    BadInput(
        "monitor: bytes in place of a path",
        lambda deployment, api: deployment.monitor(RAW, 0.5, 1, 1, _boxes(api), content_type="jpeg"),
        ("image_path",),
    ),
    _monitored("text for bytes", ("raw_image",), raw_image="raw"),
    _monitored("no bytes", ("raw_image",), raw_image=b""),
    _monitored("content type of another format", ("image/webp",), "ContentTypeUnknown", content_type="image/webp"),
    _monitored("image/jpg, which is no type", ("image/jpg",), "ContentTypeUnknown", content_type="image/jpg"),
    _monitored("content type of the wrong type", ("content_type",), "ContentTypeUnknown", content_type=3),
    _monitored("empty filename", ("filename",), filename=""),
    _monitored("latency as text", ("latency",), latency="fast"),
    _monitored("negative latency", ("latency", "-1"), latency=-1.0),
    _monitored("latency not a number", ("latency", "nan"), latency=float("nan")),
    _monitored("height zero", ("height", "0"), height=0),
    _monitored("width with a fraction", ("width", "1.5"), width=1.5),
    _monitored("width as bool", ("width",), width=True),
    _monitored("prediction as dict", ("prediction",), prediction={"detection_classes": []}),
    _monitored("source of the wrong type", ("source",), source=3),
    _monitored("one tag in place of a list", ("tags", "night"), tags="night"),
    _monitored("tag of the wrong type", ("tags[1]",), tags=["a", 1]),
    _monitored("metadata as list", ("metadata",), metadata=[1]),
    _monitored("custom metadata with other keys", ("custom_metadata",), custom_metadata={1: "a"}),
    _monitored("metadata without JSON form", ("JSON",), metadata={"a": object()}),
    _monitored("timestamp without zone", ("timestamp", "zone"), timestamp=NAIVE),
    _monitored("timestamp as text", ("timestamp",), timestamp="now"),
    _monitored("shadow latency alone", ("shadow_latency", "shadow_prediction"), shadow_latency=0.5),
    _monitored("sample as text", ("sample",), sample="yes"),
    _monitored("custom metrics as list", ("custom_metrics",), custom_metrics=[1]),
    _monitored("upload directory of the wrong type", ("upload_dir",), upload_dir=3),
    BadInput(
        "monitor_bytes: shadow prediction alone",
        lambda deployment, api: deployment.monitor_bytes(
            RAW, "jpeg", "f.jpg", 0.5, 1, 1, _boxes(api), shadow_prediction=_boxes(api)
        ),
        ("shadow_latency", "shadow_prediction"),
    ),
    BadInput(
        "monitor_bytes: format of another deployment type",
        lambda deployment, api: deployment.monitor_bytes(RAW, "jpeg", "f.jpg", 0.5, 1, 1, _boxes(api)),
        ("OBJECT_DETECTION", "SEGMENTATION"),
        deployment="segmentation",
    ),
    BadInput(
        "monitor_bytes: shadow format of another deployment type",
        lambda deployment, api: deployment.monitor_bytes(
            RAW,
            "jpeg",
            "f.jpg",
            0.5,
            1,
            1,
            _boxes(api),
            shadow_latency=0.5,
            shadow_prediction=api.ClassificationPredictionFormat([1], [0.5]),
        ),
        ("shadow_prediction", "OBJECT_DETECTION", "CLASSIFICATION"),
    ),
    BadInput(
        "monitor_bytes: no monitoring host",
        lambda deployment, api: deployment.monitor_bytes(RAW, "jpeg", "f.jpg", 0.5, 1, 1, _boxes(api)),
        ("monitoring",),
        "HostNotConfiguredError",
        deployment=answers.NOT_CONNECTED,
    ),
    BadInput(
        "predict_bytes: no serving host",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW),
        ("serving",),
        "HostNotConfiguredError",
        deployment=answers.NOT_CONNECTED,
    ),
    BadInput(
        "monitor_cloud_image: empty object name",
        lambda deployment, api: deployment.monitor_cloud_image("", 0.5, 1, 1, _boxes(api), "jpeg"),
        ("object_name",),
    ),
    BadInput(
        "monitor_cloud_image: content type of another format",
        lambda deployment, api: deployment.monitor_cloud_image("d/o.gif", 0.5, 1, 1, _boxes(api), "gif"),
        ("gif",),
        "ContentTypeUnknown",
    ),
    BadInput(
        "monitor_data: an asset",
        lambda deployment, api, asset: deployment.monitor_data(asset, 0.5, 1, 1, _boxes(api)),
        ("data", "Data"),
    ),
    BadInput(
        "monitor_shadow: a data",
        lambda deployment, api, data: deployment.monitor_shadow(data, 0.5, _boxes(api)),
        ("predicted_asset", "PredictedAsset"),
    ),
    BadInput(
        "monitor_shadow: prediction as dict",
        lambda deployment, asset: deployment.monitor_shadow(asset, 0.5, {}),
        ("shadow_prediction",),
    ),
    BadInput(
        "monitor_shadow: format of another deployment type",
        lambda deployment, api, asset: deployment.monitor_shadow(
            asset, 0.5, api.ClassificationPredictionFormat([1], [0.5])
        ),
        ("OBJECT_DETECTION", "CLASSIFICATION"),
    ),
    BadInput(
        "monitor_shadow_from_oracle_prediction_id: no UUID",
        lambda deployment, api: deployment.monitor_shadow_from_oracle_prediction_id("17", 0.5, _boxes(api)),
        ("oracle_prediction_id", "17", "UUID"),
    ),
    BadInput(
        "monitor_shadow_from_oracle_prediction_id: latency as text",
        lambda deployment, api: deployment.monitor_shadow_from_oracle_prediction_id(
            answers.ORACLE_PREDICTION, "slow", _boxes(api)
        ),
        ("shadow_latency",),
    ),
]

MANY: Final = [
    BadInput(
        "monitor_many: concurrency 0", lambda deployment: deployment.monitor_many([], concurrency=0), ("concurrency",)
    ),
    BadInput(
        "monitor_many: unknown policy",
        lambda deployment: deployment.monitor_many([], when_full="explode"),
        ("explode", "wait", "raise", "drop_newest", "drop_oldest"),
    ),
    BadInput("monitor_many: no iterable", lambda deployment: deployment.monitor_many(3), ("frames",)),
    BadInput("monitor_many: not frames", lambda deployment: deployment.monitor_many([RAW]), ("Frame",)),
]

ASSETS: Final = [
    BadInput(
        "find_predicted_asset: nothing given", lambda deployment: deployment.find_predicted_asset(), ("filename",)
    ),
    BadInput(
        "find_predicted_asset: id", lambda deployment: deployment.find_predicted_asset("17"), ("id", "17", "UUID")
    ),
    BadInput(
        "find_predicted_asset: oracle id",
        lambda deployment: deployment.find_predicted_asset(oracle_prediction_id="x"),
        ("oracle_prediction_id", "UUID"),
    ),
    BadInput(
        "find_predicted_asset: data id",
        lambda deployment: deployment.find_predicted_asset(data_id=17),
        ("data_id", "UUID"),
    ),
    BadInput(
        "find_predicted_asset: filename of the wrong type",
        lambda deployment: deployment.find_predicted_asset(filename=3),
        ("filename",),
    ),
    BadInput(
        "list_predicted_assets: limit 0", lambda deployment: deployment.list_predicted_assets(limit=0), ("limit",)
    ),
    BadInput(
        "list_predicted_assets: limit as text",
        lambda deployment: deployment.list_predicted_assets(limit="5"),
        ("limit",),
    ),
    BadInput(
        "list_predicted_assets: negative offset",
        lambda deployment: deployment.list_predicted_assets(offset=-1),
        ("offset",),
    ),
    BadInput(
        "list_predicted_assets: one key in place of a list",
        lambda deployment: deployment.list_predicted_assets(order_by="id"),
        ("order_by",),
    ),
    BadInput(
        "list_predicted_assets: step is no UUID",
        lambda deployment: deployment.list_predicted_assets(assignment_step_id="17"),
        ("assignment_step_id", "UUID"),
    ),
    BadInput(
        "list_predicted_assets: user is no UUID",
        lambda deployment: deployment.list_predicted_assets(assignment_user_id="ada"),
        ("assignment_user_id", "UUID"),
    ),
    BadInput(
        "list_predicted_assets: metadata as text",
        lambda deployment: deployment.list_predicted_assets(custom_metadata="a"),
        ("custom_metadata",),
    ),
    BadInput("add_user: a name", lambda deployment: deployment.add_user("ada"), ("user", "User")),
    BadInput("add_user: role of the wrong type", lambda deployment, users: deployment.add_user(users[0], 3), ("role",)),
    BadInput(
        "create_campaign: date as text",
        lambda deployment: deployment.create_campaign(end_date="tomorrow"),
        ("end_date",),
    ),
    BadInput(
        "create_campaign: no such file",
        lambda deployment: deployment.create_campaign(instructions_file_path="no/such.pdf"),
        ("such.pdf",),
    ),
    BadInput(
        "create_campaign: a directory",
        lambda deployment, directory: deployment.create_campaign(instructions_file_path=str(directory)),
        ("directory",),
    ),
    BadInput(
        "create_campaign: bool as text",
        lambda deployment: deployment.create_campaign(auto_add_new_assets="no"),
        ("auto_add_new_assets",),
    ),
    BadInput(
        "create_campaign: description of the wrong type",
        lambda deployment: deployment.create_campaign(description=3),
        ("description",),
    ),
]

CLIENT: Final = [
    BadInput("get_deployment: empty name", lambda client: client.get_deployment(""), ("name",)),
    BadInput("get_deployment: None", lambda client: client.get_deployment(None), ("name",)),
    BadInput("get_deployment_by_id: no UUID", lambda client: client.get_deployment_by_id("17"), ("17", "UUID")),
    BadInput("list_deployments: limit 0", lambda client: client.list_deployments(limit=0), ("limit",)),
    BadInput("list_deployments: order as text", lambda client: client.list_deployments(order_by="name"), ("order_by",)),
    BadInput(
        "create_deployment: a dataset version",
        lambda client, dataset_version: client.create_deployment(dataset_version),
        ("model_version", "ModelVersion"),
    ),
    BadInput("get_model_by_id: no UUID", lambda client: client.get_model_by_id("17"), ("17", "UUID")),
    BadInput("get_dataset_by_id: no UUID", lambda client: client.get_dataset_by_id("17"), ("17", "UUID")),
    BadInput("get_project_by_id: no UUID", lambda client: client.get_project_by_id("17"), ("17", "UUID")),
    BadInput("get_model_version_by_id: no UUID", lambda client: client.get_model_version_by_id("17"), ("17", "UUID")),
    BadInput(
        "get_dataset_version_by_id: no UUID", lambda client: client.get_dataset_version_by_id("17"), ("17", "UUID")
    ),
    BadInput("get_experiment_by_id: no UUID", lambda client: client.get_experiment_by_id("17"), ("17", "UUID")),
    BadInput("get_job_by_id: no UUID", lambda client: client.get_job_by_id("17"), ("17", "UUID")),
    BadInput("create_tag: unknown target", lambda client: client.create_tag("t", "PLANET"), ("PLANET", "DEPLOYMENT")),
    BadInput("find_data: nothing given", lambda datalake: datalake.find_data(), ("filename",)),
    BadInput(
        "list_data: two filters of which one may be given",
        lambda datalake: datalake.list_data(ids=[answers.DATA], filenames=["f.jpg"]),
        ("ids", "filenames"),
    ),
    BadInput("list_data: empty list of ids", lambda datalake: datalake.list_data(ids=[]), ("ids",)),
    BadInput("list_data: ids that are none", lambda datalake: datalake.list_data(ids=["17"]), ("ids", "UUID")),
    BadInput(
        "campaign add_step: unknown type",
        lambda campaign: campaign.add_step("s", "ANNOTATION"),
        ("ANNOTATION", "REVIEW", "QUALITY_CONTROL"),
    ),
    BadInput(
        "campaign list_assignments: unknown status",
        lambda campaign: campaign.list_assignments(status="LATER"),
        ("LATER", "TO_DO"),
    ),
]

BAD_INPUTS: Final = [*TAGS, *SETTINGS, *PREDICT, *PIPELINES, *STATS, *MONITOR, *MANY, *ASSETS, *CLIENT]
