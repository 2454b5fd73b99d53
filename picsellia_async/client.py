"""`AsyncClient`: one user's connection to the platform, and the pool that all its deployments share."""

from __future__ import annotations

import os
import ssl
import warnings
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx

from picsellia_async._http.service import HttpSession
from picsellia_async._services.account import Connection
from picsellia_async._wire.endpoints import CREATE_DEPLOYMENT, FIND_DEPLOYMENT, LIST_DEPLOYMENTS
from picsellia_async._wire.exchange import Origin
from picsellia_async._wire.platform_requests import CreateDeploymentRequest
from picsellia_async._wire.queries import simple_query
from picsellia_async._wire.unset import UNSET, given
from picsellia_async.config import DEFAULT_HOST, RetryPolicy, Timeouts
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import ClosedError, ConfigurationError, shown
from picsellia_async.models import Organization
from picsellia_async.resources.datalake import Datalake
from picsellia_async.resources.handle import expect
from picsellia_async.resources.model import ModelVersion
from picsellia_async.resources.organization import OrganizationCalls
from picsellia_async.validation import boolean, text, uuid, whole_number


class AsyncClient(OrganizationCalls):
    """A connection to Picsellia. Use it as `async with AsyncClient(...) as client`, or close it with `aclose()`.

    The constructor sends nothing and needs no running loop. Entering connects (greets the platform, fetches the organization);
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
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - a frozen value
        transport: httpx.AsyncBaseTransport | None = None,
        http_client: httpx.AsyncClient | None = None,
        verify: ssl.SSLContext | None = None,
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
            retry: Attempts, total seconds, backoff and jitter; `RetryPolicy.none()` for a single attempt.
            transport: Any `httpx.AsyncBaseTransport` in place of the fast one; it is closed with the client.
            http_client: Your own `httpx.AsyncClient` in place of pool and transport; it stays yours to close.
            verify: TLS settings; by default the usual authorities, with `SSL_CERT_FILE` and `SSL_CERT_DIR`.

        Raises:
            ConfigurationError: No token, or a value that cannot be used. Nothing was sent.
        """
        if transport is not None and http_client is not None:
            raise ConfigurationError("transport and http_client exclude each other: give one of them")
        _check_engine(transport, http_client, verify)
        api_token = _token(api_token)
        # Without the token, so that a look at `vars(client)` does not show it.
        self._settings = {
            "organization_id": _from_environment(organization_id, "PICSELLIA_ORGANIZATION_ID"),
            "organization_name": _named(_from_environment(organization_name, "PICSELLIA_ORGANIZATION_NAME")),
            "host": _from_environment(host, "PICSELLIA_HOST") or DEFAULT_HOST,
            "timeout": Timeouts.of(timeout),
            "max_connections": whole_number(max_connections, "max_connections", 1),
            "retry": _policy(retry),
        }
        self._brought = {"transport": transport, "http_client": http_client, "verify": verify}
        if organization_name is not None and organization_id is None:
            # What was said in the call counts for more than the environment.
            self._settings["organization_id"] = None
        organization_id = self._settings["organization_id"]
        self._owns_session = True
        self._connection = Connection.over(
            HttpSession(self._settings["max_connections"], transport, http_client, verify),
            api_token=api_token,
            origin=Origin.parse(self._settings["host"]),
            organization_id=None if organization_id is None else uuid(organization_id, "organization_id"),
            organization_name=self._settings["organization_name"],
            retry=retry,
            timeouts=self._settings["timeout"],
        )

    def __repr__(self) -> str:
        """Return host and state; the token is not shown."""
        state = "closed" if self.is_closed else "open"
        return f"<AsyncClient {self._connection.origin} {state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the settings (the token among them): the copy connects anew, in its own process."""
        brought = [name for name, value in self._brought.items() if value is not None]
        if brought:
            raise TypeError(f"an AsyncClient made with {brought[0]}= cannot be pickled; make one in each process")
        return _make, (self._settings | {"api_token": self._connection.api_token},)

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._connection.shared.session.is_closed

    @property
    def organization(self) -> Organization:
        """The organization in use.

        Raises:
            ClosedError: The client is not connected yet.
        """
        organization = self._connection.shared.organization
        if organization is None:
            raise ClosedError("this client is not connected yet: enter it, or await connect()")
        return organization

    async def connect(self) -> Self:
        """Greet the platform and fetch the organization, where that has not happened yet. Idempotent.

        Raises:
            ConfigurationError: No organization was named and the token has no default one.

        Wire: GET {platform}/api/home/ping, GET {platform}/api/organization/{organization_id}, 2xx.
        """
        await self._connection.platform()
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
            await self._connection.aclose()

    def __del__(self, _warn: Any = warnings.warn) -> None:
        """Warn about a client that was used and never closed."""
        connection = getattr(self, "_connection", None)
        if connection is not None and self._owns_session and connection.shared.session.is_open:
            _warn(f"unclosed {self!r}: use `async with` or await aclose()", ResourceWarning, source=self)

    def with_options(self, *, timeout: Any = None, retry: RetryPolicy | None = None) -> Self:
        """Return a client with other limits, over the same pool, organization and JWTs.

        Args:
            timeout: As in the constructor; None keeps the present one.
            retry: As in the constructor; None keeps the present one.
        """
        settings = dict(self._settings)
        if timeout is not None:
            settings["timeout"] = Timeouts.of(timeout)
        if retry is not None:
            settings["retry"] = _policy(retry)
        connection = self._connection.with_limits(settings["retry"], settings["timeout"])
        other = object.__new__(type(self))
        vars(other).update(vars(self), _settings=settings, _connection=connection, _owns_session=False)
        return other

    async def get_deployment(self, name: str) -> AsyncDeployment:
        """Return the deployment of that name. Idempotent.

        No sign-in happens here; the deployment signs in when it is first used.

        Raises:
            NotFoundError: The organization has none of that name.

        Wire: GET {platform}/api/organization/{organization_id}/deployments/find, 2xx.
        """
        query = [("name", text(name, "name"))]
        return AsyncDeployment(await self._connection.call(FIND_DEPLOYMENT, query=query), self._connection)

    async def get_deployment_by_id(self, id: UUID | str) -> AsyncDeployment:  # noqa: A002 - the documented name
        """Return the deployment of that id. Idempotent.

        Raises:
            NotFoundError: The organization has no such deployment.

        Wire: GET {platform}/api/organization/{organization_id}/deployments/find, 2xx.
        """
        query = [("id", uuid(id, "id"))]
        return AsyncDeployment(await self._connection.call(FIND_DEPLOYMENT, query=query), self._connection)

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
        page = await self._connection.call(LIST_DEPLOYMENTS, query=simple_query(limit, offset, order_by))
        return [AsyncDeployment(description, self._connection) for description in page.items[:limit]]

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
        return AsyncDeployment(await self._connection.call(CREATE_DEPLOYMENT, request), self._connection)


