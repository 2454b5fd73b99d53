"""Arguments that cannot be right, method by method: what our client must refuse before it sends anything.

A row is a call (it names what it needs, as in `row.py`), the error expected, and words that its message must have:
the argument, and for an enum what is accepted. Here belong rows only; `test_bad_inputs.py` runs them.
"""

from __future__ import annotations

from typing import Final

from . import ids
from .bad_input import BadInput
from .bad_inputs_sending import MANY, MONITOR, PREDICT

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
        lambda deployment: deployment.update(target_datalake=ids.DATALAKE),
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
        lambda deployment: deployment.detach_dataset_version_from_feedback_loop(ids.DATASET_VERSION),
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
        lambda datalake: datalake.list_data(ids=[ids.DATA], filenames=["f.jpg"]),
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
