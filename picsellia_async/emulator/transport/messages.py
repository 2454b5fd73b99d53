"""Requests and responses as Starlette has them: bodies read and structured, JSON and errors written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import cattrs
import orjson
from cattrs.preconf.orjson import OrjsonConverter
from starlette.requests import Request
from starlette.responses import Response

from picsellia_async._wire.converter import make
from picsellia_async.emulator.refusal import Refusal, bad_request, unprocessable


def _exactly(type_: type, *also: type) -> Callable[[Any, Any], Any]:
    """Return a hook that takes JSON values of one type, where cattrs would make `"None"` of null."""

    def read(value: Any, target: Any) -> Any:
        if target is not type_:
            return target(value)  # an enum that is also a text
        if type(value) is not type_ and type(value) not in also:
            raise TypeError(f"expected {type_.__name__}, got {type(value).__name__}")
        return type_(value)

    return read


def _converter(*, strict: bool) -> OrjsonConverter:
    converter = make(strict=strict)
    for type_, read in (
        (str, _exactly(str)),
        (int, _exactly(int)),
        (bool, _exactly(bool)),
        (float, _exactly(float, int)),
    ):
        converter.register_structure_hook(type_, read)
    return converter


_STRICT: Final = _converter(strict=True)
_LOOSE: Final = _converter(strict=False)
_UNREADABLE: Final = (cattrs.BaseValidationError, ValueError, TypeError, KeyError, AttributeError)


def json_response(value: Any, status: int = 200) -> Response:
    """Return a response with a JSON body."""
    return Response(orjson.dumps(value), status, media_type="application/json")


def error_response(refusal: Refusal) -> Response:
    """Return the error body that the vendor's SDK reads (docs/wire.md#statuses)."""
    return json_response({"message": refusal.message, "detail": refusal.detail}, refusal.status)


async def read_body(request: Request, maximum: int) -> bytes:
    """Return the whole body.

    Raises:
        Refusal: 413, it is larger than `maximum` bytes.
    """
    if int(request.headers.get("content-length", 0)) > maximum:
        raise Refusal(413, f"the body is larger than {maximum} bytes")
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > maximum:
            raise Refusal(413, f"the body is larger than {maximum} bytes")
    return bytes(pieces)


def origin_of(request: Request, public_url: str | None) -> str:
    """Return scheme, host and port that the client used, or the public ones."""
    return public_url or f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"


def structure(content: bytes, type_: Any, *, is_loose: bool = False, left_out: Mapping[str, Any] | None = None) -> Any:
    """Return a JSON body as a request class.

    Args:
        content: The body.
        type_: The class, or another type that it is read as.
        is_loose: Ignore unknown fields instead of refusing them.
        left_out: Values of fields that may be left out.

    Raises:
        Refusal: 400, it is no JSON; 422, it is not what the class takes.
    """
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as exc:
        raise bad_request("the body is not JSON", str(exc)) from None
    if left_out is not None and isinstance(value, dict):
        value = {**left_out, **value}
    try:
        return (_LOOSE if is_loose else _STRICT).structure(value, type_)
    except _UNREADABLE as exc:
        problems = cattrs.transform_error(exc) if isinstance(exc, cattrs.BaseValidationError) else [str(exc)]
        raise unprocessable("the body cannot be read", problems) from None
