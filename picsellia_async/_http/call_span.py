"""`CallSpan`: the span of one call, its waits between attempts included. Made only where `AsyncClient(tracing=...)` asks for it."""

from __future__ import annotations

import contextlib
from contextvars import Token
from typing import TYPE_CHECKING, Any, Self

import attrs

from picsellia_async._http.observation import SENDS, Sends
from picsellia_async._wire.endpoints import Endpoint
from picsellia_async.tracing import Tracing, error_type

if TYPE_CHECKING:
    from opentelemetry.trace import Span


@attrs.frozen(eq=False)
class CallSpan:
    """A span that is current until it ends; `begin` makes it, and the same task ends it."""

    _tracing: Tracing
    _span: Span
    _sends: Token[Sends | None]
    _current: contextlib.ExitStack

    @classmethod
    def begin(cls, tracing: Tracing, endpoint: Endpoint[Any]) -> Self | None:
        """Begin the span of a call; None where it has none: spans are switched off, or the call is an attempt of a frame, which has one.

        Args:
            tracing: Makes the span.
            endpoint: What is called.
        """
        sends = SENDS.get()
        if (sends is not None and sends.endpoint == endpoint.name) or tracing.is_suppressed:
            return None
        span = tracing.start(f"picsellia.{endpoint.name}", "internal", {})
        current = contextlib.ExitStack()
        current.enter_context(tracing.within(tracing.below(span)))
        return cls(tracing, span, SENDS.set(Sends(endpoint.name)), current)

    def fail(self, error: BaseException) -> None:
        """Note what the call ended in."""
        self._tracing.fail(self._span, error_type(error), str(error))

    def end(self) -> None:
        """End it; the span before is the current one again."""
        self._current.close()
        SENDS.reset(self._sends)
        self._span.end()
