"""What the operating system knows of one TCP connection: options we set, and facts we ask for. No HTTP here."""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import struct
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

KEEPALIVE_IDLE_SECONDS: Final = 60
"""Silence after which the kernel probes the peer: NATs and load balancers often forget a flow after some minutes."""

KEEPALIVE_PROBES: Final = 5
"""Unanswered probes, 60 s apart, after which the connection counts as lost."""

_BYTES_ACKED_OFFSET: Final = 120
"""Place of `tcpi_bytes_acked` in Linux's `struct tcp_info` (since 4.2, linux/tcp.h)."""

_UNACKED_OFFSET: Final = 24
"""Place of `tcpi_unacked` in it, in packets."""

_LAST_ACK_OFFSET: Final = 56
"""Place of `tcpi_last_ack_recv` in it, in milliseconds."""

_NOT_SENT_OFFSET: Final = 144
"""Place of `tcpi_notsent_bytes` in it (since 4.6)."""

_LINGER: Final = "hh" if sys.platform == "win32" else "ii"
"""`struct linger`: whether closing waits, and for how many seconds."""

_UNREAD_MAX: Final = 1 << 20
"""Bytes read at most from a connection that broke."""


def tune(sock: socket.socket) -> None:
    """Send small writes at once, and have the kernel probe silent connections."""
    sock.setblocking(False)
    with contextlib.suppress(OSError):  # a system that refuses one of them still connects
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
            ("TCP_KEEPINTVL", KEEPALIVE_IDLE_SECONDS),
            ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ):
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def probe(sock: socket.socket) -> Callable[[], object]:
    """Return a function that tells whether something waits to be read; on an idle connection that is its end.

    It costs half a microsecond, so it is asked before every reuse. It must not be called once the socket is closed.
    """
    if not hasattr(select, "poll"):  # Windows; elsewhere `select` fails for descriptors above 1023
        return lambda: select.select([sock], [], [], 0)[0]
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return functools.partial(poll.poll, 0)


class Flow(NamedTuple):
    """What this system's kernel knows of the bytes that we have written."""

    acknowledged: int
    """Bytes that the peer's kernel has confirmed in all."""
    in_flight: int
    """Packets that are on their way, or lost. None is while the peer takes no more bytes and ours wait here."""
    silence: float
    """Seconds since the peer's kernel confirmed anything."""
    not_sent: int
    """Bytes that this system has not put on the wire as yet: the peer's window, or the network, has had no room."""


def flow(sock: socket.socket) -> Flow | None:
    """Ask the kernel about a connection; None where this system does not tell."""
    if sys.platform != "linux":
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:
        return None
    if len(info) < _BYTES_ACKED_OFFSET + 8:
        return None
    confirmed: int = struct.unpack_from("=Q", info, _BYTES_ACKED_OFFSET)[0]
    in_flight: int = struct.unpack_from("=I", info, _UNACKED_OFFSET)[0]
    silence_ms: int = struct.unpack_from("=I", info, _LAST_ACK_OFFSET)[0]
    # The SYN counts as one; zero means that this kernel (an emulation of Linux, say) does not fill the field in.
    if not confirmed:
        return None
    has_not_sent = len(info) >= _NOT_SENT_OFFSET + 4
    not_sent: int = struct.unpack_from("=I", info, _NOT_SENT_OFFSET)[0] if has_not_sent else 0
    return Flow(confirmed - 1, in_flight, silence_ms / 1000, not_sent)


def drop_unsent(sock: socket.socket) -> None:
    """Have the kernel forget what it holds for the peer when the socket is closed, which resets the connection."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))


def unread(sock: socket.socket) -> bytes:
    """Take what still waits in the receive buffer of a connection that broke while it was written to.

    A server may refuse a request early, answer, and close without reading the rest. Its reset then fails our next
    write, while its answer lies unread in our buffer.
    """
    pieces: list[bytes] = []
    size = 0
    with contextlib.suppress(OSError):
        while size < _UNREAD_MAX:
            piece = sock.recv(1 << 16)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
    return b"".join(pieces)
