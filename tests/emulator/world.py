"""An emulator with one of everything, and for each endpoint that changes something a request that would succeed."""

from __future__ import annotations

from typing import Any

import attrs

from picsellia_async._wire.endpoints import ENDPOINTS

from .conftest import BOXES, Wire

CHANGING = sorted(name for name, endpoint in ENDPOINTS.items() if endpoint.method not in ("GET", "XGET"))
"""Endpoints that change something, or might."""


NOTHING = dict.fromkeys(("metadata", "custom_metadata", "tags", "data_source"))
STEP = {"type": "REVIEW", "description": None, "order": None, "sample_rate": None}


@attrs.define
class Sending:
    """A request that would succeed."""

    path: dict[str, str] = attrs.field(factory=dict)
    body: Any = None
    form: dict[str, Any] | None = None


class World:
    """Ids of what the emulator holds once it was filled."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.ids: dict[str, str] = {}

    async def fill(self) -> None:
        """Make one of everything."""
        wire, ids = self.wire, self.ids
        organization = wire.organization
        ids["organization_id"], ids["deployment_id"] = wire.emulator.organization_id, wire.emulator.deployment_id
        first, second = await wire.versions("model")
        ids["model_version_id"], ids["other_model_version_id"] = first["id"], second["id"]
        versions = await wire.versions("dataset")
        ids["dataset_version_id"], ids["other_dataset_version_id"] = versions[0]["id"], versions[1]["id"]
        ids["project_id"] = (await wire.ok("GET", f"{organization}/projects"))["items"][0]["id"]
        ids["user_id"] = (await wire.ok("GET", f"/api/access{organization[4:]}/users"))["users"][1]["id"]
        ids["datalake_id"] = (await wire.ok("GET", f"{organization}/datalake"))["id"]
        ids["connector_id"] = (await wire.ok("GET", f"{wire.deployment}/datalake/connector"))["id"]
        ids["label_id"] = (await wire.ok("GET", f"{wire.deployment}/labels"))["items"][0]["id"]
        await wire.ok("POST", f"{wire.deployment}/shadow", {"model_version_id": second["id"]})
        asset = await wire.asset(tags=["seen"], source="camera")
        ids["predicted_asset_id"], ids["data_id"] = asset["id"], asset["data"]["id"]
        ids["prediction_id"], ids["cloud_object"] = asset["oracle_prediction_id"], "directory/s3/object-name.jpeg"
        ids["other_data_id"] = (await wire.asset(filename="other.jpg", image="/9j/YQ=="))["data"]["id"]
        for name, key in (("fl", "fl"), ("cd", "cd")):
            body = {} if name == "fl" else {"policy": "DEPLOY_MANUAL"}
            setup = "pipeline/fl/setup" if key == "fl" else "pipeline/cd"
            await wire.ok("POST", f"{wire.deployment}/{setup}", body)
        await wire.ok("POST", f"{wire.deployment}/fl/datasets", {"dataset_version_id": versions[0]["id"]})
        await wire.ok("POST", f"{wire.deployment}/pipeline/td/setup", {"dataset_version_id": versions[0]["id"]})
        tag = await wire.ok("POST", f"/api/datalake/{ids['datalake_id']}/tags", {"name": "tag"})
        ids["tag_id"] = tag["id"]
        await wire.ok("POST", f"/api/tag/{tag['id']}/attach", [ids["data_id"]])
        ids["data_source_id"] = (await wire.ok("POST", f"{organization}/datasources", {"name": "source"}))["id"]
        init = {"object_name": "big.bin", "content_type": "image/png"}
        path = f"/api/object-storage/{ids['connector_id']}"
        ids["upload_id"] = (await wire.ok("POST", f"{path}/init_multipart_upload", init))["upload_id"]
        part = {"object_name": "big.bin", "upload_id": ids["upload_id"], "part_no": 1}
        url = (await wire.ok("POST", f"{path}/generate_part_presigned_url", part))["url"]
        ids["etag"] = (await wire.http.put(url, content=b"part")).headers["etag"]
        target = await wire.ok(
            "POST", f"{path}/generate_presigned_url", {"object_name": "up.png", "content_type": "image/png"}
        )
        self.form = target["presigned_url_data"]
        self.part_url = url
        await wire.http.post(self.form["url"], data=self.form["fields"], files={"file": b"an object"})

    async def add_campaign(self) -> None:
        """Begin a review campaign with two steps and the tasks of all assets."""
        wire, ids = self.wire, self.ids
        ids["campaign_id"] = (
            await wire.ok("POST", f"{wire.deployment}/campaigns", self.sending("create_campaign").body)
        )["id"]
        review = f"/api/campaigns/review/{ids['campaign_id']}"
        step = {**STEP, "name": "one", "assignees": [{"user_id": ids["user_id"], "weight": 1.0}]}
        ids["step_id"] = (await wire.ok("POST", f"{review}/steps", step))["id"]
        ids["other_step_id"] = (await wire.ok("POST", f"{review}/steps", {**step, "name": "two"}))["id"]
        await wire.ok("POST", f"{review}/assignments/sync", {})
        ids["assignment_id"] = (await wire.ok("GET", f"{review}/assignments"))["items"][0]["id"]
        await wire.monitored(filename="unsynced.jpg", image="/9j/Yg==")

    def sending(self, name: str) -> Sending:
        """Return a request to an endpoint that would succeed."""
        ids = {**dict.fromkeys(("campaign_id", "step_id", "other_step_id", "assignment_id"), ""), **self.ids}
        cloud = {
            "client_type": "minio",
            "connector_id": ids["connector_id"],
            "bucket_name": "emulated-bucket",
            "object_name": ids["cloud_object"],
        }
        login = {"api_token": self.wire.api_token, "deployment_id": ids["deployment_id"]}
        monitored = {
            "filename": "f.jpg", "content_type": "IMAGE/JPEG", "height": 48, "width": 64, "raw_predictions": BOXES,
            "latency": 0.25, "image": "/9j/YWI=", "tags": ["fresh tag"], "source": "fresh source", "timestamp": 5.0,
            "shadow_raw_predictions": BOXES, "shadow_latency": 0.1,
        }  # fmt: skip
        shapes = {"x": 1, "y": 2, "w": 3, "h": 4, "label_id": ids["label_id"]}
        dates = {"end_date": "2027-01-01", "auto_add_new_assets": False, "auto_close_on_completion": False}
        bodies: dict[str, Any] = {
            "oracle_login": login, "serving_login": login,
            "create_deployment": {"model_version_id": ids["model_version_id"], "name": "new", "min_threshold": 0.5},
            "deploy_model_version": {"name": "new", "min_threshold": 0.5, "target_datalake_id": ids["datalake_id"]},
            "update_deployment": {"name": "new", "min_threshold": 0.5, "sample_rate": 0.5},
            "set_model": {"model_version_id": ids["other_model_version_id"]},
            "set_shadow_model": {"model_version_id": ids["other_model_version_id"]},
            "add_deployment_user": {"user_id": ids["user_id"]},
            "toggle_pipeline": {"active": False},
            "attach_dataset_version": {"dataset_version_id": ids["other_dataset_version_id"]},
            "detach_dataset_versions": {"ids": [ids["dataset_version_id"]]},
            "setup_feedback_loop": {},
            "set_training_data": {"dataset_version_id": ids["other_dataset_version_id"]},
            "setup_continuous_training": {
                "project_id": ids["project_id"], "training_type": "EXPERIMENT", "experiment_parameters": {"epochs": 1},
            },
            "setup_continuous_deployment": {"policy": "DEPLOY_SHADOW"},
            "add_review": {"rectangles": [shapes, shapes]},
            "create_campaign": {"description": "d", "instructions_text": "i", **dates},
            "update_campaign": {"description": "other"},
            "add_campaign_step": {
                **STEP, "name": "three", "assignees": [{"user_id": ids["user_id"], "weight": 1.0}],
            },
            "update_campaign_step": {"name": "renamed", "sample_rate": 0.5},
            "delete_campaign_step": {"destination_step_id_for_pending_assignments": ids["other_step_id"]},
            "sync_assignments": {},
            "reassign_assignments": {"assignment_ids": [ids["assignment_id"]], "user_id": ids["user_id"]},
            "create_tag": {"name": "new", "target_type": "DEPLOYMENT"},
            "update_tag": {"name": "renamed"},
            "attach_tag": [ids["other_data_id"]], "detach_tag": [ids["data_id"]],
            "create_data_source": {"name": "new"}, "update_data_source": {"name": "renamed"},
            "create_data": {
                "object_name": ids["cloud_object"], "filename": "n.jpeg", "content_type": "image/jpeg", "type": "IMAGE",
                "tags": [ids["tag_id"]], "data_source_id": ids["data_source_id"], "metadata": {"a": 1},
            },
            "delete_multiple_data": {"ids": [ids["data_id"], ids["other_data_id"]]},
            "update_multiple_data": {
                "datalake_id": ids["datalake_id"],
                "objects": {
                    ids["data_id"]: {**NOTHING, "tags": ["fresh tag"], "data_source": "fresh source"},
                    ids["other_data_id"]: {**NOTHING, "metadata": {}},
                },
            },
            "import_bucket_objects": {"datalake_id": ids["datalake_id"], "prefixes": ["directory/"], "tag_ids": [ids["tag_id"]]},
            "create_data_tag": {"name": "new"},
            "update_data": {"metadata": {"a": 1}}, "update_custom_metadata": {"custom_metadata": {"a": 1}},
            "update_label": {"name": "n"},
            "generate_object_name": {"filename": "f.png", "type": "DATA"},
            "generate_presigned_url": {"object_name": "a.png", "content_type": "image/png"},
            "init_multipart_upload": {"object_name": "a.png", "content_type": "image/png"},
            "generate_part_presigned_url": {"object_name": "big.bin", "upload_id": ids["upload_id"], "part_no": 1},
            "complete_part_upload": {
                "object_name": "big.bin", "upload_id": ids["upload_id"], "parts": [{"ETag": ids["etag"], "PartNumber": 1}],
            },
            "retrieve_presigned_url": {"object_name": ids["cloud_object"]},
            "monitor": monitored,
            "monitor_shadow": {"shadow_raw_predictions": BOXES, "shadow_latency": 0.5},
            "predict_cloud_image": {"cloud_image": cloud, "monitor": True, "postprocess": True, "tags": ["fresh tag"], "source": "s"},
            "predict_shadow": {
                "prediction_id": ids["prediction_id"], "cloud_image": cloud, "monitor": True,
            },
        }  # fmt: skip
        assert ENDPOINTS[name].takes is None or name in bodies, f"{name} takes a body: add one that succeeds"
        pipeline = "fl" if name in ("attach_dataset_version", "detach_dataset_versions") else "cd"
        form = {"monitor": "True", "postprocess": "True", "tags": ["fresh tag"], "source": "fresh source"}
        return Sending({**ids, "pipeline": pipeline}, bodies.get(name), form if name == "predict" else None)
