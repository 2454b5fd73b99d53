"""What has to be equal in two requests, and what in two results.

Here belongs the meaning of "the same call". Left out on purpose: User-Agent, Accept, Accept-Encoding, Connection and
the boundary text of a multipart body (no service reads them), Content-Type where there is no body, and, on the
monitoring and serving services, a JSON Content-Type where the vendor sends none (docs/wire.md#headers allows it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from .recorder import Exchange

HEADERS: Final = ("authorization", "x-picsellia-organization")


def comparable(exchange: Exchange, url: str) -> dict[str, Any]:
    """Return the fields of a request that have to agree, in a form that a failed assertion shows well."""
    fields: dict[str, Any] = {"verb": exchange.verb, "path": exchange.path, "query": list(exchange.query)}
    fields |= {name: exchange.header(name) for name in HEADERS}
    fields["content_type"] = _content_type(exchange)
    if exchange.media_type == "multipart/form-data":
        fields["body"] = exchange.parts
    else:
        fields["body"] = exchange.body.decode().replace(url, "http://recorder")  # exact text: key order, 1 or 1.0
    return fields


def _content_type(exchange: Exchange) -> str | None:
    if not exchange.body:
        return None
    if exchange.service in {"oracle", "serving"} and exchange.media_type == "application/json":
        return None
    return exchange.media_type


def requests(exchanges: Iterable[Exchange], url: str, *, unordered: bool = False) -> list[dict[str, Any]]:
    """Return the comparable form of a call's requests, logins apart."""
    found = [comparable(exchange, url) for exchange in exchanges if not exchange.is_login]
    return sorted(found, key=repr) if unordered else found


def identity(result: Any) -> str:
    """Return the id of a raw answer, a typed one, or of the only item of a list."""
    if isinstance(result, list):
        (result,) = result
    return str(result["id"] if isinstance(result, dict) else result.id)


def outline(result: Any) -> Any:
    """Reduce a result to what both sides must agree on: values as they are, objects to their id, lists item by item."""
    if result is None or isinstance(result, str | int | float):
        return result
    if isinstance(result, dict):
        return {name: str(value.id) if hasattr(value, "id") else value for name, value in result.items()}
    if isinstance(result, Sequence) or hasattr(result, "__len__"):
        return [outline(item) for item in result]
    return str(result.id)
