"""`AsyncClient`: one user's way to the platform, and the pool of connections that all its deployments share."""

from __future__ import annotations

import functools
import os
import ssl
import warnings
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import attrs
import httpx

from picsellia_async._http.httpx_family import AsyncHttpClient, AsyncTransport, is_client, is_transport
from picsellia_async._http.observation import Recorder
from picsellia_async._http.session import HttpSession
from picsellia_async._services.account import Account, value_kind
from picsellia_async._services.raw_request import QueryArgument
from picsellia_async._services.settings import Settings
from picsellia_async._wire.endpoints import CREATE_DEPLOYMENT, FIND_DEPLOYMENT, LIST_DEPLOYMENTS
from picsellia_async._wire.platform_requests import CreateDeploymentRequest
from picsellia_async._wire.queries import simple_query
from picsellia_async._wire.secret import hide
from picsellia_async._wire.unset import UNSET, given
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import ClosedError, ConfigurationError
from picsellia_async.models import DeploymentDescription, Organization
from picsellia_async.plausibility import Checks
from picsellia_async.resources.datalake import Datalake
from picsellia_async.resources.handle import expect
from picsellia_async.resources.model import ModelVersion
from picsellia_async.resources.organization import OrganizationCalls
from picsellia_async.tracing import Tracing
from picsellia_async.validation import boolean, text, uuid, whole_number


@attrs.frozen(kw_only=True)
class ClientStatistics:
    """A snapshot of a client. Its connections are those of the fast transport: over `transport=`, `http_client=` or a proxy there are none."""

    connections_active: dict[str, int]
    """Connections with a request under way, by `host:port`."""
    connections_idle: dict[str, int]
    """Connections kept for the next request, by `host:port`."""
    connections_opening: int
    """Connections that are being opened."""
    waiting: int
    """Calls that wait for a connection."""
    sign_ins: int
    """Times that a monitoring or serving host issued a JWT."""


