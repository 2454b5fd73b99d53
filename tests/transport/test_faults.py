"""Faults at every byte: cut, reset, stalled, dripped, lied about. Never a wrong answer, always an error that says the truth."""

from __future__ import annotations

import asyncio
import itertools

import attrs
import httpx
import pytest

from picsellia_async._http.transport import FastTransport

from .peers import OK, TIMEOUTS, Wire, scripted

pytestmark = pytest.mark.anyio

CONTENT = b'{"id":"8f14e45f"}'
LENGTH = b"HTTP/1.1 201 Created\r\nServer: x\r\nContent-Length: %d\r\n\r\n%b" % (len(CONTENT), CONTENT)
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n%b\r\n9\r\n%b\r\n0\r\n\r\n" % (
    CONTENT[:8],
    CONTENT[8:],
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH
REPLIES = {"length": LENGTH, "chunked": CHUNKED, "interim": INTERIM}


def post(transport: FastTransport, peer, **phases: float):
    timeouts = attrs.evolve(TIMEOUTS, **phases)
    return transport.exchange(peer.origin, b"POST", b"/", b"", b"frame", timeouts)


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("reply", REPLIES)
async def test_cut_at_every_byte(transport: FastTransport, reply: str, end: str) -> None:
    """An answer that breaks off at any byte is an error, and the next call is not touched by it."""
    data = REPLIES[reply]
    requests = itertools.count()  # not connections: a client of another test may still ask for who had this port before

    async def script(wire: Wire) -> None:
        await wire.request()
        number = next(requests)
        if number % 2:
            await wire.send(OK)
            await wire.until_gone()
        else:
            await wire.send(data[: number // 2])
            wire.reset() if end == "reset" else wire.close()

    kinds = (httpx.RemoteProtocolError,) if end == "close" else (httpx.ReadError, httpx.RemoteProtocolError)
    async with scripted(script) as peer:
        for _ in range(len(data)):
            with pytest.raises(kinds) as caught:
                await post(transport, peer)
            assert caught.value.request_sent is True
            assert (await post(transport, peer)).content == b"ok"
            (connection,) = transport._pool._connections
            connection.abort()
            await asyncio.sleep(0)
        assert not peer.errors


@pytest.mark.parametrize("reply", REPLIES)
async def test_drip(transport: FastTransport, reply: str) -> None:
    """An answer that comes byte by byte is the same answer, and the connection stays."""

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            for byte in REPLIES[reply]:
                await wire.send(bytes([byte]))
                await asyncio.sleep(0)

    async with scripted(script) as peer:
        for _ in range(3):
            answer = await post(transport, peer)
            assert (answer.status, answer.content) == (201, CONTENT)
        assert peer.accepted == 1


@pytest.mark.parametrize("at", [0, 1, 9, 20, len(LENGTH) - len(CONTENT), len(LENGTH) - 1])
async def test_stall_at(transport: FastTransport, at: int) -> None:
    """An answer that stalls at any place is a ReadTimeout, and nobody gets its rest."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(LENGTH[:at] if wire.number == 0 else OK)
        await wire.until_gone()

    async with scripted(script) as peer:
        with pytest.raises(httpx.ReadTimeout):
            await post(transport, peer, read=0.03)
        assert (await post(transport, peer)).content == b"ok"


@pytest.mark.parametrize("said", [len(CONTENT) + 1, len(CONTENT) + 1000])
async def test_length_that_says_too_much(transport: FastTransport, said: int) -> None:
    """A body shorter than announced is an error when the peer closes, and late when it does not."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(LENGTH.replace(b": %d" % len(CONTENT), b": %d" % said))
        if wire.number == 0:
            wire.close()
        await wire.until_gone()

    async with scripted(script) as peer:
        with pytest.raises(httpx.RemoteProtocolError):
            await post(transport, peer)
        with pytest.raises(httpx.ReadTimeout):
            await post(transport, peer, read=0.03)


@pytest.mark.parametrize("said", [0, 1, len(CONTENT) - 1])
async def test_length_that_says_too_little(transport: FastTransport, said: int) -> None:
    """A body longer than announced is cut there; its rest is nobody's answer."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(LENGTH.replace(b": %d" % len(CONTENT), b": %d" % said) if wire.number == 0 else OK)
        await wire.until_gone()

    async with scripted(script) as peer:
        assert (await post(transport, peer)).content == CONTENT[:said]
        assert (await post(transport, peer)).content == b"ok"
        assert peer.accepted == 2


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_end_at_accept(transport: FastTransport, end: str) -> None:
    """A peer that accepts and ends at once gives an error, never a hang; a connect error where the end was seen first."""

    async def script(wire: Wire) -> None:
        wire.reset() if end == "reset" else wire.close()

    async with scripted(script) as peer:
        for _ in range(20):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ConnectError, httpx.ReadError, httpx.WriteError)):
                await post(transport, peer)


@pytest.mark.parametrize("at", range(0, 110, 7))
async def test_end_while_the_request_comes(transport: FastTransport, at: int) -> None:
    """A peer that goes away in the middle of reading a request gives an error, never a hang, never a second request."""
    heads = []

    async def script(wire: Wire) -> None:
        heads.append(await wire.reader.readexactly(at) if at else b"")
        wire.reset()

    async with scripted(script) as peer:
        with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
            await transport.exchange(peer.origin, b"POST", b"/", b"", b"x" * 100, TIMEOUTS)
        assert peer.accepted == 1


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_streamed_body_cut(transport: FastTransport, end: str) -> None:
    """A streamed body that breaks off raises in the reader's hands, after what came."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await go.wait()
        wire.reset() if end == "reset" else wire.close()

    go = asyncio.Event()
    async with (
        scripted(script) as peer,
        httpx.AsyncClient(transport=transport) as client,
        client.stream("GET", peer.url) as response,
    ):
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"half"
        go.set()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await anext(pieces)


async def test_slow_reader_holds_the_peer_back(transport: FastTransport) -> None:
    """A streamed body is read no faster than the caller takes it, and still arrives whole."""
    size = 32 << 20

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 20):
            await wire.send(bytes(1 << 20))
        await wire.until_gone()

    async with (
        scripted(script) as peer,
        httpx.AsyncClient(transport=transport) as client,
        client.stream("GET", peer.url) as response,
    ):
        (connection,) = transport._pool._connections
        while not connection._reading_paused:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0)
        assert connection.response.waiting_bytes < 1 << 20
        total = 0
        async for piece in response.aiter_raw():
            total += len(piece)
            assert connection.response.waiting_bytes < 1 << 20
        assert total == size
