"""How a call travels. The one place that awaits the network, and the one retry loop.

`HttpSession` owns what is shared: the pool, and which event loop it belongs to. `Service` is one remote host as one deployment
sees it: origin, credential, limits. Neither does I/O before the first call, nor needs a running loop to be made.

Theory of operation. A call goes down three steps, each with one job:

1. `Service.call` renders the request once, and loops: attempt, judge (`_http/retry`), wait.
2. `Service._attempt` signs the request. On a 401 it invalidates the credential that was used and tries once more.
3. `HttpSession.exchange` picks the engine. Hot calls (`Endpoint.direct`) go straight to `FastTransport.exchange`, below httpx's
   request and response objects. Everything else, every redirect, and every call over a transport or client that the caller
   brought, goes through an httpx client.

The pool belongs to the event loop that used it first. When that loop is gone (several `asyncio.run`, a fork), the connections
are forgotten and the session starts anew; when it still runs (another thread), the call is refused.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import logging
import os
import random
import ssl
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote
from urllib.request import getproxies

import anyio.to_thread
import attrs
import httpx

from picsellia_async._http.auth import Credential, JwtCredential, StaticCredential
from picsellia_async._http.httpx_engine import ClientExchange
from picsellia_async._http.loop import running_loop
from picsellia_async._http.retry import next_delay
from picsellia_async._http.transport import FastTransport
from picsellia_async._version import __version__
from picsellia_async._wire.bodies import Body
from picsellia_async._wire.common_requests import LoginRequest
from picsellia_async._wire.decode import decode, status_error
from picsellia_async._wire.encoding import Query, encode_body, encode_query
from picsellia_async._wire.endpoints import Endpoint
from picsellia_async._wire.exchange import Answer, Origin
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.errors import ClosedError, ConfigurationError, PicselliaError, RequestTimeoutError, TransportError
from picsellia_async.models import LoginReceipt

T = TypeVar("T")

logger = logging.getLogger("picsellia_async")

USER_AGENT: Final = f"picsellia-async/{__version__}"
"""What the services read as the client's name."""

JSON: Final = "application/json"
"""Content-Type of every body but a multipart form."""

_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.WriteError,
    httpx.WriteTimeout,
)
"""Errors of stock transports after which the service cannot have the whole request. Ours say so themselves (`request_sent`)."""