class AsyncClient(OrganizationCalls):
    """A connection to Picsellia. Use it as `async with AsyncClient(...) as client`, or close it with `aclose()`.

    The constructor sends nothing and needs no running loop. Entering connects (fetches the organization);
    without entering, the first call does. One pool of connections serves the platform, monitoring and serving hosts of every
    deployment. A client belongs to the event loop that uses it first; once that loop is closed, another may take over.

    Every call may raise, beside what it documents:

    * `StatusError`, by its subclasses: the service refused (`AuthenticationError` for a wrong token, `RateLimitError`, ...);
    * `TransportError`, `RequestTimeoutError`: no answer, after the attempts that the retry policy allows;
    * `DecodeError`: an answer that cannot be read;
    * `ClosedError`: the client was closed, or another running event loop uses it.

    A call is repeated after an answer that says "failed for now" (408, 425, 429, 500, 502 to 504, 520 to 524) and whenever the service
    cannot have got the whole request. After a *lost* answer it is repeated only where its description says "idempotent".
    """

    def __init__(
        self,
        api_token: str | None = None,
        organization_id: str | UUID | None = None,
        organization_name: str | None = None,
        host: str | None = None,
        *,
        timeout: Any = Timeouts(),  # noqa: B008 - a frozen value
        max_connections: int = 100,
        max_connections_per_host: int | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - a frozen value
        transport: httpx.AsyncBaseTransport | AsyncTransport | None = None,
        http_client: httpx.AsyncClient | AsyncHttpClient | None = None,
        verify: ssl.SSLContext | None = None,
        checks: Checks = "on",
        tracing: Tracing | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        """Store the settings.

        Args:
            api_token: Token of the user; else `PICSELLIA_TOKEN`.
            organization_id: UUID of the organization; else `PICSELLIA_ORGANIZATION_ID`.
            organization_name: Its name; else `PICSELLIA_ORGANIZATION_NAME`; else the token's default organization. An id wins.
            host: URL of the platform; else `PICSELLIA_HOST`, else `https://app.picsellia.com`. A path in it is ignored.
            timeout: Seconds for connect, read and write each, None for no limit, `Timeouts`, or an `httpx.Timeout`.
                The wait for a free connection is not limited unless `pool` says so.
            max_connections: Connections open at once, over all hosts; further calls wait in order.
            max_connections_per_host: Of these, at most so many to one host and port, so that one that hangs does not hold up the
                others; by default nine tenths of `max_connections`. With a proxy there is no such limit.
            retry: Attempts, total seconds, backoff and jitter; `RetryPolicy.none()` for a single attempt.
            transport: Any `httpx.AsyncBaseTransport` (or httpx2's) in place of the fast one; it is closed with the client.
            http_client: Your own `httpx.AsyncClient` (or httpx2's) in place of pool and transport; it stays yours to close.
            verify: TLS settings; by default the usual authorities, with `SSL_CERT_FILE` and `SSL_CERT_DIR`.
            checks: "on": predictions and images that cannot be meant are refused (docs/right-data.md#checks); "off": sent as they are.
            tracing: Makes spans of OpenTelemetry of calls, attempts and frames; by default nobody does (docs/tracing.md).
            cache_dir: Directory in which the organization, deployments and their label maps are remembered, so that a program that
                has run before starts while the platform cannot be reached (docs/connecting.md#starting-without-a-network); made if
                missing, for its user alone. None: nothing is remembered.

        Raises:
            ConfigurationError: No token, or a value that cannot be used. Nothing was sent.
        """
        api_token = hide(api_token)  # tracebacks may show variables
        if transport is not None and http_client is not None:
            raise ConfigurationError("transport and http_client exclude each other: give one of them")
        _check_engine(transport, http_client, verify, tracing)
        settings = Settings.read(api_token, organization_id, organization_name, host, timeout, retry, checks)
        settings = attrs.evolve(settings, cache_dir=cache_dir)
        connections = whole_number(max_connections, "max_connections", 1)
        per_host = None
        if max_connections_per_host is not None:
            per_host = whole_number(max_connections_per_host, "max_connections_per_host", 1)
        self._account = Account(settings, HttpSession(connections, per_host, transport, http_client, verify, tracing))
        self._owns_session = True

    def __repr__(self) -> str:
        """Return host and state; the token is not shown."""
        if not hasattr(self, "_account"):  # the constructor refused, and a traceback shows its variables
            return "<AsyncClient unfinished>"
        state = "closed" if self.is_closed else "open"
        return f"<AsyncClient {self._account.settings.origin} {state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the settings (the token among them): the copy connects anew, in its own process."""
        session = self._account.session
        for name in ("transport", "http_client", "verify", "tracing"):
            if getattr(session, name) is not None:
                raise TypeError(f"an AsyncClient made with {name}= cannot be pickled; make one in each process")
        return _make, (self._account.settings, session.max_connections, session.max_connections_per_host)

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._account.session.is_closed

    @property
    def host(self) -> str:
        """Address of the platform: scheme, host, and port where it is not the scheme's own."""
        return str(self._account.settings.origin)

    @property
    def organization(self) -> Organization:
        """The organization in use.

        Raises:
            ClosedError: The client is not connected yet.
        """
        organization = self._account.known_organization
        if organization is None:
            raise ClosedError("this client is not connected yet: enter it, or await connect()")
        return organization

    @property
    def id(self) -> UUID:
        """Identifier of the organization in use.

        Raises:
            ClosedError: The client is not connected yet.
        """
        return self.organization.id

    @property
    def name(self) -> str:
        """Name of the organization in use.

        Raises:
            ClosedError: The client is not connected yet.
        """
        return self.organization.name

    def get_resource_url_on_platform(self) -> str:
        """Return the address of the organization in use on the pages of the platform; sends nothing.

        Raises:
            ClosedError: The client is not connected yet.
        """
        return f"{self._account.settings.origin}/organization/{self.id}"

    def statistics(self) -> ClientStatistics:
        """Return a snapshot of the numbers: of this client, and of its copies by `with_options`, which share its connections."""
        counts, by_origin = self._account.session.counts
        hosts = {f"{origin.host}:{origin.port}": found for origin, found in by_origin.items()}
        return ClientStatistics(
            connections_active={host: busy for host, (busy, _) in hosts.items()},
            connections_idle={host: idle for host, (_, idle) in hosts.items()},
            connections_opening=counts.openings,
            waiting=counts.queued,
            sign_ins=self._account.sign_ins,
        )

    async def request(self, method: str, path: str, *, query: QueryArgument = None, json: object = None) -> Any:
        """Make a call to the platform that this SDK does not wrap; repeated after a lost answer unless it is a POST.

        Args:
            method: GET, POST, PUT, PATCH, DELETE, or XGET.
            path: From the root of the host, `/api/...`; docs/wire.md has those that are known.
            query: A dict, or pairs in order; a list as a value repeats the key, None is left out.
            json: The body, if there is one.

        Returns:
            The JSON of the answer; None where it is empty.

        Raises:
            ConfigurationError: No such method, no path, or JSON that cannot be written. Nothing was sent.
            StatusError: The platform refused; the subclass says how.
            DecodeError: The answer is not JSON.

        Wire: `method` of {platform}`path`, 2xx.
        """
        return await self._account.request(method, path, query, json)

    async def connect(self) -> Self:
        """Fetch the organization, where that has not happened yet. Idempotent.

        Raises:
            ConfigurationError: No organization was named and the token has no default one.

        Wire: GET {platform}/api/home/ping, GET {platform}/api/organization/{organization_id}, 2xx.
        """
        await self._account.organization()
        return self

    async def __aenter__(self) -> Self:
        """Connect; close again where that fails."""
        try:
            return await self.connect()
        except BaseException:
            await self.aclose()
            raise

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections, calls under way included. Closing twice is fine; copies of `with_options` close nothing."""
        if self._owns_session:
            await self._account.aclose()

    def __del__(self, _warn: Any = warnings.warn) -> None:
        """Warn about a client that was used and never closed."""
        account = getattr(self, "_account", None)  # None: the constructor refused
        if account is not None and self._owns_session and account.session.is_open:
            _warn(f"unclosed {self!r}: use `async with` or await aclose()", ResourceWarning, source=self)

    def with_options(
        self, *, timeout: Any = None, retry: RetryPolicy | None = None, checks: Checks | None = None
    ) -> Self:
        """Return a client with other limits, over the same pool, organization and JWTs.

        Args:
            timeout: Seconds, `Timeouts` or an `httpx.Timeout`; None keeps the present ones.
            retry: Another policy; None keeps the present one.
            checks: "on" or "off"; None keeps the present setting.
        """
        settings = self._account.settings
        account = self._account.with_limits(
            settings.timeouts if timeout is None else timeout, settings.retry if retry is None else retry
        )
        if checks is not None:
            account = account.with_checks(checks)
        return self._over(account, owns_session=False)

    @classmethod
    def _over(cls, account: Account, *, owns_session: bool) -> Self:
        client = cls.__new__(cls)
        client._account, client._owns_session = account, owns_session  # noqa: SLF001 - of this very class
        return client

    async def get_deployment(self, name: str) -> AsyncDeployment:
        """Return the deployment of that name. Idempotent.

        No sign-in happens here; the deployment signs in when it is first used.

        Raises:
            NotFoundError: The organization has none of that name.

        Wire: GET {platform}/api/organization/{organization_id}/deployments/find, 2xx.
        """
        return await self._find_deployment("name", text(name, "name"))

    async def _find_deployment(self, by: str, value: str | UUID) -> AsyncDeployment:
        def use(fresh: DeploymentDescription) -> None:
            deployment._record.description = fresh  # noqa: SLF001 - answered later than it was needed

        fetch = functools.partial(self._account.call, FIND_DEPLOYMENT, query=[(by, value)])
        kind = value_kind(DeploymentDescription)
        found = await self._account.ask(f"deployment of {by} {value}", kind, fetch, use)
        deployment = AsyncDeployment(found, self._account)
        return deployment

    async def get_deployment_by_id(self, id: UUID | str) -> AsyncDeployment:  # noqa: A002 - the documented name
        """Return the deployment of that id. Idempotent.

        Raises:
            NotFoundError: The organization has no such deployment.

        Wire: GET {platform}/api/organization/{organization_id}/deployments/find, 2xx.
        """
        return await self._find_deployment("id", uuid(id, "id"))

    async def list_deployments(
        self, limit: int | None = None, offset: int | None = None, order_by: list[str] | None = None
    ) -> list[AsyncDeployment]:
        """Return the deployments of the organization, in one request. Idempotent.

        Args:
            limit: At most so many; all by default.
            offset: Skip so many.
            order_by: Names of fields, `-` before a name for descending order.

        Wire: GET {platform}/api/organization/{organization_id}/deployments, 2xx.
        """
        page = await self._account.call(LIST_DEPLOYMENTS, query=simple_query(limit, offset, order_by))
        return [AsyncDeployment(description, self._account) for description in page.items[:limit]]

    async def create_deployment(
        self,
        model_version: ModelVersion,
        shadow_model_version: ModelVersion | None = None,
        name: str | None = None,
        min_threshold: float | None = None,
        target_datalake: Datalake | None = None,
        disable_serving: bool = False,
    ) -> AsyncDeployment:
        """Make a deployment. Not idempotent: a second one is made, or the name is taken.

        Args:
            model_version: The champion; gives the deployment its type and labels.
            shadow_model_version: Runs beside the champion.
            name: Name of the deployment; made up by the platform otherwise.
            min_threshold: Score below which serving drops a shape, 0 to 1.
            target_datalake: Where its images go; the default datalake otherwise.
            disable_serving: Make it without a serving host: for models that run elsewhere and are monitored only.

        Raises:
            ConflictError: The name is taken.
            QuotaExceededError: The organization's plan has no resources left.

        Wire: POST {platform}/api/organization/{organization_id}/deployments, 2xx.
        """
        shadow = (
            None if shadow_model_version is None else expect(shadow_model_version, ModelVersion, "shadow_model_version")
        )
        datalake = None if target_datalake is None else expect(target_datalake, Datalake, "target_datalake")
        request = CreateDeploymentRequest(
            model_version_id=expect(model_version, ModelVersion, "model_version").id,
            name=given(name),
            min_threshold=given(min_threshold),
            target_datalake_id=UNSET if datalake is None else datalake.id,
            shadow_model_version_id=UNSET if shadow is None else shadow.id,
            disable_serving=True if boolean(disable_serving, "disable_serving") else UNSET,
        )
        return AsyncDeployment(await self._account.call(CREATE_DEPLOYMENT, request), self._account)


def record_attempts(client: AsyncClient, recorder: Recorder) -> None:
    """Have somebody told of every attempt of a client, and of its copies, from now on; for metrics."""
    client._account.session.record(recorder)  # noqa: SLF001 - one module


def _make(settings: Settings, max_connections: int, per_host: int | None) -> AsyncClient:
    """Make a client from what was pickled."""
    return AsyncClient._over(Account(settings, HttpSession(max_connections, per_host)), owns_session=True)  # noqa: SLF001 - see `__reduce__`


def _check_engine(transport: Any, http_client: Any, verify: Any, tracing: Any) -> None:
    """Refuse what cannot carry requests here, a synchronous client of httpx for instance."""
    for name, value, good, kind in (
        ("transport", transport, is_transport, "httpx.AsyncBaseTransport (or httpx2's)"),
        ("http_client", http_client, is_client, "httpx.AsyncClient (or httpx2's)"),
        ("verify", verify, lambda context: isinstance(context, ssl.SSLContext), "ssl.SSLContext"),
        ("tracing", tracing, lambda given: isinstance(given, Tracing), "picsellia_async.tracing.Tracing"),
    ):
        if value is not None and not good(value):
            wrong = type(value)
            raise ConfigurationError(f"{name} must be an {kind}, got {wrong.__module__}.{wrong.__qualname__}")
