"""What the recorder answers: one short, valid body per endpoint, the same for every caller.

Here belong tokens and the table; ids.py and bodies.py hold what the answers carry. A body has the fields that the vendor's SDK 6.37.0 reads (docs/wire.md#shapes) and
no more. Not here: any state, and the errors (tests/client has those).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from . import bodies, ids

API_TOKEN: Final = "0123456789abcdef0123456789abcdef01234567"
ORACLE_JWT: Final = "oracle.jwt.signature"
SERVING_JWT: Final = "serving.jwt.signature"


BY_FORMAT: Final = {
    "classification": "CLASSIFICATION",
    "segmentation": "SEGMENTATION",
    "line": "LINE",
    "point": "POINT",
    "keypoint": "KEYPOINT",
    "mask": "MASK",
}
"""Deployments of other types than OBJECT_DETECTION, by the name that fetches them."""

NOT_CONNECTED: Final = "no-hosts"
"""Name of the deployment that has neither monitoring nor serving."""

NO_CAMPAIGN: Final = "no-campaign"
"""Name of the deployment whose campaign is known only once it is read again."""

MANY: Final = "many"
"""As query text: this many items exist, two pages and a half, so that a client has to ask again."""


@attrs.frozen
class Answer:
    """One canned answer. `endpoint` names the line of the table that gave it."""

    endpoint: str
    status: int
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Request:
    """What an answer may depend on."""

    url: str
    query: Mapping[str, str]
    token: str | None
    body: bytes


Body = Callable[[Request], Any]


def _constant(value: Any) -> Body:
    return lambda _: value


def _items(value: Any) -> Body:
    return _constant({"items": [value], "count": 1})


def _page(value: Any) -> Body:
    def page(request: Request) -> Any:
        if request.query.get("q") != MANY:
            return {"items": [value], "count": 1}
        cursor = request.query.get("cursor")
        following = {None: "b+/=", "b+/=": "c", "c": None}[cursor]
        paged = {"items": [value] * int(request.query["limit"]), "count": 2500}
        return paged if "order_by" in request.query else paged | {"next_cursor": following}

    return page


def _deployment(request: Request) -> Any:
    name = request.query.get("name", "awesome-deploy")
    hosts = None if name == NOT_CONNECTED else request.url
    return {
        "id": ids.DEPLOYMENT,
        "name": name,
        "type": BY_FORMAT.get(name, "OBJECT_DETECTION"),
        "oracle_host": hosts,
        "serving_host": hosts,
        "review_campaign_id": None if name == NO_CAMPAIGN else ids.CAMPAIGN,
        "tags": [bodies.TAG],
        "model_version_id": ids.MODEL_VERSION,
        "shadow_model_version_id": ids.SHADOW_MODEL_VERSION,
    }


def _deployments(request: Request) -> Any:
    return {"items": [_deployment(request)], "count": 1}


def _deployment_or_information(request: Request) -> Any:
    if request.token == ORACLE_JWT:
        return {"id": ids.DEPLOYMENT, "name": "awesome-deploy", "active": True}
    return _deployment(request)


def _presigned(request: Request) -> Any:
    fields = {"key": "campaigns/instructions.txt", "policy": "cG9saWN5"}
    return {"client_type": "aws", "presigned_url_data": {"url": f"{request.url}/bucket", "fields": fields}}


def _part_url(request: Request) -> Any:
    return {"url": f"{request.url}/bucket/part/{json.loads(request.body)['part_no']}"}


def _model_version(request: Request) -> Any:
    return bodies.MODEL_VERSION | {"id": request.query.get("id", ids.MODEL_VERSION)}


def _connector(request: Request) -> Any:
    return {"id": ids.CONNECTOR, "client_type": "AWS", "bucket_name": "bkt"}


_OK = _constant({})

# name, verb, path, status, body. "{id}" stands for one path segment; the first line that fits answers.
_LINES: Final[list[tuple[str, str, str, int, Body | None]]] = [
    ("ping", "GET", "/api/home/ping", 200, _constant(bodies.PING)),
    ("find_organization", "GET", "/api/organizations/find", 200, _constant(bodies.ORGANIZATION)),
    ("get_organization", "GET", "/api/organization/{id}", 200, _constant(bodies.ORGANIZATION)),
    ("oracle_login", "POST", "/api/auth/login", 200, _constant({"jwt": ORACLE_JWT, "expires": 3600})),
    ("serving_login", "POST", "/api/login", 200, _constant({"jwt": SERVING_JWT, "expires": 3600})),
    ("find_deployment", "GET", "/api/organization/{id}/deployments/find", 200, _deployment),
    ("list_deployments", "GET", "/api/organization/{id}/deployments", 200, _deployments),
    ("create_deployment", "POST", "/api/organization/{id}/deployments", 201, _deployment),
    ("deploy", "POST", "/api/model/version/{id}/deploy", 201, _deployment),
    ("get_deployment", "GET", "/api/deployment/{id}", 200, _deployment_or_information),
    ("update_deployment", "PATCH", "/api/deployment/{id}", 200, _deployment),
    ("delete_deployment", "DELETE", "/api/deployment/{id}", 204, None),
    ("set_model", "POST", "/api/deployment/{id}/model", 200, _OK),
    ("set_shadow_model", "POST", "/api/deployment/{id}/shadow", 200, _OK),
    ("list_labels", "GET", "/api/deployment/{id}/labels", 200, _items(bodies.LABEL)),
    ("setup_feedback_loop", "POST", "/api/deployment/{id}/pipeline/fl/setup", 200, _OK),
    ("toggle_feedback_loop", "PUT", "/api/deployment/{id}/pipeline/fl", 200, _OK),
    ("attach_feedback_loop_dataset", "POST", "/api/deployment/{id}/fl/datasets", 201, _OK),
    ("detach_feedback_loop_dataset", "DELETE", "/api/deployment/{id}/fl/datasets", 204, None),
    (
        "list_feedback_loop_datasets",
        "GET",
        "/api/deployment/{id}/fl/datasets",
        200,
        _items({"dataset_version": bodies.DATASET_VERSION}),
    ),
    ("set_training_data", "POST", "/api/deployment/{id}/pipeline/td/setup", 200, _OK),
    ("check_training_data", "GET", "/api/deployment/{id}/pipeline/td/check", 200, _constant({"status": "DONE"})),
    ("disable_training_data", "PUT", "/api/deployment/{id}/pipeline/td/disable", 200, _OK),
    ("setup_continuous_training", "POST", "/api/deployment/{id}/pipeline/ct", 200, _OK),
    ("toggle_continuous_training", "PUT", "/api/deployment/{id}/pipeline/ct", 200, _OK),
    ("attach_continuous_training_dataset", "POST", "/api/deployment/{id}/ct/datasets", 201, _OK),
    ("detach_continuous_training_dataset", "DELETE", "/api/deployment/{id}/ct/datasets", 204, None),
    ("setup_continuous_deployment", "POST", "/api/deployment/{id}/pipeline/cd", 200, _OK),
    ("toggle_continuous_deployment", "PUT", "/api/deployment/{id}/pipeline/cd", 200, _OK),
    ("get_target_connector", "GET", "/api/deployment/{id}/datalake/connector", 200, _connector),
    (
        "find_predicted_asset",
        "GET",
        "/api/deployment/{id}/predictedassets/find",
        200,
        _constant(bodies.PREDICTED_ASSET),
    ),
    ("list_predicted_assets", "GET", "/api/deployment/{id}/predictedassets", 200, _page(bodies.PREDICTED_ASSET)),
    ("list_resource_users", "GET", "/api/access/deployment/{id}/users", 200, _constant({"users": [bodies.USER]})),
    ("add_resource_user", "POST", "/api/access/deployment/{id}/users", 201, _OK),
    ("create_campaign", "POST", "/api/deployment/{id}/campaigns", 201, _constant(bodies.CAMPAIGN)),
    ("monitor", "POST", "/api/deployment/{id}/predictions", 201, _constant({"id": ids.ORACLE_PREDICTION})),
    ("monitor_shadow", "POST", "/api/prediction/{id}/shadow", 201, _OK),
    ("prediction_stats", "GET", "/api/deployment/{id}/predictions/stats", 200, _constant({"count": 1})),
    ("aggregated_stats", "GET", "/api/deployment/{id}/stats", 200, _constant({"count": 1})),
    ("predict", "POST", "/api/deployments/{id}/predict", 200, _constant({"detection_classes": []})),
    ("predict_cloud", "POST", "/api/v2/deployments/{id}/predict", 200, _constant({"detection_classes": []})),
    ("predict_shadow", "POST", "/api/v2/deployments/{id}/predict/shadow", 200, _constant({"detection_classes": []})),
    ("get_predicted_asset", "GET", "/api/predicted/asset/{id}", 200, _constant(bodies.PREDICTED_ASSET)),
    ("delete_predicted_asset", "DELETE", "/api/predicted/asset/{id}", 204, None),
    ("add_review", "POST", "/api/predicted/asset/{id}/reviews", 201, _constant({"id": ids.LABEL})),
    ("list_review_campaigns", "GET", "/api/organization/{id}/reviewcampaigns", 200, _items(bodies.CAMPAIGN)),
    ("update_campaign_step", "PATCH", "/api/campaigns/review/steps/{id}", 200, _constant(bodies.STEP)),
    ("get_campaign_step", "GET", "/api/campaigns/review/steps/{id}", 200, _constant(bodies.STEP)),
    ("delete_campaign_step", "DELETE", "/api/campaigns/review/steps/{id}", 204, None),
    ("redistribute_step", "POST", "/api/campaigns/review/steps/{id}/assignments/redistribute", 200, _OK),
    ("campaign_issue_counts", "GET", "/api/campaigns/review/analytics/{id}/issues/counts/users", 200, _constant([])),
    ("get_campaign", "GET", "/api/campaigns/review/{id}", 200, _constant(bodies.CAMPAIGN)),
    ("update_campaign", "PATCH", "/api/campaigns/review/{id}", 200, _constant(bodies.CAMPAIGN)),
    ("delete_campaign", "DELETE", "/api/campaigns/review/{id}", 204, None),
    ("close_campaign", "POST", "/api/campaigns/review/{id}/close", 200, _OK),
    ("reopen_campaign", "POST", "/api/campaigns/review/{id}/reopen", 200, _OK),
    ("add_campaign_step", "POST", "/api/campaigns/review/{id}/steps", 201, _constant(bodies.STEP)),
    ("list_campaign_steps", "GET", "/api/campaigns/review/{id}/steps", 200, _items(bodies.STEP)),
    (
        "campaign_sync_available",
        "GET",
        "/api/campaigns/review/{id}/assignments/sync/available",
        200,
        _constant({"is_sync_available": True, "unsynced_item_count": 2}),
    ),
    (
        "campaign_sync",
        "POST",
        "/api/campaigns/review/{id}/assignments/sync",
        200,
        _constant({"campaign": bodies.CAMPAIGN, "job": bodies.JOB}),
    ),
    (
        "reassign_campaign",
        "POST",
        "/api/campaigns/review/{id}/assignments/reassign",
        200,
        _constant({"processed_ids": [ids.ASSIGNMENT]}),
    ),
    ("list_campaign_assignments", "GET", "/api/campaigns/review/{id}/assignments", 200, _page(bodies.ASSIGNMENT)),
    ("get_assignment", "GET", "/api/campaigns/review/assignments/{id}", 200, _constant(bodies.ASSIGNMENT)),
    ("no_endpoint", "GET", "/api//api/campaigns/review/assignments/{id}", 200, _constant(bodies.ASSIGNMENT)),
    ("create_tag", "POST", "/api/organization/{id}/tags", 201, _constant(bodies.TAG)),
    ("find_tag", "GET", "/api/organization/{id}/tags/find", 200, _constant(bodies.TAG)),
    ("list_tags", "GET", "/api/organization/{id}/tags", 200, _constant({"items": [bodies.TAG, bodies.SECOND_TAG]})),
    ("get_tag", "GET", "/api/tag/{id}", 200, _constant(bodies.TAG)),
    ("update_tag", "PATCH", "/api/tag/{id}", 200, _constant(bodies.TAG)),
    ("delete_tag", "DELETE", "/api/tag/{id}", 204, None),
    ("attach_tag", "POST", "/api/tag/{id}/attach", 200, _constant({"tag": bodies.TAG, "count": 1})),
    ("detach_tag", "POST", "/api/tag/{id}/detach", 200, _constant({"tag": bodies.TAG, "count": 1})),
    ("create_source", "POST", "/api/organization/{id}/datasources", 201, _constant(bodies.SOURCE)),
    ("find_source", "GET", "/api/organization/{id}/datasources/find", 200, _constant(bodies.SOURCE)),
    ("list_sources", "GET", "/api/organization/{id}/datasources", 200, _items(bodies.SOURCE)),
    ("get_source", "GET", "/api/data/source/{id}", 200, _constant(bodies.SOURCE)),
    ("update_source", "PATCH", "/api/data/source/{id}", 200, _constant(bodies.SOURCE)),
    ("delete_source", "DELETE", "/api/data/source/{id}", 204, None),
    ("find_model", "GET", "/api/organization/{id}/models/find", 200, _constant(bodies.MODEL)),
    ("list_models", "GET", "/api/organization/{id}/models", 200, _items(bodies.MODEL)),
    ("find_model_version", "GET", "/api/model/{id}/versions/find", 200, _constant(bodies.MODEL_VERSION)),
    ("list_model_versions", "GET", "/api/model/{id}/versions", 200, _items(bodies.MODEL_VERSION)),
    (
        "find_model_version_by_id",
        "GET",
        "/api/organization/{id}/modelversions/find",
        200,
        _model_version,
    ),
    (
        "get_model_context",
        "GET",
        f"/api/model/version/{ids.PUBLIC_MODEL_VERSION}/context",
        403,
        _constant({"message": "not yours"}),
    ),
    ("get_public_model_context", "GET", "/api/model/version/{id}/public/context", 200, _constant(bodies.CONTEXT)),
    ("get_model_context", "GET", "/api/model/version/{id}/context", 200, _constant(bodies.CONTEXT)),
    ("get_context", "GET", "/api/model/context/{id}", 200, _constant(bodies.CONTEXT)),
    ("get_model_version", "GET", "/api/model/version/{id}", 200, _constant(bodies.MODEL_VERSION)),
    ("get_model", "GET", "/api/model/{id}", 200, _constant(bodies.MODEL)),
    ("find_experiment", "GET", "/api/organization/{id}/experiments/find", 200, _constant(bodies.EXPERIMENT)),
    ("find_log", "GET", "/api/experiment/{id}/logs/find", 200, _constant(bodies.LOG)),
    ("get_experiment", "GET", "/api/experiment/{id}", 200, _constant(bodies.EXPERIMENT)),
    ("find_dataset", "GET", "/api/organization/{id}/datasets/find", 200, _constant(bodies.DATASET)),
    ("list_datasets", "GET", "/api/organization/{id}/datasets", 200, _items(bodies.DATASET)),
    ("find_dataset_version", "GET", "/api/dataset/{id}/versions/find", 200, _constant(bodies.DATASET_VERSION)),
    ("list_dataset_versions", "GET", "/api/dataset/{id}/versions", 200, _items(bodies.DATASET_VERSION)),
    (
        "find_dataset_version_by_id",
        "GET",
        "/api/organization/{id}/datasetversions/find",
        200,
        _constant(bodies.DATASET_VERSION),
    ),
    ("get_dataset_version", "GET", "/api/dataset/version/{id}", 200, _constant(bodies.DATASET_VERSION)),
    ("list_assets", "GET", "/api/dataset/version/{id}/assets", 200, _page({"id": ids.ASSET, "data": bodies.DATA})),
    (
        "list_assets_by_ids",
        "XGET",
        "/api/dataset/version/{id}/assets",
        200,
        _items({"id": ids.ASSET, "data": bodies.DATA}),
    ),
    ("get_dataset", "GET", "/api/dataset/{id}", 200, _constant(bodies.DATASET)),
    ("find_project", "GET", "/api/organization/{id}/projects/find", 200, _constant(bodies.PROJECT)),
    ("list_projects", "GET", "/api/organization/{id}/projects", 200, _items(bodies.PROJECT)),
    ("list_project_datasets", "GET", "/api/project/{id}/datasets", 200, _items(bodies.DATASET_VERSION)),
    ("get_project", "GET", "/api/project/{id}", 200, _constant(bodies.PROJECT)),
    ("find_datalake", "GET", "/api/organization/{id}/datalake", 200, _constant(bodies.DATALAKE)),
    ("list_datalakes", "GET", "/api/organization/{id}/datalakes", 200, _items(bodies.DATALAKE)),
    ("get_datalake", "GET", "/api/datalake/{id}", 200, _constant(bodies.DATALAKE)),
    ("find_data", "GET", "/api/datalake/{id}/datas/find", 200, _constant(bodies.DATA)),
    ("list_data", "GET", "/api/datalake/{id}/datas", 200, _page(bodies.DATA)),
    ("list_data_by_ids", "XGET", "/api/datalake/{id}/datas", 200, _items(bodies.DATA)),
    ("create_data", "POST", "/api/datalake/{id}/datas", 201, _constant(bodies.DATA)),
    ("delete_datas", "DELETE", "/api/datalake/{id}/datas", 204, None),
    ("update_datas", "PATCH", "/api/datalake/{id}/data/bulk", 200, _OK),
    ("create_data_tag", "POST", "/api/datalake/{id}/tags", 201, _constant(bodies.DATA_TAG)),
    ("find_data_tag", "GET", "/api/datalake/{id}/tags/find", 200, _constant(bodies.DATA_TAG)),
    ("list_data_tags", "GET", "/api/datalake/{id}/tags", 200, _items(bodies.DATA_TAG)),
    ("update_data", "PATCH", "/api/data/{id}", 200, _constant(bodies.DATA)),
    ("get_data", "GET", "/api/data/{id}", 200, _constant(bodies.DATA)),
    ("delete_data", "DELETE", "/api/data/{id}", 204, None),
    (
        "presigned_data_url",
        "GET",
        "/api/data/{id}/presigned-url",
        200,
        _constant({"presigned_url": "http://storage.invalid/o.jpeg"}),
    ),
    (
        "update_custom_metadata",
        "PATCH",
        "/api/data/{id}/custom-metadata",
        200,
        _constant({"custom_metadata": {"a": 1}}),
    ),
    ("list_organization_users", "GET", "/api/access/organization/{id}/users", 200, _constant({"users": [bodies.USER]})),
    ("find_job", "GET", "/api/organization/{id}/jobv2s/find", 200, _constant(bodies.JOB)),
    ("get_job", "GET", "/api/v2/job/{id}", 200, _constant(bodies.JOB)),
    ("get_label", "GET", "/api/label/{id}", 200, _constant(bodies.LABEL)),
    ("update_label", "PATCH", "/api/label/{id}", 200, _constant(bodies.LABEL)),
    ("delete_label", "DELETE", "/api/label/{id}", 204, None),
    (
        "import_bucket_objects",
        "POST",
        "/api/datalake/{id}/objects",
        201,
        _constant({"datalake": bodies.DATALAKE, "job": bodies.JOB | {"status": "SUCCEEDED"}}),
    ),
    (
        "generate_object_name",
        "POST",
        "/api/organization/{id}/connector/{id}/generate_object_name",
        200,
        _constant({"object_name": "campaigns/instructions.txt"}),
    ),
    ("generate_presigned_url", "POST", "/api/object-storage/{id}/generate_presigned_url", 200, _presigned),
    (
        "init_multipart_upload",
        "POST",
        "/api/object-storage/{id}/init_multipart_upload",
        200,
        _constant({"client_type": "aws", "upload_id": "upload-1"}),
    ),
    ("generate_part_presigned_url", "POST", "/api/object-storage/{id}/generate_part_presigned_url", 200, _part_url),
    ("complete_part_upload", "POST", "/api/object-storage/{id}/complete_part_upload", 200, _OK),
    ("storage_upload", "POST", "/bucket", 204, None),
    ("storage_part", "PUT", "/bucket/part/{id}", 200, None),
]

_COMPILED: Final = [
    (name, verb, re.compile(path.replace("{id}", "[^/]+")), status, body) for name, verb, path, status, body in _LINES
]

ENDPOINTS: Final = frozenset(name for name, *_ in _LINES)
"""All that has an answer."""


def answer_to(
    url: str,
    verb: str,
    path: str,
    query: tuple[tuple[str, str], ...],
    headers: tuple[tuple[str, str], ...],
    body: bytes,
) -> Answer:
    """Return the canned answer; 404 with a plain error body for a path of no line."""
    token = dict(headers).get("authorization", "").removeprefix("Bearer ") or None
    request = Request(url, dict(query), token, body)
    for name, wanted, pattern, status, answer in _COMPILED:
        if verb == wanted and pattern.fullmatch(path):
            content = b"" if answer is None else json.dumps(answer(request)).encode()
            return Answer(name, status, content, (("etag", '"e"'),) if name == "storage_part" else ())
    error = {"message": f"the recorder has no answer for {verb} {path}"}
    return Answer("unknown", 404, json.dumps(error).encode())
