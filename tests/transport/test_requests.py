"""What a request may look like, and what happens while it is being sent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async.config import Timeouts

from .peers import OK, TIMEOUTS, Wire, echo, raw_get, scripted

pytestmark = pytest.mark.anyio

LARGE = bytes(range(256)) * 8192  # 2 MiB: more than the kernel's buffers take at once


class Seen:
    """A script that keeps what it was sent."""

    def __init__(self) -> None:
        self.requests = []

    async def __call__(self, wire: Wire) -> None:
        while True:
            self.requests.append(await wire.request())
            await wire.send(OK)


async def test_exchange_on_the_wire(transport: FastTransport) -> None:
    """`exchange` adds Host and Content-Length and sends the given lines untouched."""
    seen = Seen()
    async with scripted(seen) as peer:
        await transport.exchange(peer.origin, b"POST", b"/a?b=c", b"x-one: 1\r\nX-Two: 2\r\n", b"body", TIMEOUTS)
        host = f"127.0.0.1:{peer.origin.port}".encode()
    (request,) = seen.requests
    assert (request.method, request.target, request.body) == (b"POST", b"/a?b=c", b"body")
    assert request.headers == {b"host": host, b"x-one": b"1", b"x-two": b"2", b"content-length": b"4"}


@pytest.mark.parametrize(("method", "length"), [(b"GET", None), (b"DELETE", None), (b"POST", b"0"), (b"PUT", b"0")])
async def test_no_body(transport: FastTransport, method: bytes, length: bytes | None) -> None:
    """Without a body, only methods that are expected to have one say `Content-Length: 0`."""
    seen = Seen()
    async with scripted(seen) as peer:
        await transport.exchange(peer.origin, method, b"/", b"", None, TIMEOUTS)
    assert seen.requests[0].headers.get(b"content-length") == length


@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 18) + 1, len(LARGE)])
async def test_bytes_of_any_size(transport: FastTransport, size: int) -> None:
    """A body of bytes arrives as it is, joined or sliced."""
    seen = Seen()
    async with scripted(seen) as peer:
        await transport.exchange(peer.origin, b"POST", b"/", b"", LARGE[:size], TIMEOUTS)
    assert seen.requests[0].body == LARGE[:size]


@pytest.mark.parametrize("size", [1, 1000, 3 * 2**16, 3 * 2**16 + 1, len(LARGE)])
async def test_chunked_body(transport: FastTransport, size: int) -> None:
    """A body that is made while it is sent arrives whole, with its length announced."""
    seen = Seen()
    body = ChunkedBody(b'{"image":"', memoryview(LARGE[:size]), b'"}')
    async with scripted(seen) as peer:
        for _ in range(2):
            await transport.exchange(peer.origin, b"POST", b"/", b"", body, TIMEOUTS)
        assert peer.accepted == 1
    for request in seen.requests:
        assert request.body == b"".join(body)
        assert request.headers[b"content-length"] == b"%d" % len(request.body)


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_streamed_request(transport: FastTransport) -> None:
    """httpx's streamed bodies arrive whole: chunked, or with the length that the caller announced."""
    seen = Seen()
    pieces = (b"one", b"", b"two" * 200_000, b"three")
    size = str(sum(map(len, pieces)))
    async with scripted(seen) as peer, httpx.AsyncClient(transport=transport) as client:
        await client.post(peer.url, content=stream(*pieces))
        await client.post(peer.url, content=stream(*pieces), headers={"Content-Length": size})
        assert peer.accepted == 1
    chunked, sized = seen.requests
    assert chunked.body == sized.body == b"".join(pieces)
    assert b"content-length" not in chunked.headers
    assert sized.headers[b"content-length"] == size.encode()


@pytest.mark.parametrize("length", ["2", "100"])
async def test_streamed_request_of_another_length(transport: FastTransport, length: str) -> None:
    """A streamed body that is longer or shorter than announced is a LocalProtocolError; the connection is not used again."""
    seen = Seen()
    async with scripted(seen) as peer, httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.LocalProtocolError) as caught:
            await client.post(peer.url, content=stream(b"four"), headers={"Content-Length": length})
        assert caught.value.request_sent is False
        assert (await client.get(peer.url)).text == "ok"
        assert peer.accepted == 2
    assert len(seen.requests) == 1


