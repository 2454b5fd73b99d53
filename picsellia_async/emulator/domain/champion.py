"""The champion of a deployment, and the labels that it brings."""

from __future__ import annotations

from picsellia_async.emulator.domain.ids import stable_id
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.store import Store


def put_champion(state: State, deployment: Document, model_version: Document) -> None:
    """Make a model version the champion; labels that it brings are added."""
    deployment["model_version_id"] = model_version["id"]
    state.store.documents.save("deployment", deployment)
    names = {label["name"] for label in state.store.documents.list("label", deployment_id=deployment["id"])}
    labels: dict[str, str] = model_version["labels"] or {}
    add_labels(state.store, deployment, {key: name for key, name in labels.items() if name not in names})


def add_labels(store: Store, deployment: Document, labels: dict[str, str]) -> None:
    """Make the labels of a deployment from the label map of its model version (docs/wire.md#service-behaviour)."""
    for index, name in labels.items():
        store.documents.add(
            "label", id=stable_id(deployment["id"], "label", name), organization_id=deployment["organization_id"],
            deployment_id=deployment["id"], name=name, index=int(index), group_id=None,
        )  # fmt: skip
