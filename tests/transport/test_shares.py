"""The share of connections that one host may have, so that one that hangs holds up nobody but its own callers."""

from __future__ import annotations

import asyncio
import contextlib
import random

import httpx
import pytest

from picsellia_async.config import Timeouts

from .peers import OK, TIMEOUTS, Wire, answering, echo, scripted

pytestmark = pytest.mark.anyio


async def hang(wire: Wire) -> None:
    """Take requests and say nothing."""
    await wire.until_gone()


def ask(transport, peer, target: bytes = b"/"):
    return transport.exchange(peer.origin, b"GET", target, b"", None, TIMEOUTS)


async def leave(calls: list[asyncio.Task]) -> None:
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({"max_connections": 20}, 18),
        ({"max_connections": 10}, 9),
        ({"max_connections": 9}, 9),
        ({"max_connections": 10, "max_connections_per_host": 3}, 3),
        ({"max_connections": None, "max_connections_per_host": 3}, 3),
    ],
    ids=str,
)
async def test_a_share_for_each_host(make_transport, options: dict, share: int) -> None:
    """One host has nine tenths of the connections at most, or what the option says; its other callers wait."""
    transport = make_transport(**options)
    async with scripted(hang) as hung:
        calls = [asyncio.create_task(ask(transport, hung)) for _ in range(30)]
        await hung.until(lambda: hung.accepted == share)
        assert transport.counts.slots == share
        assert transport.counts.queued == 30 - share
        await leave(calls)
    assert hung.accepted == share


async def test_no_limit_means_none(make_transport) -> None:
    """Without a limit on connections, there is none for a host either."""
    transport = make_transport(max_connections=None)
    async with scripted(hang) as hung:
        calls = [asyncio.create_task(ask(transport, hung)) for _ in range(120)]
        await hung.until(lambda: hung.accepted == 120)
        await leave(calls)


async def test_a_hung_host_does_not_starve_the_others(make_transport) -> None:
    """While one host answers none of 50 calls, 100 calls to another one are answered."""
    transport = make_transport(max_connections=10)
    async with scripted(hang) as hung, scripted(echo) as healthy:
        calls = [asyncio.create_task(ask(transport, hung)) for _ in range(50)]
        await hung.until(lambda: hung.accepted == 9)
        for _ in range(5):
            answers = await asyncio.gather(*[ask(transport, healthy, b"/%d" % number) for number in range(20)])
            assert [answer.content for answer in answers] == [b"/%d" % number for number in range(20)]
        assert healthy.accepted == 1  # the tenth slot, used again and again
        assert transport.counts.queued == 41
        await leave(calls)


async def test_a_host_that_takes_no_connection_does_not_starve_the_others(make_transport) -> None:
    """While TLS handshakes with one host hang, calls to another one are answered."""
    transport = make_transport(max_connections=4, max_connections_per_host=3)
    async with scripted(hang) as hung, scripted(echo) as healthy:
        url = hung.url.replace("http://", "https://")
        async with httpx.AsyncClient(transport=transport, timeout=None) as client:
            calls = [asyncio.create_task(client.get(url)) for _ in range(20)]
            await hung.until(lambda: hung.accepted == 3)
            assert transport.counts.openings == 3
            for number in range(20):
                assert (await ask(transport, healthy, b"/%d" % number)).content == b"/%d" % number
            await leave(calls)


async def test_the_queue_of_a_share_is_left_in_time(make_transport) -> None:
    """Who waits for its host's share while other slots are free leaves after the pool timeout, and the next one is served."""
    transport = make_transport(max_connections=5, max_connections_per_host=1)
    answer = asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await answer.wait()
            await wire.send(OK)

    async with scripted(script) as peer:
        first = asyncio.create_task(ask(transport, peer))
        await peer.until(lambda: peer.accepted == 1)
        with pytest.raises(httpx.PoolTimeout):
            await transport.exchange(peer.origin, b"GET", b"/", b"", None, Timeouts(300.0, 300.0, 300.0, 0.01))
        second = asyncio.create_task(ask(transport, peer))
        answer.set()
        assert (await first).content == (await second).content == b"ok"
        assert peer.accepted == 1


async def test_who_waits_for_a_share_lets_others_pass(make_transport) -> None:
    """A slot that comes free goes to who came first among those whose host may have one."""
    transport = make_transport(max_connections=3, max_connections_per_host=2)
    go = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        await go.wait()
        await wire.send(OK[:-2] + b"ok")

    async with scripted(hang) as hung, scripted(script) as busy, scripted(answering(OK)) as late:
        stuck = [asyncio.create_task(ask(transport, hung)) for _ in range(3)]
        await hung.until(lambda: hung.accepted == 2)
        last_slot = asyncio.create_task(ask(transport, busy))
        await busy.until(lambda: busy.accepted == 1)
        passing = asyncio.create_task(ask(transport, late))
        await asyncio.sleep(0)
        assert transport.counts.queued == 2
        go.set()
        await last_slot
        assert (await passing).content == b"ok"
        assert not stuck[2].done()
        await leave(stuck)


async def test_a_slot_of_a_full_host_opens_for_its_own_callers(make_transport) -> None:
    """Where a host is at its share and all slots are taken, idle connections to others make room once it may have more."""
    transport = make_transport(max_connections=3, max_connections_per_host=2)

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")

    async with scripted(script) as peer, scripted(echo) as other:
        await ask(transport, other)
        answers = await asyncio.gather(*[ask(transport, peer) for _ in range(10)])
        assert [answer.content for answer in answers] == [b"ok"] * 10
        assert peer.most_open <= 2


async def test_calls_at_random(make_transport) -> None:
    """Over three hosts that answer, close and hang, with callers that leave at random: every share holds, all who stay are served."""
    transport = make_transport(max_connections=4, max_connections_per_host=2)
    chance = random.Random(11)

    async def script(wire: Wire) -> None:
        while chance.random() < 0.7:
            request = await wire.request()
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target))
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast")

    async def call(peer, number: int) -> None:
        target = b"/%d" % number
        answer = await ask(transport, peer, target)
        assert answer.content in {target, b"last"}

    async with scripted(script) as one, scripted(script) as two, scripted(script) as three:
        calls = []
        for number in range(400):
            calls.append(asyncio.create_task(call(chance.choice([one, two, three]), number)))
            if chance.random() < 0.3:
                chance.choice(calls).cancel()
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            assert transport.counts.slots <= 4
        for outcome in asyncio.as_completed(calls):
            with contextlib.suppress(asyncio.CancelledError):
                await outcome
        assert max(one.most_open, two.most_open, three.most_open) <= 2
        assert transport.counts.queued == 0
