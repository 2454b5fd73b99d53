"""How long an exchange may take in all, and how large an answer may be."""

from __future__ import annotations

import asyncio
import gzip
import threading
import tracemalloc
import zlib

import attrs
import httpx
import pytest

from picsellia_async import AsyncClient, DecodeError, RequestTimeoutError, RetryPolicy
from picsellia_async._http import transport as transport_module
from picsellia_async._http.httpx_engine import HttpxEngine
from picsellia_async.config import Timeouts

from .peers import OK, TIMEOUTS, Wire, answering, answering_from, scripted

pytestmark = pytest.mark.anyio

MIB = 1 << 20
HASTY = attrs.evolve(TIMEOUTS, attempt=0.2)


async def drip(wire: Wire) -> None:
    """Answer a byte at a time, for ever."""
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        await wire.send(b"x")
        await asyncio.sleep(0.01)


async def drip_body(wire: Wire) -> None:
    """Send the body of an answer a byte at a time, for ever."""
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        await wire.send(b"x")
        await asyncio.sleep(0.01)


def packed(body: bytes, coding: bytes = b"gzip", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (status, coding, len(body), body)


@pytest.mark.parametrize("script", [drip, drip_body])
@pytest.mark.parametrize("way", ["direct", "ours", "stock"])
async def test_an_answer_that_drips(make_transport, script, way: str) -> None:
    """A peer that sends byte after byte holds its caller no longer than an attempt may take, over whichever transport."""
    transport = make_transport()
    async with scripted(script) as peer, httpx.AsyncClient(transport=transport if way == "ours" else None) as client:
        exchange = transport.exchange if way == "direct" else HttpxEngine(client).exchange
        with pytest.raises(httpx.ReadTimeout, match="too slow") as caught:
            await exchange(peer.origin, b"GET", b"/", b"", None, HASTY)
        assert caught.value.request_sent is True
        await peer.until(lambda: peer.open == 0)


async def test_a_request_that_is_taken_too_slowly(transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that takes the request byte after byte is given up as well; the request did not arrive."""
    monkeypatch.setattr(transport_module, "ATTEMPT_BYTES_PER_SECOND", 1e12)

    async def script(wire: Wire) -> None:
        await wire.head()
        while True:
            await wire.reader.read(1 << 14)
            await asyncio.sleep(0.01)

    async with scripted(script) as peer:
        with pytest.raises(httpx.WriteTimeout, match="too slow") as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(30 * MIB), HASTY)
        assert caught.value.request_sent is False


@pytest.mark.parametrize("way", ["direct", "engine"])
async def test_what_comes_puts_the_end_off(make_transport, way: str) -> None:
    """Each 50 kB received allow a second more: who transfers much is not late."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n")
        for _ in range(30):
            await wire.send(bytes(100_000))
            await asyncio.sleep(0.06)
        await wire.until_gone()

    async with scripted(script) as peer, httpx.AsyncClient(transport=transport) as client:
        exchange = transport.exchange if way == "direct" else HttpxEngine(client).exchange
        limits = attrs.evolve(TIMEOUTS, attempt=1.0)
        answer = await exchange(peer.origin, b"GET", b"/", b"", None, limits)
        assert len(answer.content) == 3_000_000


@pytest.mark.parametrize("way", ["direct", "ours", "stock"])
async def test_who_waits_for_a_connection_is_not_late(make_transport, way: str) -> None:
    """The limit of an attempt runs from the connection at hand: a queue costs nothing of it."""
    transport = make_transport(max_connections=1)
    stock = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=1))
    go = asyncio.Event()

    async with (
        scripted(answering_from(go, OK)) as peer,
        httpx.AsyncClient(transport=stock if way == "stock" else transport) as client,
    ):
        exchange = transport.exchange if way == "direct" else HttpxEngine(client).exchange
        first = asyncio.create_task(exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS))
        await peer.until(lambda: peer.accepted == 1)
        limits = Timeouts(30.0, 30.0, 30.0, None, 10.0)
        loop = asyncio.get_running_loop()
        second = asyncio.create_task(exchange(peer.origin, b"GET", b"/", b"", None, limits))
        await asyncio.sleep(0)
        time = loop.time
        loop.time = lambda: time() + 60  # type: ignore[method-assign]
        try:
            await asyncio.sleep(0)
            assert not second.done()
        finally:
            loop.time = time  # type: ignore[method-assign]
        go.set()
        assert (await first).content == (await second).content == b"ok"


