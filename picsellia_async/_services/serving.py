"""The serving host: predictions by the deployment's model. Predicting alone changes nothing; with `monitor` it stores a prediction."""

from __future__ import annotations

from typing import cast
from uuid import UUID

import attrs

from picsellia_async._http.service import Service
from picsellia_async._wire.bodies import multipart_body
from picsellia_async._wire.encoding import encode_body
from picsellia_async._wire.endpoints import PREDICT, PREDICT_CLOUD_IMAGE, PREDICT_SHADOW
from picsellia_async._wire.serving_requests import (
    PredictCloudImageRequest,
    PredictRequest,
    PredictShadowRequest,
    predict_form,
)
from picsellia_async.responses import PredictionAnswer


@attrs.frozen(eq=False)
class ServingService:
    """Calls of one deployment to its serving host."""

    service: Service
    """The host, signed for the deployment."""
    deployment_id: UUID

    async def predict(self, request: PredictRequest, filename: str, image: memoryview) -> PredictionAnswer:
        """POST one image as multipart."""
        body, content_type = multipart_body(predict_form(request), "media", filename, image)
        answer = await self.service.call(
            PREDICT,
            path={"deployment_id": self.deployment_id},
            body=body,
            content_type=content_type,
            idempotent=not request.monitor,
        )
        return cast("PredictionAnswer", answer)

    async def predict_stored(self, request: PredictCloudImageRequest | PredictShadowRequest) -> PredictionAnswer:
        """POST the place of a stored image, for the champion or for the shadow model."""
        endpoint = PREDICT_SHADOW if isinstance(request, PredictShadowRequest) else PREDICT_CLOUD_IMAGE
        answer = await self.service.call(
            endpoint,
            path={"deployment_id": self.deployment_id},
            body=encode_body(request),
            idempotent=not request.monitor,
        )
        return cast("PredictionAnswer", answer)
