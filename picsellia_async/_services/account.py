"""`Account`: one user's way to the platform, and to the hosts of its deployments. Shared by a client, its copies and its handles.

The platform is called through `Account.call`: what differs between its calls is in the table of endpoints and in the request
classes. Monitoring and serving hosts have services of their own (`oracle`, `serving`), made here because they are signed in to
with the user's token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar, cast
from uuid import UUID

import attrs

from picsellia_async._http.auth import Credential, JwtCredential
from picsellia_async._http.service import Service, anonymous, bearer
from picsellia_async._http.session import HttpSession
from picsellia_async._http.single_flight import SingleFlight
from picsellia_async._log_line import logger
from picsellia_async._services.downloaded_files import DownloadedFiles
from picsellia_async._services.oracle import OracleService
from picsellia_async._services.raw_request import QueryArgument, request
from picsellia_async._services.remembered import Kind, Memory
from picsellia_async._services.serving import ServingService
from picsellia_async._services.settings import Settings
from picsellia_async._wire.common_requests import LoginRequest
from picsellia_async._wire.converter import CONVERTER
from picsellia_async._wire.encoding import Query, encode_body
from picsellia_async._wire.endpoints import (
    FIND_ORGANIZATION,
    GET_ORGANIZATION,
    ORACLE_LOGIN,
    PING,
    SERVING_LOGIN,
    Endpoint,
    Host,
)
from picsellia_async._wire.exchange import Origin
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.errors import ConfigurationError, NotFoundError
from picsellia_async.models import LoginReceipt, Organization, Value
from picsellia_async.plausibility import Checks

T = TypeVar("T")
V = TypeVar("V", bound=Value)


@attrs.define(eq=False)
class _Shared:
    """What the copies of an account have in common."""

    organization: Organization | None = None
    connecting: SingleFlight[Organization] = attrs.field(factory=SingleFlight)
    credentials: dict[tuple[str, Origin, UUID], JwtCredential] = attrs.field(factory=dict)
    memory: Memory | None = None
    downloads: DownloadedFiles = attrs.field(factory=DownloadedFiles)


@attrs.frozen(eq=False)
class Account:
    """A user's token within one organization, over a pool of connections, with the limits that apply."""

    settings: Settings
    """Who calls whom, and within what limits."""
    session: HttpSession = attrs.field(repr=False)
    """The pool."""
    _shared: _Shared = attrs.field(factory=_Shared, repr=False)

    def __attrs_post_init__(self) -> None:
        """Have errors hide the token, and remember answers, where that is asked for."""
        self.session.secrets.add(self.settings.api_token)
        if self.settings.cache_dir is not None and self._shared.memory is None:
            self._shared.memory = Memory(self.settings.cache_dir, self.settings)

    @property
    def downloads(self) -> DownloadedFiles:
        """Which object each downloaded file is of."""
        return self._shared.downloads

    @property
    def remembers(self) -> bool:
        """Whether answers are remembered on disk, so that a description may come later than the handle that has it."""
        return self._shared.memory is not None

    async def ask(self, key: str, kind: Kind[T], fetch: Callable[[], Awaitable[T]], use: Callable[[T], object]) -> T:
        """Ask the platform for what may be remembered; see `Memory.ask`. Without a `cache_dir` this is `fetch`."""
        memory = self._shared.memory
        return await (fetch() if memory is None else memory.ask(key, kind, fetch, use))

    @property
    def known_organization(self) -> Organization | None:
        """The organization in use; None before the first call."""
        return self._shared.organization

    def with_limits(self, timeouts: Timeouts, retry: RetryPolicy) -> Self:
        """Return an account with other limits over the same pool, organization and JWTs."""
        return attrs.evolve(self, settings=attrs.evolve(self.settings, timeouts=timeouts, retry=retry))

    def with_checks(self, checks: Checks) -> Self:
        """Return an account that checks what is sent, or does not, over the same pool, organization and JWTs."""
        return attrs.evolve(self, settings=attrs.evolve(self.settings, checks=checks))

    def service(self, origin: Origin, credential: Credential | None = None) -> Service:
        """Return a service at an origin; without a credential it signs nothing (presigned addresses)."""
        limits = self.settings
        return Service(self.session, origin, credential or anonymous(), limits.retry, limits.timeouts)

    # The platform

    async def organization(self) -> Organization:
        """Return the organization; the first call looks it up (docs/wire.md#connecting).

        Raises:
            ConfigurationError: None was named and the token has no default.
        """
        known = self._shared.organization
        if known is None or self.session.is_closed:  # a closed session says so, whatever is known
            # One look-up, however many first calls wait for it.
            known = await self._shared.connecting.run(self._ask_organization)
        return known

    async def _ask_organization(self) -> Organization:
        found = await self.ask("organization", value_kind(Organization), self._find_organization, self._use)
        self._use(found)
        return found

    def _use(self, organization: Organization) -> None:
        self._shared.organization = organization

    async def _find_organization(self) -> Organization:
        wanted, name = self.settings.organization_id, self.settings.organization_name
        platform = self.service(self.settings.origin, bearer(self.settings.api_token))
        ping = await platform.call(PING)
        if wanted is None and name is not None:
            wanted = (await platform.call(FIND_ORGANIZATION, query=[("name", name)])).id
        chosen = wanted or ping.default_organization
        if chosen is None:
            raise ConfigurationError(
                "this token has no default organization: give organization_id or organization_name "
                "(or PICSELLIA_ORGANIZATION_ID, PICSELLIA_ORGANIZATION_NAME)"
            )
        found = await platform.call(GET_ORGANIZATION, path={"organization_id": chosen})
        logger.info("connected to %s, organization %r", self.settings.origin, found.name)
        return found

    async def platform(self) -> Service:
        """Return the platform within the organization, signed with the user's token."""
        organization = await self.organization()
        named = organization.id if organization.default_connector_id is not None else None
        return self.service(self.settings.origin, bearer(self.settings.api_token, named))

    async def call(self, endpoint: Endpoint[T], request: object = None, *, query: Query = (), **path: object) -> T:
        """Make one call to the platform.

        Args:
            endpoint: What is called.
            request: The JSON body: a request class, or a list; None for no body.
            query: Pairs of the query.
            **path: Values for the names in braces of the endpoint's path; `organization_id` is filled in.

        Raises:
            StatusError: The platform refused.
        """
        body = None if request is None else encode_body(request)
        platform = await self.platform()
        path.setdefault("organization_id", (await self.organization()).id)
        try:
            return await platform.call(endpoint, path=path, query=query, body=body)
        except NotFoundError as exc:
            # The answer to an earlier attempt was lost: that attempt is what deleted it.
            if endpoint.method == "DELETE" and exc.attempts > 1:
                return cast("T", None)
            raise

    async def request(self, method: str, path: str, query: QueryArgument, json: object) -> Any:
        """Make a call to the platform that no method wraps."""
        return await request(await self.platform(), Host.PLATFORM, method, path, query, json)

    # The hosts of a deployment

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
        credentials = self._shared.credentials
        if key not in credentials:
            request = LoginRequest(api_token=self.settings.api_token, deployment_id=deployment_id)
            credentials[key] = service.login_credential(login, request)
        return attrs.evolve(service, credential=credentials[key])

    @property
    def sign_ins(self) -> int:
        """Times that a JWT was fetched, of all hosts."""
        return sum(credential.sign_ins for credential in list(self._shared.credentials.values()))

    async def aclose(self) -> None:
        """Stop logins under way and close the pool."""
        await self._shared.connecting.aclose()
        if self._shared.memory is not None:
            await self._shared.memory.aclose()
        for credential in self._shared.credentials.values():
            await credential.aclose()
        await self.session.aclose()


def value_kind(returns: type[V]) -> Kind[V]:
    """Return how a value of the platform is written down: the fields that this SDK knows."""

    def to_json(value: V) -> Any:
        fields = CONVERTER.unstructure(value)
        return {name: found for name, found in fields.items() if name != "raw"}

    return Kind(to_json, lambda found: CONVERTER.structure(found, returns))
