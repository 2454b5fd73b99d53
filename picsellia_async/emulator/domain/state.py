"""`State`: what all rules and handlers of one emulator share, and the look-ups that check who may see what."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

import attrs

from picsellia_async.emulator.domain.caller import Caller
from picsellia_async.emulator.domain.served_model import Models
from picsellia_async.emulator.domain.tokens import Tokens
from picsellia_async.emulator.refusal import forbidden, not_found
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import DataRow, PredictionRow
from picsellia_async.emulator.store.store import Store


@attrs.frozen(kw_only=True)
class Options:
    """How the emulator behaves where the service's behaviour is unknown or a matter of taste."""

    strict_images: bool = False
    """Refuse a body that is neither JPEG nor PNG. The service does not open monitored images (docs/wire.md#monitor-variants)."""
    loose: bool = False
    """Ignore unknown fields and query names instead of refusing them."""
    visibility_delay: float = 0.0
    """Seconds between the 201 of monitoring and the predicted asset's appearance on the platform."""
    max_body_bytes: int = 256 * 2**20
    """Larger requests are answered with 413."""
    public_url: str | None = None
    """`http://host:port` to tell clients; None: whatever the client used to come here."""
    url_lifetime: int = 3600
    """Seconds that a presigned URL is good for."""


@attrs.define(kw_only=True)
class State:
    """Everything that the handlers of one emulator share."""

    store: Store
    """Database and contents."""
    tokens: Tokens
    """Signs and verifies JWTs and presigned URLs."""
    clock: Callable[[], float]
    """Epoch seconds."""
    random: random.Random
    """For sampling; seeded."""
    models: Models = attrs.field(factory=Models)
    """What predicts."""
    options: Options = attrs.field(factory=Options)
    """How the emulator behaves where that is a matter of choice."""

    def draw(self) -> float:
        """Return a number from 0 up to 1, for sampling; inside a transaction, whose failure takes the draw back."""
        before = self.random.getstate()
        self.store.undo_with(lambda: self.random.setstate(before))
        return self.random.random()

    def new_id(self) -> str:
        """Return a new identifier."""
        return str(uuid.uuid4())

    def document(self, caller: Caller, kind: str, id_: str | None) -> Document:
        """Return a document of the caller's organization.

        Raises:
            Refusal: 404, there is none; 403, it belongs to another organization.
        """
        found = self.store.documents.get(kind, id_)
        if found.get("organization_id", caller.organization_id) != caller.organization_id:
            raise forbidden(f"this {kind} belongs to another organization")
        return found

    def finished_job(self, organization_id: str) -> Document:
        """Return a job that is done: the emulator's work is over when it answers."""
        return self.store.documents.add("job", organization_id=organization_id, status="SUCCEEDED")

    def data(self, caller: Caller, id_: str) -> DataRow:
        """Return a data of the caller's organization.

        Raises:
            Refusal: 404, there is none; 403, it belongs to another organization.
        """
        row = self.store.data.get(id_, "data")
        self.document(caller, "datalake", row.datalake_id)
        return row

    def predicted_asset(self, caller: Caller, id_: str) -> PredictionRow:
        """Return a predicted asset of the caller's organization that is visible by now.

        Raises:
            Refusal: 404, there is none (yet); 403, it belongs to another organization.
        """
        rows = self.store.predictions.select("asset_id = ? and visible_at <= ?", id_, self.clock(), limit=1)
        if not rows:
            raise not_found("predicted asset", id_)
        self.document(caller, "deployment", rows[0].deployment_id)
        return rows[0]

    def prediction(self, caller: Caller, id_: str) -> PredictionRow:
        """Return a monitored prediction of the deployment that the caller's JWT is for.

        Raises:
            Refusal: 404, there is none; 403, it belongs to another deployment.
        """
        row = self.store.predictions.get(id_, "prediction")
        if caller.deployment_id not in (None, row.deployment_id):
            raise forbidden("the JWT is for another deployment")
        self.document(caller, "deployment", row.deployment_id)
        return row

    def connector_of(self, deployment: Document) -> Document:
        """Return the storage connector of a deployment's target datalake."""
        datalake = self.store.documents.get("datalake", deployment["target_datalake_id"])
        return self.store.documents.get("connector", datalake["connector_id"])

    def user_of_token(self, api_token: str) -> Document | None:
        """Return the user of an api token, or None."""
        return self.store.documents.find("user", api_token=api_token)

    def source(self, organization_id: str, name: str) -> Document:
        """Return the data source of a name; it is made where monitoring meets it first."""
        found = self.store.documents.find("datasource", organization_id=organization_id, name=name)
        return found or self.store.documents.add("datasource", organization_id=organization_id, name=name)

    def data_tags(self, datalake: Document, names: list[str]) -> list[str]:
        """Return the ids of a datalake's tags; they are made where monitoring meets them first."""
        ids = []
        for name in dict.fromkeys(names):
            facts: dict[str, Any] = {"datalake_id": datalake["id"], "name": name, "target_type": "DATA"}
            found = self.store.documents.find("tag", **facts)
            if found is None:
                found = self.store.documents.add("tag", organization_id=datalake["organization_id"], **facts)
            ids.append(found["id"])
        return ids
