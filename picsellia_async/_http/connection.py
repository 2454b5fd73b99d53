"""One HTTP/1.1 connection: an asyncio protocol, one exchange at a time. No parsing, no pool, no TLS, no httpx objects.

Theory of operation
-------------------
The protocol's callbacks (bytes came, buffer drained, peer gone) only change fields and wake *the* waiter; one
connection serves one caller at a time, so there is at most one. Coroutines here loop over "is what I wait for true,
or has it failed? else wait". Nothing is lost when a wake-up and a cancellation meet, because the fields hold the truth.

A connection may be used again only if `finish` says so (the response is complete, the request went out whole, the
peer agreed to keep it open, and not one byte came that we did not ask for) and `is_reusable` finds nothing to read in
the kernel just before. In every other case it is aborted. That is the whole defence against reading somebody else's
answer.

The write buffer's limits are set to zero, so `pause_writing` and `resume_writing` say exactly whether a byte of the
request has not been handed to the kernel yet. From that come back-pressure, the write timeout and `request_sent`.

Each connection has one timer. A deadline is a float; the timer is armed when none runs or it would fire too late, and
when it fires early it is armed again. An exchange of 2 ms with a read timeout of 60 s thus touches no timer at all.
It fires every few seconds while a caller waits, and asks the kernel what the peer's host has confirmed. So a connection
that is dead, one that is slow and a peer that does not answer are told apart.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Iterable
from typing import Any, Final, Protocol

import httpx

from picsellia_async._http import tcp
from picsellia_async._http.failures import failure
from picsellia_async._http.loop import clock_of
from picsellia_async._http.parser import MalformedResponse, ResponseParser
from picsellia_async._wire.exchange import Origin
from picsellia_async.config import ATTEMPT_BYTES_PER_SECOND

STREAM_BUFFER_BYTES: Final = 1 << 18
"""Body bytes that may wait for a slow reader before we stop reading from the socket."""
YIELD_BYTES: Final = 1 << 19
"""Request bytes written before the event loop gets a turn, even if the socket takes more."""
LOOK_SECONDS: Final = 5.0
"""While a caller waits, the kernel is asked this often whether the peer's host still confirms what we send."""
DEAD_SECONDS: Final = 15.0
"""Silence of a host that owes us confirmations after which the connection counts as dead: a firewall has forgotten it, say.
A slow peer confirms what it takes, and to one that takes nothing more nothing is on its way. So the dead are told within `DEAD_SECONDS + LOOK_SECONDS`."""
CLOCK_SECONDS: Final = 0.05
"""Kernel and loop count time apart: without this slack, a look that comes a millisecond early would leave it to the next one."""
NO_BODY_TO_COME: Final = 300
"""From this status on, a response that comes while the request is being sent ends the sending."""


class Owner(Protocol):
    """What a connection tells: the pool."""

    def lost(self, connection: Connection, /) -> None:
        """Note that the connection is gone, its socket about to be closed."""


class ByteTransport(Protocol):
    """The part of `asyncio.Transport` that a connection uses; `tls.TlsLayer` has it too."""

    def write(self, data: bytes, /) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def get_write_buffer_size(self) -> int: ...


