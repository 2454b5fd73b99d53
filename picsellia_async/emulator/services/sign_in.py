"""Handlers of the sign-in at the monitoring and serving hosts (docs/wire.md#sign-in): an api token becomes a JWT."""

from __future__ import annotations

from picsellia_async._wire.common_requests import LoginRequest
from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.refusal import unauthorized
from picsellia_async.emulator.services.call import Call


def oracle_login(state: State, call: Call, body: LoginRequest) -> JsonObject:
    """Sign in for monitoring."""
    return _sign_in(state, call, body, "oracle")


def serving_login(state: State, call: Call, body: LoginRequest) -> JsonObject:
    """Sign in for predictions."""
    return _sign_in(state, call, body, "serving")


def _sign_in(state: State, call: Call, body: LoginRequest, service: str) -> JsonObject:
    """Return a JWT for one service and one deployment.

    Raises:
        Refusal: 401, the api token is unknown; 403, 404, the deployment is foreign or unknown.
    """
    user = state.user_of_token(body.api_token)
    if user is None:
        raise unauthorized("the api token is not valid")
    call.user = user
    deployment = state.document(call, "deployment", str(body.deployment_id))
    token, seconds = state.tokens.issue(service, deployment["id"], user["id"])
    return {"jwt": token, "expires": seconds}  # assumed: whole seconds
