"""The monitoring host ("oracle"): what it is told about predictions, and what it tells."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import attrs

from picsellia_async._http.service import Service
from picsellia_async._wire.common_requests import CloudImage
from picsellia_async._wire.decode import decode
from picsellia_async._wire.encoding import Query, encode_body
from picsellia_async._wire.endpoints import (
    GET_AGGREGATED_STATS,
    GET_PREDICTION_STATS,
    MONITOR,
    MONITOR_SHADOW,
    RETRIEVE_INFORMATION,
)
from picsellia_async._wire.oracle_requests import MonitorShadowRequest, monitor_body
from picsellia_async.enums import ServiceMetrics
from picsellia_async.responses import DeploymentInformation, MonitorAnswer, Statistics


@attrs.frozen(eq=False)
class OracleService:
    """Calls of one deployment to its monitoring host."""

    service: Service
    """The host, signed for the deployment."""
    deployment_id: UUID
    _path: dict[str, object] = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(lambda self: {"deployment_id": str(self.deployment_id)}, takes_self=True),
    )

    async def retrieve_information(self) -> DeploymentInformation:
        """GET what the host knows of the deployment."""
        answer = await self.service.call(RETRIEVE_INFORMATION, path=self._path)
        return cast("DeploymentInformation", answer)

    async def get_stats(self, metrics: ServiceMetrics, query: Query) -> Statistics:
        """GET statistics, by one of two routes."""
        endpoint = GET_AGGREGATED_STATS if metrics.is_aggregated else GET_PREDICTION_STATS
        pairs = [("service", metrics.service), *query]
        answer = await self.service.call(endpoint, path=self._path, query=pairs)
        return cast("Statistics", answer)

    async def monitor(self, metadata: bytes, image: memoryview | CloudImage) -> MonitorAnswer:
        """POST one prediction, as `monitor_metadata` wrote it, with its image or the place of it."""
        body = monitor_body(metadata, image)
        # `Service.call` in two steps: a coroutine less on the way of every frame.
        answer, url, attempts = await self.service.send(MONITOR, path=self._path, body=body)
        told: Any = decode(MONITOR, answer, url, attempts)
        found: MonitorAnswer = told
        return found

    async def monitor_shadow(self, prediction_id: UUID, request: MonitorShadowRequest) -> None:
        """POST the shadow model's prediction beside one that was monitored."""
        await self.service.call(MONITOR_SHADOW, path={"prediction_id": prediction_id}, body=encode_body(request))
