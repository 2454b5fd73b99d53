"""Cancellation at any await leaves no lost slot, no connection whose answer somebody else could read, no task."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

import httpx
import pytest

from .peers import TIMEOUTS, Certificate, Wire, descriptors, echo, new_tasks, once, resolve_to, scripted, settled

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """Without debug mode: the number of calls is what counts here, and the mode costs nine tenths of the time."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def test_every_task_of_the_loop_is_cancelled(make_transport, secured: Any) -> None:
    """Whoever cancels all tasks, those of the pool too, at whatever moment, costs it no slot and no descriptor."""
    transport = make_transport(max_connections=2)
    async with scripted(once, secured) as peer:
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
    async with scripted(echo, certificate.server) as peer:
        calls = [
            asyncio.create_task(transport.exchange(peer.origin, b"GET", b"/%d" % number, b"", None, TIMEOUTS))
            for number in range(3)
        ]
        await settled(lambda: bool(transport.counts.openings))
        calls[0].cancel()
        assert (await calls[1]).content == b"/1"
        assert (await calls[2]).content == b"/2"
        assert peer.accepted == 1


AWAITS = ["pool", "connect", "handshake", "write", "head", "body", "stream"]


@pytest.mark.parametrize("where", AWAITS)
async def test_cancelled_at(make_transport, secured: Any, where: str) -> None:
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

    async with scripted(script, None if where == "handshake" else secured) as peer:
        if where == "pool":
            reached.set()
            holder = httpx.Request("GET", peer.url)
            held = await transport.handle_async_request(holder)
            (connection,) = transport._pool._connections
            transport._pool.idle.take(peer.origin)
            connection.begin(5.0, 5.0, head_only=False, body_max=1000)  # in use, as far as the pool knows
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


async def test_cancelled_just_when_given_a_connection(make_transport, secured: Any) -> None:
    """A waiter that is cancelled in the turn in which it is given a connection hands it to the next in the queue."""
    transport = make_transport(max_connections=1)
    go = asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            request = await wire.request()
            await go.wait()
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target))

    async with scripted(script, secured) as peer:

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


async def test_timeout_in_the_body(make_transport, secured: Any) -> None:
    """A `wait_for` that ends in the middle of a dripping body: leaving the client is clean."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            await wire.send(b"x")
            await asyncio.sleep(0.01)

    async with scripted(script, secured) as peer, httpx.AsyncClient(transport=make_transport()) as client:
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
    assert descriptors() <= before  # fewer: those of a test before this one may end meanwhile
    assert await new_tasks(tasks) == set()


async def _origin():
    from picsellia_async._wire.exchange import Origin

    return Origin("http", "127.0.0.1", 9)


async def test_replies_after_cancellation_go_nowhere(make_transport, secured: Any) -> None:
    """The answer to a cancelled call, sent late, is not the next caller's answer."""
    transport = make_transport(max_connections=1)
    late = asyncio.Event()

    async def script(wire: Wire) -> None:
        request = await wire.request()
        if wire.number == 0:
            await late.wait()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target))
        await wire.until_gone()

    async with scripted(script, secured) as peer:
        task = asyncio.create_task(transport.exchange(peer.origin, b"GET", b"/old", b"", None, TIMEOUTS))
        await peer.until(lambda: peer.accepted == 1)
        task.cancel()
        late.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert (await transport.exchange(peer.origin, b"GET", b"/new", b"", None, TIMEOUTS)).content == b"/new"
