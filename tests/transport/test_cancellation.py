"""Cancellation at any await leaves no lost slot, no connection whose answer somebody else could read, no task."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import threading

import httpx
import pytest

from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async.config import Timeouts

from .peers import TIMEOUTS, Certificate, Wire, descriptors, echo, new_tasks, resolve_to, scripted, settled

pytestmark = pytest.mark.anyio

PATIENT = Timeouts(30.0, 30.0, 30.0, None)
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


@pytest.mark.timeout(1800 if SOAK else 120)
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_storm_of_cancellations(make_transport, certificate: Certificate, secured: bool) -> None:
    """700 cancellations (with PICSELLIA_ASYNC_SOAK=1 100,000) on a pool of 10; then 1,000 calls all succeed (200 over TLS here)."""
    cancellations = 100_000 if SOAK else 700
    transport = make_transport(max_connections=10)
    before = asyncio.all_tasks()
    async with scripted(jittery, certificate.server if secured else None) as peer:
        own = asyncio.all_tasks()
        cancelled, finished = await storm(transport, peer, cancellations, 7, patience=0.05 if secured else 0.01)
        assert cancelled >= cancellations
        assert finished
        assert transport.counts.slots <= 10
        assert not transport.counts.queued
        count = 1000 if SOAK or not secured else 200
        # All are in line at once: the last waits for all others, however slow the machine. A slot that was lost would not
        # show as a PoolTimeout but as fewer connections than slots; ten lost ones as an end that never comes.
        patient = Timeouts(None, None, None, None)
        calls = [one_call(transport, peer, number, random.Random(number), patient) for number in range(count)]
        async with asyncio.timeout(100):
            await asyncio.gather(*calls)
        assert not transport.counts.openings
        assert not transport.counts.queued
        assert transport.counts.connections == transport.counts.idle
        assert transport.counts.connections <= 10
        left = await new_tasks(before)
        assert not {task for task in left - own if "serve" not in repr(task.get_coro())}
        await transport.aclose()
        assert not transport.counts.connections


async def once(wire: Wire) -> None:
    """Answer one request and close the connection, as a sidecar may do."""
    request = await wire.request()
    reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
    await wire.send(reply % (len(request.target), request.target))


@pytest.mark.timeout(1800 if SOAK else 120)
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_storm_on_connections_that_close(make_transport, certificate: Certificate, secured: bool) -> None:
    """Calls cancelled after 0 to 3 ms, each on a connection of its own: no slot is lost, and closing takes no time.

    uvloop closes a transport whose `create_connection` is cancelled too late without a word to its protocol.
    """
    cancellations, chance = (100_000 if SOAK else 1000), random.Random(5)
    transport, left = make_transport(max_connections=10), iter(range(cancellations))
    async with (
        scripted(once, certificate.server if secured else None) as peer,
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
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*[client.get(f"{peer.url}/b") for _ in range(30)])
        assert {answer.text for answer in answers} == {"/b"}
        await settled(lambda: not transport.counts.slots)
        async with asyncio.timeout(5):
            await transport.aclose()


async def test_every_task_of_the_loop_is_cancelled(make_transport, certificate: Certificate) -> None:
    """Whoever cancels all tasks, those of the pool too, at whatever moment, costs it no slot and no descriptor."""
    transport = make_transport(max_connections=2)
    async with scripted(once, certificate.server) as peer:
        await transport.exchange(peer.origin, b"GET", b"/a", b"", None, TIMEOUTS)
        await peer.until(lambda: peer.open == 0)
        servers, before = asyncio.all_tasks(), descriptors()
        for turns in range(25):
            calls = [asyncio.create_task(transport.exchange(peer.origin, b"GET", b"/a", b"", None, TIMEOUTS))]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in asyncio.all_tasks():
                if task in calls or task.get_name().startswith("picsellia_async"):  # not the server's
                    task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        answer = await transport.exchange(peer.origin, b"GET", b"/b", b"", None, TIMEOUTS)
        assert answer.content == b"/b"
        await settled(lambda: not transport.counts.slots)
        await peer.until(lambda: peer.open == 0)
        await new_tasks(servers)
        assert descriptors() <= before


async def test_a_finished_connection_goes_to_the_next(make_transport, certificate: Certificate) -> None:
    """A caller that leaves during the TLS handshake wastes none: the next caller in the queue gets the connection."""
    transport = make_transport(max_connections=1)
    async with scripted(jittery, certificate.server) as peer:
        calls = [
            asyncio.create_task(transport.exchange(peer.origin, b"GET", b"/%d" % number, b"", None, TIMEOUTS))
            for number in range(3)
        ]
        await settled(lambda: bool(transport.counts.openings))
        calls[0].cancel()
        assert (await calls[1]).content == b"/1 0"
        assert (await calls[2]).content == b"/2 0"
        assert peer.accepted == 1


async def test_never_more_sockets_than_slots(make_transport) -> None:
    """While calls are cancelled, the server never sees more open connections than slots."""
    transport = make_transport(max_connections=4)
    most = 0

    async def script(wire: Wire) -> None:
        nonlocal most
        most = max(most, transport.counts.slots)
        await jittery(wire)

    async with scripted(script) as peer:
        await storm(transport, peer, 300, seed=3)
    assert most <= 4


AWAITS = ["pool", "connect", "handshake", "write", "head", "body", "stream"]


@pytest.mark.parametrize("where", AWAITS)
async def test_cancelled_at(make_transport, certificate: Certificate, where: str) -> None:
    """A call cancelled in any phase leaves the only slot free for the next one."""
    transport = make_transport(max_connections=1)
    reached, hold = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        if wire.number or where in {"pool", "connect"}:
            await echo(wire)
        if where == "handshake":
            await wire.reader.read(1)
        else:
            await wire.head()
        if where in {"body", "stream"}:
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        reached.set()
        if where == "write":
            wire.writer.transport.pause_reading()
        await hold.wait()

    async def call(peer) -> None:
        if where == "stream":
            response = await transport.handle_async_request(httpx.Request("GET", peer.url))
            async with contextlib.aclosing(response):
                await response.aread()
        elif where == "handshake":
            origin = type(peer.origin)("https", "127.0.0.1", peer.origin.port)
            await transport.exchange(origin, b"GET", b"/", b"", None, TIMEOUTS)
        else:
            body = bytes(20 << 20) if where == "write" else None
            await transport.exchange(peer.origin, b"POST", b"/", b"", body, TIMEOUTS)

    async with scripted(script) as peer:
        if where == "pool":
            reached.set()
            holder = httpx.Request("GET", peer.url)
            held = await transport.handle_async_request(holder)
            (connection,) = transport._pool._connections
            transport._pool.take(peer.origin)
            connection.begin(5.0, 5.0, head_only=False, streaming=False)  # in use, as far as the pool knows
        task = asyncio.create_task(call(peer))
        if where == "connect":
            await settled(lambda: bool(transport.counts.openings))
        else:
            await reached.wait()
            for _ in range(3):
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if where == "pool":
            assert not transport.counts.queued
            await held.aclose()
            connection.abort()
        answer = await transport.exchange(peer.origin, b"GET", b"/next", b"", None, TIMEOUTS)
        assert answer.content == b"/next"
        hold.set()


async def test_cancelled_just_when_given_a_connection(make_transport) -> None:
    """A waiter that is cancelled in the turn in which it is given a connection hands it to the next in line."""
    transport = make_transport(max_connections=1)
    go = asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            request = await wire.request()
            await go.wait()
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target))

    async with scripted(script) as peer:

        def ask(target: bytes):
            return asyncio.create_task(transport.exchange(peer.origin, b"GET", target, b"", None, TIMEOUTS))

        first = ask(b"/1")
        await peer.until(lambda: peer.accepted == 1)
        second, third = ask(b"/2"), ask(b"/3")
        for _ in range(3):
            await asyncio.sleep(0)
        first.add_done_callback(lambda _: second.cancel())
        go.set()
        assert (await first).content == b"/1"
        with contextlib.suppress(asyncio.CancelledError):
            await second
        assert (await third).content == b"/3"
        assert not transport.counts.queued


async def test_cancellation_under_contention(make_transport) -> None:
    """10 connections, 20 workers, each call cancelled after 0 to 10 ms; then 20 calls all succeed."""
    transport = make_transport(max_connections=10)
    async with scripted(jittery) as peer:
        await storm(transport, peer, 20_000 if SOAK else 600, seed=1)
        calls = [one_call(transport, peer, number, random.Random(1)) for number in range(20)]
        await asyncio.wait_for(asyncio.gather(*calls), 20)


async def test_losers_of_a_race(make_transport) -> None:
    """Racing calls and cancelling the losers, 1,000 rounds: open descriptors stay within the limit."""
    transport = make_transport(max_connections=10)
    rounds, most = (1000 if SOAK else 150), 0

    async with scripted(jittery) as peer:
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


async def test_timeout_in_the_body(make_transport) -> None:
    """A `wait_for` that ends in the middle of a dripping body: leaving the client is clean."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            await wire.send(b"x")
            await asyncio.sleep(0.01)

    async with scripted(script) as peer, httpx.AsyncClient(transport=make_transport()) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get(peer.url), 0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), client.stream("GET", peer.url) as response:
                async for _ in response.aiter_raw():
                    pass
    await peer.until(lambda: peer.open == 0)


