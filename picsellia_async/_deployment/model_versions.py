"""The model versions of a deployment: the one in use (champion), and the one beside it (shadow)."""

from __future__ import annotations

from uuid import UUID

from picsellia_async._deployment.details import Details
from picsellia_async._wire.endpoints import GET_MODEL_VERSION, SET_MODEL, SET_SHADOW_MODEL
from picsellia_async._wire.platform_requests import ModelVersionRequest
from picsellia_async.errors import NoShadowModel, UndefinedObjectError
from picsellia_async.models import DeploymentDescription
from picsellia_async.resources.handle import Record, expect
from picsellia_async.resources.model import ModelVersion


class ModelVersions:
    """Sets and fetches the model versions."""

    def __init__(self, record: Record[DeploymentDescription], details: Details) -> None:
        """Store the parts; nothing is sent."""
        self._record = record
        self._details = details

    async def set_champion(self, model_version: ModelVersion) -> None:
        """Set the version in use."""
        version = expect(model_version, ModelVersion, "model_version")
        request = ModelVersionRequest(model_version_id=version.id)
        await self._record.account.call(SET_MODEL, request, deployment_id=self._record.id)
        self._record.change(model_version_id=version.id)

    async def champion(self) -> ModelVersion:
        """Fetch the version in use now."""
        version_id = (await self._details.sync()).model_version_id
        if version_id is None:
            raise UndefinedObjectError(
                f"the platform names no model version for deployment {self._record.description.name!r}"
            )
        return await self._fetch(version_id)

    async def set_shadow(self, shadow_model_version: ModelVersion) -> None:
        """Set the version that runs beside the champion."""
        version = expect(shadow_model_version, ModelVersion, "shadow_model_version")
        request = ModelVersionRequest(model_version_id=version.id)
        await self._record.account.call(SET_SHADOW_MODEL, request, deployment_id=self._record.id)
        self._record.change(shadow_model_version_id=version.id)

    async def shadow(self) -> ModelVersion:
        """Fetch the version that runs beside the champion now."""
        version_id = (await self._details.sync()).shadow_model_version_id
        if version_id is None:
            raise NoShadowModel(f"deployment {self._record.description.name!r} has no shadow model")
        return await self._fetch(version_id)

    async def _fetch(self, version_id: UUID) -> ModelVersion:
        found = await self._record.account.call(GET_MODEL_VERSION, model_version_id=version_id)
        return ModelVersion(found, self._record.account)