@attrs.define(eq=False)
class HttpSession:
    """The pool of connections that all services of a client share."""

    max_connections: int = 100
    """Connections open at once, over all hosts."""
    transport: httpx.AsyncBaseTransport | None = None
    """The caller's transport, closed with the session."""
    http_client: httpx.AsyncClient | None = None
    """The caller's client, which stays the caller's to close."""
    verify: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    """TLS settings; None: the system's, with `SSL_CERT_FILE` and `SSL_CERT_DIR`."""
    is_closed: bool = attrs.field(default=False, init=False)
    """Whether `aclose` was called."""
    _fast: FastTransport | None = attrs.field(default=None, init=False, repr=False)
    _client: ClientExchange | None = attrs.field(default=None, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = attrs.field(default=None, init=False, repr=False)
    _pid: int = attrs.field(default=0, init=False, repr=False)
    _sleepers: set[asyncio.Future[None]] = attrs.field(factory=set, init=False, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether connections may be open: it was used and not closed."""
        return self._loop is not None and not self.is_closed

    async def exchange(
        self,
        endpoint: Endpoint[Any],
        origin: Origin,
        target: bytes,
        headers: bytes,
        body: Body | None,
        timeouts: Timeouts,
    ) -> Answer:
        """Send one request and read the whole answer.

        Raises:
            ClosedError: The session was closed, or another event loop that still runs uses it.
            httpx.RequestError: No answer arrived.
        """
        if self.is_closed or running_loop() is not self._loop:
            await self._open()
        method = endpoint.method.encode("ascii")
        if endpoint.direct and self._fast is not None and not self._fast.is_instrumented:
            answer = await self._fast.exchange(origin, method, target, headers, body, timeouts)
            if not 300 <= answer.status < 400:
                return answer
        if self._client is None:
            raise self._closed()
        return await self._client.exchange(origin, method, target, headers, body, timeouts)

    async def _open(self) -> None:
        """Bind the session to the running loop; forget the connections of one that is gone."""
        if self.is_closed:
            raise self._closed()
        loop = running_loop()
        if self._loop is not None and self._pid == os.getpid() and self._loop.is_running():
            raise ClosedError(
                "this client is in use by another running event loop; make one AsyncClient per event loop "
                "(or hand the call over with asyncio.run_coroutine_threadsafe)"
            )
        if self._fast is not None:
            self._fast.reset()
        self._loop, self._pid = loop, os.getpid()
        self._client = await self._make_client()

    async def _make_client(self) -> ClientExchange:
        if self.http_client is not None:
            return ClientExchange(self.http_client)
        if self.transport is not None:
            self._fast = self.transport if isinstance(self.transport, FastTransport) else None
            return ClientExchange(httpx.AsyncClient(transport=self.transport))
        if set(getproxies()) - {"no"}:
            logger.debug("a proxy is configured: using httpx's own transport")
            verify = (
                self.verify if self.verify is not None else await anyio.to_thread.run_sync(httpx.create_ssl_context)
            )
            limits = httpx.Limits(max_connections=self.max_connections, max_keepalive_connections=self.max_connections)
            return ClientExchange(httpx.AsyncClient(limits=limits, verify=verify))
        if self._fast is None:
            self._fast = FastTransport(max_connections=self.max_connections, ssl_context=self.verify)
        return ClientExchange(httpx.AsyncClient(transport=self._fast))

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts.

        Raises:
            ClosedError: The session was closed meanwhile; nobody waits for a service that will not be asked again.
        """
        waker: asyncio.Future[None] = running_loop().create_future()
        timer = waker.get_loop().call_later(seconds, _wake, waker)
        self._sleepers.add(waker)
        try:
            await waker
        finally:
            timer.cancel()
            self._sleepers.discard(waker)
        if self.is_closed:
            raise self._closed()

    def _closed(self) -> ClosedError:
        return ClosedError(
            "this client is closed; make a new AsyncClient, or keep calls inside `async with AsyncClient(...)`"
        )

    async def aclose(self) -> None:
        """Close all connections; closing again does nothing."""
        if self.is_closed:
            return
        self.is_closed = True
        for waker in self._sleepers:
            # Those of a loop that is gone wait for nothing any more.
            if waker.get_loop() is self._loop:
                _wake(waker)
        client, self._client = self._client, None
        if client is not None and client.client is not self.http_client:
            await client.client.aclose()
        elif self.transport is not None and client is None:
            await self.transport.aclose()


def _wake(waker: asyncio.Future[None]) -> None:
    if not waker.done():
        waker.set_result(None)


@attrs.frozen(eq=False)
class Service:
    """One remote host as one deployment (or the platform's user) sees it."""

    session: HttpSession = attrs.field(repr=False)
    """The pool."""
    origin: Origin
    """Where the service is."""
    credential: Credential = attrs.field(repr=False)
    """What signs the requests."""
    retry: RetryPolicy
    """Limits of repetition."""
    timeouts: Timeouts
    """Limits of one attempt."""
    clock: Callable[[], float] = attrs.field(default=time.monotonic, repr=False)
    """Monotonic seconds."""
    random: Callable[[], float] = attrs.field(default=random.random, repr=False)
    """A number in [0, 1)."""

    async def call(
        self,
        endpoint: Endpoint[T],
        *,
        path: Mapping[str, object] | None = None,
        query: Query = (),
        body: Body | None = None,
        content_type: str = JSON,
        idempotent: bool | None = None,
    ) -> T:
        """Make one call: sign it, send it, read the answer, and repeat it as the rules allow.

        Args:
            endpoint: What is called.
            path: Values for the names in braces of the endpoint's path.
            query: Pairs of the query.
            body: Bytes to send.
            content_type: What the body is.
            idempotent: Overrides the endpoint's word on whether a lost answer may be followed by a repeat.

        Raises:
            StatusError: The last attempt was answered with an error.
            TransportError: The last attempt was not answered.
            DecodeError: The answer cannot be read.
            ClosedError: The client was closed.
        """
        answer, url, attempts = await self.send(
            endpoint, path=path, query=query, body=body, content_type=content_type, idempotent=idempotent
        )
        return decode(endpoint, answer, url, attempts)

    async def send(
        self,
        endpoint: Endpoint[Any],
        *,
        path: Mapping[str, object] | None = None,
        query: Query = (),
        body: Body | None = None,
        content_type: str = JSON,
        idempotent: bool | None = None,
    ) -> tuple[Answer, str, int]:
        """Make one call and return the answer that means success, its URL and the number of attempts; as `call`."""
        target, url = _place(self.origin, endpoint, tuple(path.items()) if path else ())
        if encoded := encode_query(query) if query else "":
            target = b"%b?%b" % (target, encoded.encode("ascii"))
        headers = _headers(None if body is None else content_type)
        repeat = endpoint.idempotent if idempotent is None else idempotent
        started = self.clock()
        attempt = 1
        failure: PicselliaError | None = None
        try:
            while True:
                try:
                    answer = await self._attempt(endpoint, target, headers, body)
                except (httpx.UnsupportedProtocol, httpx.InvalidURL) as exc:  # the latter also for one that is too long
                    raise ConfigurationError(f"{url}: {exc}") from exc
                except httpx.RequestError as exc:
                    failure = _transport_error(exc, endpoint.method, url, attempt)
                    failure.__cause__ = exc
                else:
                    if answer.status in endpoint.ok:
                        return answer, url, attempt
                    failure = status_error(endpoint, answer, url, attempt)
                delay = next_delay(
                    self.retry, failure=failure, idempotent=repeat, attempt=attempt,
                    elapsed=self.clock() - started, random=self.random,
                )  # fmt: skip
                if delay is None:
                    raise failure
                logger.debug(
                    "attempt %d of %s failed, the next follows in %.3f s: %s", attempt, endpoint.name, delay, failure
                )
                await self.session.sleep(delay)
                attempt += 1
        finally:
            failure = None  # its traceback refers to this frame, and so to the body of the request

    async def _attempt(self, endpoint: Endpoint[Any], target: bytes, headers: bytes, body: Body | None) -> Answer:
        """Send once; once more with a new credential where the first one was refused."""
        lines = self.credential.current() or await self.credential.acquire()
        answer = await self.session.exchange(endpoint, self.origin, target, lines + headers, body, self.timeouts)
        if answer.status == 401 and self.credential.invalidate(lines):
            lines = await self.credential.acquire()
            answer = await self.session.exchange(endpoint, self.origin, target, lines + headers, body, self.timeouts)
        return answer

    def login_credential(self, endpoint: Endpoint[LoginReceipt], request: LoginRequest) -> JwtCredential:
        """Return a JWT that the given endpoint of this service issues; nothing is sent before its first use."""

        async def login() -> tuple[LoginReceipt, datetime.datetime | None]:
            answer, url, attempts = await self.send(endpoint, body=encode_body(request))
            return decode(endpoint, answer, url, attempts), _date(answer)

        return JwtCredential(login, self.clock)


def anonymous() -> StaticCredential:
    """Return the credential that signs nothing: for logins and presigned addresses."""
    return StaticCredential(b"")


def bearer(api_token: str, organization_id: object | None = None) -> StaticCredential:
    """Return the platform's credential; the organization is named only where it has a connector (docs/wire.md#headers)."""
    lines = f"authorization: Bearer {api_token}\r\n"
    if organization_id is not None:
        lines += f"x-picsellia-organization: {organization_id}\r\n"
    return StaticCredential(lines.encode("ascii"))


# A camera's frames all go to one place; working it out anew would cost more than reading the answer.
@functools.lru_cache(1024)
def _place(origin: Origin, endpoint: Endpoint[Any], path: tuple[tuple[str, object], ...]) -> tuple[bytes, str]:
    """Return the request target without its query, and the URL that errors show."""
    target = endpoint.path.format(**{name: quote(str(value), safe="") for name, value in path})
    return target.encode("ascii"), f"{origin}{target}"


def _headers(content_type: str | None) -> bytes:
    lines = f"user-agent: {USER_AGENT}\r\naccept: */*\r\n"
    if content_type is not None:
        lines += f"content-type: {content_type}\r\n"
    return lines.encode("ascii")


def _transport_error(exc: httpx.RequestError, method: str, url: str, attempts: int) -> TransportError:
    cls = RequestTimeoutError if isinstance(exc, httpx.TimeoutException) else TransportError
    said = str(exc)
    message = f"{type(exc).__name__}: {said}" if said else type(exc).__name__
    sent = getattr(exc, "request_sent", not isinstance(exc, _NOT_SENT))
    return cls(message, method, url, attempts, sent)


def _date(answer: Answer) -> datetime.datetime | None:
    try:
        when = parsedate_to_datetime(answer.header(b"date") or "")
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
