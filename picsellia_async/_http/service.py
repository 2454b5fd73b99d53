"""How a call travels: the one retry loop.

`Service` is one remote host as one deployment sees it: origin, credential, limits. It does no I/O before the first call, and
needs no running loop to be made.

Theory of operation. A call goes down three steps, each with one job:

1. `Service.call` renders the request once, and loops: attempt, judge (`_http/retry`), wait.
2. `Service._attempt` signs the request. On a 401 it invalidates the credential that was used and tries once more. A sign-in that
   fails is a failed attempt of the call: step 1 repeats it.
3. `HttpSession.exchange` picks the engine.
"""

from __future__ import annotations

import datetime
import functools
import logging
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

import anyio.to_thread
import attrs

from picsellia_async._http.auth import Credential, JwtCredential, StaticCredential
from picsellia_async._http.call_span import CallSpan
from picsellia_async._http.failures import before_sending
from picsellia_async._http.httpx_family import errors
from picsellia_async._http.observation import Exchange
from picsellia_async._http.retry import is_refused, next_delay, speaks_no_tls, within
from picsellia_async._http.session import HttpSession
from picsellia_async._log_line import logger
from picsellia_async._version import __version__
from picsellia_async._wire.bodies import Body
from picsellia_async._wire.common_requests import LoginRequest
from picsellia_async._wire.decode import answer_date, decode, status_error
from picsellia_async._wire.encoding import Query, encode_body, encode_query
from picsellia_async._wire.endpoints import Endpoint, Host
from picsellia_async._wire.exchange import Answer, Origin
from picsellia_async._wire.foreign_address import foreign_path
from picsellia_async._wire.image_echo import SentImage, may_hold_image, sent_image
from picsellia_async._wire.redaction import hidden_in
from picsellia_async._wire.secret import SecretBytes
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.errors import (
    ConfigurationError,
    DecodeError,
    PicselliaError,
    RequestTimeoutError,
    StatusError,
    TransportError,
)
from picsellia_async.models import LoginReceipt

T = TypeVar("T")


USER_AGENT: Final = f"picsellia-async/{__version__}"
"""What the services read as the client's name."""

JSON: Final = "application/json"
"""Content-Type of every body but a multipart form."""

SEARCHED_INLINE: Final = 1024
"""Bytes of an error's body that are searched for secrets at once; more than that in a thread."""

IMAGE_INLINE: Final = 8 * 1024
"""Bytes of the request's image that are looked for at once; a larger one in a thread."""

_SAID_MAX: Final = 4 * 1024
"""Characters shown of what a transport says of an answer: it may hold the whole head of one."""

_SIGN_IN_TOLD_SECONDS: Final = 600.0
"""For so long after a sign-in was told, others at the same place are details."""

