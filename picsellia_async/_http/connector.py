"""Opening connections: Happy Eyeballs (RFC 8305) and TCP. No pool here.

asyncio's `create_connection` has Happy Eyeballs too, but uvloop's has not, and neither lets us keep the socket, of
which the transport later asks what the peer has confirmed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from picsellia_async._http import tcp
from picsellia_async._http.resolver import Address, Resolver
from picsellia_async._wire.exchange import Origin

HEAD_START_SECONDS: Final = 0.25
"""Time that one address has for itself before the next is tried as well (RFC 8305, section 5)."""

PORT_MAX: Final = 65535


async def open_socket(origin: Origin, resolver: Resolver, loop: asyncio.AbstractEventLoop) -> socket.socket:
    """Connect to the first address of an origin that answers.

    Raises:
        OSError: The name is not known, or no address answers.
    """
    if origin.port > PORT_MAX:  # uvloop would connect to what is left of it in 16 bits
        raise OSError(f"{origin} is no address: there is no such port")
    # URLs write the `%` before a zone as `%25` (RFC 6874).
    host = origin.host.replace("%25", "%", 1) if ":" in origin.host else origin.host
    if (literal := _literal(host, origin.port)) is not None:
        return await _connect(literal, loop)
    try:
        addresses = _interleave(await resolver.resolve(host, origin.port))
    except UnicodeError as error:  # a label over 63 characters
        raise OSError(f"{origin} is no address: {error}") from error
    try:
        return await (_connect(addresses[0], loop) if len(addresses) == 1 else _race(addresses, loop))
    except OSError:
        # The service may have moved: the next call asks for its addresses again.
        resolver.forget(host)
        raise


def _literal(host: str, port: int) -> Address | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):  # not a literal address of this family
            socket.inet_pton(family, host)
            return family, (host, port)
    return None


def _interleave(addresses: list[Address]) -> list[Address]:
    """Alternate the families, beginning with the one that the resolver prefers."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    second = [address for address in addresses if address[0] != addresses[0][0]]
    pairs = itertools.zip_longest(first, second)
    return [address for pair in pairs for address in pair if address is not None]


async def _connect(address: Address, loop: asyncio.AbstractEventLoop) -> socket.socket:
    family, peer = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        tcp.tune(sock)
        await loop.sock_connect(sock, peer)
    except BaseException:  # on cancellation too: nobody else knows this socket
        sock.close()
        raise
    return sock


async def _race(addresses: list[Address], loop: asyncio.AbstractEventLoop) -> socket.socket:
    """Try one address after the other, each with a head start over the next; the first to answer wins."""
    running: set[asyncio.Task[socket.socket]] = set()
    errors: list[BaseException] = []
    rest = iter(addresses)
    winner: socket.socket | None = None
    try:
        address = next(rest, None)
        while winner is None and (address is not None or running):
            if address is not None:
                running.add(loop.create_task(_connect(address, loop)))
                address = next(rest, None)
            head_start = None if address is None else HEAD_START_SECONDS
            done, running = await asyncio.wait(running, timeout=head_start, return_when=asyncio.FIRST_COMPLETED)
            winner = _first(done, errors)
    finally:
        try:
            await _discard(running)
        except BaseException:
            # Cancelled while the losers end: the winner is handed to nobody.
            if winner is not None:
                winner.close()
            raise
    if winner is None:
        # The kind says what to do next: a service that refuses is about to come back.
        refused = all(isinstance(error, ConnectionRefusedError) for error in errors)
        raise (ConnectionRefusedError if refused else OSError)("; ".join(str(error) for error in errors))
    return winner


def _first(done: set[asyncio.Task[socket.socket]], errors: list[BaseException]) -> socket.socket | None:
    winner = None
    for task in done:
        error = task.exception()
        if error is not None:
            errors.append(error)
        elif winner is None:
            winner = task.result()
        else:  # two answered in the same turn of the loop
            task.result().close()
    return winner


async def _discard(losers: set[asyncio.Task[socket.socket]]) -> None:
    for task in losers:
        task.cancel()
    for task in losers:
        # One that connected just before it was cancelled holds a socket. A callback closes it even if we are cancelled below.
        task.add_done_callback(_close_late_winner)
    if losers:
        await asyncio.wait(losers)


def _close_late_winner(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def build_context(make: Callable[[], ssl.SSLContext], loop: asyncio.AbstractEventLoop) -> ssl.SSLContext:
    """Build a TLS context in a thread: reading the certificates takes tens of milliseconds."""
    building: Awaitable[ssl.SSLContext] = loop.run_in_executor(None, make)
    return await building
