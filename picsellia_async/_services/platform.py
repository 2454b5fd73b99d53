"""The platform host: organizations, deployments and all that is kept about them."""

from __future__ import annotations

from uuid import UUID

import attrs

from picsellia_async._http.host import Service
from picsellia_async._wire.endpoints import (
    FIND_DEPLOYMENT,
    FIND_ORGANIZATION,
    GET_DEPLOYMENT,
    GET_ORGANIZATION,
    LIST_DEPLOYMENTS,
    PING,
)
from picsellia_async.errors import ConfigurationError
from picsellia_async.models import DeploymentDescription, Organization


async def find_organization(service: Service, organization_id: UUID | None, name: str | None) -> Organization:
    """Greet the platform and fetch the organization: by id, by name, or the token's default (WIRE.md 3.5).

    Raises:
        ConfigurationError: None was named and the token has no default.
    """
    ping = await service.call(PING)
    if organization_id is None and name is not None:
        organization_id = (await service.call(FIND_ORGANIZATION, query=[("name", name)])).id
    chosen = organization_id or ping.default_organization
    if chosen is None:
        raise ConfigurationError(
            "this token has no default organization: give organization_id or organization_name "
            "(or PICSELLIA_ORGANIZATION_ID, PICSELLIA_ORGANIZATION_NAME)"
        )
    return await service.call(GET_ORGANIZATION, path={"organization_id": chosen})


@attrs.frozen(eq=False)
class PlatformService:
    """Calls to the platform within one organization."""

    service: Service
    """The host, signed with the api token."""
    organization: Organization
    """Where things are looked up and made."""

    async def find_deployment(self, *, name: str | None = None, id: UUID | None = None) -> DeploymentDescription:  # noqa: A002 - the wire's name
        """GET the deployment of that name or id."""
        return await self.service.call(
            FIND_DEPLOYMENT,
            path={"organization_id": self.organization.id},
            query=[("name", name), ("id", id)],
        )

    async def list_deployments(
        self, limit: int | None, offset: int | None, order_by: list[str] | None
    ) -> list[DeploymentDescription]:
        """GET the deployments of the organization."""
        page = await self.service.call(
            LIST_DEPLOYMENTS,
            path={"organization_id": self.organization.id},
            query=[("limit", limit), ("offset", offset), ("order_by", order_by)],
        )
        return page.items

    async def get_deployment(self, deployment_id: UUID) -> DeploymentDescription:
        """GET what the platform knows of a deployment now."""
        return await self.service.call(GET_DEPLOYMENT, path={"deployment_id": deployment_id})
