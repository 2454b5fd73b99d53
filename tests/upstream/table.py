"""What of their tests fails over our transport, and why. Each pattern is a node id below `tests/`, each must fail."""

from __future__ import annotations

from typing import Final

REPR: Final = (
    "asserts the repr of httpcore's own connection objects after each step; that connections are kept, closed and counted is in "
    "tests/transport/test_pool.py"
)
HTTP2: Final = "speaks HTTP/2, which our transport does not offer"
EARLY: Final = "expects a response that nobody has read to hold its connection; ours gives it back as soon as the whole response is there"
BACKEND: Final = "replaces the network by an object of httpcore's; our transport opens its own sockets"

_POOL: Final = "_async/test_connection_pool.py::"

EXPECTED: Final[dict[str, str]] = {
    "test_timeouts.py::test_pool_timeout": EARLY,
    f"{_POOL}test_connection_pool_timeout[[]asyncio": EARLY,
    f"{_POOL}test_connection_pool_timeout_zero": EARLY,
    f"{_POOL}test_connection_pool_closed_while_request_in_flight": EARLY,
    f"{_POOL}test_connection_pool_with_keepalive": REPR,
    f"{_POOL}test_connection_pool_with_close": REPR,
    f"{_POOL}test_connection_pool_with_http_exception": REPR,
    f"{_POOL}test_connection_pool_with_connect_exception": REPR,
    f"{_POOL}test_connection_pool_with_immediate_expiry": REPR,
    f"{_POOL}test_connection_pool_with_no_keepalive_connections_allowed": REPR,
    f"{_POOL}test_connection_pool_with_http2": HTTP2,
    f"{_POOL}test_trace_request": "the scripted server speaks http, so the TLS events are missing; "
    "tests/transport/test_observability.py compares all events with httpcore's, plain and over TLS",
    f"{_POOL}test_debug_request": "reads the records of httpcore's own loggers",
    f"{_POOL}test_http11_upgrade_connection": "asks for a WebSocket; our transport refuses to switch protocols",
    "test_cancellations.py::test_connection_pool_timeout": BACKEND,
}
