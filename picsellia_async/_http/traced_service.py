"""`TracedService`: a service whose calls are spans, with their attempts below. Made only where `AsyncClient(tracing=...)` asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from picsellia_async._http.observation import SENDS, Sends
from picsellia_async._http.service import JSON, Service
from picsellia_async._wire.bodies import Body
from picsellia_async._wire.encoding import Query
from picsellia_async._wire.endpoints import Endpoint
from picsellia_async._wire.exchange import Answer
from picsellia_async.tracing import Tracing, error_type


@attrs.frozen(eq=False)
class TracedService(Service):
    """A `Service` that makes a span of each call, its waits between attempts included."""

    tracing: Tracing = attrs.field(kw_only=True, repr=False)
    """Makes the spans."""

    async def send(
        self,
        endpoint: Endpoint[Any],
        *,
        path: Mapping[str, object] | None = None,
        query: Query = (),
        body: Body | None = None,
        content_type: str = JSON,
        idempotent: bool | None = None,
    ) -> tuple[Answer, str, int]:
        """Make one call within a span; as `Service.send`."""
        sends, tracing = SENDS.get(), self.tracing
        call = super().send(
            endpoint, path=path, query=query, body=body, content_type=content_type, idempotent=idempotent
        )
        # An attempt of a frame: that frame has the span.
        if (sends is not None and sends.endpoint == endpoint.name) or tracing.is_suppressed:
            return await call
        span = tracing.start(f"picsellia.{endpoint.name}", "internal", {})
        token = SENDS.set(Sends(endpoint.name))
        try:
            with tracing.within(tracing.below(span)):
                return await call
        except BaseException as error:
            tracing.fail(span, error_type(error), str(error))
            raise
        finally:
            SENDS.reset(token)
            span.end()
