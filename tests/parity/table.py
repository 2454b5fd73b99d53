"""One table: every public call of the vendor's `Deployment`, and of what its documented examples touch.

A row is one call, written once for both sides: the vendor's returns a value, ours returns the awaitable of that
value. What a row needs it names as parameters (see `sides.FETCH`). A difference that is meant stands in the row,
with its reason. Here belong rows and nothing that runs them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import attrs

from . import answers

DATE: Final = dt.date(2026, 12, 31)
MOMENT: Final = dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
RAW: Final = b"\xff\xd8\xff raw \x00 bytes"


@attrs.frozen
class Row:
    """One call.

    Args:
        name: Names the test.
        method: The vendor's class and method.
        call: The call, for both sides.
        ours: The call on our side, where it cannot be the same.
        deployment: Name of the deployment to fetch; it decides the type.
        differs: Field of the comparison -> why ours may differ there. Fields: `order` (of the
            requests), `result`, `error`, `requests` (then `instead` says what ours sends).
        instead: What ours sends where the vendor's request is a fault, as `VERB path`.
    """

    name: str
    method: str
    call: Callable[..., Any]
    ours: Callable[..., Any] | None = None
    deployment: str = "awesome-deploy"
    differs: Mapping[str, str] = attrs.field(factory=dict)
    instead: tuple[str, ...] = ()


TYPED: Final = {"result": "ours is the typed description where the vendor hands out the raw dict; the id agrees"}
"""Of `sync()`."""

ONE: Final = {"result": "ours returns a list, whether one path was given or several"}
"""Of `upload_data()`."""

NOT_ON_THE_WIRE: Final[Mapping[str, str]] = {
    "refresh": "writes fields of the object by hand from a dict; our handles read them from the service (`sync`)",
}
"""Public methods of the vendor's `Deployment` that send nothing."""

# -------------------------------------------------------------------------------------------- prediction formats

_TWO: Final = {"detection_classes": [1, 2], "detection_scores": [0.9, 0.5]}

FORMATS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "awesome-deploy": (
        "DetectionPredictionFormat",
        _TWO | {"detection_boxes": [[1, 2, 3, 4], [5, 6, 7, 8]]},
    ),
    "classification": ("ClassificationPredictionFormat", _TWO),
    "segmentation": (
        "SegmentationPredictionFormat",
        _TWO | {"detection_masks": [[[0, 0], [1, 0], [1, 1]], [[2, 2], [3, 2], [3, 3], [2, 3]]]},
    ),
    "line": ("LinePredictionFormat", _TWO | {"lines": [[[0, 0], [4, 4]], [[1, 2], [3, 4], [5, 6]]]}),
    "point": ("PointPredictionFormat", _TWO | {"points": [[1, 2], [3, 4]]}),
    "keypoint": ("KeypointPredictionFormat", _TWO | {"keypoints": [[[1, 2, 2]], [[3, 4, 1], [5, 6, 0]]]}),
    "mask": ("MaskPredictionFormat", _TWO | {"detection_masks": ["Ze03", "0fQ1N"]}),
}
"""Deployment name -> prediction class, and the least that makes one."""

TEXTS: Final[Mapping[str, Any]] = {"detection_texts": ["x", "\u00e9"]}


def _format(api: Any, deployment: str = "awesome-deploy", **more: Any) -> Any:
    name, fields = FORMATS[deployment]
    return getattr(api, name)(**{**fields, **more})


def _everything(api: Any, deployment: str = "awesome-deploy") -> dict[str, Any]:
    return {
        "source": "camera 1",
        "tags": ["a", "b c", ""],
        "metadata": {"latitude": 1.5, "weather": "\u2602"},
        "custom_metadata": {"at": MOMENT, "id": UUID(answers.TAG), "nested": {"list": [1, None, True]}},
        "timestamp": 1700000000.5,
        "shadow_latency": 0.125,
        "shadow_prediction": _format(api, deployment),
        "sample": False,
        "custom_metrics": {"quality": 0.1},
    }


def _by_format() -> list[Row]:
    rows = []
    for name in FORMATS:
        short = "detection" if name == "awesome-deploy" else name
        rows += [
            Row(
                f"monitor_bytes_{short}_minimal",
                "Deployment.monitor_bytes",
                lambda deployment, api, name=name: deployment.monitor_bytes(
                    RAW, "image/jpeg", "f.jpg", 0.25, 10, 20, _format(api, name)
                ),
                deployment=name,
            ),
            Row(
                f"monitor_bytes_{short}_everything",
                "Deployment.monitor_bytes",
                lambda deployment, api, name=name: deployment.monitor_bytes(
                    raw_image=RAW,
                    content_type=api.SupportedContentType.PNG,
                    filename="f.png",
                    latency=1.0,
                    height=10,
                    width=20,
                    prediction=_format(api, name, **TEXTS),
                    upload_dir="u/",
                    **_everything(api, name),
                ),
                deployment=name,
            ),
            Row(
                f"monitor_bytes_{short}_empty",
                "Deployment.monitor_bytes",
                lambda deployment, api, name=name: deployment.monitor_bytes(
                    RAW,
                    "PNG",
                    "f.png",
                    0.0,
                    1,
                    1,
                    getattr(api, FORMATS[name][0])(**{field: [] for field in FORMATS[name][1]}),
                ),
                deployment=name,
            ),
            Row(
                f"monitor_shadow_{short}",
                "Deployment.monitor_shadow_from_oracle_prediction_id",
                lambda deployment, api, name=name: deployment.monitor_shadow_from_oracle_prediction_id(
                    answers.ORACLE_PREDICTION, 0.5, _format(api, name, **TEXTS)
                ),
                deployment=name,
            ),
        ]
    return rows