async def test_cancelled_while_a_name_is_looked_up(make_transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call cancelled during the name lookup leaves its slot."""
    transport = make_transport(max_connections=1)
    loop, asked, go = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def getaddrinfo(*_args, **_options):
        loop.call_soon_threadsafe(asked.set)
        go.wait(30)
        return []

    async with scripted(echo) as peer:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        origin = type(peer.origin)("http", "slow.test", peer.origin.port)
        task = asyncio.create_task(transport.exchange(origin, b"GET", b"/", b"", None, TIMEOUTS))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await transport.exchange(peer.origin, b"GET", b"/a", b"", None, TIMEOUTS)).content == b"/a"
    go.set()


async def test_cancelled_among_several_addresses(make_transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call cancelled while several addresses are tried leaves no socket open once the transport is closed."""
    transport = make_transport(max_connections=1)
    loop, before = asyncio.get_running_loop(), descriptors()
    tasks, trying = asyncio.all_tasks(), asyncio.Semaphore(0)

    async def sock_connect(*_args):
        trying.release()
        await asyncio.sleep(3600)

    resolve_to(monkeypatch, *[f"127.0.0.{number}" for number in range(1, 5)])
    connect, loop.sock_connect = loop.sock_connect, sock_connect
    try:
        origin = type(await _origin())("http", "many.test", 9)
        task = asyncio.create_task(transport.exchange(origin, b"GET", b"/", b"", None, TIMEOUTS))
        await trying.acquire()
        await trying.acquire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await transport.aclose()
    finally:
        loop.sock_connect = connect
    assert descriptors() == before
    assert await new_tasks(tasks) == set()


async def _origin():
    from picsellia_async._wire.exchange import Origin

    return Origin("http", "127.0.0.1", 9)


async def test_replies_after_cancellation_go_nowhere(make_transport) -> None:
    """The answer to a cancelled call, sent late, is not the next caller's answer."""
    transport = make_transport(max_connections=1)
    late = asyncio.Event()

    async def script(wire: Wire) -> None:
        request = await wire.request()
        if wire.number == 0:
            await late.wait()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target))
        await wire.until_gone()

    async with scripted(script) as peer:
        task = asyncio.create_task(transport.exchange(peer.origin, b"GET", b"/old", b"", None, TIMEOUTS))
        await peer.until(lambda: peer.accepted == 1)
        task.cancel()
        late.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert (await transport.exchange(peer.origin, b"GET", b"/new", b"", None, TIMEOUTS)).content == b"/new"
