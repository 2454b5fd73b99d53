"""The ASGI application: from the endpoint table to routes. Finds the handler, checks the token, reads the body, writes the answer.

Theory of operation. One Starlette route stands for each verb and path; where two hosts share one (`GET /api/deployment/{id}`), the
token decides: an api token means the platform, anything else the host of the JWT. A handler is a function `(state, call)`, or
`(state, call, body)` where the table says what the endpoint takes; into that the JSON is structured, strictly and whatever the
Content-Type says. What a handler returns is the JSON of the success status of its endpoint, what it refuses (`Refusal`) becomes an
error body. Changes are committed before the answer goes out.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from types import ModuleType
from typing import Any, Final, TypeAlias, cast
from urllib.parse import parse_qsl

import attrs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from picsellia_async._wire.endpoints import ENDPOINTS, Endpoint, Host
from picsellia_async.emulator.context import Call, Query, Refusal, unauthorized, unprocessable
from picsellia_async.emulator.services import oracle, serving, storage
from picsellia_async.emulator.services.platform import (
    access,
    assignments,
    bootstrap,
    campaigns,
    datalakes,
    datasets,
    deployments,
    models,
    pipelines,
    predicted_assets,
    tags,
)
from picsellia_async.emulator.store.state import State
from picsellia_async.emulator.store.store import Document
from picsellia_async.emulator.transport import faults
from picsellia_async.emulator.transport.journal import Entry, Journal
from picsellia_async.emulator.transport.messages import error_response, json_response, origin_of, read_body, structure

Handler: TypeAlias = Callable[..., Any]

MODULES: Final[tuple[ModuleType, ...]] = (
    oracle, serving, predicted_assets, bootstrap, deployments, pipelines, campaigns, assignments, tags, models, datasets,
    datalakes, access, storage,
)  # fmt: skip
"""Where handlers live, the busiest first: routes are tried in this order."""

LOGINS: Final = frozenset({"oracle_login", "serving_login"})
"""Endpoints that need no token: they hand one out."""

STATE_KEY: Final = "picsellia_async.state"
"""Key of the ASGI scope under which the journal finds endpoint and images."""


@attrs.frozen
class Binding:
    """An endpoint with its handler."""

    endpoint: Endpoint[Any]
    """Line of the table."""
    handler: Handler
    """What answers."""
    is_async: bool
    """Whether the handler is awaited."""


def handlers_of(modules: Iterable[ModuleType]) -> dict[str, Handler]:
    """Return the handlers of modules by name: their functions whose first parameters are `state` and `call`.

    Raises:
        ValueError: Two handlers have the same name.
    """
    found: dict[str, Handler] = {}
    for module in modules:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            parameters = [parameter.lstrip("_") for parameter in inspect.signature(function).parameters]
            is_own = function.__module__ == module.__name__ and not name.startswith("_")
            if is_own and parameters in (["state", "call"], ["state", "call", "body"]):
                if name in found:
                    raise ValueError(f"two handlers are called {name}")
                found[name] = function
    return found


def bind(endpoints: dict[str, Endpoint[Any]], modules: Iterable[ModuleType]) -> list[Binding]:
    """Return every endpoint with its handler, in the order of the handlers' modules.

    Args:
        endpoints: The table.
        modules: Where handlers live.

    Raises:
        ValueError: An endpoint without a handler, a handler without an endpoint, or two handlers of one name.
    """
    handlers = handlers_of(modules)
    missing = sorted(set(endpoints) - set(handlers))
    idle = sorted(set(handlers) - set(endpoints))
    if missing or idle:
        raise ValueError(f"endpoints without handler: {missing}; handlers without endpoint: {idle}")
    bindings = [
        Binding(endpoints[name], handler, inspect.iscoroutinefunction(handler)) for name, handler in handlers.items()
    ]
    for binding in bindings:
        if ("body" in inspect.signature(binding.handler).parameters) != (binding.endpoint.takes is not None):
            raise ValueError(f"{binding.endpoint.name}: table and handler do not agree on whether there is a body")
    return bindings


def build(state: State, extra: Iterable[BaseRoute] = ()) -> Starlette:
    """Return the application for one state.

    Args:
        state: What the handlers work on.
        extra: Further routes: storage, control, dashboard.
    """
    by_route: dict[tuple[str, str], list[Binding]] = {}
    for binding in bind(ENDPOINTS, MODULES):
        by_route.setdefault((binding.endpoint.method, binding.endpoint.path), []).append(binding)
    routes: list[BaseRoute] = [
        Route(path, _Exchange(state, bindings), methods=[method]) for (method, path), bindings in by_route.items()
    ]
    app = Starlette(
        routes=[*routes, *extra],
        exception_handlers={HTTPException: _no_route, Refusal: _refused, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return app


def journaled(application: ASGIApp, journal: Journal, state: State) -> ASGIApp:
    """Return an application whose requests are written down; goes around everything that may answer, faults included."""
    return JournalMiddleware(application, journal, state.clock)


async def _no_route(request: Request, exc: Exception) -> Response:
    error = cast("HTTPException", exc)
    return error_response(Refusal(error.status_code, error.detail or "no such route", request.url.path))


async def _refused(_request: Request, exc: Exception) -> Response:
    return error_response(cast("Refusal", exc))


async def _failed(_request: Request, exc: Exception) -> Response:
    return error_response(Refusal(500, "the emulator failed", repr(exc)))


class _Exchange:
    """ASGI application of one verb and path."""

    def __init__(self, state: State, bindings: list[Binding]) -> None:
        self._state = state
        self._bindings = bindings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            binding, user, deployment_id = self._authenticate(request)
            scope[STATE_KEY] = (binding.endpoint, [])
            call = await self._call(request, user, deployment_id)
            scope[STATE_KEY] = (binding.endpoint, call.images)
            response = await self._answer(binding, call)
        except Refusal as refusal:
            response = error_response(refusal)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    def _authenticate(self, request: Request) -> tuple[Binding, Document, str | None]:
        """Return the binding that the token is for, its user, and the deployment of a JWT."""
        first = self._bindings[0]
        if first.endpoint.name in LOGINS:
            return first, {}, None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not token:
            raise unauthorized("the Authorization header is missing")
        if scheme.lower() != "bearer":
            raise unauthorized(f"Bearer is expected in the Authorization header, got {scheme}")
        user = self._state.user_of_token(token)
        for binding in self._bindings:
            host = binding.endpoint.host
            if user is not None and host is Host.PLATFORM:
                self._check_organization(request, user)
                return binding, user, None
            if user is None and host is not Host.PLATFORM:
                deployment_id = request.path_params.get("deployment_id")
                claims = self._state.tokens.verify(token, host.value, deployment_id)
                return binding, self._state.store.documents.get("user", claims.user_id), claims.deployment_id
        wanted = "an api token" if first.endpoint.host is Host.PLATFORM else "a JWT"
        raise unauthorized(f"the token is not valid here, {wanted} is expected")

    @staticmethod
    def _check_organization(request: Request, user: Document) -> None:
        named = request.headers.get("x-picsellia-organization")
        if named is not None and named != user["organization_id"]:
            raise Refusal(403, "the user does not belong to the organization of X-Picsellia-Organization")

    async def _call(self, request: Request, user: Document, deployment_id: str | None) -> Call:
        content = await read_body(request, self._state.options.max_body_bytes)
        query = request.scope["query_string"].decode("latin-1")
        return Call(
            path=request.path_params,
            query=Query(parse_qsl(query, keep_blank_values=True) if query else []),
            origin=origin_of(request, self._state),
            user=user,
            deployment_id=deployment_id,
            content=content,
            content_type=request.headers.get("content-type", ""),
        )

    async def _answer(self, binding: Binding, call: Call) -> Response:
        state = self._state
        arguments = [state, call]
        if (type_ := binding.endpoint.takes) is not None:
            arguments.append(structure(call.content, type_, is_loose=state.options.loose))
            call.content = b""  # an image may be in it twice otherwise, for as long as the call lasts
        value = binding.handler(*arguments)
        if binding.is_async:
            value = await cast("Awaitable[Any]", value)
        if state.store.is_changed:
            await state.store.settle()
        if call.query.pairs and not state.options.loose and (unknown := call.query.unknown()):
            raise unprocessable("unknown names in the query", unknown)
        if binding.endpoint.method == "DELETE":
            # Exactly 204 is what the vendor's SDK wants where a data is deleted (docs/wire.md#datalake-endpoints); assumed for the others.
            return Response(status_code=204)
        return json_response({} if value is None else value, min(binding.endpoint.ok))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/")))


_PATTERNS: Final = [(e.method, _pattern(e.path), e.host.value, e.name) for e in ENDPOINTS.values()]


def named(method: str, path: str, is_jwt: bool = False) -> tuple[str, str]:
    """Return service and endpoint of a request; empty texts where the table knows none.

    Args:
        method: HTTP verb.
        path: Path without the query.
        is_jwt: Whether the credential is a JWT; it decides where the platform and another service share verb and path.
    """
    if path.startswith("/storage/"):
        return "storage", "storage"
    fitting = [(e[2], e[3]) for e in _PATTERNS if e[0] == method and e[1].fullmatch(path)] or [("", "")]
    meant = [line for line in fitting if (line[0] == Host.PLATFORM.value) is not is_jwt]
    return (meant or fitting)[0]


def identify(method: str, path: str, is_jwt: bool = False) -> tuple[str, str]:
    """Return service and endpoint as fault scripts call them: the short names of `faults.identify`, else those of the table."""
    service, name = faults.identify(method, path, is_jwt)
    return (service, name) if name else named(method, path, is_jwt)


def routes(method: str, path: str, service: str) -> frozenset[str]:
    """Return the names of the endpoints of a service that a verb and a path may mean."""
    return frozenset(
        name for verb, pattern, host, name in _PATTERNS if (verb, host) == (method, service) and pattern.fullmatch(path)
    )


FAULT_NAMES: Final = faults.SHORT_NAMES | frozenset(ENDPOINTS)
"""Names of endpoints that a fault script may have."""


class JournalMiddleware:
    """Writes every request outside `/emulator` into the journal."""

    def __init__(self, app: ASGIApp, journal: Journal, clock: Callable[[], float]) -> None:
        """Wrap an application.

        Args:
            app: What handles the requests.
            journal: Where they are written down.
            clock: Epoch seconds.
        """
        self._app = app
        self._journal = journal
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request and write it down, even when it fails."""
        if scope["type"] != "http" or scope["path"].startswith("/emulator"):
            await self._app(scope, receive, send)
            return
        count = _Count(receive, send)
        at, started = self._clock(), time.perf_counter()
        try:
            await self._app(scope, count.receive, count.send)
        finally:
            endpoint, images = scope.get(STATE_KEY, (None, ()))
            service, name = (endpoint.host.value, endpoint.name) if endpoint else named(scope["method"], scope["path"])
            self._journal.write(
                Entry(
                    at=at,
                    method=scope["method"],
                    path=scope["path"],
                    query=scope["query_string"].decode("latin-1").partition("&signature=")[0],
                    service=service,
                    endpoint=name,
                    status=count.status,
                    seconds=time.perf_counter() - started,
                    request_bytes=count.received,
                    response_bytes=count.sent,
                    images=tuple(images),
                )
            )


class _Count:
    """Counts what passes in both directions."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.received = 0
        self.sent = 0
        self.status = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.sent += len(message.get("body", b""))
        await self._send(message)