MONITOR: Final = [
    Row(
        "monitor_minimal",
        "Deployment.monitor",
        lambda deployment, api, jpeg: deployment.monitor(jpeg, 0.25, 10, 20, _format(api)),
    ),
    Row(
        "monitor_png_path_as_text",
        "Deployment.monitor",
        lambda deployment, api, png: deployment.monitor(str(png), 0.25, 10, 20, _format(api)),
    ),
    Row(
        "monitor_positional",
        "Deployment.monitor",
        lambda deployment, api, jpeg: deployment.monitor(
            jpeg,
            0.25,
            10,
            20,
            _format(api),
            "cam",
            ["t"],
            1.5,
            None,
            None,
            0.5,
            None,
            _format(api),
            "image/png",
            {"weather": "rain"},
        ),
    ),
    Row(
        "monitor_everything",
        "Deployment.monitor",
        lambda deployment, api, jpeg: deployment.monitor(
            image_path=jpeg,
            latency=1.0,
            height=10,
            width=20,
            prediction=_format(api, **TEXTS),
            content_type="jpeg",
            upload_dir="u/",
            **_everything(api),
        ),
    ),
    Row(
        "monitor_deprecated_names",
        "Deployment.monitor",
        lambda deployment, api, jpeg, model_version: deployment.monitor(
            jpeg,
            1.0,
            10,
            20,
            _format(api),
            model_version=model_version,
            shadow_model_version=model_version,
            shadow_latency=0.5,
            shadow_raw_predictions=_format(api),
        ),
    ),
    Row(
        "monitor_empty_values_are_sent",
        "Deployment.monitor_bytes",
        lambda deployment, api: deployment.monitor_bytes(
            RAW,
            "image/JPEG",
            "f.jpg",
            0.0,
            1,
            1,
            _format(api, detection_texts=[]),
            source="",
            tags=[],
            metadata={},
            custom_metadata={},
            timestamp=0.0,
            upload_dir="",
            sample=False,
            custom_metrics={},
        ),
    ),
    Row(
        "monitor_not_a_number",
        "Deployment.monitor_bytes",
        lambda deployment, api: deployment.monitor_bytes(
            RAW, "JPEG", "n.jpg", 0.5, 1, 1, _format(api), custom_metrics={"loss": float("nan")}
        ),
    ),
    Row(
        "monitor_unicode_filename",
        "Deployment.monitor_bytes",
        lambda deployment, api: deployment.monitor_bytes(
            RAW, "JPEG", "d\u00e9p\u00f4t \u2603.jpg", 0.5, 1, 1, _format(api)
        ),
    ),
    Row(
        "monitor_sampled",
        "Deployment.monitor_bytes",
        lambda deployment, api: deployment.monitor_bytes(RAW, "JPEG", "f.jpg", 0.5, 1, 1, _format(api), sample=True),
    ),
    Row(
        "monitor_cloud_image_minimal",
        "Deployment.monitor_cloud_image",
        lambda deployment, api: deployment.monitor_cloud_image("dir/o.jpeg", 0.25, 10, 20, _format(api), "image/jpeg"),
    ),
    Row(
        "monitor_cloud_image_everything",
        "Deployment.monitor_cloud_image",
        lambda deployment, api: deployment.monitor_cloud_image(
            object_name="dir/o.png",
            latency=0.25,
            height=10,
            width=20,
            prediction=_format(api, **TEXTS),
            content_type=api.SupportedContentType.PNG,
            **_everything(api),
        ),
    ),
    Row(
        "monitor_data_minimal",
        "Deployment.monitor_data",
        lambda deployment, api, data: deployment.monitor_data(data, 0.25, 10, 20, _format(api)),
    ),
    Row(
        "monitor_data_everything",
        "Deployment.monitor_data",
        lambda deployment, api, data: deployment.monitor_data(
            data,
            0.25,
            10,
            20,
            _format(api),
            tags=["t"],
            timestamp=1.5,
            shadow_latency=0.5,
            shadow_prediction=_format(api),
            sample=True,
            custom_metrics={"q": 1},
        ),
    ),
    Row(
        "monitor_shadow_asset",
        "Deployment.monitor_shadow",
        lambda deployment, api, asset: deployment.monitor_shadow(asset, 0.5, _format(api)),
    ),
    Row(
        "monitor_shadow_uuid",
        "Deployment.monitor_shadow_from_oracle_prediction_id",
        lambda deployment, api: deployment.monitor_shadow_from_oracle_prediction_id(
            UUID(answers.ORACLE_PREDICTION), 0.5, _format(api)
        ),
    ),
    *_by_format(),
]

