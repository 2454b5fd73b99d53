"""The fast lane: an httpx transport of our own, and below it `exchange`, which needs no httpx objects at all.

Both ways share the pool and the connections (see `pool` and `connection` for how those work). Here are the two ways in,
and the rule for repeating a request that met a connection which the peer had just closed.
"""

from __future__ import annotations

import asyncio
import functools
import math
import os
import ssl
import types
import weakref
from collections.abc import Callable
from typing import Any, Final

import httpx

from picsellia_async._http.connection import Connection
from picsellia_async._http.early_closes import closed_unanswered
from picsellia_async._http.failures import before_sending, failure, note_sent
from picsellia_async._http.instrumentation import (
    Trace,
    TracedTransport,
    httpx_is_traced,
    httpx_is_watched,
    traced_request,
)
from picsellia_async._http.messages import (
    JOIN_BYTES,
    ResponseStream,
    answer_of,
    ask_traced,
    find_origin,
    joined,
    pieces,
    render,
    respond_with,
    send_request,
    unpacked,
)
from picsellia_async._http.pool import Pool, PoolCounts
from picsellia_async._http.tls import shared_context
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async._wire.exchange import ANSWER_BYTES_MAX, Answer, Origin
from picsellia_async.config import ATTEMPT_BYTES_PER_SECOND, Timeouts
from picsellia_async.errors import ClosedError

SAFE_METHODS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT"})
"""Methods that may be repeated when a reused connection ends without a byte of response (RFC 9110, section 9.2.2).

DELETE is not among them, though idempotent: a second one is answered 404, and whoever reads that must know that there was a
first. The retry loop above repeats it, and counts.
"""

BODILESS_METHODS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"DELETE"})
"""Methods whose requests say nothing about a body they do not have; others say `Content-Length: 0`."""

_transports: weakref.WeakSet[FastTransport] = weakref.WeakSet()


class FastTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over TCP and TLS, for `httpx.AsyncClient(transport=...)` and for our own hot path.

    Made without an event loop and without I/O. It serves one event loop at a time; used in another after the first has
    ended (or in a forked child), it begins with no connections.

    Args:
        max_connections: Sockets open at the same time, over all origins; None for no limit. Callers beyond it wait in
            a queue, first in, first out.
        max_connections_per_host: Of these, at most so many to one scheme, host and port, so that a host that hangs does not hold up
            the others; callers beyond it wait in a queue of their host's. None for nine tenths of `max_connections`.
        max_keepalive_connections: Idle connections kept; None for no limit of their own.
        keepalive_expiry: Seconds after which an idle connection is closed; None for never.
        ssl_context: For `https`. By default one context for the whole process, built at first use, that trusts
            what httpx trusts: `SSL_CERT_FILE`, `SSL_CERT_DIR`, else certifi.
    """

    def __init__(
        self,
        *,
        max_connections: int | None = 100,
        max_connections_per_host: int | None = None,
        max_keepalive_connections: int | None = None,
        keepalive_expiry: float | None = 30.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._make_pool: Callable[[asyncio.AbstractEventLoop], Pool] = functools.partial(
            Pool,
            max_connections=math.inf if max_connections is None else max_connections,
            max_per_origin=_share(max_connections, max_connections_per_host),
            max_keepalive=math.inf if max_keepalive_connections is None else max_keepalive_connections,
            keepalive_expiry=keepalive_expiry,
            context=shared_context if ssl_context is None else lambda: ssl_context,
        )
        self._pool: Pool | None = None
        self._closed = False
        _transports.add(self)

    # -- the hot path ---------------------------------------------------------------------------------------------

    async def exchange(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: bytes,
        body: bytes | ChunkedBody | None,
        timeouts: Timeouts,
        answer_max: int = ANSWER_BYTES_MAX,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> Answer:
        r"""Send one request and return the whole answer.

        Args:
            origin: Where to.
            method: Verb in capitals.
            target: Path and query, encoded. Not checked.
            headers: Rendered lines, each with its `\r\n`, without Host and Content-Length. Not checked: a value must
                not hold line ends.
            body: Bytes, or a body that is made while it is sent; None for none.
            timeouts: Seconds for each phase.
            answer_max: Bytes of body, unpacked, that an answer may have.
            loop: The running event loop, of a caller that has asked for it: asking costs a system call in Python 3.11.

        Raises:
            httpx.TransportError: As httpx's own transport raises it, with an attribute `request_sent`.
            asyncio.CancelledError: With that attribute too, unless the answer was there.
            ClosedError: `aclose` was called.
            DecodeError: The body is larger than `answer_max`, or not packed as its Content-Encoding says.
        """
        pool = self._pool
        if pool is None or pool.loop is not (loop or asyncio.get_running_loop()) or pool.closed:
            pool = self._renew_pool()
        limit = timeouts.attempt
        size = 0
        if body is not None:
            size = len(body) if isinstance(body, bytes) else body.content_length
            if limit is not None:
                limit += size / ATTEMPT_BYTES_PER_SECOND
        while True:
            connection = pool.idle.take(origin) or await _acquired(pool, origin, timeouts)
            connection.begin(timeouts.read, timeouts.write, limit, head_only=method == b"HEAD", body_max=answer_max)
            try:
                # The head is in no variable: it may hold a token, and tracebacks may show variables.
                if body is None:
                    connection.send(_head(origin, method, target, headers, None if method in BODILESS_METHODS else 0))
                elif size <= JOIN_BYTES:
                    connection.send(joined(_head(origin, method, target, headers, size), body))
                else:
                    await connection.send_pieces(pieces(_head(origin, method, target, headers, size), body))
                while not connection.response.complete:
                    await connection.more()
                answer, is_packed = answer_of(connection, method, target, answer_max)
            except BaseException as error:
                if not _is_repeated(error, connection, method):
                    raise
                continue
            finally:
                pool.release(connection)
            return await unpacked(answer, method, origin, target, answer_max) if is_packed else answer

    # -- the httpx seam -------------------------------------------------------------------------------------------

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of httpx's; the response's body is read from the connection as it is asked for.

        Raises:
            httpx.TransportError: See httpx's documentation; each carries an attribute `request_sent`.
            ClosedError: `aclose` was called.
        """
        if httpx_is_traced():
            return await TracedTransport(self.respond).handle_async_request(request)
        url = request.url
        status, headers, stream, extensions = await self.respond(
            request.method.encode("ascii"),
            (url.raw_scheme, url.raw_host, url.port),
            url.raw_path,
            request.headers.raw,
            request.stream,
            request.extensions,
        )
        return httpx.Response(status, headers=headers, stream=stream, extensions=extensions)

    async def respond(
        self,
        method: bytes,
        place: tuple[bytes, bytes, int | None],
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        stream: Any,
        extensions: Any,
    ) -> tuple[int, list[tuple[bytes, bytes]], httpx.AsyncByteStream, dict[str, Any]]:
        """Send a request given in parts: what httpx's and httpcore's requests have in common.

        Args:
            method: Verb.
            place: Scheme, host and port.
            target: Path and query, encoded.
            headers: Raw headers, Host and the framing of the body among them.
            stream: Body, an asynchronous iterable of bytes.
            extensions: httpx's: `timeout`, `trace` and `target` are honoured; `sni_hostname` is refused.

        Returns:
            Status, raw headers, body and extensions of the response.
        """
        pool = self._pool
        if pool is None or pool.loop is not asyncio.get_running_loop() or pool.closed:
            pool = self._renew_pool()
        origin = _origin_of(place, extensions)
        timeout = extensions.get("timeout") or {}
        trace: Trace | None = extensions.get("trace")
        head, length, chunked, last = render(method, extensions.get("target", target), headers)
        info = {} if trace is None else {"request": traced_request(method, place, target, headers, extensions)}
        # Not joined: what is of a secret type stays so.
        body = next(iter(stream), b"") if isinstance(stream, httpx.ByteStream) else stream
        while True:
            connection = pool.idle.take(origin) or await pool.acquire(
                origin, timeout.get("connect"), timeout.get("pool"), trace
            )
            connection.begin(timeout.get("read"), timeout.get("write"), head_only=method == b"HEAD", body_max=None)
            connection.last = last
            stream_out: httpx.AsyncByteStream | None = None
            try:
                if trace is None:  # a step costs a microsecond, also where nobody is told of it
                    if (rest := send_request(connection, head, body, length, chunked=chunked)) is not None:
                        await rest
                    while not connection.response.head_seen:
                        await connection.more()
                else:
                    await ask_traced(connection, head, body, length, trace, info, chunked=chunked)
                stream_out, facts = respond_with(connection, pool, trace, info)
            except Exception:
                if not isinstance(body, bytes) or not repeatable(connection, method):
                    raise
            else:
                return connection.response.status, connection.response.headers, stream_out, facts
            finally:
                if not isinstance(stream_out, ResponseStream):
                    pool.release(connection)

    # -- the end --------------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Close every connection at once, busy ones too, whose callers get `ClosedError`. A second call does nothing."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            if pool.loop is asyncio.get_running_loop():
                await pool.aclose()
            else:
                pool.forget(forked=False)

    def reset(self) -> None:
        """Forget every connection, without touching a loop that is gone. The next call begins afresh."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.forget(forked=False)

    def forget_after_fork(self) -> None:
        """Let go of what belongs to the parent process. Called in the child by itself."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.forget(forked=True)

    @property
    def is_closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._closed

    @property
    def counts(self) -> PoolCounts:
        """How the connections are used now; all zero before the first call and after the end."""
        return PoolCounts() if self._pool is None else self._pool.counts()

    @property
    def counts_by_origin(self) -> dict[Origin, tuple[int, int]]:
        """The connections of each origin that are busy, and those that are idle."""
        return {} if self._pool is None else self._pool.counts_by_origin()

    def _renew_pool(self) -> Pool:
        loop = asyncio.get_running_loop()
        pool = self._pool
        if self._closed or (pool is not None and pool.loop is loop):
            raise ClosedError("the transport is closed")
        if pool is not None and pool.loop.is_running():
            raise ClosedError("the transport is in use by another running event loop; make one for each loop")
        self.reset()
        self._pool = self._make_pool(loop)
        return self._pool

    @property
    def is_instrumented(self) -> bool:
        """Whether somebody (OpenTelemetry, say) watches httpx, so that calls must go through `httpx.AsyncClient.send`.

        Costs about 0.2 us: ask before every `exchange`.
        """
        own = self.__dict__.get("handle_async_request")  # put there by OpenTelemetry's `instrument_client`
        if own is not None and type(own) is not types.MethodType:  # a bare method is what `uninstrument_client` leaves
            return True
        return httpx_is_watched()


