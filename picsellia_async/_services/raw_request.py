"""Requests that no method wraps: the caller's verb, path, query and JSON, with this SDK's sign-in, repetition and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import orjson

from picsellia_async._http.service import Service
from picsellia_async._wire.endpoint import Endpoint, Host
from picsellia_async.errors import ConfigurationError, DecodeError, shown
from picsellia_async.validation import dump_json, sequence, text

METHODS: Final = frozenset({"GET", "XGET", "POST", "PUT", "PATCH", "DELETE"})
"""The verbs of the services."""

QueryArgument: TypeAlias = Mapping[str, Any] | Iterable[tuple[str, Any]] | None
"""A dict, or pairs in order; a list as a value repeats the key, None is left out."""


async def request(service: Service, host: Host, method: str, path: str, query: QueryArgument, json: object) -> Any:
    """Send a request and return the JSON of its answer; None where the answer is empty.

    Raises:
        ConfigurationError: No such verb, no path, or JSON that cannot be written. Nothing was sent.
        StatusError: The service refused.
        DecodeError: The answer is not JSON.
    """
    endpoint: Endpoint[Any] = Endpoint(
        name="request",
        method=_method(method),
        path=_path(path),
        host=host,
        returns=object,
        idempotent=method.upper() != "POST",
        direct=host is not Host.PLATFORM,
    )
    pairs = _pairs(query)
    body = None if json is None else dump_json(json, "json")
    answer, url, _ = await service.send(endpoint, query=pairs, body=body)
    if not answer.content:
        return None
    try:
        return orjson.loads(answer.content)
    except orjson.JSONDecodeError as exc:
        problem = f"the body of {len(answer.content)} bytes is not JSON"
        raise DecodeError(problem, answer.status, endpoint.method, url, (str(exc),)) from None


def _method(value: Any) -> str:
    method = text(value, "method").upper()
    if method not in METHODS:
        raise ConfigurationError(f"method must be one of {', '.join(sorted(METHODS))}, got {shown(value)}")
    return method


def _pairs(query: QueryArgument) -> list[tuple[str, Any]]:
    found = list(query.items()) if isinstance(query, Mapping) else sequence([] if query is None else query, "query")
    for pair in found:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ConfigurationError(f"query must be a dict with str keys, or pairs, got {shown(query)}")
    return [(key, value) for key, value in found]


def _path(value: Any) -> str:
    """Return the path as a request line may carry it; it cannot add another host, a query or a line break."""
    path = text(value, "path")
    if not path.startswith("/") or path.startswith("//") or "?" in path or "#" in path:
        raise ConfigurationError(f"path must begin with one / and have no query (give query=), got {shown(value)}")
    return quote(path, safe="/:@!$&'()*+,;=~%").replace("{", "{{").replace("}", "}}")