PREDICT: Final = [
    Row("predict_minimal", "Deployment.predict", lambda deployment, jpeg: deployment.predict(jpeg)),
    Row(
        "predict_documented",
        "Deployment.predict",
        lambda deployment, png: deployment.predict(str(png), tags=["gonna", "give"], source="camera-1"),
    ),
    Row(
        "predict_everything",
        "Deployment.predict",
        lambda deployment, jpeg, data_tag, source: deployment.predict(
            jpeg,
            tags=[data_tag, "plain"],
            source=source,
            metadata={"weather": "\u00e9", "list": [1, 2.5]},
            monitor=False,
            upload_dir="u/",
            custom_metadata={"z": "\u2603"},
            postprocess=False,
        ),
    ),
    Row(
        "predict_bytes_minimal",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW),
    ),
    Row(
        "predict_bytes_one_tag",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW, "one", "camera 1", {"a": 1}, True),
    ),
    Row(
        "predict_bytes_tag_object",
        "Deployment.predict_bytes",
        lambda deployment, data_tag: deployment.predict_bytes("f.jpg", RAW, tags=data_tag),
    ),
    Row(
        "predict_bytes_empty_values_are_dropped",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes(
            "f.jpg", RAW, tags=[], source="", metadata={}, custom_metadata={}, upload_dir=""
        ),
    ),
    Row(
        "predict_bytes_unicode_filename",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes("d\u00e9p\u00f4t \u2603.jpg", RAW),
    ),
    Row(
        "predict_bytes_unicode_text",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW, tags=["\u00e9t\u00e9"], source="d\u00e9p\u00f4t"),
    ),
    Row(
        "predict_cloud_image_minimal",
        "Deployment.predict_cloud_image",
        lambda deployment: deployment.predict_cloud_image("dir/o.jpeg"),
    ),
    Row(
        "predict_cloud_image_everything",
        "Deployment.predict_cloud_image",
        lambda deployment, source, data_tag: deployment.predict_cloud_image(
            "dir/o.jpeg",
            tags=["t", data_tag],
            source=source,
            metadata={"weather": "rain"},
            monitor=False,
            custom_metadata={"at": MOMENT},
            postprocess=False,
        ),
    ),
    Row(
        "predict_data_minimal",
        "Deployment.predict_data",
        lambda deployment, data: deployment.predict_data(data),
    ),
    Row(
        "predict_data_everything",
        "Deployment.predict_data",
        lambda deployment, data: deployment.predict_data(data, tags=["tag1", "tag2"], monitor=False, postprocess=False),
    ),
    Row(
        "predict_shadow_minimal",
        "Deployment.predict_shadow",
        lambda deployment, asset: deployment.predict_shadow(asset),
    ),
    Row(
        "predict_shadow_unmonitored",
        "Deployment.predict_shadow",
        lambda deployment, asset: deployment.predict_shadow(asset, monitor=False),
    ),
]

SERVICES: Final = (
    "PREDICTIONS_OUTLYING_SCORE",
    "PREDICTIONS_DATA",
    "REVIEWS_OBJECT_DETECTION_STATS",
    "REVIEWS_CLASSIFICATION_STATS",
    "REVIEWS_LABEL_DISTRIBUTION_STATS",
    "AGGREGATED_LABEL_DISTRIBUTION",
    "AGGREGATED_OBJECT_DETECTION_STATS",
    "AGGREGATED_PREDICTIONS_DATA",
    "AGGREGATED_DRIFTING_PREDICTIONS",
)


def _stats() -> list[Row]:
    return [
        Row(
            f"get_stats_{service.lower()}",
            "Deployment.get_stats",
            lambda deployment, api, service=service: deployment.get_stats(api.ServiceMetrics[service]),
        )
        for service in SERVICES
    ]