def _make(settings: dict[str, Any]) -> AsyncClient:
    return AsyncClient(**settings)


def _policy(value: Any) -> RetryPolicy:
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError(f"retry must be a RetryPolicy, got {shown(value)}")
    return value


def _check_engine(transport: Any, http_client: Any, verify: Any) -> None:
    """Refuse what cannot carry requests here, a synchronous client of httpx for instance."""
    for name, value, kind in (
        ("transport", transport, httpx.AsyncBaseTransport),
        ("http_client", http_client, httpx.AsyncClient),
        ("verify", verify, ssl.SSLContext),
    ):
        if value is not None and not isinstance(value, kind):
            raise ConfigurationError(f"{name} must be an {kind.__name__}, got {type(value).__name__}")


def _named(value: Any) -> str | None:
    return None if value is None else text(value, "organization_name")


def _from_environment(value: Any, name: str) -> Any:
    return value if value is not None else os.environ.get(name) or None


def _token(value: str | None) -> str:
    """Return the api token; one that could smuggle a header in is refused, and no message shows it."""
    token = _from_environment(value, "PICSELLIA_TOKEN")
    if token is None or token == "":
        raise ConfigurationError("no API token: give api_token= or set PICSELLIA_TOKEN")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError("api_token must be a str of visible ASCII characters (the value is not shown)")
    return token
