"""What all services of a client share: the pool of connections, and the choice of the engine that sends a request.

Hot calls (`Endpoint.direct`) go straight to `FastTransport.exchange`, below httpx's request and response objects. Everything
else, and every call over a transport or client of the caller's own, goes through an httpx client.

The pool belongs to the event loop that used it first. When that loop is gone (several `asyncio.run`, a fork), the connections
are forgotten and the session starts anew; when it still runs (another thread), the call is refused.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import ssl
import time
from typing import Any, Final

import anyio
import attrs
import httpx

from picsellia_async._http.httpx_engine import REDIRECTS_MAX, HttpxEngine, may_repeat
from picsellia_async._http.httpx_family import AsyncHttpClient, AsyncTransport, family_of
from picsellia_async._http.loop import running_loop
from picsellia_async._http.observation import Observer, Recorder
from picsellia_async._http.pool import PoolCounts
from picsellia_async._http.proxies import Proxies, ProxyRouter
from picsellia_async._http.retry import left_of
from picsellia_async._http.tls import shared_context
from picsellia_async._http.transport import FastTransport
from picsellia_async._log_line import logger, tell
from picsellia_async._wire.bodies import Body
from picsellia_async._wire.common_requests import LoginRequest
from picsellia_async._wire.endpoints import Endpoint, Host
from picsellia_async._wire.exchange import DEFAULT_PORTS, Answer, Origin
from picsellia_async.config import Timeouts
from picsellia_async.errors import ClosedError, ConfigurationError
from picsellia_async.tracing import Tracing

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""Statuses that send the caller elsewhere."""


TELL_SECONDS: Final = 30.0
"""Between two warnings about one origin that refuses connections, or does not answer."""

SILENT_SECONDS: Final = 10.0
"""After which a platform that does not answer is told: a program that only waits for it looks as if it hung."""


