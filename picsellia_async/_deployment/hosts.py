"""The hosts of a deployment: monitoring, serving, and the storage that its images lie in."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from picsellia_async._http.single_flight import SingleFlight
from picsellia_async._services.oracle import OracleService
from picsellia_async._services.raw_request import QueryArgument, request
from picsellia_async._services.serving import ServingService
from picsellia_async._wire.common_requests import CloudImage
from picsellia_async._wire.endpoints import GET_DEPLOYMENT_CONNECTOR, Host
from picsellia_async.errors import HostNotConfiguredError
from picsellia_async.models import Connector, DeploymentDescription
from picsellia_async.resources.handle import Record
from picsellia_async.validation import choice


@attrs.define(eq=False)
class _Reached:
    """What was made for one description. Another description may name other hosts, and another datalake."""

    description: DeploymentDescription
    oracle: OracleService | None = None
    serving: ServingService | None = None
    # The vendor's SDK keeps the connector for ever, also after the target datalake was changed (docs/wire.md#vendor-quirks).
    connector: Connector | None = None
    connector_fetch: SingleFlight[Connector] = attrs.field(factory=SingleFlight)


class Hosts:
    """The way to the hosts that the description names now. Each is made when it is first used, and signs in when it is first called."""

    def __init__(self, record: Record[DeploymentDescription]) -> None:
        """Store the record; nothing is sent."""
        self._record = record
        self._reached = _Reached(record.description)

    def oracle(self) -> OracleService:
        """Return the monitoring host.

        Raises:
            HostNotConfiguredError: The deployment has none.
        """
        reached = self._reached
        if reached.description is not self._record.description:
            reached = self._current()
        if reached.oracle is None:
            host = _address(reached.description, "oracle_host", "monitoring")
            reached.oracle = self._record.account.oracle(host, reached.description.id)
        return reached.oracle

    def serving(self) -> ServingService:
        """Return the serving host.

        Raises:
            HostNotConfiguredError: The deployment has none.
        """
        reached = self._current()
        if reached.serving is None:
            host = _address(reached.description, "serving_host", "serving")
            reached.serving = self._record.account.serving(host, reached.description.id)
        return reached.serving

    async def request(self, service: str, method: str, path: str, query: QueryArgument, json: object) -> Any:
        """Make a call to one of the hosts that no method wraps.

        Raises:
            ConfigurationError: `service` names none.
        """
        choice(service, "service", ("oracle", "serving"))
        if service == "oracle":
            return await request(self.oracle().service, Host.ORACLE, method, path, query, json)
        return await request(self.serving().service, Host.SERVING, method, path, query, json)

    async def cloud_image(self, object_name: str) -> CloudImage:
        """Say where a stored image lies; the connector is fetched once, however many callers wait for it."""
        reached = self._current()
        if reached.connector is None:
            reached.connector = await reached.connector_fetch.run(self._fetch_connector)
        found = reached.connector
        return CloudImage(
            connector_id=found.id, client_type=found.client_type, bucket_name=found.bucket_name, object_name=object_name
        )

    async def _fetch_connector(self) -> Connector:
        return await self._record.account.call(GET_DEPLOYMENT_CONNECTOR, deployment_id=self._record.id)

    def _current(self) -> _Reached:
        if self._reached.description is not self._record.description:
            self._reached = _Reached(self._record.description)
        return self._reached


def _address(description: DeploymentDescription, field: Literal["oracle_host", "serving_host"], purpose: str) -> str:
    """Return the address of a host.

    Raises:
        HostNotConfiguredError: The deployment has none.
    """
    address: str | None = getattr(description, field)
    if not address:
        raise HostNotConfiguredError(f"deployment {description.name!r} has no {purpose} host ({field} is not set)")
    return address
