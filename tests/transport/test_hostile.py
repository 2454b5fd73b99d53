"""Peers that lie, smuggle, flood or never end, and messages that are hard to read. Also under uvloop."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from picsellia_async._http.httpx_engine import HttpxEngine
from picsellia_async._http.parser import ERROR_BYTES_MAX
from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin
from picsellia_async.errors import ConfigurationError, DecodeError

from .peers import OK, TIMEOUTS, Wire, answering, echo, resolve_to, scripted

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


# -- bodies that are packed, or without end ---------------------------------------------------------------------------


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
        (b"deflate", zlib.compress(b"{}")),
        (b"identity", b"{}"),
        (b"br", b"\x0b\x00\x80{}\x03"),
    ],
)
async def test_codings(engine: Any, coding: bytes, body: bytes) -> None:
    """A coding that is known is undone; one that is not (brotli without its package) leaves the body as it came."""
    async with scripted(answering(packed(200, coding, body))) as peer:
        answer = await get(engine, peer)
    assert answer.content in {b"{}", body if coding == b"br" else b"{}"}


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


# -- names ------------------------------------------------------------------------------------------------------------


def test_international_names() -> None:
    """A host name is spelled as browsers and httpx spell it: Python's own codec would ask another host for `faß.de`."""
    for url in ("https://faß.de", "https://例え.jp", "http://Bücher.example:8080"):
        assert Origin.parse(url).host.encode() == httpx.URL(url).raw_host
    assert Origin.parse("https://FASS.de").host == "fass.de"


@pytest.mark.parametrize("url", ["http://\u00fc" + "a" * 70, "http://-\u00fc.de", "http://a\u2024\u00fc\u2024\u2024b"])
def test_names_that_dns_cannot_spell(url: str) -> None:
    """An international name that cannot be spelled is a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        Origin.parse(url)


async def test_a_zone(transport: FastTransport) -> None:
    """An IPv6 address with a zone, as URLs write it (`%25`), is dialled."""
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
    async with scripted(echo, host="::1") as peer:
        origin = Origin.parse(f"http://[::1%251]:{peer.origin.port}")
        assert (await transport.exchange(origin, b"GET", b"/", b"", None, TIMEOUTS)).content == b"/"


@pytest.mark.parametrize("host", ["localhost", "localhost."])
async def test_the_name_that_a_tls_server_sees(
    make_transport: Any, certificate: Any, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server sees the name (without the root's dot) and that we speak HTTP/1.1 only."""
    names: list[str | None] = []
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate.chain, certificate.key)
    server.set_alpn_protocols(["h2", "http/1.1"])
    server.sni_callback = lambda _sock, name, _context: names.append(name)
    chosen = []

    async def script(wire: Wire) -> None:
        chosen.append(wire.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await echo(wire)

    context = ssl.create_default_context(cafile=str(certificate.authority))
    context.set_alpn_protocols(["http/1.1"])
    transport = make_transport(ssl_context=context)
    resolve_to(monkeypatch, "127.0.0.1")
    async with scripted(script, server) as peer:
        await transport.exchange(Origin("https", host, peer.origin.port), b"GET", b"/", b"", None, TIMEOUTS)
    assert (names, chosen) == (["localhost"], ["http/1.1"])
