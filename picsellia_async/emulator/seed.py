"""What a new emulator holds: the names that the examples of the vendor's reference use, and nothing that was monitored.

Ids are derived from names, so that they are the same on every machine; api tokens are random.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any, Final

from picsellia_async.emulator.domain.champion import add_labels
from picsellia_async.emulator.domain.ids import stable_id
from picsellia_async.emulator.domain.pictures import make_png
from picsellia_async.emulator.store.blobs import Content
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import DataRow, ObjectRow
from picsellia_async.emulator.store.store import Store

ORGANIZATION_NAME: Final = "emulated-organization"
DEPLOYMENT_NAME: Final = "awesome-deploy"
DATALAKE_NAME: Final = "target-datalake"
BUCKET_NAME: Final = "emulated-bucket"
CLOUD_OBJECT: Final = "directory/s3/object-name.jpeg"
"""Object that lies in the storage without being a data; the reference predicts on it."""
LABELS: Final = {"0": "person", "1": "bicycle", "2": "car", "3": "truck"}
"""Label map of both model versions: class index to name."""

_JPEG: Final = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/"
    "wAALCAAwAEABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAL/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAA/AJAAAAAAAAAAAAAAAB//2Q=="
)
_DATA_COUNT: Final = 3


def add_organization(
    store: Store, now: float, organization: str = ORGANIZATION_NAME, api_token: str | None = None
) -> Document:
    """Add an organization and everything in it to a store.

    Args:
        store: Where to; other organizations stay as they are.
        now: Epoch seconds, for the dates of what is made.
        organization: Name of the organization.
        api_token: Token of its user; random unless given.

    Returns:
        The user.
    """
    return _Organization(store, now, organization).add(api_token or secrets.token_hex(20))


class _Organization:
    """Makes everything that a new organization holds."""

    def __init__(self, store: Store, now: float, organization: str) -> None:
        self._store = store
        self._now = now
        self._name = organization
        self._organization_id = stable_id(organization)

    def _add(self, kind: str, *names: object, **fields: Any) -> Document:
        return self._store.documents.add(
            kind, **{"id": stable_id(self._name, kind, *names), "organization_id": self._organization_id, **fields}
        )

    def add(self, api_token: str) -> Document:
        connector = self._add("connector", client_type="minio", bucket_name=BUCKET_NAME)
        self._store.documents.add(
            "organization", id=self._organization_id, name=self._name, default_connector_id=connector["id"]
        )
        user = self._add("user", "user", username="user", api_token=api_token)
        self._add("user", "reviewer", username="reviewer", api_token=None)
        datalake = self._datalake(connector)
        project, experiment = self._project()
        dataset_versions = self._dataset(datalake)
        versions = self._model(experiment, dataset_versions)
        project["dataset_version_ids"] = [version["id"] for version in dataset_versions]
        self._store.documents.save("project", project)
        self._deployment(versions[0], datalake, user)
        return user

    def _datalake(self, connector: Document) -> Document:
        datalake = self._add("datalake", DATALAKE_NAME, name=DATALAKE_NAME, connector_id=connector["id"])
        for index in range(_DATA_COUNT):
            name = f"data-{index}.png"
            content = make_png(64, 48, 60 * index)
            sha256 = self._object(connector, f"{datalake['id']}/{name}", content, "image/png")
            row = DataRow(
                id=stable_id(self._name, "data", name), datalake_id=datalake["id"], object_name=f"{datalake['id']}/{name}",
                filename=name, content_type="image/png", width=64, height=48, created_at=self._now, sha256=sha256,
                size=len(content),
            )  # fmt: skip
            self._store.data.insert(row)
        self._object(connector, CLOUD_OBJECT, _JPEG, "image/jpeg")
        return datalake

    def _object(self, connector: Document, object_name: str, content: bytes, content_type: str) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self._store.keep(Content(sha256, content))
        self._store.objects.insert(
            ObjectRow(
                id=f"{connector['id']}/{object_name}", connector_id=connector["id"], object_name=object_name, sha256=sha256,
                size=len(content), content_type=content_type, etag=sha256[:32], created_at=self._now,
            )
        )  # fmt: skip
        return sha256

    def _project(self) -> tuple[Document, Document]:
        project = self._add("project", name="my-project", dataset_version_ids=[])
        experiment = self._add("experiment", name="my-experiment", project_id=project["id"], status="SUCCESS")
        parameters = {"epochs": 20, "batch_size": 8, "learning_rate": 0.001, "image_size": 640}
        self._add("log", "parameters", name="parameters", experiment_id=experiment["id"], type="TABLE", data=parameters)
        return project, experiment

    def _model(self, experiment: Document, dataset_versions: list[Document]) -> list[Document]:
        trained_with = [
            {"name": name, "version_id": version["id"]}
            for name, version in zip(("train", "test"), dataset_versions, strict=False)
        ]
        model = self._add("model", name="my-model", private=True, tag_ids=[])
        return [
            self._add(
                "model_version", number, name=name, version=number, type="OBJECT_DETECTION", framework="ONNX", labels=LABELS,
                model_id=model["id"], tag_ids=[], experiment_id=experiment["id"], parameters={"epochs": 20},
                trained_with=trained_with,
            )
            for number, name in enumerate(("first", "latest"))
        ]  # fmt: skip

    def _dataset(self, datalake: Document) -> list[Document]:
        dataset = self._add("dataset", name="my-dataset", tag_ids=[])
        versions = [
            self._add(
                "dataset_version", name, version=name, type="OBJECT_DETECTION", dataset_id=dataset["id"], tag_ids=[],
                annotation_campaign_id=None, labels=list(LABELS.values()),
            )
            for name in ("first", "second", "latest")
        ]  # fmt: skip
        for version in versions:
            for row in self._store.data.select("datalake_id = ?", datalake["id"]):
                names = ("asset", version["version"], row.filename)
                self._add("asset", *names, dataset_version_id=version["id"], data_id=row.id, tag_ids=[])
        return versions

    def _deployment(self, model_version: Document, datalake: Document, user: Document) -> None:
        deployment = self._add(
            "deployment", name=DEPLOYMENT_NAME, type="OBJECT_DETECTION", model_version_id=model_version["id"],
            shadow_model_version_id=None, target_datalake_id=datalake["id"], min_threshold=0.0, sample_rate=1.0,
            is_serving=True, tag_ids=[], created_at=self._now,
            feedback_loop={"active": False, "datasets": []},
            training_data=None,
            continuous_training={"active": False, "datasets": [], "project_id": None, "trigger": None, "threshold": None, "reviews": 0},
            continuous_deployment={"active": False, "policy": "DEPLOY_MANUAL"},
        )  # fmt: skip
        add_labels(self._store, deployment, LABELS)
        self._store.documents.add(
            "access", resource="deployment", resource_id=deployment["id"], user_id=user["id"], role="ADMIN"
        )
