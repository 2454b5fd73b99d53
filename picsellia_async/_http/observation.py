"""Attempts as others see them: as spans of OpenTelemetry, and by how long they took.

A session that nobody watches has no `Observer`, and asks nothing but that. One attempt is one HTTP request; redirects that it follows
are part of it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final, Protocol

import attrs

from picsellia_async._wire.bodies import Body
from picsellia_async._wire.endpoint import Endpoint, Host
from picsellia_async._wire.exchange import Answer, Origin
from picsellia_async._wire.foreign_address import foreign_path
from picsellia_async.config import Timeouts
from picsellia_async.tracing import Tracing, error_type

Exchange = Callable[[Endpoint[Any], Origin, bytes, bytes, Body | None, Timeouts], Awaitable[Answer]]
"""`HttpSession.exchange`."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
"""Verbs that OpenTelemetry knows; another one (XGET) is `_OTHER`, so that the attribute keeps few values."""


@attrs.define
class Sends:
    """How often the request of one call, or of one frame, has been sent."""

    endpoint: str
    """Name of what is called; a sign-in on the way is another call."""
    count: int = 0


SENDS: Final[ContextVar[Sends | None]] = ContextVar("picsellia_async.sends", default=None)
"""Those of the call or frame under way; set only by those who make spans of calls and frames."""


class Recorder(Protocol):
    """Who wants to know how long attempts take."""

    def attempt(self, method: str, origin: Origin, status: int | None, error: str | None, seconds: float) -> None:
        """An attempt ended.

        Args:
            method: As OpenTelemetry spells it.
            origin: Where it went.
            status: Of the answer; None: there was none.
            error: The attribute `error.type`; None where all went well.
            seconds: From its begin, the wait for a connection included, to the whole answer.
        """


@attrs.define(eq=False)
class Observer:
    """Sees every attempt of one session."""

    tracing: Tracing | None = None
    """Makes a span of each."""
    recorders: list[Recorder] = attrs.field(factory=list)
    """Are told of each."""

    async def exchange(
        self,
        exchange: Exchange,
        endpoint: Endpoint[Any],
        origin: Origin,
        target: bytes,
        headers: bytes,
        body: Body | None,
        timeouts: Timeouts,
    ) -> Answer:
        """Make one attempt through a session's `exchange`, whose arguments the others are."""
        method = endpoint.method if endpoint.method in _METHODS else "_OTHER"
        started = time.perf_counter()
        status: int | None = None
        error: str | None = None
        try:
            answer = await self._send(exchange, method, endpoint, origin, target, headers, body, timeouts)
        except BaseException as exc:
            error = error_type(exc)
            raise
        else:
            status = answer.status
            error = _failed(status)
            return answer
        finally:
            seconds = time.perf_counter() - started
            for recorder in self.recorders:
                recorder.attempt(method, origin, status, error, seconds)

    async def _send(
        self,
        exchange: Exchange,
        method: str,
        endpoint: Endpoint[Any],
        origin: Origin,
        target: bytes,
        headers: bytes,
        body: Body | None,
        timeouts: Timeouts,
    ) -> Answer:
        tracing = self.tracing
        if tracing is None or tracing.is_suppressed:
            return await exchange(endpoint, origin, target, headers, body, timeouts)
        name, attributes = _described(method, endpoint, origin, target)
        span = tracing.start(name, "client", attributes)
        context = tracing.below(span)
        if tracing.propagate and endpoint.host is not Host.STORAGE:
            headers += tracing.headers(context)
        try:
            with tracing.within(context, hides_http=True):
                answer = await exchange(endpoint, origin, target, headers, body, timeouts)
        except BaseException as exc:
            tracing.fail(span, error_type(exc), str(exc))
            raise
        else:
            span.set_attribute("http.response.status_code", answer.status)
            failed = _failed(answer.status)
            if failed is not None:
                tracing.fail(span, failed)
            return answer
        finally:
            span.end()


def _described(method: str, endpoint: Endpoint[Any], origin: Origin, target: bytes) -> tuple[str, dict[str, str | int]]:
    """Return the name of an attempt's span, and the attributes that it has from the start."""
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "server.address": origin.host,
        "server.port": origin.port,
        "url.full": f"{origin}{_shown(endpoint, target.decode('ascii'))}",
    }
    name = "HTTP" if method == "_OTHER" else method
    if method == "_OTHER":
        attributes["http.request.method_original"] = endpoint.method
    if endpoint.is_listed:
        attributes["url.template"] = endpoint.path
        name = f"{name} {endpoint.path}"
    sends = SENDS.get()
    if sends is not None and sends.endpoint == endpoint.name:
        if sends.count:
            attributes["http.request.resend_count"] = sends.count
        sends.count += 1
    return name, attributes


def _shown(endpoint: Endpoint[Any], target: str) -> str:
    """Hide the values of a query: a presigned address has its signature there, and may have one in its path."""
    path, mark, query = target.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&")) if query else ()
    if endpoint.host is Host.STORAGE:
        path = foreign_path(path)
    return path + mark + "&".join(f"{name}=REDACTED" if equals else "REDACTED" for name, equals, _ in pairs)


def _failed(status: int) -> str | None:
    """Return the attribute `error.type` of an answer; None where it is no error."""
    return str(status) if status >= 400 else None