@attrs.define(eq=False)
class HttpSession:
    """The pool of connections that all services of a client share."""

    max_connections: int = 100
    """Connections open at once, over all hosts."""
    max_connections_per_host: int | None = None
    """Of these, at most so many to one origin; None for the transport's default."""
    transport: AsyncTransport | None = None
    """The caller's transport, closed with the session."""
    http_client: AsyncHttpClient | None = None
    """The caller's client, which stays the caller's to close."""
    verify: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    """TLS settings; None: the system's, with `SSL_CERT_FILE` and `SSL_CERT_DIR`."""
    tracing: Tracing | None = attrs.field(default=None, repr=False)
    """Makes spans of calls and attempts; None: nobody traces."""
    observer: Observer | None = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(lambda self: self.tracing and Observer(self.tracing), takes_self=True),
    )
    """Sees every attempt; None: nobody watches."""
    secrets: set[str] = attrs.field(factory=set, init=False, repr=False)
    """Api tokens of the accounts that use it, and passwords of proxies: errors hide them, whoever echoes them."""
    searchers: anyio.CapacityLimiter = attrs.field(init=False, repr=False)
    """Lets one thread search large bodies for secrets; more would take turns with the event loop, and each turn makes it wait."""
    is_closed: bool = attrs.field(default=False, init=False)
    """Whether `aclose` was called."""
    _fast: FastTransport | None = attrs.field(default=None, init=False, repr=False)
    _router: ProxyRouter | None = attrs.field(default=None, init=False, repr=False)
    """Knows which origins are reached over a proxy; None: none of them."""
    _client: HttpxEngine | None = attrs.field(default=None, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = attrs.field(default=None, init=False, repr=False)
    _pid: int = attrs.field(default=0, init=False, repr=False)
    _sleepers: set[asyncio.Future[None]] = attrs.field(factory=set, init=False, repr=False)
    _secured: dict[Origin, Origin] = attrs.field(factory=dict, init=False, repr=False)
    """Origins of http that sent us on to https of their host, and where that is."""
    _told: dict[Origin, float] = attrs.field(factory=dict, init=False, repr=False)
    """When it was last told that nobody listens, or answers, at an origin."""

    @property
    def is_open(self) -> bool:
        """Whether connections may be open: it was used and not closed."""
        return self._loop is not None and not self.is_closed

    @property
    def is_ours(self) -> bool:
        """Whether requests go over our own transport, and not over one of the caller's."""
        return self.transport is None and self.http_client is None

    @property
    def counts(self) -> tuple[PoolCounts, dict[Origin, tuple[int, int]]]:
        """How the connections are used now, and by origin how many are busy and idle; nothing over an engine of the caller's own."""
        return (PoolCounts(), {}) if self._fast is None else (self._fast.counts, self._fast.counts_by_origin)

    def record(self, recorder: Recorder) -> None:
        """Have somebody told of every attempt from now on."""
        if self.observer is None:
            self.observer = Observer()
        self.observer.recorders.append(recorder)

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
            DecodeError: It is larger than the endpoint's `answer_max`, or not packed as it says.
        """
        if self.is_closed or self._loop is None or asyncio.get_running_loop() is not self._loop:
            self._open()
        if self._secured:
            origin = self._secured.get(origin, origin)
        method = endpoint.verb
        # A sign-in holds the api token, which goes to nobody but the named host.
        redirects = endpoint.takes is not LoginRequest
        fast, router = self._fast, self._router
        is_direct = endpoint.direct and fast is not None and (router is None or router.is_direct(origin))
        if is_direct and fast is not None and not fast.is_instrumented:
            started = time.monotonic()
            answer = await fast.exchange(
                origin, method, target, headers, body, timeouts, endpoint.answer_max, self._loop
            )
            if not redirects or answer.status not in REDIRECTS:
                return answer
            return await self._follow(answer, endpoint, origin, target, headers, body, timeouts, started)
        if self._client is None:
            raise self._closed()
        # Not a storage's, whose files may be large: their bytes may be on their way.
        watch = (
            None
            if endpoint.host is Host.STORAGE
            else asyncio.get_running_loop().call_later(SILENT_SECONDS, self._tell_silent, origin)
        )
        started = time.monotonic()
        try:
            answer = await self._client.exchange(
                origin, method, target, headers, body, timeouts, endpoint.answer_max, endpoint.sink, redirects=redirects
            )
        finally:
            if watch is not None:
                watch.cancel()
        if redirects and answer.status in REDIRECTS and self._moves_to_https(origin, answer):
            return await self.exchange(endpoint, origin, target, headers, body, left_of(timeouts, started))
        return answer

    async def _follow(
        self,
        answer: Answer,
        endpoint: Endpoint[Any],
        origin: Origin,
        target: bytes,
        headers: bytes,
        body: Body | None,
        timeouts: Timeouts,
        started: float,
    ) -> Answer:
        """Send a request on to where a redirect leads; return the redirect where that may not be.

        All steps together are one attempt, with one limit.
        """
        for _ in range(REDIRECTS_MAX):
            left = left_of(timeouts, started)
            if self._moves_to_https(origin, answer):
                return await self.exchange(endpoint, origin, target, headers, body, left)
            place = _target_within(origin, target, answer) if may_repeat(endpoint.verb, answer.status) else None
            if place is None or self._fast is None:
                break
            target = place
            answer = await self._fast.exchange(origin, endpoint.verb, target, headers, body, left, endpoint.answer_max)
            if answer.status not in REDIRECTS:
                break
        return answer

    def _moves_to_https(self, origin: Origin, answer: Answer) -> bool:
        """Note, and tell, where a redirect moves all calls of an origin to https of its host; return whether it does."""
        secured = _https_of(origin, answer)
        if secured is None:
            return False
        logger.warning("%s sends its callers on to %s, and is called there from now on", origin, secured)
        self._secured[origin] = secured
        return True

    def _open(self) -> None:
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
        self.searchers = anyio.CapacityLimiter(1)
        self._client = self._make_client()

    def _make_client(self) -> HttpxEngine:
        proxies = Proxies.of_environment()
        self.secrets |= proxies.secrets  # a client of the caller's own reads them from there too
        if self.http_client is not None:
            return HttpxEngine(self.http_client)
        if self.transport is not None:
            self._fast = self.transport if isinstance(self.transport, FastTransport) else None
            return HttpxEngine(family_of(self.transport).AsyncClient(transport=self.transport))
        if self._fast is None:
            self._fast = FastTransport(
                max_connections=self.max_connections,
                max_connections_per_host=self.max_connections_per_host,
                ssl_context=self.verify,
            )
        self._router = None
        if not proxies:
            return HttpxEngine(httpx.AsyncClient(transport=self._fast), is_ours=True)
        logger.debug("a proxy is configured: httpx's own transport is used for the hosts that NO_PROXY does not except")
        limits = httpx.Limits(max_connections=self.max_connections, max_keepalive_connections=self.max_connections)
        own = self.verify
        context = shared_context if own is None else lambda: own
        self._router = ProxyRouter(proxies, self._fast, limits, context)
        return HttpxEngine(httpx.AsyncClient(transport=self._router), is_ours=True)

    def tell_refused(self, origin: Origin, total: float | None, now: float) -> None:
        """Say once in a while that connections are refused: the calls wait, which looks like hanging otherwise.

        Args:
            origin: Where nobody listens.
            total: Seconds for which one call tries.
            now: Monotonic seconds.
        """
        if self._may_tell(origin, now):
            limit = "for ever" if total is None else "for up to %(seconds)g s"
            text = f"%(host)s refuses connections; calls are tried again {limit} (is it up, and is the port right?)"
            tell(logging.WARNING, text, host=str(origin), seconds=total)

    def _tell_silent(self, origin: Origin) -> None:
        if self._loop is not None and self._may_tell(origin, self._loop.time()):
            tell(
                logging.WARNING,
                "%(host)s has not answered for %(seconds)g s; the call waits on, within its time-outs (is the name right, and the host up?)",
                host=str(origin),
                seconds=SILENT_SECONDS,
            )

    def _may_tell(self, origin: Origin, now: float) -> bool:
        """Note that something is told about an origin; return False where it was just told."""
        if now - self._told.get(origin, -math.inf) < TELL_SECONDS:
            return False
        self._told[origin] = now
        return True

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


def _target_within(origin: Origin, target: bytes, answer: Answer) -> bytes | None:
    """Return path and query that a redirect names; None where they are not of the scheme, host and port that gave it."""
    location = answer.header(b"location")
    if not location:
        return None
    try:
        place = httpx.URL(f"{origin}{target.decode('ascii')}").join(location)
        host = place.raw_host.decode("ascii")  # as it is looked up: `host` shows the letters of other alphabets
    except (httpx.InvalidURL, ValueError):  # the latter of a name that is none in IDNA
        return None
    port = place.port or DEFAULT_PORTS.get(place.scheme)
    is_within = (place.scheme, host, port) == (origin.scheme, origin.host, origin.port)
    return place.raw_path if is_within else None


def _https_of(origin: Origin, answer: Answer) -> Origin | None:
    """Return where a redirect leads to that asks for https instead of http on the same host; None: it is another kind."""
    if answer.status == 303:  # the call was carried out, and tells where to look
        return None
    try:
        place = Origin.parse(answer.header(b"location") or "")
    except ConfigurationError:  # no absolute address
        return None
    return place if (origin.scheme, place.scheme) == ("http", "https") and place.host == origin.host else None