DEPLOYMENT: Final = [
    Row("sync", "Deployment.sync", lambda deployment: deployment.sync(), differs=TYPED),
    Row("get_tags", "Deployment.get_tags", lambda deployment: deployment.get_tags()),
    Row("add_tags_one", "Deployment.add_tags", lambda deployment, tag: deployment.add_tags(tag)),
    Row(
        "add_tags_two",
        "Deployment.add_tags",
        lambda deployment, deployment_tags: deployment.add_tags(deployment_tags),
        differs={"order": "the two requests do not depend on each other and may leave together"},
    ),
    Row("remove_tags_one", "Deployment.remove_tags", lambda deployment, tag: deployment.remove_tags(tag)),
    Row(
        "remove_tags_two",
        "Deployment.remove_tags",
        lambda deployment, deployment_tags: deployment.remove_tags(deployment_tags),
        differs={"order": "the two requests do not depend on each other and may leave together"},
    ),
    Row(
        "retrieve_information",
        "Deployment.retrieve_information",
        lambda deployment: deployment.retrieve_information(),
    ),
    Row("update_nothing", "Deployment.update", lambda deployment: deployment.update()),
    Row(
        "update_documented",
        "Deployment.update",
        lambda deployment: deployment.update(name="new name", min_threshold=0.4),
    ),
    Row(
        "update_everything",
        "Deployment.update",
        lambda deployment, datalake: deployment.update("n", datalake, 0.0, sample_rate=0.5),
    ),
    Row("delete", "Deployment.delete", lambda deployment: deployment.delete()),
    Row("delete_by_force", "Deployment.delete", lambda deployment: deployment.delete(force_delete=True)),
    Row("set_model", "Deployment.set_model", lambda deployment, model_version: deployment.set_model(model_version)),
    Row("get_model_version", "Deployment.get_model_version", lambda deployment: deployment.get_model_version()),
    Row(
        "set_shadow_model",
        "Deployment.set_shadow_model",
        lambda deployment, model_version: deployment.set_shadow_model(model_version),
    ),
    Row("get_shadow_model", "Deployment.get_shadow_model", lambda deployment: deployment.get_shadow_model()),
    Row("list_labels", "Deployment.list_labels", lambda deployment: deployment.list_labels()),
    Row("setup_feedback_loop", "Deployment.setup_feedback_loop", lambda deployment: deployment.setup_feedback_loop()),
    Row(
        "setup_feedback_loop_with_dataset",
        "Deployment.setup_feedback_loop",
        lambda deployment, dataset_version: deployment.setup_feedback_loop(dataset_version),
    ),
    Row(
        "attach_feedback_loop",
        "Deployment.attach_dataset_version_to_feedback_loop",
        lambda deployment, dataset_version: deployment.attach_dataset_version_to_feedback_loop(dataset_version),
    ),
    Row(
        "detach_feedback_loop",
        "Deployment.detach_dataset_version_from_feedback_loop",
        lambda deployment, dataset_version: deployment.detach_dataset_version_from_feedback_loop(dataset_version),
    ),
    Row(
        "list_feedback_loop_datasets",
        "Deployment.list_feedback_loop_datasets",
        lambda deployment: deployment.list_feedback_loop_datasets(),
    ),
    Row(
        "toggle_feedback_loop",
        "Deployment.toggle_feedback_loop",
        lambda deployment: deployment.toggle_feedback_loop(True),
    ),
    Row(
        "set_training_data",
        "Deployment.set_training_data",
        lambda deployment, dataset_version: deployment.set_training_data(dataset_version),
    ),
    Row(
        "check_training_data",
        "Deployment.check_training_data_metrics_status",
        lambda deployment: deployment.check_training_data_metrics_status(),
    ),
    Row(
        "disable_training_data",
        "Deployment.disable_training_data_reference",
        lambda deployment: deployment.disable_training_data_reference(),
    ),
    Row(
        "setup_continuous_training_minimal",
        "Deployment.setup_continuous_training",
        lambda deployment, project: deployment.setup_continuous_training(project, experiment_parameters={"epochs": 3}),
    ),
    Row(
        "setup_continuous_training_everything",
        "Deployment.setup_continuous_training",
        lambda deployment, project, dataset_version, model_version, api: deployment.setup_continuous_training(
            project,
            dataset_version,
            model_version,
            api.ContinuousTrainingTrigger.FEEDBACK_LOOP,
            150,
            {"epochs": 3, "rate": 0.5},
            None,
        ),
    ),
    Row(
        "setup_continuous_training_text",
        "Deployment.setup_continuous_training",
        lambda deployment, project: deployment.setup_continuous_training(
            project, trigger="feedback_loop", threshold=1, experiment_parameters={"a": None}
        ),
    ),
    Row(
        "attach_continuous_training",
        "Deployment.attach_dataset_version_to_continuous_training",
        lambda deployment, dataset_version: deployment.attach_dataset_version_to_continuous_training(
            "train", dataset_version
        ),
    ),
    Row(
        "detach_continuous_training",
        "Deployment.detach_dataset_version_from_continuous_training",
        lambda deployment, dataset_version: deployment.detach_dataset_version_from_continuous_training(dataset_version),
    ),
    Row(
        "toggle_continuous_training",
        "Deployment.toggle_continuous_training",
        lambda deployment: deployment.toggle_continuous_training(active=False),
    ),
    Row(
        "setup_continuous_deployment",
        "Deployment.setup_continuous_deployment",
        lambda deployment, api: deployment.setup_continuous_deployment(api.ContinuousDeploymentPolicy.DEPLOY_MANUAL),
    ),
    Row(
        "setup_continuous_deployment_text",
        "Deployment.setup_continuous_deployment",
        lambda deployment: deployment.setup_continuous_deployment("deploy_shadow"),
    ),
    Row(
        "toggle_continuous_deployment",
        "Deployment.toggle_continuous_deployment",
        lambda deployment: deployment.toggle_continuous_deployment(True),
    ),
    *_stats(),
    Row(
        "get_stats_everything",
        "Deployment.get_stats",
        lambda deployment, api, model_version: deployment.get_stats(
            api.ServiceMetrics.PREDICTIONS_DATA,
            model_version,
            1.5,
            1700000000.25,
            3600,
            ["i1", "i2"],
            ["e 1"],
            ["t1", "t&2"],
        ),
    ),
    Row(
        "get_stats_aggregated_everything",
        "Deployment.get_stats",
        lambda deployment, api, model_version: deployment.get_stats(
            service=api.ServiceMetrics.AGGREGATED_DRIFTING_PREDICTIONS,
            model_version=model_version,
            since=0,
            includes=[],
            tags=["t"],
        ),
    ),
    Row(
        "find_predicted_asset_filename",
        "Deployment.find_predicted_asset",
        lambda deployment: deployment.find_predicted_asset(filename="o 1.jpeg"),
    ),
    Row(
        "find_predicted_asset_everything",
        "Deployment.find_predicted_asset",
        lambda deployment: deployment.find_predicted_asset(
            answers.PREDICTED_ASSET,
            UUID(answers.ORACLE_PREDICTION),
            "dir/o.jpeg",
            "o.jpeg",
            answers.DATA,
        ),
    ),
    Row(
        "list_predicted_assets",
        "Deployment.list_predicted_assets",
        lambda deployment: deployment.list_predicted_assets(),
    ),
    Row(
        "list_predicted_assets_limit",
        "Deployment.list_predicted_assets",
        lambda deployment: deployment.list_predicted_assets(limit=1, offset=0),
    ),
    Row(
        "list_predicted_assets_ordered",
        "Deployment.list_predicted_assets",
        lambda deployment: deployment.list_predicted_assets(limit=5, order_by=["-created_at", "id"]),
    ),
    Row(
        "list_predicted_assets_everything",
        "Deployment.list_predicted_assets",
        lambda deployment: deployment.list_predicted_assets(
            limit=5,
            offset=2,
            q='data.filename = "a b"',
            assignment_status="DONE",
            assignment_step_id=UUID(answers.STEP),
            assignment_user_id=answers.USER,
            custom_metadata={"a": {"b": [1, 2]}},
        ),
    ),
    Row(
        "list_predicted_assets_pages_by_cursor",
        "Deployment.list_predicted_assets",
        lambda deployment: deployment.list_predicted_assets(q=answers.MANY),
    ),
    Row(
        "list_predicted_assets_pages_by_offset",
        "Deployment.list_predicted_assets",
        lambda deployment: deployment.list_predicted_assets(q=answers.MANY, order_by=["id"]),
        differs={"order": "pages after the first do not depend on each other and may leave together"},
    ),
    Row("list_workers", "Deployment.list_workers", lambda deployment: deployment.list_workers()),
    Row("list_users", "Deployment.list_users", lambda deployment: deployment.list_users()),
    Row("add_user", "Deployment.add_user", lambda deployment, users: deployment.add_user(users[0])),
    Row("add_user_role", "Deployment.add_user", lambda deployment, users: deployment.add_user(users[0], "ADMIN")),
    Row("create_campaign_minimal", "Deployment.create_campaign", lambda deployment: deployment.create_campaign()),
    Row(
        "create_campaign_everything",
        "Deployment.create_campaign",
        lambda deployment, instructions: deployment.create_campaign("what", str(instructions), "how", DATE, True, True),
    ),
    Row("get_campaign_known", "Deployment.get_campaign", lambda deployment: deployment.get_campaign()),
    Row(
        "get_campaign_unknown",
        "Deployment.get_campaign",
        lambda deployment: deployment.get_campaign(),
        deployment=answers.NO_CAMPAIGN,
    ),
]

