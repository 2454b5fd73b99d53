"""Rows of the client, tags, models and datasets."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from . import ids
from .row import TYPED, Row

CLIENT: Final = [
    Row("get_deployment", "Client.get_deployment", lambda client: client.get_deployment("my deploy/1")),
    Row("get_deployment_named", "Client.get_deployment", lambda client: client.get_deployment(name="awesome-deploy")),
    Row(
        "get_deployment_by_id",
        "Client.get_deployment_by_id",
        lambda client: client.get_deployment_by_id(ids.DEPLOYMENT),
    ),
    Row(
        "get_deployment_by_uuid",
        "Client.get_deployment_by_id",
        lambda client: client.get_deployment_by_id(UUID(ids.DEPLOYMENT)),
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
    Row("get_model_by_id", "Client.get_model_by_id", lambda client: client.get_model_by_id(ids.MODEL)),
    Row("list_models", "Client.list_models", lambda client: client.list_models()),
    Row("model_get_version_name", "Model.get_version", lambda model: model.get_version("latest")),
    Row("model_get_version_number", "Model.get_version", lambda model: model.get_version(0)),
    Row("model_list_versions", "Model.list_versions", lambda model: model.list_versions()),
    Row(
        "get_model_version_by_id",
        "Client.get_model_version_by_id",
        lambda client: client.get_model_version_by_id(ids.MODEL_VERSION),
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
        lambda client: client.get_experiment_by_id(ids.EXPERIMENT),
    ),
    Row("experiment_sync", "Experiment.sync", lambda experiment: experiment.sync(), differs=TYPED),
    Row("experiment_get_log", "Experiment.get_log", lambda experiment: experiment.get_log("parameters")),
]


DATASETS: Final = [
    Row("get_dataset", "Client.get_dataset", lambda client: client.get_dataset("my-dataset")),
    Row("get_dataset_by_id", "Client.get_dataset_by_id", lambda client: client.get_dataset_by_id(ids.DATASET)),
    Row("list_datasets", "Client.list_datasets", lambda client: client.list_datasets()),
    Row("dataset_get_version", "Dataset.get_version", lambda dataset: dataset.get_version("latest")),
    Row(
        "dataset_get_version_by_id",
        "Dataset.get_version_by_id",
        lambda dataset: dataset.get_version_by_id(ids.DATASET_VERSION),
    ),
    Row("dataset_list_versions", "Dataset.list_versions", lambda dataset: dataset.list_versions()),
    Row(
        "get_dataset_version_by_id",
        "Client.get_dataset_version_by_id",
        lambda client: client.get_dataset_version_by_id(ids.DATASET_VERSION),
    ),
    Row("dataset_sync", "Dataset.sync", lambda dataset: dataset.sync(), differs=TYPED),
    Row("list_assets", "DatasetVersion.list_assets", lambda dataset_version: dataset_version.list_assets(limit=2)),
    Row(
        "list_assets_data_ids",
        "DatasetVersion.list_assets",
        lambda dataset_version: dataset_version.list_assets(data_ids=[ids.DATA]),
    ),
    Row(
        "list_assets_by_start",
        "DatasetVersion.list_assets",
        lambda dataset_version: dataset_version.list_assets(filenames_startswith=["cam1-", "cam2-"]),
    ),
    Row("dataset_version_sync", "DatasetVersion.sync", lambda dataset_version: dataset_version.sync(), differs=TYPED),
    Row("get_project", "Client.get_project", lambda client: client.get_project("my-project")),
    Row("get_project_by_id", "Client.get_project_by_id", lambda client: client.get_project_by_id(ids.PROJECT)),
    Row("list_projects", "Client.list_projects", lambda client: client.list_projects()),
    Row("project_sync", "Project.sync", lambda project: project.sync(), differs=TYPED),
    Row(
        "project_list_dataset_versions",
        "Project.list_dataset_versions",
        lambda project: project.list_dataset_versions(),
    ),
]
