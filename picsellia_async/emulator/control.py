"""Control routes under `/emulator`: what arrived, scripted faults, reset. No token is asked for; foreign pages are kept out by `security`."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.dashboard.routes import Dashboard
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.endpoint_index import CONTROL_PREFIX
from picsellia_async.emulator.refusal import Refusal, bad_request
from picsellia_async.emulator.store.rows import PredictionRow
from picsellia_async.emulator.transport.fault_register import Faults
from picsellia_async.emulator.transport.journal import Journal
from picsellia_async.emulator.transport.messages import json_response, read_body
from picsellia_async.errors import ConfigurationError

BODY_MAX: Final = 2**20
"""Bytes of a request to the control routes."""

_DIGITS_MAX: Final = 18
"""Numbers stay below 2**63, which is what the database can hold."""


def prediction(row: PredictionRow) -> JsonObject:
    """Return one stored prediction as `GET /emulator/predictions` shows it."""
    return {
        "id": row.id,
        "deployment_id": row.deployment_id,
        "predicted_asset_id": row.asset_id,
        "filename": row.filename,
        "sha256": row.sha256,
        "size": row.size,
        "signature": row.signature or None,
        "is_image": bool(row.signature),
        "content_type": row.content_type,
        "width": row.width,
        "height": row.height,
        "latency": row.latency,
        "source": row.source,
        "tags": orjson.loads(row.tags),
        "timestamp": row.timestamp,
        "raw_predictions": orjson.loads(row.raw),
        "shadow_raw_predictions": None if row.shadow_raw is None else orjson.loads(row.shadow_raw),
        "custom_metrics": orjson.loads(row.custom_metrics),
        "received_at": row.received_at,
    }


class Control:
    """Handlers of the control routes of one emulator."""

    def __init__(self, state: State, journal: Journal, faults: Faults, reset: Callable[[], Awaitable[None]]) -> None:
        """Bind the routes.

        Args:
            state: What the handlers of the services work on.
            journal: What arrived.
            faults: Scripted faults.
            reset: Brings the emulator back to its beginning.
        """
        self._state = state
        self._journal = journal
        self._faults = faults
        self._reset = reset
        self._dashboard = Dashboard(state, journal, faults)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            *self._dashboard.routes(),
            Route(f"{CONTROL_PREFIX}/health/live", self.live, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/health/ready", self.ready, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/predictions", self.predictions, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/journal", self.journal, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/reset", self.reset, methods=["POST"]),
            Route(f"{CONTROL_PREFIX}/faults", self.list_faults, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/faults", self.add_faults, methods=["POST"]),
            Route(f"{CONTROL_PREFIX}/faults", self.clear_faults, methods=["DELETE"]),
        ]

    def close(self) -> None:
        """End the answers that have no end of their own, so that stopping need not wait for them."""
        self._dashboard.close()

    async def live(self, _request: Request) -> Response:
        """Tell that the process answers."""
        return json_response({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """Tell whether what arrives can be stored: in the database, and where images lie."""
        try:
            await self._state.store.check()
        except (OSError, sqlite3.Error) as exc:
            return json_response({"status": "error", "detail": f"nothing can be stored: {exc}"}, 503)
        return json_response({"status": "ok"})

    async def predictions(self, request: Request) -> Response:
        """Tell what monitoring stored, oldest first; `limit`, `offset` and `deployment_id` choose among it."""
        where, args = "1", []
        if (deployment_id := request.query_params.get("deployment_id")) is not None:
            where, args = "deployment_id = ?", [deployment_id]
        limit, offset = _number(request, "limit", -1), _number(request, "offset", 0)
        table = self._state.store.predictions
        items = [prediction(row) for row in table.iterate(where, *args, limit=limit, offset=offset)]
        return json_response({"count": table.count(where, *args), "items": items})

    async def journal(self, request: Request) -> Response:
        """Tell the requests, oldest first; `endpoint` and `limit` (the latest) choose among them."""
        endpoint = request.query_params.get("endpoint")
        entries = [entry for entry in self._journal if endpoint in (None, entry.endpoint)]
        limit = _number(request, "limit", len(entries))
        shown = entries[len(entries) - min(limit, len(entries)) :]
        return json_response(
            {"count": len(entries), "total": self._journal.total, "items": [entry.to_json() for entry in shown]}
        )

    async def reset(self, _request: Request) -> Response:
        """Forget everything that arrived, was changed or scripted; ids and api token stay."""
        await self._reset()
        return json_response({})

    async def list_faults(self, _request: Request) -> Response:
        """Tell the scripted faults and the account of what they did."""
        return json_response(self._faults.to_json())

    async def add_faults(self, request: Request) -> Response:
        """Script one fault or a list of them: all or none."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "faults are sent as application/json")
        try:
            faults = self._faults.add_json(orjson.loads(await read_body(request, BODY_MAX)))
        except orjson.JSONDecodeError as exc:
            raise bad_request("the body is not JSON", str(exc)) from None
        except ConfigurationError as exc:
            raise Refusal(422, exc.message) from None
        return json_response({"faults": [fault.to_json() for fault in faults]}, 201)

    async def clear_faults(self, request: Request) -> Response:
        """Take one fault (`id`) or all of them out; the account is emptied with the latter."""
        fault_id = request.query_params.get("id")
        if fault_id is None:
            self._faults.clear()
            self._faults.forget()
        elif not self._faults.remove(fault_id):
            raise Refusal(404, f"no fault {fault_id}")
        return json_response(self._faults.to_json())


def _number(request: Request, name: str, default: int) -> int:
    value = request.query_params.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdecimal() and len(value) <= _DIGITS_MAX):
        raise bad_request(f"{name} must be a whole number of at most {_DIGITS_MAX} digits, got {value[:_DIGITS_MAX]!r}")
    return int(value)
