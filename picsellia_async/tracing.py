"""`Tracing`: what a client's spans are made with. The only module that imports OpenTelemetry's tracing.

Which spans there are is decided by those who make them: attempts and calls in `_http/observation` and `_http/call_span`, frames
in `_delivery/frame_spans`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from picsellia_async._version import __version__
from picsellia_async.errors import ConfigurationError
from picsellia_async.validation import boolean

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["Tracing"]

Attributes: TypeAlias = Mapping[str, str | int]
"""Names and values of OpenTelemetry's conventions, or of ours (`picsellia.`)."""

Kind: TypeAlias = Literal["client", "internal"]
"""`client`: a request to another process. `internal`: what happens in this one."""

_SUPPRESSED: Final = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")
"""The keys of the context that switch spans off, the second one those of HTTP. OpenTelemetry's own instrumentations use them so."""


class Tracing:
    """Spans of OpenTelemetry for what a client does: `AsyncClient(..., tracing=Tracing())`.

    It uses the API alone; your application brings the SDK. See docs/tracing.md for the spans and their attributes.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None, *, propagate: bool = False) -> None:
        """Take a tracer; nothing is sent.

        Args:
            tracer_provider: Whose tracer makes the spans; by default the global one.
            propagate: Whether requests carry the W3C headers `traceparent` and `tracestate`, so that a service that traces too can
                join. Addresses of a storage never get them: a third party reads those.

        Raises:
            ConfigurationError: `propagate` is no bool, or OpenTelemetry's API is not installed.
        """
        try:
            from opentelemetry import context, trace  # noqa: PLC0415 - an extra
            from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigurationError("tracing needs the extra 'otel': pip install 'picsellia-async[otel]'") from error
        self.propagate: bool = boolean(propagate, "propagate")
        self._context = context
        self._trace = trace
        self._tracer = trace.get_tracer("picsellia_async", __version__, tracer_provider)
        self._propagator = tracecontext.TraceContextTextMapPropagator()
        self._suppressed = [key for name in _SUPPRESSED if (key := getattr(context, name, None)) is not None]
        self._kinds = {"client": trace.SpanKind.CLIENT, "internal": trace.SpanKind.INTERNAL}

    def __repr__(self) -> str:
        """Return what was asked for."""
        return f"Tracing(propagate={self.propagate})"

    @property
    def is_suppressed(self) -> bool:
        """Whether spans are switched off where this is called: an exporter of the application does that around its own requests."""
        return any(self._context.get_value(key) for key in self._suppressed)

    def start(self, name: str, kind: Kind, attributes: Attributes, *, is_root: bool = False) -> Span:
        """Start a span below the current one.

        Args:
            name: Of few values.
            kind: Whether it is a request.
            attributes: What a sampler may decide by.
            is_root: Whether it begins a trace of its own.
        """
        above = self._context.Context() if is_root else None
        return self._tracer.start_span(name, above, self._kinds[kind], attributes)

    def below(self, span: Span) -> Context:
        """Return the context of what happens within a span."""
        return self._trace.set_span_in_context(span)

    @contextlib.contextmanager
    def within(self, context: Context, *, hides_http: bool = False) -> Iterator[None]:
        """Make a context the current one for a while.

        Args:
            context: As `below` returns it.
            hides_http: Whether those who instrument HTTP make no spans: there is one already.
        """
        if hides_http:
            for key in self._suppressed[1:]:
                context = self._context.set_value(key, True, context)
        token = self._context.attach(context)
        try:
            yield
        finally:
            self._context.detach(token)

    def headers(self, context: Context) -> bytes:
        """Return the lines that tell a service of a span; none unless `propagate` asks for them."""
        if not self.propagate:
            return b""
        found: dict[str, str] = {}
        self._propagator.inject(found, context)
        return "".join(f"{name}: {value}\r\n" for name, value in found.items()).encode("ascii")

    def fail(self, span: Span, kind: str, text: str | None = None) -> None:
        """Note that what a span is about failed.

        Args:
            span: Whose.
            kind: The attribute `error.type`: a status, or the class of an error.
            text: What happened, in words.
        """
        span.set_attribute("error.type", kind)
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, text))


def error_type(error: BaseException) -> str:
    """Return the attribute `error.type` of an error: its class with its module."""
    return f"{type(error).__module__}.{type(error).__qualname__}"
