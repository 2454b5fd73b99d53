"""The monitoring host ("oracle"): what it is told about predictions, and what it tells."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import attrs

from picsellia_async._http.host import Service
from picsellia_async._wire.endpoints import MONITOR, RETRIEVE_INFORMATION
from picsellia_async._wire.requests import MonitorRequest, monitor_body


@attrs.frozen(eq=False)
class OracleService:
    """Calls of one deployment to its monitoring host."""

    service: Service
    """The host, signed for the deployment."""
    deployment_id: UUID
    """The deployment."""

    async def retrieve_information(self) -> dict[str, Any]:
        """GET what the host knows of the deployment."""
        return await self.service.call(RETRIEVE_INFORMATION, path={"deployment_id": self.deployment_id})

    async def monitor(self, request: MonitorRequest, image: memoryview | None) -> dict[str, Any]:
        """POST one prediction; the image lies in the request's cloud image where it is None."""
        return await self.service.call(
            MONITOR, path={"deployment_id": self.deployment_id}, body=monitor_body(request, image)
        )
