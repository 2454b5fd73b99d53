"""The ASGI application: finds the handler in the endpoint table, checks the token, reads the body, writes the answer.

Theory of operation. Verb and path choose an endpoint; where two services share them (`GET /api/deployment/{id}`), the token decides: an
api token means the platform, anything else the service of the JWT. The JSON of the body is structured into what the table says that
the endpoint takes, strictly and whatever the Content-Type says. A handler runs in one transaction, which is committed before the answer
goes out. One that needs time (for decoding, hashing, writing files) is asynchronous and changes nothing itself: it returns its `Change`,
which is then made in the transaction. What comes out is the JSON of the success status of the endpoint; a `Refusal`, or a failure of any
kind, takes all changes back and becomes an error body.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any, Final, NoReturn, cast
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from picsellia_async._wire.endpoints import ENDPOINTS, Host
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.endpoint_index import EndpointIndex, Target
from picsellia_async.emulator.handlers import MODULES, Binding, bind
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.refusal import Refusal, unauthorized, unprocessable
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.serving import LEFT_OUT
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.transport.journal_middleware import EXCHANGE_KEY
from picsellia_async.emulator.transport.messages import error_response, json_response, origin_of, read_body, structure

_LOG: Final = logging.getLogger(__name__)

LOGINS: Final = frozenset({"oracle_login", "serving_login"})
"""Endpoints that need no token: they hand one out."""


def build(state: State, extra: Iterable[BaseRoute] = ()) -> Starlette:
    """Return the application for one state.

    Args:
        state: What the handlers work on.
        extra: Further routes: storage, control.
    """
    app = Starlette(
        routes=[_TableRoute(state), *extra],
        exception_handlers={
            HTTPException: _no_route,
            Refusal: _refused,
            OverflowError: _too_large,
            OSError: _not_stored,
            sqlite3.Error: _not_stored,
            Exception: _failed,
        },
    )
    app.router.redirect_slashes = False
    return app


async def _no_route(request: Request, exc: Exception) -> Response:
    error = cast("HTTPException", exc)
    return error_response(Refusal(error.status_code, error.detail or "no such route", request.scope["path"]))


async def _refused(_request: Request, exc: Exception) -> Response:
    return error_response(cast("Refusal", exc))


async def _too_large(_request: Request, exc: Exception) -> Response:
    """Answer a request with a number that the database cannot hold: 2**63 and above."""
    return error_response(unprocessable("a number is too large", str(exc)))


async def _not_stored(request: Request, exc: Exception) -> Response:
    """Answer a request whose changes could not be written: the disk is full, for instance. They were taken back."""
    _LOG.error("the emulator could not store what %s %s asked for: %s", request.method, request.scope["path"], exc)
    return error_response(Refusal(500, "the emulator cannot store this", str(exc)))


async def _failed(_request: Request, exc: Exception) -> Response:
    return error_response(Refusal(500, "the emulator failed", repr(exc)))


class _TableRoute(BaseRoute):
    """Every endpoint of the table as one route."""

    def __init__(self, state: State) -> None:
        self._state = state
        bindings = bind(ENDPOINTS, MODULES)
        self._bindings = {binding.endpoint.name: binding for binding in bindings}
        self._index = EndpointIndex(binding.endpoint for binding in bindings)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Say whether the table knows the path, and with this verb."""
        if scope["type"] != "http":
            return Match.NONE, {}
        found = self._index.match(scope["method"], scope["path"])
        if found is not None:
            bindings = [self._bindings[endpoint.name] for endpoint in found.endpoints]
            return Match.FULL, {"path_params": found.path_params, "endpoint": bindings}
        return (Match.PARTIAL if self._index.methods(scope["path"]) else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        bindings = scope.get("endpoint")
        if bindings is None:
            allowed = ", ".join(sorted(self._index.methods(scope["path"])))
            raise HTTPException(405, headers={"Allow": allowed})
        request = Request(scope, receive)
        try:
            response = await self._respond(request, bindings)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:
        """Refuse: addresses are made from the table, not by Starlette."""
        raise NoMatchFound(name, path_params)

    async def _respond(self, request: Request, bindings: list[Binding]) -> Response:
        binding, user, deployment_id = self._authenticate(request, bindings)
        target = Target(binding.endpoint.host.value, binding.endpoint.name)
        images: list[str] = []
        request.scope[EXCHANGE_KEY] = (target, images)
        query = request.scope["query_string"].decode("latin-1")
        call = Call(
            path=request.path_params,
            query=Parameters(parse_qsl(query, keep_blank_values=True) if query else []),
            origin=origin_of(request, self._state.options.public_url),
            user=user,
            deployment_id=deployment_id,
            content=await read_body(request, self._state.options.max_body_bytes),
            content_type=request.headers.get("content-type", ""),
            images=images,
        )
        return await self._answer(binding, call)

    def _authenticate(self, request: Request, bindings: list[Binding]) -> tuple[Binding, Document, str | None]:
        """Return the binding that the token is for, its user, and the deployment of a JWT."""
        first = bindings[0]
        if first.endpoint.name in LOGINS:
            return first, {}, None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not token:
            raise unauthorized("the Authorization header is missing")
        if scheme.lower() != "bearer":
            raise unauthorized(f"Bearer is expected in the Authorization header, got {scheme}")
        user = self._state.user_of_token(token)
        for binding in bindings:
            host = binding.endpoint.host
            if user is not None and host is Host.PLATFORM:
                _check_organization(request, user)
                return binding, user, None
            if user is None and host is not Host.PLATFORM:
                deployment_id = request.path_params.get("deployment_id")
                claims = self._state.tokens.verify(token, host.value, deployment_id)
                return binding, self._state.store.documents.get("user", claims.user_id), claims.deployment_id
        wanted = "an api token" if first.endpoint.host is Host.PLATFORM else "a JWT"
        raise unauthorized(f"the token is not valid here, {wanted} is expected")

    async def _answer(self, binding: Binding, call: Call) -> Response:
        state = self._state
        arguments = [state, call]
        if (type_ := binding.endpoint.takes) is not None:
            arguments.append(
                structure(
                    call.content, type_, is_loose=state.options.loose, left_out=LEFT_OUT.get(binding.endpoint.name)
                )
            )
            call.content = b""  # an image may be in it twice otherwise, for as long as the call lasts
        change = partial(binding.handler, *arguments)
        try:
            if binding.is_async:
                change = await cast("Awaitable[Any]", change())
            with state.store.transaction():
                # The answer is made before the commit, so that nothing behind it can fail: a request is answered as it was stored.
                return self._respond_with(binding, call, change())
        finally:
            for content in call.contents:
                state.store.blobs.drop(content)

    def _respond_with(self, binding: Binding, call: Call, value: Any) -> Response:
        if call.query.pairs and not self._state.options.loose and (unknown := call.query.unknown()):
            raise unprocessable("unknown names in the query", unknown)
        if binding.endpoint.method == "DELETE":
            # Exactly 204 is what the vendor's SDK wants where a data is deleted (docs/wire.md#datalake-endpoints); assumed for the others.
            return Response(status_code=204)
        return json_response({} if value is None else value, min(binding.endpoint.ok))


def _check_organization(request: Request, user: Document) -> None:
    named = request.headers.get("x-picsellia-organization")
    if named is not None and named != user["organization_id"]:
        raise Refusal(403, "the user does not belong to the organization of X-Picsellia-Organization")