class Connection(asyncio.BufferedProtocol):
    """An open connection and the state of its current exchange."""

    __slots__ = (
        "_acknowledged",
        "_bytes_before",
        "_counted",
        "_deadline",
        "_given_up",
        "_leaving",
        "_limit",
        "_loop",
        "_now",
        "_owner",
        "_paused",
        "_probe",
        "_progress_at",
        "_read_timeout",
        "_reading_paused",
        "_streaming",
        "_timer",
        "_transport",
        "_unsent_size",
        "_view",
        "_waiter",
        "_wakes_at",
        "_write_timeout",
        "_written",
        "busy",
        "cut_short",
        "eof",
        "error",
        "gone",
        "idle_since",
        "last",
        "origin",
        "request_sent",
        "response",
        "reused",
        "sent",
        "sock",
        "tls",
        "unprocessed",
        "written_at",
    )

    def __init__(
        self, origin: Origin, sock: socket.socket, owner: Owner, view: memoryview, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.origin = origin
        self.sock = sock
        """Ours to ask things of; closed by the event loop."""
        self.tls: Any = None
        """The `TlsLayer`, on `https`."""
        self.idle_since = 0.0
        self.gone = False
        """The connection can no longer be written to; `connection_lost` came or an abort is under way."""
        self.reused = False
        self.busy = False
        self._owner = owner
        self._loop = loop
        self._now = clock_of(loop)
        self._view = view  # shared by all connections of a pool: filled and consumed within one callback
        self._transport: ByteTransport | None = None
        self.response = ResponseParser()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = 0.0
        self._paused = False
        self._reading_paused = False
        self._written = 0
        self.written_at = 0.0
        self._probe = tcp.probe(sock)
        # What follows says that this exchange is the last one: none of it is ever taken back.
        self.last = False
        """The request says that no other one follows."""
        self._given_up = False
        """The rest of the request is not sent: the peer has answered without it."""
        self.eof = False
        self.cut_short = False
        """The end came without a close_notify of TLS: anybody on the way may have made it."""
        self.error: tuple[type[Exception], str] | None = None
        self.request_sent = False
        """After a failure: the peer may have received the whole request."""
        self.unprocessed = False
        """After a failure: the peer provably took no byte of the request."""
        self.sent = False
        """The whole request was given to the transport."""
        self._deadline = math.inf
        self._unsent_size = -1

    # -- the life of one exchange, called by the pool and the transport ------------------------------------------

    def begin(
        self,
        read: float | None,
        write: float | None,
        limit: float | None = None,
        *,
        head_only: bool,
        body_max: float | None,
    ) -> None:
        """Start an exchange.

        Args:
            read: Seconds to wait for the peer's next byte, None for no limit.
            write: Seconds to wait for the peer to take the next bytes.
            limit: Seconds for all of it; what is received adds to them (`ATTEMPT_BYTES_PER_SECOND`).
            head_only: The response has no body whatever its headers say (the answer to HEAD).
            body_max: Wake the caller at the end only, and end a body beyond so many bytes; None: wake it for the head and for each piece
                of the body.
        """
        self.sent = False
        self._deadline = math.inf
        self._bytes_before = self._acknowledged = self._written if self.tls is None else self.tls.written
        self._progress_at = 0.0
        self._leaving = False
        self._counted = 0
        self._unsent_size = -1
        if self.gone:  # it ended between being given to the caller and this call: nobody would ever wake the caller
            self.error = (httpx.WriteError, "the connection ended before the request was written")
            self.unprocessed = True
        self.response.begin(head_only=head_only, body_max=body_max)
        self.busy = True
        self._streaming = body_max is None
        self._limit = math.inf if limit is None else self._now() + limit
        self._read_timeout = read
        self._write_timeout = write

    def send(self, data: bytes) -> None:
        """Write a whole request at once."""
        self.write(data)
        self.sent = True
        self._arm(self._write_timeout if self._paused else self._read_timeout, self.written_at)

    def write(self, data: bytes) -> None:
        """Write a piece of the request; see `drain`."""
        if self.gone or self._transport is None:
            return
        self._written += len(data)
        self.written_at = self._now()
        self._transport.write(data)

    async def send_pieces(self, pieces: Iterable[bytes]) -> None:
        """Write the rest of a request piece by piece, as fast as the peer takes it; stop if the peer has answered."""
        unyielded = 0
        for piece in pieces:
            self.write(piece)
            unyielded += len(piece)
            del piece  # its head may hold a token, and tracebacks may show variables
            if self._paused or unyielded >= YIELD_BYTES:
                await (self.drain() if self._paused else asyncio.sleep(0))
                unyielded = 0
            if self.answered:
                self.give_up()
                return
        self.end()

    def give_up(self) -> None:
        """Note that the rest of the request is not sent, as the peer has answered without it."""
        self._given_up = True
        self._arm(self._read_timeout)

    def end(self) -> None:
        """Note that the request is whole."""
        self.sent = True
        self._arm(self._write_timeout if self._paused else self._read_timeout)

    @property
    def waiting(self) -> bool:
        """Whether a caller still expects bytes."""
        return self.busy and not self.response.complete and self.error is None

    @property
    def answered(self) -> bool:
        """Whether the peer has said enough to make the rest of the request pointless, or is gone."""
        response = self.response
        return response.complete or self.error is not None or response.status >= NO_BODY_TO_COME

    @property
    def may_have_left(self) -> bool:
        """Whether a peer may have the whole request when the exchange is given up now.

        What waits in our buffer is lost with the connection. What the kernel holds goes out behind us, also where the peer has had no
        room for it yet.
        """
        return (self.sent and not self._paused) or self.response.touched

    async def drain(self) -> None:
        """Wait until the kernel has taken all that was written, or the peer has answered, or all is lost."""
        while self._paused and not self.answered:
            self._arm(self._write_timeout)
            await self._wait()

    def more(self) -> asyncio.Future[None]:
        """Return what ends when there is more of the response to look at: until what the caller waits for has come.

        No coroutine that waits for it itself: one less on the way of every call.

        Raises:
            httpx.TransportError: No more will come.
        """
        if self.error is not None:
            raise self.failed()
        return self._wait()

    async def receive_piece(self) -> bytes:
        """Wait for the next piece of the body; empty at its end.

        Raises:
            httpx.TransportError: The body broke off.
        """
        while not self.response.waiting_bytes:
            if self.response.complete:
                return b""
            if self.error is not None:
                raise self.failed()
            self._resume_reading()
            self._arm(self._read_timeout)
            await self._wait()
        return self.response.take()

    def is_reusable(self) -> bool:
        """Look whether the connection still stands and is silent; abort it if not.

        The kernel is asked each time. Bytes that came after the last response, unseen by the loop as yet, would else be
        read as the answer to the next request.
        """
        if self.gone:
            return False
        if self._probe():
            self.abort()
            return False
        return True

    def finish(self) -> bool:
        """End the exchange; return whether the connection can serve another one. If not, it is aborted."""
        self.busy = False
        self._deadline = math.inf
        response = self.response
        usable = response.complete and response.keep_alive and not response.surplus and not self.last
        if not usable or not self.sent or self._paused or self.gone or self.error is not None:
            self.abort()
            return False
        if self._reading_paused:
            self._resume_reading()
        self.reused = True
        return True

    def _wait(self) -> asyncio.Future[None]:
        """Return what ends when there is something to look at; one that has ended waits for nothing any more."""
        waiter = self._waiter = self._loop.create_future()
        if self._timer is None and not self.gone:
            self._start_timer(self._now())
        return waiter

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # -- failure --------------------------------------------------------------------------------------------------

    def fail(self, kind: type[Exception], message: str, *, acks_tell: bool = False) -> None:
        """Note the first failure, wake the caller and close the socket."""
        if self.error is None:
            self.error = (kind, message)
            self._judge(acks_tell=acks_tell or self.eof or issubclass(kind, httpx.TimeoutException))
        self._wake()
        self.abort()

    def failed(self) -> Exception:
        """Make the exception for what went wrong."""
        kind, message = self.error or (httpx.ReadError, "the exchange failed")
        status = self.response.status if self.response.head_seen else 0
        return failure(kind, message, request_sent=self.request_sent, status=status)

    def _judge(self, *, acks_tell: bool) -> None:
        """Settle, while the socket can still be asked, how much of the request the peer can have seen.

        Args:
            acks_tell: What the peer's kernel has not confirmed, nobody there can have read. A FIN confirms every byte that
                came before it, so after one (EPIPE too means that one came) that holds. After a time-out, the kernel
                has repeated what was not confirmed many times. A mere reset proves nothing: it overtakes confirmations.
        """
        total = self._wire_bytes()
        flow = tcp.flow(self.sock)
        confirmed = flow.acknowledged if flow is not None and acks_tell else None
        # Whatever ended it: the peer cannot have what has never left this host.
        left = not self._paused and (flow is None or not flow.not_sent)
        self.request_sent = self.sent and left and (confirmed is None or confirmed >= total)
        self.unprocessed = not self.response.touched and (
            total == self._bytes_before or (confirmed is not None and confirmed <= self._bytes_before)
        )
        if not self.request_sent:
            tcp.drop_unsent(self.sock)  # else the kernel goes on sending behind us, and the peer has it after all

    def _wire_bytes(self) -> int:
        return self._written if self.tls is None else self.tls.written

    def abort(self) -> None:
        """Close the socket at once; what is unsent is lost. `connection_lost` follows in the next turn of the loop."""
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transport = self._transport if self.tls is None else self.tls
        if transport is not None:
            transport.abort()

    def close(self) -> None:
        """Close an idle connection: with TLS, say so first; in its handshake, do not wait for its end."""
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.close()
        elif self.tls is not None:
            self.tls.abort()

    # -- time -----------------------------------------------------------------------------------------------------

    def _arm(self, seconds: float | None, now: float | None = None) -> None:
        now = self._now() if now is None else now
        deadline = self._deadline = math.inf if seconds is None else now + seconds
        if self._timer is None or self._wakes_at > deadline or self._wakes_at > self._limit:
            self._start_timer(now)

    def _start_timer(self, now: float) -> None:
        look = LOOK_SECONDS
        if self._leaving and self._read_timeout is not None:
            look = min(look, self._read_timeout)  # so that the clock of reading starts in time
        wake = min(self._deadline, self._limit, now + look)
        timer = self._timer
        if timer is None or self._wakes_at > wake:
            if timer is not None:
                timer.cancel()
            if not self.gone:
                self._timer, self._wakes_at = self._loop.call_at(wake, self._on_timer), wake

    def _on_timer(self) -> None:
        self._timer = None
        if not self.busy or self._waiter is None or self._waiter.done():
            return
        now, flow = self._now(), tcp.flow(self.sock)
        unconfirmed = flow is not None and flow.acknowledged < self._wire_bytes()
        if (
            flow is not None
            and flow.in_flight
            and min(flow.silence, now - self.written_at) >= DEAD_SECONDS - CLOCK_SECONDS
        ):
            self.fail(httpx.WriteTimeout, f"the peer's host has confirmed nothing for {DEAD_SECONDS:g} s")
            return
        if now >= self._limit and now >= self._extended_limit():
            kind = httpx.ReadTimeout if self.sent and not self._paused else httpx.WriteTimeout
            self.fail(kind, "the exchange is too slow: it was not over within the limit of an attempt")
            return
        leaving = False
        if flow is not None and self.sent and not self._paused and not self.response.touched:
            leaving = unconfirmed
            self._set_clock(flow, leaving=leaving, now=now)
        if now < self._deadline - 0.0005:
            self._start_timer(now)
        elif leaving:
            self.fail(httpx.WriteTimeout, "the peer's host confirmed no byte of the request in time")
        elif self._given_up or (self.sent and not self._paused):
            self.fail(httpx.ReadTimeout, "the peer sent nothing in time")
        elif not self._paused:
            return
        elif self._progressed():
            self._arm(self._write_timeout)
        else:
            self.fail(httpx.WriteTimeout, "the peer took no byte of the request in time")

    def _set_clock(self, flow: tcp.Flow, *, leaving: bool, now: float) -> None:
        """While the kernel still sends what we gave it, the clock of writing runs; that of reading starts at its end.

        The kernel's buffer holds megabytes: on a slow uplink it is full for longer than a read timeout.
        """
        if flow.acknowledged > self._acknowledged:
            self._acknowledged, self._progress_at = flow.acknowledged, now
        if leaving:
            self._leaving = True
            since = max(self.written_at, self._progress_at)
            self._deadline = math.inf if self._write_timeout is None else since + self._write_timeout
        elif self._leaving:
            self._leaving = False
            self._deadline = math.inf if self._read_timeout is None else now - flow.silence + self._read_timeout

    def _extended_limit(self) -> float:
        """Put the end off by what was received since the last time."""
        before, self._counted = self._counted, self.response.waiting_bytes
        self._limit += (self._counted - before) / ATTEMPT_BYTES_PER_SECOND
        return self._limit

    def _progressed(self) -> bool:
        """Tell whether the write buffer changed since the last time we looked; the buffer drains unseen."""
        before, self._unsent_size = self._unsent_size, self._unsent()
        return before not in (-1, self._unsent_size)

    def _unsent(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    # -- asyncio's callbacks --------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Take the transport; called by asyncio, or by the TLS layer after the handshake."""
        self._transport = transport
        if self.gone:
            transport.abort()
        elif self.tls is None:
            transport.set_write_buffer_limits(high=0)

    def pause_writing(self) -> None:
        """Note that bytes of the request wait in our buffer."""
        self._paused = True
        self._unsent_size = self._unsent()

    def resume_writing(self) -> None:
        """Note that the kernel has it all."""
        self._paused = False
        if self.sent:
            if self.waiting:
                self._arm(self._read_timeout)
        else:
            self._wake()

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Lend asyncio the pool's buffer; `buffer_updated` empties it in the same callback."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Read what came."""
        self.feed(self._view[:nbytes])

    def feed(self, data: memoryview | bytes) -> None:
        """Read bytes of the peer."""
        response = self.response
        if not self.busy or response.complete:
            # Nobody asked for this: a server that says 408 before it closes, or one that is out of step.
            response.surplus = True
            self.abort()
            return
        try:
            response.feed(data)
        except MalformedResponse as error:
            self.fail(httpx.RemoteProtocolError, str(error))
            return
        if response.complete:
            self._wake()
            return
        if self._streaming:
            if response.head_seen:
                self._wake()
            if response.waiting_bytes > STREAM_BUFFER_BYTES:
                self._pause_reading()
        elif not self.sent and response.head_seen:
            self._wake()
        if (self.sent or self._given_up) and self._read_timeout is not None:
            self._deadline = self._now() + self._read_timeout

    def _pause_reading(self) -> None:
        if not self._reading_paused and self._transport is not None and not self.gone:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            if self._transport is not None and not self.gone:
                self._transport.resume_reading()

    def eof_received(self) -> bool:
        """Note that the peer will send no more; the transport closes itself on return."""
        self.eof = True
        if self.waiting:
            self._end_of_stream()
        self.gone = True
        return False

    def _end_of_stream(self) -> None:
        if not self.cut_short and self.response.finish_at_end():
            self._wake()
        elif self.response.touched:
            self.fail(httpx.RemoteProtocolError, "the peer closed the connection in the middle of its response")
        else:
            self.fail(httpx.RemoteProtocolError, "the peer closed the connection without a response")

    def connection_lost(self, exc: Exception | None) -> None:
        """Read what is left in the buffer, wake the caller, tell the pool."""
        if self.waiting:
            if exc is not None and self.tls is None and (rest := tcp.unread(self.sock)):
                self.feed(rest)
            if self.waiting:
                self.lose(exc)
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport = None
        self.response.close()
        self._wake()
        self._owner.lost(self)

    def lose(self, exc: Exception | None) -> None:
        """Turn the end of the connection into httpx's words."""
        closed_before = isinstance(exc, BrokenPipeError)  # the kernel's word for a reset that comes after a FIN
        if exc is None:
            self._end_of_stream()
        elif isinstance(exc, TimeoutError):
            self.fail(httpx.ReadError, f"the connection is dead: {exc}", acks_tell=True)
        elif not self.sent or self._paused:
            message = f"the connection broke while the request was sent: {exc}"
            self.fail(httpx.WriteError, message, acks_tell=closed_before)
        else:
            message = f"the connection broke before the response was whole: {exc}"
            self.fail(httpx.ReadError, message, acks_tell=closed_before)
