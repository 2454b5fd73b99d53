"""The serving host: predictions by the deployment's model."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import attrs

from picsellia_async._http.host import Service
from picsellia_async._wire.endpoints import PREDICT
from picsellia_async._wire.requests import PredictRequest, multipart_body, predict_form


@attrs.frozen(eq=False)
class ServingService:
    """Calls of one deployment to its serving host."""

    service: Service
    """The host, signed for the deployment."""
    deployment_id: UUID
    """The deployment."""

    async def predict(self, request: PredictRequest, filename: str, image: memoryview) -> dict[str, Any]:
        """POST one image as multipart. Predicting alone changes nothing; with `monitor` it stores a prediction."""
        body, content_type = multipart_body(predict_form(request), "media", filename, image)
        return await self.service.call(
            PREDICT,
            path={"deployment_id": self.deployment_id},
            body=body,
            content_type=content_type,
            idempotent=not request.monitor,
        )
