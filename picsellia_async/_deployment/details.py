"""A deployment as the platform keeps it: name, thresholds, tags, labels, users."""

from __future__ import annotations

from picsellia_async._wire.decode import updated
from picsellia_async._wire.endpoints import (
    ADD_DEPLOYMENT_USER,
    DELETE_DEPLOYMENT,
    GET_DEPLOYMENT,
    LIST_DEPLOYMENT_LABELS,
    LIST_DEPLOYMENT_USERS,
    UPDATE_DEPLOYMENT,
)
from picsellia_async._wire.platform_requests import AddUserRequest, UpdateDeploymentRequest
from picsellia_async._wire.unset import UNSET, given
from picsellia_async.models import DeploymentDescription, UserDescription
from picsellia_async.resources.datalake import Datalake
from picsellia_async.resources.handle import Record, expect
from picsellia_async.resources.label import Label
from picsellia_async.resources.user import User
from picsellia_async.validation import boolean


class Details:
    """Reads and changes what the platform says about a deployment."""

    def __init__(self, record: Record[DeploymentDescription]) -> None:
        """Store the record; nothing is sent."""
        self._record = record

    async def sync(self) -> DeploymentDescription:
        """Fetch the description again."""
        record = self._record
        record.description = await record.account.call(GET_DEPLOYMENT, deployment_id=record.id)
        return record.description

    async def update(
        self,
        name: str | None,
        target_datalake: Datalake | None,
        min_threshold: float | None,
        sample_rate: float | None,
    ) -> None:
        """Change what is not None."""
        datalake = None if target_datalake is None else expect(target_datalake, Datalake, "target_datalake")
        request = UpdateDeploymentRequest(
            name=given(name),
            min_threshold=given(min_threshold),
            target_datalake_id=UNSET if datalake is None else datalake.id,
            sample_rate=given(sample_rate),
        )
        record = self._record
        answer = await record.account.call(UPDATE_DEPLOYMENT, request, deployment_id=record.id)
        record.description = updated(record.description, answer)

    async def delete(self, force_delete: bool) -> None:
        """Delete the deployment."""
        query = [("force_delete", boolean(force_delete, "force_delete"))]
        await self._record.account.call(DELETE_DEPLOYMENT, query=query, deployment_id=self._record.id)

    async def labels(self) -> list[Label]:
        """Fetch the labels."""
        page = await self._record.account.call(LIST_DEPLOYMENT_LABELS, deployment_id=self._record.id)
        return [Label(item, self._record.account) for item in page.items]

    async def users(self) -> list[UserDescription]:
        """Fetch who has access."""
        return (await self._record.account.call(LIST_DEPLOYMENT_USERS, deployment_id=self._record.id)).users

    async def add_user(self, user: User, role: str | None) -> None:
        """Give a user access."""
        request = AddUserRequest(user_id=expect(user, User, "user").id, role=given(role))
        await self._record.account.call(ADD_DEPLOYMENT_USER, request, deployment_id=self._record.id)
