"""The JSON bodies of the recorder's answers: one resource of each kind, with the fields that are read."""

from __future__ import annotations

from typing import Final

from . import ids

TAG: Final = {"id": ids.TAG, "name": "cool", "target_type": "DEPLOYMENT"}
SECOND_TAG: Final = {"id": ids.SECOND_TAG, "name": "warm", "target_type": "DEPLOYMENT"}
DATA_TAG: Final = {"id": ids.DATA_TAG, "name": "bicycle", "target_type": "DATA"}
SOURCE: Final = {"id": ids.SOURCE, "name": "camera-1"}
MODEL: Final = {"id": ids.MODEL, "name": "my-model", "private": True, "tags": []}
MODEL_VERSION: Final = {
    "id": ids.MODEL_VERSION,
    "name": "latest",
    "version": 0,
    "type": "OBJECT_DETECTION",
    "framework": "ONNX",
    "labels": {"0": "person"},
    "origin": MODEL,
    "tags": [],
}
DATASET: Final = {"id": ids.DATASET, "name": "my-dataset", "tags": []}
DATASET_VERSION: Final = {
    "id": ids.DATASET_VERSION,
    "origin_name": "my-dataset",
    "origin_id": ids.DATASET,
    "version": "latest",
    "type": "OBJECT_DETECTION",
    "tags": [],
}
PROJECT: Final = {"id": ids.PROJECT, "name": "my-project"}
EXPERIMENT: Final = {"id": ids.EXPERIMENT, "name": "first", "project_id": ids.PROJECT, "status": "SUCCESS"}
DATALAKE: Final = {"id": ids.DATALAKE, "name": "default", "connector_id": ids.CONNECTOR}
DATA: Final = {
    "id": ids.DATA,
    "datalake_id": ids.DATALAKE,
    "object_name": "dir/o.jpeg",
    "filename": "o.jpeg",
    "type": "IMAGE",
    "content_type": "image/jpeg",
    "upload_status": "DONE",
    "meta": {"width": 20, "height": 10},
    "tags": [DATA_TAG],
    "data_source": SOURCE,
    "metadata": None,
    "custom_metadata": None,
}
PREDICTED_ASSET: Final = {
    "id": ids.PREDICTED_ASSET,
    "oracle_prediction_id": ids.ORACLE_PREDICTION,
    "data": DATA,
    "predictions": [{"id": ids.ORACLE_PREDICTION, "is_shadow": False}],
    "reviews": [],
}
CAMPAIGN: Final = {"id": ids.CAMPAIGN, "deployment_id": ids.DEPLOYMENT}
STEP: Final = {"id": ids.STEP, "name": "review", "order": 0, "type": "REVIEW"}
ASSIGNMENT: Final = {
    "id": ids.ASSIGNMENT,
    "asset_id": ids.PREDICTED_ASSET,
    "assigned_user_id": None,
    "step_id": ids.STEP,
    "status": "TO_DO",
    "data": {"id": ids.DATA, "filename": "o.jpeg", "object_name": "dir/o.jpeg", "presigned_url": None},
}
USER: Final = {"id": ids.USER, "username": "ada"}
LABEL: Final = {"id": ids.LABEL, "name": "person", "group_id": None}
JOB: Final = {"id": ids.JOB, "status": "RUNNING"}
LOG: Final = {"id": ids.LOG, "name": "parameters", "type": "TABLE", "data": {"epochs": 3}}
CONTEXT: Final = {
    "id": ids.CONTEXT,
    "experiment_id": ids.EXPERIMENT,
    "datas": [{"name": "train", "version_id": ids.DATASET_VERSION, "repartition": {}}],
    "parameters": {},
}
ORGANIZATION: Final = {"id": ids.ORGANIZATION, "name": "my org", "default_connector_id": ids.CONNECTOR}
PING: Final = {"sdk_version": "6.37.0", "default_organization": ids.ORGANIZATION, "username": "ada"}