CLIENT: Final = [
    Row("get_deployment", "Client.get_deployment", lambda client: client.get_deployment("my deploy/1")),
    Row("get_deployment_named", "Client.get_deployment", lambda client: client.get_deployment(name="awesome-deploy")),
    Row(
        "get_deployment_by_id",
        "Client.get_deployment_by_id",
        lambda client: client.get_deployment_by_id(answers.DEPLOYMENT),
    ),
    Row(
        "get_deployment_by_uuid",
        "Client.get_deployment_by_id",
        lambda client: client.get_deployment_by_id(UUID(answers.DEPLOYMENT)),
    ),
    Row("list_deployments", "Client.list_deployments", lambda client: client.list_deployments()),
    Row(
        "list_deployments_everything",
        "Client.list_deployments",
        lambda client: client.list_deployments(10, 0, ["-created_at", "name"]),
    ),
    Row(
        "create_deployment_minimal",
        "Client.create_deployment",
        lambda client, model_version: client.create_deployment(model_version),
    ),
    Row(
        "create_deployment_everything",
        "Client.create_deployment",
        lambda client, model_version, datalake: client.create_deployment(
            model_version, model_version, "n", 0.5, datalake, True
        ),
    ),
]

TAGS: Final = [
    Row("create_deployment_tag", "Client.create_deployment_tag", lambda client: client.create_deployment_tag("t")),
    Row("create_dataset_tag", "Client.create_dataset_tag", lambda client: client.create_dataset_tag("t")),
    Row(
        "create_dataset_version_tag",
        "Client.create_dataset_version_tag",
        lambda client: client.create_dataset_version_tag("t"),
    ),
    Row("create_model_tag", "Client.create_model_tag", lambda client: client.create_model_tag("t")),
    Row(
        "create_model_version_tag",
        "Client.create_model_version_tag",
        lambda client: client.create_model_version_tag("t"),
    ),
    Row("list_deployment_tags", "Client.list_deployment_tags", lambda client: client.list_deployment_tags()),
    Row("find_deployment_tag", "Client.find_deployment_tag", lambda client: client.find_deployment_tag("t 1")),
    Row("tag_sync", "Tag.sync", lambda tag: tag.sync(), differs=TYPED),
    Row("tag_update", "Tag.update", lambda tag: tag.update(name="new name")),
    Row("tag_delete", "Tag.delete", lambda tag: tag.delete()),
    Row("tag_attach_on", "Tag.attach_on", lambda tag, deployment: tag.attach_on(deployment)),
    Row("tag_detach_from", "Tag.detach_from", lambda tag, deployment: tag.detach_from([deployment])),
    Row("create_datasource", "Client.create_datasource", lambda client: client.create_datasource("s")),
    Row("get_datasource", "Client.get_datasource", lambda client: client.get_datasource("s")),
    Row(
        "get_or_create_datasource",
        "Client.get_or_create_datasource",
        lambda client: client.get_or_create_datasource("s"),
    ),
    Row("list_datasources", "Client.list_datasources", lambda client: client.list_datasources(1, 2, ["name"])),
    Row("source_sync", "DataSource.sync", lambda source: source.sync(), differs=TYPED),
    Row("source_update", "DataSource.update", lambda source: source.update("n")),
    Row("source_delete", "DataSource.delete", lambda source: source.delete()),
]

