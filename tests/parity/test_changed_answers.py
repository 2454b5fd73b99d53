"""Answers with one field changed: a call that the vendor's SDK survives does not fail here."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from typing import Any, Final

import anyio.to_thread
import pytest

from . import answers, sides
from .recorder import Recorder
from .row import Row
from .table import ROWS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:list_workers is deprecated:DeprecationWarning"),
]

ABSENT: Final = object()
CHANGES: Final[dict[str, Any]] = {
    "null": None, "a text": "text", "an object": {"an": "object"}, "absent": ABSENT, "an empty text": "", "an empty object": {},
    "an empty list": [], "a list": [1], "a number": 7, "true": True,
}  # fmt: skip
IS_WHOLE: Final = os.environ.get("PICSELLIA_ASYNC_SOAK") == "1"
"""Every change of every field; otherwise one of each field, in turn."""

SEEN_BY: Final = {
    "monitor": "monitor_empty_values_are_sent", "get_target_connector": "monitor_cloud_image_minimal",
    "predict": "predict_bytes_minimal", "get_deployment": "sync", "update_deployment": "update_nothing",
    "create_deployment": "create_deployment_minimal", "deploy": "model_version_deploy", "find_deployment": "get_deployment",
    "list_deployments": "list_deployments", "attach_tag": "add_tags_one", "get_model_version": "get_model_version",
    "list_labels": "list_labels", "list_feedback_loop_datasets": "list_feedback_loop_datasets",
    "check_training_data": "check_training_data", "aggregated_stats": "get_stats_aggregated_label_distribution",
    "find_predicted_asset": "find_predicted_asset_filename", "list_predicted_assets": "list_predicted_assets",
    "list_resource_users": "list_workers", "list_organization_users": "list_organization_users",
    "get_campaign": "get_campaign_known", "update_campaign": "campaign_update", "find_tag": "find_deployment_tag",
    "update_tag": "tag_update", "list_tags": "list_deployment_tags", "find_source": "get_datasource",
    "list_sources": "list_datasources", "find_model": "get_model", "list_models": "list_models",
    "list_model_versions": "model_list_versions", "get_model_context": "model_version_get_context",
    "get_dataset_version": "context_get_dataset_version", "get_experiment": "context_get_experiment",
    "find_log": "experiment_get_log", "find_dataset": "get_dataset", "list_datasets": "list_datasets",
    "list_dataset_versions": "dataset_list_versions", "list_assets": "list_assets", "find_project": "get_project",
    "list_projects": "list_projects", "find_datalake": "get_datalake_default", "list_datalakes": "list_datalakes",
    "list_data": "list_data", "find_data": "find_data_everything", "update_data": "data_update_metadata",
    "find_data_tag": "get_data_tag", "list_data_tags": "list_data_tags", "import_bucket_objects": "import_bucket_objects",
    "presigned_data_url": "data_reset_url", "update_custom_metadata": "data_update_custom_metadata",
    "add_review": "add_review_empty", "list_review_campaigns": "list_review_campaigns", "get_campaign_step": "step_sync",
    "list_campaign_steps": "campaign_list_steps", "campaign_sync_available": "campaign_sync_assets",
    "campaign_sync": "campaign_sync_assets", "list_campaign_assignments": "campaign_list_assignments",
    "reassign_campaign": "campaign_reassign", "get_job": "job_sync", "update_label": "label_update",
}  # fmt: skip
"""Endpoint -> a row of the table whose call reads its answer; one endpoint for each shape of answer."""


def fields_of(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every field, those of objects in it too; of a list those of its first item."""
    if isinstance(value, list) and value:
        yield from fields_of(value[0], (*at, 0))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*at, key)
            yield from fields_of(inner, (*at, key))


def changed(good: Any, field: tuple[str | int, ...], value: Any) -> bytes:
    """Return a good answer with one field changed."""
    answer = copy.deepcopy(good)
    holder = answer
    for key in field[:-1]:
        holder = holder[key]
    if value is ABSENT:
        del holder[field[-1]]
    else:
        holder[field[-1]] = value
    return json.dumps(answer).encode()


def changes_of(good: Any) -> Iterator[tuple[str, bytes]]:
    """Yield what is changed, and the answer."""
    for number, field in enumerate(fields_of(good)):
        for turn, (kind, value) in enumerate(CHANGES.items()):
            if IS_WHOLE or turn == number % len(CHANGES):
                yield f"{'.'.join(map(str, field))} is {kind}", changed(good, field, value)


def vendor_failure(
    row: Row, content: tuple[str, bytes] | None, recorder: Recorder, client: Any, names: Any, **files: Any
) -> str:
    """Make the vendor's call and return what it raised; what it needs before is answered well."""
    scope = {"deployment_name": row.deployment, "client": client, "api": names, **files}
    try:
        sides.call_vendor(row.call, scope, lambda: recorder.change(content))
    except Exception as error:  # noqa: BLE001 - whatever it raises, it has not survived
        return repr(error)
    finally:
        recorder.changed = None
    return ""


async def our_failure(
    row: Row, content: tuple[str, bytes], recorder: Recorder, client: Any, names: Any, **files: Any
) -> str:
    """Make our call and return what it raised."""
    scope = {"deployment_name": row.deployment, "client": client, "api": names, **files}
    try:
        await sides.call_ours(row.ours or row.call, scope, lambda: recorder.change(content))
    except Exception as error:  # noqa: BLE001 - all of them are gathered
        return repr(error)
    finally:
        recorder.changed = None
    return ""


async def test_what_the_vendor_survives_is_survived(
    recorder: Recorder, vendor_client: Any, vendor_names: sides.Names
) -> None:
    """Each field of each answer null, absent, or of another kind: no call fails here that goes on there."""
    api = sides.our_names()
    theirs = recorder, vendor_client, vendor_names
    tried, survived, fails = 0, 0, []
    options = {"host": recorder.url, "retry": api.RetryPolicy.none()}
    async with api.AsyncClient(answers.API_TOKEN, checks="off", **options) as client:
        for endpoint, name in SEEN_BY.items():
            [row] = [row for row in ROWS if row.name == name]
            assert not await anyio.to_thread.run_sync(vendor_failure, row, None, *theirs)
            good = [one.answer.content for one in recorder.take() if one.answer.endpoint == endpoint]
            for what, content in changes_of(json.loads(good[0])):
                tried += 1
                change = endpoint, content
                if await anyio.to_thread.run_sync(vendor_failure, row, change, *theirs):
                    continue
                survived += 1
                failed = await our_failure(row, change, recorder, client, api)
                fails += [f"{name}: {endpoint} {what}: {failed}"] if failed else []
    assert fails == []
    assert survived > tried // 3  # most others are answers without an id, which neither reads
