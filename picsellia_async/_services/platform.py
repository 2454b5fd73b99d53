"""The platform host: organizations, deployments and all that is kept about them.

One method carries every call: what differs between them is in the table of endpoints and in the request classes.
"""

from __future__ import annotations

from typing import TypeVar, cast
from uuid import UUID

import attrs

from picsellia_async._http.service import Service
from picsellia_async._wire.encoding import Query, encode_body
from picsellia_async._wire.endpoints import FIND_ORGANIZATION, GET_ORGANIZATION, PING, Endpoint
from picsellia_async.errors import ConfigurationError, NotFoundError
from picsellia_async.models import Organization

T = TypeVar("T")


async def find_organization(service: Service, organization_id: UUID | None, name: str | None) -> Organization:
    """Greet the platform and fetch the organization: by id, by name, or the token's default (docs/wire.md#connecting).

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

    async def call(self, endpoint: Endpoint[T], request: object = None, *, query: Query = (), **path: object) -> T:
        """Make one call.

        Args:
            endpoint: What is called.
            request: The JSON body: a request class, or a list; None for no body.
            query: Pairs of the query.
            **path: Values for the names in braces of the endpoint's path; `organization_id` is filled in.

        Raises:
            StatusError: The platform refused.
        """
        body = None if request is None else encode_body(request)
        path.setdefault("organization_id", self.organization.id)
        try:
            return await self.service.call(endpoint, path=path, query=query, body=body)
        except NotFoundError as exc:
            # The answer to an earlier attempt was lost: that attempt is what deleted it.
            if endpoint.method == "DELETE" and exc.attempts > 1:
                return cast("T", None)
            raise
