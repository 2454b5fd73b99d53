"""A caller's own `httpx.AsyncClient`: what of it joins our requests, and what does not."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import pytest

from picsellia_async._http.httpx_engine import HttpxEngine
from picsellia_async._wire.exchange import ERROR_BYTES_MAX
from picsellia_async._wire.secret import SecretBytes

from .peers import OK, TIMEOUTS, Received, Wire, answering, scripted

pytestmark = pytest.mark.anyio

OWN = {"headers": {"Authorization": "Basic own", "X-Team": "cameras"}, "params": {"key": "1"}, "cookies": {"c": "1"}}


def recording(seen: list[Received], *replies: bytes) -> Any:
    async def script(wire: Wire) -> None:
        for reply in replies:
            seen.append(await wire.request())
            await wire.send(reply)

    return script


@pytest.mark.parametrize(
    ("lines", "sent"), [(b"", None), (b"authorization: Bearer ours\r\n", b"Bearer ours"), (b"X-Team: ours\r\n", None)]
)
async def test_our_headers_win(lines: bytes, sent: bytes | None) -> None:
    """A default `authorization` goes nowhere: neither over ours, nor to a login, nor to a signed address. Others join."""
    seen: list[Received] = []
    async with scripted(recording(seen, OK)) as peer, httpx.AsyncClient(**OWN, auth=("user", "word")) as client:
        await HttpxEngine(client).exchange(peer.origin, b"POST", b"/login", lines, b"{}", TIMEOUTS)
    assert seen[0].headers.get(b"authorization") == sent
    assert seen[0].headers[b"x-team"] == (b"ours" if b"X-Team" in lines else b"cameras")
    assert seen[0].headers[b"cookie"] == b"c=1"


@pytest.mark.parametrize("target", [b"/a", SecretBytes(b"/object?X-Amz-Signature=%2Fb%20c&x=1"), b"/a?key=2"])
async def test_addresses_are_sent_as_they_are(target: bytes) -> None:
    """Default `params` and `base_url` change no address: a signed one would be refused."""
    seen: list[Received] = []
    options: Any = {**OWN, "base_url": "http://elsewhere.invalid/base"}
    async with scripted(recording(seen, OK)) as peer, httpx.AsyncClient(**options) as client:
        await HttpxEngine(client).exchange(peer.origin, b"GET", target, b"", None, TIMEOUTS)
    assert seen[0].target == target


async def test_redirects_keep_it_so() -> None:
    """A redirected GET, too, carries neither the client's `authorization` nor its `params`."""
    seen: list[Received] = []
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /there?x=1\r\nContent-Length: 0\r\n\r\n"
    async with scripted(recording(seen, moved, OK)) as peer, httpx.AsyncClient(**OWN) as client:
        answer = await HttpxEngine(client).exchange(peer.origin, b"GET", b"/here", b"", None, TIMEOUTS)
    assert answer.content == b"ok"
    assert [request.target for request in seen] == [b"/here", b"/there?x=1"]
    assert all(b"authorization" not in request.headers for request in seen)


async def test_a_hook_that_reads() -> None:
    """An event hook may read the answer before us."""

    async def read(response: httpx.Response) -> None:
        read_bodies.append(await response.aread())

    read_bodies: list[bytes] = []
    packed = gzip.compress(b"{}")
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    async with scripted(answering(reply)) as peer, httpx.AsyncClient(event_hooks={"response": [read]}) as client:
        answer = await HttpxEngine(client).exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS)
    assert read_bodies == [answer.content] == [b"{}"]


async def test_a_transport_without_a_network() -> None:
    """Answers that were never on a network are read as well."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={"a": 1}))
    async with scripted(answering()) as peer, httpx.AsyncClient(transport=transport) as client:
        answer = await HttpxEngine(client).exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS)
    assert answer.content == b'{"a":1}'


async def test_an_error_without_end_over_the_stock_transport() -> None:
    """An endless error is cut there, too, and its connection closed."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        while True:
            await wire.send(bytes(1 << 16))

    async with scripted(script) as peer, httpx.AsyncClient() as client:
        answer = await HttpxEngine(client).exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS)
        assert answer.status == 502
        assert ERROR_BYTES_MAX <= len(answer.content) <= 2 * ERROR_BYTES_MAX
        await peer.until(lambda: peer.open == 0)
