"""Each phase's timeout, as httpx documents it."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import attrs
import httpx
import pytest

from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin
from picsellia_async.config import Timeouts

from .peers import OK, TIMEOUTS, Wire, answering, answering_from, new_tasks, scripted

pytestmark = pytest.mark.anyio

SHORT = 0.05
LIMIT = 0.3
LARGE = bytes(1 << 24)


def limited(**phases: float | None) -> Timeouts:
    return attrs.evolve(TIMEOUTS, **phases)


@contextlib.contextmanager
def full_backlog():
    """A listener whose queue is full: the kernel leaves further connections unanswered."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def silent(wire: Wire) -> None:
    """Read, and never answer."""
    await wire.until_gone()


async def deaf(wire: Wire) -> None:
    """Neither read nor answer."""
    wire.writer.transport.pause_reading()
    await asyncio.Event().wait()


async def test_connect_timeout(transport: FastTransport) -> None:
    """A TCP handshake that does not end is a ConnectTimeout; the slot is free again."""
    before = asyncio.all_tasks()
    with full_backlog() as port, pytest.raises(httpx.ConnectTimeout) as caught:
        await transport.exchange(Origin("http", "127.0.0.1", port), b"POST", b"/", b"", b"x", limited(connect=SHORT))
    assert caught.value.request_sent is False
    assert not transport.counts.connections
    assert not transport.counts.openings
    assert await new_tasks(before) == set()


async def test_tls_handshake_timeout(transport: FastTransport) -> None:
    """A TLS handshake that does not end is a ConnectTimeout, and its socket is closed."""
    async with scripted(silent) as peer:
        origin = Origin("https", "127.0.0.1", peer.origin.port)
        with pytest.raises(httpx.ConnectTimeout) as caught:
            await transport.exchange(origin, b"GET", b"/", b"", None, limited(connect=SHORT))
        await peer.until(lambda: peer.open == 0)
    assert caught.value.request_sent is False


async def test_read_timeout_before_the_head(transport: FastTransport) -> None:
    """No answer is a ReadTimeout; the request may have been processed."""
    async with scripted(silent) as peer:
        with pytest.raises(httpx.ReadTimeout) as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", b"x", limited(read=SHORT))
        assert caught.value.request_sent is True
        await peer.until(lambda: peer.open == 0)


@pytest.mark.parametrize("part", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
async def test_read_timeout_in_the_answer(transport: FastTransport, part: bytes) -> None:
    """An answer that stalls is a ReadTimeout."""
    async with scripted(answering(part)) as peer:
        with pytest.raises(httpx.ReadTimeout):
            await transport.exchange(peer.origin, b"POST", b"/", b"", b"x", limited(read=SHORT))


async def test_read_timeout_while_streaming(transport: FastTransport) -> None:
    """A streamed body that stalls is a ReadTimeout, in the reader's hands, and the connection is dropped."""
    part = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    async with scripted(answering(part)) as peer, httpx.AsyncClient(transport=transport) as client:
        async with client.stream("GET", peer.url, timeout=httpx.Timeout(5, read=SHORT)) as response:
            got = b""
            with pytest.raises(httpx.ReadTimeout):
                async for piece in response.aiter_raw():
                    got += piece
            assert got == b"half"
        await peer.until(lambda: peer.open == 0)


async def test_a_dripping_answer_is_not_late(transport: FastTransport) -> None:
    """The read timeout runs from one piece to the next, not over the whole answer."""

    async def script(wire: Wire) -> None:
        await wire.request()
        for byte in OK:
            await wire.send(bytes([byte]))
            await asyncio.sleep(0.06)
        await wire.until_gone()

    async with scripted(script) as peer:  # longer than the timeout in all, and each pause is much shorter
        answer = await transport.exchange(peer.origin, b"GET", b"/", b"", None, limited(read=2.0))
    assert answer.content == b"ok"


async def test_a_slow_reader_is_not_late(transport: FastTransport) -> None:
    """The caller's own slowness in reading a stream is not the peer's: no ReadTimeout while the caller does not read."""
    async with (
        scripted(answering(OK[:-1], OK[-1:])) as peer,
        httpx.AsyncClient(transport=transport) as client,
        client.stream("GET", peer.url, timeout=httpx.Timeout(5, read=SHORT)) as response,
    ):
        await asyncio.sleep(3 * SHORT)
        (wire,) = peer.wires
        await wire.send(OK[-1:])
        assert await response.aread() == b"ok"


@pytest.mark.parametrize("seam", ["exchange", "httpx", "stream"])
async def test_write_timeout(transport: FastTransport, seam: str) -> None:
    """A peer that does not read is a WriteTimeout; the request was not sent."""

    async def stream():
        yield LARGE

    timeout = httpx.Timeout(5, write=SHORT)
    async with scripted(deaf) as peer, httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.WriteTimeout) as caught:
            if seam == "exchange":
                await transport.exchange(peer.origin, b"POST", b"/", b"", LARGE, limited(write=SHORT))
            else:
                await client.post(peer.url, content=LARGE if seam == "httpx" else stream(), timeout=timeout)
        assert caught.value.request_sent is False


