"""TLS between a socket's transport and a connection, and the one shared context. No HTTP here.

Why not asyncio's own: it cannot resume a session, it hides how many bytes of the request still wait to be sent, and it
keeps a read buffer of 256 KiB for each connection. This layer encrypts at once and leaves buffering to the transport
below, so that "the write buffer is empty" means the same with TLS as without.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import ssl
import threading
from pathlib import Path
from typing import Any, Final

import httpx

from picsellia_async._http import tcp
from picsellia_async._http.connection import Connection
from picsellia_async.errors import ConnectionConfigurationError

RECORD_BYTES: Final = 1 << 14
"""Largest TLS record."""

FLUSH_BYTES: Final = 1 << 17
"""Plaintext encrypted before the ciphertext goes to the socket: the whole of a large body never exists twice."""

_context_lock = threading.Lock()
"""`lru_cache` would let threads that come at once read all certificates each for itself."""


TRUST_VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Where the environment may name trusted certificates. The last two are requests', which the vendor's SDK uses; they count where
neither of the first two is set."""


@functools.lru_cache(maxsize=8)
def _build_context(cert_file: str | None, cert_dir: str | None, *bundles: str | None) -> ssl.SSLContext:
    for name, value in zip(TRUST_VARIABLES, (cert_file, cert_dir, *bundles), strict=True):
        if value and not Path(value).exists():
            raise ConnectionConfigurationError(f"{name} names certificates that are not there: {value!r}")
    bundle = next(filter(None, bundles), None)
    if bundle is None or cert_file or cert_dir:
        return httpx.create_ssl_context()
    if Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


def shared_context() -> ssl.SSLContext:
    """Return the context that all transports without one of their own share; built at first use, in tens of ms.

    Built anew if one of `TRUST_VARIABLES` has changed since. Call it in a thread.

    Raises:
        ConnectionConfigurationError: One of them names what is not there.
    """
    with _context_lock:
        return _build_context(*map(os.environ.get, TRUST_VARIABLES))


def _renew_lock() -> None:
    global _context_lock  # noqa: PLW0603 - a lock cannot be unlocked by a process that does not hold it
    _context_lock = threading.Lock()  # a thread of the parent may have held the old one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class TlsLayer(asyncio.BufferedProtocol):
    """Protocol of the socket's transport, and transport of the connection."""

    def __init__(
        self,
        connection: Connection,
        context: ssl.SSLContext,
        view: memoryview,
        *,
        session: ssl.SSLSession | None,
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # Certificates know neither zones nor the root's dot.
        name = connection.origin.host.partition("%")[0].rstrip(".")
        # As httpcore does: a context of the caller's may offer HTTP/2, which nothing here speaks. Set before each handshake,
        # because whoever shares the context may set it as well.
        context.set_alpn_protocols(["http/1.1"])
        self.ssl_object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name, session=session)
        self.written = 0
        """Bytes of ciphertext given to the socket's transport."""
        self.session_kept = False
        self._connection = connection
        self._view = view
        self._plain = memoryview(bytearray(RECORD_BYTES))
        self._raw: Any = None
        self._ready = False
        self._backlog: list[bytes] = []
        self._handshake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Not in the future: an error there that nobody fetches, since the opening was cancelled, would be logged by the loop.
        self._failure: Exception | None = None

    async def handshake(self) -> None:
        """Wait for the end of the handshake.

        Raises:
            ssl.SSLError: The peer cannot be trusted, or does not speak TLS.
            OSError: The connection broke.
        """
        await self._handshake
        error, self._failure = self._failure, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback refers to this frame

    # -- what a connection uses -----------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        if self._backlog:  # in order: nothing overtakes what waits
            self._backlog.append(data)
            return
        view = memoryview(data)
        start = 0
        try:
            while start < len(view):
                start += self.ssl_object.write(view[start : start + FLUSH_BYTES])
                if self._outgoing.pending >= FLUSH_BYTES:
                    self._flush()
        except ssl.SSLWantReadError:
            # The peer negotiates anew (TLS 1.2), and must be read first. `_read` sends the rest.
            self._backlog.append(bytes(view[start:]))
        except ssl.SSLError as error:
            self._connection.lose(error)
        self._flush()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that the kernel has not taken."""
        size: int = self._raw.get_write_buffer_size()
        return size + sum(map(len, self._backlog))

    def pause_reading(self) -> None:
        """Stop reading from the socket."""
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read from the socket again."""
        self._raw.resume_reading()

    def abort(self) -> None:
        """Close the socket."""
        if self._raw is not None:
            self._raw.abort()

    def close(self) -> None:
        """Send a close_notify and close the socket, without waiting for the peer's."""
        with contextlib.suppress(ssl.SSLError):
            self.ssl_object.unwrap()
        self._flush()
        if self._raw.get_write_buffer_size():
            # The peer takes nothing more: to wait until it has our close_notify would keep socket and slot, perhaps for ever.
            self._raw.abort()
        else:
            self._raw.close()

    def _flush(self) -> None:
        # A transport that is closing drops what it is given, and warns in the log.
        if self._outgoing.pending and not self._raw.is_closing():
            data = self._outgoing.read()
            self.written += len(data)
            self._raw.write(data)

    # -- asyncio's callbacks --------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Begin the handshake."""
        self._raw = transport
        transport.set_write_buffer_limits(high=0)
        if self._connection.gone:  # aborted while the loop set the transport up
            transport.abort()
        else:
            self._shake_hands()

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Lend asyncio the pool's buffer; `buffer_updated` empties it in the same callback."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Decrypt what came."""
        self._incoming.write(self._view[:nbytes])
        if not self._ready:
            self._shake_hands()
        if self._ready:
            self._read()

    def _shake_hands(self) -> None:
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._flush()  # the alert that says why
            self._fail_handshake(error)
            return
        self._flush()
        self._ready = True
        self._connection.connection_made(self)
        if not self._handshake.done():
            self._handshake.set_result(None)

    def _fail_handshake(self, error: Exception) -> None:
        if not self._handshake.done():
            self._failure = error.with_traceback(None)
            self._handshake.set_result(None)
        self.abort()

    def _read(self) -> None:
        try:
            while self._incoming.pending:
                size = self.ssl_object.read(RECORD_BYTES, self._plain)
                if not size:
                    self._end()
                    return
                self._connection.feed(self._plain[: int(size)])
        except ssl.SSLWantReadError:  # the rest of a record is still on its way
            pass
        except ssl.SSLError as error:
            self._flush()
            self._connection.lose(error)
            self._raw.abort()
            return
        if self._backlog:
            waiting, self._backlog = self._backlog, []
            for data in waiting:
                self.write(data)
        self._flush()

    def _end(self) -> None:
        """The peer sent a close_notify: hand it on."""
        self._connection.eof_received()
        self._raw.abort()

    def eof_received(self) -> bool:
        """Treat an end without close_notify as one with it: HTTP's own framing tells whether something is missing.

        Only a body that ends with its connection would be cut short unseen; the connection refuses that one.
        """
        if self._ready:
            self._connection.cut_short = True
            return self._connection.eof_received()
        self._fail_handshake(ConnectionResetError("the peer closed the connection during the TLS handshake"))
        return False

    def pause_writing(self) -> None:
        """Pass it on."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, after what can still be read."""
        if self._ready and exc is not None and self._connection.waiting and (rest := tcp.unread(self._connection.sock)):
            self._incoming.write(rest)
            self._read()
        self._fail_handshake(exc or ConnectionResetError("the connection broke during the TLS handshake"))
        self._connection.connection_lost(exc)
        del self._connection  # it refers to us, and may hold the bytes of half a response