def _share(connections: int | None, per_host: int | None) -> float:
    if per_host is not None:
        return per_host
    return math.inf if connections is None else connections - connections // 10


async def _acquired(pool: Pool, origin: Origin, timeouts: Timeouts) -> Connection:
    with before_sending():
        return await pool.acquire(origin, timeouts.connect, timeouts.pool)


def _is_repeated(error: BaseException, connection: Connection, method: bytes) -> bool:
    """Return whether a request is sent again behind this; note on a cancellation what becomes of it."""
    if isinstance(error, asyncio.CancelledError):
        note_sent(error, request_sent=connection.may_have_left)
    return isinstance(error, Exception) and repeatable(connection, method)


def _origin_of(place: tuple[bytes, bytes, int | None], extensions: Any) -> Origin:
    """Return where a request goes.

    Raises:
        httpx.UnsupportedProtocol: Neither http nor https.
        httpx.LocalProtocolError: It is to be told by another name in TLS.
    """
    if extensions.get("sni_hostname"):  # a connection would be used again for requests that name another host
        raise failure(httpx.LocalProtocolError, "the extension sni_hostname is not supported by this transport")
    return find_origin(*place)


def _head(origin: Origin, method: bytes, target: bytes, headers: bytes, length: int | None) -> bytes:
    """Return the head of a request; without a length it has no body, and says nothing of one."""
    if length is None:
        return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (method, target, origin.host_header, headers)
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%bContent-Length: %d\r\n\r\n" % (
        method,
        target,
        origin.host_header,
        headers,
        length,
    )


def _forget_after_fork() -> None:
    for transport in list(_transports):
        transport.forget_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def repeatable(connection: Connection, method: bytes) -> bool:
    """Tell whether a failed request may be sent again without anybody noticing.

    Only on a connection that had served before and then ended without a byte of response: the peer had closed it.
    A request that is not idempotent must moreover provably not have arrived.
    """
    if not connection.reused or not closed_unanswered(connection):
        return False
    return connection.unprocessed or method in SAFE_METHODS
