"""Connections that end while they are idle, handed over or in use."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket

import httpx
import pytest

from picsellia_async._http import early_closes, pool

from .gate import Gate, ask, settle
from .peers import OK, TIMEOUTS, Wire, answering, echo, scripted, settled

pytestmark = pytest.mark.anyio


async def test_idle_connections_that_ended_early_are_counted_once(make_transport) -> None:
    """Several that ended unseen, found one after the other: the number of idle ones is right, and the next call is served."""
    transport = make_transport(max_connections=5)
    gate = Gate()
    async with scripted(gate) as peer:
        calls = [asyncio.create_task(ask(transport, peer)) for _ in range(5)]
        await peer.until(lambda: peer.accepted == 5)
        gate.open()
        await asyncio.gather(*calls)
        for wire in peer.wires:
            with socket.socket(fileno=os.dup(wire.writer.get_extra_info("socket").fileno())) as sock:
                sock.shutdown(socket.SHUT_RDWR)  # no turn of the loop in which it could be seen
        await ask(transport, peer)
        assert transport.counts.connections == 1
        while transport.counts.idle != 1:  # noqa: ASYNC110 - it is watched before it may be used again, and nobody tells
            await asyncio.sleep(0.01)


async def test_a_connection_is_not_forgotten_where_another_one_ends_the_distrust(make_transport, monkeypatch) -> None:
    """It was watched before it might be used again, as its host had closed others early. Nobody had it, and its slot was lost."""
    monkeypatch.setattr(early_closes, "EARLY_SECONDS", math.inf)  # an end counts as early, however slow the machine
    monkeypatch.setattr(pool, "EARLY_SECONDS", 0.2)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            target = (await wire.request()).target
            if target == b"/slow":
                reached.set()
                await go_on.wait()
            await wire.send(OK)
            if target == b"/end":
                return

    transport = make_transport()
    async with scripted(script) as peer:

        async def call(target: bytes) -> None:
            await transport.exchange(peer.origin, b"GET", target, b"", None, TIMEOUTS)

        await call(b"/")
        slow = asyncio.create_task(call(b"/slow"))
        await reached.wait()
        distrusts = transport._pool.idle.early_closes.distrusts
        for _ in range(early_closes.ENDS_IN_A_ROW):
            await call(b"/end")
            await settled(lambda: transport.counts.connections == 1)
        assert distrusts(peer.origin)
        await call(b"/")
        go_on.set()
        await slow
        assert not distrusts(peer.origin)
        assert transport.counts.connections == 2
        async with asyncio.timeout(60):
            while transport.counts.idle != 2:  # noqa: ASYNC110 - nobody tells that the watch is over
                await asyncio.sleep(0.01)


async def test_idle_end_is_noticed(make_transport) -> None:
    """A connection that the peer closes while idle leaves the pool at once."""
    transport = make_transport()
    async with scripted(answering(OK)) as peer:
        await ask(transport, peer)
        for wire in peer.wires:
            wire.close()
        await peer.until(lambda: peer.open == 0)
        while transport.counts.connections:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0)
        assert transport.counts.idle == 0


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_end_that_the_loop_has_not_seen(make_transport, method: bytes, end: str) -> None:
    """A connection that ended while the loop was busy is replaced before a byte is written, for POST as well."""
    transport = make_transport()
    async with scripted(echo) as peer:
        for number in range(20):
            await transport.exchange(peer.origin, method, b"/", b"", None, TIMEOUTS)
            assert peer.accepted == number + 1
            wire = peer.wires[-1]
            # End it without giving the loop a turn: the event is in the kernel, not in the loop.
            if end == "reset":
                wire.reset()
            with contextlib.suppress(OSError):
                wire.shut(socket.SHUT_RDWR)


async def test_end_in_flight_is_not_an_error(make_transport) -> None:
    """A peer that closes before the request arrives provably took no byte of it: even a POST is sent again."""
    transport = make_transport()
    posts = 0

    async def script(wire: Wire) -> None:
        nonlocal posts
        while True:
            await wire.request()
            posts += 1
            await wire.send(OK)

    async with scripted(script) as peer:
        for number in range(20):
            answer = await transport.exchange(peer.origin, b"POST", b"/", b"", b"body", TIMEOUTS)
            assert answer.content == b"ok"
            assert posts == number + 1
            # No turn of the loop, no check of the socket: the request goes into a closed connection.
            peer.wires[-1].shut(socket.SHUT_RDWR)


async def test_end_after_reading_is_an_error_for_post(make_transport) -> None:
    """On a used connection, a peer that read a POST and closed may have processed it: the caller is told, nothing is repeated."""
    transport = make_transport()
    requests = []

    async def script(wire: Wire) -> None:
        while True:
            requests.append(await wire.request())
            if len(requests) == 2:
                return
            await wire.send(OK)

    async with scripted(script) as peer:
        await transport.exchange(peer.origin, b"POST", b"/", b"", b"one", TIMEOUTS)
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", b"two", TIMEOUTS)
        assert caught.value.request_sent is True
        assert [request.body for request in requests] == [b"one", b"two"]


async def test_end_after_reading_is_repeated_for_get(make_transport) -> None:
    """On a used connection, a GET that met its end is sent again on another one."""
    transport = make_transport()
    seen = 0

    async def script(wire: Wire) -> None:
        nonlocal seen
        while True:
            await wire.request()
            seen += 1
            if seen == 2:
                return
            await wire.send(OK)

    async with scripted(script) as peer:
        assert (await ask(transport, peer)).content == b"ok"
        assert (await ask(transport, peer)).content == b"ok"
        assert (seen, peer.accepted) == (3, 2)


async def test_first_use_is_never_repeated(make_transport) -> None:
    """An end without an answer on a fresh connection is no stale connection: not even a GET is sent again."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        await wire.request()

    async with scripted(script) as peer:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(transport, peer)
        assert peer.accepted == 1


async def test_connection_lost_while_handed_over(make_transport) -> None:
    """A waiter that was given a connection which ends before it wakes opens another one."""
    transport = make_transport(max_connections=1)
    gate = Gate()
    async with scripted(gate) as peer:
        first = asyncio.create_task(ask(transport, peer, b"/first"))
        await peer.until(lambda: bool(gate.targets))
        second = asyncio.create_task(ask(transport, peer, b"/second"))
        await settle()
        (connection,) = transport._pool._connections
        first.add_done_callback(lambda _: None)
        original = transport._pool._place

        def place(given) -> None:
            original(given)
            given.abort()

        transport._pool._place = place
        gate.open()
        assert (await first).content == b"/first"
        transport._pool._place = original
        assert (await second).content == b"/second"
        assert peer.accepted == 2
        assert connection.gone
