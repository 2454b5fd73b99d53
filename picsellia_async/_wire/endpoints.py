"""The table of endpoints: verb, path, host, success and result of every call. The map of the API.

The client builds its requests from it and the emulator registers its handlers by it, so no path is spelled twice.
docs/wire.md explains every line; each group names its section.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from picsellia_async import campaign_models as c
from picsellia_async import models as m
from picsellia_async._wire import common_requests as common
from picsellia_async._wire import oracle_requests as o
from picsellia_async._wire import platform_requests as r
from picsellia_async._wire import serving_requests as v
from picsellia_async._wire import storage_requests as s
from picsellia_async._wire.endpoint import ENDPOINTS, Endpoint, Host, Pipeline, register
from picsellia_async.errors import AuthenticationError, MonitorError, MonitoringConnectionError, PredictionError

__all__ = ["ENDPOINTS", "Endpoint", "Host", "Pipeline"]  # the constants of the table are used by name

Nothing = type(None)

# A table: one line, one endpoint.
# fmt: off

# Sign-in (docs/wire.md#sign-in). The body holds the api token, so redirects are not followed.
ORACLE_LOGIN: Final = register(Host.ORACLE, "oracle_login", "POST", "/api/auth/login", m.LoginReceipt, common.LoginRequest, ok=frozenset({200}), idempotent=True, errors=AuthenticationError)
SERVING_LOGIN: Final = register(Host.SERVING, "serving_login", "POST", "/api/login", m.LoginReceipt, common.LoginRequest, ok=frozenset({200}), idempotent=True, errors=AuthenticationError)

# Bootstrap (docs/wire.md#connecting).
PING: Final = register(Host.PLATFORM, "ping", "GET", "/api/home/ping", m.Ping)
FIND_ORGANIZATION: Final = register(Host.PLATFORM, "find_organization", "GET", "/api/organizations/find", m.Organization)
GET_ORGANIZATION: Final = register(Host.PLATFORM, "get_organization", "GET", "/api/organization/{organization_id}", m.Organization)

# Deployments of an organization (docs/wire.md#organization-endpoints).
FIND_DEPLOYMENT: Final = register(Host.PLATFORM, "find_deployment", "GET", "/api/organization/{organization_id}/deployments/find", m.DeploymentDescription)
LIST_DEPLOYMENTS: Final = register(Host.PLATFORM, "list_deployments", "GET", "/api/organization/{organization_id}/deployments", m.Page[m.DeploymentDescription])
CREATE_DEPLOYMENT: Final = register(Host.PLATFORM, "create_deployment", "POST", "/api/organization/{organization_id}/deployments", m.DeploymentDescription, r.CreateDeploymentRequest)
DEPLOY_MODEL_VERSION: Final = register(Host.PLATFORM, "deploy_model_version", "POST", "/api/model/version/{model_version_id}/deploy", m.DeploymentDescription, r.DeployModelVersionRequest)

# One deployment, platform side (docs/wire.md#deployment-endpoints). An update may answer without the id, so it is read as it is.
GET_DEPLOYMENT: Final = register(Host.PLATFORM, "get_deployment", "GET", "/api/deployment/{deployment_id}", m.DeploymentDescription)
UPDATE_DEPLOYMENT: Final = register(Host.PLATFORM, "update_deployment", "PATCH", "/api/deployment/{deployment_id}", dict[str, Any], r.UpdateDeploymentRequest)
DELETE_DEPLOYMENT: Final = register(Host.PLATFORM, "delete_deployment", "DELETE", "/api/deployment/{deployment_id}", Nothing)
SET_MODEL: Final = register(Host.PLATFORM, "set_model", "POST", "/api/deployment/{deployment_id}/model", Nothing, r.ModelVersionRequest, idempotent=True)
SET_SHADOW_MODEL: Final = register(Host.PLATFORM, "set_shadow_model", "POST", "/api/deployment/{deployment_id}/shadow", Nothing, r.ModelVersionRequest, idempotent=True)
LIST_DEPLOYMENT_LABELS: Final = register(Host.PLATFORM, "list_deployment_labels", "GET", "/api/deployment/{deployment_id}/labels", m.Page[m.LabelDescription])
GET_DEPLOYMENT_CONNECTOR: Final = register(Host.PLATFORM, "get_deployment_connector", "GET", "/api/deployment/{deployment_id}/datalake/connector", m.Connector)
LIST_DEPLOYMENT_USERS: Final = register(Host.PLATFORM, "list_deployment_users", "GET", "/api/access/deployment/{deployment_id}/users", m.UserList)
ADD_DEPLOYMENT_USER: Final = register(Host.PLATFORM, "add_deployment_user", "POST", "/api/access/deployment/{deployment_id}/users", Nothing, r.AddUserRequest)

# Pipelines of a deployment: `{pipeline}` is the value of a `Pipeline`, fl or ct where datasets are attached.
TOGGLE_PIPELINE: Final = register(Host.PLATFORM, "toggle_pipeline", "PUT", "/api/deployment/{deployment_id}/pipeline/{pipeline}", Nothing, r.ToggleRequest)
ATTACH_DATASET_VERSION: Final = register(Host.PLATFORM, "attach_dataset_version", "POST", "/api/deployment/{deployment_id}/{pipeline}/datasets", Nothing, r.DatasetVersionRequest)
DETACH_DATASET_VERSIONS: Final = register(Host.PLATFORM, "detach_dataset_versions", "DELETE", "/api/deployment/{deployment_id}/{pipeline}/datasets", Nothing, r.IdsRequest)
LIST_FEEDBACK_LOOP_DATASETS: Final = register(Host.PLATFORM, "list_feedback_loop_datasets", "GET", "/api/deployment/{deployment_id}/fl/datasets", m.Page[m.FeedbackLoopDataset])
SETUP_FEEDBACK_LOOP: Final = register(Host.PLATFORM, "setup_feedback_loop", "POST", "/api/deployment/{deployment_id}/pipeline/fl/setup", Nothing, r.EmptyRequest)
SET_TRAINING_DATA: Final = register(Host.PLATFORM, "set_training_data", "POST", "/api/deployment/{deployment_id}/pipeline/td/setup", Nothing, r.DatasetVersionRequest)
CHECK_TRAINING_DATA: Final = register(Host.PLATFORM, "check_training_data", "GET", "/api/deployment/{deployment_id}/pipeline/td/check", m.TrainingDataStatus)
DISABLE_TRAINING_DATA: Final = register(Host.PLATFORM, "disable_training_data", "PUT", "/api/deployment/{deployment_id}/pipeline/td/disable", Nothing)
SETUP_CONTINUOUS_TRAINING: Final = register(Host.PLATFORM, "setup_continuous_training", "POST", "/api/deployment/{deployment_id}/pipeline/ct", Nothing, r.ContinuousTrainingRequest)
SETUP_CONTINUOUS_DEPLOYMENT: Final = register(Host.PLATFORM, "setup_continuous_deployment", "POST", "/api/deployment/{deployment_id}/pipeline/cd", Nothing, r.ContinuousDeploymentRequest)

# Predicted assets (docs/wire.md#deployment-endpoints, docs/wire.md#predicted-asset-endpoints).
FIND_PREDICTED_ASSET: Final = register(Host.PLATFORM, "find_predicted_asset", "GET", "/api/deployment/{deployment_id}/predictedassets/find", m.PredictedAssetDescription)
LIST_PREDICTED_ASSETS: Final = register(Host.PLATFORM, "list_predicted_assets", "GET", "/api/deployment/{deployment_id}/predictedassets", m.Page[m.PredictedAssetDescription])
GET_PREDICTED_ASSET: Final = register(Host.PLATFORM, "get_predicted_asset", "GET", "/api/predicted/asset/{predicted_asset_id}", m.PredictedAssetDescription)
DELETE_PREDICTED_ASSET: Final = register(Host.PLATFORM, "delete_predicted_asset", "DELETE", "/api/predicted/asset/{predicted_asset_id}", Nothing)
ADD_REVIEW: Final = register(Host.PLATFORM, "add_review", "POST", "/api/predicted/asset/{predicted_asset_id}/reviews", object, r.ReviewRequest)

# Review campaigns (docs/wire.md#predicted-asset-endpoints).
CREATE_CAMPAIGN: Final = register(Host.PLATFORM, "create_campaign", "POST", "/api/deployment/{deployment_id}/campaigns", c.ReviewCampaignDescription, r.CreateCampaignRequest)
LIST_CAMPAIGNS: Final = register(Host.PLATFORM, "list_campaigns", "GET", "/api/organization/{organization_id}/reviewcampaigns", m.Page[c.ReviewCampaignDescription])
GET_CAMPAIGN: Final = register(Host.PLATFORM, "get_campaign", "GET", "/api/campaigns/review/{campaign_id}", c.ReviewCampaignDescription)
UPDATE_CAMPAIGN: Final = register(Host.PLATFORM, "update_campaign", "PATCH", "/api/campaigns/review/{campaign_id}", c.ReviewCampaignDescription, r.UpdateCampaignRequest)
DELETE_CAMPAIGN: Final = register(Host.PLATFORM, "delete_campaign", "DELETE", "/api/campaigns/review/{campaign_id}", Nothing)
CLOSE_CAMPAIGN: Final = register(Host.PLATFORM, "close_campaign", "POST", "/api/campaigns/review/{campaign_id}/close", Nothing, idempotent=True)
REOPEN_CAMPAIGN: Final = register(Host.PLATFORM, "reopen_campaign", "POST", "/api/campaigns/review/{campaign_id}/reopen", Nothing, idempotent=True)
ADD_CAMPAIGN_STEP: Final = register(Host.PLATFORM, "add_campaign_step", "POST", "/api/campaigns/review/{campaign_id}/steps", c.CampaignStepDescription, r.AddStepRequest)
LIST_CAMPAIGN_STEPS: Final = register(Host.PLATFORM, "list_campaign_steps", "GET", "/api/campaigns/review/{campaign_id}/steps", m.Page[c.CampaignStepDescription])
GET_CAMPAIGN_STEP: Final = register(Host.PLATFORM, "get_campaign_step", "GET", "/api/campaigns/review/steps/{step_id}", c.CampaignStepDescription)
UPDATE_CAMPAIGN_STEP: Final = register(Host.PLATFORM, "update_campaign_step", "PATCH", "/api/campaigns/review/steps/{step_id}", c.CampaignStepDescription, r.UpdateStepRequest)
DELETE_CAMPAIGN_STEP: Final = register(Host.PLATFORM, "delete_campaign_step", "DELETE", "/api/campaigns/review/steps/{step_id}", Nothing, r.DeleteStepRequest)
REDISTRIBUTE_ASSIGNMENTS: Final = register(Host.PLATFORM, "redistribute_assignments", "POST", "/api/campaigns/review/steps/{step_id}/assignments/redistribute", Nothing)
CHECK_ASSIGNMENTS_SYNC: Final = register(Host.PLATFORM, "check_assignments_sync", "GET", "/api/campaigns/review/{campaign_id}/assignments/sync/available", c.SyncAvailability)
SYNC_ASSIGNMENTS: Final = register(Host.PLATFORM, "sync_assignments", "POST", "/api/campaigns/review/{campaign_id}/assignments/sync", c.JobReceipt, r.EmptyRequest)
LIST_ASSIGNMENTS: Final = register(Host.PLATFORM, "list_assignments", "GET", "/api/campaigns/review/{campaign_id}/assignments", m.Page[c.AssignmentDescription])
REASSIGN_ASSIGNMENTS: Final = register(Host.PLATFORM, "reassign_assignments", "POST", "/api/campaigns/review/{campaign_id}/assignments/reassign", Nothing, r.ReassignRequest, idempotent=True)
GET_ASSIGNMENT: Final = register(Host.PLATFORM, "get_assignment", "GET", "/api/campaigns/review/assignments/{assignment_id}", c.AssignmentDescription)
COUNT_CAMPAIGN_ISSUES: Final = register(Host.PLATFORM, "count_campaign_issues", "GET", "/api/campaigns/review/analytics/{campaign_id}/issues/counts/users", list[c.IssueCount])

# Tags and data sources (docs/wire.md#tag-endpoints). Attaching takes a bare array of ids.
CREATE_TAG: Final = register(Host.PLATFORM, "create_tag", "POST", "/api/organization/{organization_id}/tags", m.TagDescription, r.CreateTagRequest)
LIST_TAGS: Final = register(Host.PLATFORM, "list_tags", "GET", "/api/organization/{organization_id}/tags", m.Page[m.TagDescription])
FIND_TAG: Final = register(Host.PLATFORM, "find_tag", "GET", "/api/organization/{organization_id}/tags/find", m.TagDescription)
GET_TAG: Final = register(Host.PLATFORM, "get_tag", "GET", "/api/tag/{tag_id}", m.TagDescription)
UPDATE_TAG: Final = register(Host.PLATFORM, "update_tag", "PATCH", "/api/tag/{tag_id}", m.TagDescription, r.NameRequest)
DELETE_TAG: Final = register(Host.PLATFORM, "delete_tag", "DELETE", "/api/tag/{tag_id}", Nothing)
ATTACH_TAG: Final = register(Host.PLATFORM, "attach_tag", "POST", "/api/tag/{tag_id}/attach", Nothing, list[UUID], idempotent=True)
DETACH_TAG: Final = register(Host.PLATFORM, "detach_tag", "POST", "/api/tag/{tag_id}/detach", Nothing, list[UUID], idempotent=True)
CREATE_DATA_SOURCE: Final = register(Host.PLATFORM, "create_data_source", "POST", "/api/organization/{organization_id}/datasources", m.DataSourceDescription, r.NameRequest)
LIST_DATA_SOURCES: Final = register(Host.PLATFORM, "list_data_sources", "GET", "/api/organization/{organization_id}/datasources", m.Page[m.DataSourceDescription])
FIND_DATA_SOURCE: Final = register(Host.PLATFORM, "find_data_source", "GET", "/api/organization/{organization_id}/datasources/find", m.DataSourceDescription)
GET_DATA_SOURCE: Final = register(Host.PLATFORM, "get_data_source", "GET", "/api/data/source/{data_source_id}", m.DataSourceDescription)
UPDATE_DATA_SOURCE: Final = register(Host.PLATFORM, "update_data_source", "PATCH", "/api/data/source/{data_source_id}", m.DataSourceDescription, r.NameRequest)
DELETE_DATA_SOURCE: Final = register(Host.PLATFORM, "delete_data_source", "DELETE", "/api/data/source/{data_source_id}", Nothing)

# Models and experiments (docs/wire.md#model-endpoints).
FIND_MODEL: Final = register(Host.PLATFORM, "find_model", "GET", "/api/organization/{organization_id}/models/find", m.ModelDescription)
LIST_MODELS: Final = register(Host.PLATFORM, "list_models", "GET", "/api/organization/{organization_id}/models", m.Page[m.ModelDescription])
GET_MODEL: Final = register(Host.PLATFORM, "get_model", "GET", "/api/model/{model_id}", m.ModelDescription)
FIND_VERSION_OF_MODEL: Final = register(Host.PLATFORM, "find_version_of_model", "GET", "/api/model/{model_id}/versions/find", m.ModelVersionDescription)
LIST_MODEL_VERSIONS: Final = register(Host.PLATFORM, "list_model_versions", "GET", "/api/model/{model_id}/versions", m.Page[m.ModelVersionDescription])
FIND_MODEL_VERSION: Final = register(Host.PLATFORM, "find_model_version", "GET", "/api/organization/{organization_id}/modelversions/find", m.ModelVersionDescription)
GET_MODEL_VERSION: Final = register(Host.PLATFORM, "get_model_version", "GET", "/api/model/version/{model_version_id}", m.ModelVersionDescription)
GET_MODEL_CONTEXT: Final = register(Host.PLATFORM, "get_model_context", "GET", "/api/model/version/{model_version_id}/context", m.ModelContextDescription)
GET_CONTEXT: Final = register(Host.PLATFORM, "get_context", "GET", "/api/model/context/{context_id}", m.ModelContextDescription)
GET_PUBLIC_MODEL_CONTEXT: Final = register(Host.PLATFORM, "get_public_model_context", "GET", "/api/model/version/{model_version_id}/public/context", m.ModelContextDescription)
FIND_EXPERIMENT: Final = register(Host.PLATFORM, "find_experiment", "GET", "/api/organization/{organization_id}/experiments/find", m.ExperimentDescription)
GET_EXPERIMENT: Final = register(Host.PLATFORM, "get_experiment", "GET", "/api/experiment/{experiment_id}", m.ExperimentDescription)
FIND_EXPERIMENT_LOG: Final = register(Host.PLATFORM, "find_experiment_log", "GET", "/api/experiment/{experiment_id}/logs/find", m.Log)

# Datasets and projects (docs/wire.md#dataset-endpoints). `filter_*`: the XGET form of a list, for explicit lists of values (docs/wire.md#long-lists).
FIND_DATASET: Final = register(Host.PLATFORM, "find_dataset", "GET", "/api/organization/{organization_id}/datasets/find", m.DatasetDescription)
LIST_DATASETS: Final = register(Host.PLATFORM, "list_datasets", "GET", "/api/organization/{organization_id}/datasets", m.Page[m.DatasetDescription])
GET_DATASET: Final = register(Host.PLATFORM, "get_dataset", "GET", "/api/dataset/{dataset_id}", m.DatasetDescription)
FIND_VERSION_OF_DATASET: Final = register(Host.PLATFORM, "find_version_of_dataset", "GET", "/api/dataset/{dataset_id}/versions/find", m.DatasetVersionDescription)
LIST_DATASET_VERSIONS: Final = register(Host.PLATFORM, "list_dataset_versions", "GET", "/api/dataset/{dataset_id}/versions", m.Page[m.DatasetVersionDescription])
FIND_DATASET_VERSION: Final = register(Host.PLATFORM, "find_dataset_version", "GET", "/api/organization/{organization_id}/datasetversions/find", m.DatasetVersionDescription)
GET_DATASET_VERSION: Final = register(Host.PLATFORM, "get_dataset_version", "GET", "/api/dataset/version/{dataset_version_id}", m.DatasetVersionDescription)
LIST_ASSETS: Final = register(Host.PLATFORM, "list_assets", "GET", "/api/dataset/version/{dataset_version_id}/assets", m.Page[m.AssetDescription])
FILTER_ASSETS: Final = register(Host.PLATFORM, "filter_assets", "XGET", "/api/dataset/version/{dataset_version_id}/assets", m.Page[m.AssetDescription], r.FilterRequest)
FIND_PROJECT: Final = register(Host.PLATFORM, "find_project", "GET", "/api/organization/{organization_id}/projects/find", m.ProjectDescription)
LIST_PROJECTS: Final = register(Host.PLATFORM, "list_projects", "GET", "/api/organization/{organization_id}/projects", m.Page[m.ProjectDescription])
GET_PROJECT: Final = register(Host.PLATFORM, "get_project", "GET", "/api/project/{project_id}", m.ProjectDescription)
LIST_PROJECT_DATASET_VERSIONS: Final = register(Host.PLATFORM, "list_project_dataset_versions", "GET", "/api/project/{project_id}/datasets", m.Page[m.DatasetVersionDescription])

# Datalakes and data (docs/wire.md#datalake-endpoints).
FIND_DATALAKE: Final = register(Host.PLATFORM, "find_datalake", "GET", "/api/organization/{organization_id}/datalake", m.DatalakeDescription)
LIST_DATALAKES: Final = register(Host.PLATFORM, "list_datalakes", "GET", "/api/organization/{organization_id}/datalakes", m.Page[m.DatalakeDescription])
GET_DATALAKE: Final = register(Host.PLATFORM, "get_datalake", "GET", "/api/datalake/{datalake_id}", m.DatalakeDescription)
LIST_DATA: Final = register(Host.PLATFORM, "list_data", "GET", "/api/datalake/{datalake_id}/datas", m.Page[m.DataDescription])
FILTER_DATA: Final = register(Host.PLATFORM, "filter_data", "XGET", "/api/datalake/{datalake_id}/datas", m.Page[m.DataDescription], r.FilterRequest)
FIND_DATA: Final = register(Host.PLATFORM, "find_data", "GET", "/api/datalake/{datalake_id}/datas/find", m.DataDescription)
CREATE_DATA: Final = register(Host.PLATFORM, "create_data", "POST", "/api/datalake/{datalake_id}/datas", m.DataDescription, r.CreateDataRequest)
DELETE_MULTIPLE_DATA: Final = register(Host.PLATFORM, "delete_multiple_data", "DELETE", "/api/datalake/{datalake_id}/datas", Nothing, r.IdsRequest)
UPDATE_MULTIPLE_DATA: Final = register(Host.PLATFORM, "update_multiple_data", "PATCH", "/api/datalake/{datalake_id}/data/bulk", Nothing, r.UpdateMultipleDataRequest)
IMPORT_BUCKET_OBJECTS: Final = register(Host.PLATFORM, "import_bucket_objects", "POST", "/api/datalake/{datalake_id}/objects", c.JobReceipt, r.ImportObjectsRequest)
CREATE_DATA_TAG: Final = register(Host.PLATFORM, "create_data_tag", "POST", "/api/datalake/{datalake_id}/tags", m.TagDescription, r.NameRequest)
FIND_DATA_TAG: Final = register(Host.PLATFORM, "find_data_tag", "GET", "/api/datalake/{datalake_id}/tags/find", m.TagDescription)
LIST_DATA_TAGS: Final = register(Host.PLATFORM, "list_data_tags", "GET", "/api/datalake/{datalake_id}/tags", m.Page[m.TagDescription])
GET_DATA: Final = register(Host.PLATFORM, "get_data", "GET", "/api/data/{data_id}", m.DataDescription)
UPDATE_DATA: Final = register(Host.PLATFORM, "update_data", "PATCH", "/api/data/{data_id}", m.DataDescription, r.UpdateDataRequest)
UPDATE_CUSTOM_METADATA: Final = register(Host.PLATFORM, "update_custom_metadata", "PATCH", "/api/data/{data_id}/custom-metadata", Nothing, r.UpdateCustomMetadataRequest)
DELETE_DATA: Final = register(Host.PLATFORM, "delete_data", "DELETE", "/api/data/{data_id}", Nothing)
GET_DATA_URL: Final = register(Host.PLATFORM, "get_data_url", "GET", "/api/data/{data_id}/presigned-url", s.PresignedDownload)

# Users, jobs, labels (docs/wire.md#user-endpoints).
LIST_USERS: Final = register(Host.PLATFORM, "list_users", "GET", "/api/access/organization/{organization_id}/users", m.UserList)
FIND_JOB: Final = register(Host.PLATFORM, "find_job", "GET", "/api/organization/{organization_id}/jobv2s/find", m.JobDescription)
GET_JOB: Final = register(Host.PLATFORM, "get_job", "GET", "/api/v2/job/{job_id}", m.JobDescription)
GET_OLD_JOB: Final = register(Host.PLATFORM, "get_old_job", "GET", "/api/job/{job_id}", m.JobDescription)
GET_LABEL: Final = register(Host.PLATFORM, "get_label", "GET", "/api/label/{label_id}", m.LabelDescription)
UPDATE_LABEL: Final = register(Host.PLATFORM, "update_label", "PATCH", "/api/label/{label_id}", m.LabelDescription, r.UpdateLabelRequest)
DELETE_LABEL: Final = register(Host.PLATFORM, "delete_label", "DELETE", "/api/label/{label_id}", Nothing)

# Object storage (docs/wire.md#object-storage). Asking for a name or a permission again makes another one, which harms nobody.
GENERATE_OBJECT_NAME: Final = register(Host.PLATFORM, "generate_object_name", "POST", "/api/organization/{organization_id}/connector/{connector_id}/generate_object_name", s.ObjectName, s.ObjectNameRequest, idempotent=True)
GENERATE_PRESIGNED_URL: Final = register(Host.PLATFORM, "generate_presigned_url", "POST", "/api/object-storage/{connector_id}/generate_presigned_url", s.PresignedUpload, s.PresignRequest, idempotent=True)
INIT_MULTIPART_UPLOAD: Final = register(Host.PLATFORM, "init_multipart_upload", "POST", "/api/object-storage/{connector_id}/init_multipart_upload", s.MultipartUpload, s.PresignRequest, idempotent=True)
GENERATE_PART_PRESIGNED_URL: Final = register(Host.PLATFORM, "generate_part_presigned_url", "POST", "/api/object-storage/{connector_id}/generate_part_presigned_url", s.PartTarget, s.PartRequest, idempotent=True)
COMPLETE_PART_UPLOAD: Final = register(Host.PLATFORM, "complete_part_upload", "POST", "/api/object-storage/{connector_id}/complete_part_upload", Nothing, s.CompleteUploadRequest)
RETRIEVE_PRESIGNED_URL: Final = register(Host.PLATFORM, "retrieve_presigned_url", "POST", "/api/object-storage/{connector_id}/retrieve_presigned_url", s.PresignedDownload, s.DownloadRequest, idempotent=True, ok=frozenset({200}))

# Monitoring host (docs/wire.md#monitoring-endpoints): success is exactly 201 for predictions. Reading checks the status, unlike the vendor's SDK.
RETRIEVE_INFORMATION: Final = register(Host.ORACLE, "retrieve_information", "GET", "/api/deployment/{deployment_id}", dict[str, Any], errors=MonitoringConnectionError)
GET_PREDICTION_STATS: Final = register(Host.ORACLE, "get_prediction_stats", "GET", "/api/deployment/{deployment_id}/predictions/stats", dict[str, Any], errors=MonitoringConnectionError)
GET_AGGREGATED_STATS: Final = register(Host.ORACLE, "get_aggregated_stats", "GET", "/api/deployment/{deployment_id}/stats", dict[str, Any], errors=MonitoringConnectionError)
MONITOR: Final = register(Host.ORACLE, "monitor", "POST", "/api/deployment/{deployment_id}/predictions", dict[str, Any], o.MonitorRequest, ok=frozenset({201}), errors=MonitorError)
MONITOR_SHADOW: Final = register(Host.ORACLE, "monitor_shadow", "POST", "/api/prediction/{prediction_id}/shadow", Nothing, o.MonitorShadowRequest, ok=frozenset({201}), errors=MonitorError)

# Serving host (docs/wire.md#serving-endpoints): "deployments" in the plural, success is exactly 200. `predict` takes a form (`PredictRequest`).
PREDICT: Final = register(Host.SERVING, "predict", "POST", "/api/deployments/{deployment_id}/predict", dict[str, Any], ok=frozenset({200}), errors=PredictionError)
PREDICT_CLOUD_IMAGE: Final = register(Host.SERVING, "predict_cloud_image", "POST", "/api/v2/deployments/{deployment_id}/predict", dict[str, Any], v.PredictCloudImageRequest, ok=frozenset({200}), errors=PredictionError)
PREDICT_SHADOW: Final = register(Host.SERVING, "predict_shadow", "POST", "/api/v2/deployments/{deployment_id}/predict/shadow", dict[str, Any], v.PredictShadowRequest, ok=frozenset({200}), errors=PredictionError)

# fmt: on