async def test_stream_that_fails(transport: FastTransport) -> None:
    """An error in the caller's own stream reaches the caller; nobody gets the half-sent connection."""

    async def failing() -> AsyncIterator[bytes]:
        yield b"half"
        raise LookupError("the caller's own")

    seen = Seen()
    async with scripted(seen) as peer, httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(LookupError):
            await client.post(peer.url, content=failing())
        assert (await client.get(peer.url)).text == "ok"
        assert peer.accepted == 2


@pytest.mark.parametrize(
    "headers",
    [
        [(b"A", b"b\r\nEvil: yes")],
        [(b"A", b"b\0")],
        [(b"A B", b"c")],
        [(b"", b"c")],
        [(b"A:", b"c")],
        [(b"Content-Length", b"x")],
    ],
)
async def test_headers_that_cannot_be(transport: FastTransport, headers: list[tuple[bytes, bytes]]) -> None:
    """Names and values that would change the message are refused before anything is sent."""
    async with scripted(Seen()) as peer:
        request = httpx.Request("GET", peer.url, headers=headers)
        with pytest.raises(httpx.LocalProtocolError) as caught:
            await transport.handle_async_request(request)
        assert caught.value.request_sent is False
        assert peer.accepted == 0


@pytest.mark.parametrize("method", ["GET /evil HTTP/1.1\r\nA:", "CONNECT"])
async def test_methods_that_cannot_be(transport: FastTransport, method: str) -> None:
    """A method with spaces, and CONNECT, are refused."""
    async with scripted(Seen()) as peer:
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(httpx.Request(method, peer.url))


async def test_target_extension(transport: FastTransport) -> None:
    """httpx's `target` extension replaces path and query, and cannot break the request line."""
    seen = Seen()
    async with scripted(seen) as peer, httpx.AsyncClient(transport=transport) as client:
        await client.request("OPTIONS", peer.url, extensions={"target": b"*"})
        with pytest.raises(httpx.LocalProtocolError):
            await client.get(peer.url, extensions={"target": b"/ HTTP/1.1\r\nX: y"})
    assert seen.requests[0].target == b"*"


async def test_other_schemes(transport: FastTransport) -> None:
    """Anything but http and https is UnsupportedProtocol."""
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.get("ftp://127.0.0.1/")


# -- answers that come before the request is whole ----------------------------------------------------------------

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"


async def refuse(wire: Wire) -> None:
    """Refuse after the head, read nothing more, stay."""
    await wire.head()
    await wire.send(REFUSAL)
    await asyncio.Event().wait()


async def refuse_and_reset(wire: Wire) -> None:
    """Refuse after the head and close: with unread bytes in its buffer, the kernel sends a reset."""
    await wire.head()
    await wire.send(REFUSAL)
    wire.writer.transport.abort()


@pytest.mark.parametrize("script", [refuse, refuse_and_reset])
@pytest.mark.parametrize("shape", ["bytes", "chunked", "stream"])
async def test_early_refusal(transport: FastTransport, script, shape: str) -> None:
    """An answer that comes while the body is being sent ends the sending and reaches the caller, not an error."""
    async with scripted(script) as peer:
        for _ in range(5):
            if shape == "stream":
                request = httpx.Request("POST", peer.url, content=stream(*[LARGE] * 20))
                response = await transport.handle_async_request(request)
                assert (response.status_code, await response.aread()) == (413, b"big")
                await response.aclose()
            else:
                body = LARGE * 10 if shape == "bytes" else ChunkedBody(b'{"i":"', memoryview(LARGE * 10), b'"}')
                answer = await transport.exchange(peer.origin, b"POST", b"/", raw_get(), body, TIMEOUTS)
                assert (answer.status, answer.content) == (413, b"big")
        await peer.until(lambda: peer.open == 0) if script is refuse_and_reset else None
        assert peer.accepted == 5


