"""Calls cancelled in numbers, at random points, cost the pool no slot and nobody another's answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from typing import Any

import httpx
import pytest

from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async.config import Timeouts

from .peers import TIMEOUTS, Wire, descriptors, new_tasks, once, scripted, settled

pytestmark = pytest.mark.anyio


PATIENT = Timeouts(300.0, 300.0, 300.0, None)
"""Nothing is late here, however slow the machine; a lost slot shows as fewer connections, ten of them as no end."""


SOAK = os.environ.get("PICSELLIA_ASYNC_SOAK") == "1"


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """Without debug mode: the number of calls is what counts here, and the mode costs nine tenths of the time."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def jittery(wire: Wire) -> None:
    """Answer with the target and the length of the body, in pieces, at once or after a while."""
    chance = random.Random(wire.number)
    while True:
        request = await wire.request()
        answer = b"%b %d" % (request.target, len(request.body))
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
        cut = chance.randrange(len(reply))
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 0.003)
        await wire.send(reply[:cut])
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * 0.003)
        await wire.send(reply[cut:])


async def one_call(
    transport: FastTransport, peer, number: int, chance: random.Random, timeouts: Timeouts = TIMEOUTS
) -> None:
    """Make one call of a random kind, and check that the answer is its own."""
    target, kind = b"/%d" % number, chance.randrange(4)
    if kind == 3:
        request = httpx.Request("POST", f"{peer.url}/{number}", content=b"y" * 50)
        response = await transport.handle_async_request(request)
        try:
            assert await response.aread() == target + b" 50"
        finally:
            await response.aclose()
        return
    bodies = {0: None, 1: b"x" * chance.randrange(2000), 2: ChunkedBody(b"[", memoryview(bytes(500_000)), b"]")}
    body = bodies[kind if kind < 2 or number % 20 == 0 else 1]
    answer = await transport.exchange(peer.origin, b"POST", target, b"", body, timeouts)
    size = 0 if body is None else len(body) if isinstance(body, bytes) else body.content_length
    assert answer.content == target + b" %d" % size


async def storm(
    transport: FastTransport, peer, cancellations: int, seed: int, patience: float = 0.01
) -> tuple[int, int]:
    """Make calls, twice as many at a time as there are slots, and cancel them at random points."""
    chance, numbers, done = random.Random(seed), iter(range(10**9)), {"cancelled": 0, "finished": 0}

    async def worker() -> None:
        while done["cancelled"] < cancellations:
            task = asyncio.ensure_future(one_call(transport, peer, next(numbers), chance, PATIENT))
            how = chance.random()
            if how < 0.4:
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(0)
            elif how < 0.95:
                await asyncio.sleep(chance.random() * patience)
            else:  # some end by themselves, however slow the machine
                await asyncio.wait([task])
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                done["cancelled"] += 1
            else:
                done["finished"] += 1

    await asyncio.gather(*[worker() for _ in range(20)])
    return done["cancelled"], done["finished"]


@pytest.mark.timeout(1800 if SOAK else 600)
async def test_storm_of_cancellations(make_transport, secured: Any) -> None:
    """700 cancellations (with PICSELLIA_ASYNC_SOAK=1 100,000) on a pool of 10; then 1,000 calls all succeed (200 over TLS here)."""
    cancellations = 100_000 if SOAK else 700
    transport = make_transport(max_connections=10)
    async with scripted(jittery, secured) as peer:
        own = asyncio.all_tasks()
        cancelled, finished = await storm(transport, peer, cancellations, 7, patience=0.05 if secured else 0.01)
        assert cancelled >= cancellations
        assert finished
        assert transport.counts.slots <= 10
        assert not transport.counts.queued
        count = 1000 if SOAK or not secured else 200
        # All are in the queue at once: the last waits for all others, however slow the machine. A slot that was lost would not
        # show as a PoolTimeout but as fewer connections than slots; ten lost ones as an end that never comes.
        patient = Timeouts(None, None, None, None)
        calls = [one_call(transport, peer, number, random.Random(number), patient) for number in range(count)]
        async with asyncio.timeout(300):
            await asyncio.gather(*calls)
        assert not transport.counts.openings
        assert not transport.counts.queued
        assert transport.counts.connections == transport.counts.idle
        assert transport.counts.connections <= 10
        await transport.aclose()
        assert not transport.counts.connections
        assert await new_tasks(own) == set()


@pytest.mark.timeout(1800 if SOAK else 600)
async def test_storm_on_connections_that_close(make_transport, secured: Any) -> None:
    """Calls cancelled after 0 to 3 ms, each on a connection of its own: no slot is lost, and closing takes no time.

    uvloop closes a transport whose `create_connection` is cancelled too late without a word to its protocol.
    """
    cancellations, chance = (100_000 if SOAK else 1000), random.Random(5)
    transport, left = make_transport(max_connections=10), iter(range(cancellations))
    async with (
        scripted(once, secured) as peer,
        httpx.AsyncClient(transport=transport) as client,
    ):

        async def worker() -> None:
            for _ in left:
                task = asyncio.ensure_future(client.get(f"{peer.url}/a"))
                await asyncio.sleep(chance.random() * 0.003)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    assert (await task).text == "/a"

        await asyncio.gather(*[worker() for _ in range(12)])
        async with asyncio.timeout(300):
            answers = await asyncio.gather(*[client.get(f"{peer.url}/b") for _ in range(30)])
        assert {answer.text for answer in answers} == {"/b"}
        await settled(lambda: not transport.counts.slots)
        async with asyncio.timeout(60):
            await transport.aclose()


async def test_never_more_sockets_than_slots(make_transport, secured: Any) -> None:
    """While calls are cancelled, the server never sees more open connections than slots."""
    transport = make_transport(max_connections=4)
    most = 0

    async def script(wire: Wire) -> None:
        nonlocal most
        most = max(most, transport.counts.slots)
        await jittery(wire)

    async with scripted(script, secured) as peer:
        await storm(transport, peer, 100 if secured else 300, seed=3)
    assert most <= 4


async def test_cancellation_under_contention(make_transport, secured: Any) -> None:
    """10 connections, 20 workers, each call cancelled after 0 to 10 ms; then 20 calls all succeed."""
    transport = make_transport(max_connections=10)
    async with scripted(jittery, secured) as peer:
        await storm(transport, peer, 20_000 if SOAK else 200 if secured else 600, seed=1)
        calls = [one_call(transport, peer, number, random.Random(1)) for number in range(20)]
        await asyncio.wait_for(asyncio.gather(*calls), 300)


async def test_losers_of_a_race(make_transport, secured: Any) -> None:
    """Racing calls and cancelling the losers, 1,000 rounds: open descriptors stay within the limit."""
    transport = make_transport(max_connections=10)
    rounds, most = (1000 if SOAK else 50 if secured else 150), 0

    async with scripted(jittery, secured) as peer:
        base = descriptors()
        for number in range(rounds):
            chance = random.Random(number)
            tasks = [asyncio.ensure_future(one_call(transport, peer, number, chance)) for _ in range(4)]
            done, losers = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in losers:
                task.cancel()
            await asyncio.gather(*losers, return_exceptions=True)
            for task in done:
                task.result()
            most = max(most, transport.counts.connections)
        assert most <= 10
        assert descriptors() - base <= 2 * 10 + 4  # both ends of each connection live in this process