_NOT_SENT: Final = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "WriteError", "WriteTimeout")
"""Errors of stock transports after which the service cannot have the whole request. Ours say so themselves (`request_sent`)."""


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
    _first_timeouts: Timeouts = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(lambda self: within(self.timeouts, self.retry.total), takes_self=True),
    )
    """Those of a first attempt, which has the whole of `RetryPolicy.total` before it."""

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
        return decode(endpoint, answer, url, attempts, subject=path.get(endpoint.subject) if path else None)

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
        timeouts = self._first_timeouts
        attempt = 1
        refused = 0
        failure: PicselliaError | None = None
        tracing = self.session.tracing
        span = None if tracing is None else CallSpan.begin(tracing, endpoint)
        try:
            while True:
                try:
                    answer = await self._attempt(endpoint, target, headers, body, timeouts)
                except _failures() as exc:
                    failure = self._failed(exc, endpoint, url, attempt)
                else:
                    if answer.status in endpoint.ok:
                        return answer, url, attempt
                    failure = await self._status_error(
                        endpoint, answer, url, attempt,
                        sent_image(body, content_type) if may_hold_image(answer.content) else None,
                    )  # fmt: skip
                refused += is_refused(failure)
                delay = next_delay(
                    self.retry, failure=failure, idempotent=repeat, attempt=attempt, refused=refused,
                    elapsed=self.clock() - started, random=self.random,
                )  # fmt: skip
                if delay is None:
                    raise failure
                await self._wait(endpoint, failure, attempt, delay)
                attempt += 1
                timeouts = self._timeouts_left(started)
        except BaseException as error:
            if span is not None:
                span.fail(error)
            raise
        finally:
            failure = None  # its traceback refers to this frame, and so to the body of the request
            if span is not None:
                span.end()

    async def _status_error(
        self, endpoint: Endpoint[Any], answer: Answer, url: str, attempt: int, image: SentImage | None
    ) -> StatusError:
        """Return the error that a status means. Where searching for secrets takes milliseconds, a thread does it."""
        secrets = self._secrets()
        if len(answer.content) <= SEARCHED_INLINE and (image is None or not image.is_costly(IMAGE_INLINE)):
            return status_error(endpoint, answer, url, attempt, secrets, image)
        # The thread lets go of what it took and gave a moment after it is done: that is neither the image nor the error, whose
        # traceback refers to the body.
        given = [image]
        made: list[StatusError] = []

        def make() -> None:
            made.append(status_error(endpoint, answer, url, attempt, secrets, given.pop()))

        del image
        try:
            await anyio.to_thread.run_sync(make, limiter=self.session.searchers)
        except RuntimeError:
            if not given:
                raise
            make()  # no thread can be started, as at the end of the interpreter: better late than another error
        return made.pop()

    def _secrets(self) -> set[str]:
        """Return what the account's requests are signed with, to be hidden where a host echoes it."""
        lines = self.credential.current() or b""
        return {*self.session.secrets, *lines.partition(b"\r\n")[0].decode("ascii").split(" ")[2:]}

    def _failed(self, exc: Exception, endpoint: Endpoint[Any], url: str, attempt: int) -> PicselliaError:
        """Return what an attempt ended in."""
        failure = _failure(exc, endpoint.method, url, attempt)
        if self.session.is_ours:
            exc.with_traceback(None)  # its frames hold what came, which may be an echo
        return failure

    async def _hidden(self, exchange: Exchange, *request: Any) -> Answer:
        """Send a request; an error that repeats words of the host shows no secret of the request."""
        outer = sys.exception()
        try:
            return await exchange(*request)
        except Exception as error:
            self._hide(error, outer)
            raise

    def _hide(self, error: Exception, outer: BaseException | None) -> None:
        """Hide secrets in what an exchange raised, and in what that came from: a traceback shows both.

        A `StatusError`, of a sign-in, was made without.

        Args:
            error: What was raised.
            outer: What the caller was handling when the exchange began: a context too, and none of ours.
        """
        if isinstance(error, DecodeError):
            error.message = hidden_in(error.message, self._secrets())
            error.args = (error.message, *error.args[1:])
        elif not isinstance(error, PicselliaError):
            for one in _all_of(error, outer):
                said = str(one)
                if (hidden := hidden_in(said[:_SAID_MAX], self._secrets())) != said:  # a bad line of a head, say
                    one.args = (hidden, *one.args[1:])

    async def _wait(self, endpoint: Endpoint[Any], failure: PicselliaError, attempt: int, delay: float) -> None:
        """Wait before the next attempt, and tell the log of it."""
        if is_refused(failure):
            self.session.tell_refused(self.origin, self.retry.total, self.clock())
        logger.debug("attempt %d of %s failed, the next follows in %.3f s: %s", attempt, endpoint.name, delay, failure)
        await self.session.sleep(delay)

    def _timeouts_left(self, started: float) -> Timeouts:
        """Return the limits of an attempt of a call that began some time ago."""
        total = self.retry.total
        return within(self.timeouts, None if total is None else total - (self.clock() - started))

    async def _attempt(
        self, endpoint: Endpoint[Any], target: bytes, headers: bytes, body: Body | None, timeouts: Timeouts
    ) -> Answer:
        """Send once; once more with a new credential where the first one was refused."""
        session = self.session
        exchange: Exchange = session.exchange
        if session.observer is not None:
            exchange = functools.partial(session.observer.exchange, functools.partial(self._hidden, exchange))
        outer = sys.exception()
        lines = self.credential.current() or await self._sign_in(timeouts)
        try:
            answer = await exchange(endpoint, self.origin, target, _signed(lines, headers), body, timeouts)
            if answer.status == 401 and self.credential.invalidate(lines):
                lines = await self._sign_in(timeouts)
                answer = await exchange(endpoint, self.origin, target, _signed(lines, headers), body, timeouts)
        except Exception as error:
            self._hide(error, outer)
            if isinstance(error, DecodeError):
                raise error.with_traceback(None) from None  # its frames hold what came, which may be an echo
            raise
        return answer

    async def _sign_in(self, timeouts: Timeouts) -> bytes:
        try:
            with before_sending():
                return await self.credential.acquire(timeouts)
        except TransportError as exc:
            # The request that it is for was not sent: any call may be repeated, and no frame was stored.
            exc.request_sent, exc.status = False, 0
            raise
        except (StatusError, DecodeError) as exc:
            exc.request_sent = False
            raise

    def login_credential(self, endpoint: Endpoint[LoginReceipt], request: LoginRequest) -> JwtCredential:
        """Return a JWT that the given endpoint of this service issues; nothing is sent before its first use."""
        told_at = -math.inf

        async def login(timeouts: Timeouts) -> tuple[LoginReceipt, datetime.datetime | None]:
            once = attrs.evolve(self, retry=RetryPolicy.none(), timeouts=timeouts)
            answer, url, attempts = await once.send(endpoint, body=SecretBytes(encode_body(request)))
            receipt = decode(endpoint, answer, url, attempts)
            nonlocal told_at
            # Where the service refuses the account, each probe signs in anew: a line for each of them would tell nothing.
            is_news = self.clock() >= told_at + _SIGN_IN_TOLD_SECONDS
            told_at = self.clock() if is_news else told_at
            logger.log(logging.INFO if is_news else logging.DEBUG, "signed in at %s", self.origin)
            return receipt, answer_date(answer)

        return JwtCredential(login, self.clock)


