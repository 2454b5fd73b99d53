"""Peers that lie, smuggle, flood or never end, and requests that would do so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from picsellia_async._http.transport import FastTransport

from .peers import OK, TIMEOUTS, Wire, answering, echo, scripted

pytestmark = pytest.mark.anyio


async def get(transport: FastTransport, peer: Any, method: bytes = b"GET", target: bytes = b"/"):
    return await transport.exchange(peer.origin, method, target, b"", None, TIMEOUTS)


def scripts(reply: bytes) -> Any:
    """Answer the first connection with a reply and every other one properly."""

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(reply if wire.number == 0 else OK)

    return script


CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = {
    "length, then chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + CHUNKED + b"\r\n2\r\nhi\r\n0\r\n\r\n",
    "chunked, then length": b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"Content-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "identity and length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    "list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
    "signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
    "hexadecimal length": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nhi",
    "empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi",
    "length beyond 64 bits": b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nhi",
    "space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
    "folded length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 0\r\n\r\nhi",
    "folded header": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nhi",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    "bare carriage return": b"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 2\r\n\r\nhi",
    "negative chunk": b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n-2\r\nhi\r\n0\r\n\r\n",
    "chunk beyond 64 bits": b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n10000000000000002\r\nhi\r\n0\r\n\r\n",
    "chunk longer than it says": b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n1\r\nhi\r\n0\r\n\r\n",
    "chunk with a bare line feed": b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n2\nhi\r\n0\r\n\r\n",
    "header without a colon": b"HTTP/1.1 200 OK\r\nABC\r\nContent-Length: 2\r\n\r\nhi",
    "header without a name": b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "status 000": b"HTTP/1.1 000 None\r\nContent-Length: 2\r\n\r\nhi",
    "status 099": b"HTTP/1.1 099 None\r\nContent-Length: 2\r\n\r\nhi",
    "status 1000": b"HTTP/1.1 1000 Many\r\nContent-Length: 2\r\n\r\nhi",
    "interim that closes": b"HTTP/1.1 100 Go\r\nConnection: close\r\n\r\n" + OK,
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_two_readings_are_refused(transport: FastTransport, name: str) -> None:
    """A response that two readers could read differently is an error at once, and its connection is gone."""
    async with scripted(scripts(SMUGGLED[name])) as peer:
        with pytest.raises(httpx.RemoteProtocolError):
            await get(transport, peer)
        assert (await get(transport, peer)).content == b"ok"
        assert peer.accepted == 2


READ_TO_THE_END = {
    "chunked is not the last coding": b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "identity undoes chunked": CHUNKED + b"Transfer-Encoding: identity\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "no framing": b"\r\nhi",
    "close without length": b"Connection: close\r\n\r\nhi",
}


@pytest.mark.parametrize("name", READ_TO_THE_END)
async def test_other_codings_end_with_the_connection(transport: FastTransport, name: str) -> None:
    """A body whose last coding is not chunked lasts to the end of its connection (RFC 9112, section 6.3)."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\n" + READ_TO_THE_END[name])

    async with scripted(script) as peer:
        answer = await get(transport, peer)
        assert (
            answer.content
            == READ_TO_THE_END[name].partition(b"\r\n\r\n" if b":" in READ_TO_THE_END[name] else b"\r\n")[2]
        )
        await peer.until(lambda: peer.open == 0)


async def test_a_coding_that_looks_like_chunked(transport: FastTransport) -> None:
    """`xchunked` is neither chunked nor something whose end could be known."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")

    async with scripted(script) as peer:
        with pytest.raises(httpx.RemoteProtocolError):
            await get(transport, peer)


POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


def poisoned(head: bytes, *, together: bool) -> Callable[[Wire], Awaitable[None]]:
    """Return a peer that answers its first connection with a head and more bytes than it may, every other one well."""

    async def script(wire: Wire) -> None:
        await wire.request()
        if wire.number == 0:
            await wire.send(head + POISON if together else head)
            if not together:
                await wire.send(POISON)
            await wire.until_gone()
        else:
            await wire.send(OK)

    return script


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n" % len(POISON),
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n" % len(POISON),
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK,
        b"HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nno",
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_a_hidden_second_response_is_nobodys(transport: FastTransport, head: bytes, together: bool) -> None:
    """A body where none may be, or a second response, never answers the next call: not even in a segment of its own."""
    async with scripted(poisoned(head, together=together)) as peer:
        await get(transport, peer)
        if not together:
            await peer.until(lambda: peer.open == 0)
        assert (await get(transport, peer)).content == b"ok"


@pytest.mark.parametrize("together", [True, False])
async def test_a_body_after_head_is_nobodys(transport: FastTransport, together: bool) -> None:
    """A server that sends a body after HEAD loses the connection, not its next caller the answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(POISON)

    async with scripted(poisoned(head, together=together)) as peer:
        assert (await get(transport, peer, b"HEAD")).content == b""
        if not together:
            await peer.until(lambda: peer.open == 0)
        assert (await get(transport, peer)).content == b"ok"