MODELS: Final = [
    Row("get_model", "Client.get_model", lambda client: client.get_model("my-model")),
    Row("get_model_by_id", "Client.get_model_by_id", lambda client: client.get_model_by_id(answers.MODEL)),
    Row("list_models", "Client.list_models", lambda client: client.list_models()),
    Row("model_get_version_name", "Model.get_version", lambda model: model.get_version("latest")),
    Row("model_get_version_number", "Model.get_version", lambda model: model.get_version(0)),
    Row("model_list_versions", "Model.list_versions", lambda model: model.list_versions()),
    Row(
        "get_model_version_by_id",
        "Client.get_model_version_by_id",
        lambda client: client.get_model_version_by_id(answers.MODEL_VERSION),
    ),
    Row("model_version_sync", "ModelVersion.sync", lambda model_version: model_version.sync(), differs=TYPED),
    Row("model_version_get_tags", "ModelVersion.get_tags", lambda model_version: model_version.get_tags()),
    Row("model_version_get_context", "ModelVersion.get_context", lambda model_version: model_version.get_context()),
    Row("model_version_deploy", "ModelVersion.deploy", lambda model_version: model_version.deploy()),
    Row(
        "model_version_deploy_everything",
        "ModelVersion.deploy",
        lambda model_version, datalake: model_version.deploy("n", datalake, 0.5),
    ),
    Row(
        "model_version_get_public_context",
        "ModelVersion.get_context",
        lambda public_model_version: public_model_version.get_context(),
    ),
    Row("model_sync", "Model.sync", lambda model: model.sync(), differs=TYPED),
    Row("context_sync", "ModelContext.sync", lambda context: context.sync(), differs=TYPED),
    Row(
        "context_get_dataset_version",
        "ModelContext.get_dataset_version",
        lambda context: context.get_dataset_version("train"),
    ),
    Row("context_retrieve_datasets", "ModelContext.retrieve_datasets", lambda context: context.retrieve_datasets()),
    Row("context_get_experiment", "ModelContext.get_experiment", lambda context: context.get_experiment()),
    Row(
        "get_experiment_by_id",
        "Client.get_experiment_by_id",
        lambda client: client.get_experiment_by_id(answers.EXPERIMENT),
    ),
    Row("experiment_sync", "Experiment.sync", lambda experiment: experiment.sync(), differs=TYPED),
    Row("experiment_get_log", "Experiment.get_log", lambda experiment: experiment.get_log("parameters")),
]

DATASETS: Final = [
    Row("get_dataset", "Client.get_dataset", lambda client: client.get_dataset("my-dataset")),
    Row("get_dataset_by_id", "Client.get_dataset_by_id", lambda client: client.get_dataset_by_id(answers.DATASET)),
    Row("list_datasets", "Client.list_datasets", lambda client: client.list_datasets()),
    Row("dataset_get_version", "Dataset.get_version", lambda dataset: dataset.get_version("latest")),
    Row(
        "dataset_get_version_by_id",
        "Dataset.get_version_by_id",
        lambda dataset: dataset.get_version_by_id(answers.DATASET_VERSION),
    ),
    Row("dataset_list_versions", "Dataset.list_versions", lambda dataset: dataset.list_versions()),
    Row(
        "get_dataset_version_by_id",
        "Client.get_dataset_version_by_id",
        lambda client: client.get_dataset_version_by_id(answers.DATASET_VERSION),
    ),
    Row("dataset_sync", "Dataset.sync", lambda dataset: dataset.sync(), differs=TYPED),
    Row("list_assets", "DatasetVersion.list_assets", lambda dataset_version: dataset_version.list_assets(limit=2)),
    Row(
        "list_assets_data_ids",
        "DatasetVersion.list_assets",
        lambda dataset_version: dataset_version.list_assets(data_ids=[answers.DATA]),
    ),
    Row(
        "list_assets_by_start",
        "DatasetVersion.list_assets",
        lambda dataset_version: dataset_version.list_assets(filenames_startswith=["cam1-", "cam2-"]),
    ),
    Row("dataset_version_sync", "DatasetVersion.sync", lambda dataset_version: dataset_version.sync(), differs=TYPED),
    Row("get_project", "Client.get_project", lambda client: client.get_project("my-project")),
    Row("get_project_by_id", "Client.get_project_by_id", lambda client: client.get_project_by_id(answers.PROJECT)),
    Row("list_projects", "Client.list_projects", lambda client: client.list_projects()),
    Row("project_sync", "Project.sync", lambda project: project.sync(), differs=TYPED),
    Row(
        "project_list_dataset_versions",
        "Project.list_dataset_versions",
        lambda project: project.list_dataset_versions(),
    ),
]

