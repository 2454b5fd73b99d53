"""Bodies that are packed, or without end."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import httpx
import pytest

from picsellia_async._http.httpx_engine import HttpxEngine
from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import ERROR_BYTES_MAX
from picsellia_async.errors import DecodeError

from .peers import OK, TIMEOUTS, Wire, answering, scripted

pytestmark = pytest.mark.anyio

CHUNKED = b"Transfer-Encoding: chunked\r\n"


async def get(transport: FastTransport, peer: Any, method: bytes = b"GET", target: bytes = b"/"):
    return await transport.exchange(peer.origin, method, target, b"", None, TIMEOUTS)


def through_client(transport: FastTransport) -> HttpxEngine:
    return HttpxEngine(httpx.AsyncClient(transport=transport))


@pytest.fixture(params=["exchange", "client"])
def engine(request: pytest.FixtureRequest, transport: FastTransport) -> Any:
    """Both ways of making an exchange."""
    return transport if request.param == "exchange" else through_client(transport)


def packed(status: int, coding: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %d X\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (status, coding, len(body))
    return head + body


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(b"{}")),
        (b"x-gzip", gzip.compress(b"{}")),
        (b"deflate", zlib.compress(b"{}")),
        (b"identity", b"{}"),
    ],
    ids=["gzip", "x-gzip", "deflate", "identity"],
)
async def test_codings(engine: Any, coding: bytes, body: bytes) -> None:
    """A coding that is known is undone."""
    async with scripted(answering(packed(200, coding, body))) as peer:
        answer = await get(engine, peer)
    assert answer.content == b"{}"


async def test_a_success_that_cannot_be_unpacked(engine: Any) -> None:
    """A body that is not packed as it says is a DecodeError that names the place, without its query."""
    async with scripted(answering(packed(200, b"gzip", b"not packed"))) as peer:
        with pytest.raises(DecodeError) as caught:
            await get(engine, peer, target=b"/here?secret=1")
    assert (caught.value.status, caught.value.method, caught.value.url) == (200, "GET", f"{peer.origin}/here")


async def test_an_error_that_cannot_be_unpacked(engine: Any) -> None:
    """An error keeps its status, whatever a proxy made of its body."""
    async with scripted(answering(packed(503, b"gzip", b"not packed"))) as peer:
        answer = await get(engine, peer)
    assert (answer.status, answer.content) == (503, b"not packed")


async def test_a_packed_bomb_in_an_error(engine: Any) -> None:
    """An error body that unpacks to a thousand times its size is unpacked as far as it is read."""
    bomb = gzip.compress(bytes(32 << 20))
    async with scripted(answering(packed(500, b"gzip", bomb))) as peer:
        answer = await get(engine, peer)
    assert answer.status == 500
    assert ERROR_BYTES_MAX < len(answer.content) < 8 << 20


@pytest.mark.parametrize("framing", [b"Content-Length: 5368709120\r\n", CHUNKED, b""])
async def test_an_error_without_end(engine: Any, framing: bytes) -> None:
    """An error body of 5 GB, or an endless one, is cut: the call ends with its status while the server still sends."""

    async def script(wire: Wire) -> None:
        await wire.request()
        if wire.number:
            await wire.send(OK)
            return
        await wire.send(b"HTTP/1.1 500 Oh\r\n" + framing + b"\r\n")
        piece = bytes(1 << 16)
        while True:
            await wire.send(b"10000\r\n" + piece + b"\r\n" if framing is CHUNKED else piece)

    async with scripted(script) as peer:
        answer = await get(engine, peer)
        assert answer.status == 500
        assert ERROR_BYTES_MAX <= len(answer.content) <= 4 * ERROR_BYTES_MAX
        await peer.until(lambda: peer.open == 0)
        assert (await get(engine, peer)).content == b"ok"


async def test_a_large_success_is_whole(engine: Any) -> None:
    """Only errors are cut."""
    size = ERROR_BYTES_MAX * 5
    async with scripted(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))) as peer:
        assert len((await get(engine, peer)).content) == size


@pytest.mark.parametrize(
    "body", [gzip.compress(b"{}" * 3000)[:-5], gzip.compress(b"{}") + b"more"], ids=["cut", "longer"]
)
async def test_a_packed_success_is_all_there(engine: Any, body: bytes) -> None:
    """A packed body that is cut short, or goes on behind its end, is refused although what came of it can be unpacked."""
    async with scripted(answering(packed(200, b"gzip", body))) as peer:
        with pytest.raises(DecodeError):
            await get(engine, peer)
