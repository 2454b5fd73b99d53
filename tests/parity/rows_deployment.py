"""Rows of a deployment itself: settings, pipelines, predicted assets, statistics."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from . import answers, ids
from .row import DATE, TYPED, Row

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
            ids.PREDICTED_ASSET,
            UUID(ids.ORACLE_PREDICTION),
            "dir/o.jpeg",
            "o.jpeg",
            ids.DATA,
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
            assignment_step_id=UUID(ids.STEP),
            assignment_user_id=ids.USER,
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