DATALAKES: Final = [
    Row("get_datalake_default", "Client.get_datalake", lambda client: client.get_datalake()),
    Row("get_datalake_name", "Client.get_datalake", lambda client: client.get_datalake(name="target-datalake")),
    Row("get_datalake_id", "Client.get_datalake", lambda client: client.get_datalake(id=UUID(answers.DATALAKE))),
    Row("list_datalakes", "Client.list_datalakes", lambda client: client.list_datalakes()),
    Row("datalake_sync", "Datalake.sync", lambda datalake: datalake.sync(), differs=TYPED),
    Row("list_data", "Datalake.list_data", lambda datalake: datalake.list_data()),
    Row("list_data_limit", "Datalake.list_data", lambda datalake: datalake.list_data(limit=1)),
    Row(
        "list_data_everything",
        "Datalake.list_data",
        lambda datalake: datalake.list_data(limit=3, offset=1, tags=["a", "b"], q="x = 1", custom_metadata={"a": 1}),
    ),
    Row(
        "list_data_all_tags",
        "Datalake.list_data",
        lambda datalake, data_tag: datalake.list_data(tags=[data_tag, "b"], intersect_tags=True),
    ),
    Row(
        "list_data_ids",
        "Datalake.list_data",
        lambda datalake: datalake.list_data(ids=[answers.DATA, UUID(answers.SECOND_DATA)], q="x = 1", order_by=["id"]),
    ),
    Row("list_data_filenames", "Datalake.list_data", lambda datalake: datalake.list_data(filenames=["a.jpg", "b"])),
    Row(
        "list_data_object_names",
        "Datalake.list_data",
        lambda datalake: datalake.list_data(object_names=["d/o.jpg"], custom_metadata={"a": 1}),
    ),
    Row(
        "find_data_everything",
        "Datalake.find_data",
        lambda datalake: datalake.find_data("o.jpeg", "dir/o.jpeg", answers.DATA),
    ),
    Row("create_data_tag", "Datalake.create_data_tag", lambda datalake: datalake.create_data_tag("t")),
    Row("get_data_tag", "Datalake.get_data_tag", lambda datalake: datalake.get_data_tag("t")),
    Row(
        "get_or_create_data_tag",
        "Datalake.get_or_create_data_tag",
        lambda datalake: datalake.get_or_create_data_tag("t"),
    ),
    Row("list_data_tags", "Datalake.list_data_tags", lambda datalake: datalake.list_data_tags()),
    Row(
        "datas_delete",
        "MultiData.delete",
        lambda datas: datas.delete(),
        ours=lambda datalake, datas: datalake.delete_data(datas),  # ours lists into a plain list
    ),
    Row(
        "upload_data",
        "Datalake.upload_data",
        lambda datalake, picture: datalake.upload_data(str(picture), sizes=(20, 10)),
        differs=ONE,
    ),
    Row(
        "upload_data_everything",
        "Datalake.upload_data",
        lambda datalake, picture, data_tag, source: datalake.upload_data(
            [picture],
            tags=[data_tag],
            source=source,
            metadata={"weather": "rain"},
            upload_dir="u/",
            custom_metadata={"line": 3},
            sizes=(20, 10),  # without it the vendor opens the file with Pillow to tell its size, ours does not
        ),
        differs=ONE,
    ),
    Row(
        "update_multiple_data",
        "Datalake.update_multiple_data",
        lambda datalake: datalake.update_multiple_data(
            {UUID(answers.DATA): {"metadata": {"weather": "rain"}, "tags": ["t"]}}
        ),
    ),
    Row(
        "import_bucket_objects",
        "Datalake.import_bucket_objects",
        lambda datalake: datalake.import_bucket_objects(["p/"]),
    ),
    Row(
        "import_cloud_objects",
        "Datalake.import_cloud_objects",
        lambda datalake: datalake.import_cloud_objects(
            {"d/o.jpg": {"metadata": {"weather": "rain"}, "tags": ["t"], "data_source": "s"}, "d/p.jpg": {}}
        ),
    ),
    Row("data_sync", "Data.sync", lambda data: data.sync(), differs=TYPED),
    Row("data_get_tags", "Data.get_tags", lambda data: data.get_tags()),
    Row("data_add_tags", "Data.add_tags", lambda data, data_tag: data.add_tags(data_tag)),
    Row("data_remove_tags", "Data.remove_tags", lambda data, data_tag: data.remove_tags([data_tag])),
    Row("data_get_datasource", "Data.get_datasource", lambda data: data.get_datasource()),
    Row("data_reset_url", "Data.reset_url", lambda data: data.reset_url()),
    Row("data_update_metadata", "Data.update_metadata", lambda data: data.update_metadata({"weather": "rain"})),
    Row(
        "data_update_custom_metadata",
        "Data.update_custom_metadata",
        lambda data: data.update_custom_metadata(None),
    ),
    Row("data_delete", "Data.delete", lambda data: data.delete()),
]