async def test_a_slow_taker_is_not_late(transport: FastTransport) -> None:
    """The write timeout runs anew while the peer takes bytes, however slowly."""

    async def script(wire: Wire) -> None:
        wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        head = await wire.head()
        left = int(head.headers[b"content-length"])
        while left:
            left -= len(await wire.reader.read(1 << 19))
            await asyncio.sleep(0.08)
        await wire.send(OK)
        await wire.until_gone()

    async with scripted(script) as peer:
        answer = await transport.exchange(peer.origin, b"POST", b"/", b"", LARGE, limited(write=2.0))
    assert answer.content == b"ok"


async def test_pool_timeout(transport: FastTransport, make_transport) -> None:
    """No connection comes free: PoolTimeout, not sent, and the one in use is not harmed."""
    go = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        await go.wait()
        await wire.send(OK)
        await wire.until_gone()

    narrow = make_transport(max_connections=1)
    async with scripted(script) as peer:
        first = asyncio.create_task(narrow.exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS))
        await peer.until(lambda: peer.accepted == 1)
        with pytest.raises(httpx.PoolTimeout) as caught:
            await narrow.exchange(peer.origin, b"GET", b"/", b"", None, limited(pool=SHORT))
        go.set()
        assert (await first).content == b"ok"
        assert not narrow.counts.queued
    assert caught.value.request_sent is False


@pytest.mark.parametrize("seam", ["exchange", "httpx"])
async def test_waiting_in_line_is_not_charged(make_transport, seam: str) -> None:
    """The time in line for a connection counts neither as connecting nor as reading or writing."""
    go = asyncio.Event()

    narrow = make_transport(max_connections=1)
    async with scripted(answering_from(go, OK)) as peer, httpx.AsyncClient(transport=narrow) as client:
        first = asyncio.create_task(narrow.exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS))
        await peer.until(lambda: peer.accepted == 1)
        if seam == "exchange":
            limits = Timeouts(LIMIT, LIMIT, LIMIT, None)
            second = asyncio.create_task(narrow.exchange(peer.origin, b"GET", b"/", b"", None, limits))
        else:
            second = asyncio.create_task(client.get(peer.url, timeout=httpx.Timeout(LIMIT, pool=None)))
        assert not (await asyncio.wait([second], timeout=2 * LIMIT))[0]
        go.set()
        assert (await first).content == (await second).content == b"ok"


async def test_no_limits(transport: FastTransport) -> None:
    """None means no limit, in every phase."""
    async with scripted(answering(OK, OK)) as peer:
        none = Timeouts(None, None, None, None)
        assert (await transport.exchange(peer.origin, b"GET", b"/", b"", None, none)).content == b"ok"
        async with httpx.AsyncClient(transport=transport, timeout=None) as client:
            assert (await client.get(peer.url)).text == "ok"


async def test_one_timer_serves_many_exchanges(transport: FastTransport) -> None:
    """Exchanges with different limits share the connection's timer, and the shorter one still fires."""
    async with scripted(answering(OK, OK, OK, b"")) as peer:
        for read in (5.0, 1.0, 3.0):
            await transport.exchange(peer.origin, b"GET", b"/", b"", None, limited(read=read))
        with pytest.raises(httpx.ReadTimeout):
            await transport.exchange(peer.origin, b"POST", b"/", b"", None, limited(read=SHORT))
        assert peer.accepted == 1


async def test_early_timer_is_armed_again(transport: FastTransport) -> None:
    """A timer that was armed for an earlier exchange does not end a later one that has more time."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(OK)
        await wire.request()
        await asyncio.sleep(4 * SHORT)
        await wire.send(OK)
        await wire.until_gone()

    async with scripted(script) as peer:
        await transport.exchange(peer.origin, b"GET", b"/", b"", None, limited(read=2 * SHORT))
        assert (await transport.exchange(peer.origin, b"POST", b"/", b"", None, TIMEOUTS)).content == b"ok"
        assert peer.accepted == 1