async def test_the_total_of_a_call_ends_an_attempt_under_way() -> None:
    """An attempt that outlasts `RetryPolicy.total` is ended: it is an error that says so, and no other attempt follows."""
    async with scripted(drip) as peer:
        client = AsyncClient("t", host=peer.url, retry=RetryPolicy(total=0.2))
        with pytest.raises(RequestTimeoutError, match="too slow") as caught:
            await client.connect()
        assert caught.value.attempts == 1
        await client.aclose()
        assert peer.accepted == 1


@pytest.mark.parametrize("way", ["direct", "engine"])
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
async def test_an_answer_without_end(make_transport, way: str, framing: str) -> None:
    """A success beyond the limit is an error, and the rest of it is not read."""
    transport = make_transport()
    heads = {"length": b"Content-Length: 90000000000", "chunks": b"Transfer-Encoding: chunked", "close": b"X: y"}
    piece = b"10000\r\n%b\r\n" % bytes(1 << 16) if framing == "chunks" else bytes(1 << 16)

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % heads[framing])
        while True:
            await wire.send(piece)

    async with scripted(script) as peer, httpx.AsyncClient(transport=transport) as client:
        exchange = transport.exchange if way == "direct" else HttpxEngine(client).exchange
        with pytest.raises(DecodeError, match="larger than 1 MiB"):
            await exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS, MIB)
        await peer.until(lambda: peer.open == 0)


@pytest.mark.parametrize("way", ["direct", "engine"])
@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip", b"deflate"])
async def test_a_bomb(make_transport, way: str, coding: bytes) -> None:
    """Kilobytes that stand for a hundred megabytes: measured while they are unpacked, never held."""
    transport = make_transport()
    body = zlib.compressobj(1, wbits=15 if coding == b"deflate" else 31)
    bomb = b"".join([body.compress(bytes(MIB)) for _ in range(100)]) + body.flush()
    async with scripted(answering(packed(bomb, coding))) as peer, httpx.AsyncClient(transport=transport) as client:
        exchange = transport.exchange if way == "direct" else HttpxEngine(client).exchange
        tracemalloc.start()
        try:
            with pytest.raises(DecodeError, match="larger than 2 MiB"):
                await exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS, 2 * MIB)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 30 * MIB


@pytest.mark.parametrize("coding", [b"gzip, gzip", b"br", b"zstd", b"gzip, br"])
async def test_a_coding_that_nobody_asked_for(transport, coding: bytes) -> None:
    """Packed twice, or in a way that was not asked for, it is an error that names the coding; an error keeps its status."""
    body = gzip.compress(gzip.compress(b"{}"))
    async with scripted(answering(packed(body, coding))) as peer:
        with pytest.raises(DecodeError, match="not asked for"):
            await transport.exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS)
    async with scripted(answering(packed(body, coding, b"502 Bad Gateway"))) as peer:
        answer = await transport.exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS)
        assert (answer.status, answer.content) == (502, body)


async def test_a_large_answer_is_unpacked_beside_the_loop(transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is packed in more than 4 KiB is unpacked in a thread, what is less at once."""
    threads: list[int] = []
    original = zlib.decompressobj

    def noting(*args):
        threads.append(threading.get_ident())
        return original(*args)

    monkeypatch.setattr(zlib, "decompressobj", noting)
    for body in (bytes(1000), bytes(20 * MIB)):
        async with scripted(answering(packed(gzip.compress(body)))) as peer:
            answer = await transport.exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS)
            assert answer.content == body
    assert [ident == threading.get_ident() for ident in threads] == [True, False]