REVIEWS: Final = [
    Row("asset_sync", "PredictedAsset.sync", lambda asset: asset.sync(), differs=TYPED),
    Row("asset_get_data", "PredictedAsset.get_data", lambda asset: asset.get_data()),
    Row("asset_reset_url", "PredictedAsset.reset_url", lambda asset: asset.reset_url()),
    Row("asset_delete", "PredictedAsset.delete", lambda asset: asset.delete()),
    Row(
        "asset_champion",
        "PredictedAsset.get_champion_prediction",
        lambda asset: asset.get_champion_prediction(),
    ),
    Row("asset_shadow", "PredictedAsset.get_shadow_prediction", lambda asset: asset.get_shadow_prediction()),
    Row("asset_review", "PredictedAsset.get_review", lambda asset: asset.get_review()),
    Row("add_review_empty", "PredictedAsset.add_review", lambda asset: asset.add_review()),
    Row(
        "add_review_everything",
        "PredictedAsset.add_review",
        lambda asset, labels: asset.add_review(
            rectangles=[(1, 2, 3, 4, labels[0])],
            polygons=[([[0, 0], [1, 0], [1, 1]], labels[0])],
            classifications=[labels[0]],
            lines=[([[0, 0], [1, 1]], labels[0])],
            points=[([3, 4], labels[0])],
        ),
    ),
    Row("list_review_campaigns", "Client.list_review_campaigns", lambda client: client.list_review_campaigns()),
    Row(
        "list_review_campaigns_open",
        "Client.list_review_campaigns",
        lambda client: client.list_review_campaigns(is_closed=False),
    ),
    Row("campaign_sync", "ReviewCampaign.sync", lambda campaign: campaign.sync(), differs=TYPED),
    Row("campaign_update", "ReviewCampaign.update", lambda campaign: campaign.update(description="new")),
    Row(
        "campaign_update_everything",
        "ReviewCampaign.update",
        lambda campaign, steps: campaign.update("d", "o", "t", DATE, True, False, steps[0]),
    ),
    Row("campaign_close", "ReviewCampaign.close", lambda campaign: campaign.close()),
    Row("campaign_reopen", "ReviewCampaign.reopen", lambda campaign: campaign.reopen()),
    Row("campaign_delete", "ReviewCampaign.delete", lambda campaign: campaign.delete()),
    Row(
        "campaign_add_step",
        "ReviewCampaign.add_step",
        lambda campaign: campaign.add_step("review", "REVIEW"),
    ),
    Row(
        "campaign_add_step_everything",
        "ReviewCampaign.add_step",
        lambda campaign, users, api: campaign.add_step(
            "check", api.CampaignStepType.QUALITY_CONTROL, "d", [(users[0], 1.5)], 1, 0.5
        ),
    ),
    Row("campaign_list_steps", "ReviewCampaign.list_steps", lambda campaign: campaign.list_steps()),
    Row(
        "campaign_sync_assets",
        "ReviewCampaign.sync_assets",
        lambda campaign: campaign.sync_assets(),
        differs={"error": "nothing to add is a NoDataError of ours, a bare ValueError of the vendor's"},
    ),
    Row(
        "campaign_list_assignments",
        "ReviewCampaign.list_assignments",
        lambda campaign: campaign.list_assignments(),
    ),
    Row(
        "campaign_list_assignments_everything",
        "ReviewCampaign.list_assignments",
        lambda campaign, users: campaign.list_assignments(UUID(answers.STEP), "DONE", users[0], {"a": 1}, "x = 1"),
    ),
    Row(
        "campaign_list_assignments_unassigned",
        "ReviewCampaign.list_assignments",
        lambda campaign: campaign.list_assignments(user="unassigned"),
    ),
    Row(
        "campaign_reassign",
        "ReviewCampaign.reassign",
        lambda campaign, assignments, users: campaign.reassign(assignments, users[0]),
    ),
    Row(
        "campaign_unassign",
        "ReviewCampaign.reassign",
        lambda campaign, assignments: campaign.reassign(assignments),
    ),
    Row(
        "campaign_issue_counts",
        "ReviewCampaign.get_campaign_issue_counts",
        lambda campaign, users: campaign.get_campaign_issue_counts(users=users),
    ),
    Row(
        "campaign_upload_instructions",
        "ReviewCampaign.upload_instructions_file",
        lambda campaign, instructions: campaign.upload_instructions_file(str(instructions)),
    ),
    Row(
        "assignment_sync",
        "ReviewCampaignAssignment.sync",
        lambda assignments: assignments[0].sync(),
        differs=TYPED
        | {"requests": "the vendor doubles the prefix of this path (docs/wire.md#predicted-asset-endpoints)"},
        instead=(f"GET /api/campaigns/review/assignments/{answers.ASSIGNMENT}",),
    ),
    Row("assignment_reset_url", "ReviewCampaignAssignment.reset_url", lambda assignments: assignments[0].reset_url()),
    Row("step_sync", "ReviewCampaignStep.sync", lambda steps: steps[0].sync(), differs=TYPED),
    Row(
        "step_update",
        "ReviewCampaignStep.update",
        lambda steps, users: steps[0].update("n", [(users[0], 2.0)], 0.5),
    ),
    Row("step_delete", "ReviewCampaignStep.delete", lambda steps: steps[0].delete(UUID(answers.STEP))),
    Row(
        "step_redistribute",
        "ReviewCampaignStep.redistribute_assignments",
        lambda steps: steps[0].redistribute_assignments(),
    ),
    Row("list_organization_users", "Client.list_users", lambda client: client.list_users()),
    Row("find_organization_user", "Client.list_users", lambda client: client.list_users("ada")),
    Row("get_job_by_id", "Client.get_job_by_id", lambda client: client.get_job_by_id(answers.JOB)),
    Row("job_sync", "Job.sync", lambda job: job.sync(), differs=TYPED),
    Row("label_update", "Label.update", lambda labels: labels[0].update("n", UUID(answers.LABEL))),
    Row("label_delete", "Label.delete", lambda labels: labels[0].delete()),
    Row("label_sync", "Label.sync", lambda labels: labels[0].sync(), differs=TYPED),
]

ROWS: Final = [*MONITOR, *PREDICT, *DEPLOYMENT, *CLIENT, *TAGS, *MODELS, *DATASETS, *DATALAKES, *REVIEWS]
