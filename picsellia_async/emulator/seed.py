"""What a new emulator holds: the names that the examples of the vendor's reference use, and nothing that was monitored.

Ids are derived from names, so that they are the same on every machine; api tokens are random.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import attrs

from picsellia_async.emulator.domain.champion import add_labels
from picsellia_async.emulator.domain.ids import stable_id
from picsellia_async.emulator.domain.pictures import make_png
from picsellia_async.emulator.store.blobs import Content
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import DataRow, ObjectRow
from picsellia_async.emulator.store.store import Store
from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.inference.onnx_model import names_by_number
from picsellia_async.predictions import PREDICTION_FORMATS
from picsellia_async.validation import text

ORGANIZATION_NAME: Final = "emulated-organization"
DEPLOYMENT_NAME: Final = "awesome-deploy"
DATALAKE_NAME: Final = "target-datalake"
BUCKET_NAME: Final = "emulated-bucket"
CLOUD_OBJECT: Final = "directory/s3/object-name.jpeg"
"""Object that lies in the storage without being a data; the reference predicts on it."""
LABELS: Final = {"0": "person", "1": "bicycle", "2": "car", "3": "truck"}
"""Label map of a model: class index to name. `_LABELS` has those of the types that it does not fit."""
_LABELS: Final = {
    InferenceType.KEYPOINT: {"0": "person"},
    InferenceType.LINE: {"0": "lane-marking", "1": "stop-line", "2": "kerb"},
}

_JPEG: Final = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/"
    "wAALCAAwAEABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAL/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAA/AJAAAAAAAAAAAAAAAB//2Q=="
)
_DATA_COUNT: Final = 3
_DATA_NAME: Final = "data-{}.png"


@attrs.frozen
class Beginning:
    """What an organization begins with."""

    deployment_type: InferenceType | None = None
    """Of the deployment `DEPLOYMENT_NAME`; None: what is there, and in a new store OBJECT_DETECTION."""
    deployments: Mapping[str, InferenceType] = attrs.field(factory=dict)
    """Further deployments: type by name."""
    labels: Mapping[str, str] | None = None
    """Label map of the first deployment; None: one that fits its type."""

    @classmethod
    def of(
        cls,
        deployment_type: InferenceType | str | None,
        deployments: Mapping[str, InferenceType | str] | None,
        labels: Sequence[str] | Mapping[int, str] | None = None,
    ) -> Self:
        """Read what a user gave.

        Raises:
            ConfigurationError: No such type, no name, or the name of the deployment that is there anyway.
        """
        if deployments is not None and not isinstance(deployments, Mapping):
            raise ConfigurationError(f"deployments must be a dict of name and type, got {shown(deployments)}")
        further = {
            text(name, "deployments"): InferenceType.of(type_, f"deployments[{name!r}]")
            for name, type_ in (deployments or {}).items()
        }
        if DEPLOYMENT_NAME in further:
            raise ConfigurationError(f"deployments: {DEPLOYMENT_NAME!r} is there anyway; deployment_type says its type")
        type_ = None if deployment_type is None else InferenceType.of(deployment_type, "deployment_type")
        named = None if labels is None else {str(number): name for number, name in names_by_number(labels).items()}
        return cls(type_, further, named)


def begin(store: Store, now: float, beginning: Beginning) -> Beginning:
    """Fill a new store; to one that is filled, add the deployments that it was never given.

    Returns:
        What the store begins with from now on: `beginning`, with the type of the first deployment known.

    Raises:
        ConfigurationError: A deployment is of another type there, or another one has its name.
    """
    if not store.documents.list("organization"):
        add_organization(store, now, beginning)
    organization = _Organization(store, now, ORGANIZATION_NAME)
    begun = attrs.evolve(beginning, deployment_type=organization.type_of(None), labels=organization.labels)
    if beginning.deployment_type not in (None, begun.deployment_type):
        raise _other_type(DEPLOYMENT_NAME, begun.deployment_type, beginning.deployment_type)
    if beginning.labels not in (None, begun.labels):
        raise ConfigurationError(
            f"{DEPLOYMENT_NAME!r} was made with the labels {shown(begun.labels)}: take another data directory"
        )
    for name, type_ in beginning.deployments.items():
        found = organization.type_of(name)
        if found is None:
            organization.add_deployment(name, type_)
        elif found is not type_:
            raise _other_type(name, found, type_)
    return begun


def _other_type(name: str, found: InferenceType | None, asked: InferenceType | None) -> ConfigurationError:
    return ConfigurationError(
        f"{name!r} was made as a deployment of type {found}, and {asked} is asked for: take another data directory or name"
    )


def add_organization(
    store: Store, now: float, beginning: Beginning, organization: str = ORGANIZATION_NAME, api_token: str | None = None
) -> Document:
    """Add an organization and everything in it to a store.

    Args:
        store: Where to; other organizations stay as they are.
        now: Epoch seconds, for the dates of what is made.
        beginning: What it has.
        organization: Name of the organization.
        api_token: Token of its user; random unless given.

    Returns:
        The user.
    """
    return _Organization(store, now, organization).add(beginning, api_token or secrets.token_hex(20))


def add_deployment(store: Store, now: float, name: str, type_: InferenceType) -> Document:
    """Add a deployment of any type to the first organization, with a model and a dataset of its own; return it.

    Raises:
        ConfigurationError: The name is taken.
    """
    return _Organization(store, now, ORGANIZATION_NAME).add_deployment(name, type_)


class _Organization:
    """Makes everything that a new organization holds."""

    def __init__(self, store: Store, now: float, organization: str) -> None:
        self._store = store
        self._now = now
        self._name = organization
        self._organization_id = stable_id(organization)

    def _add(self, kind: str, *names: object, owner: str = "", **fields: Any) -> Document:
        """Add a document.

        Args:
            kind: Of which kind.
            *names: What its id is derived from.
            owner: Id of the deployment that it belongs to; none for what belongs to the organization or to its first deployment.
            **fields: What it holds.
        """
        id_ = stable_id(owner or self._name, kind, *names)
        return self._store.documents.add(kind, **{"id": id_, "organization_id": self._organization_id, **fields})

    def _get(self, kind: str, *names: object) -> Document:
        return self._store.documents.get(kind, stable_id(self._name, kind, *names))

    def add(self, beginning: Beginning, api_token: str) -> Document:
        connector = self._add("connector", client_type="minio", bucket_name=BUCKET_NAME)
        self._store.documents.add(
            "organization", id=self._organization_id, name=self._name, default_connector_id=connector["id"]
        )
        user = self._add("user", "user", username="user", api_token=api_token)
        self._add("user", "reviewer", username="reviewer", api_token=None)
        self._datalake(connector)
        self._project()
        self._deployment(
            DEPLOYMENT_NAME, beginning.deployment_type or InferenceType.OBJECT_DETECTION, labels=beginning.labels
        )
        for name, type_ in beginning.deployments.items():
            self.add_deployment(name, type_)
        return user

    def add_deployment(self, name: str, type_: InferenceType) -> Document:
        owner = self._owner(name)
        own = stable_id(owner, "model"), stable_id(owner, "dataset")  # of one with this name that was deleted
        for kind, taken in (("deployment", name), ("model", f"{name}-model"), ("dataset", f"{name}-dataset")):
            found = self._store.documents.find(kind, organization_id=self._organization_id, name=taken)
            if found is not None and found["id"] not in own:
                raise ConfigurationError(f"there is a {kind} {taken!r} already")
        if self._store.documents.peek("deployment", owner):
            raise ConfigurationError(
                f"the deployment that was made as {name!r} has another name by now; take another one"
            )
        return self._deployment(name, type_, owner)

    def _owner(self, name: str) -> str:
        """Return the id of a further deployment, from which those of its things are derived."""
        return stable_id(self._name, "deployment", name)

    def type_of(self, name: str | None) -> InferenceType | None:
        """Return the type that a deployment was made with, or None where it never was; `name` None: the first one.

        By its model version, which stays: deployments are renamed and deleted.
        """
        owner = self._name if name is None else self._owner(name)
        found = self._store.documents.peek("model_version", stable_id(owner, "model_version", 0))
        return None if found is None else InferenceType.of(found["type"])

    @property
    def labels(self) -> dict[str, str]:
        """Label map that the first deployment was made with."""
        found: dict[str, str] = self._get("model_version", 0)["labels"]
        return found

    def _datalake(self, connector: Document) -> None:
        datalake = self._add("datalake", DATALAKE_NAME, name=DATALAKE_NAME, connector_id=connector["id"])
        for index in range(_DATA_COUNT):
            name = _DATA_NAME.format(index)
            content = make_png(64, 48, 60 * index)
            sha256 = self._object(connector, f"{datalake['id']}/{name}", content, "image/png")
            row = DataRow(
                id=self._data_id(index), datalake_id=datalake["id"], object_name=f"{datalake['id']}/{name}",
                filename=name, content_type="image/png", width=64, height=48, created_at=self._now, sha256=sha256,
                size=len(content),
            )  # fmt: skip
            self._store.data.insert(row)
        self._object(connector, CLOUD_OBJECT, _JPEG, "image/jpeg")

    def _data_id(self, index: int) -> str:
        return stable_id(self._name, "data", _DATA_NAME.format(index))

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

    def _project(self) -> None:
        project = self._add("project", name="my-project", dataset_version_ids=[])
        experiment = self._add("experiment", name="my-experiment", project_id=project["id"], status="SUCCESS")
        parameters = {"epochs": 20, "batch_size": 8, "learning_rate": 0.001, "image_size": 640}
        self._add("log", "parameters", name="parameters", experiment_id=experiment["id"], type="TABLE", data=parameters)

    def _model(
        self, name: str, type_: InferenceType, dataset_versions: list[Document], labels: dict[str, str], owner: str
    ) -> list[Document]:
        trained_with = [
            {"name": name, "version_id": version["id"]}
            for name, version in zip(("train", "test"), dataset_versions, strict=False)
        ]
        model = self._add("model", owner=owner, name=name, private=True, tag_ids=[])
        return [
            self._add(
                "model_version", number, owner=owner, name=name, version=number, type=type_.value, framework="ONNX", labels=labels,
                model_id=model["id"], tag_ids=[], experiment_id=self._get("experiment")["id"], parameters={"epochs": 20},
                trained_with=trained_with,
            )
            for number, name in enumerate(("first", "latest"))
        ]  # fmt: skip

    def _dataset(self, name: str, type_: InferenceType, labels: dict[str, str], owner: str) -> list[Document]:
        dataset = self._add("dataset", owner=owner, name=name, tag_ids=[])
        versions = [
            self._add(
                "dataset_version", name, owner=owner, version=name, type=type_.value, dataset_id=dataset["id"], tag_ids=[],
                annotation_campaign_id=None, labels=list(labels.values()),
            )
            for name in ("first", "second", "latest")
        ]  # fmt: skip
        seeded = [self._data_id(index) for index in range(_DATA_COUNT)]
        for version in versions:
            for row in self._store.data.select(f"id in ({', '.join('?' * len(seeded))})", *seeded):
                names = (version["version"], row.filename)
                self._add("asset", *names, owner=owner, dataset_version_id=version["id"], data_id=row.id, tag_ids=[])
        return versions

    def _deployment(
        self, name: str, type_: InferenceType, owner: str = "", labels: Mapping[str, str] | None = None
    ) -> Document:
        """Make a deployment with the model and the dataset that it needs."""
        prefix = name if owner else "my"
        labels = dict(labels or _LABELS.get(type_, LABELS))
        dataset_versions = self._dataset(f"{prefix}-dataset", type_, labels, owner)
        project = self._get("project")
        ids = [*project["dataset_version_ids"], *(version["id"] for version in dataset_versions)]
        project["dataset_version_ids"] = list(dict.fromkeys(ids))
        self._store.documents.save("project", project)
        model_version = self._model(f"{prefix}-model", type_, dataset_versions, labels, owner)[0]
        deployment = self._add(
            "deployment", **({"id": owner} if owner else {}), name=name, type=type_.value, model_version_id=model_version["id"],
            shadow_model_version_id=None, target_datalake_id=self._get("datalake", DATALAKE_NAME)["id"], min_threshold=0.0,
            sample_rate=1.0, is_serving=type_ in PREDICTION_FORMATS, tag_ids=[], created_at=self._now,
            feedback_loop={"active": False, "datasets": []},
            training_data=None,
            continuous_training={"active": False, "datasets": [], "project_id": None, "trigger": None, "threshold": None, "reviews": 0},
            continuous_deployment={"active": False, "policy": "DEPLOY_MANUAL"},
        )  # fmt: skip
        add_labels(self._store, deployment, labels)
        self._store.documents.add(
            "access",
            resource="deployment",
            resource_id=deployment["id"],
            user_id=self._get("user", "user")["id"],
            role="ADMIN",
        )
        return deployment
