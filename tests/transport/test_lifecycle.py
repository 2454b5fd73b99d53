"""Beginning and end: constructors, closing, silence."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest

from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin
from picsellia_async.config import Timeouts
from picsellia_async.errors import ClosedError

from .peers import TIMEOUTS, Wire, answering, echo, new_tasks, scripted, settled

pytestmark = pytest.mark.anyio


def ask(transport: FastTransport, peer, target: bytes = b"/a"):
    return transport.exchange(peer.origin, b"GET", target, b"", None, TIMEOUTS)


async def test_close_while_idle(make_transport, secured: Any) -> None:
    """Closing closes every idle connection before it returns; a second time does nothing; calls are refused."""
    transport = make_transport()
    async with scripted(echo, secured) as peer:
        await asyncio.gather(*[ask(transport, peer) for _ in range(5)])
        await transport.aclose()
        await peer.until(lambda: peer.open == 0)
        await transport.aclose()
        assert transport.is_closed
        with pytest.raises(ClosedError):
            await ask(transport, peer)
        with pytest.raises(ClosedError):
            await transport.handle_async_request(httpx.Request("GET", peer.url))


async def test_close_while_busy(make_transport, secured: Any) -> None:
    """Closing ends calls in flight, callers in line and connections being opened, promptly, with one documented error."""
    transport = make_transport(max_connections=2)

    async def silent(wire: Wire) -> None:
        await wire.until_gone()

    async with scripted(silent, secured) as peer:
        before = asyncio.all_tasks()
        calls = [asyncio.create_task(ask(transport, peer)) for _ in range(6)]
        await peer.until(lambda: peer.accepted == 2)
        await transport.aclose()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [ClosedError] * 6
        await peer.until(lambda: peer.open == 0)
        assert await new_tasks(before | set(calls)) == set()


async def test_close_when_a_connection_is_given(make_transport, secured: Any) -> None:
    """A call that has its connection, and does not know as yet, gets `ClosedError` as well: the peer did nothing wrong."""
    transport = make_transport()
    async with scripted(echo, secured) as peer:
        call = asyncio.create_task(ask(transport, peer))
        await settled(lambda: bool(transport.counts.connections))
        await transport.aclose()
        with pytest.raises(ClosedError):
            await call


async def test_close_while_connecting(make_transport, secured: Any) -> None:
    """Closing ends an attempt to connect."""
    transport = make_transport()
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    async def sock_connect(*_args):
        asked.set()
        await asyncio.Event().wait()

    original, loop.sock_connect = loop.sock_connect, sock_connect
    try:
        async with scripted(echo, secured) as peer:
            call = asyncio.create_task(ask(transport, peer))
            await asked.wait()
            await transport.aclose()
            with pytest.raises(ClosedError):
                await call
    finally:
        loop.sock_connect = original


async def test_close_while_streaming(make_transport, secured: Any) -> None:
    """Closing while a body is read ends the reading."""
    part = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    transport = make_transport()
    async with scripted(answering(part), secured) as peer:
        response = await transport.handle_async_request(httpx.Request("GET", peer.url))
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"half"
        await transport.aclose()
        with pytest.raises(ClosedError):
            await anext(pieces)


async def test_two_closers(make_transport, secured: Any) -> None:
    """Two tasks may close at the same time."""
    transport = make_transport()
    async with scripted(echo, secured) as peer:
        await ask(transport, peer)
        await asyncio.gather(transport.aclose(), transport.aclose())


async def test_close_unused(make_transport) -> None:
    """A transport that was never used can be closed."""
    await make_transport().aclose()


async def test_reset_in_the_same_loop(make_transport, secured: Any) -> None:
    """After `reset` the old connections are closed, and the next call begins afresh."""
    transport = make_transport()
    async with scripted(echo, secured) as peer:
        await ask(transport, peer)
        transport.reset()
        await peer.until(lambda: peer.open == 0)
        assert (await ask(transport, peer)).content == b"/a"
        assert peer.accepted == 2


async def test_in_use_by_another_running_loop(make_transport, secured: Any) -> None:
    """Two loops that run at the same time cannot share a transport: a clear error, and the first goes on."""
    transport = make_transport()
    async with scripted(echo, secured) as peer:
        await ask(transport, peer)
        errors: list[BaseException] = []

        def elsewhere() -> None:
            try:
                asyncio.run(ask(transport, peer))
            except ClosedError as error:
                errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert "another running event loop" in str(errors[0])
        assert (await ask(transport, peer)).content == b"/a"
        assert peer.accepted == 1


@pytest.mark.parametrize("limit", [300, None])
async def test_close_during_the_tls_handshake(make_transport, limit: float | None) -> None:
    """A peer that is silent in the handshake does not hold up closing; the caller gets `ClosedError`."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        await wire.reader.read(1)
        wire.changed.set()
        await wire.until_gone()

    async with scripted(script) as peer:
        secure = Origin("https", "127.0.0.1", peer.origin.port)
        limits = Timeouts(limit, 300, 300, 300)
        call = asyncio.create_task(transport.exchange(secure, b"GET", b"/", b"", None, limits))
        await peer.until(lambda: bool(peer.wires))
        peer.changed.clear()
        await peer.changed.wait()
        async with asyncio.timeout(60):
            await transport.aclose()
        with pytest.raises(ClosedError):
            await call
        await peer.until(lambda: peer.open == 0)


async def test_close_from_another_loop(make_transport, secured: Any) -> None:
    """Closed from another thread's loop, a transport ends the calls in flight and in line in their own loop."""
    transport = make_transport(max_connections=1)

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.until_gone()

    async with scripted(script, secured) as peer:
        calls = [asyncio.create_task(ask(transport, peer)) for _ in range(3)]
        await peer.until(lambda: bool(peer.wires))
        await asyncio.to_thread(asyncio.run, transport.aclose())
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(end) for end in ends] == [ClosedError] * 3
        await peer.until(lambda: peer.open == 0)
        with pytest.raises(ClosedError):
            await ask(transport, peer)