async def test_a_reason_in_pieces(transport: FastTransport) -> None:
    """The reason phrase is whole however the bytes come, and that of an interim response is not in it."""

    async def script(wire: Wire) -> None:
        await wire.request()
        for piece in (
            b"HTTP/1.1 103 Early Hi",
            b"nts\r\n\r\n",
            b"HTTP/1.1 200 All",
            b" is ",
            b"well\r\nContent-Length: 0\r\n\r\n",
        ):
            await wire.send(piece)
            await seen.wait()
            seen.clear()

    seen = asyncio.Event()
    async with scripted(script) as peer, httpx.AsyncClient(transport=transport) as client:
        asking = asyncio.ensure_future(client.get(peer.url))
        while not asking.done():
            seen.set()
            await asyncio.sleep(0)
        assert (await asking).reason_phrase == "All is well"


async def test_empty_header_values(transport: FastTransport) -> None:
    """A header without a value does not lend its name to the next one."""
    reply = b"HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Blank: \r\nContent-Length: 2\r\nX-Last:\r\n\r\nhi"
    async with scripted(answering(reply)) as peer:
        answer = await get(transport, peer)
    assert answer.headers == [(b"x-empty", b""), (b"x-blank", b""), (b"content-length", b"2"), (b"x-last", b"")]


@pytest.mark.parametrize("when", ["before the answer", "in the answer", "after the answer"])
async def test_a_half_closed_peer(transport: FastTransport, when: str) -> None:
    """A peer that ends its side and reads on is gone for us: an error where something is missing, a new connection next."""

    async def script(wire: Wire) -> None:
        await wire.request()
        if wire.number == 0:
            await wire.send({"before the answer": b"", "in the answer": OK[:-1], "after the answer": OK}[when])
            wire.writer.write_eof()
            await wire.until_gone()
        else:
            await wire.send(OK)

    async with scripted(script) as peer:
        if when == "after the answer":
            await get(transport, peer)
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                await get(transport, peer)
        await peer.until(lambda: peer.open == 0)
        assert (await get(transport, peer)).content == b"ok"
        assert peer.accepted == 2


# -- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Content-Length", b"2"), (b"Content-Length", b"3")],
        [(b"Transfer-Encoding", b"gzip")],
        [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
    ],
)
async def test_a_request_with_two_readings_is_not_sent(transport: FastTransport, headers: Any) -> None:
    """Lengths that differ, and codings other than chunked, are refused before a connection is opened."""
    async with scripted(echo) as peer:
        request = httpx.Request("POST", peer.url, headers=[(b"Host", b"x"), *headers], stream=httpx.ByteStream(b"hi"))
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(request)
        assert peer.accepted == 0


async def test_chunked_wins_over_the_length_that_httpx_adds(transport: FastTransport) -> None:
    """With `Transfer-Encoding: chunked` of the caller's, no Content-Length goes out."""
    seen = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.request())
        await wire.send(OK)

    async with scripted(script) as peer, httpx.AsyncClient(transport=transport) as client:
        await client.post(peer.url, headers={"Transfer-Encoding": "chunked"}, content=b"words")
    assert b"content-length" not in seen[0].headers
    assert seen[0].body == b"words"


async def test_a_stream_is_closed_with_the_call(transport: FastTransport) -> None:
    """An early answer closes the caller's generator before the call returns, so that its file is closed."""
    closed = []

    class Stream(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(1 << 16)
            finally:
                closed.append(True)

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await wire.until_gone()

    async with scripted(script) as peer:
        request = httpx.Request("POST", peer.url, headers={"Transfer-Encoding": "chunked"}, stream=Stream())
        response = await transport.handle_async_request(request)
        assert (response.status_code, closed) == (413, [True])


async def test_a_stream_for_threads_is_refused(transport: FastTransport) -> None:
    """A synchronous stream is a TypeError; nothing of it is sent, and the slot comes back."""

    class Stream(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"words"

    async with scripted(echo) as peer:
        request = httpx.Request("POST", peer.url, headers={"Transfer-Encoding": "chunked"}, stream=Stream())
        with pytest.raises(TypeError):
            await transport.handle_async_request(request)
        await peer.until(lambda: peer.open == 0)
        assert (await get(transport, peer)).content == b"/"