@pytest.mark.parametrize("shape", ["bytes", "chunked", "stream"])
async def test_early_refusal_that_stalls(transport: FastTransport, shape: str) -> None:
    """A peer that takes the body, refuses in the middle of it and never ends its refusal runs into the read timeout."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(REFUSAL[:-1])
        await wire.until_gone()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield LARGE
            await asyncio.sleep(0)

    brief = Timeouts(300.0, 0.1, 300.0, 300.0)
    async with scripted(script) as peer:
        with pytest.raises(httpx.ReadTimeout):
            if shape == "stream":
                limits = {"timeout": {"read": 0.1, "write": 300.0}}
                request = httpx.Request("POST", peer.url, content=endless(), extensions=limits)
                response = await transport.handle_async_request(request)
                await response.aread()
            else:
                body = LARGE * 40 if shape == "bytes" else ChunkedBody(b'{"i":"', memoryview(LARGE * 40), b'"}')
                await asyncio.wait_for(transport.exchange(peer.origin, b"POST", b"/", b"", body, brief), 300)
        await peer.until(lambda: peer.open == 0)


async def test_answer_while_the_stream_pauses(transport: FastTransport) -> None:
    """A refusal that comes while the caller's stream makes its next piece ends the sending at that piece."""
    more = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await more.wait()
        while True:  # ends because nobody asks for more
            yield b"second"
            await asyncio.sleep(0)

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(REFUSAL)
        more.set()
        await wire.until_gone()

    async with scripted(script) as peer:
        response = await transport.handle_async_request(httpx.Request("POST", peer.url, content=slow()))
        assert response.status_code == 413
        await response.aclose()


async def test_interim_answer_does_not_stop_the_body(transport: FastTransport) -> None:
    """100 Continue in the middle of the body changes nothing."""

    async def script(wire: Wire) -> None:
        head = await wire.head()
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.reader.readexactly(int(head.headers[b"content-length"]))
        await wire.send(OK)
        await wire.until_gone()

    async with scripted(script) as peer:
        answer = await transport.exchange(peer.origin, b"POST", b"/", b"Expect: 100-continue\r\n", LARGE * 2, TIMEOUTS)
        assert answer.content == b"ok"


async def test_reset_while_sending(transport: FastTransport) -> None:
    """A reset in the middle of the body, without an answer, is a WriteError that says the request was not sent."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.reader.readexactly(100_000)
        wire.reset()

    async with scripted(script) as peer:
        with pytest.raises((httpx.WriteError, httpx.RemoteProtocolError)) as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", LARGE * 10, TIMEOUTS)
        assert caught.value.request_sent is False


async def test_close_while_sending(transport: FastTransport) -> None:
    """An orderly end in the middle of the body says, too, that the request was not sent."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.reader.readexactly(100_000)
        wire.shut(socket.SHUT_WR)
        await asyncio.Event().wait()

    async with scripted(script) as peer:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", LARGE * 10, TIMEOUTS)
        assert caught.value.request_sent is False


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_end_after_the_request(transport: FastTransport, end: str) -> None:
    """An end after the whole request was read says that it may have been processed."""

    async def script(wire: Wire) -> None:
        await wire.request()
        wire.reset() if end == "reset" else wire.close()

    async with scripted(script) as peer:
        with pytest.raises(httpx.RemoteProtocolError if end == "close" else httpx.ReadError) as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", b"body", TIMEOUTS)
        assert caught.value.request_sent is True
        assert peer.accepted == 1


async def test_refused_connection(transport: FastTransport) -> None:
    """Nobody listens: ConnectError, not sent."""
    async with scripted(Seen()) as peer:
        pass
    with pytest.raises(httpx.ConnectError) as caught:
        await transport.exchange(peer.origin, b"POST", b"/", b"", b"body", TIMEOUTS)
    assert caught.value.request_sent is False


async def test_unknown_name(transport: FastTransport) -> None:
    """A name that does not resolve is a ConnectError, not sent."""
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.get("http://no-such-host.invalid/")
    assert caught.value.request_sent is False


async def test_a_request_that_closes_its_connection(transport: FastTransport) -> None:
    """A request that says `Connection: close` is the last one on its connection, whatever the peer thinks."""

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(OK)

    async with scripted(script) as peer, httpx.AsyncClient(transport=transport) as client:
        for number in range(3):
            response = await client.get(peer.url, headers={"Connection": "TE, Close"})
            assert response.text == "ok"
            assert peer.accepted == number + 1
            await peer.until(lambda: peer.open == 0)
        assert transport.counts.idle == 0


async def test_a_server_name_of_the_requests_own_is_refused(transport: FastTransport) -> None:
    """`sni_hostname` is refused: connections are shared by all requests to a host, whatever name they would give."""
    async with scripted(echo) as peer, httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.LocalProtocolError, match="sni_hostname"):
            await client.get(peer.url, extensions={"sni_hostname": "other.example"})
        assert peer.accepted == 0