def anonymous() -> StaticCredential:
    """Return the credential that signs nothing: for logins and presigned addresses."""
    return StaticCredential(b"")


def bearer(api_token: str, organization_id: object | None = None) -> StaticCredential:
    """Return the platform's credential; the organization is named only where it has a connector (docs/wire.md#headers)."""
    lines = f"authorization: Bearer {api_token}\r\n"
    if organization_id is not None:
        lines += f"x-picsellia-organization: {organization_id}\r\n"
    return StaticCredential(SecretBytes(lines.encode("ascii")))


def _all_of(error: BaseException, outer: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it came from, but for `outer` and those that it came from."""
    seen = {id(outer)}
    rest: list[BaseException | None] = [error]
    while rest:
        one = rest.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            rest += (one.__cause__, one.__context__)
            yield one


# A camera's frames all go to one place; working it out anew would cost more than reading the answer.
@functools.lru_cache(1024)
def _place(origin: Origin, endpoint: Endpoint[Any], path: tuple[tuple[str, object], ...]) -> tuple[bytes, str]:
    """Return the request target without its query, and the URL that errors show."""
    target = endpoint.path.format(**{name: quote(str(value), safe="") for name, value in path})
    encoded = target.encode("ascii")
    if endpoint.host is Host.STORAGE:  # a presigned address: its query is a key, and its path may hold one
        return SecretBytes(encoded), f"{origin}{foreign_path(target)}"
    return encoded, f"{origin}{target.partition('?')[0]}"


@functools.lru_cache(64)
def _signed(lines: bytes, headers: bytes) -> bytes:
    """Return both together, made once for each credential: what is secret is copied twice to stay so."""
    return lines + headers


@functools.lru_cache(16)
def _headers(content_type: str | None) -> bytes:
    lines = f"user-agent: {USER_AGENT}\r\naccept: */*\r\n"
    if content_type is not None:
        lines += f"content-type: {content_type}\r\n"
    return lines.encode("ascii")


def _failures() -> tuple[type[Exception], ...]:
    """Return what an attempt may raise, looked up only when it did, as `errors` does."""
    return (StatusError, TransportError, *errors("RequestError", "UnsupportedProtocol", "InvalidURL"))


def _failure(exc: Exception, method: str, url: str, attempt: int) -> PicselliaError:
    """Return what an attempt ended in; raise where the address is the reason."""
    if isinstance(exc, (StatusError, TransportError)):  # only of a sign-in: what `_attempt` meets itself is httpx's
        exc.attempts = attempt
        return exc
    if isinstance(exc, errors("UnsupportedProtocol", "InvalidURL")):  # the latter also for one that is too long
        raise ConfigurationError(f"{url}: {exc}") from exc
    failure = _transport_error(exc, method, url, attempt)
    failure.__cause__ = exc
    return failure


def _transport_error(exc: Exception, method: str, url: str, attempts: int) -> TransportError:
    cls = RequestTimeoutError if isinstance(exc, errors("TimeoutException")) else TransportError
    said = str(exc)
    message = f"{type(exc).__name__}: {said}" if said else type(exc).__name__
    if speaks_no_tls(exc):
        message += "; the peer does not speak TLS at this port: is it http?"
    sent = getattr(exc, "request_sent", not isinstance(exc, errors(*_NOT_SENT)))
    return cls(message, method, url, attempts, sent, getattr(exc, "status", 0))
