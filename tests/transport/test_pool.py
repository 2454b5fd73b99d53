"""Who gets a connection, and which."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from .gate import Gate, ask, settle
from .peers import OK, Wire, echo, scripted

pytestmark = pytest.mark.anyio


async def test_hard_limit(make_transport) -> None:
    """There are never more sockets than slots, and everybody is served."""
    transport = make_transport(max_connections=3)
    async with scripted(echo) as peer:
        answers = await asyncio.gather(*[ask(transport, peer, b"/%d" % number) for number in range(200)])
        assert [answer.content for answer in answers] == [b"/%d" % number for number in range(200)]
        assert peer.most_open == 3
        assert peer.accepted == 3


async def test_limit_is_over_all_origins(make_transport) -> None:
    """The limit counts connections to all origins together, and no origin starves."""
    transport = make_transport(max_connections=2)
    async with scripted(echo) as one, scripted(echo) as two, scripted(echo) as three:
        peers = [one, two, three]
        calls = [ask(transport, peers[number % 3], b"/%d" % number) for number in range(60)]
        answers = await asyncio.gather(*calls)
        assert [answer.content for answer in answers] == [b"/%d" % number for number in range(60)]
        assert transport.counts.connections <= 2


async def test_first_come_first_served(make_transport) -> None:
    """Waiters are served in the order of their coming."""
    transport = make_transport(max_connections=1)
    gate = Gate()
    async with scripted(gate) as peer:
        calls = []
        for number in range(20):
            calls.append(asyncio.create_task(ask(transport, peer, b"/%d" % number)))
            await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(*calls)
    assert gate.targets == [b"/%d" % number for number in range(20)]


async def test_newcomer_does_not_overtake(make_transport) -> None:
    """A caller that comes at the moment a connection is given back waits behind those in line."""
    transport = make_transport(max_connections=1)
    gate = Gate()
    async with scripted(gate) as peer:
        first = asyncio.create_task(ask(transport, peer, b"/first"))
        await peer.until(lambda: bool(gate.targets))
        second = asyncio.create_task(ask(transport, peer, b"/second"))
        await settle()
        first.add_done_callback(lambda _: late.append(asyncio.create_task(ask(transport, peer, b"/third"))))
        late: list[asyncio.Task] = []
        gate.open()
        await asyncio.gather(first, second)
        await late[0]
    assert gate.targets == [b"/first", b"/second", b"/third"]


async def test_most_recently_used_first(make_transport) -> None:
    """A quiet client uses the connection it used last; the others grow old."""
    transport = make_transport(max_connections=5)
    gate = Gate()
    async with scripted(gate) as peer:
        calls = [asyncio.create_task(ask(transport, peer)) for _ in range(5)]
        await peer.until(lambda: peer.accepted == 5)
        gate.open()
        await asyncio.gather(*calls)
        stack = transport._pool.idle._stacks[peer.origin]
        last = stack[-1]
        for _ in range(10):
            await ask(transport, peer)
            assert stack[-1] is last
        assert peer.accepted == 5


async def test_keepalive_expiry(make_transport) -> None:
    """An idle connection is closed when it is old, by the transport itself."""
    transport = make_transport(keepalive_expiry=0.05)
    async with scripted(echo) as peer:
        await ask(transport, peer)
        assert peer.open == 1
        await peer.until(lambda: peer.open == 0)
        assert not transport.counts.connections
        assert transport.counts.idle == 0
        await ask(transport, peer)
        assert peer.accepted == 2


async def test_no_expiry(make_transport) -> None:
    """Without an expiry there is no timer."""
    transport = make_transport(keepalive_expiry=None)
    async with scripted(echo) as peer:
        await ask(transport, peer)
        assert transport._pool.idle._timer is None


async def test_max_keepalive_connections(make_transport) -> None:
    """No more idle connections are kept than asked for; the oldest goes."""
    transport = make_transport(max_keepalive_connections=2)
    gate = Gate()
    async with scripted(gate) as peer:
        calls = [asyncio.create_task(ask(transport, peer)) for _ in range(6)]
        await peer.until(lambda: peer.accepted == 6)
        gate.open()
        await asyncio.gather(*calls)
        await peer.until(lambda: peer.open == 2)
        assert transport.counts.idle == 2


async def test_no_keepalive(make_transport) -> None:
    """With no idle connections allowed, each call has its own."""
    transport = make_transport(max_keepalive_connections=0)
    async with scripted(echo) as peer:
        for _ in range(3):
            await ask(transport, peer)
        await peer.until(lambda: peer.open == 0)
        assert peer.accepted == 3


async def test_idle_connection_of_another_origin_makes_room(make_transport) -> None:
    """With every slot idle at other origins, the one idle longest is closed for a newcomer."""
    transport = make_transport(max_connections=2)
    async with scripted(echo) as one, scripted(echo) as two, scripted(echo) as three:
        await ask(transport, one)
        await ask(transport, two)
        await ask(transport, three)
        await one.until(lambda: one.open == 0)
        assert (two.open, three.open) == (1, 1)


async def test_unlimited(make_transport) -> None:
    """None means as many connections as callers."""
    transport = make_transport(max_connections=None)
    gate = Gate()
    async with scripted(gate) as peer:
        calls = [asyncio.create_task(ask(transport, peer)) for _ in range(150)]
        await peer.until(lambda: peer.accepted == 150)
        gate.open()
        await asyncio.gather(*calls)


async def test_failed_attempt_gives_its_slot_back(make_transport) -> None:
    """An attempt that fails passes its slot to the next in the queue."""
    transport = make_transport(max_connections=1)
    async with scripted(echo) as gone:
        pass
    async with scripted(echo) as peer:
        bad = [asyncio.create_task(ask(transport, gone)) for _ in range(5)]
        good = asyncio.create_task(ask(transport, peer, b"/good"))
        results = await asyncio.gather(*bad, return_exceptions=True)
        assert all(isinstance(result, httpx.ConnectError) for result in results)
        assert (await good).content == b"/good"


async def test_response_dropped_without_closing(make_transport) -> None:
    """A streamed response that nobody closes gives its slot back when it is collected."""
    transport = make_transport(max_connections=1)
    part = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(part if wire.number == 0 else OK)
        await wire.until_gone()

    async with scripted(script) as peer:
        response = await transport.handle_async_request(httpx.Request("GET", peer.url))
        del response
        assert (await ask(transport, peer)).content == b"ok"


async def test_a_queue_cancelled_at_once(make_transport) -> None:
    """Thousands of waiters cancelled in the turn in which a connection comes back do not cost the pool that connection."""
    transport = make_transport(max_connections=1)
    gate = Gate()
    async with scripted(gate) as peer:
        first = asyncio.create_task(ask(transport, peer, b"/first"))
        await peer.until(lambda: bool(gate.targets))
        crowd = [asyncio.create_task(ask(transport, peer, b"/never")) for _ in range(2000)]
        await settle()
        pool, release = transport._pool, transport._pool.release

        def cancel_and_release(connection) -> None:
            for task in crowd:
                task.cancel()
            release(connection)

        pool.release = cancel_and_release
        gate.open()
        assert (await first).content == b"/first"
        pool.release = release
        await asyncio.wait(crowd)
        assert all(task.cancelled() for task in crowd)
        assert (await ask(transport, peer, b"/next")).content == b"/next"
        assert peer.accepted == 1
