"""From a token to services: who is asked where, signed how. Shared by a client, its copies and its deployments."""

from __future__ import annotations

from typing import Self, TypeVar
from uuid import UUID

import attrs

from picsellia_async._http.auth import Credential, JwtCredential
from picsellia_async._http.service import HttpSession, Service, anonymous, bearer
from picsellia_async._http.single_flight import SingleFlight
from picsellia_async._services.oracle import OracleService
from picsellia_async._services.platform import PlatformService, find_organization
from picsellia_async._services.serving import ServingService
from picsellia_async._wire.common_requests import LoginRequest
from picsellia_async._wire.encoding import Query
from picsellia_async._wire.endpoints import ORACLE_LOGIN, SERVING_LOGIN, Endpoint
from picsellia_async._wire.exchange import Origin
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.models import LoginReceipt, Organization

T = TypeVar("T")


@attrs.define(eq=False)
class _Shared:
    """What the copies of a connection have in common."""

    session: HttpSession
    organization: Organization | None = None
    greeting: SingleFlight[Organization] = attrs.field(factory=SingleFlight)
    credentials: dict[tuple[str, Origin, UUID], JwtCredential] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class Connection:
    """One user's way to the services, with the limits that apply to it."""

    shared: _Shared = attrs.field(repr=False)
    """Pool, organization and JWTs."""
    api_token: str = attrs.field(repr=False)
    """Token of the user."""
    origin: Origin
    """The platform."""
    organization_id: UUID | None
    """Organization asked for, by id."""
    organization_name: str | None
    """Organization asked for, by name; the id wins."""
    retry: RetryPolicy
    """Limits of repetition."""
    timeouts: Timeouts
    """Limits of one attempt."""

    @classmethod
    def over(cls, session: HttpSession, **fields: object) -> Self:
        """Make a connection over a pool; `fields` are the attributes after `shared`."""
        return cls(_Shared(session), **fields)  # type: ignore[arg-type]  # forwarded by name, checked by the caller

    def with_limits(self, retry: RetryPolicy, timeouts: Timeouts) -> Self:
        """Return a connection with other limits over the same pool, organization and JWTs."""
        return attrs.evolve(self, retry=retry, timeouts=timeouts)

    def service(self, origin: Origin, credential: Credential | None = None) -> Service:
        """Return a service at an origin; without a credential it signs nothing (presigned addresses)."""
        return Service(self.shared.session, origin, credential or anonymous(), self.retry, self.timeouts)

    async def platform(self) -> PlatformService:
        """Return the platform within the organization; the first call greets it and looks the organization up."""
        organization = self.shared.organization
        if organization is None or self.shared.session.is_closed:
            organization = await self.shared.greeting.run(self._greet)
        named = organization.id if organization.default_connector_id is not None else None
        return PlatformService(self.service(self.origin, bearer(self.api_token, named)), organization)

    async def call(self, endpoint: Endpoint[T], request: object = None, *, query: Query = (), **path: object) -> T:
        """Make one call to the platform; see `PlatformService.call`."""
        platform = await self.platform()
        return await platform.call(endpoint, request, query=query, **path)

    async def _greet(self) -> Organization:
        service = self.service(self.origin, bearer(self.api_token))
        self.shared.organization = await find_organization(service, self.organization_id, self.organization_name)
        return self.shared.organization

    def oracle(self, host: str, deployment_id: UUID) -> OracleService:
        """Return the monitoring host of a deployment."""
        return OracleService(self._signed("oracle_host", host, deployment_id, ORACLE_LOGIN), deployment_id)

    def serving(self, host: str, deployment_id: UUID) -> ServingService:
        """Return the serving host of a deployment."""
        return ServingService(self._signed("serving_host", host, deployment_id, SERVING_LOGIN), deployment_id)

    def _signed(self, name: str, host: str, deployment_id: UUID, login: Endpoint[LoginReceipt]) -> Service:
        """Return a service signed by the one JWT that all handles of this deployment share."""
        origin = Origin.parse(host, name)
        key = (login.name, origin, deployment_id)
        service = self.service(origin)
        if key not in self.shared.credentials:
            request = LoginRequest(api_token=self.api_token, deployment_id=deployment_id)
            self.shared.credentials[key] = service.login_credential(login, request)
        return attrs.evolve(service, credential=self.shared.credentials[key])

    async def aclose(self) -> None:
        """Stop logins under way and close the pool."""
        await self.shared.greeting.aclose()
        for credential in self.shared.credentials.values():
            await credential.aclose()
        await self.shared.session.aclose()
