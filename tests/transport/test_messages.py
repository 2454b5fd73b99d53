"""What a response may look like."""

from __future__ import annotations

import asyncio
import gzip

import httpx
import pytest

from picsellia_async._http.parser import HEAD_BYTES_MAX
from picsellia_async._http.transport import FastTransport

from .peers import OK, TIMEOUTS, Wire, answering, echo, raw_get, scripted

pytestmark = pytest.mark.anyio


async def get(transport: FastTransport, peer, method: bytes = b"GET", target: bytes = b"/"):
    return await transport.exchange(peer.origin, method, target, raw_get(), None, TIMEOUTS)


FRAMES = {
    "content-length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "content-length 0": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", True),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello", True),
    "chunked with trailer": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;note=x\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        b"hello",
        True,
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "304 with length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", b"", True),
    "no reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", b"hi", True),
    "connection close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
    "HTTP/1.0 keep-alive": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", b"hi", True,
    ),
    "100 before": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", True),
    "103 before": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
async def test_framing(transport: FastTransport, name: str) -> None:
    """Each way to frame a body is read to its end, and the connection is used again exactly if the peer allows it."""
    reply, content, reusable = FRAMES[name]
    async with scripted(answering(reply, OK)) as peer:
        assert (await get(transport, peer)).content == content
        if reusable:
            assert (await get(transport, peer)).content == b"ok"
            assert peer.accepted == 1
        else:
            await peer.until(lambda: peer.open == 0)
            assert not transport.counts.connections


@pytest.mark.parametrize("name", [name for name in FRAMES if "10" not in name])
async def test_framing_through_httpx(transport: FastTransport, name: str) -> None:
    """The httpx seam reads the same bodies."""
    reply, content, _ = FRAMES[name]
    async with scripted(answering(reply, OK)) as peer, httpx.AsyncClient(transport=transport) as client:
        response = await client.get(peer.url)
        assert response.content == content
        assert response.http_version in {"HTTP/1.1", "HTTP/1.0"}


async def test_until_close(transport: FastTransport) -> None:
    """A body without length ends with its connection."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\nall")
        await wire.send(b" of it")

    async with scripted(script) as peer:
        assert (await get(transport, peer)).content == b"all of it"


async def test_head_has_no_body(transport: FastTransport) -> None:
    """The answer to HEAD has no body whatever its length says, and the connection stays in step."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
    async with scripted(answering(reply, reply, OK)) as peer:
        assert await get(transport, peer, b"HEAD") == (await get(transport, peer, b"HEAD"))
        assert (await get(transport, peer)).content == b"ok"
        assert peer.accepted == 1


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nbody"],
)
async def test_head_on_a_connection_that_cannot_stay(transport: FastTransport, reply: bytes) -> None:
    """After HEAD, too, a peer that closes or sends a body loses the connection."""
    async with scripted(answering(reply)) as peer:
        assert (await get(transport, peer, b"HEAD")).content == b""
        await peer.until(lambda: peer.open == 0)


async def test_headers_in_lower_case_and_order(transport: FastTransport) -> None:
    """`exchange` gives header names in lower case, all of them, in order."""
    reply = b"HTTP/1.1 201 Created\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\nContent-Length: 0\r\n\r\n"
    async with scripted(answering(reply)) as peer:
        answer = await get(transport, peer)
    assert answer.status == 201
    assert answer.headers == [(b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"3"), (b"content-length", b"0")]


async def test_content_coding_is_undone(transport: FastTransport) -> None:
    """`exchange` asks for no content coding, and undoes one that comes nevertheless."""
    packed = gzip.compress(b"words " * 100)
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    async with scripted(answering(reply)) as peer:
        assert (await get(transport, peer)).content == b"words " * 100


BROKEN = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no version": b"200 OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "length of words": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nab",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nab",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n",
    "nul in header": b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nxx",
    "101 alone": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "long line": b"HTTP/1.1 200 OK\r\nA: " + b"x" * (HEAD_BYTES_MAX + 10),
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20000,
    "long trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 20000,
    "endless interim": b"HTTP/1.1 102 Processing\r\n\r\n" * 4000,
    "chunk extension": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 70000,
}


@pytest.mark.parametrize("name", BROKEN)
async def test_malformed(transport: FastTransport, name: str) -> None:
    """What is no HTTP response, or too much of one, is a RemoteProtocolError, and the next call gets a new connection."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(BROKEN[name] if wire.number == 0 else OK)
        await wire.until_gone()

    async with scripted(script) as peer:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await get(transport, peer)
        assert caught.value.request_sent is True
        assert (await get(transport, peer)).content == b"ok"
        assert peer.accepted == 2


SURPLUS = {
    "a second response": OK + OK,
    "half a response": OK + b"HTTP/1.1 200",
    "one letter": OK + b"x",
    "garbage": OK + b"\0\1\2",
    "after 204": b"HTTP/1.1 204 No Content\r\n\r\nbody",
}


@pytest.mark.parametrize("name", SURPLUS)
async def test_surplus_bytes_end_the_connection(transport: FastTransport, name: str) -> None:
    """Bytes beyond the response never become somebody else's answer."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(SURPLUS[name] if wire.number == 0 else b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
        await wire.until_gone()

    async with scripted(script) as peer:
        await get(transport, peer)
        assert (await get(transport, peer)).content == b"next"
        assert peer.accepted == 2


async def test_surplus_bytes_that_come_later(transport: FastTransport) -> None:
    """Bytes on an idle connection end it, even if the next call comes before the loop has read them."""
    late = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(OK if wire.number == 0 else b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
        await late.wait()
        await wire.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nlate")
        await wire.until_gone()

    async with scripted(script) as peer:
        await get(transport, peer)
        late.set()
        await peer.until(lambda: peer.open == 0)
        assert (await get(transport, peer)).content == b"next"


async def test_http_version_and_reason(transport: FastTransport) -> None:
    """httpx sees version, reason phrase and raw header names."""
    async with (
        scripted(answering(b"HTTP/1.0 299 Odd One\r\nX-Case: a\r\nContent-Length: 0\r\n\r\n")) as peer,
        httpx.AsyncClient(transport=transport) as client,
    ):
        response = await client.get(peer.url)
    assert (response.http_version, response.reason_phrase) == ("HTTP/1.0", "Odd One")
    assert response.headers.raw[0] == (b"X-Case", b"a")


async def test_many_requests_one_connection(transport: FastTransport) -> None:
    """Calls in a row share one connection, and each gets the answer to its own question."""
    async with scripted(echo) as peer:
        for number in range(200):
            target = b"/%d" % number
            assert (await get(transport, peer, target=target)).content == target
        assert peer.accepted == 1
